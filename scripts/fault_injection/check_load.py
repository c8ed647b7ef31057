"""Run `sequencer load` and recount what it says from another validator's raw blocks; then kill two validators half-way.

    python -m scripts.fault_injection.check_load [--rate 200] [--seconds 20]

Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run

BUNDLE_SHARE = 0.1
P50_MS_MAX = 1_000
DUPLICATES_PCT_MAX = 10
WITNESS = "val2"
"""The validator whose blocks are counted."""
KILLED = ("val2", "val3")
BROKEN_RUN_SECONDS = 8
CATCH_UP_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class Count:
    """What raw blocks say."""

    final: int
    bundles_committed: int
    """Of bundles with more than one leg."""
    bundles_aborted: int
    copies: int
    """Ordered beyond the first of each id."""


def main() -> int:
    """Run the load undisturbed, then hurt it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=int, default=200, help="transactions per second")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    return run("Load all four ends and recount: is every figure true?", lambda report: check(report, options))


def check(report: Report, options: argparse.Namespace) -> None:
    """One devnet for both runs; the second one ends it."""
    with Cluster() as cluster:
        first = cluster.get_height(WITNESS) + 1
        status, told, errors = run_load(cluster, options.rate, options.seconds)
        report.note(f"load --rate {options.rate} --seconds {options.seconds}: {json.dumps(told)}")
        check_figures(report, status, told, errors, options.rate * options.seconds)
        end = max(cluster.get_height(name) for name in cluster.names) + 1
        wait_until(lambda: cluster.get_height(WITNESS) + 1 >= end, CATCH_UP_SECONDS_MAX, "the witness has all blocks")
        check_count(report, told, count_blocks(cluster.get_blocks(WITNESS, first, end)))
        timer = threading.Timer(BROKEN_RUN_SECONDS / 2, kill_some, [cluster])
        timer.start()
        status, told, _ = run_load(cluster, options.rate, BROKEN_RUN_SECONDS)
        timer.join()
        report.note(f"two validators killed after {BROKEN_RUN_SECONDS // 2} s: {json.dumps(told)}")
        text = f"control: unknown {told['unknown']}, final {told['final']}, exit {status}"
        adds_up = told["final"] + told["rejected"] + told["unknown"] == told["sent"]
        report.claim(told["unknown"] > 0 and told["final"] > 0 and status == 1 and adds_up, text)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


def kill_some(cluster: Cluster) -> None:
    for name in KILLED:
        cluster.kill(name)


def run_load(cluster: Cluster, rate: int, seconds: int) -> tuple[int, dict[str, Any], str]:
    """Return exit status, the last JSON line and what it said to people."""
    ends = [part for name in cluster.names for part in ("--rpc", cluster.get_url(name))]
    shape = ["--rate", str(rate), "--seconds", str(seconds), "--bundles", str(BUNDLE_SHARE), "--json"]
    command = [sys.executable, "-m", "sequencer", "load", *ends, *shape]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 90, check=False
    )
    if not done.stdout:
        raise RuntimeError(f"load said nothing; exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr.strip()


def check_figures(report: Report, status: int, told: Mapping[str, Any], errors: str, sent: int) -> None:
    """Every figure of an undisturbed run."""
    adds_up = told["final"] + told["rejected"] + told["unknown"] == told["sent"] == sent
    report.claim(adds_up, f"final + rejected + unknown = sent = {sent}")
    is_all_final = (told["unknown"], told["rejected"], told["final"]) == (0, 0, sent)
    report.claim(is_all_final, f"unknown {told['unknown']}, rejected {told['rejected']}, final {told['final']}")
    bundles = told["bundles_committed"] + told["bundles_aborted"]
    is_share = abs(bundles - sent * BUNDLE_SHARE) <= 1 and told["bundles_aborted"] > 0
    report.claim(
        is_share, f"{bundles} bundles: {told['bundles_committed']} committed, {told['bundles_aborted']} aborted"
    )
    is_clean = status == 0 and told["bundles_partial"] == 0 and not errors
    report.claim(is_clean, f"each as it had to be, {told['bundles_partial']} partial, exit {status} {errors[:200]}")
    report.claim(told["p50_ms"] <= P50_MS_MAX, f"p50 {told['p50_ms']} ms, p99 {told['p99_ms']} ms")
    report.claim(told["duplicates_pct"] <= DUPLICATES_PCT_MAX, f"{told['duplicates_pct']} % duplicates ordered")


def check_count(report: Report, told: Mapping[str, Any], count: Count) -> None:
    """What another validator's blocks say is what the load said."""
    raw = (count.final, count.bundles_committed, count.bundles_aborted)
    same = raw == (told["final"], told["bundles_committed"], told["bundles_aborted"])
    text = f"{raw[0]} final, {raw[1]} bundles committed, {raw[2]} aborted, {count.copies} copies without effect"
    report.claim(same, f"seq_getBlocks of {WITNESS} read raw: {text}")


def count_blocks(blocks: Iterable[Mapping[str, Any]]) -> Count:
    """Count outcomes and, from the leaves of the rollups, how many legs each bundle has."""
    outcomes: dict[str, str] = {}
    legs: dict[str, int] = {}
    ordered = 0
    for block in blocks:
        ordered += len(block["results"])
        outcomes.update((outcome["id"], outcome["outcome"]) for outcome in block["outcomes"])
        for leaves in (row["leaves"] for row in block["rollups"] if row["id"] > 0):
            legs.update(read_leg_leaf(leaf) for leaf in leaves)
    bundles = [outcome for item_id, outcome in outcomes.items() if legs[item_id] > 1]
    return Count(len(outcomes), bundles.count("COMMIT"), bundles.count("ABORT"), ordered - len(outcomes))


def read_leg_leaf(leaf: str) -> tuple[str, int]:
    """Return a leaf's bundle id and the number of its legs; the layout stands in `specs/objects.md`."""
    fields = msgpack.unpackb(bytes.fromhex(leaf[2:]), raw=False)
    return "0x" + fields[0].hex(), fields[2]


if __name__ == "__main__":
    sys.exit(main())
