"""How a validator builds its batches and gets them to everybody. # L1 L2 L2b"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from sequencer.errors import LocalError
from sequencer.lanes.own_lane import REPUSH_BATCHES_MAX, WAITING_BYTES_MAX
from sequencer.types.batch import Batch, decode_payload
from sequencer.types.effects import PersistBatch, PersistVote, Send
from sequencer.types.messages import HaveEntry
from sequencer.types.parameters import BATCH_ITEMS_MAX
from sequencer.types.primitives import Tip
from sequencer.types.records import RecordKind
from tests.unit.core_world import PARAMETERS, VERIFY, at, make_signer, name_digest, tip
from tests.unit.lanes.world import BATCH_MS, FETCH_MS, GROUP, Holder, entry

WINDOW = PARAMETERS.lane_window


def get_batches(holder: Holder) -> list[Batch]:
    return [e.batch for e in holder.effects if isinstance(e, PersistBatch)]


def get_own(holder: Holder, position: int) -> Batch:
    chain = holder.lanes.get_chain(0, Tip(position, find_own(holder, position)), position - 1)
    assert chain is not None
    return chain[0]


def find_own(holder: Holder, position: int) -> bytes:
    cut = holder.lanes.get_proposable_cut(GROUP.root.cut, (position,) * 4, is_calm=True, now_ms=holder.now_ms)
    return cut[0].digest


def test_L1_batch_is_built_when_its_delay_has_passed() -> None:
    """A lone item waits T_BATCH, and the timer says until when."""
    holder = Holder().add(b"a")
    assert (get_batches(holder), holder.lanes.get_timer()) == ([], BATCH_MS)


def test_L1_batch_holds_what_waited_in_order() -> None:
    """The owner's order is the order of arrival."""
    batch = get_batches(Holder().add(b"a").add(b"b", b"c").time(BATCH_MS))[0]
    assert decode_payload(batch.payload) == (b"a", b"b", b"c")


def test_L1_batch_is_signed_by_its_owner_and_counts_from_1() -> None:
    """Others verify exactly this."""
    header, signature = (batch := get_batches(Holder().build())[0]).header, batch.signature
    assert (header.lane, header.position, header.parent, header.item_count) == (0, 1, bytes(32), 1)
    assert VERIFY(make_signer(0).public_key, header.compute_signing_bytes(GROUP.chain_id), signature)


def test_L1_full_target_is_flushed_at_once() -> None:
    """A lane under load does not wait."""
    holder = Holder().add(*[bytes(65_000)] * 3)
    assert [batch.header.item_count for batch in get_batches(holder)] == [3]


def test_L1_batches_stay_within_their_largest_size() -> None:
    """What does not fit waits for the next batch."""
    holder = Holder()
    for number in range(9):
        assert holder.lanes.add_item(name_digest(str(number)), bytes(60_000), at(0))
    sizes = [(len(b.payload) <= PARAMETERS.batch_bytes_max, b.header.item_count) for b in get_batches(holder.take())]
    assert sizes == [(True, 4), (True, 4)]


def test_L1_batch_holds_at_most_4096_items() -> None:
    """A longer payload would hold nothing for anybody."""
    holder = Holder()
    for number in range(BATCH_ITEMS_MAX + 5):
        holder.lanes.add_item(number.to_bytes(32, "big"), b"x", at(0))
    batches = get_batches(holder.time(BATCH_MS)) + get_batches(holder.time(2 * BATCH_MS))
    assert [batch.header.item_count for batch in batches] == [BATCH_ITEMS_MAX, 5]


def test_L1_batch_and_its_record_are_durable_before_the_push() -> None:
    """Nobody may see a batch that its owner could forget."""
    holder = Holder().hello(1).build()
    assert [type(effect) for effect in holder.effects][:3] == [PersistBatch, PersistVote, Send]


def test_L1_record_names_position_and_digest() -> None:
    """After a restart the owner knows what it must not sign again."""
    holder = Holder().build()
    records = [e.record for e in holder.effects if isinstance(e, PersistVote)]
    assert [(r.kind, r.number, r.digest) for r in records] == [(RecordKind.OWN_BATCH, 1, get_batches(holder)[0].digest)]


def test_L1_batches_are_chained() -> None:
    """Each names the one before."""
    holder = Holder().build(2)
    assert get_own(holder, 2).header.parent == get_own(holder, 1).digest


