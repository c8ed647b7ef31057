"""Find frames by digest, height and id: sqlite over the block segments, never the only copy.

Promises: everything here follows from the frames, in their order, so the file may be deleted
and rebuilt; one `commit` is one transaction together with the place up to which the segments
are indexed. WAL with synchronous NORMAL: after a loss of power it may be behind, never wrong.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sequencer.errors import StoreError
from sequencer.store.encoding import LogPosition, StoredBlock
from sequencer.store.segments import Place
from sequencer.types.batch import BatchHeader
from sequencer.types.executed import ExecutedBlock
from sequencer.types.outcome import Status
from sequencer.types.primitives import Cut, Digest, Height

SCHEMA_VERSION = 2

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, first INTEGER NOT NULL, second INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (number INTEGER PRIMARY KEY, top_height INTEGER NOT NULL);
CREATE TABLE batches (
    digest BLOB PRIMARY KEY, lane INTEGER NOT NULL, position INTEGER NOT NULL, height INTEGER,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX batches_by_height ON batches (height);
CREATE TABLE blocks (
    height INTEGER PRIMARY KEY, view INTEGER NOT NULL, has_finalization INTEGER NOT NULL,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);
CREATE TABLE executed (
    height INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);
CREATE TABLE certificates (
    height INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);
CREATE TABLE transactions (
    id BLOB PRIMARY KEY, height INTEGER NOT NULL, place INTEGER NOT NULL, status INTEGER NOT NULL,
    reason TEXT NOT NULL, fee INTEGER NOT NULL, decided_height INTEGER) WITHOUT ROWID;
CREATE INDEX transactions_by_height ON transactions (height);
"""

_PUT_TRANSACTION = f"""
INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    height = excluded.height, place = excluded.place, status = excluded.status,
    reason = excluded.reason, fee = excluded.fee, decided_height = excluded.decided_height
WHERE (transactions.status = {Status.INADMISSIBLE:d} AND excluded.status != {Status.INADMISSIBLE:d})
   OR (transactions.status = {Status.PENDING:d} AND excluded.status IN ({Status.COMMIT:d}, {Status.ABORT:d}))
"""
"""The first COMMIT or ABORT stays for good; without one the first pending copy, else the first inadmissible one."""


_PUT_BATCH = """
INSERT INTO batches VALUES (?, ?, ?, NULL, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET
    lane = excluded.lane, position = excluded.position, segment = excluded.segment,
    offset = excluded.offset, length = excluded.length
WHERE batches.segment < 0
"""
_PLACE_BATCH = """
INSERT INTO batches VALUES (?, -1, -1, ?, -1, -1, 0) ON CONFLICT (digest) DO UPDATE SET height = excluded.height
"""
"""When the index is rebuilt, a batch that was copied to a later segment follows its block: the row waits for it."""


