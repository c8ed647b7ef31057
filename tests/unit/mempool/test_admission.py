"""What a mempool takes in, what it refuses and why, and when it answers. # A3 A6 A18"""

from __future__ import annotations

import pytest

from sequencer.mempool import mempool as module
from sequencer.mempool.answers import REQUESTS_MAX, WAIT_MS_MAX
from sequencer.types.effects import SubmissionStatus
from sequencer.types.outcome import Reason, Rejection
from tests.unit.core_world import PARAMETERS
from tests.unit.mempool.world import ALICE, BOB, FEE, Pool, make_bundle

ACCEPTED, HELD, REJECTED = SubmissionStatus.ACCEPTED, SubmissionStatus.HELD, SubmissionStatus.REJECTED


def get_reason(pool: Pool, **fields: int) -> Reason | None:
    """Return why a bundle is refused, or None."""
    answers = pool.submit(make_bundle(**fields))  # type: ignore[arg-type] # only numbers are changed
    return answers[0].rejection.reason if answers and answers[0].rejection else None


def test_admitted_transaction_goes_into_the_lane_at_once() -> None:
    """The push of the lane is its dissemination."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    assert pool.laned == [bundle.id]


def test_accepted_is_said_only_after_the_batch() -> None:
    """Until the own batch is durable nobody is told anything."""
    pool, bundle = Pool(), make_bundle()
    before = pool.submit(bundle)
    after = pool.batch(bundle)
    assert (before, [s.status for s in after[0].submissions]) == ([], [ACCEPTED])


def test_request_of_many_is_answered_once_in_order() -> None:
    """One answer per request, one submission per item."""
    pool = Pool()
    bundles = [make_bundle(sequence) for sequence in range(3)]
    wrong = Rejection(Reason.BAD_SIGNATURE, "item.signatures[0]")
    pool.submit(bundles[0], wrong, *bundles[1:])
    pool.batch(*bundles[1:])
    answer = pool.batch(bundles[0])[0]
    assert [s.status for s in answer.submissions] == [ACCEPTED, REJECTED, ACCEPTED, ACCEPTED]


def test_batch_that_takes_too_long_is_answered_held() -> None:
    """A client waits at most a second."""
    pool = Pool()
    pool.submit(make_bundle())
    pool.time(WAIT_MS_MAX)
    assert [s.status for answer in pool.answers() for s in answer.submissions] == [HELD]


def test_answer_that_timed_out_is_not_given_again() -> None:
    """One answer per request, though the batch comes later."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    pool.time(WAIT_MS_MAX)
    pool.answers()
    assert pool.batch(bundle) == []


def test_two_clients_with_the_same_transaction_are_both_answered() -> None:
    """The second one waits for the same batch."""
    pool, bundle = Pool(), make_bundle()
    pool.submit(bundle)
    pool.submit(bundle)
    assert (len(pool.batch(bundle)), pool.laned) == (2, [bundle.id])


def test_successor_without_its_predecessor_is_held() -> None:
    """It waits for the sequence before it."""
    pool = Pool()
    assert ([s.status for s in pool.submit(make_bundle(1))], pool.laned) == ([HELD], [])


def test_predecessor_takes_its_successors_with_it() -> None:
    """They go into the lane in the payer's order."""
    pool = Pool()
    late = [make_bundle(2), make_bundle(1)]
    pool.submit(*late)
    first = make_bundle(0)
    pool.submit(first)
    assert pool.laned == [first.id, late[1].id, late[0].id]


def test_A6_16_successors_are_held_and_a_17th_is_refused() -> None:
    """At most 16 wait beyond the next one."""
    pool = Pool()
    assert (get_reason(pool, sequence=16), get_reason(pool, sequence=17)) == (None, Reason.QUEUE_FULL)


def test_A6_channels_are_independent() -> None:
    """A gap in one channel holds no other back."""
    pool = Pool()
    pool.submit(make_bundle(1, channel=0))
    other = make_bundle(0, channel=1)
    pool.submit(other)
    assert pool.laned == [other.id]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"sequence": 4}, Reason.SEQUENCE_USED),
        ({"sequence": 5, "valid_until": 7}, Reason.EXPIRED),
        ({"sequence": 5, "valid_from": 9}, Reason.NOT_YET_VALID),
        ({"sequence": 5}, None),
    ],
)
def test_A3_stateful_checks_refuse_with_their_reason(fields: dict[str, int], reason: Reason | None) -> None:
    """What would be inadmissible in the next block is refused now."""
    pool = Pool()
    pool.accounts.height, pool.accounts.sequences[ALICE, 0] = 7, 5
    assert get_reason(pool, **fields) is reason


def test_A17_deposit_must_cover_what_waits_before_it() -> None:
    """Two fees do not come out of a deposit for one."""
    pool = Pool()
    pool.accounts.deposits[ALICE] = 2 * FEE - 1
    assert (get_reason(pool, sequence=0), get_reason(pool, sequence=1)) == (None, Reason.UNFUNDED)


