"""The judge is independent, and the workload is a function of its seed."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from sequencer.simulation import reference
from sequencer.simulation.workload import Workload
from tests.architecture.source import ROOT, find_imports
from tests.execution_world import ACCOUNTS, GENESIS, sign_token

ALLOWED = ("sequencer.types", "sequencer.codec", "sequencer.errors", reference.__name__)
JUDGES = [*sorted((ROOT / "sequencer/simulation/reference").glob("*.py")), ROOT / "sequencer/simulation/workload.py"]


@pytest.mark.parametrize("path", JUDGES, ids=lambda path: path.stem)
def test_reference_shares_no_code_with_execution_or_state(path: Path) -> None:
    """Two implementations of one rule can disagree; one cannot."""
    found = find_imports(path.read_text(), "sequencer.simulation")
    modules = [entry.module for entry in found if entry.module.startswith("sequencer")]
    assert modules
    assert [module for module in modules if not module.startswith(ALLOWED)] == []


def test_workload_is_a_function_of_its_seed() -> None:
    """The same seed makes the same bytes, another seed others."""
    logs = []
    for seed in (1, 1, 2):
        made = Workload(GENESIS, ACCOUNTS, sign_token, Random(seed))
        logs.append([made.make_item(height) for height in range(50)])
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]
