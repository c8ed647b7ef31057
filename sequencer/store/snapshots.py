"""Keep the newest execution states, each whole or not at all, and read them chunk by chunk.

Promises: a snapshot appears under its name only when all of it is durable; one whose chunks do
not hash to what its head says is passed over for the older one at a start, and counted. A file is a frame
[header, commitment, size, digest of each chunk] followed by the state. What is served is what stands
in the file, and so is its manifest: who fetches it checks it, and a damaged byte names its server.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from sequencer.codec import Fields, decode, encode, read_digest
from sequencer.errors import DecodeError
from sequencer.store.disk import Disk, naming_failure, remove_file
from sequencer.store.encoding import FRAME_OVERHEAD_BYTES, FrameKind, encode_frame, read_frame
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import Commitment
from sequencer.types.primitives import Height
from sequencer.types.snapshot import (
    SNAPSHOT_CHUNK_BYTES,
    SNAPSHOT_CHUNKS_MAX,
    Manifest,
    compute_manifest,
    count_chunks,
)

SNAPSHOTS_KEPT = 2
"""The newest and, should it be damaged, the one before; beside them the newest that is certified."""
_LENGTH_BYTES = 4


class SnapshotHead(NamedTuple):
    """What a snapshot is of, and what its bytes hash to."""

    header: BlockHeader
    commitment: Commitment
    """Of the header's height: under its roots lies the state."""
    size: int
    chunks: Manifest


class Snapshot(NamedTuple):
    """An execution state with its head."""

    head: SnapshotHead
    state: bytes


class Snapshots:
    """The snapshots of one home; one thread at a time writes, any thread reads."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.counters: Counter[str] = Counter()
        """Damage that was met, by name."""
        self._directory = directory
        self._disk = disk
        with naming_failure("create", directory):
            directory.mkdir(parents=True, exist_ok=True)
        for leftover in directory.glob("*.tmp"):
            remove_file(leftover)
        self._heads = {height: self._read_head(height) for height in self._list_heights()}
        self._hashed: dict[Height, tuple[int, SnapshotHead | None]] = {}

    @property
    def heights(self) -> tuple[Height, ...]:
        """Heights of the snapshots on disk, ascending."""
        return tuple(sorted(self._heads))

    def save(self, header: BlockHeader, commitment: Commitment, state: bytes, certified: Height) -> None:
        """Keep a snapshot durably, then remove all but the newest two and the newest at or below `certified`."""
        head = SnapshotHead(header, commitment, len(state), compute_manifest(state))
        body = encode((header.to_value(), commitment.to_value(), head.size, head.chunks))
        self._disk.replace(self._get_path(header.height), encode_frame(FrameKind.SNAPSHOT_HEAD, body) + state)
        heads: dict[Height, SnapshotHead | None] = {**self._heads, header.height: head}
        heights = sorted(heads)
        provable = [height for height in heights if height <= certified]
        kept = {*heights[-SNAPSHOTS_KEPT:], *provable[-1:]}
        self._heads = {height: heads[height] for height in heights if height in kept}
        self._hashed = {height: known for height, known in self._hashed.items() if height in kept}
        for height in self._list_heights():
            if height not in kept:
                remove_file(self._get_path(height))

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

    def get_head(self, height: Height) -> SnapshotHead | None:
        """Return the head of the snapshot of `height` with the manifest of the bytes that now stand in the file.

        None if there is none, or its head is damaged. A file is hashed again only when it was touched.
        """
        path = self._get_path(height)
        try:
            touched_ns = path.stat().st_mtime_ns
            known = self._hashed.get(height)
            if known is None or known[0] != touched_ns:
                known = self._hashed[height] = (touched_ns, _hash_file(path))
        except FileNotFoundError:  # a newer one took its place meanwhile
            return None
        return known[1]

    def read_chunk(self, height: Height, index: int) -> bytes:
        """Return a chunk as it stands on disk, unchecked; empty if there is no such snapshot or chunk."""
        head, path = self._heads.get(height), self._get_path(height)
        if head is None or index >= len(head.chunks):
            return b""
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
                file.seek(length + FRAME_OVERHEAD_BYTES - 1 + index * SNAPSHOT_CHUNK_BYTES)
                return file.read(SNAPSHOT_CHUNK_BYTES)
        except FileNotFoundError:  # a newer one took its place meanwhile
            return b""

    def get_block_floor(self, certified: Height) -> Height:
        """Return the lowest height whose block is needed by a restart from the older snapshot, or by peers. # L7"""
        heights = self.heights
        if len(heights) < SNAPSHOTS_KEPT or heights[-SNAPSHOTS_KEPT] > certified:
            return 1
        return heights[-SNAPSHOTS_KEPT] + 1

    def get_proof_floor(self, certified: Height) -> Height | None:
        """Return the lowest height whose commitment may be needed to prove the newest provable snapshot. # R2"""
        newest = max((height for height in self._heads if height <= certified), default=None)
        return None if newest is None else newest + 1

    def _read_head(self, height: Height) -> SnapshotHead | None:
        path = self._get_path(height)
        with naming_failure("read", path), path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
            file.seek(0)
            data = file.read(min(length + FRAME_OVERHEAD_BYTES, os.fstat(file.fileno()).st_size))
        try:
            return decode_head(data)[0]
        except DecodeError:
            return None

    def _list_heights(self) -> tuple[Height, ...]:
        return tuple(sorted(int(path.stem) for path in self._directory.glob("[0-9]*.snapshot")))

    def _get_path(self, height: Height) -> Path:
        return self._directory / f"{height:012d}.snapshot"


def decode_snapshot(data: bytes) -> Snapshot:
    """Read a snapshot file; raises `DecodeError` if any byte is not what was written."""
    head, length = decode_head(data)
    state = data[length:]
    if len(state) != head.size or compute_manifest(state) != head.chunks:
        raise DecodeError("snapshot.state", "does not hash to what its head says")
    return Snapshot(head, state)


def _hash_file(path: Path) -> SnapshotHead | None:
    data = path.read_bytes()
    try:
        head, length = decode_head(data)
    except DecodeError:
        return None
    state = data[length:]
    return head._replace(size=len(state), chunks=compute_manifest(state))


def decode_head(data: bytes) -> tuple[SnapshotHead, int]:
    """Read the head of a snapshot file, and how long it is; raises `DecodeError`."""
    frame = read_frame(data, 0)
    if frame is None or frame.kind != FrameKind.SNAPSHOT_HEAD:
        raise DecodeError("snapshot.head", "is damaged")
    read = Fields(decode(frame.body, "snapshot.head"), "snapshot.head")
    head = SnapshotHead(
        BlockHeader.from_value(read.take("header"), "snapshot.head.header"),
        Commitment.from_value(read.take("commitment"), "snapshot.head.commitment"),
        read.uint("size", SNAPSHOT_CHUNK_BYTES * SNAPSHOT_CHUNKS_MAX),
        read.array("chunks", SNAPSHOT_CHUNKS_MAX, read_digest, 1),
    )
    read.finish()
    if len(head.chunks) != count_chunks(head.size):
        raise DecodeError("snapshot.head.chunks", "must be one per chunk")
    return head, frame.length
