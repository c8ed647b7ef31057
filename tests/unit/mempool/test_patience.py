"""What would abort now is held back for two executed heights, then taken in all the same. # A5"""

from __future__ import annotations

from sequencer.types.bundle import Bundle
from sequencer.types.effects import SubmissionStatus
from sequencer.types.item import SignedBundle
from sequencer.types.primitives import Bounds, Digest
from tests.unit.mempool.world import Pool, make_bundle


class ScriptedOutlook:
    """Says no to the bundles that the test names; counts how often it is asked."""

    def __init__(self, *false: SignedBundle) -> None:
        self.false = {bundle.id for bundle in false}
        self.asked: list[Digest] = []
        self.queued: set[Digest] = set()

    def get_bounds(self) -> Bounds:
        return {}

    def passes(self, bundle: Bundle) -> bool:
        self.asked.append(bundle.id)
        if bundle.id in self.false:
            return False
        self.queued.add(bundle.id)
        return True

    def forget(self, bundle_id: Digest) -> None:
        self.queued.discard(bundle_id)


def watch(pool: Pool, heights: int) -> list[int]:
    """Return how many transactions are in the lane now and after each of so many executed heights."""
    counts = [len(pool.laned)]
    for _ in range(heights):
        pool.execute()
        counts.append(len(pool.laned))
    return counts


def test_bundle_that_passes_is_taken_in_at_once() -> None:
    """It is asked once."""
    outlook = ScriptedOutlook()
    pool, bundle = Pool(outlook=outlook), make_bundle()
    pool.submit(bundle)
    assert (pool.laned, outlook.asked) == ([bundle.id], [bundle.id])


def test_bundle_that_would_abort_is_held_back_for_two_heights_then_taken_in() -> None:
    """Its client is told `held`; its abort will be a fact in the log."""
    bundle = make_bundle()
    pool = Pool(outlook=ScriptedOutlook(bundle))
    (answer,) = pool.submit(bundle)
    counts = watch(pool, 3)
    patience = pool.mempool.patience
    assert (answer.status, counts) == (SubmissionStatus.HELD, [0, 0, 1, 1])
    assert (patience.held_back, patience.taken_anyway) == (1, 1)


def test_bundle_that_comes_true_is_taken_in_with_the_next_height() -> None:
    """Two heights are the most, not the least."""
    bundle = make_bundle()
    outlook = ScriptedOutlook(bundle)
    pool = Pool(outlook=outlook)
    pool.submit(bundle)
    outlook.false.clear()
    assert watch(pool, 1) == [0, 1]
    assert pool.mempool.patience.taken_anyway == 0


def test_bundle_is_judged_once_per_height() -> None:
    """Being sent again does not cost more evaluations."""
    bundle = make_bundle()
    outlook = ScriptedOutlook(bundle)
    pool = Pool(outlook=outlook)
    for _ in range(5):
        pool.submit(bundle)
    assert len(outlook.asked) == 1


def test_successor_waits_for_what_is_held_back() -> None:
    """The payer's order stands."""
    first, second = make_bundle(0), make_bundle(1)
    pool = Pool(outlook=ScriptedOutlook(first))
    pool.submit(first, second)
    assert watch(pool, 2) == [0, 0, 2]
    assert pool.laned == [first.id, second.id]


def test_channel_of_bundles_that_would_abort_costs_two_heights_and_not_two_each() -> None:
    """What waited behind another has waited (I13: seeds 948, 2257 and 2622 of n = 4 with one Byzantine)."""
    queue = [make_bundle(sequence) for sequence in range(4)]
    pool = Pool(outlook=ScriptedOutlook(*queue))
    pool.submit(*queue)
    assert watch(pool, 2) == [0, 0, 4]


def test_patience_does_not_cost_a_bundle_its_window() -> None:
    """What soon expires is taken in at once."""
    bundle = make_bundle(valid_until=2)
    pool = Pool(outlook=ScriptedOutlook(bundle))
    pool.submit(bundle)
    assert pool.laned == [bundle.id]


def test_replacement_of_what_is_held_back_goes_its_own_way() -> None:
    """A18: the held one goes, the new one is judged by itself."""
    held, better = make_bundle(label=1), make_bundle(label=2)
    outlook = ScriptedOutlook(held)
    pool = Pool(outlook=outlook)
    pool.submit(held)
    pool.submit(better)
    assert (pool.laned, pool.mempool.size) == ([better.id], 1)


def test_queue_forgets_what_is_executed_and_what_the_lane_had_no_room_for() -> None:
    """Only what is in the lane counts as queued."""
    outlook = ScriptedOutlook()
    pool, bundle = Pool(outlook=outlook), make_bundle()
    pool.has_room = False
    pool.submit(bundle)
    refused = set(outlook.queued)
    pool.has_room = True
    pool.time(50)
    laned = set(outlook.queued)
    pool.execute(bundle, own=(bundle,))
    assert (refused, laned, outlook.queued) == (set(), {bundle.id}, set())
