"""The command line finds commands, tells errors in one line, and its help is instant."""

from __future__ import annotations

import argparse
import subprocess
import sys
from types import ModuleType

import pytest

from sequencer.cli import main as command_line
from sequencer.errors import LocalError, SequencerError, StoreError, VerificationError

HEAVY = ("trio", "libp2p", "httpx", "starlette", "hypercorn", "nacl", "cryptography", "pyrsistent", "psutil")
"""Modules that cost more than a person waits for before reading help."""


def run_help_and_list_modules(*arguments: str) -> set[str]:
    """Run the help of a fresh process; return the top-level modules that it had imported at exit."""
    program = (
        "import atexit, sys\n"
        "names = lambda: ' '.join(sorted({name.split('.')[0] for name in sys.modules}))\n"
        "atexit.register(lambda: print(names(), file=sys.stderr))\n"
        "from sequencer.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage: sequencer" in done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "command", [(), *((name,) for name in command_line.COMMANDS)], ids=lambda words: "-".join(words)
)
def test_help_imports_nothing_heavy(command: tuple[str, ...]) -> None:
    """Help is instant because nothing heavy is imported for it."""
    assert run_help_and_list_modules(*command).isdisjoint(HEAVY)


def test_list_of_modules_shows_a_heavy_import() -> None:
    """Control: the measurement sees a heavy module when there is one."""
    program = "import atexit, sys, trio\nprint('trio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "True"


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help goes to stderr and the status is 2."""
    assert command_line.main([]) == 2
    assert "usage: sequencer" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["dance"], ["--dance"], ["node"], ["status", "extra"], ["tx"], ["tx", "dance"], ["devnet", "--validators", "x"]],
)
def test_wrong_usage_is_one_line_and_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What the parser refuses is told as every other error, without the usage before it."""
    assert command_line.main(arguments) == 2
    told = capsys.readouterr().err
    assert (told.count("\n"), told.startswith("sequencer: ")) == (1, True)


def make_failing_command(error: BaseException) -> ModuleType:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true")

    def run(_: argparse.Namespace) -> int:
        raise error

    module = ModuleType("failing")
    module.__dict__.update(add_arguments=add_arguments, run=run)
    return module


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LocalError("port 1 is used"), 2),
        (StoreError("disk is full"), 2),
        (SequencerError("peer is wrong"), 2),
        (ConnectionRefusedError("nobody listens"), 2),
        (KeyboardInterrupt(), 2),
        (VerificationError("signature 3 is wrong"), 1),
        (BaseExceptionGroup("nursery", [KeyboardInterrupt()]), 2),
        (BaseExceptionGroup("nursery", [ExceptionGroup("inner", [LocalError("port 1 is used")])]), 2),
    ],
)
def test_expected_error_is_one_line_and_a_status(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An expected error, even inside a nursery's group, is told in one line without a traceback."""
    monkeypatch.setattr(command_line, "load_command", lambda _: make_failing_command(error))
    assert command_line.main(["status"]) == status
    assert capsys.readouterr().err.count("\n") == 1


def test_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody expects keeps its traceback."""
    monkeypatch.setattr(command_line, "load_command", lambda _: make_failing_command(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        command_line.main(["status"])


def test_error_under_json_is_also_an_object_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs read the reason from the last line of stdout."""
    monkeypatch.setattr(command_line, "load_command", lambda _: make_failing_command(LocalError("no home")))
    command_line.main(["status", "--json"])
    assert capsys.readouterr().out == '{"error":"failed","message":"no home"}\n'
