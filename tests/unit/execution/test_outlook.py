"""A bundle is judged on the newest executed state with the writes of what is queued before it."""

from __future__ import annotations

import pytest

from sequencer.execution import outlook as module
from sequencer.execution.outlook import Outlook
from sequencer.types.bundle import AtLeast, Bundle, Equals, HeightWindow, NonceIs
from tests.execution_world import ALICE, ALPHA, BALANCE, BETA, BOB, GAMMA, World, make_leg, set_key, transfer

COLOR = "kv/color"


def spend(world: World, amount: int, sequence: int) -> Bundle:
    return world.make_bundle(make_leg(ALPHA, transfer(BOB, amount)), sequence=sequence)


def test_bundle_that_fits_into_the_state_passes() -> None:
    """Every rollup says YES on the executed state."""
    world = World()
    bundle = world.make_bundle(make_leg(ALPHA, transfer(BOB, BALANCE)), make_leg(BETA, transfer(BOB, BALANCE)))
    assert Outlook(world.executor).passes(bundle)


def test_bundle_of_which_one_leg_fails_does_not_pass_and_queues_nothing() -> None:
    """All or none: the good leg's writes are not there for the next."""
    world = World()
    outlook = Outlook(world.executor)
    bad = world.make_bundle(make_leg(GAMMA, set_key(COLOR)), make_leg(ALPHA, transfer(BOB, BALANCE + 1)), sequence=0)
    after = world.make_bundle(make_leg(GAMMA, conditions=(Equals(COLOR, None),)), sequence=1)
    assert [outlook.passes(bad), outlook.passes(after)] == [False, True]


def test_bundle_sees_what_is_queued_before_it() -> None:
    """The balance is spent already; a condition on a queued write holds."""
    world = World()
    outlook = Outlook(world.executor)
    first, second = spend(world, BALANCE, 0), spend(world, 1, 1)
    queued = world.make_bundle(make_leg(GAMMA, set_key(COLOR, 7)), sequence=2)
    reader = world.make_bundle(make_leg(GAMMA, conditions=(AtLeast(COLOR, 7),)), sequence=3)
    assert [outlook.passes(one) for one in (first, second, queued, reader)] == [True, False, True, True]


def test_bundle_that_left_the_queue_is_not_seen_any_more() -> None:
    """Control of the test before, and the table is empty again."""
    world = World()
    outlook = Outlook(world.executor)
    first, second = spend(world, BALANCE, 0), spend(world, 1, 1)
    assert outlook.passes(first)
    outlook.forget(first.id)
    assert outlook.get_bounds()["queued_writes"][0] == 0
    assert outlook.passes(second)


def test_later_write_stays_when_the_earlier_writer_leaves() -> None:
    """Two queued bundles wrote one key."""
    world = World()
    outlook = Outlook(world.executor)
    writers = [world.make_bundle(make_leg(GAMMA, set_key(COLOR, value)), sequence=value) for value in (1, 2)]
    reader = world.make_bundle(make_leg(GAMMA, conditions=(Equals(COLOR, 2),)), sequence=3)
    assert all(outlook.passes(writer) for writer in writers)
    outlook.forget(writers[0].id)
    assert outlook.passes(reader)


def test_dep_is_met_by_a_commit_or_by_what_is_queued() -> None:
    """A16: unknown is not met."""
    world = World()
    outlook = Outlook(world.executor)
    first = world.make_bundle(make_leg(GAMMA, set_key(COLOR)), sequence=0)
    follower = world.make_bundle(make_leg(GAMMA), sequence=1, deps=(first.id,))
    before, queued, after = outlook.passes(follower), outlook.passes(first), outlook.passes(follower)
    assert (before, queued, after) == (False, True, True)


def test_window_is_that_of_the_next_block() -> None:
    """A10: height 1 is the next one, and a nonce of the state counts."""
    world = World()
    outlook = Outlook(world.executor)
    conditions = (HeightWindow(1, 1), NonceIs(ALICE, 0))
    now = world.make_bundle(make_leg(GAMMA, conditions=conditions), sequence=0)
    later = world.make_bundle(make_leg(GAMMA, conditions=(HeightWindow(2, 9),)), sequence=1)
    assert [outlook.passes(now), outlook.passes(later)] == [True, False]


def test_queue_beyond_its_bound_is_judged_without_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third write is not remembered, so the fourth bundle does not see it."""
    monkeypatch.setattr(module, "QUEUED_WRITES_MAX", 2)
    world = World()
    outlook = Outlook(world.executor)
    for number in range(3):
        assert outlook.passes(world.make_bundle(make_leg(GAMMA, set_key(f"kv/{number}")), sequence=number))
    reader = world.make_bundle(make_leg(GAMMA, conditions=(Equals("kv/2", None),)), sequence=9)
    assert outlook.passes(reader)
    assert outlook.get_bounds()["queued_writes"] == (2, 2)
