"""Whole replicas over a perfect wire: they agree, whatever their number, and survive deaths. # I1 I5 I9 R1"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sequencer.consensus import block_tree
from sequencer.replica import settling
from sequencer.types import effects as out
from sequencer.types.messages import Hello, Message
from sequencer.types.outcome import Status
from sequencer.types.parameters import Parameters
from sequencer.types.records import RecordKind
from sequencer.types.vote import Certificate, Proposal, VoteKind
from tests.unit.core_world import make_genesis
from tests.unit.replica.world import Cluster, make_bundle


def get_chains(cluster: Cluster) -> list[list[bytes]]:
    return [[block.header.digest for block in cluster.disks[index].blocks] for index in sorted(cluster.disks)]


def assert_prefixes(cluster: Cluster) -> None:
    """Any two chains are prefixes of each other. # I5"""
    longest = max(get_chains(cluster), key=len)
    assert all(chain == longest[: len(chain)] for chain in get_chains(cluster))


def assert_no_contradiction(cluster: Cluster) -> None:
    """No validator ever logged two digests for one thing, nor nullify with finalize. # I9"""
    for disk in cluster.disks.values():
        said: dict[tuple[RecordKind, int], bytes] = {}
        for record in disk.votes:
            assert said.setdefault((record.kind, record.number), record.digest) == record.digest
        nullified = {number for kind, number in said if kind is RecordKind.NULLIFY}
        assert not nullified & {number for kind, number in said if kind is RecordKind.FINALIZE}


def is_executed(cluster: Cluster, *ids: bytes) -> bool:
    """Tell whether every running validator has executed these bundles."""
    return all(not replica.is_pending(i) for replica in cluster.replicas.values() for i in ids) and all(
        set(ids) <= {r.item_id for e in cluster.find(index, out.StoreExecution) for r in e.block.results}
        for index in cluster.replicas
    )


@pytest.mark.parametrize("powers", [(1,), (1, 1), (1, 1, 1), (1, 1, 1, 1), (1,) * 5, (1,) * 7, (3, 2, 1, 1)])
def test_G1_committees_of_every_size_run_and_agree(powers: tuple[int, ...]) -> None:
    """A transaction is executed by all, with one state."""
    cluster = Cluster(make_genesis(powers))
    bundle = make_bundle(cluster.genesis, 0)
    cluster.submit(0, bundle)
    cluster.run(3_000, lambda: is_executed(cluster, bundle.id))
    assert is_executed(cluster, bundle.id)
    assert_prefixes(cluster)


def test_I1_transactions_through_all_lanes_come_out_in_one_order() -> None:
    """Four lanes, one chain, one state."""
    cluster = Cluster()
    bundles = [make_bundle(cluster.genesis, sequence, payer) for payer in range(4) for sequence in range(5)]
    for number, bundle in enumerate(bundles):
        cluster.submit(number % 4, bundle, request=number + 1)
        cluster.run(cluster.now_ms + 7)
    cluster.run(5_000, lambda: is_executed(cluster, *(bundle.id for bundle in bundles)))
    assert is_executed(cluster, *(bundle.id for bundle in bundles))
    assert_prefixes(cluster)
    assert_no_contradiction(cluster)


def test_A6_sequences_sent_to_two_validators_all_take_effect() -> None:
    """What is ordered before its predecessor is queued again."""
    cluster = Cluster()
    bundles = [make_bundle(cluster.genesis, sequence) for sequence in range(6)]
    for bundle in reversed(bundles):
        cluster.submit(bundle.bundle.sequence % 2, bundle, request=bundle.bundle.sequence + 1)
    cluster.run(12_000, lambda: is_executed(cluster, *(bundle.id for bundle in bundles)))
    results = [result for e in cluster.find(3, out.StoreExecution) for result in e.block.results]
    assert [result.status for result in results].count(Status.COMMIT) == 6


def test_I12_one_of_four_dead_does_not_stop_the_others() -> None:
    """Its views are nullified and the others go on."""
    cluster = Cluster()
    cluster.run(500)
    cluster.stop(2)
    before = max(cluster.heights)
    bundle = make_bundle(cluster.genesis, 0)
    cluster.submit(1, bundle)
    cluster.run(8_000, lambda: is_executed(cluster, bundle.id) and min(cluster.heights) > before + 3)
    assert min(cluster.heights) > before + 3
    assert_no_contradiction(cluster)


