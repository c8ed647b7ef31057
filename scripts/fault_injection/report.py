"""Say what was seen, so that anybody can run it again and compare.

A script prints one line per claim, `ok` or `BROKEN`, under a header with command, commit
and date, and ends with the status that the claims deserve: 0 all held, 1 one was broken.
"""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys


class Report:
    """The claims of one script."""

    def __init__(self, question: str) -> None:
        """Print the header."""
        self._broken = 0
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
        now = datetime.datetime.now(datetime.UTC)
        arguments = [argument for argument in sys.orig_argv[1:] if argument]
        print(f"# {question}")
        print(f"# command: python {' '.join(arguments)}")
        print(f"# commit: {commit.stdout.strip() or 'unknown'}   date: {now:%Y-%m-%d %H:%M} UTC")
        print(f"# machine: {platform.machine()}, Python {platform.python_version()}, {platform.system()}", flush=True)

    def note(self, text: str) -> None:
        """Print something seen that is no claim."""
        print(f"       {text}", flush=True)

    def claim(self, is_true: bool, text: str) -> None:
        """Print one claim with what was seen."""
        self._broken += not is_true
        print(f"{'ok    ' if is_true else 'BROKEN'} {text}", flush=True)

    def end(self) -> int:
        """Print the verdict and return the exit status."""
        print(f"# {'all claims hold' if not self._broken else f'{self._broken} claims are broken'}", flush=True)
        return 1 if self._broken else 0
