"""A script's exit status is what its claims deserve."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from scripts import evidence
from scripts.fault_injection.report import CannotRun, Report, run


def hold(report: Report) -> None:
    report.claim(True, "water is wet")
    report.note("as ever")


def break_one(report: Report) -> None:
    report.claim(False, "water is dry")
    report.claim(True, "water is wet")


def end_early(report: Report) -> None:
    raise TimeoutError("not within 1 s: water boils")


def interrupt(report: Report) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    report.claim(True, "never reached")


def miss(report: Report) -> None:
    raise CannotRun("no water")


@pytest.mark.parametrize(
    ("body", "status", "line"),
    [
        (hold, 0, "# all claims hold"),
        (break_one, 1, "# 1 claims are broken"),
        (end_early, 1, "BROKEN ended early: TimeoutError: not within 1 s: water boils"),
        (interrupt, 1, "BROKEN ended early: interrupted"),
        (miss, 2, "cannot run: no water"),
    ],
)
def test_exit_status_is_what_the_claims_deserve(
    body: Callable[[Report], None], status: int, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """0 all held, 1 one broken or never reached, 2 could not run; the output says which."""
    assert run("Is water wet?", body) == status
    captured = capfd.readouterr()
    assert line in captured.out + captured.err


def test_missing_tool_is_named_before_anything_runs(capfd: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 and one line, no header."""
    assert run("Is water wet?", break_one, tools=["no-such-tool"]) == 2
    assert capfd.readouterr() == ("", "cannot run: no-such-tool is not installed\n")


@pytest.mark.parametrize(
    ("statuses", "decided"), [([], 0), ([0, 0], 0), ([0, 2], 2), ([2, 1, 0], 1), ([0, -9], 1), ([0, 137], 1)]
)
def test_evidence_is_broken_before_it_is_incomplete(statuses: list[int], decided: int) -> None:
    """One broken promise outweighs scripts that could not run; a killed script is broken."""
    assert evidence.decide(statuses) == decided
