"""Validators and executors of a split rollup decide together, whoever of the executors is there. # A9 A13 A14"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from sequencer.errors import LocalError
from sequencer.replica.block_server import make_answer
from sequencer.replica.configuration import ExecutorIdentity, ReplicaConfig
from sequencer.replica.replica import Replica
from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.bundle import AtLeast
from sequencer.types.executed import Decision
from sequencer.types.genesis import Genesis
from sequencer.types.item import SignedBundle
from sequencer.types.messages import Message, Sync
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest
from sequencer.types.records import EMPTY_RECOVERY, Recovery
from tests.unit.core_world import VERIFY, at
from tests.unit.executors_world import ALPHA, DELTA, GAMMA, GENESIS, Chain, make_executor_signer, put
from tests.unit.replica.world import Cluster, Disk, get_commitments

EXECUTOR = 100
"""Number of gamma's executor 0 in the cluster; the others follow."""


class SplitCluster(Cluster):
    """Four validators, and executors of gamma that follow them as full nodes do."""

    def __init__(self, genesis: Genesis = GENESIS) -> None:
        super().__init__(genesis)
        self.chain = Chain(genesis=genesis)

    def start_executor(self, index: int, recovery: Recovery = EMPTY_RECOVERY) -> None:
        identity = ExecutorIdentity(GAMMA, index, make_executor_signer(GAMMA, index))
        number = EXECUTOR + index
        self.disks.setdefault(number, Disk())
        config = ReplicaConfig(self.genesis, None, None, VERIFY, executor=identity)
        replica = self.replicas[number] = Replica(config, recovery)
        self._perform(number, None, replica.start(at(self.now_ms)))
        for validator in range(4):
            self.handle(number, events.PeerConnected(validator))

    def kill_executor(self, index: int) -> None:
        """What is under way to it is lost."""
        del self.replicas[EXECUTOR + index]

    def restart_executor(self, index: int) -> None:
        """Start an executor that was killed, with what it made durable."""
        self.start_executor(index, self.disks[EXECUTOR + index].recover())

    def _carry(self, source: int, targets: Sequence[int], message: Message) -> None:  # type: ignore[override] # lists
        """An executor asks validators for blocks, and nobody sends it anything else."""
        if source < EXECUTOR:
            super()._carry(source, [target for target in targets if target < EXECUTOR], message)
        elif isinstance(message, Sync):
            (target,) = targets
            first = message.from_height - 1
            blocks = tuple(self.disks[target].blocks[first : first + message.count])
            answer = make_answer(events.BlocksLoaded(1, blocks, None))
            self._post(source, 10, events.MessageReceived(target, answer))

    def submit_all(self, *bundles: SignedBundle) -> None:
        """Hand each bundle to validator 0."""
        for number, bundle in enumerate(bundles, 1):
            self.submit(0, bundle, request=number)

    @property
    def decisions(self) -> dict[Digest, tuple[int, Decision]]:
        """Return height and decision of every bundle, as validator 0 sees it."""
        blocks = [effect.block for effect in self.find(0, out.StoreExecution)]
        return {d.item_id: (block.header.height, d) for block in blocks for d in block.decisions}

    def run_until_decided(self, *bundles: SignedBundle, until_ms: int = 20_000) -> list[Decision]:
        """Let time pass until all are decided, and return how."""
        self.run(until_ms, lambda: all(bundle.id in self.decisions for bundle in bundles))
        return [self.decisions[bundle.id][1] for bundle in bundles]


def sign_pairs(cluster: SplitCluster, count: int, *conditions: AtLeast) -> list[SignedBundle]:
    """Return bundles over alpha and gamma, each behind the one before it."""
    return [
        cluster.chain.sign(put(ALPHA, f"a{number}"), put(GAMMA, "hot", *conditions), decide_within=64)
        for number in range(count)
    ]


@pytest.fixture
def cluster() -> SplitCluster:
    return SplitCluster()


@pytest.mark.parametrize("present", [(0, 1, 2), (0, 2)])
def test_A9_bundles_are_decided_with_one_executor_missing(cluster: SplitCluster, present: Sequence[int]) -> None:
    """f_r + 1 of three are enough: all commit, soon, and executors and validators agree."""
    for index in present:
        cluster.start_executor(index)
    bundles = sign_pairs(cluster, 6)
    cluster.submit_all(*bundles)
    decided = cluster.run_until_decided(*bundles)
    assert {decision.status for decision in decided} == {Status.COMMIT}
    waited = [cluster.decisions[decision.item_id][0] - decision.ordered_height for decision in decided]
    assert max(waited) <= 8
    cluster.run(cluster.now_ms + 2_000)
    executors = [cluster.replicas[EXECUTOR + index].executor for index in present]
    assert {executor.get_state_value(GAMMA, "kv/hot") for executor in executors} == {1}
    with pytest.raises(LocalError):
        cluster.replicas[0].executor.get_state_value(GAMMA, "kv/hot")
    assert len({executor.get_own_row(GAMMA) for executor in executors}) == 1
    assert get_commitments(e for e in executors if e.height == executors[0].height) == {executors[0].commitment.digest}