def test_R1_restarted_validator_signs_nothing_twice_and_goes_on() -> None:
    """Killed in the middle of views, again and again."""
    cluster = Cluster()
    for round_number in range(12):
        cluster.submit(round_number % 4, make_bundle(cluster.genesis, round_number), request=round_number + 1)
        cluster.run(cluster.now_ms + 83)
        cluster.restart(round_number % 4)
    before = min(cluster.heights)
    cluster.run(cluster.now_ms + 5_000, lambda: min(cluster.heights) >= before + 4)
    assert min(cluster.heights) >= before + 4
    assert_no_contradiction(cluster)
    assert_prefixes(cluster)


@pytest.mark.parametrize("kill_ms", [40, 301, 503, 505, 507, 509, 511, 540, 777, 1_003])
def test_R1_all_killed_at_once_resume_with_the_same_chain(kill_ms: int) -> None:
    """Whatever was certified when the power failed stays."""
    cluster = Cluster()
    cluster.submit(0, make_bundle(cluster.genesis, 0))
    cluster.run(kill_ms)
    disks = [cluster.stop(index) for index in range(4)]
    for index, disk in enumerate(disks):
        cluster.start(index, disk.recover())
    before = max(len(disk.blocks) for disk in disks)
    cluster.run(kill_ms + 20_000, lambda: min(cluster.heights) >= before + 3)
    assert min(cluster.heights) >= before + 3
    assert_no_contradiction(cluster)
    assert_prefixes(cluster)


@pytest.mark.parametrize("kill_ms", [301, 505, 509, 777])
def test_R1_all_killed_and_one_stays_dead(kill_ms: int) -> None:
    """Three of four are enough, though the fourth knew a certificate that made them move."""
    cluster = Cluster()
    cluster.submit(0, make_bundle(cluster.genesis, 0))
    cluster.run(kill_ms)
    disks = [cluster.stop(index) for index in range(4)]
    for index in range(3):
        cluster.start(index, disks[index].recover())
    before = max(len(disk.blocks) for disk in disks[:3])
    cluster.run(kill_ms + 30_000, lambda: min(cluster.heights) >= before + 3)
    assert min(cluster.heights) >= before + 3


def test_R2_validator_that_was_away_catches_up() -> None:
    """It asks for what it missed and goes on voting."""
    cluster = Cluster()
    cluster.run(300)
    disk = cluster.stop(3)
    for number in range(20):
        cluster.submit(0, make_bundle(cluster.genesis, number), request=number + 1)
        cluster.run(cluster.now_ms + 400)
    assert min(cluster.heights) > 15
    cluster.start(3, disk.recover())
    cluster.run(cluster.now_ms + 8_000, lambda: cluster.heights[3] >= cluster.heights[0])
    assert cluster.heights[3] >= cluster.heights[0]
    assert_prefixes(cluster)


