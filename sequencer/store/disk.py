"""Write, sync and rename files, and turn every failure of the disk into `StoreError`.

Promises: after a failed sync nothing is retried (the kernel may have dropped the dirty
pages, so a second sync would lie); the caller stops. Counts the syncs that really ran.
"""

from __future__ import annotations

import enum
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sequencer.errors import StoreError

SyncFile = Callable[[int], None]
"""Makes the data of an open file durable; raises OSError."""

if sys.platform == "darwin":
    sync_data: SyncFile = os.fsync
else:
    sync_data = os.fdatasync


class Durability(enum.Enum):
    """What a record survives once `sync` has returned. # D2"""

    FSYNC = "fsync"
    """A crash of the process and a loss of power."""
    OS = "os"
    """A crash of the process only."""


@contextmanager
def naming_failure(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError inside into a `StoreError` that says what failed and where."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot {action} {path}: {error.strerror or error}") from error


class Disk:
    """Opens files and syncs them as the chosen durability demands."""

    def __init__(self, durability: Durability = Durability.FSYNC, sync_file: SyncFile = sync_data) -> None:
        self.durability = durability
        self.sync_count = 0
        """Syncs of file data since the start."""
        self._sync_file = sync_file

    def sync(self, descriptor: int) -> None:
        """Make the file's data durable, unless durability is `os`."""
        if self.durability is Durability.FSYNC:
            self._sync_file(descriptor)
            self.sync_count += 1

    def sync_directory(self, directory: Path) -> None:
        """Make the names in a directory durable."""
        if self.durability is Durability.OS:
            return
        with naming_failure("sync directory", directory):
            descriptor = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def replace(self, path: Path, data: bytes) -> None:
        """Put a file with exactly `data` at `path`: whoever reads it later sees all of it or the file before."""
        temporary = path.with_name(path.name + ".tmp")
        with naming_failure("write", temporary):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                write_all(descriptor, data)
                self.sync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
        self.sync_directory(path.parent)


class AppendFile:
    """A file that only grows; `write` reaches the kernel, `sync` the disk."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        with naming_failure("open", path):
            is_new = not path.exists()
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            self.size = os.fstat(self._descriptor).st_size
        if is_new:
            disk.sync_directory(path.parent)

    def write(self, data: bytes) -> None:
        """Append `data`."""
        with naming_failure("write", self.path):
            write_all(self._descriptor, data)
        self.size += len(data)

    def sync(self) -> None:
        """Make all that was appended durable."""
        with naming_failure("sync", self.path):
            self._disk.sync(self._descriptor)

    def truncate(self, size: int) -> None:
        """Drop everything from `size` on, durably."""
        with naming_failure("truncate", self.path):
            os.ftruncate(self._descriptor, size)
            self._disk.sync(self._descriptor)
        self.size = size

    def close(self) -> None:
        """Give the descriptor back; idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def remove_file(path: Path) -> None:
    """Remove a file if it is there."""
    with naming_failure("remove", path):
        path.unlink(missing_ok=True)
