"""Messages between rollups arrive without any client's doing, whoever of the validators is there. # A19"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from sequencer.execution.assets import sum_assets
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.mempool.ranking import compute_rank
from sequencer.types import effects as out
from sequencer.types.bundle import Leg, Operation
from sequencer.types.genesis import Rollup
from sequencer.types.item import SignedBundle
from sequencer.types.message import compute_message_id
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.primitives import Digest
from tests.unit.core_world import make_payer
from tests.unit.executors_world import ALPHA, EXECUTORS, GAMMA, GENESIS
from tests.unit.replica.test_split_rollups import EXECUTOR, SplitCluster

BALANCE = 1_000
PAYER, FRIEND = make_payer(0), make_payer(1)


def make_rich(rollup: Rollup) -> Rollup:
    """Return the rollup with balances."""
    return replace(rollup, machine="transfer", state=((make_balance_key("USD", PAYER), BALANCE),))


MONEY = replace(GENESIS, rollups=tuple(make_rich(rollup) for rollup in GENESIS.rollups))
"""Alpha is native, gamma is run by three executors, both have balances."""


class Post:
    """A cluster in which the payer sends 5 USD to a friend on another rollup."""

    def __init__(self, source: int, destination: int) -> None:
        self.cluster = SplitCluster(MONEY)
        self.destination = destination
        send = Operation("send", (destination, "USD", FRIEND, 5))
        leg = Leg(source, PAYER, (), (send,), None)
        self.bundle: SignedBundle = self.cluster.chain.sign(leg, decide_within=64)
        self.message_id: Digest = compute_message_id(source, self.bundle.id, 0, 0)
        if GAMMA in (source, destination):
            for index in range(EXECUTORS[GAMMA]):
                self.cluster.start_executor(index)

    def send(self, validator: int = 0) -> None:
        """Submit the bundle and wait until that validator has seen it commit."""
        self.cluster.submit(validator, self.bundle)
        self.cluster.run(10_000, lambda: self.bundle.id in self.get_statuses(validator))

    def get_statuses(self, validator: int = 0) -> dict[Digest, Status]:
        """Return what is decided, as a validator sees it."""
        blocks = [effect.block for effect in self.cluster.find(validator, out.StoreExecution)]
        return {decision.item_id: decision.status for block in blocks for decision in block.decisions}

    def wait(self, validator: int = 0) -> None:
        """Wait for the arrival, then until everything that is under way has been ordered."""
        cluster = self.cluster
        cluster.run(cluster.now_ms + 20_000, lambda: self.message_id in self.get_statuses(validator))
        cluster.run(cluster.now_ms + 2_000)

    def get_results(self, validator: int = 0) -> list[ItemResult]:
        """Return what became of every item that brought the message."""
        blocks = [effect.block for effect in self.cluster.find(validator, out.StoreExecution)]
        return [result for block in blocks for result in block.results if result.item_id == self.message_id]

    def assert_arrived_once(self, validator: int = 0) -> None:
        """One delivery took effect, everybody agrees, and no amount was made or lost."""
        results = Counter(result.reason or result.status.name for result in self.get_results(validator))
        assert results["COMMIT"] == 1
        assert set(results) <= {"COMMIT", "DELIVERED"}
        witness = self.cluster.replicas[max(self.cluster.replicas)].executor
        assert witness.get_state_value(self.destination, make_balance_key("USD", FRIEND)) == 5
        total = sum((sum_assets(witness.get_state(rollup).get_entries()) for rollup in sorted(witness.runs)), Counter())
        assert total == {"USD": BALANCE * len(witness.runs)}


@pytest.mark.parametrize(("source", "destination"), [(ALPHA, GAMMA), (GAMMA, ALPHA)])
def test_A19_message_from_or_to_a_split_rollup_arrives_once(source: int, destination: int) -> None:
    """Native: every validator proves it. Split: the executors gossip what they alone can prove."""
    post = Post(source, destination)
    post.send()
    post.wait()
    post.assert_arrived_once()
    assert len(post.get_results()) == 1


def test_A19_message_arrives_though_the_first_in_rank_is_dead() -> None:
    """The next one's turn comes eight heights later."""
    post = Post(GAMMA, ALPHA)
    first, second = sorted(range(4), key=lambda index: compute_rank(post.message_id, index, 4))[:2]
    post.cluster.stop(first)
    post.send(second)
    post.wait(second)
    post.assert_arrived_once(second)


def test_A19_message_survives_the_restart_of_every_executor_and_a_validator() -> None:
    """What is under way is in the state: whoever comes back proves it."""
    post = Post(GAMMA, ALPHA)
    post.send()
    for index in range(EXECUTORS[GAMMA]):
        post.cluster.kill_executor(index)
    post.cluster.restart(1)
    post.cluster.run(post.cluster.now_ms + 1_000)
    assert post.message_id not in post.get_statuses()
    for index in range(EXECUTORS[GAMMA]):
        post.cluster.restart_executor(index)
    post.wait()
    post.assert_arrived_once()
    assert EXECUTOR in post.cluster.replicas
