"""Tell people how far a campaign is: one line that changes on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from sequencer.cli.output import print_text

if TYPE_CHECKING:
    from sequencer.simulation.simulator import SeedResult

SEEDS_PER_LINE = 100
"""Without a terminal a line is written after so many seeds."""
REDRAW_SECONDS = 0.2


class Progress:
    """Seeds done, seeds per minute, and how many broke a promise."""

    def __init__(self, seeds: int) -> None:
        self._seeds = seeds
        self._done = 0
        self._failed = 0
        self._start = self._drawn = time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def on_seed(self, result: SeedResult) -> None:
        """Count one seed."""
        self._done += 1
        self._failed += bool(result.violations)
        now = time.monotonic()
        if self._is_terminal and now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            print(f"\r{self._format(now)}\x1b[K", end="", file=sys.stderr, flush=True)
        elif not self._is_terminal and self._done % SEEDS_PER_LINE == 0:
            print_text(self._format(now))

    def close(self) -> None:
        """Write the last state where the changing line was."""
        if self._is_terminal:
            print(f"\r{self._format(time.monotonic())}\x1b[K", file=sys.stderr, flush=True)

    def _format(self, now: float) -> str:
        rate = 60 * self._done / max(now - self._start, 1e-3)
        return f"{self._done}/{self._seeds} seeds, {rate:.0f} per minute, {self._failed} broke a promise"
