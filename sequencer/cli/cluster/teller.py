"""Tell what happens in a devnet: a page and lines for people, JSON lines for programs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sequencer import __version__
from sequencer.cli.cluster.lines import BlockLines, BlockSummary
from sequencer.cli.cluster.page import make_page
from sequencer.cli.output import Colour, paint, print_json


@dataclass(slots=True)
class Totals:
    """What the network did while it was watched."""

    height: int = 0
    committed: int = 0
    aborted: int = 0
    inadmissible: int = 0

    def add(self, summary: BlockSummary) -> None:
        """Count one block."""
        self.height = summary.height
        self.committed += summary.committed
        self.aborted += summary.aborted
        self.inadmissible += summary.inadmissible


class Teller(Protocol):
    """Says what happens, in one manner."""

    def on_ready(self, ready: Mapping[str, Any], seconds: float) -> None:
        """Every node answers; `seconds` after the start."""

    def on_block(self, summary: BlockSummary) -> None: ...

    def on_fault(self, name: str, text: str) -> None:
        """A node is gone without having been asked to go."""

    def on_stopped(self, totals: Totals) -> None: ...


@dataclass(slots=True)
class PersonTeller:
    """Writes the page and one line per block with content, bundle or fault, on stdout."""

    directory: str
    origin: str
    """Where the keys come from: `seed 42`, `fresh keys`, `resumed`."""
    _lines: BlockLines = field(default_factory=BlockLines)

    def on_ready(self, ready: Mapping[str, Any], seconds: float) -> None:
        """Write the page; its first line is the bold one."""
        prefix = "uv run " if "UV" in os.environ else ""  # uv tells its children so
        first, *others = make_page(__version__, ready, seconds, self.origin, self.directory, prefix)
        print("\n".join([paint(first, Colour.BOLD, sys.stdout), *others]), flush=True)

    def on_block(self, summary: BlockSummary) -> None:
        """Write the lines that are due."""
        for line in self._lines.on_block(summary, time.monotonic(), _get_clock()):
            print(paint(line, Colour.YELLOW, sys.stdout) if summary.aborted else line, flush=True)

    def on_fault(self, name: str, text: str) -> None:
        """Write a line that is seen."""
        print(paint(f" {_get_clock()}  !       {name} {text}", Colour.RED, sys.stdout), flush=True)

    def on_stopped(self, totals: Totals) -> None:
        """Write the last line."""
        print(f"stopped: {totals.height} blocks, {totals.committed} committed, {totals.aborted} aborted", flush=True)


class ProgramTeller:
    """Writes one JSON object per line: `ready`, `block` (with content), `fault`, and at the end `stopped`."""

    def on_ready(self, ready: Mapping[str, Any], seconds: float) -> None:
        """Write the members of the ready file, and how long it took."""
        print_json({"event": "ready", "ready_ms": round(seconds * 1000), **ready})

    def on_block(self, summary: BlockSummary) -> None:
        """Write a block that ordered something."""
        if not summary.is_empty:
            print_json(summary.to_json())

    def on_fault(self, name: str, text: str) -> None:
        """Write who is gone."""
        print_json({"event": "fault", "name": name, "text": text})

    def on_stopped(self, totals: Totals) -> None:
        """Write the result."""
        print_json(
            {
                "event": "stopped",
                "height": totals.height,
                "committed": totals.committed,
                "aborted": totals.aborted,
                "inadmissible": totals.inadmissible,
            }
        )


def _get_clock() -> str:
    return time.strftime("%H:%M:%S")
