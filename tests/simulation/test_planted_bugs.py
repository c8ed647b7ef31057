"""Random seeds catch planted bugs, each by a monitor of its rule, while the clean core passes the same seed."""

from __future__ import annotations

import pytest

from tests.simulation.planted.bugs import BUGS, get_bug
from tests.simulation.planted.plant import LINES_MAX, LIVENESS, PlantedBug, hunt

SEEDS = 8
"""The first seeds suffice for most; the long hunt is `scripts/planted_bugs.py`."""
NAMED = (
    "quorum_2f_plus_1",
    "wal_dropped",
    "finalize_after_nullify",
    "finalize_rederived",
    "notarize_after_nullify",
    "weak_is_one_have",
    "have_before_persist",
    "no_certificate_forwarding",
    "gc_feeds_ordering",
    "epoch_unsigned",
    "skipped_nullification",
    "relayed_vote_accepted",
    "old_epoch_wal",
    "bound_removed",
)


@pytest.mark.parametrize("name", ["epoch_unsigned", "finalize_after_nullify", "have_before_persist", "fee_not_burned"])
def test_planted_bug_is_caught_by_a_checker_of_its_rule(name: str) -> None:
    """A checker that reports nothing on a broken core would be worth nothing."""
    assert hunt(get_bug(name), SEEDS).is_caught


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_planted_bug_applies_to_the_product_in_few_lines(bug: PlantedBug) -> None:
    """What a bug changes is there, and little; what reports it is no exception, and seldom a loss of liveness alone."""
    assert 1 <= bug.count_lines() <= LINES_MAX
    with bug.plant():
        pass
    assert not {"RAISED", "STOPPED"} & set(bug.caught_by)


def test_bugs_are_enough_and_of_many_rules() -> None:
    """The whole list keeps its bounds, and has every bug that must be in it."""
    names = [bug.name for bug in BUGS]
    assert len(set(names)) == len(names) >= 32
    assert len({bug.rule for bug in BUGS}) >= 25
    assert sum(not bug.is_random for bug in BUGS) <= 8
    assert sum(set(bug.caught_by) <= LIVENESS for bug in BUGS) <= 6
    assert set(NAMED) <= set(names)
