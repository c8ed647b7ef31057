"""Batches are fetched only if a valid proposal or a final block names them, and by digest. # L6"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.errors import PeerError
from sequencer.lanes.batch_fetch import TRIES_MAX, WANTED_MAX
from sequencer.types.messages import BATCH_REPLY_BATCHES_MAX, Batches, GetBatches
from sequencer.types.primitives import Tip
from tests.unit.core_world import NOBODY, name_digest, tip
from tests.unit.lanes.world import FETCH_MS, GROUP, HAVE_MS, ROOT_CUT, Holder, entry

CHAIN = GROUP.chain(1, 40)
FIVE = CHAIN[:5]


def test_L6_fetch_gives_the_push_its_time_first() -> None:
    """A batch that is on its way anyway is not asked for."""
    holder = Holder()
    holder.lanes.fetch(1, tip(FIVE[4]), ROOT_CUT[1], (1, 2), 0)
    assert (holder.take().asked, holder.time(HAVE_MS).asked) == ([], [(1, FIVE[4].digest), (2, FIVE[4].digest)])


def test_L6_fetch_for_delivery_asks_at_once() -> None:
    """What is final cannot be waited for."""
    holder = Holder()
    holder.lanes.fetch_for_delivery(1, tip(FIVE[4]), 0, (2, 3), 0)
    assert holder.take().asked == [(2, FIVE[4].digest), (3, FIVE[4].digest)]


def test_L6_have_alone_starts_no_fetch() -> None:
    """HAVE is unsigned: whoever could make us fetch by it could make us fetch anything."""
    holder = Holder()
    for peer in (1, 2, 3):
        holder.have(peer, entry(FIVE[4]))
    assert holder.time(10_000).asked == []


def test_L6_held_chain_is_not_asked_for() -> None:
    """Nothing is missing."""
    assert Holder().push(CHAIN[0]).want(tip(CHAIN[0])).asked == []


def test_L6_chain_that_came_meanwhile_is_not_asked_for() -> None:
    """The push was only late."""
    holder = Holder()
    holder.lanes.fetch(1, tip(CHAIN[0]), ROOT_CUT[1], (1, 2), 0)
    assert holder.push(CHAIN[0]).time(HAVE_MS).asked == []


def test_L6_delivery_that_wants_again_what_is_half_there_does_not_ask_again() -> None:
    """Delivery names its tip at every event; the rest of the chain is on its way already."""
    holder = Holder()
    holder.lanes.fetch_for_delivery(1, tip(FIVE[4]), 0, (2, 3), 0)
    holder.take().reply(1, FIVE[4], FIVE[3]).time(0)
    asked_again = []
    for _ in range(3):
        holder.lanes.fetch_for_delivery(1, tip(FIVE[4]), 0, (2, 3), 0)
        asked_again += holder.time(0).asked
    assert asked_again == []


def test_L6_only_the_missing_part_is_asked_for() -> None:
    """The request names the highest missing batch and nothing below the floor."""
    holder = Holder().want(tip(FIVE[4])).reply(1, FIVE[4], FIVE[3])
    requests = holder.sent(1, GetBatches) + holder.sent(2, GetBatches) + holder.sent(3, GetBatches)
    assert {(r.tip_digest, r.low, r.high) for r in requests} == {(FIVE[2].digest, 1, 3)}


def test_I14_batch_that_two_chains_lack_is_asked_for_once_per_retry_time() -> None:
    """Whom the second chain would ask is asked in the turns of the first."""
    holder = Holder()
    holder.lanes.fetch_for_delivery(1, tip(CHAIN[3]), 0, (2, 3), 0)
    holder.lanes.fetch_for_delivery(1, tip(CHAIN[4]), 0, (0,), 0)
    first = [peer for peer, digest in holder.take().asked if digest == CHAIN[3].digest]
    later = [peer for peer, _ in holder.reply(1, CHAIN[4]).asked]
    turns = [[peer for peer, _ in holder.time(FETCH_MS * n).asked] for n in (1, 2)]
    assert (first, later, turns) == ([2, 3], [], [[0, 2], [0, 3]])


def test_I14_batches_of_another_chain_do_not_repeat_a_request() -> None:
    """An owner that forks its lane could make this node ask without bound."""
    fork = GROUP.chain(1, 8, label="fork")
    holder = Holder()
    holder.lanes.fetch_for_delivery(1, tip(CHAIN[7]), 0, (2, 3), 0)
    holder.lanes.fetch_for_delivery(1, tip(fork[7]), 0, (2, 3), 0)
    holder.take()
    asked = [digest for batch in reversed(fork) for _, digest in holder.reply(1, batch).asked]
    assert CHAIN[7].digest not in asked
    assert (2, CHAIN[7].digest) in holder.time(FETCH_MS).asked


def test_L6_long_chain_is_asked_for_in_parts() -> None:
    """One request names at most 16 batches."""
    request = Holder().want(tip(CHAIN[39])).sent(1, GetBatches)[0]
    assert (request.low, request.high) == (40 - BATCH_REPLY_BATCHES_MAX + 1, 40)


def test_L6_peers_rotate_after_the_retry_time() -> None:
    """Two at a time, then the next two."""
    holder = Holder().want(tip(FIVE[4]), sources=(1, 2, 3))
    asked = [[peer for peer, _ in holder.time(HAVE_MS + FETCH_MS * n).asked] for n in (1, 2, 3)]
    assert asked == [[1, 3], [2, 3], [1, 2]]


def test_L6_fetch_nobody_answers_is_given_up() -> None:
    """A tip that nobody has does not stay in the table for ever."""
    holder = Holder().want(tip(FIVE[4]))
    for attempt in range(1, TRIES_MAX + 2):
        holder.time(HAVE_MS + FETCH_MS * attempt)
    assert (holder.asked, holder.lanes.get_timer()) == ([], None)


def test_L6_chain_with_a_batch_at_another_position_is_not_fetched() -> None:
    """A tip that names a held batch of another position can never become whole."""
    holder = Holder().push(CHAIN[0]).push(CHAIN[1])
    assert holder.want(Tip(3, CHAIN[1].digest)).asked == []


def test_L4_fetched_chain_is_vouched_for_when_its_last_hole_closes() -> None:
    """From the top down nothing is promised until all of it is held."""
    holder = Holder().want(tip(FIVE[4])).reply(1, FIVE[4], FIVE[3])
    before = holder.said()
    after = holder.reply(1, FIVE[2], FIVE[1], FIVE[0]).said()
    assert (before, after) == (None, entry(FIVE[4]))


def test_L4_fetched_batches_are_durable_before_the_have() -> None:
    """Fetched or pushed, the promise rests on the disk."""
    holder = Holder().want(tip(FIVE[1])).reply(1, FIVE[1], FIVE[0])
    assert set(holder.persisted) == {FIVE[0].digest, FIVE[1].digest}
    assert [type(effect).__name__ for effect in holder.effects] == ["PersistBatch", "PersistBatch", "Broadcast"]


def test_L6_batches_nobody_asked_for_are_ignored() -> None:
    """An answer must start with a wanted digest."""
    assert Holder().reply(1, *reversed(FIVE)).effects == []


def test_L6_answer_that_starts_below_the_wanted_tip_is_ignored() -> None:
    """The wanted batch itself must be there."""
    assert Holder().want(tip(FIVE[4])).reply(1, FIVE[3], FIVE[2]).persisted == []


FORGED = replace(GROUP.batch(1, 1, items=(b"forged",)), signature=NOBODY)


@pytest.mark.parametrize(
    ("batches", "reason"),
    [
        pytest.param((FORGED,), "wrong signature", id="unsigned"),
        pytest.param((replace(FIVE[0], payload=b"\x90"),), "wrong payload", id="payload"),
    ],
)
def test_L6_wrong_batch_by_fetch_is_the_peers_error(batches: tuple[object, ...], reason: str) -> None:
    """A Byzantine leader cannot put a batch into another's lane, not even by naming it."""
    holder = Holder().want(Tip(1, batches[0].digest))  # type: ignore[attr-defined] # a batch
    with pytest.raises(PeerError, match=reason):
        holder.lanes.on_batches(Batches(1, batches), (0, 0))  # type: ignore[arg-type] # batches, and any instant
    assert (holder.take().effects, holder.said()) == ([], None)


