"""How long a view lasts."""

from __future__ import annotations

import pytest

from sequencer.consensus.timeouts import compute_view_timeout
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
    """Only the distance to the finalized view counts."""
    assert compute_view_timeout(102, 100, COMMITTEE, PARAMETERS) == BASE


def test_T1_committee_whose_faulty_leaders_can_follow_each_other_waits_longer_to_grow() -> None:
    """F' is measured on the schedule: many small validators within F lead in a row."""
    powers = [6, *[1] * 6]
    committee = Committee(
        0, tuple(Validator(f"v{i}", bytes([i]) * 32, power) for i, power in enumerate(powers)), bytes(32)
    )
    assert committee.leader_gap_max >= 2
    assert compute_view_timeout(5, 0, committee, Parameters()) == BASE
