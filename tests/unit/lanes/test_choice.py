"""Of several batches of one position HAVE names one, for ever, also across restarts. # L4"""

from __future__ import annotations

import pytest

from sequencer.types.batch import Batch
from sequencer.types.effects import Broadcast, PersistBatch, PersistVote
from sequencer.types.messages import HaveEntry
from sequencer.types.primitives import Tip
from sequencer.types.records import RecordKind, VoteRecord, compute_have_number, split_have_number
from tests.unit.core_world import tip
from tests.unit.lanes.world import GROUP, ROOT_CUT, Holder, entry

CHOSEN, FORK = GROUP.chain(1, 3, "chosen"), GROUP.chain(1, 3, "fork")


class Story:
    """One validator through several lives; `stored` and `log` are its disk."""

    def __init__(self) -> None:
        self.holder = Holder()
        self.stored: list[Batch] = []
        self.log: list[VoteRecord] = []

    def note(self) -> Story:
        self.stored += [e.batch for e in self.holder.effects if isinstance(e, PersistBatch)]
        self.log += self.holder.records
        return self

    def push(self, *batches: Batch) -> Story:
        for batch in batches:
            self.holder.push(batch)
            self.note()
        return self

    def fetch(self, *batches: Batch) -> Story:
        """Let a proposal name the highest batch, and get these, from it downwards."""
        self.holder.want(tip(batches[0]))
        self.holder.reply(1, *batches)
        return self.note()

    def restart(self, order: int = 1, floor: Tip = ROOT_CUT[1]) -> Story:
        """Start again on what is above the floor, as the store gives it or the other way round."""
        self.holder = Holder(cut=(ROOT_CUT[0], floor, *ROOT_CUT[2:]))
        self.stored = [batch for batch in self.stored if batch.header.position > floor.position]
        self.holder.lanes.restore(self.stored[::order], self.log)
        self.holder.take()
        return self.note()

    @property
    def said(self) -> HaveEntry | None:
        return self.holder.said()


@pytest.mark.parametrize("order", [1, -1])
def test_fork_that_was_fetched_first_is_not_vouched_for_after_a_restart(order: int) -> None:
    """It was durable first, the other was chosen; the finalized position has moved, so any parent would do. # O2"""
    story = Story().fetch(FORK[1]).push(*CHOSEN[:2])
    assert story.said == entry(CHOSEN[1])
    assert story.restart(order, tip(CHOSEN[0])).said == entry(CHOSEN[1])
    assert story.restart(order, tip(FORK[0])).said == entry(CHOSEN[1])


@pytest.mark.parametrize("order", [1, -1])
def test_fork_that_was_fetched_later_is_not_vouched_for_after_a_restart(order: int) -> None:
    """Whichever of the two the store names first."""
    story = Story().push(*CHOSEN[:2]).fetch(FORK[1], FORK[0])
    assert story.restart(order).said == entry(CHOSEN[1])


def test_choice_made_by_a_restart_is_kept_by_the_next_one() -> None:
    """Nothing was said before the first restart, so any will do; then it is the one."""
    story = Story().fetch(FORK[1]).fetch(CHOSEN[1]).restart(-1, tip(CHOSEN[0]))
    first = story.said
    assert first == entry(CHOSEN[1])
    assert story.restart(1, tip(CHOSEN[0])).said == first


def test_choice_is_durable_before_it_is_said() -> None:
    """The record stands before the HAVE that rests on it."""
    story = Story().fetch(FORK[1]).push(CHOSEN[0])
    story.holder.time(story.holder.now_ms + 1_000)
    kinds = [type(effect) for effect in story.push(CHOSEN[1]).holder.effects]
    assert kinds == [PersistBatch, PersistVote, Broadcast]
    assert story.log == [VoteRecord(RecordKind.HAVE, 0, compute_have_number(1, 2), CHOSEN[1].digest)]


def test_lane_that_nobody_forks_costs_no_record() -> None:
    """A choice is logged only where there was one."""
    story = Story().push(*CHOSEN).restart()
    assert (story.log, story.said) == ([], entry(CHOSEN[2]))


def test_follower_logs_no_choice() -> None:
    """Who never says HAVE has no vote log."""
    holder = Holder(index=None)
    holder.want(tip(FORK[0])).reply(1, FORK[0])
    holder.want(tip(CHOSEN[0])).reply(1, CHOSEN[0])
    assert holder.records == []


def test_choice_ends_with_finality() -> None:
    """What is finalized is decided for everybody: the other fork goes on if finality takes it."""
    story = Story().push(*CHOSEN[:2]).fetch(FORK[2], FORK[1], FORK[0])
    story.holder.finalize(1, tip(FORK[1]))
    assert story.note().said == entry(FORK[2])
    assert story.restart(1, tip(FORK[1])).said == entry(FORK[2])


def say_above_finality() -> Story:
    """Finality takes a fork that is not held, and what the owner pushes above it is said; no block is durable yet."""
    story = Story().push(*CHOSEN[:2])
    story.holder.finalize(1, tip(FORK[1]))
    assert story.push(FORK[2]).said == entry(FORK[2])
    return story


def test_L4_restart_below_the_finalized_position_does_not_free_what_was_said_above_it() -> None:
    """The chain below is the other one again, and what would go on with it is not vouched for. # R1"""
    story = say_above_finality().restart()
    assert story.said == entry(CHOSEN[1])
    assert story.push(CHOSEN[2]).said == entry(CHOSEN[1])
    assert story.restart().fetch(*reversed(CHOSEN)).said == entry(CHOSEN[1])
    story.holder.finalize(1, tip(FORK[1]))
    assert story.note().said == entry(FORK[2])


@pytest.mark.parametrize("has_record", [True, False])
def test_restart_below_the_finalized_position_with_both_forks_stored(has_record: bool) -> None:
    """Also where the crash came between the second batch and the record: the first one was said."""
    story = say_above_finality().fetch(CHOSEN[2])
    story.log = story.log if has_record else []
    assert story.restart().said == entry(CHOSEN[1])


def test_what_was_there_before_a_restart_is_logged_once_another_comes() -> None:
    """From then on no order of the store matters, though neither stands on the chain. # D1"""
    story = say_above_finality().restart().fetch(CHOSEN[2])
    assert story.restart(-1).said == entry(CHOSEN[1])
    assert VoteRecord(RecordKind.HAVE, 0, compute_have_number(1, 3), FORK[2].digest) in story.log


@pytest.mark.parametrize(("lane", "position"), [(0, 1), (127, 2**48 - 1)])
def test_number_of_a_have_record_names_lane_and_position(lane: int, position: int) -> None:
    """Two lanes never share one."""
    assert split_have_number(compute_have_number(lane, position)) == (lane, position)
