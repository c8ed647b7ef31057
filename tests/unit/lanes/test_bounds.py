"""What peers can make the lanes keep and ask is bounded, and `get_bounds` says how near that is. # I11 L3 L6"""

from __future__ import annotations

import pytest

from sequencer.lanes import held
from sequencer.lanes.batch_fetch import REQUESTS_PER_PEER_MAX, WANTED_MAX, BatchFetch
from sequencer.lanes.lane import BATCH_OVERHEAD_BYTES, FORK_BATCHES_MAX, REORDER_MAX
from sequencer.types.messages import HaveEntry
from sequencer.types.primitives import Tip
from tests.unit.core_world import PARAMETERS, name_digest, tip
from tests.unit.lanes.world import GROUP, Holder, entry

CHAIN = GROUP.chain(1, 90)


def test_I11_pushed_batches_fill_the_window_of_their_lane() -> None:
    """W_LANE + W_SLACK batches and four early ones, and nothing of what follows."""
    holder = Holder()
    for batch in CHAIN:
        holder.push(batch)
    fork = GROUP.chain(2, 80, "gap")
    for batch in fork[1:]:
        holder.push(batch)
    bounds = holder.lanes.get_bounds(0)
    window = PARAMETERS.lane_window + PARAMETERS.lane_window_slack
    assert (bounds["lane_chain"], bounds["lane_early"]) == ((window, window), (REORDER_MAX, REORDER_MAX))


def make_tight_holder(monkeypatch: pytest.MonkeyPatch, batches: int) -> Holder:
    """Return validator 0 with memory for so many small batches per lane beside the room for the largest."""
    size = len(CHAIN[0].payload) + BATCH_OVERHEAD_BYTES + 1
    monkeypatch.setattr(held, "MEMORY_BYTES_MAX", 4 * (batches * size + PARAMETERS.batch_bytes_max))
    return Holder()


def test_L3_early_batches_leave_room_for_the_one_they_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """LANE_MEM holds two of them beside the largest batch; when the gap closes all of them stand on the chain."""
    holder = make_tight_holder(monkeypatch, 2)
    for batch in CHAIN[1:5]:
        holder.push(batch)
    assert (holder.lanes.get_bounds(0)["lane_early"][0], holder.lanes.counters.batches_over_budget) == (2, 2)
    assert holder.push(CHAIN[0]).said_position() == 3


def test_L3_batch_beyond_the_share_of_memory_comes_again_after_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused while the lane's share is full of undelivered ones."""
    monkeypatch.setattr(held, "MEMORY_BYTES_MAX", 4 * 3 * (len(CHAIN[0].payload) + BATCH_OVERHEAD_BYTES))
    holder = Holder()
    for batch in CHAIN[:4]:
        holder.push(batch)
    seen, bound = holder.lanes.get_bounds(0)["lane_pushed_bytes"]
    assert (seen, holder.said_position(), holder.lanes.counters.batches_over_budget) == (bound, 3, 1)
    holder.finalize(1, tip(CHAIN[0]))
    cut = tuple(tip(CHAIN[0]) if lane == 1 else Tip(0, bytes(32)) for lane in range(4))
    holder.lanes.on_delivered(cut)
    assert holder.push(CHAIN[3]).said_position() == 4


def test_L6_one_peer_is_asked_at_most_so_much_at_once() -> None:
    """The rest waits T_FETCH; progress on one makes room."""
    fetch = BatchFetch(250)
    for number in range(WANTED_MAX + 5):
        fetch.want(1, Tip(1, name_digest(str(number))), 0, (2,), 0)
    sends = fetch.poll(lambda lane, wanted, floor: wanted, 0)
    assert ([send.peer for send in sends], fetch.refused) == ([2] * REQUESTS_PER_PEER_MAX, 5)
    assert (fetch.count_requests(1)[2], fetch.postponed) == (REQUESTS_PER_PEER_MAX, WANTED_MAX - REQUESTS_PER_PEER_MAX)


def test_I11_words_of_a_peer_and_forks_stay_within_their_bounds() -> None:
    """A thousand HAVEs and fetched forks push out their own kind."""
    holder = Holder()
    for number in range(1, 200):
        holder.have(2, HaveEntry(3, number, name_digest(str(number))))
    for number in range(FORK_BATCHES_MAX + 10):
        far = GROUP.batch(1, 7, name_digest(str(number)))
        holder.want(tip(far)).reply(1, far).give_up()
    bounds = holder.have(3, entry(CHAIN[0])).lanes.get_bounds(holder.now_ms)
    assert bounds["lane_forks"] == (FORK_BATCHES_MAX, FORK_BATCHES_MAX)
    assert bounds["have_heard_per_peer"][0] == bounds["have_heard_per_peer"][1]
    assert all(seen <= bound for seen, bound in bounds.values()), bounds
