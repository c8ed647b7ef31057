"""What counts as held by enough others: supported tips for leaders, weakly held ones for voters. # L5 V6 P2"""

from __future__ import annotations

import pytest

from sequencer.types.messages import HaveEntry
from sequencer.types.primitives import Tip
from tests.unit.core_world import name_digest, tip
from tests.unit.lanes.world import GROUP, ROOT_CUT, Holder, entry

CHAIN = GROUP.chain(1, 12)
LIMITS = (4, 4, 4, 4)


def hold(count: int) -> Holder:
    """Return validator 0 with the first batches of lane 1."""
    holder = Holder()
    for batch in CHAIN[:count]:
        holder.push(batch)
    return holder


def propose(holder: Holder, before: Tip = ROOT_CUT[1]) -> Tip:
    """Return the supported tip of lane 1 above `before`."""
    return holder.lanes.get_supported_cut((ROOT_CUT[0], before, *ROOT_CUT[2:]), LIMITS)[1]


def test_L5_tip_held_by_strong_power_is_proposed() -> None:
    """Self and two others of four are strong."""
    assert propose(hold(2).have(1, entry(CHAIN[1])).have(2, entry(CHAIN[1]))) == tip(CHAIN[1])


def test_L5_tip_held_by_less_is_not_proposed() -> None:
    """Self and one other are not."""
    assert propose(hold(2).have(1, entry(CHAIN[1]))) == ROOT_CUT[1]


def test_L5_same_peer_twice_counts_once() -> None:
    """Repeating HAVE adds no power."""
    assert propose(hold(2).have(1, entry(CHAIN[1])).have(1, entry(CHAIN[0]))) == ROOT_CUT[1]


def test_L5_tip_that_self_lacks_is_not_proposed() -> None:
    """Everybody else has it, but a leader proposes only what it holds."""
    holder = hold(1)
    for peer in (1, 2, 3):
        holder.have(peer, entry(CHAIN[1]))
    assert propose(holder) == ROOT_CUT[1]


def test_L5_have_for_a_descendant_counts_once_the_links_are_held() -> None:
    """When the batches between come, what was said before counts."""
    holder = hold(1).have(1, entry(CHAIN[2])).have(2, entry(CHAIN[2]))
    assert propose(holder.push(CHAIN[1]).push(CHAIN[2])) == tip(CHAIN[2])


def test_L5_strong_power_at_different_tips_supports_the_lower_one() -> None:
    """HAVE is cumulative downwards."""
    assert propose(hold(4).have(1, entry(CHAIN[3])).have(2, entry(CHAIN[1]))) == tip(CHAIN[1])


def test_L5_have_for_another_fork_supports_nothing_here() -> None:
    """The digest must be the one on the own chain."""
    fork = HaveEntry(1, 2, name_digest("fork"))
    assert propose(hold(2).have(1, fork).have(2, fork)) == ROOT_CUT[1]


def test_P2_lane_advances_at_most_so_far() -> None:
    """A leader that holds more proposes the batch W_ADV above the parent."""
    assert propose(hold(9).have(1, entry(CHAIN[8])).have(2, entry(CHAIN[8]))) == tip(CHAIN[3])


def test_P2_parent_ahead_of_what_is_held_stays() -> None:
    """A cut never goes back to what this node has."""
    before = tip(CHAIN[7])
    assert propose(hold(3).have(1, entry(CHAIN[2])).have(2, entry(CHAIN[2])), before=before) == before


def test_L5_support_counts_from_the_new_floor_after_finality() -> None:
    """What was said of tips above the floor stays; what is below no longer matters."""
    holder = hold(4).have(1, entry(CHAIN[3])).have(2, entry(CHAIN[1])).finalize(1, tip(CHAIN[1]))
    assert propose(holder, before=tip(CHAIN[1])) == tip(CHAIN[1])
    assert propose(holder.have(3, entry(CHAIN[3])), before=tip(CHAIN[1])) == tip(CHAIN[3])


