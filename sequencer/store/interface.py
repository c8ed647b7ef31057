"""State what a store promises to the caller of a replica. # D1 D2 R1"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

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
from sequencer.types.primitives import Height
from sequencer.types.records import Recovery

PersistEffect: TypeAlias = PersistVote | PersistBatch | PersistBlock | InstallSnapshot
"""Gates every effect behind it until it is durable."""

StoreEffect: TypeAlias = PersistEffect | StoreExecution | StoreCommitmentCertificate | StoreEvidence
"""Written in order; the last three gate nothing: what is lost with the power can be recomputed or had from peers."""


class Store(Protocol):
    """What was performed is there after a restart; what failed stops the node.

    Not re-entrant: one thread at a time calls `perform`, another may call `save_snapshot`.
    """

    def load(self) -> Recovery:
        """Return what a replica starts from; before the first `perform`, and after an `InstallSnapshot`. # R1 R2

        Whatever `perform` returned from is in it, a record at or below the finalized view aside.
        """

    def perform(self, effects: Sequence[StoreEffect]) -> None:
        """Write all effects; returns when every Persist among them is durable.

        At most one sync per file. Raises `StoreError` on any failure of the disk, and ever
        after: nothing that depended on the effects may be sent.
        """

    def save_snapshot(self, effect: SaveSnapshot) -> None:
        """Keep a snapshot; the blocks up to it are durable already. Raises `StoreError`."""

    def load_blocks(self, request: int, from_height: Height, count: int) -> BlocksLoaded:
        """Return stored blocks from a height on, and the newest commitment certificate that they reach."""

    def load_batches(self, effect: LoadBatches) -> BatchesLoaded:
        """Return stored batches from the tip downwards by parent digest, as far as they are there. # L6"""

    def load_snapshot(self, effect: LoadSnapshot) -> SnapshotLoaded:
        """Return the newest snapshot above a height that a stored certificate covers, and which blocks are stored."""

    def load_snapshot_chunk(self, effect: LoadSnapshotChunk) -> SnapshotChunkLoaded:
        """Return a chunk of a stored snapshot as it stands on disk."""

    def close(self) -> None:
        """Release everything; what was not performed is not there."""
