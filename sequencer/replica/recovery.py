"""Rebuild from the store the state in which a replica goes on. # R1 D1"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sequencer.consensus.finality import Anchor
from sequencer.execution.executor import Executor
from sequencer.replica.configuration import ReplicaConfig
from sequencer.types.batch import decode_payload
from sequencer.types.block import FinalizedBlock
from sequencer.types.executed import ExecutedBlock
from sequencer.types.primitives import Tip
from sequencer.types.records import RecordKind, Recovery

REPLAYED_KEPT_MAX = 64
"""Newest replayed blocks whose execution is stored again, in case its index row was lost."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the parts of a replica start from."""

    executor: Executor
    anchor: Anchor
    replayed: tuple[ExecutedBlock, ...]
    """Newest blocks that were executed again, by height."""
    items_replayed: int
    """Items that were executed again; the next snapshot is due the sooner."""
    own_top: Tip | None
    """Newest own batch ever signed; None if there is none above the delivered cut."""
    observer_reason: str | None


def recover(
    config: ReplicaConfig,
    recovery: Recovery,
    on_replayed: Callable[[FinalizedBlock, ExecutedBlock], None],
    restored: Executor | None = None,
) -> Recovered:
    """Restore the snapshot and execute the stored blocks above it again.

    `restored` stands on the snapshot already, if the recovery has the one that it was made from.
    Raises `StoreError` if the snapshot is damaged and `InvariantViolation` if the blocks
    contradict what this validator signed.
    """
    if restored is None or restored.header != recovery.snapshot_header:
        restored = _restore_executor(config, recovery)
    executor = restored
    replayed: deque[ExecutedBlock] = deque(maxlen=REPLAYED_KEPT_MAX)
    items_replayed = 0
    for block in recovery.blocks:
        executed = execute_block(config, executor, block)
        replayed.append(executed)
        items_replayed += len(executed.results)
        on_replayed(block, executed)
    head = executor.header
    # Blocks that came as a range carry no F but the last, and those before the snapshot may be pruned. # R2 L7
    finalized = recovery.finalized_header or recovery.snapshot_header or config.genesis.header
    own_top, observer_reason = _find_own_top(config, recovery, head.cut)
    return Recovered(
        executor,
        Anchor(head, finalized, recovery.finalization, recovery.headers),
        tuple(replayed),
        items_replayed,
        own_top,
        recovery.observer_reason or observer_reason,
    )


def execute_block(config: ReplicaConfig, executor: Executor, block: FinalizedBlock) -> ExecutedBlock:
    """Check and execute one stored block at once."""
    items = [item for batch in block.batches for item in decode_payload(batch.payload)]
    executor.begin(block.header, [(item, config.check_item(item)) for item in items])
    while not executor.step(max(1, len(items))):
        pass
    return executor.finish()


def _restore_executor(config: ReplicaConfig, recovery: Recovery) -> Executor:
    if recovery.snapshot is None or recovery.snapshot_header is None:
        return Executor(config.genesis, config.runs)
    return Executor.restore(config.genesis, recovery.snapshot, recovery.snapshot_header, config.runs)


def _find_own_top(config: ReplicaConfig, recovery: Recovery, cut: tuple[Tip, ...]) -> tuple[Tip | None, str | None]:
    """Return the newest own batch, and why this node must not sign if a signed one is lost. # L1 D1"""
    if config.index is None:
        return None, None
    tips = {batch.header.position: batch.digest for batch in recovery.batches if batch.header.lane == config.index}
    signed = {record.number: record.digest for record in recovery.votes if record.kind is RecordKind.OWN_BATCH}
    for position in sorted(signed):
        if position > cut[config.index].position and tips.get(position) != signed[position]:
            return None, f"own batch {position} was signed but is not in the store"
    if not tips:
        return None, None
    top = max(tips)
    return (Tip(top, tips[top]), None) if top > cut[config.index].position else (None, None)
