"""Lend a directory that goes with the devnet that uses it: at its end, or, if it was killed, when the next one starts.

The directory's name carries the process id of its user, who also holds a lock on it; the system lets go of
the lock however a process ends. Only a directory whose user is gone and whose lock is free is removed.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "sequencer-devnet-"
ABANDONED_REMOVED_MAX = 16
"""Directories that one start removes; the next goes on."""
_NAME = re.compile(rf"{PREFIX}(\d{{1,10}})-\w{{8}}")


@contextmanager
def lend_directory() -> Iterator[Path]:
    """Give a new empty directory and remove it afterwards; also removes what killed devnets of this user left."""
    remove_abandoned(Path(tempfile.gettempdir()))
    prefix = f"{PREFIX}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(descriptor)


def remove_abandoned(folder: Path) -> None:
    """Remove at most `ABANDONED_REMOVED_MAX` directories in `folder` that a killed devnet of this user left."""
    abandoned = [path for path in sorted(folder.glob(f"{PREFIX}*")) if _is_abandoned(path)]
    for path in abandoned[:ABANDONED_REMOVED_MAX]:
        shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(path: Path) -> bool:
    found = _NAME.fullmatch(path.name)
    if found is None or _is_running(int(found[1])):
        return False
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its user may live where we cannot see its id
            return os.fstat(descriptor).st_uid == os.getuid()
        finally:
            os.close(descriptor)
    return False


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it runs as somebody else, or is no process id at all: leave it
    return True
