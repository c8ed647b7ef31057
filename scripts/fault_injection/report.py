"""Say what was seen, so that anybody can run it again and compare.

A script prints one line per claim, `ok` or `BROKEN`, under a header with command, commit
and date, and ends with the status that the claims deserve: 0 all held, 1 one was broken,
2 it could not run.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

CANNOT_RUN = 2


class CannotRun(Exception):
    """Something that a script needs is not there."""


class Report:
    """The claims of one script."""

    def __init__(self, question: str) -> None:
        """Print the header."""
        self._broken = 0
        now = datetime.datetime.now(datetime.UTC)
        arguments = [argument for argument in sys.orig_argv[1:] if argument]
        print(f"# {question}")
        print(f"# command: python {' '.join(arguments)}")
        print(f"# commit: {describe_commit()}   date: {now:%Y-%m-%d %H:%M} UTC")
        print(f"# machine: {platform.machine()}, Python {platform.python_version()}, {platform.system()}", flush=True)

    def note(self, text: str) -> None:
        """Print something seen that is no claim."""
        print(f"       {text}", flush=True)

    def claim(self, is_true: bool, text: str) -> None:
        """Print one claim with what was seen."""
        self._broken += not is_true
        print(f"{'ok    ' if is_true else 'BROKEN'} {text}", flush=True)

    def tell(self, result: Mapping[str, object]) -> None:
        """Print figures for programs, as one line of JSON."""
        print(json.dumps(result), flush=True)

    def end(self) -> int:
        """Print the verdict and return the exit status."""
        print(f"# {'all claims hold' if not self._broken else f'{self._broken} claims are broken'}", flush=True)
        return 1 if self._broken else 0


def run(question: str, body: Callable[[Report], None], *, tools: Sequence[str] = (), needs_root: bool = False) -> int:
    """Run a script's body and return its exit status; what ends the body early is a broken claim."""
    obstacle = find_obstacle(tools, needs_root=needs_root)
    if obstacle:
        print(f"cannot run: {obstacle}", file=sys.stderr)
        return CANNOT_RUN
    report = Report(question)
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything started is stopped
    try:
        body(report)
    except CannotRun as missing:
        print(f"cannot run: {missing}", file=sys.stderr)
        return CANNOT_RUN
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        report.claim(False, f"ended early: {type(error).__name__}: {error}")
    except KeyboardInterrupt:
        report.claim(False, "ended early: interrupted")
    finally:
        signal.signal(signal.SIGTERM, previous)
    return report.end()


def find_obstacle(tools: Sequence[str], *, needs_root: bool) -> str:
    """Return why a script cannot run here; empty if it can."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} is not installed"
    return "needs root" if needs_root and os.geteuid() != 0 else ""


def describe_commit() -> str:
    """Return the commit that lies in the folder, and whether files differ from it."""
    commit = _ask_git("rev-parse", "--short", "HEAD")
    changed = _ask_git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!specs/evidence")
    return f"{commit or 'unknown'}{' with changed files' if changed else ''}"


def _ask_git(*arguments: str) -> str:
    if shutil.which("git") is None:
        return ""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()
