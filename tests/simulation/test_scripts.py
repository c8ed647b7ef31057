"""The campaign keeps lines that can be run again, and notices one that was changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from scripts import campaign


def run_campaign(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["campaign.py", "--workers", "1", *arguments])
    return campaign.main()


def test_campaign_line_runs_again_to_the_same_result_and_a_changed_line_differs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--verify` compares the trace hash; `--resume` goes on behind the last seed."""
    file = tmp_path / "campaign.jsonl"
    start = ("--file", str(file), "--seeds-per-line", "1")
    assert run_campaign(monkeypatch, *start) == 0
    assert run_campaign(monkeypatch, *start) == 2
    assert run_campaign(monkeypatch, *start, "--resume") == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["seeds"] for line in lines] == ["0:1", "1:2"]
    assert run_campaign(monkeypatch, "--file", str(file), "--verify", "2") == 0
    lines[1]["trace_hash"] = "00" * 32
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    capsys.readouterr()
    assert run_campaign(monkeypatch, "--file", str(file), "--verify", "2") == 1
    assert json.loads(capsys.readouterr().out)["differing"] == ["trace_hash"]


def test_campaign_mix_has_every_size_and_both_kinds_of_powers() -> None:
    """Four validators are most; nothing that the campaign is to cover is left out."""
    assert {options.validators for options in campaign.MIX} == {4, 5, 6, 7, 10}
    assert any(options.powers for options in campaign.MIX)
    assert {options.byzantine for options in campaign.MIX} == {0, 1, 2, 3}
    assert 2 * sum(options.validators == 4 for options in campaign.MIX) > len(campaign.MIX)
    for options in campaign.MIX:
        line = campaign.name_options(options)
        assert campaign.read_options(line).get_powers() == options.get_powers()
