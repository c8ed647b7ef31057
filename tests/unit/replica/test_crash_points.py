"""Killed after any single effect, a validator comes back, contradicts nothing and goes on. # D1 R1 I9"""

from __future__ import annotations

import pytest

from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.batch import Batch
from sequencer.types.parameters import Parameters
from sequencer.types.records import RecordKind
from sequencer.types.vote import VoteKind
from tests.unit.core_world import Group, make_genesis
from tests.unit.replica.test_cluster import assert_no_contradiction, assert_prefixes, is_executed
from tests.unit.replica.world import Cluster, make_bundle


def run_until_death(victims: tuple[int, ...], effect_count: int) -> Cluster:
    """Let validators die each after so many effects, in the middle of whatever turn that is."""
    cluster = Cluster()
    for victim in victims:
        cluster.effects_left[victim] = effect_count + 5 * victim
    for number in range(8):
        if number % 4 in cluster.replicas:
            cluster.submit(number % 4, make_bundle(cluster.genesis, number // 4, number % 4), request=number + 1)
        cluster.run(cluster.now_ms + 45)
    cluster.run(cluster.now_ms + 1_000)
    return cluster


@pytest.mark.parametrize("effect_count", range(1, 160, 6))
def test_R1_validator_killed_after_any_effect_contradicts_nothing(effect_count: int) -> None:
    """What was not performed is lost, what was performed stays."""
    cluster = run_until_death((0,), effect_count)
    cluster.restart(0)
    before = max(cluster.heights)
    cluster.run(cluster.now_ms + 6_000, lambda: min(cluster.heights) > before + 1)
    assert min(cluster.heights) > before + 1
    assert_no_contradiction(cluster)
    assert_prefixes(cluster)


@pytest.mark.parametrize("effect_count", range(20, 200, 18))
def test_R1_all_killed_in_the_middle_of_their_turns_go_on(effect_count: int) -> None:
    """All at nearly the same time, each at another point, and then all come back."""
    cluster = run_until_death((0, 1, 2, 3), effect_count)
    recoveries = [cluster.stop(index).recover() for index in range(4)]
    for index, recovery in enumerate(recoveries):
        cluster.start(index, recovery)
    before = max(cluster.heights)
    cluster.run(cluster.now_ms + 30_000, lambda: min(cluster.heights) > before + 1)
    assert min(cluster.heights) > before + 1
    assert_no_contradiction(cluster)
    assert_prefixes(cluster)


@pytest.mark.parametrize("size", [1, 4])
def test_P4_without_a_pace_every_turn_still_ends(size: int) -> None:
    """With T_PACE 0 blocks follow each other as fast as messages travel, or as there is something to order."""
    cluster = Cluster(make_genesis((1,) * size, Parameters(pace_ms=0, batch_delay_ms_max=1)))
    bundles = [make_bundle(cluster.genesis, sequence, payer) for payer in range(4) for sequence in range(16)]
    cluster.submit(0, *bundles)
    cluster.run(5_000, lambda: is_executed(cluster, *(bundle.id for bundle in bundles)))
    assert is_executed(cluster, *(bundle.id for bundle in bundles))


def test_C2_alarm_ends_all_signing() -> None:
    """After a contradiction no vote, no batch and no commitment is signed."""
    group = Group()
    cluster = Cluster()
    cluster.run(600)
    view = cluster.replicas[0].get_statistics().view + 50
    for kind in (VoteKind.NULLIFY, VoteKind.FINALIZE):
        digest = bytes(32) if kind is VoteKind.NULLIFY else group.root.digest
        cluster.handle(0, events.MessageReceived(1, group.certify(kind, view, digest, (1, 2, 3))))
    cluster.turns.clear()
    cluster.submit(0, make_bundle(cluster.genesis, 0))
    cluster.run(6_000)
    statistics = cluster.replicas[0].get_statistics()
    assert (statistics.alarm is not None, statistics.role) == (True, "observer")
    assert [RecordKind(e.record.kind) for e in cluster.find(0, out.PersistVote)] == []
    assert not [e for e in cluster.find(0, out.Send) if isinstance(e.message, Batch)]
