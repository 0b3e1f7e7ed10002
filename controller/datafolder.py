"""A user's data folder on this host: made once, and never touched again.

The path is built from the integer alone. The folder belongs to the session's user and to nobody else; what is inside
it is made from inside the session, so that no link planted there can lead us anywhere.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from controller.errors import DataFolderGone, DataFolderUnusable


def prepare(folder: Path, run_as: str) -> None:
    """Make the folder with mode 0700, owned by `run_as` (`uid:gid`), unless it is there. Blocks on the disk.

    Raises:
        DataFolderUnusable: it cannot be made, or something that is not a folder has its name.
    """
    uid, gid = (int(part) for part in run_as.split(":"))
    unfinished = folder.with_name(f".{folder.name}.new")
    try:
        if there(folder):
            return
        folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished.mkdir(mode=0o700, exist_ok=True)  # it is there if we were killed before we came to the end
        if (uid, gid) != (os.geteuid(), os.getegid()):
            os.chown(unfinished, uid, gid, follow_symlinks=False)
        unfinished.rename(folder)  # it appears when it is its owner's, for it is not touched from then on
    except OSError as error:
        raise DataFolderUnusable(f"The data folder {folder} cannot be made: {error.strerror}.") from error


def require(folder: Path) -> None:
    """To be asked before each start: the engine would follow a link in its place, and what was made once is not made
    again, for a disk that is not mounted may have it.

    Raises:
        DataFolderGone: it is not there.
        DataFolderUnusable: something that is not a folder has its name.
    """
    if not there(folder):
        raise DataFolderGone(
            f"The data folder {folder} is not there any more, so its user's session cannot be started."
        )


def there(folder: Path) -> bool:
    """Whether it is there.

    Raises:
        DataFolderUnusable: something that is not a folder has its name.
    """
    try:
        mode = folder.lstat().st_mode
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DataFolderUnusable(f"The data folder {folder} cannot be looked at: {error.strerror}.") from error
    if not stat.S_ISDIR(mode):
        raise DataFolderUnusable(f"{folder} is not a folder, so it cannot hold a user's data.")
    return True