def test_A9_few_certificates_are_included_in_vain(cluster: SplitCluster) -> None:
    """Ranks keep validators from including the same certificate: nearly every one takes effect."""
    for index in range(3):
        cluster.start_executor(index)
    for _ in range(4):
        bundles = sign_pairs(cluster, 5)
        cluster.submit_all(*bundles)
        cluster.run_until_decided(*bundles, until_ms=cluster.now_ms + 5_000)
    results = [result for effect in cluster.find(0, out.StoreExecution) for result in effect.block.results]
    vain = [result for result in results if result.reason in ("DUPLICATE", "STALE")]
    assert len(vain) <= len(results) // 10


def test_A14_refusal_reaches_the_other_side(cluster: SplitCluster) -> None:
    """What gamma refuses leaves nothing on alpha."""
    cluster.start_executor(0)
    cluster.start_executor(1)
    (bundle,) = sign_pairs(cluster, 1, AtLeast("kv/never", 1))
    cluster.submit_all(bundle)
    (decision,) = cluster.run_until_decided(bundle)
    assert decision.reason == "NO:gamma:TOO_LOW@legs[1].conditions[0]"
    assert cluster.replicas[0].executor.get_state_value(ALPHA, "kv/a0") is None


def test_A13_dead_executors_cost_a_timeout_and_their_return_a_beat(cluster: SplitCluster) -> None:
    """Without executors the bundle times out and the rollup is suspended; back again, they lift it by themselves."""
    first = cluster.chain.sign(put(ALPHA, "a"), put(GAMMA, "x"), decide_within=6)
    cluster.submit_all(first)
    (decision,) = cluster.run_until_decided(first)
    assert decision.reason == "TIMEOUT:gamma"
    second = cluster.chain.sign(put(ALPHA, "a"), put(GAMMA, "x"), decide_within=6)
    cluster.submit_all(second)
    assert cluster.run_until_decided(second)[0].reason == "SUSPENDED:gamma"
    cluster.start_executor(0)
    cluster.start_executor(1)
    cluster.run(cluster.now_ms + 20_000, lambda: not cluster.replicas[0].executor.is_suspended(GAMMA))
    third = cluster.chain.sign(put(ALPHA, "a"), put(GAMMA, "x"), decide_within=64)
    cluster.submit_all(third)
    assert cluster.run_until_decided(third, until_ms=cluster.now_ms + 20_000)[0].status is Status.COMMIT


def test_A9_votes_that_are_lost_are_said_again(cluster: SplitCluster) -> None:
    """Gossip may lose everything that is said once."""
    cluster.start_executor(0)
    cluster.start_executor(1)
    bundles = sign_pairs(cluster, 2)
    posted = cluster._post
    lost: list[events.Event] = []

    def lose_first(index: int, delay_ms: int, event: events.Event) -> None:
        if isinstance(event, events.VotesReceived) and len(lost) < 20:
            lost.append(event)
        else:
            posted(index, delay_ms, event)

    cluster._post = lose_first  # type: ignore[method-assign] # a network that loses
    cluster.submit_all(*bundles)
    assert {decision.status for decision in cluster.run_until_decided(*bundles)} == {Status.COMMIT}
    assert len(lost) == 20


def test_A11_idle_network_certifies_the_last_row_and_rests(cluster: SplitCluster) -> None:
    """Rows call for no further rows: blocks come at the pace of an idle network, without items."""
    for index in range(3):
        cluster.start_executor(index)
    (bundle,) = sign_pairs(cluster, 1)
    cluster.submit_all(bundle)
    cluster.run_until_decided(bundle)
    cluster.run(cluster.now_ms + 5_000)
    executor, decided = cluster.replicas[0].executor, cluster.decisions[bundle.id][0]
    before = executor.height
    assert decided <= executor.get_certified_height(GAMMA) < before
    cluster.run(cluster.now_ms + 10_000)
    assert executor.height - before <= 10_000 // GENESIS.parameters.idle_ms + 1
    blocks = [effect.block for effect in cluster.find(0, out.StoreExecution)]
    assert not any(block.results for block in blocks if block.header.height > before)


def test_R1_executors_that_all_restart_in_mid_log_go_on(cluster: SplitCluster) -> None:
    """They replay the log and vote on what is undecided; nothing else had to be durable."""
    for index in range(3):
        cluster.start_executor(index)
    before, after = sign_pairs(cluster, 4), sign_pairs(cluster, 4)
    cluster.submit_all(*before)
    cluster.run(cluster.now_ms + 60)
    for index in range(3):
        cluster.kill_executor(index)
    cluster.submit_all(*after)
    cluster.run(cluster.now_ms + 300)
    for index in range(3):
        cluster.restart_executor(index)
    assert {d.status for d in cluster.run_until_decided(*before, *after)} == {Status.COMMIT}


