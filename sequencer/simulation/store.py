"""Keep what a simulated node writes, and lose at a crash what it did not sync.

Two append-only files, as on a real node: the block store (batches, blocks, certificates,
snapshots), and the vote log, which is written only once the block store is synced. A crash
keeps a prefix of what was not synced, in that order. Torn and rotten files are judged by the
product's own reader, from bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.simulation.crash_points import Survival
from sequencer.simulation.damage import Snapshot, StoreRecord, count_torn, frame_record, frame_vote, turn_bit
from sequencer.store.encoding import read_frame
from sequencer.store.vote_log import VoteLogUnusable, encode_segment, make_genesis_mark, parse_segment
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.effects import LoadBatches, LoadSnapshot, LoadSnapshotChunk, PersistVote
from sequencer.types.events import SnapshotChunkLoaded, SnapshotLoaded
from sequencer.types.evidence import Contradiction, Evidence, FalseBatch, FalseProposal
from sequencer.types.primitives import Digest, Height, View
from sequencer.types.receipt import CertifiedChain
from sequencer.types.records import EMPTY_RECOVERY, RecordKind, Recovery, VoteRecord
from sequencer.types.snapshot import SnapshotClaim, compute_manifest, split_snapshot
from sequencer.types.vote import Certificate, VoteKind

__all__ = ["DurableIndex", "SimulatedStore", "Snapshot", "StoreRecord"]

_VIEW_KINDS = frozenset({RecordKind.PROPOSAL, RecordKind.NOTARIZE, RecordKind.NULLIFY, RecordKind.FINALIZE})


@dataclass(slots=True)
class DurableIndex:
    """What has reached the disk for good, indexed for monitors and for recovery."""

    votes: set[VoteRecord] = field(default_factory=set)
    headers: dict[Digest, BlockHeader] = field(default_factory=dict)
    """Headers logged with votes, in the order of writing."""
    certificates: dict[tuple[VoteKind, View], Certificate] = field(default_factory=dict)
    """Certificates logged with votes, in the order of writing."""
    batches: dict[Digest, Batch] = field(default_factory=dict)
    blocks: dict[Height, FinalizedBlock] = field(default_factory=dict)
    certificate: CommitmentCertificate | None = None
    """Newest certificate of a commitment."""
    commitments: dict[Height, Commitment] = field(default_factory=dict)
    """Of executed heights."""
    snapshots: dict[Height, Snapshot] = field(default_factory=dict)
    """The newest two, and the newest that is certified, ascending."""
    evidence: list[Evidence] = field(default_factory=list)
    """In the order of writing."""

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest snapshot; None means genesis."""
        return self.snapshots[max(self.snapshots)] if self.snapshots else None

    @property
    def certified_height(self) -> Height:
        """Height of the newest certificate; 0 before the first."""
        return 0 if self.certificate is None else self.certificate.height


