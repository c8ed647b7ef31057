"""An executor speaks while it keeps up with a network under load, and is silent while it catches up. # A14"""

from __future__ import annotations

import pytest

from sequencer.execution.executor import Executor
from sequencer.replica.configuration import ExecutorIdentity, ReplicaConfig
from sequencer.replica.verdict_exchange import VerdictExchange
from tests.unit.core_world import VERIFY, at
from tests.unit.executors_world import GAMMA, GENESIS, Chain, make_executor_signer, put

LAG_MAX = GENESIS.parameters.delivery_lag_max


@pytest.mark.parametrize(("lag", "votes"), [(0, 1), (LAG_MAX, 1), (LAG_MAX + 1, 0)])
def test_A14_executor_votes_while_leaders_still_order(lag: int, votes: int) -> None:
    """Leaders order until they lag so far: an executor that fell silent before would have living rollups suspended."""
    executor = Executor(GENESIS, frozenset({GAMMA}))
    identity = ExecutorIdentity(GAMMA, 0, make_executor_signer(GAMMA, 0))
    exchange = VerdictExchange(ReplicaConfig(GENESIS, None, None, VERIFY, executor=identity), executor, None)
    chain = Chain(executor)
    exchange.on_executed(chain.order(chain.sign(put(GAMMA, "k"))), (), at(10**6))
    assert sum(len(publication.votes) for publication in exchange.settle(lag, at(10**6))) == votes
