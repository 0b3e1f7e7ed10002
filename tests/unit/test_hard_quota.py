"""Whether a file system could keep project quotas, told from what the kernel says of its mounts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.cli.hard_quota import hard_quota, hard_quota_of

MOUNTS = r"""
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
30 27 8:17 / /srv/my\040data rw,noatime shared:7 - ext4 /dev/sdb1 rw,prjquota
31 27 8:33 / /srv/plain rw - ext4 /dev/sdc1 rw
32 27 8:49 / /xfs rw - xfs /dev/sdd1 rw,attr2,inode64,logbufs=8,logbsize=32k,noquota
33 27 8:65 / /held rw - xfs /dev/sde1 rw,inode64,prjquota
34 27 8:81 / /counted rw - xfs /dev/sdf1 rw,inode64,pqnoenforce
35 27 0:44 / /tmp rw - tmpfs tmpfs rw
""".strip()


@pytest.mark.parametrize(
    ("device", "ready", "found", "mend"),
    [
        ((8, 17), True, "ext4 at /srv/my data keeps project quotas: docs/operations.md says how to set them", ""),
        (
            (8, 33),
            False,
            "ext4 at /srv/plain could keep project quotas and does not",
            "If you want them: umount it, `tune2fs -O project,quota /dev/sdc1`, mount it with the option prjquota.",
        ),
        (
            (8, 49),
            False,
            "xfs at /xfs could keep project quotas and does not",
            "If you want them: umount it, mount it with the option prjquota.",
        ),
        ((8, 65), True, "xfs at /held keeps project quotas: docs/operations.md says how to set them", ""),
        ((8, 81), False, "xfs at /counted counts by project and holds nobody to a size", "Mount it with prjquota."),
        ((0, 44), False, "tmpfs at /tmp has no project quotas: users can only be told of what they use", ""),
        ((9, 9), False, "what file system the user data is on cannot be told", ""),
    ],
)
def test_what_a_file_system_could_do(device: tuple[int, int], ready: bool, found: str, mend: str) -> None:
    told = hard_quota(os.makedev(*device), MOUNTS)
    assert (told.ready, told.found, told.mend) == (ready, found, mend)


def test_a_root_file_system_is_mounted_at_boot() -> None:
    assert hard_quota(os.makedev(254, 0), MOUNTS).mend.endswith(
        "(a root file system: by the kernel's rootflags=prjquota at boot)."
    )


def test_this_machine_s_is_told(tmp_path: Path) -> None:
    assert hard_quota_of(tmp_path).found