class SimulatedStore:
    """The disk of one node; survives the node's crashes."""

    def __init__(self) -> None:
        self.vote_log: list[VoteRecord] = []
        self.durable = DurableIndex()
        self.lost_count = 0
        """Records that were written and that crashes took."""
        self.is_damaged = False
        """Something durable was lost: this disk did what no correct disk does."""
        self.has_forgotten = False
        """A durable vote is gone and nobody can tell: who starts on this may contradict itself."""
        self._observer_reason: str | None = None
        self._log_floor = 0
        """Records of the vote log that were durable when the newest block was written."""
        self._last_synced: list[VoteRecord] = []
        self._rotten: set[Digest] = set()
        """Digests of batches and blocks that cannot be read any more."""
        self._unsynced_votes: list[PersistVote] = []
        self._unsynced_records: list[StoreRecord] = []

    def append_vote(self, effect: PersistVote) -> None:
        """Write a vote record with what was to be logged beside it; durable at the next `sync`."""
        self._unsynced_votes.append(effect)

    def append(self, record: StoreRecord) -> None:
        """Write a block-store record; durable at the next `sync`."""
        self._unsynced_records.append(record)
        if isinstance(record, FinalizedBlock):
            self._log_floor = len(self.vote_log)

    @property
    def unsynced_count(self) -> int:
        """Records that a crash now could lose."""
        return len(self._unsynced_votes) + len(self._unsynced_records)

    def sync(self) -> tuple[list[VoteRecord], list[StoreRecord]]:
        """Make everything written so far durable; returns what became durable."""
        return self._keep(len(self._unsynced_votes), len(self._unsynced_records))

    def crash(
        self, rng: random.Random, survival: Survival = Survival.PREFIX
    ) -> tuple[list[VoteRecord], list[StoreRecord], int]:
        """Keep what `survival` says of the unsynced tail; returns what survived and how many records were lost."""
        written = self.unsynced_count
        if survival is Survival.NOTHING:
            kept = 0
        elif survival is Survival.TORN:
            kept = self._tear(rng)
        else:
            kept = rng.randint(0, written)
        records_kept = min(kept, len(self._unsynced_records))
        votes, records = self._keep(kept - records_kept, records_kept)
        self._unsynced_votes, self._unsynced_records = [], []
        self.lost_count += written - kept
        return votes, records, written - kept

    def _tear(self, rng: random.Random) -> int:
        """Cut the unsynced bytes anywhere, and count the records that the product's reader still finds."""
        groups = [[frame_record(record)] for record in self._unsynced_records]
        groups.extend(frame_vote(effect) for effect in self._unsynced_votes)
        return count_torn(groups, rng)

    def lose_last_sync(self) -> int:
        """Forget what the newest sync of the vote log made durable; returns how many records that were."""
        lost = self._last_synced
        if lost:
            self.is_damaged = self.has_forgotten = True
            self._forget_votes(len(self.vote_log) - len(lost))
        return len(lost)

    def lose_vote_log(self, reason: str) -> None:
        """Let whoever starts on this disk be an observer."""
        self.is_damaged = True
        self._observer_reason = reason

    def rot_vote_log(self, rng: random.Random) -> bool:
        """Turn one bit of the vote log and let the product's reader judge; tells whether there was any."""
        if not self.vote_log:
            return False
        durable = self.durable
        mark = make_genesis_mark(ZERO_DIGEST)
        data = encode_segment(mark, self.vote_log, [*durable.headers.values()], [*durable.certificates.values()])
        try:
            content = parse_segment(turn_bit(data, rng), "1")
        except VoteLogUnusable as error:
            self.lose_vote_log(str(error))
        else:
            self.is_damaged = self.has_forgotten = True
            self._forget_votes(len(content.records))
        return True

    def _forget_votes(self, count: int) -> None:
        """Keep the first `count` records of the vote log."""
        self.durable.votes.difference_update(self.vote_log[count:])
        self.vote_log = self.vote_log[:count]
        self._last_synced = []
        if count < self._log_floor:
            self._observer_reason = "vote log is older than the block store: records are missing"
            self.has_forgotten = False

    def rot_record(self, rng: random.Random) -> bool:
        """Turn one bit of a durable batch or block: from now on its reader refuses it; tells whether there was any."""
        names = [*self.durable.batches, *(block.header.digest for block in self.durable.blocks.values())]
        if not names:
            return False
        name = rng.choice(names)
        record = self.durable.batches.get(name) or next(
            block for block in self.durable.blocks.values() if block.header.digest == name
        )
        if read_frame(turn_bit(frame_record(record), rng), 0) is None:
            self.is_damaged = True
            self._rotten.add(name)
        return True

    def drop_unreadable(self) -> None:
        """Forget at a start what cannot be read, and the blocks that no longer connect. # R1"""
        if not self._rotten:
            return
        blocks = self.durable.blocks
        height = 0 if self.durable.snapshot is None else self.durable.snapshot.header.height
        while height + 1 in blocks and self._is_readable(blocks[height + 1]):
            height += 1
        self.durable.blocks = {
            other: block for other, block in blocks.items() if other <= height and self._is_readable(block)
        }
        for digest in self._rotten:
            self.durable.batches.pop(digest, None)
        self._rotten.clear()

    def _is_readable(self, block: FinalizedBlock) -> bool:
        digests = (block.header.digest, *(batch.digest for batch in block.batches))
        return self._rotten.isdisjoint(digests)

    def _keep(self, vote_count: int, record_count: int) -> tuple[list[VoteRecord], list[StoreRecord]]:
        logged, self._unsynced_votes = self._unsynced_votes[:vote_count], self._unsynced_votes[vote_count:]
        records, self._unsynced_records = self._unsynced_records[:record_count], self._unsynced_records[record_count:]
        votes = [effect.record for effect in logged]
        self.vote_log.extend(votes)
        self._last_synced = votes or self._last_synced
        self.durable.votes.update(votes)
        for effect in logged:
            if effect.header is not None:
                self.durable.headers[effect.header.digest] = effect.header
            self.durable.certificates.update(((c.kind, c.view), c) for c in effect.certificates)
        for record in records:
            self._index(record)
        if self._rotten:
            self._rotten.difference_update(name for record in records for name in _get_names(record))
        return votes, records

    def _index(self, record: StoreRecord) -> None:
        durable = self.durable
        match record:
            case Batch():
                durable.batches[record.digest] = record
            case FinalizedBlock():
                durable.blocks[record.header.height] = record
                durable.batches.update((batch.digest, batch) for batch in record.batches)
            case CommitmentCertificate():
                durable.certificate = record
            case Snapshot():
                self._keep_snapshot(record)
            case Contradiction() | FalseProposal() | FalseBatch():
                durable.evidence.append(record)

    def get_newest_header(self) -> BlockHeader | None:
        """Return the header of the newest state that a start rests on: a block's, or the snapshot's above it."""
        newest = self.durable.blocks[max(self.durable.blocks)].header if self.durable.blocks else None
        snapshot = self.durable.snapshot
        if snapshot is not None and (newest is None or snapshot.header.height > newest.height):
            return snapshot.header
        return newest

    def _keep_snapshot(self, snapshot: Snapshot) -> None:
        kept = {**self.durable.snapshots, snapshot.header.height: snapshot}
        provable = [height for height in sorted(kept) if height <= self.durable.certified_height]
        self.durable.snapshots = {height: kept[height] for height in sorted({*sorted(kept)[-2:], *provable[-1:]})}

    def note_commitment(self, height: Height, commitment: Commitment) -> None:
        """Index what executing a height gave; it can be recomputed, so no crash loses it for good."""
        self.durable.commitments[height] = commitment

    def prune(self, retain_heights: int) -> int:
        """Let go of what is below the newest `retain_heights`, certified and behind a snapshot. # L7

        Returns how many blocks went.
        """
        durable = self.durable
        if len(durable.snapshots) < 2:
            return 0
        heights = sorted(durable.snapshots)
        if heights[-2] > durable.certified_height:
            return 0
        floor = min(max(durable.blocks, default=0) - retain_heights, heights[-2]) + 1
        if floor <= 1:
            return 0
        doomed = [height for height in durable.blocks if height < floor]
        for height in doomed:
            for batch in durable.blocks.pop(height).batches:
                durable.batches.pop(batch.digest, None)
        for height in [height for height in durable.commitments if height < floor]:
            del durable.commitments[height]
        return len(doomed)

    def load_snapshot(self, effect: LoadSnapshot) -> SnapshotLoaded:
        """Return the newest snapshot above a height that the newest certificate covers. # R2"""
        durable = self.durable
        oldest, newest = min(durable.blocks, default=0), max(durable.blocks, default=0)
        heights = [height for height in sorted(durable.snapshots, reverse=True) if height > effect.above]
        claims = (self._make_claim(durable.snapshots[height]) for height in heights)
        return SnapshotLoaded(effect.request, oldest, newest, next((claim for claim in claims if claim), None))

    def _make_claim(self, snapshot: Snapshot) -> SnapshotClaim | None:
        certificate, height = self.durable.certificate, snapshot.header.height
        if certificate is None or certificate.height < height:
            return None
        above = [self.durable.commitments.get(number) for number in range(height + 1, certificate.height + 1)]
        commitments = tuple(commitment for commitment in above if commitment is not None)
        if len(commitments) < len(above):
            return None
        chain = CertifiedChain((snapshot.commitment, *commitments), certificate)
        return SnapshotClaim(snapshot.header, len(snapshot.state), compute_manifest(snapshot.state), chain)

    def load_snapshot_chunk(self, effect: LoadSnapshotChunk) -> SnapshotChunkLoaded:
        """Return a chunk of a stored snapshot; empty if it is not there any more. # R2"""
        snapshot = self.durable.snapshots.get(effect.height)
        chunks = [] if snapshot is None else split_snapshot(snapshot.state)
        data = chunks[effect.index] if effect.index < len(chunks) else b""
        return SnapshotChunkLoaded(effect.request, effect.height, effect.index, data)

    def load_blocks(self, from_height: Height, count: int) -> tuple[FinalizedBlock, ...]:
        """Return up to `count` consecutive durable blocks from `from_height` on."""
        blocks = []
        for height in range(from_height, from_height + count):
            block = self.durable.blocks.get(height)
            if block is None or (self._rotten and not self._is_readable(block)):
                break
            blocks.append(block)
        return tuple(blocks)

    def load_batches(self, effect: LoadBatches) -> tuple[Batch, ...]:
        """Return durable batches from the tip downwards, as far as they are there."""
        batches: list[Batch] = []
        digest = effect.tip_digest
        for _ in range(effect.high - effect.low + 1):
            batch = self.durable.batches.get(digest)
            if batch is None or digest in self._rotten:
                break
            batches.append(batch)
            digest = batch.header.parent
        return tuple(batches)

    def load(self) -> Recovery:
        """Return what a replica that starts on this disk is given. # R1"""
        durable = self.durable
        if not (self.vote_log or durable.blocks or durable.batches or durable.snapshots):
            return replace(EMPTY_RECOVERY, observer_reason=self._observer_reason)
        base = 0 if durable.snapshot is None else durable.snapshot.header.height
        self._forget_replaced(base)
        finalized = self._get_newest_finalization()
        finalized_view = 0 if finalized is None else finalized[1].view
        return Recovery(
            snapshot=None if durable.snapshot is None else durable.snapshot.state,
            snapshot_header=None if durable.snapshot is None else durable.snapshot.header,
            blocks=self.load_blocks(base + 1, len(durable.blocks)),
            finalization=None if finalized is None else finalized[0],
            finalized_header=None if finalized is None else finalized[1],
            votes=self._get_votes(finalized_view),
            batches=self._get_undelivered_batches(),
            commitment=durable.certificate,
            observer_reason=self._observer_reason,
            headers=tuple(header for header in durable.headers.values() if header.view > finalized_view),
            certificates=tuple(c for c in durable.certificates.values() if c.view > finalized_view),
            evidence=tuple(durable.evidence),
        )

    def _get_votes(self, finalized_view: View) -> tuple[VoteRecord, ...]:
        if self._observer_reason is not None:
            return ()
        return tuple(r for r in self.vote_log if r.kind not in _VIEW_KINDS or r.number > finalized_view)

    def _forget_replaced(self, base: Height) -> None:
        """Forget blocks below a snapshot from peers: they lead nowhere. # R2"""
        blocks = self.durable.blocks
        if base not in blocks:
            for height in [height for height in blocks if height < base]:
                del blocks[height]

    def _get_newest_finalization(self) -> tuple[Certificate | None, BlockHeader] | None:
        """Return the newest F with its header; a snapshot from peers is final by its certificate alone."""
        for height in sorted(self.durable.blocks, reverse=True):
            block = self.durable.blocks[height]
            if block.finalization is not None and block.finalization.digest == block.header.digest:
                return block.finalization, block.header
        snapshot = self.durable.snapshot
        return None if snapshot is None or snapshot.header.height in self.durable.blocks else (None, snapshot.header)

    def _get_undelivered_batches(self) -> tuple[Batch, ...]:
        newest = self.get_newest_header()
        cut = None if newest is None else newest.cut
        return tuple(
            batch
            for batch in self.durable.batches.values()
            if cut is None or batch.header.position > cut[batch.header.lane].position
        )


def _get_names(record: StoreRecord) -> tuple[Digest, ...]:
    """Return the digests of the batches and blocks that a record writes."""
    match record:
        case Batch():
            return (record.digest,)
        case FinalizedBlock():
            return (record.header.digest, *(batch.digest for batch in record.batches))
        case _:
            return ()


def make_empty_disk() -> SimulatedStore:
    """Return a new disk in the place of a lost one: whoever starts on it knows that it must not sign. # D1"""
    store = SimulatedStore()
    store.lose_vote_log("vote log is missing")
    return store
