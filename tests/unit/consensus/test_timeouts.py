"""How long a view lasts."""

from __future__ import annotations

import pytest

from sequencer.consensus.timeouts import CALM_FINALIZATIONS, Patience, compute_view_timeout
from sequencer.consensus.view_clock import ViewClock
from sequencer.types.committee import Committee, Validator
from sequencer.types.parameters import Parameters
from tests.unit.consensus.world import COMMITTEE, PARAMETERS

BASE = PARAMETERS.view_timeout_base_ms


@pytest.mark.parametrize(
    ("view", "expected"), [(1, BASE), (2, BASE), (4, BASE), (5, BASE * 3 // 2), (7, BASE * 9 // 4)]
)
def test_T1_view_time_grows_only_after_a_whole_row_of_failures(view: int, expected: int) -> None:
    """With F' = 1 two leaders must fail, beyond the two views of normal running, before T grows by half."""
    assert compute_view_timeout(view, 0, COMMITTEE, PARAMETERS) == expected


def test_T1_view_time_is_capped() -> None:
    """However many views failed."""
    assert compute_view_timeout(10**9, 0, COMMITTEE, PARAMETERS) == PARAMETERS.view_timeout_max_ms


def test_T6_finalization_resets_the_view_time() -> None:
    """Beyond patience only the distance to the finalized view counts."""
    assert compute_view_timeout(102, 100, COMMITTEE, PARAMETERS) == BASE


def test_T1_committee_whose_faulty_leaders_can_follow_each_other_waits_longer_to_grow() -> None:
    """F' is measured on the schedule: many small validators within F lead in a row."""
    powers = [6, *[1] * 6]
    committee = Committee(
        0, tuple(Validator(f"v{i}", bytes([i]) * 32, power) for i, power in enumerate(powers)), bytes(32)
    )
    assert committee.leader_gap_max >= 2
    assert compute_view_timeout(5, 0, committee, Parameters()) == BASE


@pytest.mark.parametrize(("work_since_ms", "start_ms"), [(None, 500), (0, 0), (480, 480), (700, 500)])
def test_T2_T3_late_work_leaves_the_leader_its_time(work_since_ms: int | None, start_ms: int) -> None:
    """From the first work, at the latest from the idle time on: 3 T for a proposal, 5 T for a certificate."""
    clock = ViewClock(entered_ms=0, timeout_ms=100, idle_ms=500, work_since_ms=work_since_ms)
    assert clock.compute_deadline(is_proposed=False) == start_ms + 300
    assert clock.compute_deadline(is_proposed=True) == start_ms + 500


def test_T6_needed_patience_is_kept() -> None:
    """The next block does not pay again for learning how slow the network is."""
    patience = Patience()
    patience.on_finalized(2, COMMITTEE)
    assert compute_view_timeout(3, 2, COMMITTEE, PARAMETERS, patience.steps) == PARAMETERS.view_timeout_base_ms * 3 // 2


def test_T6_one_dead_leader_teaches_nothing() -> None:
    """Its view is given up once per round; nobody is slow."""
    patience = Patience()
    for _ in range(10):
        patience.on_finalized(1, COMMITTEE)
    assert patience.steps == 0


def test_T6_patience_is_given_back_after_calm() -> None:
    """A network that has become quick again is trusted again."""
    patience = Patience()
    patience.on_finalized(2, COMMITTEE)
    for _ in range(CALM_FINALIZATIONS):
        patience.on_finalized(0, COMMITTEE)
    assert patience.steps == 0
