"""Run one node as an operating-system process of its own, and never leave it behind.

A child is forked from a parent that has imported everything already (libp2p takes seconds of
processor time, which four children would spend four times). It lives in a session of its
own, so Ctrl-C in the terminal reaches only the parent. It stops at SIGTERM, and by itself when the pipe
on its stdin closes: that happens even when the parent is killed. What it prints for people
goes to `node.log` in its home; its stdout carries one JSON line when it listens, or says why it cannot.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import trio

from sequencer.cli.command import CommandError, ExitStatus
from sequencer.cli.signals import STOP_SIGNALS

LISTEN_SECONDS_MAX = 60
"""A child that has not said by then that it listens is given up."""
STOP_SECONDS_MAX = 5
"""From SIGTERM until a child that still runs is killed."""
POLL_SECONDS = 0.05
"""Between two looks whether a child has ended."""
REPORT_BYTES_MAX = 65_536
"""Of a child's first line."""
DESCRIPTORS_MAX = 65_536
"""Descriptors that a new child closes, but for its own three."""
LOG_FILE = "node.log"
LOG_LINES = 10
"""Last lines of a log that are shown when a child fails."""


@dataclass(slots=True)
class Child:
    """One node's process."""

    name: str
    home: Path
    pid: int
    """The process that owns the node's sockets."""
    _lifeline: int
    """Write end of its stdin; when it closes the child stops."""
    _reports: int
    """Read end of its stdout."""
    rpc: str = ""
    """URL, known once the child listens."""
    _code: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is None

    async def wait(self) -> None:
        """Return when the process has ended."""
        while self.is_running:  # noqa: ASYNC110 # nobody tells: the system must be asked
            await trio.sleep(POLL_SECONDS)

    def describe_end(self) -> str:
        """Say how the process ended."""
        if self.is_running or self._code is None:
            return "still runs"
        if self._code < 0:
            return f"was killed by {signal.Signals(-self._code).name}"
        return f"ended with status {self._code}; see {self.home / LOG_FILE}"

    def kill(self) -> None:
        """End the process now, by its own id."""
        if self.is_running:
            os.kill(self.pid, signal.SIGKILL)

    async def read_report(self) -> dict[str, str]:
        """Return the members of its first line; nothing if it ended before, or wrote no JSON object."""
        line = b""
        while b"\n" not in line and len(line) < REPORT_BYTES_MAX:
            await trio.lowlevel.wait_readable(self._reports)
            chunk = os.read(self._reports, REPORT_BYTES_MAX)
            if not chunk:
                break
            line += chunk
        return parse_report(line)

    async def stop(self) -> None:
        """Ask the process to stop, kill it after `STOP_SECONDS_MAX`, and return when it is gone."""
        if self.is_running:
            os.kill(self.pid, signal.SIGTERM)
        with trio.move_on_after(STOP_SECONDS_MAX):
            await self.wait()
        self.kill()
        await self.wait()
        for descriptor in (self._lifeline, self._reports):
            with suppress(OSError):
                os.close(descriptor)


def fork_child(name: str, home: Path) -> Child:
    """Start `sequencer node` on `home`; it has not said yet whether it listens.

    Must be called outside `trio.run`, in a process with one thread.
    """
    stdin, lifeline = os.pipe()
    reports, stdout = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _become_node(home, stdin, stdout)
    os.close(stdin)
    os.close(stdout)
    return Child(name, home, pid, lifeline, reports)


def _become_node(home: Path, stdin: int, stdout: int) -> NoReturn:
    """Leave the parent's terminal and descriptors behind and run the node; never return into the parent's code."""
    status: int = ExitStatus.FAILED
    try:
        os.setsid()
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)  # the parent's handlers only remember
        with suppress(OSError):
            Path("/proc/self/comm").write_text(f"seq-{home.name}")  # what `top` shows, where there is such a file
        log = os.open(home / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor, standard in ((stdin, 0), (stdout, 1), (log, 2)):
            os.dup2(descriptor, standard)
        os.closerange(3, DESCRIPTORS_MAX)  # other children's lifelines among them: only the parent may hold those
        from sequencer.cli.main import main

        status = main(["node", "--home", str(home), "--stop-when-stdin-closes", "--json"])
    except BaseException:  # noqa: BLE001 # the edge of the process: whatever it is goes to its log
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(status)


async def wait_until_listening(child: Child) -> None:
    """Return when the child listens on all its ports; raises `CommandError` with its own reason if it cannot."""
    report: dict[str, str] = {}
    with trio.move_on_after(LISTEN_SECONDS_MAX):
        report = await child.read_report()
    if "rpc" not in report:
        raise CommandError(
            f"{child.name} does not listen: {report.get('message') or read_last_lines(child.home)}",
            report.get("error", "node_failed"),
        )
    child.rpc = report["rpc"]


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
