"""`sequencer simulate` speaks as the interface promises: one JSON object, and an exit status that means something."""

from __future__ import annotations

import json

import pytest

from sequencer.cli.command import ExitStatus
from sequencer.cli.main import main
from tests.simulation.planted.bugs import BUGS

FIELDS = {
    "seeds",
    "simulated_seconds",
    "heights",
    "median_heights",
    "transactions_final",
    "bundles_committed",
    "bundles_aborted",
    "restarts",
    "evidence",
    "seeds_with_evidence",
    "cpu_seconds",
    "seeds_per_minute",
    "violations",
    "fired",
    "trace_hash",
}


def test_simulate_json_prints_exactly_the_promised_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """A run without faults keeps its promises and says so in one line."""
    status = main(["simulate", "--seeds", "3:4", "--faults", "none", "--json"])
    lines = capsys.readouterr().out.splitlines()
    result = json.loads(lines[-1])
    assert (status, len(lines), set(result), result["seeds"]) == (ExitStatus.OK, 1, FIELDS, 1)
    assert result["violations"] == []
    assert result["restarts"] == 0
    assert result["transactions_final"] >= 90


def test_simulate_tells_a_broken_promise_by_status_rule_and_replay_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a planted bug the status is 1, the JSON names seed and rule, people get the command."""
    bug = next(bug for bug in BUGS if bug.name == "fee_not_burned")
    with bug.plant():
        status = main(["simulate", "--seeds", "0:1", "--json"])
    captured = capsys.readouterr()
    violation = json.loads(captured.out)["violations"][0]
    assert (status, violation["seed"], violation["rule"]) == (ExitStatus.BROKEN, 0, "A17")
    assert "replay: sequencer simulate --seeds 0:1 --validators 4" in captured.err


@pytest.mark.parametrize(
    "arguments",
    [("--seeds", "5"), ("--seeds", "5:5"), ("--seeds", "a:b"), ("--faults", "flood"), ("--validators", "1")],
)
def test_simulate_wrong_usage_exits_2_and_names_the_option(
    arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot run is said in one line."""
    assert main(["simulate", *arguments]) == ExitStatus.FAILED
    assert arguments[0].removeprefix("--") in capsys.readouterr().err