def test_L1_window_full_builds_nothing_more() -> None:
    """At most W_LANE batches are open, and the timer does not spin meanwhile."""
    holder = Holder().build(WINDOW).add(b"late").time(10_000)
    assert (holder.said_position(0), holder.lanes.get_timer()) == (WINDOW, None)


def test_L1_window_opens_when_finality_advances() -> None:
    """What waited is built at once."""
    holder = Holder().build(WINDOW).add(b"late").time(10_000)
    holder.finalize(0, Tip(1, find_own(holder, 1)))
    assert [batch.header.position for batch in get_batches(holder)] == [WINDOW + 1]


def test_L1_restart_goes_on_above_the_newest_signed_batch() -> None:
    """A position is never signed twice."""
    before = get_batches(Holder().build())[0]
    holder = Holder(own_top=tip(before))
    holder.lanes.restore([before])
    batch = get_batches(holder.build())[0]
    assert (batch.header.position, batch.header.parent) == (2, before.digest)


def test_L1_restored_batch_is_logged_before_it_is_pushed() -> None:
    """A crash between the sync of the blocks and that of the vote log leaves a batch without its record."""
    before = get_batches(Holder().build())[0]
    holder = Holder(own_top=tip(before))
    holder.lanes.restore([before])
    holder.hello(1)
    assert [type(e) for e in holder.effects if isinstance(e, PersistVote | Send)] == [PersistVote, Send]
    assert (holder.logged, holder.pushed(1)) == ([1], [1])


def test_L1_restored_batch_of_another_lane_is_not_logged() -> None:
    """The vote log holds what its owner signed."""
    before = get_batches(Holder().build())[0]
    holder = Holder(index=1)
    holder.lanes.restore([before])
    assert holder.take().logged == []


def test_L1_lane_without_room_refuses_items() -> None:
    """Beyond 4 MB the mempool keeps what comes."""
    holder = Holder(own_top=Tip(10_000, name_digest("far")))
    taken = [holder.lanes.add_item(n.to_bytes(32, "big"), bytes(65_000), at(0)) for n in range(70)]
    assert (taken.count(True), taken[-1]) == (WAITING_BYTES_MAX // 65_005 + 1, False)


def test_L1_adding_without_asking_for_room_is_the_callers_error() -> None:
    """The bound cannot be passed by mistake."""
    own = Holder(own_top=Tip(10_000, name_digest("far"))).lanes.own
    assert own is not None
    with pytest.raises(LocalError):  # noqa: PT012 # the bound is reached on the way
        for number in range(100):
            own.add(number.to_bytes(32, "big"), bytes(65_000), 0)


@pytest.mark.parametrize("holder", [Holder(is_owner=False), Holder(index=None)])
def test_D1_whoever_may_not_sign_has_no_lane(holder: Holder) -> None:
    """Observers and followers build nothing."""
    assert not holder.lanes.add_item(name_digest("x"), b"x", at(0))


# --- pushing ----------------------------------------------------------------------------


def test_L2_batch_is_pushed_to_every_connected_peer_once() -> None:
    """Push is the dissemination."""
    holder = Holder().hello(1).hello(3).build()
    first = [holder.pushed(peer) for peer in range(4)]
    assert (first, holder.take().effects) == ([[], [1], [], [1]], [])


def test_L2b_peer_that_connects_later_gets_what_it_lacks_in_order() -> None:
    """HELLO says what the peer holds; the rest follows."""
    holder = Holder().build(5)
    holder.hello(1, HaveEntry(0, 2, find_own(holder, 2)))
    assert holder.pushed(1) == [3, 4, 5]


def test_L2b_reconnected_peer_gets_the_lost_suffix_again() -> None:
    """What was in flight when the connection broke is lost."""
    holder = Holder().hello(1).build(3)
    holder.lanes.on_disconnected(1)
    assert holder.hello(1).pushed(1) == [1, 2, 3]


def test_L2b_repeated_hello_costs_no_second_push() -> None:
    """A peer that greets again and again on one connection is no amplifier."""
    holder = Holder().hello(1).build(10)
    assert [holder.hello(1).pushed(1) for _ in range(5)] == [[]] * 5


def test_L2_disconnected_peer_is_not_pushed_to() -> None:
    """Nothing is sent to whoever is not there, and no timer runs for it."""
    holder = Holder().hello(1).build()
    holder.lanes.on_disconnected(1)
    assert (holder.build().pushed(1), holder.time(60_000).pushed(1)) == ([], [])


def test_L3_push_stays_within_the_receivers_window() -> None:
    """The receiver would discard what lies beyond its finalized position + W_LANE."""
    holder = Holder().hello(1).build(WINDOW)
    holder.finalize(0, Tip(10, find_own(holder, 10)))
    assert holder.build(5).pushed(1) == []


def test_L3_push_goes_on_when_the_receiver_reports_finality() -> None:
    """The receiver's HAVE moves its window."""
    holder = Holder().hello(1).build(WINDOW)
    holder.have(1, entry(get_own(holder, WINDOW))).finalize(0, Tip(10, find_own(holder, 10)))
    holder.build(5).have(1, delivered=(3, 0, 0, 0))
    assert holder.pushed(1) == [WINDOW + 1, WINDOW + 2, WINDOW + 3]


def test_L2b_peer_without_progress_is_pushed_to_again_after_the_retry_time() -> None:
    """A receiver that never says HAVE lost the batch, or lies."""
    holder = Holder().hello(1).build(2)
    sent_ms = holder.now_ms
    assert (holder.time(sent_ms + FETCH_MS - BATCH_MS - 1).pushed(1), holder.time(sent_ms + FETCH_MS).pushed(1)) == (
        [],
        [1, 2],
    )


def test_L2b_repeated_pushes_back_off() -> None:
    """A silent receiver costs less and less: 250 ms doubling up to 32 times that."""
    holder = Holder().hello(1).build()
    times: list[int] = []
    while len(times) < 8:
        timer = holder.lanes.get_timer()
        assert timer is not None
        if holder.time(timer).pushed(1):
            times.append(timer)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]


