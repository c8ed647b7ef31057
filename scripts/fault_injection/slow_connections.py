"""Hold 500 idle connections and send a header at 1 byte per second: does the node still answer, and stay small?

    python -m scripts.fault_injection.slow_connections

Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from scripts.fault_injection.cluster import Cluster
from scripts.fault_injection.report import Report, run

CONNECTIONS = 500
HOLD_SECONDS = (8.0, 4.0, 4.0)
"""While all are open; until the node has closed them, for they never sent a header; under a second wave."""
CLOSED_SECONDS_MAX = 15.0
ANSWER_SECONDS_MAX = 1.0
GROWTH_BYTES_MAX = 50 << 20
ASK_SECONDS = 0.05
"""Pause between two questions."""
VICTIM = "val0"
HEADER = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\n" + b"x: " + b"a" * 1_000
"""Never complete."""


def main() -> int:
    """Hold connections and ask meanwhile."""
    return run(f"Hold {CONNECTIONS} idle connections and a slow header: does the node still answer?", hold)


def hold(report: Report) -> None:
    """Open everything, then ask all the time."""
    with Cluster() as cluster:
        quiet = measure(cluster, 3.0)
        memory = read_memory(cluster.get_pid(VICTIM))
        height = cluster.get_height(VICTIM)
        parts = urlsplit(cluster.get_url(VICTIM))
        address = (parts.hostname or "", parts.port or 0)
        drip = Drip(address)
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(socket.create_connection(address, 5)) for _ in range(CONNECTIONS)]
            slowest = measure(cluster, HOLD_SECONDS[0])
            open_count = sum(not is_closed(connection) for connection in idle)
            slowest = max(slowest, measure(cluster, HOLD_SECONDS[1]))
            closed_count = sum(is_closed(connection) for connection in idle)
            for _ in range(CONNECTIONS):
                stack.enter_context(socket.create_connection(address, 5))
            slowest = max(slowest, measure(cluster, HOLD_SECONDS[2]))
            grown = read_memory(cluster.get_pid(VICTIM)) - memory
        drip.thread.join(CLOSED_SECONDS_MAX)
        report.note(f"slowest answer without them: {quiet * 1000:.0f} ms")
        text = f"{open_count} idle connections for {HOLD_SECONDS[0]:.0f} s, {closed_count} closed after 4 s more"
        report.claim(open_count == closed_count == CONNECTIONS, f"{text}, then {CONNECTIONS} new ones")
        report.claim(slowest <= ANSWER_SECONDS_MAX, f"slowest answer meanwhile: {slowest * 1000:.0f} ms")
        report.claim(grown < GROWTH_BYTES_MAX, f"the node's memory grew by {grown / (1 << 20):.1f} MiB")
        is_cut = drip.closed_after is not None and drip.closed_after <= CLOSED_SECONDS_MAX
        report.claim(is_cut, f"a header at 1 byte per second was cut off after {drip.closed_after} s")
        report.claim(cluster.get_height(VICTIM) > height, "the height grew meanwhile")
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


class Drip:
    """Sends a header at one byte per second from a thread, until the node closes the connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.closed_after: float | None = None
        """Seconds; None while it is open."""
        self._connection = socket.create_connection(address, 5)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        started = time.monotonic()
        with self._connection as connection, contextlib.suppress(OSError):
            for byte in HEADER:
                connection.send(bytes([byte]))
                if select.select([connection], [], [], 1.0)[0] and not connection.recv(1_000):
                    break
        self.closed_after = round(time.monotonic() - started, 1)


def measure(cluster: Cluster, seconds: float) -> float:
    """Ask for the status all the time and return the seconds of the slowest answer; raises OSError without one."""
    slowest, deadline = 0.0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        started = time.monotonic()
        cluster.call(VICTIM, "seq_status", seconds_max=10.0)
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(ASK_SECONDS)
    return slowest


def is_closed(connection: socket.socket) -> bool:
    """Tell whether the other side has closed."""
    return bool(select.select([connection], [], [], 0)[0])


def read_memory(pid: int) -> int:
    """Return the bytes that a process holds in memory, from /proc."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) << 10


if __name__ == "__main__":
    sys.exit(main())
