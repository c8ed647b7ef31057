"""The short form of the campaign: a few seeds of every size, all faults, no violation."""

from __future__ import annotations

import pytest

from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import Campaign, CampaignResult, format_failure, format_replay, run_seed, simulate
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


def test_failed_seed_prints_a_command_that_replays_it_to_the_same_hash() -> None:
    """What a person is told is enough to see the same failure again."""
    bug = next(bug for bug in BUGS if bug.name == "fee_not_burned")
    first, second = (run_seed(0, bug.options, bug.plant) for _ in range(2))
    assert first.violations
    assert first.trace_hash == second.trace_hash
    lines = format_failure(first, bug.options)
    assert lines[0].startswith("seed 0 broke A17 at ")
    assert lines[-1] == f"replay: {format_replay(0, bug.options)}"
    assert "--seeds 0:1 --validators 4 --faults all" in lines[-1]