def test_L2b_repeated_push_is_short() -> None:
    """Whoever makes no progress is not sent the whole window again and again."""
    holder = Holder().hello(1).build(40)
    timer = holder.lanes.get_timer()
    assert timer is not None
    assert len(holder.time(timer).pushed(1)) <= REPUSH_BATCHES_MAX


def test_L2b_progress_resets_the_back_off() -> None:
    """A receiver that says HAVE is slow, not silent."""
    holder = Holder().hello(1).build(2).time(FETCH_MS + 50).time(1_000)
    holder.have(1, entry(get_own(holder, 1)))
    assert holder.lanes.get_timer() == 1_000 + FETCH_MS


def test_L2b_peer_that_has_everything_is_left_alone() -> None:
    """HAVE for the top ends the pushing."""
    holder = Holder().hello(1).build(2)
    holder.have(1, entry(get_own(holder, 2)))
    assert (holder.lanes.get_timer(), holder.time(60_000).pushed(1)) == (None, [])


def test_L2b_what_the_receiver_got_elsewhere_is_not_pushed() -> None:
    """A receiver that fetched ahead of the push window needs only the rest."""
    holder = Holder().hello(1).build(WINDOW)
    holder.finalize(0, Tip(20, find_own(holder, 20)))
    holder.build(10)
    top = get_own(holder, WINDOW + 8)
    assert holder.have(1, entry(top), delivered=(20, 0, 0, 0)).pushed(1) == [WINDOW + 9, WINDOW + 10]


def test_L2b_receiver_that_claims_more_than_exists_hurts_only_itself() -> None:
    """A lie about the top stops no push to others, and new batches still go to the liar."""
    holder = Holder().hello(1).hello(2).build()
    holder.have(1, HaveEntry(0, 2**60, name_digest("lie")))
    holder.build()
    assert (holder.pushed(1), holder.pushed(2)) == ([2], [2])


@pytest.mark.parametrize("act", [lambda h: h, lambda h: h.have(1), lambda h: h.have(1, delivered=(2**60, 0, 0, 0))])
def test_timers_always_move_forward(act: Callable[[Holder], Holder]) -> None:
    """After the work of a timer the next is strictly later, or there is none."""
    holder = act(Holder().hello(1).hello(2).build(3).add(b"x"))
    for _ in range(50):
        timer = holder.lanes.get_timer()
        if timer is None:
            break
        holder.time(max(timer, holder.now_ms))
        after = holder.lanes.get_timer()
        assert after is None or after > holder.now_ms
