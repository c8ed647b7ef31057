"""Keep what a simulated node writes, and lose at a crash what it did not sync.

Two append-only files, as on a real node: the block store (batches, blocks, certificates,
snapshots), and the vote log, which is written only once the block store is synced. A crash
keeps a random prefix of what was not synced, in that order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TypeAlias

from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.effects import LoadBatches, PersistVote
from sequencer.types.evidence import Contradiction, Evidence, FalseBatch, FalseProposal
from sequencer.types.primitives import Digest, Height, View
from sequencer.types.records import EMPTY_RECOVERY, RecordKind, Recovery, VoteRecord
from sequencer.types.vote import Certificate, VoteKind

_VIEW_KINDS = frozenset({RecordKind.PROPOSAL, RecordKind.NOTARIZE, RecordKind.NULLIFY, RecordKind.FINALIZE})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An execution state and the header that it is the state after."""

    header: BlockHeader
    state: bytes


StoreRecord: TypeAlias = Batch | FinalizedBlock | CommitmentCertificate | Snapshot | Evidence


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
    snapshot: Snapshot | None = None
    evidence: list[Evidence] = field(default_factory=list)
    """In the order of writing."""


class SimulatedStore:
    """The disk of one node; survives the node's crashes."""

    def __init__(self) -> None:
        self.vote_log: list[VoteRecord] = []
        self.durable = DurableIndex()
        self._unsynced_votes: list[PersistVote] = []
        self._unsynced_records: list[StoreRecord] = []

    def append_vote(self, effect: PersistVote) -> None:
        """Write a vote record with what was to be logged beside it; durable at the next `sync`."""
        self._unsynced_votes.append(effect)

    def append(self, record: StoreRecord) -> None:
        """Write a block-store record; durable at the next `sync`."""
        self._unsynced_records.append(record)

    @property
    def unsynced_count(self) -> int:
        """Records that a crash now could lose."""
        return len(self._unsynced_votes) + len(self._unsynced_records)

    def sync(self) -> tuple[list[VoteRecord], list[StoreRecord]]:
        """Make everything written so far durable; returns what became durable."""
        return self._keep(len(self._unsynced_votes), len(self._unsynced_records))

    def crash(self, rng: random.Random) -> tuple[list[VoteRecord], list[StoreRecord], int]:
        """Keep a random prefix of the unsynced tail; returns what survived and how many records were lost."""
        written = self.unsynced_count
        kept = rng.randint(0, written)
        records_kept = min(kept, len(self._unsynced_records))
        votes, records = self._keep(kept - records_kept, records_kept)
        self._unsynced_votes, self._unsynced_records = [], []
        return votes, records, written - kept

    def _keep(self, vote_count: int, record_count: int) -> tuple[list[VoteRecord], list[StoreRecord]]:
        logged, self._unsynced_votes = self._unsynced_votes[:vote_count], self._unsynced_votes[vote_count:]
        records, self._unsynced_records = self._unsynced_records[:record_count], self._unsynced_records[record_count:]
        votes = [effect.record for effect in logged]
        self.vote_log.extend(votes)
        self.durable.votes.update(votes)
        for effect in logged:
            if effect.header is not None:
                self.durable.headers[effect.header.digest] = effect.header
            self.durable.certificates.update(((c.kind, c.view), c) for c in effect.certificates)
        for record in records:
            self._index(record)
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
                durable.snapshot = record
            case Contradiction() | FalseProposal() | FalseBatch():
                durable.evidence.append(record)

    def load_blocks(self, from_height: Height, count: int) -> tuple[FinalizedBlock, ...]:
        """Return up to `count` consecutive durable blocks from `from_height` on."""
        blocks = []
        for height in range(from_height, from_height + count):
            block = self.durable.blocks.get(height)
            if block is None:
                break
            blocks.append(block)
        return tuple(blocks)

    def load_batches(self, effect: LoadBatches) -> tuple[Batch, ...]:
        """Return durable batches from the tip downwards, as far as they are there."""
        batches: list[Batch] = []
        digest = effect.tip_digest
        for _ in range(effect.high - effect.low + 1):
            batch = self.durable.batches.get(digest)
            if batch is None:
                break
            batches.append(batch)
            digest = batch.header.parent
        return tuple(batches)

    def load(self) -> Recovery:
        """Return what a replica that starts on this disk is given. # R1"""
        durable = self.durable
        if not (self.vote_log or durable.blocks or durable.batches):
            return EMPTY_RECOVERY
        base = 0 if durable.snapshot is None else durable.snapshot.header.height
        finalized = self._get_newest_finalization()
        finalized_view = 0 if finalized is None else finalized[0].view
        return Recovery(
            snapshot=None if durable.snapshot is None else durable.snapshot.state,
            snapshot_header=None if durable.snapshot is None else durable.snapshot.header,
            blocks=self.load_blocks(base + 1, len(durable.blocks)),
            finalization=None if finalized is None else finalized[0],
            finalized_header=None if finalized is None else finalized[1],
            votes=tuple(
                record for record in self.vote_log if record.kind not in _VIEW_KINDS or record.number > finalized_view
            ),
            batches=self._get_undelivered_batches(),
            commitment=durable.certificate,
            observer_reason=None,
            headers=tuple(header for header in durable.headers.values() if header.view > finalized_view),
            certificates=tuple(c for c in durable.certificates.values() if c.view > finalized_view),
            evidence=tuple(durable.evidence),
        )

    def _get_newest_finalization(self) -> tuple[Certificate, BlockHeader] | None:
        for height in sorted(self.durable.blocks, reverse=True):
            block = self.durable.blocks[height]
            if block.finalization is not None and block.finalization.digest == block.header.digest:
                return block.finalization, block.header
        return None

    def _get_undelivered_batches(self) -> tuple[Batch, ...]:
        blocks = self.durable.blocks
        cut = blocks[max(blocks)].header.cut if blocks else None
        return tuple(
            batch
            for batch in self.durable.batches.values()
            if cut is None or batch.header.position > cut[batch.header.lane].position
        )
