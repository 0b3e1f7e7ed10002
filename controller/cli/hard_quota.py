"""Whether the users' file system could hold each folder to a size, by project quotas. For `doctor`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

ON = {"prjquota", "pquota", "pqnoenforce"}
"""Mount options; the last counts and holds nobody to anything."""
HOW = {
    "ext4": "umount it, `tune2fs -O project,quota {device}`, mount it with the option prjquota",
    "xfs": "umount it, mount it with the option prjquota",
}


@dataclass(frozen=True, slots=True)
class HardQuota:
    ready: bool
    found: str
    mend: str


def hard_quota_of(folder: Path) -> HardQuota:
    return hard_quota(folder.stat().st_dev, Path("/proc/self/mountinfo").read_text())


def hard_quota(device: int, mountinfo: str) -> HardQuota:
    """`device`: `st_dev` of the folder; `mountinfo`: that of /proc, as proc(5) describes it."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if before.split(" ")[2] == number:
            kind, source, options = after.split(" ")[:3]
            return _told(kind, _plain(before.split(" ")[4]), _plain(source), set(options.split(",")))
    return HardQuota(False, "what file system the user data is on cannot be told", "")


def _told(kind: str, place: str, source: str, options: set[str]) -> HardQuota:
    where = f"{kind} at {place}"
    if kind not in HOW:
        return HardQuota(False, f"{where} has no project quotas: users can only be told of what they use", "")
    if "pqnoenforce" in options:
        return HardQuota(False, f"{where} counts by project and holds nobody to a size", "Mount it with prjquota.")
    if options & ON:
        return HardQuota(True, f"{where} keeps project quotas: docs/operations.md says how to set them", "")
    how = HOW[kind].format(device=source)
    root = " (a root file system: by the kernel's rootflags=prjquota at boot)" if place == "/" else ""
    return HardQuota(False, f"{where} could keep project quotas and does not", f"If you want them: {how}{root}.")


def _plain(text: str) -> str:
    """Spaces and the like stand there in octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
