"""The short form of the campaign: a few seeds of every size, all faults, no violation."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager

import pytest

from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.report import format_command, format_failure
from sequencer.simulation.runner import Campaign, CampaignResult, run_seed, simulate
from sequencer.simulation.trace import LAST_ACTIONS
from tests.simulation.planted.bugs import BUGS


def run_campaign(validators: int, first_seed: int, end_seed: int, powers: tuple[int, ...] = ()) -> CampaignResult:
    options = SimulationOptions(validators, powers)
    result = simulate(Campaign(first_seed, end_seed, options))
    assert result.failures == [], "\n".join(line for f in result.failures for line in format_failure(f, options))
    return result


def test_campaign_of_four_validators_keeps_every_promise() -> None:
    """Nothing is violated, and there are enough heights and transactions."""
    result = run_campaign(4, 0, 12)
    summary = result.to_json()
    assert summary["median_heights"] >= 30  # type: ignore[operator] # JSON values are objects
    assert result.transactions_final >= 100 * result.seeds * 0.9
    assert result.bundles_committed > 0
    assert result.bundles_aborted > 0


@pytest.mark.parametrize(
    ("validators", "powers"), [(5, ()), (7, ()), (4, (1, 2, 3, 4))], ids=["five", "seven", "unequal"]
)
def test_campaign_of_other_committees_keeps_every_promise(validators: int, powers: tuple[int, ...]) -> None:
    """Sizes at which n-f differs from 2f+1, and unequal powers."""
    run_campaign(validators, 0, 3, powers)


def test_failure_report_names_rule_faults_and_the_last_actions() -> None:
    """What a person is told is enough to understand the failure, and the same each time."""
    bug = next(bug for bug in BUGS if bug.name == "fee_not_burned")
    first, second = (run_seed(0, bug.options, bug.plant) for _ in range(2))
    assert first.violations
    assert first.trace_hash == second.trace_hash
    lines = format_failure(first, bug.options)
    assert lines[0].startswith("seed 0 broke A17 at ")
    assert len([line for line in lines if line.startswith("  fault ")]) == len(first.faults)
    assert 0 < len(lines[lines.index("last actions:") + 1 :]) <= LAST_ACTIONS
    assert "--seeds 0:1 --validators 4 --faults all" in format_command(0, bug.options)


def test_kind_that_hardly_ever_fires_makes_the_campaign_fail() -> None:
    """A fault that is on and felt by nobody tests nothing; below 200 seeds nothing is said of it."""
    result = CampaignResult()
    result.seeds_on.update({"loud": 300, "silent": 300, "rare": 199})
    result.seeds_fired.update({"loud": 150, "silent": 149, "rare": 0})
    assert result.get_dead() == ["silent"]


def test_collector_that_rests_during_a_seed_works_again_after_it() -> None:
    """What was enabled before is enabled after, though the seed raised, and nothing stays frozen."""

    def plant() -> AbstractContextManager[object]:
        assert not gc.isenabled()
        raise LookupError("no such bug")

    with pytest.raises(LookupError):
        run_seed(0, SimulationOptions(), plant)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