def test_A17_deposit_must_cover_what_waits_in_other_channels() -> None:
    """Sixteen channels do not make one deposit sixteen."""
    pool = Pool()
    pool.accounts.deposits[ALICE] = 2 * FEE - 1
    assert (get_reason(pool, channel=3), get_reason(pool, channel=4)) == (None, Reason.UNFUNDED)


@pytest.mark.parametrize("missing", [0, 1])
def test_A17_deposit_must_cover_what_undecided_ones_may_cost(missing: int) -> None:
    """What waits for a split rollup keeps rent for every height that it may wait."""
    pool, within = Pool(), 10
    rent = PARAMETERS.fee_per_rollup_height * within
    pool.accounts.deposits[ALICE] = FEE + rent + FEE - missing
    pool.submit(make_bundle(0, decide_within=within))
    assert get_reason(pool, sequence=1) == (Reason.UNFUNDED if missing else None)


def test_A18_replacement_while_held_drops_the_older() -> None:
    """A payer cancels by another item of the same sequence."""
    pool = Pool()
    older, newer = make_bundle(1, label=1), make_bundle(1, label=2)
    pool.submit(older)
    pool.submit(newer)
    assert (pool.mempool.holds(older.id), pool.mempool.holds(newer.id)) == (False, True)


def test_A18_replacement_does_not_count_twice_against_the_deposit() -> None:
    """Only one of the two can ever be executed."""
    pool = Pool()
    pool.accounts.deposits[ALICE] = 2 * FEE
    pool.submit(make_bundle(0), make_bundle(1, label=1))
    assert get_reason(pool, sequence=1, label=2) is None


def test_A18_replacement_after_the_lane_leaves_nothing_behind() -> None:
    """Whichever of the two comes first, both are gone when the sequence is used."""
    pool = Pool()
    older, newer = make_bundle(0, label=1), make_bundle(0, label=2)
    pool.submit(older)
    pool.submit(newer)
    pool.execute(older, own=(older,))
    assert pool.mempool.size == 0


def test_A18_one_sequence_does_not_fill_the_lane() -> None:
    """Of many items of one sequence all but one are free of charge, so only a few are taken."""
    pool = Pool()
    reasons = [get_reason(pool, label=label) for label in range(1, 5)]
    assert (reasons, len(pool.laned)) == ([None, None, Reason.QUEUE_FULL, Reason.QUEUE_FULL], 2)


def test_pool_full_of_transactions_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The count is bounded, and what leaves makes room."""
    monkeypatch.setattr(module, "ENTRIES_MAX", 2)
    pool = Pool()
    first = make_bundle(0)
    pool.submit(first, make_bundle(1))
    refused = get_reason(pool, sequence=2)
    pool.execute(first, own=(first,))
    assert (refused, get_reason(pool, sequence=2)) == (Reason.QUEUE_FULL, None)


def test_pool_full_of_bytes_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are bounded too."""
    monkeypatch.setattr(module, "BYTES_MAX", len(make_bundle().item_bytes))
    pool = Pool()
    assert (get_reason(pool, sequence=0), get_reason(pool, sequence=1)) == (None, Reason.QUEUE_FULL)


def test_requests_that_wait_are_bounded() -> None:
    """The oldest is answered `held` when one too many waits."""
    pool = Pool()
    bundle = make_bundle()
    for _ in range(REQUESTS_MAX):
        pool.submit(bundle)
    pool.submit(bundle)
    pool.mempool.on_batched([])
    assert len(pool.batch(bundle)) == REQUESTS_MAX


def test_lane_without_room_is_tried_again_soon() -> None:
    """The transaction is held, and the timer says when it is tried again."""
    pool, bundle = Pool(), make_bundle()
    pool.has_room = False
    status = [s.status for s in pool.submit(bundle)]
    pool.has_room = True
    pool.time(module.LANE_RETRY_MS)
    assert (status, pool.laned) == ([HELD], [bundle.id])


def test_node_without_a_lane_holds_and_gossips() -> None:
    """With `--lane-off` or on a full node nothing is accepted, only held."""
    pool = Pool(index=None, has_lane=False)
    assert [s.status for s in pool.submit(make_bundle())] == [HELD]


def test_rejections_are_counted() -> None:
    """The statistics tell admitted and rejected apart."""
    pool = Pool()
    pool.submit(make_bundle(0), make_bundle(40), Rejection(Reason.MALFORMED, "item"))
    assert (pool.mempool.counters.admitted, pool.mempool.counters.rejected) == (1, 2)


def test_payers_do_not_wait_for_each_other() -> None:
    """A gap of one payer holds nobody else back."""
    pool = Pool()
    pool.submit(make_bundle(1, ALICE))
    bundle = make_bundle(0, BOB)
    pool.submit(bundle)
    assert pool.laned == [bundle.id]
