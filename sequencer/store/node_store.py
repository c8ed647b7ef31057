"""Open one home, alone; recover a replica from it and make durable what the replica asks for.

Promises: see `interface.Store`. Blocks are synced before votes, so a logged batch is never
without its payload. A missing, damaged or outdated vote log makes an observer with a reason,
never a guess. # D1
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sequencer.errors import InvariantViolation, LocalError, StoreError
from sequencer.store.block_reader import BlockReader
from sequencer.store.block_store import BlockStore
from sequencer.store.disk import Disk, naming_failure
from sequencer.store.encoding import LogPosition
from sequencer.store.evidence_log import EvidenceLog
from sequencer.store.interface import StoreEffect
from sequencer.store.segments import SEGMENT_BYTES_MAX
from sequencer.store.snapshot_claims import find_claim
from sequencer.store.snapshots import Snapshots
from sequencer.store.vote_log import (
    VIEW_KINDS,
    VoteLog,
    VoteLogUnusable,
    create_vote_log,
    make_genesis_mark,
    open_vote_log,
)
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.effects import (
    InstallSnapshot,
    LoadBatches,
    LoadSnapshot,
    LoadSnapshotChunk,
    PersistBatch,
    PersistBlock,
    PersistVote,
    SaveSnapshot,
    StoreCommitmentCertificate,
    StoreEvidence,
    StoreExecution,
)
from sequencer.types.events import BatchesLoaded, BlocksLoaded, SnapshotChunkLoaded, SnapshotLoaded
from sequencer.types.primitives import Digest, Height, View
from sequencer.types.records import FinalizedMark, Recovery, VoteRecord
from sequencer.types.vote import Certificate

LOAD_BYTES_MAX = 3 << 20
"""Payload bytes of one answer to `load_blocks`, so that the reply fits a message; one block always fits."""
SEGMENT_HEIGHTS_MIN = 32
"""A block segment spans a quarter of the heights retained, and at least so many, so that disk use follows them."""
VOTE_LOG_FOLDER = "votes"
EVIDENCE_FILE = "evidence.log"
LOCK_NAME = "lock"


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What may differ between the homes of one network."""

    retain_heights: int = 10_000
    """Heights below the newest for which blocks and executions are kept, ≥ 1."""
    segment_bytes_max: int = SEGMENT_BYTES_MAX
    """Bytes after which a block segment is closed."""


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """How the store is doing; counters only grow."""

    sync_count: int
    """Syncs of file data since the start."""
    log_position: LogPosition | None
    """How far the vote log is durable; None if there is none."""
    block_segments: int
    counters: dict[str, int]
    """Damage that was met, by name, sorted; absent means 0."""


