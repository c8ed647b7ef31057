"""Networks that break and heal: no fork while they are broken, progress when they are whole. # I1 I12 L2b F5"""

from __future__ import annotations

from itertools import combinations

import pytest

from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.replica import Replica
from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.item import check_items
from sequencer.types.outcome import Status
from tests.unit.core_world import VERIFY, at, make_genesis
from tests.unit.replica.test_cluster import assert_no_contradiction, assert_prefixes
from tests.unit.replica.world import Cluster, make_bundle

ALL = tuple(combinations(range(4), 2))
HALVES = ((0, 2), (0, 3), (1, 2), (1, 3))
ALONE = ((0, 1), (0, 2), (0, 3))
BRIDGE = ((0, 1), (0, 2), (1, 2))
"""Only validator 3 is connected with anybody."""


def count_committed(cluster: Cluster, index: int) -> int:
    results = [r for e in cluster.find(index, out.StoreExecution) for r in e.block.results]
    return sum(result.status is Status.COMMIT for result in results)


@pytest.mark.parametrize("pairs", [HALVES, ALL, BRIDGE], ids=["halves", "all", "bridge"])
def test_I12_partition_without_strong_power_stops_and_resumes(pairs: tuple[tuple[int, int], ...]) -> None:
    """Nobody finalizes anything meanwhile; afterwards everything that was accepted is executed."""
    cluster = Cluster()
    cluster.run(700)
    cluster.cut(*pairs)
    for number in range(4):
        cluster.submit(number, make_bundle(cluster.genesis, 0, number), request=number + 1)
    cluster.run(1_000)
    before = max(cluster.heights)
    cluster.run(15_000)
    during = max(cluster.heights)
    cluster.heal()
    cluster.run(90_000, lambda: min(count_committed(cluster, i) for i in range(4)) == 4)
    assert during <= before + 1
    assert [count_committed(cluster, index) for index in range(4)] == [4] * 4
    assert_prefixes(cluster)
    assert_no_contradiction(cluster)


def test_I12_validator_alone_lets_the_others_go_on_and_joins_again() -> None:
    """What the lone one accepted is executed after it is back."""
    cluster = Cluster()
    cluster.run(600)
    cluster.cut(*ALONE)
    cluster.submit(0, make_bundle(cluster.genesis, 0))
    before = cluster.heights[1]
    cluster.run(8_000)
    assert cluster.heights[1] > before + 3
    cluster.heal()
    cluster.run(30_000, lambda: count_committed(cluster, 1) == 1 and cluster.heights[0] >= cluster.heights[1] - 1)
    assert count_committed(cluster, 0) == count_committed(cluster, 1) == 1
    assert_no_contradiction(cluster)


@pytest.mark.parametrize("pair", [(0, 1), (1, 3), (2, 3)])
def test_I12_one_broken_link_costs_hardly_anything(pair: tuple[int, int]) -> None:
    """Two validators that never hear each other are both heard by the others."""
    cluster = Cluster()
    cluster.cut(pair)
    for number in range(4):
        cluster.submit(number, make_bundle(cluster.genesis, 0, number), request=number + 1)
    cluster.run(40_000, lambda: min(count_committed(cluster, i) for i in range(4)) == 4)
    assert [count_committed(cluster, index) for index in range(4)] == [4] * 4
    assert_prefixes(cluster)


def test_L2b_lane_full_behind_a_partition_flows_off_afterwards() -> None:
    """More than a window of batches waits in one lane; all of them are executed after the healing."""
    cluster = Cluster()
    cluster.run(600)
    cluster.cut(*ALL)
    for sequence in range(90):
        payer, number = sequence % 4, sequence // 4
        cluster.submit(0, make_bundle(cluster.genesis, number, payer), request=sequence + 1)
        cluster.run(cluster.now_ms + 25)
    cluster.heal()
    cluster.run(60_000, lambda: count_committed(cluster, 3) >= 68)
    assert count_committed(cluster, 3) >= 68  # of each payer 17 are admitted at once
    assert_prefixes(cluster)


def test_I12_links_that_flap_all_the_time_do_not_stop_the_chain() -> None:
    """Each connection breaks again and again, with all that is under way."""
    cluster = Cluster()
    for number in range(120):
        cluster.cut(ALL[number % 6])
        cluster.run(cluster.now_ms + 60)
        cluster.heal()
        cluster.run(cluster.now_ms + 40)
    assert min(cluster.heights) >= 8
    assert_prefixes(cluster)
    assert_no_contradiction(cluster)


def test_full_node_holds_and_gossips_and_keeps_its_timers_moving() -> None:
    """Without an index there is no vote, no lane and no batch, only gossip."""
    genesis = make_genesis()
    replica = Replica(ReplicaConfig(genesis, None, None, VERIFY))
    effects = list(replica.start(at(0)))
    bundle = make_bundle(genesis, 0)
    effects += replica.handle(events.ItemsSubmitted(1, (bundle.item_bytes,)), at(1))
    check = next(e for e in effects if isinstance(e, out.CheckItems))
    effects += replica.handle(
        events.ItemsChecked(check.request, check_items(check.items, genesis.item_rules, VERIFY)), at(2)
    )
    now_ms = 2
    for _ in range(20):
        timer = replica.get_timer()
        if timer is None:
            break
        assert timer > now_ms or now_ms == 2
        now_ms = max(timer, now_ms)
        effects += replica.handle(events.TimerFired(), at(now_ms))
    kinds = {type(effect) for effect in effects}
    assert kinds == {out.CheckItems, out.Answer, out.PublishItems}
    assert replica.get_statistics().role == "full"