def test_L5_floor_above_everything_held_supports_nothing() -> None:
    """With nothing above the floor there is nothing to propose."""
    holder = hold(2).have(1, entry(CHAIN[1])).have(2, entry(CHAIN[1])).finalize(1, tip(CHAIN[6]))
    assert propose(holder, before=tip(CHAIN[6])) == tip(CHAIN[6])


def test_V6_chain_held_here_is_available() -> None:
    """Self holds all of it."""
    assert hold(3).lanes.is_available(1, tip(CHAIN[2]), ROOT_CUT[1])


def test_V6_tip_with_a_hole_below_is_not_available() -> None:
    """Holding a tip is not holding its chain."""
    holder = Holder().want(tip(CHAIN[2])).reply(1, CHAIN[2])
    assert not holder.lanes.is_available(1, tip(CHAIN[2]), ROOT_CUT[1])


@pytest.mark.parametrize(("peers", "is_available"), [((1,), False), ((1, 2), True), ((2, 3), True)])
def test_V6_weak_power_of_others_is_enough(peers: tuple[int, ...], is_available: bool) -> None:
    """F + 1 others said HAVE for exactly this batch, so one honest validator has it."""
    holder = Holder()
    for peer in peers:
        holder.have(peer, entry(CHAIN[2]))
    assert holder.lanes.is_available(1, tip(CHAIN[2]), ROOT_CUT[1]) is is_available


def test_V6_have_for_a_descendant_counts_only_with_the_links_held() -> None:
    """What others hold further up proves this batch only where the chain between is known."""
    holder = Holder().have(2, entry(CHAIN[3])).have(3, entry(CHAIN[3]))
    assert not holder.lanes.is_available(1, tip(CHAIN[2]), ROOT_CUT[1])


def test_V6_have_for_another_digest_does_not_count() -> None:
    """Weak power must name this very batch."""
    fork = HaveEntry(1, 3, name_digest("fork"))
    holder = Holder().have(2, fork).have(3, fork)
    assert not holder.lanes.is_available(1, tip(CHAIN[2]), ROOT_CUT[1])


def test_L5_I11_only_the_newest_words_of_a_peer_are_remembered() -> None:
    """A flood of HAVEs pushes out the flooder's own words and nobody else's."""
    holder = Holder().have(2, entry(CHAIN[2]))
    holder.have(1, entry(CHAIN[2]))
    for position in range(4, 12):
        holder.have(1, HaveEntry(1, position, name_digest(str(position))))
    assert not holder.lanes.is_available(1, tip(CHAIN[2]), ROOT_CUT[1])
    assert holder.have(3, entry(CHAIN[2])).lanes.is_available(1, tip(CHAIN[2]), ROOT_CUT[1])


def test_P2_parent_below_the_floor_is_not_advanced_to_a_finalized_position() -> None:
    """After a restart a leader may build on a parent older than what it executed; it then adds nothing."""
    holder = hold(8).finalize(1, tip(CHAIN[5]))
    for peer in (1, 2):
        holder.have(peer, entry(CHAIN[7]))
    assert propose(holder) == ROOT_CUT[1]
    assert propose(holder, before=tip(CHAIN[5])) == tip(CHAIN[7])


@pytest.mark.parametrize(("peers", "is_more"), [((1,), False), ((1, 1), False), ((1, 2), True)])
def test_P4_weak_power_tells_a_leader_of_batches_that_it_lacks(peers: tuple[int, ...], is_more: bool) -> None:
    """One liar does not make a leader propose empty blocks."""
    holder = Holder()
    for peer in peers:
        holder.have(peer, entry(CHAIN[2]))
    assert holder.lanes.is_more_held_elsewhere(ROOT_CUT) is is_more
    assert not holder.lanes.is_more_held_elsewhere((ROOT_CUT[0], tip(CHAIN[2]), *ROOT_CUT[2:]))