def test_L6_answer_that_is_no_chain_is_the_peers_error() -> None:
    """Each batch must be the parent of the one before."""
    with pytest.raises(PeerError, match="no chain"):
        Holder().want(tip(FIVE[4])).reply(1, FIVE[4], FIVE[2])


def test_L6_batch_signed_for_another_position_than_asked_is_not_kept() -> None:
    """No floor would ever pass it, so it would stay on disk for ever; its owner can sign any number of them."""
    far = GROUP.batch(1, 2**40)
    assert Holder().want(Tip(5, far.digest)).reply(1, far).persisted == []


def test_L6_more_batches_than_asked_for_are_not_kept() -> None:
    """Nothing below the floor that was named."""
    holder = Holder().want(tip(FIVE[4]), floor=tip(FIVE[2])).reply(1, *reversed(FIVE))
    assert holder.persisted == [FIVE[4].digest, FIVE[3].digest]


def test_L6_tip_named_at_a_wrong_position_does_not_stand_in_the_way_of_the_right_one() -> None:
    """A Byzantine leader names the digest first; who names it rightly is served at once."""
    holder = Holder().want(Tip(3, FIVE[0].digest)).want(tip(FIVE[0]))
    assert [request.high for request in holder.sent(1, GetBatches)] == [1]
    assert holder.reply(1, FIVE[0]).persisted == [FIVE[0].digest]


