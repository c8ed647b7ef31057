"""Lanes that fill blocks with what cannot be admitted are slowed down, by everybody alike. # L9"""

from __future__ import annotations

import random

import pytest

from sequencer.lanes.spam import WINDOW_BLOCKS, ItemMark, SpamWindow
from sequencer.types.primitives import LaneLimits

LAG, ADVANCE, LANES = 8, 4, 4
FAST = (ADVANCE,) * LANES
SLOW = (1,) * LANES
Items = list[tuple[int, ItemMark]]


def make_block(*counts: tuple[int, int]) -> Items:
    """Return a block's items: for each lane how many were admitted, and how many not."""
    return [
        (lane, mark)
        for lane, (good, bad) in enumerate(counts)
        for mark, count in ((ItemMark.FINE, good), (ItemMark.REFUSED, bad))
        for _ in range(count)
    ]


def make_window(blocks: list[Items], base: int = 0) -> SpamWindow:
    """Return what a node knows that started above `base` and executed these blocks."""
    window = SpamWindow(base, LAG, ADVANCE, LANES)
    for items in blocks:
        window.on_executed(items)
    return window


@pytest.mark.parametrize(("bad", "limit"), [(0, 4), (2, 4), (3, 1), (20, 1)])
def test_L9_lane_is_slow_if_more_than_a_tenth_of_its_items_were_inadmissible(bad: int, limit: int) -> None:
    """Of twenty items two are a tenth, three are more; the other lanes stay fast."""
    window = make_window([make_block((20 - bad, bad), (5, 0)), *([[]] * LAG)])
    assert window.get_limits(1 + LAG).leading == (limit, 4, 4, 4)


@pytest.mark.parametrize(("late", "limit"), [(6, 4), (7, 4), (8, 1)])
def test_L9_late_copies_are_spam_only_beyond_what_took_effect_in_all_lanes(late: int, limit: int) -> None:
    """Three took effect, in another lane: six are free; of fourteen items one more is below a tenth, two are not."""
    shared = [(1, ItemMark.SHARED)] * 3
    own = [(0, ItemMark.FINE)] * (14 - late) + [(0, ItemMark.LATE)] * late
    window = make_window([shared + own, *([[]] * LAG)])
    assert window.get_limits(1 + LAG).leading == (limit, 4, 4, 4)


def test_L9_window_ends_a_fixed_number_of_blocks_below_the_parent() -> None:
    """A block counts from then on, for 64 blocks."""
    window = make_window([make_block((0, 1)), *([[]] * (WINDOW_BLOCKS + LAG - 1))])
    slow = [parent for parent in range(1, window.executed + 1) if window.get_limits(parent).leading[0] == 1]
    assert slow == list(range(1 + LAG, 1 + LAG + WINDOW_BLOCKS))[: len(slow)]
    window.on_executed([])
    assert window.get_limits(WINDOW_BLOCKS + LAG + 1) == LaneLimits(FAST, FAST)


def test_L9_who_has_not_executed_the_end_of_the_window_waits_and_leads_slowly() -> None:
    """It cannot tell yet, and will be able to."""
    assert make_window([[]] * 3).get_limits(4 + LAG) == LaneLimits(SLOW, None)


def test_L9_who_does_not_know_the_whole_window_refuses_nothing_and_leads_slowly() -> None:
    """A snapshot says nothing of the items below it; after a whole window the node judges as everybody."""
    window = make_window([make_block((0, 1))] * (WINDOW_BLOCKS + LAG - 1), base=1_000)
    assert window.get_limits(1_000 + WINDOW_BLOCKS + LAG - 1) == LaneLimits(SLOW, FAST)
    window.on_executed([])
    assert window.get_limits(1_000 + WINDOW_BLOCKS + LAG) == LaneLimits((1, 4, 4, 4), (1, 4, 4, 4))


@pytest.mark.parametrize("seed", range(20))
def test_L9_all_who_know_the_window_decide_equally(seed: int) -> None:
    """Whoever started earlier, later, or is further on: same parent, same limits."""
    rng = random.Random(seed)
    blocks = [
        make_block(*((rng.randrange(12), rng.randrange(3)) for _ in range(LANES)))
        for _ in range(2 * WINDOW_BLOCKS + LAG)
    ]
    parent = rng.randrange(WINDOW_BLOCKS + LAG, len(blocks))
    base = rng.randrange(parent - LAG - WINDOW_BLOCKS + 1)
    early, late = make_window(blocks[:parent]), make_window(blocks[base:parent], base)
    behind = make_window(blocks[: parent - LAG])
    limits = {window.get_limits(parent) for window in (early, late, behind)}
    assert len(limits) == 1
    assert limits.pop().voting is not None


def test_L9_window_remembers_no_more_than_a_proposal_may_ask_about() -> None:
    """Memory is bounded. # I11"""
    window = make_window([make_block((1, 1))] * 500)
    assert (window.size, window.executed) == (window.size_max, 500)
