"""Which tips a leader proposes: supported ones, its own, and optimistically those of lanes in good standing. # P2 L8"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.lanes.standing import PENALTY_BLOCKS_MAX, PENALTY_BLOCKS_MIN, WINDOW_BLOCKS, Standing
from sequencer.types.messages import Have
from sequencer.types.primitives import Tip
from tests.unit.core_world import PARAMETERS, tip
from tests.unit.lanes.world import GROUP, NO_FLOORS, ROOT_CUT, Holder, entry

CHAIN = GROUP.chain(1, 12)
LIMITS = (4, 4, 4, 4)


def hold(count: int, is_optimistic: bool = True) -> Holder:
    """Return validator 0 with the first batches of lane 1, of which nobody else said anything."""
    holder = Holder(is_optimistic=is_optimistic)
    for batch in CHAIN[:count]:
        holder.push(batch)
    return holder


def propose(holder: Holder, is_calm: bool = True) -> Tip:
    """Return what validator 0 would propose of lane 1 as leader."""
    return holder.lanes.get_proposable_cut(ROOT_CUT, LIMITS, is_calm, holder.now_ms)[1]


def let_pass(holder: Holder, blocks: int) -> Holder:
    """Let so many blocks be finalized, all empty."""
    for _ in range(blocks):
        holder.finalize(2, ROOT_CUT[2])
    return holder


def complain(holder: Holder, *peers: int) -> Holder:
    """Let peers say that lane 1 delayed their votes."""
    for peer in peers:
        holder.hear(peer, Have((), NO_FLOORS, (1,)))
    return holder


def test_P2_tip_of_a_clean_lane_is_proposed_as_soon_as_it_is_held() -> None:
    """Nobody else has said HAVE yet."""
    assert propose(hold(2)) == tip(CHAIN[1])


def test_P2_leader_told_to_be_careful_proposes_supported_tips_only() -> None:
    """The configuration decides."""
    assert propose(hold(2, is_optimistic=False)) == ROOT_CUT[1]


def test_P2_only_supported_tips_count_while_views_fail() -> None:
    """Three views above the finalized one are calm, more are not."""
    holder = hold(2)
    assert propose(holder, is_calm=False) == ROOT_CUT[1]
    holder.have(1, entry(CHAIN[0])).have(2, entry(CHAIN[0]))
    assert propose(holder, is_calm=False) == tip(CHAIN[0])


def test_P2_own_lane_needs_no_support() -> None:
    """A leader may propose whatever it holds of its own lane, even if it must be careful."""
    holder = Holder(is_optimistic=False).build(2)
    cut = holder.lanes.get_proposable_cut(ROOT_CUT, LIMITS, is_calm=False, now_ms=holder.now_ms)
    assert (cut[0].position, holder.lanes.get_supported_cut(ROOT_CUT, LIMITS)[0].position) == (2, 0)


def test_P2_lane_advances_at_most_as_far_as_its_limit() -> None:
    """Each lane has its own."""
    holder = hold(9)
    cuts = [holder.lanes.get_proposable_cut(ROOT_CUT, (4, limit, 4, 4), True, 0) for limit in (4, 1)]
    assert [cut[1] for cut in cuts] == [tip(CHAIN[3]), tip(CHAIN[0])]


def test_P2_tip_is_proposed_unsupported_only_once_it_has_age() -> None:
    """T_AGE gives the others time to get it; the timer says when it is over."""
    holder = Holder(parameters=replace(PARAMETERS, tip_age_ms=20)).push(CHAIN[0])
    holder.time(5).push(CHAIN[1])
    tips, timers = [], []
    for now_ms in (15, 19, 20, 25):
        tips.append(propose(holder.time(now_ms)).position)
        timers.append(holder.lanes.get_timer())
    assert (tips, timers) == ([0, 0, 1, 2], [20, 20, 25, None])


@pytest.mark.parametrize(("peers", "is_believed"), [((2,), False), ((2, 2), False), ((2, 3), True)])
def test_L8_weak_power_of_complaints_costs_a_lane_its_standing(peers: tuple[int, ...], is_believed: bool) -> None:
    """One Byzantine validator cannot take it from another."""
    assert propose(complain(hold(2), *peers)) == (ROOT_CUT[1] if is_believed else tip(CHAIN[1]))


def test_L8_complaints_far_apart_do_not_add_up() -> None:
    """Each counts for 64 blocks."""
    holder = let_pass(complain(hold(2), 2), WINDOW_BLOCKS)
    assert propose(complain(holder, 3)) == tip(CHAIN[1])


def test_L8_own_delay_costs_a_lane_its_standing_and_the_others_are_told() -> None:
    """The next HAVE names the lane once."""
    holder = hold(2)
    holder.time(1_000)
    holder.lanes.note_late(1)
    told = [have.late for have in holder.time(2_000).haves]
    assert (propose(holder), told, holder.time(3_000).haves) == (ROOT_CUT[1], [(1,)], [])


def test_L8_lane_without_standing_is_proposed_where_supported() -> None:
    """A penalty costs a message delay, not the lane's service."""
    holder = complain(hold(2), 2, 3).have(1, entry(CHAIN[1])).have(2, entry(CHAIN[1]))
    assert propose(holder) == tip(CHAIN[1])


def test_L8_standing_comes_back_after_the_penalty() -> None:
    """After exactly 64 blocks."""
    holder = let_pass(complain(hold(2), 2, 3), PENALTY_BLOCKS_MIN - 1)
    before = propose(holder)
    assert (before, propose(let_pass(holder, 1))) == (ROOT_CUT[1], tip(CHAIN[1]))


def pass_blocks(standing: Standing, blocks: int) -> int:
    """Let blocks be finalized; return for how many of them lane 1 was not clean."""
    penalised = 0
    for _ in range(blocks):
        penalised += not standing.is_clean(1)
        standing.on_block()
    return penalised


def test_L8_penalty_doubles_up_to_its_limit() -> None:
    """An offence right after the end of a penalty costs twice as much."""
    standing, lengths = Standing(GROUP.committee), []
    for _ in range(8):
        standing.on_late(1)
        length = 0
        while not standing.is_clean(1):
            length += pass_blocks(standing, 1)
        lengths.append(length)
    assert lengths == [64, 128, 256, 512, 1_024, 2_048, 4_096, PENALTY_BLOCKS_MAX]


def test_L8_offence_during_a_penalty_changes_nothing() -> None:
    """Several validators complain of the same delay."""
    standing = Standing(GROUP.committee)
    for _ in range(5):
        standing.on_late(1)
    assert (pass_blocks(standing, 1_000), standing.penalties) == (64, 1)


def test_L8_penalty_is_halved_for_each_clean_period() -> None:
    """After 64, 128 and one clean period of 128, the next costs 128 again; after long calm 64."""
    standing = Standing(GROUP.committee)
    standing.on_late(1)
    pass_blocks(standing, 64)
    standing.on_late(1)
    pass_blocks(standing, 128 + 128)
    standing.on_late(1)
    again = pass_blocks(standing, 1_000)
    standing.on_late(1)
    assert (again, pass_blocks(standing, 1_000)) == (128, 64)


def test_X5_lane_that_forked_is_led_no_further() -> None:
    """Two batches of one position, both signed: this leader leaves the lane where it is, supported or not. # L8"""
    holder = hold(1).push(GROUP.chain(1, 1, "fork")[0])
    holder.have(1, entry(CHAIN[0])).have(2, entry(CHAIN[0]))
    assert propose(let_pass(holder, 100)) == ROOT_CUT[1]
