"""Run one node as an operating-system process of its own, and never leave it behind.

A child lives in a session of its own, so Ctrl-C in the terminal reaches only the parent. It
stops at SIGTERM, and by itself when the pipe on its stdin closes: that happens even
when the parent is killed. What it prints for people goes to `node.log` in its home; its
stdout carries one JSON line when it listens, or says why it cannot.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import trio

from sequencer.cli.command import CommandError

LISTEN_SECONDS_MAX = 30
"""A child that has not said by then that it listens is given up."""
STOP_SECONDS_MAX = 5
"""From SIGTERM until a child that still runs is killed."""
REPORT_BYTES_MAX = 65_536
"""Of a child's first line."""
LOG_FILE = "node.log"
LOG_LINES = 10
"""Last lines of a log that are shown when a child fails."""
REASON_PORT_BUSY = "port_busy"


@dataclass(slots=True)
class Child:
    """One node's process."""

    name: str
    home: Path
    process: trio.Process
    rpc: str = ""
    """URL, known once the child listens."""
    is_expected_to_stop: bool = field(default=False)

    @property
    def pid(self) -> int:
        """The process that owns the node's sockets."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process.poll() is None

    def describe_end(self) -> str:
        """Say how the process ended."""
        code = self.process.poll()
        if code is None:
            return "still runs"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def kill(self) -> None:
        """End the process now, by its own id."""
        if self.is_running:
            self.process.kill()


async def start_child(name: str, home: Path) -> Child:
    """Start `sequencer node` on `home`; it has not said yet whether it listens."""
    command = [sys.executable, "-m", "sequencer", "node", "--home", str(home), "--stop-when-stdin-closes", "--json"]
    with (home / LOG_FILE).open("ab") as log:
        process = await trio.lowlevel.open_process(
            command, stdin=-1, stdout=-1, stderr=log.fileno(), start_new_session=True
        )
    return Child(name, home, process)


async def wait_until_listening(child: Child) -> None:
    """Return when the child listens on all its ports; raises `CommandError` with its own reason if it cannot."""
    report: dict[str, str] = {}
    with trio.move_on_after(LISTEN_SECONDS_MAX):
        report = parse_report(await _read_line(child))
    if "rpc" not in report:
        raise CommandError(
            f"{child.name} does not listen: {report.get('message') or read_last_lines(child.home)}",
            report.get("error", "node_failed"),
        )
    child.rpc = report["rpc"]


async def stop_child(child: Child) -> None:
    """Ask the child to stop, kill it after `STOP_SECONDS_MAX`, and wait until it is gone."""
    child.is_expected_to_stop = True
    if child.is_running:
        with suppress(ProcessLookupError):
            child.process.terminate()
    with trio.move_on_after(STOP_SECONDS_MAX):
        await child.process.wait()
    child.kill()
    await child.process.wait()
    for pipe in (child.process.stdin, child.process.stdout):
        if pipe is not None:
            await pipe.aclose()


def parse_report(line: bytes) -> dict[str, str]:
    """Return the members of a child's first line; nothing if it is no JSON object."""
    try:
        report = json.loads(line)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def read_last_lines(home: Path) -> str:
    """Return the end of a node's log, for people."""
    log = home / LOG_FILE
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:] if log.exists() else []
    return "\n".join(["its log ends with", *lines]) if lines else "its log is empty"


async def _read_line(child: Child) -> bytes:
    line = b""
    assert child.process.stdout is not None
    while b"\n" not in line and len(line) < REPORT_BYTES_MAX:
        chunk = await child.process.stdout.receive_some()
        if not chunk:
            break
        line += chunk
    return line
