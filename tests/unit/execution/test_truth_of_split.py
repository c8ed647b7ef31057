"""What a node tells people of split bundles: what it foretells, waits for, expected, found, and what is settled."""

from __future__ import annotations

import pytest

from sequencer.errors import LocalError
from sequencer.execution.explanations import Wait
from sequencer.execution.outlook import Outlook
from sequencer.types.bundle import AtLeast
from sequencer.types.outcome import Status
from tests.execution_world import ALPHA, BALANCE, BOB, make_child, make_leg, transfer
from tests.split_chain import Chain, say_no, say_yes, touch
from tests.split_world import DELTA, EPSILON

RUNS = frozenset({DELTA})
POOR = make_leg(DELTA, conditions=(AtLeast("kv/none", 5),))


def test_check_of_split_bundle_is_open_where_the_rollup_is_not_executed() -> None:
    """The native leg would commit; nobody here can judge delta, and it is named."""
    chain = Chain()
    check = chain.executor.check_bundle(chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m")))
    assert (check.status, check.unjudged, check.failures) == (Status.PENDING, (DELTA,), ())


def test_check_of_split_bundle_says_what_the_others_say() -> None:
    """A native NO is known without delta."""
    chain = Chain()
    check = chain.executor.check_bundle(chain.bundle(make_leg(ALPHA, transfer(BOB, BALANCE + 1)), touch(DELTA, "m")))
    assert (check.status, check.reason) == (Status.ABORT, "NO:alpha:INSUFFICIENT@legs[0].operations[0]")
    assert [(one.rollup, one.found) for one in check.failures] == [(ALPHA, str(BALANCE))]


def test_check_of_split_bundle_is_judged_by_who_executes_it() -> None:
    """An executor's node foretells commit and abort, with expected and found."""
    chain = Chain(runs=RUNS)
    good, bad = chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m")), chain.bundle(POOR, channel=1)
    checks = [chain.executor.check_bundle(good), chain.executor.check_bundle(bad)]
    assert [check.unjudged for check in checks] == [(), ()]
    assert checks[0].status is Status.COMMIT
    assert checks[1].failures[0][1:] == ("TOO_LOW", "legs[0].conditions[0]", "at least 5", "0")


def test_executor_knows_expected_and_found_of_a_certified_no() -> None:
    """Nobody else does; the reason is everybody's."""
    told = {}
    for runs in (RUNS, frozenset[int]()):
        chain = Chain(runs=runs)
        bundle = chain.bundle(POOR)
        chain.run(bundle)
        chain.run(say_no(bundle))
        assert chain.get_reasons() == ["NO:delta:TOO_LOW@legs[0].conditions[0]"]
        told[runs] = [(one.expected, one.found) for one in chain.executor.get_failures(bundle.id)]
    assert told == {RUNS: [("at least 5", "0")], frozenset(): []}


def test_waits_are_told_while_undecided_and_after() -> None:
    """The second rests on the first on delta."""
    chain = Chain()
    first, second = chain.bundle(touch(DELTA, "k")), chain.bundle(touch(DELTA, "k"))
    chain.run(first, second)
    before = chain.executor.get_waits(second.id)
    chain.run(say_no(first))
    while chain.executor.get_pending(second.id) is not None:
        chain.run()
    assert before == chain.executor.get_waits(second.id) == (Wait(DELTA, first.id),)
    assert (chain.executor.get_waits(first.id), chain.executor.get_waits(bytes(32))) == ((), ())


def test_state_is_settled_below_the_lowest_undecided_item() -> None:
    """Value and settled height of each height: what is undecided does not show."""
    chain = Chain(runs=RUNS)
    bundle = chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m"))
    chain.run()
    chain.run(bundle)
    chain.run()
    chain.run(say_yes(bundle))
    readings = [
        chain.executor.read_state(height, rollup, "kv/m") for height in (1, 2, 3, 4) for rollup in (ALPHA, DELTA)
    ]
    assert [reading.settled_height for reading in readings] == [1, 1, 1, 1, 1, 1, 4, 4]
    assert [reading.value for reading in readings] == [None] * 6 + [1, 1]


def test_state_of_a_rollup_that_is_not_executed_is_never_told() -> None:
    """Not even a wrong one."""
    chain = Chain()
    with pytest.raises(LocalError):
        chain.executor.read_state(0, DELTA, "kv/m")


def test_outlook_holds_back_what_touches_a_suspended_rollup() -> None:
    """A13: it would abort where it stands."""
    chain = Chain()
    late = chain.bundle(touch(EPSILON, "m"))
    outlook = Outlook(chain.executor)
    assert outlook.passes(late)
    chain.run(late)
    while not chain.executor.is_suspended(EPSILON):
        chain.run()
    assert not outlook.passes(chain.bundle(touch(EPSILON, "n")))


def test_check_while_a_block_is_under_way_is_about_the_finished_one() -> None:
    """Half a block shows nowhere, and asking changes nothing of it."""
    chain, other = Chain(), Chain()
    first = [chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m")), chain.bundle(touch(ALPHA, "n"))]
    for one in (chain, other):
        one.run(first[0])
    asked = chain.bundle(touch(ALPHA, "o"), channel=1)
    before = chain.executor.check_bundle(asked)
    items = [chain.make_item(first[1]), chain.make_item(say_yes(first[0]))]
    chain.executor.begin(make_child(chain.executor.header), items)
    chain.executor.step(1)
    during = [chain.executor.check_bundle(asked) for _ in range(2)]
    chain.executor.step(1)
    chain.executor.finish()
    other.execute_items(items)
    assert during == [before, before]
    assert chain.executor.take_snapshot() == other.executor.take_snapshot()