@contextmanager
def naming_sqlite_failure(action: str) -> Iterator[None]:
    """Turn an error of sqlite inside into a `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"cannot {action} the block index: {error}") from error


class Index:
    """The writing side; used from one thread at a time. Changes are visible to readers after `commit`."""

    def __init__(self, path: Path) -> None:
        with naming_sqlite_failure("open"):
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            elif version != SCHEMA_VERSION:
                raise StoreError(f"block index has version {version}, this program reads {SCHEMA_VERSION}")

    def begin(self) -> None:
        """Open the transaction of one group of frames."""
        with naming_sqlite_failure("write"):
            self._db.execute("BEGIN IMMEDIATE")

    def commit(self, end: Place, top_height: Height) -> None:
        """Close the transaction; all frames before `end` are indexed now."""
        with naming_sqlite_failure("write"):
            self._put_meta("indexed", end.segment, end.offset)
            self._db.execute(
                "INSERT INTO segments VALUES (?, ?) ON CONFLICT DO UPDATE SET top_height = MAX(top_height, ?)",
                (end.segment, top_height, top_height),
            )
            self._db.execute("COMMIT")

    def put_batch(self, header: BatchHeader, place: Place) -> None:
        """Note where a batch stands; a known one stays there."""
        with naming_sqlite_failure("write"):
            self._db.execute(_PUT_BATCH, (header.digest, header.lane, header.position, *place))

    def put_block(self, block: StoredBlock, place: Place) -> None:
        """Note a block, give its batches its height and forget the batches that lost against them."""
        header = block.header
        with naming_sqlite_failure("write"):
            self._db.execute(
                "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?)",
                (header.height, header.view, block.finalization is not None, *place),
            )
            self._db.executemany(_PLACE_BATCH, [(digest, header.height) for digest in block.batches])
            self._forget_losers(header.cut)
            known = self.get_log_position()
            if block.position > known:
                self._put_meta("vote_log", *block.position)

    def _forget_losers(self, cut: Cut) -> None:
        """Drop batches at or below a finalized tip that the chain does not contain. # O2"""
        unplaced = self._db.execute("SELECT digest, lane, position FROM batches WHERE height IS NULL").fetchall()
        losers = [(digest,) for digest, lane, position in unplaced if position <= _get_tip(cut, lane)]
        self._db.executemany("DELETE FROM batches WHERE digest = ?", losers)

    def put_executed(self, block: ExecutedBlock, place: Place) -> None:
        """Note an executed block, what became of its items, and what it decided of earlier ones."""
        height = block.header.height
        with naming_sqlite_failure("write"):
            self._db.execute("INSERT OR REPLACE INTO executed VALUES (?, ?, ?, ?)", (height, *place))
            self._db.executemany(_PUT_TRANSACTION, [*_list_results(block), *_list_late_decisions(block)])

    def put_certificate(self, height: Height, place: Place) -> None:
        """Note the certificate of the commitment of a height; the first one stays."""
        with naming_sqlite_failure("write"):
            self._db.execute("INSERT INTO certificates VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (height, *place))

    def has_batch(self, digest: Digest) -> bool:
        """Tell whether the batch is indexed."""
        with naming_sqlite_failure("read"):
            return (
                self._db.execute("SELECT 1 FROM batches WHERE digest = ? AND segment >= 0", (digest,)).fetchone()
                is not None
            )

    def get_batch_place(self, digest: Digest) -> Place | None:
        """Return where the batch stands, None if it is not indexed."""
        with naming_sqlite_failure("read"):
            row = self._db.execute(
                "SELECT segment, offset, length FROM batches WHERE digest = ? AND segment >= 0", (digest,)
            ).fetchone()
        return None if row is None else Place(*row)

    def lose_batch(self, digest: Digest) -> None:
        """Note that the batch is not where it stood; its row waits for it, as in a rebuilt index."""
        with naming_sqlite_failure("write"):
            self._db.execute("UPDATE batches SET segment = -1, offset = -1, length = 0 WHERE digest = ?", (digest,))

    def get_connected_height(self, base: Height) -> Height:
        """Return the highest h such that every block of base < height ≤ h is indexed; `base` if there is none."""
        with naming_sqlite_failure("read"):
            rows = self._db.execute("SELECT height FROM blocks WHERE height > ? ORDER BY height", (base,))
            for expected, (height,) in enumerate(rows, base + 1):
                if height != expected:
                    return expected - 1
            (top,) = self._db.execute("SELECT COALESCE(MAX(height), 0) FROM blocks").fetchone()
        return max(int(top), base)

    def get_indexed_end(self) -> Place | None:
        """Return the place up to which the segments are indexed; None for an empty index."""
        found = self._get_meta("indexed")
        return None if found is None else Place(*found, 0)

    def get_log_position(self) -> LogPosition:
        """Return the position that the vote log had reached when the newest block was written. # D1"""
        return LogPosition(*(self._get_meta("vote_log") or (0, 0)))

    def prune(self, query_floor: Height, block_floor: Height) -> None:
        """Forget executions and transactions below one height, blocks and their batches below the other."""
        with naming_sqlite_failure("write"):
            for table in ("executed", "transactions"):
                self._db.execute(f"DELETE FROM {table} WHERE height < ?", (query_floor,))
            for table in ("blocks", "batches"):
                self._db.execute(f"DELETE FROM {table} WHERE height < ?", (block_floor,))
            self._db.execute(
                "DELETE FROM certificates WHERE height < MIN(?, (SELECT MAX(height) FROM certificates))", (query_floor,)
            )

    def get_segment_numbers(self) -> list[int]:
        """Return the segments in which the index knows frames."""
        with naming_sqlite_failure("read"):
            return [number for (number,) in self._db.execute("SELECT number FROM segments ORDER BY number")]

    def get_segments_below(self, floor: Height, current: int) -> list[int]:
        """Return the closed segments in which no frame belongs to `floor` or above."""
        with naming_sqlite_failure("read"):
            rows = self._db.execute(
                "SELECT number FROM segments WHERE top_height < ? AND number < ? ORDER BY number", (floor, current)
            ).fetchall()
        return [number for (number,) in rows]

    def get_survivors(self, segment: int) -> list[tuple[str, Place]]:
        """Return table and place of each frame in a segment that is still needed: copy it before the segment goes."""
        found: list[tuple[str, Place]] = []
        with naming_sqlite_failure("read"):
            for table in ("batches", "blocks", "executed", "certificates"):
                rows = self._db.execute(f"SELECT segment, offset, length FROM {table} WHERE segment = ?", (segment,))
                found.extend((table, Place(*row)) for row in rows)
        return found

    def move(self, table: str, old: Place, new: Place) -> None:
        """Note that a frame was copied."""
        with naming_sqlite_failure("write"):
            self._db.execute(
                f"UPDATE {table} SET segment = ?, offset = ?, length = ? WHERE segment = ? AND offset = ?",
                (*new, old.segment, old.offset),
            )

    def forget_segment(self, number: int) -> None:
        """Forget a segment that is about to go."""
        with naming_sqlite_failure("write"):
            self._db.execute("DELETE FROM segments WHERE number = ?", (number,))

    def forget_above(self, height: Height) -> None:
        """Forget blocks above `height`; their batches wait for a block again."""
        with naming_sqlite_failure("write"):
            self._db.execute("DELETE FROM blocks WHERE height > ?", (height,))
            self._db.execute("UPDATE batches SET height = NULL WHERE height > ?", (height,))

    def forget_below(self, height: Height) -> None:
        """Forget blocks, their batches and executions below `height`: a snapshot has taken their place. # R2"""
        with naming_sqlite_failure("write"):
            for table in ("blocks", "batches", "executed", "transactions"):
                self._db.execute(f"DELETE FROM {table} WHERE height < ?", (height,))

    def forget_losers(self, cut: Cut) -> None:
        """Drop unplaced batches at or below a finalized cut. # O2"""
        with naming_sqlite_failure("write"):
            self._forget_losers(cut)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _put_meta(self, name: str, first: int, second: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (name, first, second))

    def _get_meta(self, name: str) -> tuple[int, int] | None:
        with naming_sqlite_failure("read"):
            row: tuple[int, int] | None = self._db.execute(
                "SELECT first, second FROM meta WHERE name = ?", (name,)
            ).fetchone()
        return row


def _list_results(block: ExecutedBlock) -> Iterator[tuple[object, ...]]:
    """Yield a row per item; one that waits has no height of decision."""
    height = block.header.height
    for r in block.results:
        decided_height = None if r.status is Status.PENDING else height
        yield r.item_id, height, r.index, r.status, r.reason, r.fee, decided_height


def _list_late_decisions(block: ExecutedBlock) -> Iterator[tuple[object, ...]]:
    """Yield the row of each item that had to wait, in this block or since an earlier one."""
    height = block.header.height
    for d in block.decisions:
        if d.ordered_height != height or block.results[d.ordered_index].status is Status.PENDING:
            yield d.item_id, d.ordered_height, d.ordered_index, d.status, d.reason, d.fee, height


def _get_tip(cut: Cut, lane: int) -> int:
    return cut[lane].position if lane < len(cut) else 0
