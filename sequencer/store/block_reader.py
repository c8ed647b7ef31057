"""Look up what the block store holds; from any thread, one at a time, beside the writer.

Promises: every value returned is whole and undamaged; what is pruned, damaged or not yet
written is None. A transaction's row is its first COMMIT or ABORT, else its first
inadmissible occurrence.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sequencer.store.encoding import (
    Frame,
    StoredBlock,
    decode_batch,
    decode_commitment_certificate,
    decode_stored_block,
)
from sequencer.store.executed_encoding import decode_executed_block
from sequencer.store.index import naming_sqlite_failure
from sequencer.store.segments import Place, SegmentReader, list_segments
from sequencer.types.batch import Batch
from sequencer.types.block import FinalizedBlock
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.executed import ExecutedBlock
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.primitives import Digest, Height


class TransactionRow(NamedTuple):
    """Where an item was ordered and what it came to."""

    height: Height
    result: ItemResult
    """That of its decision, once there is one."""
    decided_height: Height | None
    """None while it waits for a verdict."""


class BlockReader:
    """The reading side. Locks itself, so any thread may ask."""

    def __init__(self, directory: Path, index_path: Path) -> None:
        self._directory = directory
        self._segments = SegmentReader(directory)
        self._lock = threading.Lock()
        self._unreadable: tuple[Digest, ...] = ()
        with naming_sqlite_failure("open"):
            self._db = sqlite3.connect(f"file:{index_path}?mode=ro", uri=True, check_same_thread=False)

    def get_batch(self, digest: Digest) -> Batch | None:
        """Return the batch with this digest."""
        frame = self._find("SELECT segment, offset, length FROM batches WHERE digest = ?", digest)
        return None if frame is None else decode_batch(frame.body)

    def get_stored_block(self, height: Height) -> StoredBlock | None:
        """Return the block at `height` without its batches."""
        frame = self._find("SELECT segment, offset, length FROM blocks WHERE height = ?", height)
        return None if frame is None else decode_stored_block(frame.body)

    def get_block(self, height: Height) -> FinalizedBlock | None:
        """Return the block at `height`; None also if one of its batches is not readable."""
        stored = self.get_stored_block(height)
        if stored is None:
            return None
        batches = tuple(self.get_batch(digest) for digest in stored.batches)
        whole = tuple(batch for batch in batches if batch is not None)
        if len(whole) < len(batches):
            self._note_unreadable(stored.batches)
            return None
        return FinalizedBlock(stored.header, stored.finalization, whole)

    def _note_unreadable(self, digests: tuple[Digest, ...]) -> None:
        with self._lock:
            self._unreadable = digests

    def take_unreadable(self) -> tuple[Digest, ...]:
        """Return the batches of the block that was last found incomplete, once; the writer looks at them again."""
        with self._lock:
            unreadable, self._unreadable = self._unreadable, ()
        return unreadable

    def get_blocks(self, from_height: Height, count: int, bytes_max: int) -> tuple[FinalizedBlock, ...]:
        """Return up to `count` consecutive blocks.

        Stops before one that would exceed `bytes_max` of payload, once there is a block that carries its finalization.
        """
        blocks: list[FinalizedBlock] = []
        size = 0
        for block in self.iterate_blocks(from_height, from_height + count):
            size += sum(len(batch.payload) for batch in block.batches)
            if size > bytes_max and any(earlier.finalization is not None for earlier in blocks):
                break
            blocks.append(block)
        return tuple(blocks)

    def iterate_blocks(self, from_height: Height, until_height: Height) -> Iterator[FinalizedBlock]:
        """Yield consecutive blocks of from ≤ height < until, each read when it is asked for."""
        for height in range(from_height, until_height):
            block = self.get_block(height)
            if block is None:
                return
            yield block

    def get_executed(self, height: Height) -> ExecutedBlock | None:
        """Return what executing the block at `height` gave."""
        frame = self._find("SELECT segment, offset, length FROM executed WHERE height = ?", height)
        return None if frame is None else decode_executed_block(frame.body)

    def get_certificate(self, height: Height) -> CommitmentCertificate | None:
        """Return the certificate of the commitment of exactly `height`."""
        return self._find_certificate("= ?", height)

    def get_certificate_covering(self, height: Height) -> CommitmentCertificate | None:
        """Return the certificate of the lowest certified height ≥ `height`."""
        return self._find_certificate(">= ? ORDER BY height LIMIT 1", height)

    def get_newest_certificate(self, height_max: Height) -> CommitmentCertificate | None:
        """Return the certificate of the highest certified height ≤ `height_max`."""
        return self._find_certificate("<= ? ORDER BY height DESC LIMIT 1", height_max)

    def _find_certificate(self, condition: str, height: Height) -> CommitmentCertificate | None:
        frame = self._find(f"SELECT segment, offset, length FROM certificates WHERE height {condition}", height)
        return None if frame is None else decode_commitment_certificate(frame.body)

    def get_transaction(self, item_id: Digest) -> TransactionRow | None:
        """Return where the item with this id was ordered, and its result."""
        rows = self._query(
            "SELECT height, place, status, reason, fee, decided_height FROM transactions WHERE id = ?", item_id
        )
        if not rows:
            return None
        height, place, status, reason, fee, decided_height = rows[0]
        return TransactionRow(height, ItemResult(place, item_id, Status(status), reason, fee), decided_height)

    def get_block_heights(self) -> tuple[Height, Height]:
        """Return the lowest and the highest height of a stored block; (1, 0) if there is none."""
        return self._get_range("blocks")

    def get_executed_heights(self) -> tuple[Height, Height]:
        """Return the lowest and the highest executed height that is kept; (1, 0) if there is none."""
        return self._get_range("executed")

    def get_finalized_heights(self) -> list[Height]:
        """Return the heights of stored blocks that carry their own finalization, newest first, at most 64."""
        rows = self._query("SELECT height FROM blocks WHERE has_finalization ORDER BY height DESC LIMIT ?", 64)
        return [height for (height,) in rows]

    def get_unplaced_batches(self) -> tuple[Batch, ...]:
        """Return the batches that no stored block contains, by lane and position, then in the order of writing."""
        rows = self._query(
            "SELECT segment, offset, length FROM batches WHERE height IS NULL AND lane >= ? "
            "ORDER BY lane, position, segment, offset",
            0,
        )
        frames = (self._read(Place(*row)) for row in rows)
        return tuple(decode_batch(frame.body) for frame in frames if frame is not None)

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            self._segments.close()
            self._db.close()

    def _get_range(self, table: str) -> tuple[Height, Height]:
        lowest, highest = self._query(f"SELECT MIN(height), MAX(height) FROM {table} WHERE height > ?", 0)[0]
        return (1, 0) if lowest is None else (lowest, highest)

    def _find(self, query: str, key: int | bytes) -> Frame | None:
        rows = self._query(query, key)
        return self._read(Place(*rows[0])) if rows else None

    def _query(self, query: str, key: int | bytes) -> list[tuple[Any, ...]]:
        with self._lock, naming_sqlite_failure("read"):
            return self._db.execute(query, (key,)).fetchall()

    def _read(self, place: Place) -> Frame | None:
        with self._lock:
            return self._segments.read(place)

    def forget_removed_segments(self) -> None:
        """Close segment files that the writer has removed."""
        with self._lock:
            self._segments.forget_missing(set(list_segments(self._directory)))
