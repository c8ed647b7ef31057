"""`sequencer simulate` speaks as the interface promises: one JSON object, and an exit status that means something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sequencer.cli.command import ExitStatus
from sequencer.cli.main import main
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.replay import Replay, write_replay

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
    "seeds_on",
    "seeds_fired",
    "dead",
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
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a planted bug the status is 1; the replay file runs to the same trace hash, and says so."""
    monkeypatch.chdir(tmp_path)
    status = main(["simulate", "--seeds", "0:1", "--planted", "fee_not_burned", "--json"])
    captured = capsys.readouterr()
    violation = json.loads(captured.out)["violations"][0]
    assert (status, violation["seed"], violation["rule"]) == (ExitStatus.BROKEN, 0, "A17")
    path = captured.err.splitlines()[-1].removeprefix("replay: sequencer simulate --replay ")
    status = main(["simulate", "--replay", path, "--json"])
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (status, result["rule"], result["is_same_trace"]) == (ExitStatus.BROKEN, "A17", True)
    assert "the same run: it breaks A17" in captured.err


def test_simulate_planted_performs_the_play_of_a_bug_that_no_seed_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """The play is the replay: it names the rule, and the status is 1."""
    status = main(["simulate", "--planted", "old_epoch_wal", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (status, result["rule"], result["play"]) == (ExitStatus.BROKEN, "R1", "play_log_of_another_epoch")


def test_simulate_replay_that_gives_another_run_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of other code, or one that was changed: the seed passes now, and its hash is another."""
    monkeypatch.chdir(tmp_path)
    options = SimulationOptions(plan=())
    write_replay(Replay(3, options, "I1", "00" * 32, "another"), tmp_path / "replay.json")
    status = main(["simulate", "--replay", "replay.json", "--json"])
    captured = capsys.readouterr()
    assert (status, json.loads(captured.out)["is_same_trace"]) == (ExitStatus.OK, False)
    assert "it breaks nothing, and broke I1" in captured.err
    assert "another trace hash" in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--seeds", "5"),
        ("--seeds", "5:5"),
        ("--seeds", "a:b"),
        ("--faults", "flood"),
        ("--validators", "1"),
        ("--planted", "nothing"),
    ],
)
def test_simulate_wrong_usage_exits_2_and_names_the_option(
    arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot run is said in one line."""
    assert main(["simulate", *arguments]) == ExitStatus.FAILED
    assert arguments[0].removeprefix("--") in capsys.readouterr().err
