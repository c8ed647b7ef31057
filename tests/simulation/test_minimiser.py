"""The fewest faults are found, in few runs, and a replay of them survives being written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sequencer.errors import LocalError
from sequencer.simulation.checkers.ledger import Violation
from sequencer.simulation.faults.fault import Fault
from sequencer.simulation.minimiser import RUNS_MAX, minimise
from sequencer.simulation.options import SIMULATION_PARAMETERS, SimulationOptions
from sequencer.simulation.replay import Replay, options_from_value, options_to_value, read_replay, write_replay
from sequencer.simulation.runner import run_seed
from sequencer.simulation.simulator import SeedResult

PLAN = tuple(Fault("crash", number, number, number + 1, (number % 4,)) for number in range(20))
CLEAN = run_seed(3, SimulationOptions(plan=()))
VIOLATION = Violation("I1", 1, 0, 1, "made up")


@pytest.mark.parametrize("needed", [(), (7,), (0, 19), (3, 4, 11)])
def test_minimiser_keeps_exactly_the_faults_that_the_failure_needs(needed: tuple[int, ...]) -> None:
    """Removing any one of what is left makes the seed pass."""
    failure = replace(CLEAN, faults=PLAN, violations=(VIOLATION,))

    def run(seed: int, options: SimulationOptions) -> SeedResult:
        plan = options.plan or ()
        is_broken = set(needed) <= {fault.number for fault in plan}
        return replace(CLEAN, faults=plan, violations=(VIOLATION,) if is_broken else ())

    found = minimise(failure, SimulationOptions(), run)
    assert {fault.number for fault in found.options.plan or ()} == set(needed)
    assert found.is_minimal
    assert found.runs < RUNS_MAX


def test_replay_file_keeps_every_option_and_every_fault(tmp_path: Path) -> None:
    """What is written is what is read."""
    options = SimulationOptions(
        5, (3, 2, 2, 1, 1), ("crash",), SIMULATION_PARAMETERS, byzantine=1, behaviours=("twins",), plan=PLAN
    )
    replay = Replay(9, options, "I1", "ab" * 32, "abc", "fee_not_burned")
    write_replay(replay, tmp_path / "folder" / "replay.json")
    assert read_replay(tmp_path / "folder" / "replay.json") == replay


@pytest.mark.parametrize(
    ("change", "name"), [({"validators": 1}, "validators"), ({"plan": [{}]}, "plan"), ({"speed": 9}, "speed")]
)
def test_replay_with_wrong_options_is_refused_by_name(change: dict[str, object], name: str) -> None:
    """A file is input like any other."""
    with pytest.raises(LocalError, match=name):
        options_from_value({**options_to_value(SimulationOptions()), **change}, "replay.options")
