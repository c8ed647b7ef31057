"""Say how every rollup of the network stands, as this node knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sequencer.rpc.queries import RollupStatus
from sequencer.types.genesis import RollupKind

if TYPE_CHECKING:
    from sequencer.execution.executor import Executor
    from sequencer.types.genesis import Genesis
    from sequencer.types.primitives import Height


def describe_rollups(genesis: Genesis, executor: Executor, height: Height) -> tuple[RollupStatus, ...]:
    """Return how every rollup stands; nothing counts as settled above `height`, which is durable. # A11 A12 A13"""
    return tuple(
        RollupStatus(
            rollup=rollup.id,
            is_executed=rollup.id in executor.runs,
            settled_height=(
                min(height, executor.get_settled_height(rollup.id)) if rollup.id in executor.runs else None
            ),
            certified_settled_height=(
                executor.get_committed_row(rollup.id).settled_height if rollup.kind is RollupKind.SPLIT else None
            ),
            is_suspended=executor.is_suspended(rollup.id),
            is_frozen=executor.is_frozen(rollup.id),
        )
        for rollup in genesis.rollups
    )
