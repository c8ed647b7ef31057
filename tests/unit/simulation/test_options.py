"""What one simulated seed consists of."""

from __future__ import annotations

import random

import pytest

from sequencer.simulation.options import SimulationOptions, draw_parameters

PROGRESS_MS = 10_000
"""Time for three heights after the healing. # I12"""


@pytest.mark.parametrize(
    ("validators", "powers", "expected"),
    [(2, (), 1), (4, (), 1), (5, (), 1), (7, (), 2), (10, (), 3), (4, (1, 2, 3, 4), 2), (5, (3, 1, 1, 1, 1), 2)],
)
def test_faulty_validators_are_as_many_as_power_F_allows(
    validators: int, powers: tuple[int, ...], expected: int
) -> None:
    """The weakest count, for most of them fit into F."""
    assert SimulationOptions(validators, powers).count_faulty_max() == expected


@pytest.mark.parametrize("faulty_max", [1, 2, 3, 4])
def test_I12_row_of_failed_views_leaves_time_for_three_heights(faulty_max: int) -> None:
    """One view that the faults spoilt and a row of faulty leaders, with work at hand; then three paced blocks."""
    for seed in range(50):
        parameters = draw_parameters(random.Random(seed), faulty_max)
        failed_ms = (1 + faulty_max) * 5 * parameters.view_timeout_max_ms
        assert failed_ms + 3 * parameters.pace_ms < PROGRESS_MS
