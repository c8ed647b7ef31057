"""Keep the newest two execution states, each whole or not at all.

Promises: a snapshot appears under its name only when all of it is durable; one whose bytes do
not hash to what its head says is passed over for the older one, and counted. A file is a frame
[header, size, sha256 of the state] followed by the state.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from sequencer.codec import Fields, decode, encode
from sequencer.errors import DecodeError
from sequencer.store.disk import Disk, naming_failure, remove_file
from sequencer.store.encoding import FrameKind, encode_frame, read_frame
from sequencer.types.block import BlockHeader
from sequencer.types.primitives import Height

SNAPSHOTS_KEPT = 2
"""The newest and, should it be damaged, the one before."""


class Snapshot(NamedTuple):
    """An execution state and the header of the block that it is the state after."""

    header: BlockHeader
    state: bytes


class Snapshots:
    """The snapshots of one home; used from one thread at a time, `heights` from any."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.counters: Counter[str] = Counter()
        """Damage that was met, by name."""
        self._directory = directory
        self._disk = disk
        with naming_failure("create", directory):
            directory.mkdir(parents=True, exist_ok=True)
        for leftover in directory.glob("*.tmp"):
            remove_file(leftover)
        self.heights: tuple[Height, ...] = self._list_heights()
        """Heights of the snapshots on disk, ascending."""

    def save(self, snapshot: Snapshot) -> None:
        """Keep a snapshot durably, then remove all but the newest two."""
        head = encode((snapshot.header.to_value(), len(snapshot.state), sha256(snapshot.state).digest()))
        data = encode_frame(FrameKind.SNAPSHOT_HEAD, head) + snapshot.state
        self._disk.replace(self._get_path(snapshot.header.height), data)
        for height in self._list_heights()[:-SNAPSHOTS_KEPT]:
            remove_file(self._get_path(height))
        self.heights = self._list_heights()

    def load_newest(self) -> Snapshot | None:
        """Return the newest undamaged snapshot; None means genesis."""
        for height in reversed(self.heights):
            path = self._get_path(height)
            with naming_failure("read", path):
                data = path.read_bytes()
            try:
                return decode_snapshot(data)
            except DecodeError:
                self.counters["snapshots_damaged"] += 1
        return None

    @property
    def block_floor(self) -> Height:
        """Lowest height whose block a restart may need, should the newest snapshot be damaged."""
        return self.heights[-SNAPSHOTS_KEPT] + 1 if len(self.heights) >= SNAPSHOTS_KEPT else 1

    def _list_heights(self) -> tuple[Height, ...]:
        return tuple(sorted(int(path.stem) for path in self._directory.glob("[0-9]*.snapshot")))

    def _get_path(self, height: Height) -> Path:
        return self._directory / f"{height:012d}.snapshot"


def decode_snapshot(data: bytes) -> Snapshot:
    """Read a snapshot file; raises `DecodeError` if any byte is not what was written."""
    frame = read_frame(data, 0)
    if frame is None or frame.kind != FrameKind.SNAPSHOT_HEAD:
        raise DecodeError("snapshot.head", "is damaged")
    read = Fields(decode(frame.body, "snapshot.head"), "snapshot.head")
    header = BlockHeader.from_value(read.take("header"), "snapshot.head.header")
    size, digest = read.uint("size"), read.digest("digest")
    read.finish()
    state = data[frame.length :]
    if len(state) != size or sha256(state).digest() != digest:
        raise DecodeError("snapshot.state", "does not hash to what its head says")
    return Snapshot(header, state)
