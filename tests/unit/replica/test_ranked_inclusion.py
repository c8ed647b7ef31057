"""What every validator has goes through one lane, and through others only if it stays away. # A9"""

from __future__ import annotations

import pytest

from sequencer.mempool.ranking import compute_rank
from sequencer.replica import ranked_inclusion
from sequencer.replica.ranked_inclusion import HEIGHTS_PER_RANK, SEEN_HEIGHTS, RankedInclusion, Wanted
from sequencer.types.primitives import Digest, Instant
from tests.unit.core_world import at, name_digest

SIZE = 4
WANTED = Wanted(name_digest("subject"), name_digest("item"), b"item")


class Lane:
    """A lane that takes everything while it has room."""

    def __init__(self) -> None:
        self.has_room = True
        self.items: list[bytes] = []

    def add(self, item_id: Digest, item: bytes, now: Instant) -> bool:
        if self.has_room:
            self.items.append(item)
        return self.has_room


def make_validators() -> dict[int, tuple[RankedInclusion, Lane]]:
    """Return one inclusion with its lane per rank."""
    validators: dict[int, tuple[RankedInclusion, Lane]] = {}
    for index in range(SIZE):
        lane = Lane()
        rank = compute_rank(WANTED.subject, index, SIZE)
        validators[rank] = (RankedInclusion(index, SIZE, lane.add), lane)
    return validators


def test_A9_rank_0_includes_at_once_and_rank_j_after_2j_heights() -> None:
    """While it stays wanted one validator after the other has its turn, each once."""
    validators = make_validators()
    included: dict[int, int] = {}
    for height in range(10, 10 + SIZE * HEIGHTS_PER_RANK + 4):
        for rank, (inclusion, lane) in validators.items():
            inclusion.include([WANTED], height, at(0))
            if lane.items:
                included.setdefault(rank, height)
    assert included == {rank: 10 + rank * HEIGHTS_PER_RANK for rank in range(SIZE)}
    assert all(lane.items == [b"item"] for _, lane in validators.values())


def test_A9_what_is_wanted_no_longer_is_forgotten() -> None:
    """Who waited for its turn includes nothing once the log has it."""
    inclusion, lane = make_validators()[1]
    inclusion.include([WANTED], 10, at(0))
    inclusion.include([], 11, at(0))
    assert inclusion.size == 0
    inclusion.include([WANTED], 12, at(0))
    assert lane.items == []


def test_A14_second_item_of_a_subject_waits_for_the_next_height() -> None:
    """Expectations that flicker cost one certificate per height, not one each."""
    inclusion, lane = make_validators()[0]
    other = Wanted(WANTED.subject, name_digest("item 2"), b"2")
    inclusion.include([WANTED, other], 10, at(0))
    inclusion.include([WANTED, other], 10, at(5))
    assert lane.items == [b"item"]
    inclusion.include([WANTED, other], 11, at(10))
    assert lane.items == [b"item", b"2"]


def test_A9_what_becomes_wanted_between_two_blocks_waits_for_none() -> None:
    """A certificate that is complete now need not wait for a block; what is wanted already is not forgotten."""
    inclusion, lane = make_validators()[0]
    other = Wanted(WANTED.subject, name_digest("item 2"), b"2")
    inclusion.include([other], 10, at(0))
    inclusion.include_more([WANTED], 10, at(5))
    inclusion.include_more([WANTED], 11, at(10))
    assert (lane.items, inclusion.size) == ([b"2", b"item"], 2)
    inclusion.include([WANTED, other], 11, at(15))
    assert lane.items == [b"2", b"item"]


def test_A9_what_another_lane_brings_is_left_to_it_for_a_while() -> None:
    """Who has seen it in a batch waits longer, once; rank 0 never waits."""
    validators = make_validators()
    included: dict[int, int] = {}
    for height in range(10, 24):
        for rank, (inclusion, lane) in validators.items():
            inclusion.on_seen([WANTED.subject], height)
            inclusion.include([WANTED], height, at(0))
            if lane.items:
                included.setdefault(rank, height)
    assert included == {0: 10, 1: 10 + SEEN_HEIGHTS, 2: 10 + SEEN_HEIGHTS, 3: 10 + SEEN_HEIGHTS}


def test_A9_full_lane_is_tried_again() -> None:
    """Nothing is lost because a lane was full when the turn came."""
    inclusion, lane = make_validators()[0]
    lane.has_room = False
    inclusion.include([WANTED], 10, at(0))
    lane.has_room = True
    inclusion.include([WANTED], 11, at(0))
    assert lane.items == [b"item"]


def test_A9_more_than_the_bound_waits_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is above the bound is counted, and gets in when there is room."""
    monkeypatch.setattr(ranked_inclusion, "WANTED_MAX", 1)
    inclusion, _ = make_validators()[0]
    other = Wanted(name_digest("other"), name_digest("item 2"), b"2")
    inclusion.include([WANTED, other], 10, at(0))
    assert (inclusion.size, inclusion.postponed) == (1, 1)
    inclusion.include([other], 11, at(0))
    assert (inclusion.size, inclusion.postponed) == (1, 1)


def test_node_without_lane_includes_nothing() -> None:
    """A full node has no lane to put anything in."""
    inclusion = RankedInclusion(None, SIZE, None)
    inclusion.include([WANTED], 10, at(0))
    assert inclusion.size == 0


def test_A21_everybody_includes_what_is_urgent() -> None:
    """A faulty rank 0, or one that shows a batch of it that comes nowhere, must not let a deadline pass."""
    urgent = WANTED._replace(urgent_height=11)
    for rank, (inclusion, lane) in make_validators().items():
        inclusion.on_seen([WANTED.subject], 10)
        inclusion.include([urgent], 10, at(0))
        assert bool(lane.items) is (rank == 0)
        inclusion.include([urgent], 11, at(0))
        inclusion.include([urgent], 12, at(0))
        assert lane.items == [b"item"]
