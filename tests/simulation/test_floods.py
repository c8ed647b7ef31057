"""Every flood fills the tables that it attacks up to their bounds, and none beyond; a bound that is gone is noticed."""

from __future__ import annotations

import pytest

from sequencer.replica import commitments
from sequencer.simulation.checkers.bounds import BoundsChecker
from sequencer.simulation.floods.registry import FLOODS, run_floods
from tests.simulation.scenes import Scene

SLOW = {"grow_old", "submit_successors", "submit_requests_that_wait", "submit_fat_transactions"}
"""Floods of seconds; `scripts/bounds.py` runs them."""


@pytest.mark.parametrize("name", sorted(set(FLOODS) - SLOW))
def test_flood_fills_its_tables_to_their_bounds_and_not_beyond(name: str) -> None:
    """I11: size ≤ bound after every message, and 90 % of it are reached: the bound is what stops the flood."""
    report = run_floods((name,))
    assert (report.violations, report.not_filled) == ([], [])


def test_flood_of_a_table_without_its_bound_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: votes on commitments are kept without end, and I11 says so."""
    monkeypatch.setattr(commitments.Commitments, "_count", _keep_everything)
    report = run_floods(("sign_every_commitment",))
    assert {violation.rule for violation in report.violations} == {"I11"}


def _keep_everything(self: commitments.Commitments, signer: int, height: int, digest: bytes, signature: bytes) -> None:
    self._votes[signer][height] = (digest, signature)


def test_bounds_checker_keeps_the_fullest_and_reports_what_is_above() -> None:
    """A table at its bound is full, one above it is broken."""
    scene = Scene()
    checker = BoundsChecker(scene.ledger)
    for size in (3, 4, 2):
        checker.check_tables(0, {"table": (size, 4)})
    assert (checker.largest, scene.rules) == ({"table": (4, 4)}, [])
    checker.check_tables(0, {"table": (5, 4)})
    assert scene.rules == ["I11"]
