"""Random seeds catch the planted bugs, each by a monitor of its rule, while the clean core passes the same seed."""

from __future__ import annotations

import pytest

from tests.simulation.planted.bugs import BUGS
from tests.simulation.planted.plant import PlantedBug, hunt

SEEDS = 12
"""The first seeds suffice for most; the long hunt is `scripts/planted_bugs.py`."""


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.play is None], ids=lambda bug: bug.name)
def test_planted_bug_is_caught_by_a_checker_of_its_rule(bug: PlantedBug) -> None:
    """A checker that reports nothing on a broken core would be worth nothing."""
    assert hunt(bug, SEEDS).is_caught
