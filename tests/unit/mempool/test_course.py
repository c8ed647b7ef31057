"""What becomes of a transaction that is held: execution, expiry, another try, gossip. # A6"""

from __future__ import annotations

from itertools import pairwise

import pytest

from sequencer.mempool.departures import DEPARTURES_MAX, Departure, Departures, Fate
from sequencer.mempool.mempool import GOSSIP_TRIES_MAX
from sequencer.mempool.ranking import compute_rank
from sequencer.types.item import SignedBundle
from sequencer.types.outcome import Reason, Rejection
from tests.unit.core_world import PARAMETERS, at
from tests.unit.mempool.world import ALICE, BOB, FEE, Pool, make_bundle

GOSSIP_MS = PARAMETERS.gossip_delay_ms
RANK_MS = PARAMETERS.rank_delay_ms


def find_ranked(rank: int, payer: bytes = ALICE) -> SignedBundle:
    """Return a bundle for which validator 0 has this rank."""
    candidates = (make_bundle(0, payer, label=label) for label in range(1, 1_000))
    return next(bundle for bundle in candidates if compute_rank(bundle.id, 0, 4) == rank)


# --- execution --------------------------------------------------------------------------


def test_executed_transaction_leaves() -> None:
    """Its sequence is used."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    pool.execute(bundle, own=(bundle,))
    assert (pool.mempool.holds(bundle.id), pool.mempool.size) == (False, 0)


def test_transaction_whose_sequence_another_used_leaves() -> None:
    """The other validator's copy, or another item of that sequence, was first."""
    pool, bundle = Pool(), make_bundle(0, label=1)
    pool.submit(bundle)
    pool.execute(make_bundle(0, label=2))
    assert pool.mempool.size == 0


def test_A6_transaction_ordered_before_its_predecessor_is_queued_again() -> None:
    """A sequence gap through two lanes costs a second place in the lane, not the transaction."""
    pool = Pool()
    first, second = make_bundle(0), make_bundle(1)
    pool.submit(first, second)
    pool.execute(own=(second,))
    assert (pool.laned, pool.mempool.counters.requeued) == ([first.id, second.id, second.id], 1)


def test_A6_requeued_transaction_waits_for_its_predecessor() -> None:
    """It is not handed to the lane again while its predecessor is not there."""
    pool = Pool()
    second = make_bundle(1)
    pool.accounts.sequences[ALICE, 0] = 1
    pool.submit(second)
    pool.accounts.sequences[ALICE, 0] = 0
    pool.execute(own=(second,))
    before = list(pool.laned)
    pool.execute(make_bundle(0))
    assert (before, pool.laned) == ([second.id], [second.id, second.id])


def test_A17_delivered_transaction_that_cannot_pay_is_not_queued_for_ever() -> None:
    """An item that stays inadmissible would fill the own lane in every block."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    pool.accounts.deposits[ALICE] = FEE - 1
    pool.execute(own=(bundle,))
    assert (pool.laned, pool.mempool.size) == ([bundle.id], 0)


def test_A3_delivered_transaction_for_which_there_was_no_room_leaves() -> None:
    """In the lane again it would be refused again, block after block; its client decides."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    pool.execute(own=(bundle,), full=(bundle,))
    assert (pool.laned, pool.mempool.size) == ([bundle.id], 0)


def test_expired_transaction_leaves() -> None:
    """After its last height it can only be inadmissible."""
    pool = Pool()
    pool.submit(make_bundle(1, valid_until=3))
    sizes = []
    for _ in range(4):
        pool.execute()
        sizes.append(pool.mempool.size)
    assert (sizes, pool.mempool.counters.expired) == ([1, 1, 0, 0], 1)


def test_successor_of_an_expired_transaction_stays() -> None:
    """Another item of the lost sequence may still come."""
    pool = Pool()
    pool.submit(make_bundle(1, valid_until=1), make_bundle(2))
    pool.execute()
    assert pool.mempool.size == 1


def test_A18_what_was_replaced_says_by_what() -> None:
    """Before the lane by the next one sent, in the lane by the one that was ordered; an executed one says nothing."""
    pool = Pool()
    held, better = make_bundle(1, label=1), make_bundle(1, label=2)
    pool.submit(held)
    pool.submit(better)
    first, rival = make_bundle(0, label=3), make_bundle(0, label=4)
    pool.submit(first)
    pool.execute(rival, own=(first,))
    departures = {name: pool.mempool.departures.get(one.id) for name, one in (("held", held), ("first", first))}
    assert departures == {
        "held": Departure(Fate.REPLACED, 0, better.id),
        "first": Departure(Fate.REPLACED, 1, rival.id),
    }
    pool.execute(better, own=(better,))
    assert pool.mempool.departures.get(better.id) is None


def test_what_expired_says_so() -> None:
    """Its window passed before it was ordered."""
    pool, bundle = Pool(), make_bundle(1, valid_until=1)
    pool.submit(bundle)
    pool.execute()
    assert pool.mempool.departures.get(bundle.id) == Departure(Fate.EXPIRED, 1, None)


def test_departures_are_bounded() -> None:
    """The oldest is forgotten."""
    departures = Departures()
    ids = [number.to_bytes(32, "big") for number in range(DEPARTURES_MAX + 1)]
    for one in ids:
        departures.add(one, Departure(Fate.EXPIRED, 1, None))
    assert (departures.size, departures.get(ids[0]), departures.get(ids[1])) == (
        DEPARTURES_MAX,
        None,
        Departure(Fate.EXPIRED, 1, None),
    )


# --- gossip -----------------------------------------------------------------------------


