"""Alter one byte of every snapshot that lies, or comes to lie, in the homes of running nodes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

PLACE = (256 + 100) << 10
"""Which byte: one of the second chunk; of a smaller file the middle."""
LOOK_SECONDS = 0.01
"""Between two looks for new snapshots."""


class BitRot:
    """Alters while the context lasts, and puts every byte back at its end."""

    def __init__(self, homes: Sequence[Path]) -> None:
        self._folders = [home / "snapshots" for home in homes]
        self._altered: dict[Path, int] = {}
        self._files: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> BitRot:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for path, inode in self._altered.items():
            if path.exists() and path.stat().st_ino == inode:
                flip(path)

    def describe(self) -> str:
        """Return which files were altered, as node/file."""
        return ", ".join(self._files)

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        """Alter what is new; a file that was replaced is another one."""
        for folder in self._folders:
            for path in sorted(folder.glob("*.snapshot")):
                try:
                    inode = path.stat().st_ino
                    if self._altered.get(path) != inode:
                        flip(path)
                        self._altered[path] = inode
                        self._files.append(f"{folder.parent.name}/{path.name}")
                except FileNotFoundError:  # a newer one took its place meanwhile
                    continue


def flip(path: Path) -> None:
    """Turn one bit of one byte over, in place."""
    with path.open("r+b") as file:
        place = min(PLACE, path.stat().st_size // 2)
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))
