"""Equal seeds give equal runs, in every process and with any number of workers. # I15"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import Campaign, simulate

ROOT = Path(__file__).resolve().parents[2]


def get_hash_in_new_process(hash_seed: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "tests.simulation.hash_of_seeds", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_I15_trace_hash_is_the_same_whatever_the_hash_seed() -> None:
    """Two processes that order their sets differently give the same actions."""
    assert get_hash_in_new_process("1") == get_hash_in_new_process("2")


def test_I15_shuffle_that_depends_on_the_process_changes_the_trace_hash() -> None:
    """Control: a planted iteration over a set of strings is noticed."""
    assert get_hash_in_new_process("1", "--shuffled") != get_hash_in_new_process("2", "--shuffled")


def test_I15_aggregate_does_not_depend_on_the_number_of_workers() -> None:
    """One and two workers give the same sums and the same hash."""
    options = SimulationOptions()
    alone, together = (simulate(Campaign(0, 2, options, workers)).to_json() for workers in (1, 2))
    for result in (alone, together):
        del result["cpu_seconds"], result["seeds_per_minute"]
    assert alone == together
