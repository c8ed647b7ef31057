"""The speed script says of each sample in which package the program was."""

from __future__ import annotations

import time

import pytest

from scripts.simulation_speed import name_package, sampling


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("lanes/own_lane.py", "lanes"),
        ("codec.py", "codec"),
        ("simulation/node.py", "simulation"),
        ("simulation/checkers/votes.py", "simulation/checkers"),
    ],
)
def test_package_is_named_after_folder_or_module(path: str, name: str) -> None:
    """Checkers are told apart from the simulator that they watch."""
    assert name_package(path) == name


def test_sampling_sees_what_runs() -> None:
    """What burns time outside the product counts as other, and at the end nothing is counted any more."""
    with sampling() as samples:
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
    seen = samples.total()
    assert seen >= 5
    assert set(samples) == {"other"}
    until = time.process_time() + 0.02
    while time.process_time() < until:
        pass
    assert samples.total() == seen
