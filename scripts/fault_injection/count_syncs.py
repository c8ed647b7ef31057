"""Trace the syncs of a validator, then make one fail: is every vote durable, and does a bad disk stop only its owner?

    python -m scripts.fault_injection.count_syncs        (needs strace)

Exit status: 0 all claims hold, 1 one is broken, 2 strace is missing.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path

from scripts.fault_injection.background import BackgroundLoad
from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet

VICTIM = "val3"
HEIGHTS = 20
"""Heights over which syncs are counted."""
START_SECONDS_MAX = 60.0
GROWTH_SECONDS_MAX = 60.0
FAILING_SYNC = 15
"""The sync that fails, and all after it, counted per thread."""
VOTE_LOG_SYNC = re.compile(r"fdatasync\(\d+<[^>]*/votes/[0-9]+\.log>\)\s+= 0")
STRACE = ("strace", "-D", "-f", "-qq", "-y", "-e", "signal=none")
"""With -D the node itself is our child, so its exit status is what we see."""


def main() -> int:
    """Count, count again where nothing may be counted, and inject."""
    return run("Trace syncs: is every vote durable, and does a bad disk stop only its owner?", trace, tools=["strace"])


def trace(report: Report) -> None:
    """Start one validator three times under strace."""
    with Cluster() as cluster, BackgroundLoad(cluster, Wallet(cluster)):
        heights, syncs = count(cluster, "fsync")
        report.claim(syncs >= heights > 0, f"{heights} heights gained, {syncs} fdatasync of the vote log")
        heights, syncs = count(cluster, "os")
        report.claim(syncs == 0 < heights, f"control, --durability os: {heights} heights gained, {syncs} fdatasync")
        inject(cluster, report)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


def count(cluster: Cluster, durability: str) -> tuple[int, int]:
    """Return heights gained and syncs of the vote log meanwhile; what is uncertain counts against the node."""
    file = cluster.folder / f"{durability}.strace"
    cluster.kill(VICTIM)
    cluster.change_settings(VICTIM, durability=durability)
    cluster.restart(VICTIM, [*STRACE, "-e", "trace=fdatasync", "-o", str(file)])
    wait_until(partial(cluster.is_in_step, VICTIM, cluster.names[:3]), START_SECONDS_MAX, f"{VICTIM} in step")
    first = cluster.get_height(VICTIM)
    before = count_lines(file)
    wait_until(lambda: cluster.get_height(VICTIM) >= first + HEIGHTS, GROWTH_SECONDS_MAX, f"{HEIGHTS} heights")
    after = count_lines(file)
    return cluster.get_height(VICTIM) - first, after - before


def count_lines(file: Path) -> int:
    """Return how many syncs of the vote log the trace shows."""
    return len(VOTE_LOG_SYNC.findall(file.read_text()))


def inject(cluster: Cluster, report: Report) -> None:
    """Let syncs fail with EIO: the node ends with a clear line, the others go on."""
    cluster.kill(VICTIM)
    cluster.change_settings(VICTIM, durability="fsync")
    fault = f"inject=fdatasync:error=EIO:when={FAILING_SYNC}+"
    process = cluster.restart(VICTIM, [*STRACE, "-e", "trace=fdatasync", "-e", fault, "-o", "/dev/null"])
    wait_until(lambda: process.poll() is not None, START_SECONDS_MAX, f"{VICTIM} has stopped")
    line = (cluster.folder / f"{VICTIM}-restarted.log").read_text().strip().splitlines()[-1]
    line = line.replace(str(cluster.get_home(VICTIM)), "HOME")
    is_clear = "stopped: cannot sync" in line and "Input/output error" in line
    report.claim(process.returncode == 1 and is_clear, f"injected EIO: exit {process.returncode}: {line}")
    others = cluster.names[:3]
    start = max(cluster.get_height(name) for name in others)
    seconds = wait_until(
        lambda: min(cluster.get_height(name) for name in others) >= start + 5, GROWTH_SECONDS_MAX, "the others go on"
    )
    report.claim(True, f"the other three gained 5 heights within {seconds:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
