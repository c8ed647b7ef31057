"""Play many random cases of bundles over split rollups, and count what happened in them.

    uv run python scripts/atomicity_properties.py [--cases N] [--start SEED] [--workers N] [--json]

Each case is a log over three rollups with three executors each: `tests/properties/split`. All promises are checked
after every block. Exit status 1 if one is broken, or if with 5,000 cases or more something happened 100 times or less.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.properties.split.case import play_case
from tests.properties.split.checks import Broken

LONG_CASES = 5_000
SEEN_MIN = 100
KINDS = (
    "commits",
    "aborts NO",
    "aborts DEP",
    "aborts TIMEOUT",
    "aborts SUSPENDED",
    "freezes",
    "messages",
    "restarts",
    "re-votes",
    "beats",
)
"""What must have happened often enough to have been tested, and for which reasons items must have been inadmissible."""
REASONS = (
    "BAD_DECIDE_WITHIN",
    "BAD_REFERENCE",
    "BAD_SIGNATURE",
    "DELIVERED",
    "DUPLICATE",
    "EXPIRED",
    "MALFORMED",
    "NOT_YET_VALID",
    "NO_PROOF",
    "PENDING_FULL",
    "SEQUENCE_GAP",
    "SEQUENCE_USED",
    "STALE",
    "UNBALANCED",
    "UNFUNDED",
    "WRONG_CHAIN",
)
PROGRESS_CASES = 500
"""Cases after which the script says how far it is."""
CHUNK = 25
"""Cases that a process plays before it reports."""


class Played(NamedTuple):
    """What one case came to."""

    seed: int
    counts: Counter[str]
    broken: str
    """The promise that does not hold, or empty."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Play random cases of bundles over split rollups.")
    parser.add_argument("--cases", type=int, default=LONG_CASES, help=f"cases to play (default {LONG_CASES})")
    parser.add_argument("--start", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    seeds = range(arguments.start, arguments.start + arguments.cases)
    start, counts, broken = time.monotonic(), Counter[str](), list[Played]()
    for played in play_all(seeds, arguments.workers):
        counts.update(played.counts)
        if played.broken:
            broken.append(played)
            print(f"seed {played.seed}: {played.broken}", file=sys.stderr, flush=True)
        if (played.seed + 1) % PROGRESS_CASES == 0:
            print(f"up to seed {played.seed}: {len(broken)} broken promises", file=sys.stderr, flush=True)
    rare = find_rare(counts) if arguments.cases >= LONG_CASES else []
    report(arguments.cases, counts, broken, rare, time.monotonic() - start, arguments.json)
    return 1 if broken or rare else 0


def play_all(seeds: range, workers: int) -> Iterator[Played]:
    """Play the cases, in any number of processes; results come in the order of the seeds."""
    if workers <= 1:
        yield from map(play, seeds)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(play, seeds, chunksize=CHUNK)


def play(seed: int) -> Played:
    """Play one case; a broken promise is a result, anything else that is raised is an error of the product."""
    try:
        return Played(seed, play_case(seed), "")
    except Broken as broken:
        return Played(seed, Counter(), str(broken))


def find_rare(counts: Counter[str]) -> list[str]:
    """Return what happened too seldom to have been tested."""
    kinds = (*KINDS, *(f"inadmissible {reason}" for reason in REASONS))
    return [kind for kind in kinds if counts[kind] <= SEEN_MIN]


def report(
    cases: int, counts: Counter[str], broken: list[Played], rare: list[str], seconds: float, is_json: bool
) -> None:
    """Say what was played."""
    for kind in rare:
        print(f"only {counts[kind]} times: {kind}", file=sys.stderr)
    if not is_json:
        print(f"{cases} cases, {len(broken)} broken promises, {seconds:.0f} s")
        print("\n".join(f"{count:8} {kind}" for kind, count in sorted(counts.items())))
        return
    found = {
        "cases": cases,
        "violations": len(broken),
        "commits": counts["commits"],
        "aborts": select(counts, "aborts "),
        "inadmissible": select(counts, "inadmissible "),
        **{kind.replace("-", "_"): counts[kind] for kind in ("freezes", "messages", "restarts", "re-votes", "beats")},
        "seeds_broken": [played.seed for played in broken],
    }
    print(json.dumps(found))


def select(counts: Counter[str], prefix: str) -> dict[str, int]:
    """Return the counts of what begins so, without the prefix."""
    return {kind.removeprefix(prefix): counts[kind] for kind in sorted(counts) if kind.startswith(prefix)}


if __name__ == "__main__":
    sys.exit(main())
