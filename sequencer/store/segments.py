"""Keep frames in append-only files that are read by place: segment, offset, length.

Promises: a frame that is returned is undamaged; a segment is closed once it holds
`segment_bytes_max`, and goes as a whole. Reading never disturbs writing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sequencer.store.disk import AppendFile, Disk, naming_failure, remove_file
from sequencer.store.encoding import Frame, read_frame, scan_frames

SEGMENT_BYTES_MAX = 64 << 20
"""Bytes after which a segment is closed; the last frame may reach beyond."""


class Place(NamedTuple):
    """Where one frame stands."""

    segment: int
    offset: int
    length: int


class SegmentWriter:
    """Appends frames; used from one thread."""

    def __init__(self, directory: Path, disk: Disk, segment_bytes_max: int = SEGMENT_BYTES_MAX) -> None:
        self._directory = directory
        self._disk = disk
        self._segment_bytes_max = segment_bytes_max
        with naming_failure("create", directory):
            directory.mkdir(parents=True, exist_ok=True)
        self.number = max(list_segments(directory), default=1)
        """The segment that is written now."""
        self._file = AppendFile(get_segment_path(directory, self.number), disk)
        self._buffer: list[bytes] = []
        self._end = self._file.size

    def append(self, frame: bytes) -> Place:
        """Take in a frame and say where it will stand after the next `write`."""
        place = Place(self.number, self._end, len(frame))
        self._buffer.append(frame)
        self._end += len(frame)
        return place

    @property
    def end(self) -> Place:
        """Where the next frame will stand."""
        return Place(self.number, self._end, 0)

    def write(self, is_synced: bool) -> None:
        """Hand all that was appended to the kernel, and to the disk if `is_synced`."""
        if self._buffer:
            self._file.write(b"".join(self._buffer))
            self._buffer.clear()
        if is_synced:
            self._file.sync()

    def roll_if_full(self, is_forced: bool = False) -> bool:
        """Close a full segment, synced, and begin the next; tells whether it did. Call with nothing unwritten."""
        if self._end < self._segment_bytes_max and not (is_forced and self._end):
            return False
        self._file.sync()
        self._file.close()
        self.number += 1
        self._file = AppendFile(get_segment_path(self._directory, self.number), self._disk)
        self._end = 0
        return True

    def truncate(self, size: int) -> None:
        """Drop the current segment's bytes from `size` on."""
        self._file.truncate(size)
        self._end = size

    def remove(self, number: int) -> None:
        """Remove a closed segment."""
        remove_file(get_segment_path(self._directory, number))

    def close(self) -> None:
        """Close the file; what was not written is lost."""
        self._file.close()


class SegmentReader:
    """Reads frames by place; used from one thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptors: dict[int, int] = {}

    def read(self, place: Place) -> Frame | None:
        """Return the frame, or None if it is gone or damaged."""
        descriptor = self._open(place.segment)
        if descriptor is None:
            return None
        with naming_failure("read", get_segment_path(self._directory, place.segment)):
            data = os.pread(descriptor, place.length, place.offset)
        frame = read_frame(data, 0)
        return frame if frame is not None and frame.length == place.length else None

    def _open(self, number: int) -> int | None:
        if number not in self._descriptors:
            try:
                self._descriptors[number] = os.open(get_segment_path(self._directory, number), os.O_RDONLY)
            except FileNotFoundError:
                return None
        return self._descriptors[number]

    def forget_missing(self, numbers: set[int]) -> None:
        """Close the segments that are not among `numbers`, so that their room on disk is free."""
        for number in sorted(set(self._descriptors) - numbers):
            os.close(self._descriptors.pop(number))

    def close(self) -> None:
        """Close all files."""
        self.forget_missing(set())


def read_segment_from(directory: Path, number: int, offset: int) -> tuple[list[Frame], int]:
    """Return the undamaged frames of a segment from `offset` on, and the size of the file."""
    path = get_segment_path(directory, number)
    with naming_failure("read", path), path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    return [Frame(frame.offset + offset, frame.kind, frame.body) for frame in scan_frames(data)], offset + len(data)


def list_segments(directory: Path) -> list[int]:
    """Return the numbers of the segments there are, ascending."""
    return sorted(int(path.stem) for path in directory.glob("[0-9]" * 8 + ".seg"))


def get_segment_path(directory: Path, number: int) -> Path:
    """Return the path of a segment."""
    return directory / f"{number:08d}.seg"


def iterate_segments_from(directory: Path, start: Place) -> Iterator[tuple[int, list[Frame], int]]:
    """Yield (number, frames, file size) for each segment from `start` on."""
    for number in list_segments(directory):
        if number >= start.segment:
            offset = start.offset if number == start.segment else 0
            yield (number, *read_segment_from(directory, number, offset))