@pytest.mark.parametrize("seed", range(4))
def test_A8_outcomes_agree_with_what_is_on_both_sides_whatever_is_lost(cluster: SplitCluster, seed: int) -> None:
    """Lost votes, killed executors and false conditions: each marker is on alpha and gamma, or on neither."""
    random, network = Random(seed), Random(seed + 1_000)
    for index in range(3):
        cluster.start_executor(index)
    posted = cluster._post

    def lose(index: int, delay_ms: int, event: events.Event) -> None:
        if not isinstance(event, events.VotesReceived) or network.random() < 0.7:
            posted(index, delay_ms + network.randrange(20), event)

    cluster._post = lose  # type: ignore[method-assign] # a network that loses and delays
    bundles = []
    for number in range(24):
        refuses = (AtLeast("kv/hot", random.choice((1, 9))),) if random.random() < 0.4 else ()
        keys = [f"m{number}", "hot"] if random.random() < 0.5 else [f"m{number}"]
        legs = [put(GAMMA, key, *refuses) for key in keys]
        bundles.append(cluster.chain.sign(*legs, put(ALPHA, f"m{number}"), decide_within=random.choice((8, 64))))
        cluster.submit_all(bundles[-1])
        cluster.run(cluster.now_ms + random.randrange(60))
        down = [index for index in range(3) if EXECUTOR + index not in cluster.replicas]
        if down and random.random() < 0.3:
            cluster.restart_executor(down[0])
        elif len(down) < 2 and random.random() < 0.2:
            cluster.kill_executor(random.choice([index for index in range(3) if index not in down]))
    for index in range(3):
        if EXECUTOR + index not in cluster.replicas:
            cluster.restart_executor(index)
    decided = cluster.run_until_decided(*bundles, until_ms=cluster.now_ms + 60_000)
    cluster.run(cluster.now_ms + 3_000)
    for number, decision in enumerate(decided):
        shown = [
            cluster.replicas[node].executor.get_state_value(rollup, f"kv/m{number}") is not None
            for node, rollup in ((0, ALPHA), *((EXECUTOR + index, GAMMA) for index in range(3)))
        ]
        assert shown == [decision.status is Status.COMMIT] * 4, (seed, number, decision)
    assert {decision.status for decision in decided} == {Status.COMMIT, Status.ABORT}


def test_I11_what_was_voted_on_is_forgotten_with_the_decision(cluster: SplitCluster) -> None:
    """Counters tell what was kept; tables are empty again."""
    cluster.start_executor(0)
    cluster.start_executor(1)
    bundles = sign_pairs(cluster, 1)
    cluster.submit_all(*bundles)
    cluster.run_until_decided(*bundles)
    cluster.run(cluster.now_ms + 2_000)
    counters = cluster.replicas[0].get_statistics().counters
    assert counters["executor_votes_kept"] >= 2
    assert counters["executor_votes_refused"] == 0
    status = cluster.replicas[EXECUTOR].get_statistics().executor
    assert status is not None
    assert (status.rollup, status.index, status.is_suspended, status.is_frozen) == (GAMMA, 0, False, False)
    assert cluster.replicas[EXECUTOR].get_bounds(at(cluster.now_ms))["bundles_voted"][0] == 0
    assert DELTA not in cluster.replicas[EXECUTOR].executor.runs


def test_R1_nodes_that_restart_on_a_snapshot_with_open_bundles_go_on(cluster: SplitCluster) -> None:
    """A validator takes what is open from it, an executor also the state that only executors keep."""
    for index in range(3):
        cluster.start_executor(index)
    first, then = sign_pairs(cluster, 3), sign_pairs(cluster, 3)
    cluster.submit_all(*first)
    cluster.run_until_decided(*first)
    cluster.submit_all(*then)
    cluster.run(cluster.now_ms + 5_000, lambda: all(cluster.replicas[n].executor.pending for n in (1, EXECUTOR)))
    saved = {
        n: (cluster.replicas[n].executor.take_snapshot(), cluster.replicas[n].executor.header) for n in (1, EXECUTOR)
    }
    cluster.run_until_decided(*then)
    for number, (snapshot, header) in saved.items():
        blocks = tuple(cluster.disks[number].blocks[header.height :])
        recovery = replace(cluster.disks[number].recover(), snapshot=snapshot, snapshot_header=header, blocks=blocks)
        cluster.stop(number) if number < EXECUTOR else cluster.kill_executor(0)
        cluster.start(number, recovery) if number < EXECUTOR else cluster.start_executor(0, recovery)
    (last,) = sign_pairs(cluster, 1)
    cluster.submit_all(last)
    cluster.run_until_decided(last)
    cluster.run(cluster.now_ms + 2_000)
    executors = [cluster.replicas[EXECUTOR + index].executor for index in range(3)]
    assert len({executor.get_state(GAMMA).root for executor in executors}) == 1
    newest = [cluster.replicas[n].executor for n in (0, 1, EXECUTOR)]
    assert get_commitments(e for e in newest if e.height == newest[0].height) == {newest[0].commitment.digest}