class NodeStore:
    """The store of one node. Keeps the promises of `interface.Store`."""

    def __init__(
        self, home: Path, disk: Disk, *, is_validator: bool = True, options: StoreOptions | None = None
    ) -> None:
        self.home = home
        self._disk = disk
        self._options = options or StoreOptions()
        self._lock = lock_home(home)
        self._has_failed = False
        segment_heights_max = max(SEGMENT_HEIGHTS_MIN, self._options.retain_heights // 4)
        self._blocks = BlockStore(home, disk, self._options.segment_bytes_max, segment_heights_max)
        self._snapshots = Snapshots(home / "snapshots", disk)
        self._snapshot_lock = threading.Lock()
        self._evidence = EvidenceLog(home / EVIDENCE_FILE, disk)
        self.reader = BlockReader(self._blocks.directory, self._blocks.index_path)
        """Look-ups, from any thread."""
        self._vote_log: VoteLog | None = None
        self._observer_reason: str | None = None
        if is_validator:
            self._open_vote_log()
        self._newest_mark: FinalizedMark | None = None
        self._proven_height: Height | None = next(iter(self.reader.get_finalized_heights()), None)
        """Of the newest stored block that carries its own finalization; None if there is none."""
        self._top_height: Height = self.reader.get_block_heights()[1]
        newest = self.reader.get_newest_certificate(2**62)
        self._certified_height: Height = 0 if newest is None else newest.height

    def _open_vote_log(self) -> None:
        try:
            log = open_vote_log(self.home / VOTE_LOG_FOLDER, self._disk)
        except VoteLogUnusable as error:
            self._observer_reason = str(error)
            return
        if log.position < self._blocks.index.get_log_position():
            log.close()
            self._observer_reason = "vote log is older than the block store: records are missing"
            return
        self._vote_log = log

    def load(self) -> Recovery:
        """Return what a replica starts from. # R1"""
        snapshot = self._snapshots.load_newest()
        base = 0 if snapshot is None else snapshot.head.header.height
        is_foreign = snapshot is not None and self.reader.get_stored_block(base) is None
        if snapshot is not None and is_foreign:
            self._forget_replaced(snapshot.head.header)
        top = self._drop_unconnected(base)
        finalization, header = self._find_finalization()
        if snapshot is not None and is_foreign and (header is None or header.view < snapshot.head.header.view):
            # What came from peers is final by its certificate alone; F of its block or a later one will come. # R2
            finalization, header = None, snapshot.head.header
        finalized_view = 0 if header is None else header.view
        return Recovery(
            snapshot=None if snapshot is None else snapshot.state,
            snapshot_header=None if snapshot is None else snapshot.head.header,
            blocks=self.reader.iterate_blocks(base + 1, top + 1),
            finalization=finalization,
            finalized_header=header,
            votes=self._get_votes(finalized_view),
            batches=self.reader.get_unplaced_batches(),
            commitment=self.reader.get_newest_certificate(2**62),
            observer_reason=self._observer_reason,
            headers=self._get_headers(finalized_view),
            certificates=self._get_certificates(finalized_view),
            evidence=self._evidence.stored,
        )

    def _forget_replaced(self, header: BlockHeader) -> None:
        """Forget blocks and batches below a snapshot whose own block is not stored: they lead nowhere. # R2"""
        self._blocks.index.begin()
        self._blocks.index.forget_below(header.height + 1)
        self._blocks.index.forget_losers(header.cut)
        self._blocks.index.commit(self._blocks.end, 0)

    def _drop_unconnected(self, base: Height) -> Height:
        """Forget stored blocks that do not follow each other from `base` on; returns the highest that does."""
        top = self._blocks.index.get_connected_height(base)
        if top < self.reader.get_block_heights()[1]:
            self._blocks.counters["blocks_unconnected"] += 1
            self._blocks.index.forget_above(max(top, base))
        self._top_height = top
        return top

    def _find_finalization(self) -> tuple[Certificate | None, BlockHeader | None]:
        """Return the newest F certificate of block store and vote log, with its header."""
        found: tuple[Certificate | None, BlockHeader | None] = (None, None)
        for height in self.reader.get_finalized_heights():
            stored = self.reader.get_stored_block(height)
            if stored is not None and _is_own_finalization(stored.finalization, stored.header.digest):
                found = (stored.finalization, stored.header)
                break
        mark = None if self._vote_log is None else self._vote_log.mark
        if mark is not None and mark.view > (0 if found[0] is None else found[0].view):
            return mark.finalization, mark.header
        return found

    def _get_votes(self, finalized_view: View) -> tuple[VoteRecord, ...]:
        if self._vote_log is None:
            return ()
        floor = max(finalized_view, self._vote_log.mark.view)
        return tuple(r for r in self._vote_log.records if r.kind not in VIEW_KINDS or r.number > floor)

    def _get_headers(self, finalized_view: View) -> tuple[BlockHeader, ...]:
        headers = () if self._vote_log is None else self._vote_log.headers
        return tuple(header for header in headers if header.view > finalized_view)

    def _get_certificates(self, finalized_view: View) -> tuple[Certificate, ...]:
        certificates = () if self._vote_log is None else self._vote_log.certificates
        return tuple(certificate for certificate in certificates if certificate.view > finalized_view)

    def perform(self, effects: Sequence[StoreEffect]) -> None:
        """Write all effects; returns when every Persist among them is durable."""
        if self._has_failed:
            raise StoreError("the store stopped after an earlier failure")
        try:
            for effect in effects:
                self._append(effect)
            self._install([effect for effect in effects if isinstance(effect, InstallSnapshot)])
            self._blocks.flush(is_synced=any(isinstance(e, PersistBatch | PersistBlock) for e in effects))
            if self._vote_log is not None:
                self._vote_log.sync()
                if self._newest_mark is not None:
                    self._vote_log.roll_if_full(self._newest_mark)
            self._evidence.flush()
            self._prune()
        except (StoreError, InvariantViolation):
            self._has_failed = True
            raise

    def _append(self, effect: StoreEffect) -> None:
        match effect:
            case PersistVote():
                self._append_vote(effect)
            case PersistBatch(batch):
                self._blocks.append_batch(batch)
            case PersistBlock(block):
                self._append_block(block)
            case StoreExecution(executed):
                self._blocks.append_executed(executed)
            case StoreCommitmentCertificate(certificate):
                self._append_certificate(certificate)
            case StoreEvidence(evidence):
                self._evidence.append(evidence)
            case InstallSnapshot():
                self._append_certificate(effect.claim.chain.certificate)

    def _append_certificate(self, certificate: CommitmentCertificate) -> None:
        self._blocks.append_certificate(certificate)
        self._certified_height = max(self._certified_height, certificate.height)

    def _install(self, effects: Sequence[InstallSnapshot]) -> None:
        """Put snapshots that came from peers under their names, whole. # R2"""
        for effect in effects:
            self._save(effect.claim.header, effect.claim.commitment, effect.snapshot)

    def _append_vote(self, effect: PersistVote) -> None:
        record = effect.record
        if self._vote_log is None:
            raise InvariantViolation(f"{record.kind.name} {record.number} without a vote log: this node must not sign")
        self._vote_log.append(record, effect.header, effect.certificates)

    def _append_block(self, block: FinalizedBlock) -> None:
        self._blocks.lose_damaged(self.reader.take_unreadable())
        position = LogPosition(0, 0) if self._vote_log is None else self._vote_log.position
        self._blocks.append_block(block, position)
        header = block.header
        self._top_height = max(self._top_height, header.height)
        if _is_own_finalization(block.finalization, header.digest):
            self._proven_height = header.height
            self._newest_mark = FinalizedMark(
                header.epoch, header.view, header.height, header.digest, block.finalization, header
            )

    def _prune(self) -> None:
        query_floor = self._top_height - self._options.retain_heights + 1
        query_floor = min(query_floor, self._snapshots.get_proof_floor(self._certified_height) or query_floor)
        block_floor = self._snapshots.get_block_floor(self._certified_height)
        if self._proven_height is not None:  # who holds no finalization cannot lead after a restart # P1
            block_floor = min(block_floor, self._proven_height)
        if query_floor > 1 and self._blocks.prune(query_floor, min(query_floor, block_floor)):
            self.reader.forget_removed_segments()

    def save_snapshot(self, effect: SaveSnapshot) -> None:
        """Keep a snapshot durably."""
        self._save(effect.header, effect.commitment, effect.snapshot)

    def _save(self, header: BlockHeader, commitment: Commitment, state: bytes) -> None:
        with self._snapshot_lock:
            self._snapshots.save(header, commitment, state, self._certified_height)

    def load_blocks(self, request: int, from_height: Height, count: int) -> BlocksLoaded:
        """Return stored blocks from a height on, and the newest commitment certificate that they reach."""
        blocks = self.reader.get_blocks(from_height, count, LOAD_BYTES_MAX)
        until = blocks[-1].header.height if blocks else 0
        return BlocksLoaded(request, blocks, self.reader.get_newest_certificate(until), *self._get_stored_heights())

    def _get_stored_heights(self) -> tuple[Height, Height]:
        """Return the lowest and the highest height of a stored block; (0, 0) if there is none."""
        oldest, newest = self.reader.get_block_heights()
        return (oldest, newest) if newest else (0, 0)

    def load_snapshot(self, effect: LoadSnapshot) -> SnapshotLoaded:
        """Return the newest snapshot above a height that a stored certificate covers. # R2"""
        claim = find_claim(self._snapshots, self.reader, effect.above)
        return SnapshotLoaded(effect.request, *self._get_stored_heights(), claim)

    def load_snapshot_chunk(self, effect: LoadSnapshotChunk) -> SnapshotChunkLoaded:
        """Return a chunk of a stored snapshot as it stands on disk; empty if it is not there any more."""
        data = self._snapshots.read_chunk(effect.height, effect.index)
        return SnapshotChunkLoaded(effect.request, effect.height, effect.index, data)

    def load_batches(self, effect: LoadBatches) -> BatchesLoaded:
        """Return stored batches from the tip downwards, as far as they are there."""
        batches: list[Batch] = []
        digest = effect.tip_digest
        for position in range(effect.high, effect.low - 1, -1):
            batch = self.reader.get_batch(digest)
            if batch is None or (batch.header.lane, batch.header.position) != (effect.lane, position):
                break
            batches.append(batch)
            digest = batch.header.parent
        return BatchesLoaded(effect.request, tuple(batches))

    def get_statistics(self) -> StoreStatistics:
        """Return a snapshot of the counters; from any thread."""
        counters: Counter[str] = self._blocks.counters + self._snapshots.counters + self._evidence.counters
        return StoreStatistics(
            self._disk.sync_count,
            None if self._vote_log is None else self._vote_log.position,
            len(self._blocks.get_segment_numbers()),
            {name: counters[name] for name in sorted(counters)},
        )

    def close(self) -> None:
        """Release files and lock."""
        self.reader.close()
        self._blocks.close()
        self._evidence.close()
        if self._vote_log is not None:
            self._vote_log.close()
        os.close(self._lock)


def initialize_store(home: Path, genesis_digest: Digest, disk: Disk) -> None:
    """Write a validator's first vote-log record; raises `StoreError` if there is a log already."""
    create_vote_log(home / VOTE_LOG_FOLDER, make_genesis_mark(genesis_digest), disk)


def lock_home(home: Path) -> int:
    """Take the home for this process; raises `LocalError` if another holds it. Returns the lock's descriptor."""
    path = home / LOCK_NAME
    with naming_failure("open", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise LocalError(f"home {home} is in use by process {holder or 'unknown'}") from None
    with naming_failure("write", path):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _is_own_finalization(certificate: Certificate | None, digest: Digest) -> bool:
    return certificate is not None and certificate.digest == digest
