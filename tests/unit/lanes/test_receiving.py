"""What a validator takes from a lane's owner, and what it then says it has. # L3 L4"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.errors import PeerError
from sequencer.lanes.lane import FORK_BATCHES_MAX, REORDER_MAX
from sequencer.types.effects import Broadcast, PersistBatch
from sequencer.types.messages import Have
from sequencer.types.primitives import Tip
from tests.unit.core_world import NOBODY, PARAMETERS, name_digest, tip
from tests.unit.lanes.world import GROUP, HAVE_MS, Holder, entry

CHAIN = GROUP.chain(1, 90)
WINDOW = PARAMETERS.lane_window + PARAMETERS.lane_window_slack


def test_L3_pushed_batch_is_made_durable_and_vouched_for() -> None:
    """A right batch is persisted, and HAVE names it."""
    holder = Holder().push(CHAIN[0])
    assert (holder.persisted, holder.said()) == ([CHAIN[0].digest], entry(CHAIN[0]))


def test_L4_have_comes_behind_the_effect_that_makes_it_true() -> None:
    """In one turn the batch is made durable before anybody hears of it."""
    effects = Holder().push(CHAIN[0]).effects
    kinds = [type(e.message) if isinstance(e, Broadcast) else type(e) for e in effects]
    assert kinds == [PersistBatch, Have]


@pytest.mark.parametrize(
    ("batch", "peer", "reason"),
    [
        pytest.param(CHAIN[0], 2, "pushed a batch of lane 1", id="another's lane"),
        pytest.param(replace(CHAIN[0], header=replace(CHAIN[0].header, epoch=1)), 1, "epoch 1", id="epoch"),
        pytest.param(replace(CHAIN[0], signature=NOBODY), 1, "wrong signature", id="signature"),
        pytest.param(replace(CHAIN[0], payload=b"\x90"), 1, "wrong payload", id="payload"),
        pytest.param(
            replace(CHAIN[0], header=replace(CHAIN[0].header, item_count=2)), 1, "wrong signature", id="header changed"
        ),
        pytest.param(GROUP.batch(1, 1, items=[bytes(65_000)] * 5), 1, "wrong payload", id="above B_MAX"),
    ],
)
def test_L3_wrong_batch_is_the_peers_error_and_leaves_nothing(batch: object, peer: int, reason: str) -> None:
    """Each thing that a batch must be is checked."""
    holder = Holder()
    with pytest.raises(PeerError, match=reason):
        holder.push(batch, peer)  # type: ignore[arg-type] # a batch, whatever parametrize thinks
    assert (holder.take().effects, holder.said()) == ([], None)


@pytest.mark.parametrize(("floor", "position", "is_kept"), [(0, WINDOW, True), (0, WINDOW + 1, False), (5, 5, False)])
def test_L3_batch_outside_the_window_is_discarded_and_counted(floor: int, position: int, is_kept: bool) -> None:
    """The window begins above the finalized position and is W_LANE + W_SLACK wide."""
    holder = Holder()
    if floor:
        holder.finalize(1, tip(CHAIN[floor - 1]))
    holder.push(CHAIN[position - 1])
    assert holder.lanes.counters.batches_out_of_window == (0 if is_kept else 1)


def test_L3_batch_pushed_twice_is_kept_once() -> None:
    """A repeated push changes nothing."""
    holder = Holder().push(CHAIN[0])
    assert holder.push(CHAIN[0]).persisted == []


def test_L3_X5_second_digest_for_a_position_is_not_stored() -> None:
    """An owner that forks its lane is heard once."""
    holder = Holder().push(CHAIN[0])
    holder.push(GROUP.batch(1, 1, items=(b"fork",)))
    assert (holder.persisted, holder.said(), holder.lanes.counters.batches_refused) == ([], entry(CHAIN[0]), 1)


def test_L4_gap_is_not_vouched_for() -> None:
    """A batch without its parent is neither durable nor in any HAVE."""
    holder = Holder().push(CHAIN[0]).push(CHAIN[2])
    assert (holder.persisted, holder.said()) == ([], entry(CHAIN[0]))


def test_L3_early_batches_follow_when_their_parent_comes() -> None:
    """The reorder buffer is emptied in order."""
    holder = Holder().push(CHAIN[3]).push(CHAIN[1]).push(CHAIN[2]).push(CHAIN[0])
    assert (holder.persisted, holder.said()) == ([b.digest for b in CHAIN[:4]], entry(CHAIN[3]))


def test_L3_reorder_buffer_is_bounded() -> None:
    """Of many early batches only four wait; the owner pushes the others again."""
    holder = Holder()
    for batch in CHAIN[1 : REORDER_MAX + 3]:
        holder.push(batch)
    assert holder.lanes.counters.batches_refused == 2


def test_L3_early_batch_follows_when_its_parent_comes_by_fetch() -> None:
    """It does not matter by which way the hole is closed."""
    holder = Holder().push(CHAIN[0]).push(CHAIN[2])
    holder.want(tip(CHAIN[1]), floor=tip(CHAIN[0])).reply(1, CHAIN[1])
    assert holder.said() == entry(CHAIN[2])


def test_L3_early_batch_follows_when_its_parent_becomes_final() -> None:
    """What is final is decided: the next batch stands right above it."""
    holder = Holder().push(CHAIN[2]).finalize(1, tip(CHAIN[1]))
    assert holder.said() == entry(CHAIN[2])


def test_L4_have_waits_for_its_interval() -> None:
    """A lone HAVE is sent at most every T_HAVE, and the timer says when."""
    holder = Holder().push(CHAIN[0]).push(CHAIN[1])
    assert (holder.haves, holder.lanes.get_timer()) == ([], HAVE_MS)


def test_L4_have_after_its_interval_names_the_newest_tip() -> None:
    """One HAVE covers all that came since the last."""
    holder = Holder().push(CHAIN[0]).push(CHAIN[1]).push(CHAIN[2]).time(HAVE_MS)
    assert [have.entries for have in holder.haves] == [(entry(CHAIN[2]),)]


def test_L4_follower_without_an_index_says_nothing() -> None:
    """Only validators vouch for batches."""
    holder = Holder(index=None).push(CHAIN[0])
    assert (holder.haves, holder.lanes.make_snapshot().entries) == ([], ())


def test_L4_restored_batches_are_vouched_for_again() -> None:
    """After a restart the promise of before is kept."""
    holder = Holder()
    holder.lanes.restore([CHAIN[2], CHAIN[0], CHAIN[1]])
    assert holder.said() == entry(CHAIN[2])


def test_L4_restored_hole_is_not_vouched_for() -> None:
    """Only what hangs together is promised."""
    holder = Holder()
    holder.lanes.restore([CHAIN[0], CHAIN[2]])
    assert holder.said() == entry(CHAIN[0])


def test_L4_long_restored_chain_is_kept_whole() -> None:
    """After all nodes crashed nobody else may have the lowest batches: none of them goes as a fork would."""
    chain = GROUP.chain(2, FORK_BATCHES_MAX + 50)
    holder = Holder()
    holder.lanes.restore(chain)
    assert holder.lanes.get_chain(2, tip(chain[-1]), 0) == chain


def test_L4_finality_below_keeps_what_is_above() -> None:
    """Moving the floor up the own chain takes nothing from the top."""
    holder = Holder().push(CHAIN[0]).push(CHAIN[1]).push(CHAIN[2]).finalize(1, tip(CHAIN[1]))
    assert holder.said() == entry(CHAIN[2])


def test_O2_finality_of_another_fork_keeps_the_batch_above_it_by_position() -> None:
    """Position decides: the batch above a finalized fork need not name it."""
    fork = GROUP.batch(1, 1, items=(b"fork",))
    holder = Holder().push(CHAIN[0]).push(CHAIN[1]).finalize(1, tip(fork))
    assert (holder.said(), holder.push(CHAIN[2]).said()) == (entry(CHAIN[1]), entry(CHAIN[2]))


def test_O2_finality_above_everything_held_lets_the_lane_go_on_from_there() -> None:
    """A node that missed a stretch takes the next batch as the first."""
    holder = Holder().push(CHAIN[0]).finalize(1, tip(CHAIN[9])).push(CHAIN[10])
    assert holder.said() == entry(CHAIN[10])


def test_L2b_finality_alone_is_reported() -> None:
    """An owner that waits for room in our window must hear that the floor moved."""
    holder = Holder().push(CHAIN[0]).time(HAVE_MS).finalize(1, tip(CHAIN[0]))
    assert holder.haves[-1].delivered == (0, 1, 0, 0)


def test_L7_delivered_batches_still_answer_fetches() -> None:
    """Others may lack what is delivered here."""
    holder = Holder().push(CHAIN[0]).finalize(1, tip(CHAIN[0]))
    holder.lanes.on_delivered((Tip(0, bytes(32)), tip(CHAIN[0]), Tip(0, bytes(32)), Tip(0, bytes(32))))
    assert holder.lanes.get_chain(1, tip(CHAIN[0]), 0) == [CHAIN[0]]


def test_I11_forks_above_the_floor_are_bounded() -> None:
    """Fetched batches that never become complete push each other out."""
    holder = Holder()
    forks = [GROUP.batch(1, 2, name_digest(str(n)), (b"%d" % n,)) for n in range(FORK_BATCHES_MAX + 20)]
    for fork in forks:
        holder.want(tip(fork)).reply(1, fork).give_up()
    held = [fork for fork in forks if holder.lanes.is_available(1, tip(fork), Tip(1, name_digest("floor")))]
    assert len(held) == FORK_BATCHES_MAX


@pytest.mark.parametrize("delivered", [(), (0,) * 3, (0,) * 5])
def test_L4_have_of_another_committee_is_the_peers_error(delivered: tuple[int, ...]) -> None:
    """One finalized position per lane."""
    with pytest.raises(PeerError, match="lanes of 4"):
        Holder().have(1, delivered=delivered)


def test_L4_have_of_an_unknown_lane_is_the_peers_error() -> None:
    """There are as many lanes as validators."""
    with pytest.raises(PeerError, match="does not exist"):
        Holder().have(1, entry(replace(CHAIN[0], header=replace(CHAIN[0].header, lane=4))))