def test_L6_nothing_of_a_forked_lane_is_fetched_for_a_vote() -> None:
    """Its owner can sign forks without end, each of which would be made durable; what is final is fetched still."""
    holder = Holder()
    holder.lanes.freeze(1)
    assert holder.want(tip(FIVE[4])).asked == []
    holder.lanes.fetch_for_delivery(1, tip(FIVE[4]), 0, (2, 3), holder.now_ms)
    assert holder.take().asked == [(2, FIVE[4].digest), (3, FIVE[4].digest)]


def test_L6_answer_under_another_lane_is_ignored_or_refused() -> None:
    """The lane is part of what was asked for."""
    assert Holder().want(tip(FIVE[4])).reply(2, FIVE[4]).effects == []


def test_I11_fetches_are_bounded() -> None:
    """Votes may want at most 64 chains at once."""
    holder = Holder()
    for number in range(WANTED_MAX + 10):
        holder.lanes.fetch(1, Tip(1, name_digest(str(number))), ROOT_CUT[1], (1,), 0)
    assert holder.time(HAVE_MS).lanes.get_bounds(HAVE_MS)["batches_wanted"] == (WANTED_MAX, WANTED_MAX)


def test_O1_fetch_for_delivery_has_room_when_votes_fill_the_table() -> None:
    """A Byzantine leader that names many tips cannot hold delivery back."""
    holder = Holder()
    for number in range(WANTED_MAX + 10):
        holder.lanes.fetch(1, Tip(1, name_digest(str(number))), ROOT_CUT[1], (1,), 0)
    holder.lanes.fetch_for_delivery(1, tip(FIVE[0]), 0, (2,), 0)
    assert holder.take().asked == [(2, FIVE[0].digest)]


# --- answering others -------------------------------------------------------------------


def ask(holder: Holder, lane: int, tip_digest: bytes, low: int, high: int) -> list[int]:
    """Return the positions that are sent to a peer that asks."""
    holder.lanes.on_get_batches(3, GetBatches(lane, tip_digest, low, high))
    return [b.header.position for answer in holder.take().sent(3, Batches) for b in answer.batches]


def hold(count: int) -> Holder:
    holder = Holder()
    for batch in CHAIN[:count]:
        holder.push(batch)
    return holder


def test_L6_request_is_answered_from_the_tip_downwards() -> None:
    """The highest comes first, so the asker can verify each by the one before."""
    assert ask(hold(5), 1, CHAIN[3].digest, 2, 4) == [4, 3, 2]


def test_L6_request_for_what_is_not_held_is_counted_and_not_answered() -> None:
    """Silence, and a counter."""
    holder = hold(2)
    assert (ask(holder, 1, CHAIN[3].digest, 1, 4), holder.lanes.counters.fetches_unanswered) == ([], 1)


def test_L6_request_with_a_wrong_position_is_not_answered() -> None:
    """Digest and position must fit."""
    assert ask(hold(5), 1, CHAIN[3].digest, 1, 5) == []


def test_L6_request_for_an_unknown_lane_is_the_peers_error() -> None:
    """There are as many lanes as validators."""
    with pytest.raises(PeerError, match="does not exist"):
        ask(hold(1), 4, CHAIN[0].digest, 1, 1)


def test_L6_answer_stays_below_the_largest_message() -> None:
    """Large batches are answered in parts."""
    large = GROUP.chain(2, 1)
    for position in range(2, 17):
        large.append(GROUP.batch(2, position, large[-1].digest, [bytes(65_000)] * 4))
    holder = Holder()
    for batch in large:
        holder.push(batch)
    size = sum(len(b.payload) for b in large)
    answered = ask(holder, 2, large[-1].digest, 1, 16)
    assert (size > 3 << 20, answered[0], len(answered) < 17) == (True, 16, True)
