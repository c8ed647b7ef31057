"""Two replicas under one key: scenarios are told apart by what matters, and only beyond F they break promises."""

from __future__ import annotations

import random

import pytest

from sequencer.simulation.twins import (
    BOTH,
    FIRST,
    SECOND_TWIN,
    Plan,
    Shape,
    ViewPlan,
    canonicalize,
    enumerate_plans,
    make_simulation,
    run_plan,
    sample_plans,
)

SPLIT = (FIRST, SECOND_TWIN, SECOND_TWIN)


def test_scenarios_that_differ_in_names_only_are_one() -> None:
    """Exchanging correct validators, or the two replicas, changes nothing."""
    shape = Shape(4, 1, 2)
    plan = (ViewPlan(0, (FIRST, SECOND_TWIN, BOTH)), ViewPlan(1, (FIRST, FIRST, BOTH)))
    renamed = (ViewPlan(0, (BOTH, SECOND_TWIN, FIRST)), ViewPlan(3, (BOTH, FIRST, FIRST)))
    swapped = (ViewPlan(0, (SECOND_TWIN, FIRST, BOTH)), ViewPlan(1, (SECOND_TWIN, SECOND_TWIN, BOTH)))
    other = (ViewPlan(0, (FIRST, SECOND_TWIN, BOTH)), ViewPlan(2, (FIRST, FIRST, BOTH)))
    assert len({canonicalize(shape, each) for each in (plan, renamed, swapped)}) == 1
    assert canonicalize(shape, other) != canonicalize(shape, plan)


def test_twins_are_told_apart_by_the_order_in_which_they_lead_only() -> None:
    """With two Byzantine keys it does not matter which of them is called the first."""
    shape = Shape(7, 2, 3)
    sides = (BOTH,) * 5
    plans = [tuple(ViewPlan(leader, sides) for leader in leaders) for leaders in ((0, 1, 0), (1, 0, 1), (0, 0, 1))]
    assert canonicalize(shape, plans[0]) == canonicalize(shape, plans[1]) != canonicalize(shape, plans[2])


def test_enumeration_has_one_scenario_of_each_class() -> None:
    """Every scenario's class is met once, and its canonical form belongs to it."""
    shape = Shape(4, 1, 1)
    plans = list(enumerate_plans(shape))
    assert len(plans) == len(set(plans)) < shape.scenario_count
    assert {canonicalize(shape, (view,)) for view in shape.view_plans} == set(plans)


def test_drawn_scenarios_are_never_equal() -> None:
    """Sampling is without replacement, counted by classes."""
    plans = sample_plans(Shape(4, 1, 4), random.Random(3), 50)
    assert len(set(plans)) == 50


def test_leaders_of_the_first_views_are_those_of_the_scenario() -> None:
    """The harness fixes the schedule of its own run, and of no other."""
    shape = Shape(4, 1, 2)
    simulation = make_simulation(shape, (ViewPlan(0, (BOTH,) * 3), ViewPlan(3, (BOTH,) * 3)), 0)
    (twin,) = simulation.cast.byzantine
    correct = [node.index for node in simulation.correct]
    committee = simulation.genesis.committee
    assert (committee.get_leader(1), committee.get_leader(2)) == (twin, correct[2])


@pytest.mark.parametrize("plan", sample_plans(Shape(4, 1, 4), random.Random(7), 3))
def test_one_twin_of_four_breaks_nothing(plan: Plan) -> None:
    """Agreement holds through four split views, and progress returns."""
    assert run_plan(Shape(4, 1, 4), plan).violations == ()


def test_two_twins_of_seven_break_nothing() -> None:
    """The same with n = 7 and two keys used twice."""
    (plan,) = sample_plans(Shape(7, 2, 4), random.Random(7), 1)
    assert run_plan(Shape(7, 2, 4), plan).violations == ()


def test_twins_that_lead_both_sides_of_a_split_contradict_themselves() -> None:
    """The attack takes place: one key votes for two blocks of one view."""
    assert run_plan(Shape(4, 1, 2), (ViewPlan(0, SPLIT),) * 2).is_contradictory


def test_two_twins_of_four_can_break_agreement() -> None:
    """Control: beyond F each side has a strong set, and I1 is reported."""
    result = run_plan(Shape(4, 2, 2), (ViewPlan(0, (FIRST, SECOND_TWIN)),) * 2)
    assert "I1" in [violation.rule for violation in result.violations]