def test_validator_gossips_what_is_not_final_after_the_delay() -> None:
    """A lane that others leave out cannot hold a transaction back."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    pool.time(GOSSIP_MS - 1)
    early = pool.published()
    pool.time(GOSSIP_MS)
    assert (early, pool.published()) == ([], [bundle.item_bytes])


def test_transaction_in_a_lane_that_moves_is_not_gossiped() -> None:
    """Under load finality is late for everybody; copies would make it later."""
    pool = Pool()
    pool.submit(make_bundle())
    pool.mempool.on_lane_moved(at(GOSSIP_MS - 1))
    pool.time(2 * GOSSIP_MS - 2)
    assert pool.published() == []


def test_transaction_in_a_lane_that_came_to_rest_is_gossiped() -> None:
    """T_GOSSIP after its last step a lane counts as left out."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    pool.mempool.on_lane_moved(at(GOSSIP_MS - 1))
    pool.time(GOSSIP_MS)
    pool.time(2 * GOSSIP_MS - 1)
    assert pool.published() == [bundle.item_bytes]


def test_full_node_gossips_at_once() -> None:
    """It has no lane to wait for."""
    pool, bundle = Pool(index=None, has_lane=False), make_bundle()
    pool.submit(bundle)
    pool.time(0)
    assert pool.published() == [bundle.item_bytes]


def test_executed_transaction_is_not_gossiped() -> None:
    """What is final needs nobody."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    pool.execute(bundle, own=(bundle,))
    pool.time(GOSSIP_MS)
    assert pool.published() == []


def test_gossip_is_repeated_a_few_times_and_ever_later() -> None:
    """A transaction that stays behind is not published for ever."""
    pool = Pool()
    pool.submit(make_bundle(1))
    times = []
    for now_ms in range(0, 100_000, 500):
        pool.time(now_ms)
        times.extend([now_ms] * len(pool.published()))
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert (len(times), gaps) == (GOSSIP_TRIES_MAX, [GOSSIP_MS, 2 * GOSSIP_MS])


def test_gossip_disabled_publishes_nothing() -> None:
    """A node may be told to keep silent."""
    pool = Pool(is_gossip=False)
    pool.submit(make_bundle())
    pool.time(100_000)
    assert pool.published() == []


def test_gossiped_transaction_is_not_gossiped_again() -> None:
    """Whoever admitted it repeats it."""
    pool = Pool()
    pool.gossip(make_bundle(1))
    pool.time(100_000)
    assert pool.published() == []


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_gossiped_transaction_is_included_by_rank(rank: int) -> None:
    """Rank 0 includes at once, rank j after j seconds."""
    pool, bundle = Pool(), find_ranked(rank)
    pool.gossip(bundle)
    if rank:
        pool.time(rank * RANK_MS - 1)
        assert pool.laned == []
        pool.time(rank * RANK_MS)
    assert (pool.laned, pool.mempool.counters.gossip_included) == ([bundle.id], 1)


def test_gossiped_transaction_executed_meanwhile_is_not_included() -> None:
    """The validator before in rank did it."""
    pool, bundle = Pool(), find_ranked(2)
    pool.gossip(bundle)
    pool.execute(bundle)
    pool.time(2 * RANK_MS)
    assert pool.laned == []


def test_gossiped_transaction_from_a_client_too_is_included_at_once() -> None:
    """Whoever is asked directly does not wait for its rank."""
    pool, bundle = Pool(), find_ranked(3)
    pool.gossip(bundle)
    pool.submit(bundle)
    assert pool.laned == [bundle.id]


def test_ranks_are_a_permutation_and_differ_by_transaction() -> None:
    """Exactly one validator is first for each transaction, and not always the same."""
    bundles = [make_bundle(label=label) for label in range(1, 41)]
    ranks = [[compute_rank(bundle.id, index, 4) for index in range(4)] for bundle in bundles]
    assert all(sorted(row) == [0, 1, 2, 3] for row in ranks)
    assert {row.index(0) for row in ranks} == {0, 1, 2, 3}


def test_wrong_gossip_is_dropped_in_silence() -> None:
    """Nobody waits for it; it is counted."""
    pool = Pool()
    pool.gossip(Rejection(Reason.MALFORMED, "item"), make_bundle(99))
    assert (pool.mempool.size, pool.mempool.counters.gossip_received, pool.answers()) == (0, 2, [])


# --- timers and bounds ------------------------------------------------------------------


def test_timers_always_move_forward() -> None:
    """After the work of a timer the next is strictly later, or there is none."""
    pool = Pool()
    pool.has_room = False
    pool.submit(make_bundle(0), make_bundle(1))
    pool.gossip(find_ranked(3, BOB))
    for _ in range(200):
        timer = pool.mempool.get_timer()
        assert timer is not None
        pool.time(max(timer, pool.now_ms))
        after = pool.mempool.get_timer()
        assert after is None or after > pool.now_ms


def test_I11_executed_transactions_leave_no_trace() -> None:
    """Thousands that come and go leave the tables as small as before."""
    pool = Pool()
    for sequence in range(3_000):
        bundle = make_bundle(sequence)
        pool.submit(bundle)
        pool.batch(bundle)
        pool.execute(bundle, own=(bundle,))
    assert count_references(pool) < 3_000


def count_references(pool: Pool) -> int:
    """Return how many elements the mempool's own tables have, whatever they are called."""
    seen: set[int] = set()
    total = 0
    waiting: list[object] = [vars(pool.mempool)]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or value is pool.accounts:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            total += len(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            total += len(value)
        elif hasattr(value, "__dict__"):
            waiting.append(vars(value))
    return total
