"""A node says of a split rollup what it knows: an executor its own settled height, a validator the certified one."""

from __future__ import annotations

from sequencer.execution.executor import Executor
from sequencer.node.rollup_status import describe_rollups
from sequencer.rpc.queries import RollupStatus
from tests.split_world import DELTA, SPLIT_GENESIS


def test_split_rollup_is_executed_by_its_executors_only() -> None:
    """Others tell what was certified last."""
    validator = describe_rollups(SPLIT_GENESIS, Executor(SPLIT_GENESIS), 0)
    executor = describe_rollups(SPLIT_GENESIS, Executor(SPLIT_GENESIS, frozenset({DELTA})), 0)
    assert RollupStatus(DELTA, False, None, 0, False, False) in validator
    assert RollupStatus(DELTA, True, 0, 0, False, False) in executor
    natives = [status for status in validator if status.certified_settled_height is None]
    assert all(status.is_executed and status.settled_height == 0 for status in natives)
