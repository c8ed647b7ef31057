"""Build a chain of blocks with batches, executions and certificates to store; nothing is signed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.store.disk import Disk, Durability, sync_data
from sequencer.store.node_store import NodeStore, StoreOptions, initialize_store
from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash, encode_payload
from sequencer.types.block import BlockHeader, FinalizedBlock, make_genesis_header
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.effects import SaveSnapshot
from sequencer.types.executed import ExecutedBlock, ExecutionRow, NamespaceList
from sequencer.types.outcome import ItemResult, OutcomeLeaf, Status
from sequencer.types.primitives import Digest, Tip
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.vote import Certificate, VoteKind

CHAIN_ID = bytes([7]) * 32
LANES = 2
GENESIS = make_genesis_header(0, CHAIN_ID, 1_000, LANES)


def make_vote(kind: RecordKind, number: int, name: int = 1) -> VoteRecord:
    return VoteRecord(kind, 0, number, make_digest(name))


def make_digest(name: int) -> Digest:
    return name.to_bytes(32, "big")


def make_batch(lane: int, position: int, parent: Digest = ZERO_DIGEST, text: bytes = b"item") -> Batch:
    payload = encode_payload((text + bytes([lane]) + position.to_bytes(4, "big"),))
    header = BatchHeader(0, lane, position, parent, compute_payload_hash(payload), len(payload), 1)
    return Batch(header, bytes(64), payload)


@dataclass
class Chain:
    """A growing chain in which each block adds one batch to lane 0."""

    header: BlockHeader = GENESIS
    blocks: list[FinalizedBlock] = field(default_factory=list)

    def grow(self, count: int = 1, *, is_finalized: bool = True, payload: bytes = b"item") -> list[FinalizedBlock]:
        """Add `count` blocks and return them."""
        grown = [self._make_block(is_finalized, payload) for _ in range(count)]
        self.blocks.extend(grown)
        return grown

    def _make_block(self, is_finalized: bool, payload: bytes) -> FinalizedBlock:
        parent, height = self.header, self.header.height + 1
        batch = make_batch(0, height, parent.cut[0].digest, payload)
        cut = (Tip(height, batch.digest), parent.cut[1])
        view = parent.view + 2
        self.header = BlockHeader(0, view, height, parent.view, parent.digest, parent.time_ms + 1, 0, cut)
        certificate = Certificate(VoteKind.FINALIZE, 0, view, self.header.digest, (0, 1), (bytes(64),) * 2)
        return FinalizedBlock(self.header, certificate if is_finalized else None, (batch,))


def make_executed(block: FinalizedBlock, *results: ItemResult) -> ExecutedBlock:
    header = block.header
    commitment = Commitment(
        CHAIN_ID, 0, header.height, header.digest, header.time_ms, *(make_digest(i) for i in range(6))
    )
    outcomes = tuple(
        OutcomeLeaf(r.item_id, r.status, r.reason) for r in results if r.status in (Status.COMMIT, Status.ABORT)
    )
    return ExecutedBlock(
        header,
        commitment,
        True,
        results,
        outcomes,
        (NamespaceList(1, (b"leaf", b"")),),
        (ExecutionRow(0, header.height, make_digest(1), make_digest(2), make_digest(3)),),
    )


def make_snapshot(block: FinalizedBlock, state: bytes = b"state") -> SaveSnapshot:
    return SaveSnapshot(block.header, state, make_executed(block).commitment)


def make_commitment_certificate(height: int) -> CommitmentCertificate:
    return CommitmentCertificate(0, height, make_digest(height), (0, 1), (bytes(64),) * 2)


class FlakySync:
    """Syncs files really, until it is told to fail with an error number; remembers how often."""

    def __init__(self) -> None:
        self.calls = 0
        self.failure: int | None = None

    def __call__(self, descriptor: int) -> None:
        self.calls += 1
        if self.failure is not None:
            raise OSError(self.failure, os.strerror(self.failure))
        sync_data(descriptor)


def make_home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    initialize_store(home, GENESIS.digest, Disk())
    return home


def open_store(home: Path, **options: int) -> NodeStore:
    return NodeStore(home, Disk(), options=StoreOptions(**options))


def open_flaky_store(home: Path) -> tuple[NodeStore, FlakySync]:
    sync = FlakySync()
    return NodeStore(home, Disk(Durability.FSYNC, sync)), sync