def test_R2_validator_further_behind_than_headers_are_kept_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It hears of the newest final block first, and nobody has the headers in between in memory any more."""
    monkeypatch.setattr(block_tree, "FINALIZED_HEADERS_MAX", 20)
    cluster = Cluster(indices=(0, 1, 2))
    for number in range(80):
        cluster.submit(0, make_bundle(cluster.genesis, number), request=number + 1)
        cluster.run(cluster.now_ms + 45)
    assert min(cluster.heights) > 60
    cluster.start(3)
    cluster.run(cluster.now_ms + 8_000, lambda: cluster.heights[3] >= cluster.heights[0])
    assert cluster.heights[3] >= cluster.heights[0]
    assert_prefixes(cluster)


def test_R2_restart_from_a_snapshot_goes_on_with_the_same_commitments() -> None:
    """Blocks below the snapshot need not be executed again, nor be there."""
    cluster = Cluster(make_genesis(parameters=Parameters(snapshot_interval_heights=5)))
    for number in range(8):
        cluster.submit(number % 4, make_bundle(cluster.genesis, number // 4, number % 4), request=number + 1)
        cluster.run(cluster.now_ms + 400)
    saved = cluster.find(1, out.SaveSnapshot)[-1]
    above = [block for block in cluster.disks[1].blocks if block.header.height > saved.header.height]
    cluster.restart(1, snapshot=saved.snapshot, snapshot_header=saved.header, blocks=above)
    height = max(cluster.heights)
    cluster.run(cluster.now_ms + 8_000, lambda: min(cluster.heights) > height + 2)
    commitments = [
        {e.block.header.height: e.block.commitment for e in cluster.find(i, out.StoreExecution)} for i in (0, 1)
    ]
    assert min(cluster.heights) > height + 2
    assert all(commitments[0][h] == commitments[1][h] for h in commitments[0].keys() & commitments[1].keys())


def test_R2_restart_without_any_finalization_stands_on_the_view_of_its_snapshot() -> None:
    """Blocks fetched as a range carry one in the last only, older ones are pruned: a snapshot is final."""
    cluster = Cluster(make_genesis(parameters=Parameters(snapshot_interval_heights=5)))
    for number in range(8):
        cluster.submit(number % 4, make_bundle(cluster.genesis, number // 4, number % 4), request=number + 1)
        cluster.run(cluster.now_ms + 400)
    saved = cluster.find(1, out.SaveSnapshot)[-1]
    cluster.restart(
        1,
        snapshot=saved.snapshot,
        snapshot_header=saved.header,
        blocks=(),
        finalization=None,
        finalized_header=None,
    )
    hellos = [send.message for send in cluster.find(1, out.Send) if isinstance(send.message, Hello)]
    assert (hellos[-1].finalized_view, hellos[-1].finalized_digest) == (saved.header.view, saved.header.digest)


def test_R2_full_blocks_bring_snapshots_closer_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart executes few items again, however many a height holds."""
    monkeypatch.setattr(settling, "ITEMS_PER_SNAPSHOT_MAX", 3)
    cluster = Cluster()
    for number in range(8):
        cluster.submit(0, make_bundle(cluster.genesis, number), request=number + 1)
        cluster.run(cluster.now_ms + 400)
    assert len(cluster.find(1, out.SaveSnapshot)) == 2


def test_D1_observer_follows_and_signs_nothing() -> None:
    """With a damaged log a validator serves, and says why."""
    cluster = Cluster()
    cluster.run(800)
    cluster.restart(1, observer_reason="vote log missing")
    logged = len(cluster.disks[1].votes)
    cluster.submit(0, make_bundle(cluster.genesis, 0))
    height = max(cluster.heights)
    cluster.run(cluster.now_ms + 8_000, lambda: cluster.heights[1] > height + 2)
    statistics = cluster.replicas[1].get_statistics()
    assert (cluster.heights[1] > height + 2, len(cluster.disks[1].votes) - logged) == (True, 0)
    assert (statistics.role, statistics.observer_reason) == ("observer", "vote log missing")


def test_L1_own_batch_signed_but_lost_makes_an_observer() -> None:
    """A validator that could sign a position twice signs nothing."""
    cluster = Cluster()
    cluster.submit(1, make_bundle(cluster.genesis, 0))
    cluster.run(1_000, lambda: any(r.kind is RecordKind.OWN_BATCH for r in cluster.disks[1].votes))
    replica = cluster.restart(1, batches=())
    assert "own batch 1 was signed" in (replica.observer_reason or "")


def drop_proposals(share: int) -> Callable[[int, int, Message], bool]:
    """Return a wire that loses every `share`-th proposal and certificate."""
    counted = 0

    def is_dropped(source: int, target: int, message: Message) -> bool:
        nonlocal counted
        if isinstance(message, Proposal | Certificate):
            counted += 1
        return isinstance(message, Proposal | Certificate) and counted % share == 0

    return is_dropped


@pytest.mark.parametrize("share", [3, 5, 7])
def test_I12_lost_proposals_and_certificates_cost_views_and_not_the_chain(share: int) -> None:
    """Header fetch, answers to stale votes and repeated votes make up for it."""
    cluster = Cluster()
    cluster.is_dropped = drop_proposals(share)
    cluster.run(40_000, lambda: min(cluster.heights) >= 8)
    assert min(cluster.heights) >= 8
    assert_prefixes(cluster)
    assert_no_contradiction(cluster)


def test_V12_finalize_votes_exist_only_for_notarized_blocks() -> None:
    """Whoever logged a finalize held the notarization."""
    cluster = Cluster()
    cluster.run(3_000)
    for disk in cluster.disks.values():
        final = {r.number: r.digest for r in disk.votes if r.kind is RecordKind.FINALIZE}
        held = {(c.view, c.digest) for c in disk.certificates if c.kind is VoteKind.NOTARIZE}
        assert set(final.items()) - held == set()
