"""Write batches, blocks, executions and certificates: segment, then sync, then index.

Promises: after `flush(is_synced=True)` all that was appended is durable. The index only ever
knows what the segments hold; at the start it is brought up to them, or rebuilt from them. Torn
or damaged frames are dropped and counted: what they held is fetched again from peers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from sequencer.codec import encode
from sequencer.errors import DecodeError, StoreError
from sequencer.store.disk import Disk, remove_file
from sequencer.store.encoding import (
    Frame,
    FrameKind,
    LogPosition,
    StoredBlock,
    decode_batch,
    decode_commitment_certificate,
    decode_stored_block,
    encode_frame,
    encode_stored_block,
)
from sequencer.store.executed_encoding import decode_executed_block, encode_executed_block
from sequencer.store.index import Index
from sequencer.store.segments import (
    SEGMENT_BYTES_MAX,
    Place,
    SegmentReader,
    SegmentWriter,
    iterate_segments_from,
    list_segments,
)
from sequencer.types.batch import Batch
from sequencer.types.block import FinalizedBlock
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.executed import ExecutedBlock
from sequencer.types.primitives import Digest, Height

PRUNE_INTERVAL_HEIGHTS = 32
"""Pruning runs once in so many heights; so much more than asked for may be kept."""

StoredValue: TypeAlias = Batch | StoredBlock | ExecutedBlock | CommitmentCertificate

_READERS: dict[int, Callable[[bytes], StoredValue]] = {
    FrameKind.BATCH: decode_batch,
    FrameKind.BLOCK: decode_stored_block,
    FrameKind.EXECUTED: decode_executed_block,
    FrameKind.COMMITMENT_CERTIFICATE: decode_commitment_certificate,
}


class BlockStore:
    """The writing side; used from one thread at a time."""

    def __init__(
        self, home: Path, disk: Disk, segment_bytes_max: int = SEGMENT_BYTES_MAX, segment_heights_max: int = 2**62
    ) -> None:
        self.directory = home / "blocks"
        self.index_path = home / "index.sqlite"
        self.counters: Counter[str] = Counter()
        """Damage that was met, by name."""
        self._writer = SegmentWriter(self.directory, disk, segment_bytes_max)
        self._waiting: list[tuple[StoredValue, Place]] = []
        self._waiting_batches: set[Digest] = set()
        self._segment_heights_max = segment_heights_max
        self._segment_began_at = 0
        self._pruned_at = 0
        self._top_height = 0
        self.index = self._open_index()
        self._index_rest()
        self._remove_leftovers()

    def _open_index(self) -> Index:
        try:
            index = Index(self.index_path)
            reason = self._find_mismatch(index)
        except StoreError:
            return self._replace_index("index_unreadable")
        if reason is not None:
            index.close()
            return self._replace_index(reason)
        return index

    def _find_mismatch(self, index: Index) -> str | None:
        """Say how index and segments contradict each other; a loss of power may do that, being behind is none."""
        end = index.get_indexed_end()
        if end is not None and end > self._writer.end:
            return "index_ahead"
        # The last pruning may be lost in the index, although the segments are gone.
        return None if set(index.get_segment_numbers()) <= set(self.get_segment_numbers()) else "index_unpruned"

    def _replace_index(self, reason: str) -> Index:
        self.counters[reason] += 1
        for suffix in ("", "-wal", "-shm"):
            remove_file(self.index_path.with_name(self.index_path.name + suffix))
        return Index(self.index_path)

    def _index_rest(self) -> None:
        """Index what the segments hold beyond what the index knows; drop a torn or damaged end."""
        start = self.index.get_indexed_end() or Place(0, 0, 0)
        for number, frames, size in iterate_segments_from(self.directory, start):
            offset = start.offset if number == start.segment else 0
            good_bytes = frames[-1].offset + frames[-1].length if frames else offset
            if good_bytes < size:
                self.counters["segments_damaged"] += 1
                if number == self._writer.number:
                    self._writer.truncate(good_bytes)
            self._index_frames(number, frames, good_bytes)

    def _remove_leftovers(self) -> None:
        """Remove segments that the index has forgotten: a crash came between forgetting and removing."""
        known = set(self.index.get_segment_numbers())
        for number in self.get_segment_numbers():
            if number < self._writer.number and number not in known:
                self.counters["segments_leftover"] += 1
                self._writer.remove(number)

    def _index_frames(self, number: int, frames: list[Frame], good_bytes: int) -> None:
        self.index.begin()
        top_height = 0
        for frame in frames:
            value = self._read_value(frame)
            if value is not None:
                top_height = max(top_height, self._index_value(value, Place(number, frame.offset, frame.length)))
        self.index.commit(Place(number, good_bytes, 0), top_height)

    def _read_value(self, frame: Frame) -> StoredValue | None:
        reader = _READERS.get(frame.kind)
        try:
            return None if reader is None else reader(frame.body)
        except DecodeError:
            self.counters["frames_unknown"] += 1
            return None

    def _index_value(self, value: StoredValue, place: Place) -> Height:
        """Index one value; returns the height that it belongs to, 0 for a batch."""
        match value:
            case Batch(header=header):
                self.index.put_batch(header, place)
                return 0
            case StoredBlock(header=header):
                self.index.put_block(value, place)
                return header.height
            case ExecutedBlock(header=header):
                self.index.put_executed(value, place)
                return header.height
            case CommitmentCertificate(height=height):
                self.index.put_certificate(height, place)
                return height

    def append_batch(self, batch: Batch) -> None:
        """Take in a batch, once."""
        digest = batch.digest
        if digest in self._waiting_batches or self.index.has_batch(digest):
            return
        self._waiting_batches.add(digest)
        self._append(FrameKind.BATCH, encode(batch.to_value()), batch)

    def lose_damaged(self, digests: tuple[Digest, ...]) -> None:
        """Forget where those of the batches stand that are damaged there, so that they are taken in again."""
        reader = SegmentReader(self.directory)
        for digest in digests:
            place = self.index.get_batch_place(digest)
            if place is not None and reader.read(place) is None:
                self.counters["frames_unreadable"] += 1
                self.index.lose_batch(digest)
        reader.close()

    def append_block(self, block: FinalizedBlock, position: LogPosition) -> None:
        """Take in a block, and those of its batches that are not here yet."""
        for batch in block.batches:
            self.append_batch(batch)
        stored = StoredBlock(position, block.header, block.finalization, tuple(b.digest for b in block.batches))
        self._append(FrameKind.BLOCK, encode_stored_block(block, position), stored)

    def append_executed(self, block: ExecutedBlock) -> None:
        """Take in what executing a block gave."""
        self._append(FrameKind.EXECUTED, encode_executed_block(block), block)

    def append_certificate(self, certificate: CommitmentCertificate) -> None:
        """Take in the certificate of a commitment."""
        self._append(FrameKind.COMMITMENT_CERTIFICATE, encode(certificate.to_value()), certificate)

    def _append(self, kind: FrameKind, body: bytes, value: StoredValue) -> None:
        self._waiting.append((value, self._writer.append(encode_frame(kind, body))))

    def flush(self, is_synced: bool) -> None:
        """Write what waits, sync if asked, then index it. Order: segment, sync, row."""
        if not self._waiting:
            return
        self._writer.write(is_synced)
        self.index.begin()
        top_height = max(self._index_value(value, place) for value, place in self._waiting)
        self.index.commit(self._writer.end, top_height)
        self._top_height = max(self._top_height, top_height)
        self._waiting.clear()
        self._waiting_batches.clear()
        self._roll()

    def _roll(self) -> None:
        """Begin the next segment when this one is full, or spans so many heights that it would outlive them."""
        if self._segment_began_at == 0:
            self._segment_began_at = self._top_height
        is_old = self._top_height >= self._segment_began_at + self._segment_heights_max
        if self._writer.roll_if_full(is_forced=is_old):
            self._segment_began_at = self._top_height

    def prune(self, query_floor: Height, block_floor: Height) -> bool:
        """Forget what lies below the floors; tells whether a segment went, because nothing in it is needed."""
        if self._top_height < self._pruned_at + PRUNE_INTERVAL_HEIGHTS:
            return False
        self._pruned_at = self._top_height
        floor = min(query_floor, block_floor)
        self.index.begin()
        self.index.prune(query_floor, block_floor)
        doomed = self.index.get_segments_below(floor, self._writer.number)
        self._copy_survivors(doomed)
        for number in doomed:
            self.index.forget_segment(number)
        self.index.commit(self._writer.end, 0)
        for number in doomed:
            self._writer.remove(number)
        return bool(doomed)

    def _copy_survivors(self, doomed: list[int]) -> None:
        """Append again what is still needed of doomed segments (batches that no block contains yet), synced."""
        reader = SegmentReader(self.directory)
        for table, place in [found for number in doomed for found in self.index.get_survivors(number)]:
            frame = reader.read(place)
            if frame is None:
                self.counters["frames_unreadable"] += 1
                continue
            self.index.move(table, place, self._writer.append(encode_frame(frame.kind, frame.body)))
        reader.close()
        self._writer.write(is_synced=bool(doomed))

    @property
    def end(self) -> Place:
        """Where the next frame will stand."""
        return self._writer.end

    def get_segment_numbers(self) -> list[int]:
        """Return the numbers of the segments on disk."""
        return list_segments(self.directory)

    def close(self) -> None:
        """Close the files; what was not flushed is lost."""
        self._writer.close()
        self.index.close()
