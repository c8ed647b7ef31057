"""Plant one bug after another and demand that a checker of its rule reports it and the clean core passes that seed.

    uv run python scripts/planted_bugs.py [--seeds N] [--only NAME,NAME] [--workers N] [--diff] [--json]

Exit status 1 if a bug survives, or is caught by the wrong rule, or the clean core fails its seed, or a bound of the
whole table is passed: bugs, rules, lines per bug, bugs that only a play or only a loss of liveness shows.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.simulation.planted.bugs import BUGS, GROUPS, get_group, hunt_everywhere
from tests.simulation.planted.plant import LINES_MAX, LIVENESS, Hunt, PlantedBug

BUGS_MIN = 32
RULES_MIN = 25
PLAYS_MAX = 8
LIVENESS_ALONE_MAX = 6
MEDIAN_SEED_MAX = 50


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant bugs and hunt them.")
    parser.add_argument("--seeds", type=int, default=2_000, help="seeds to try per bug (default 2000)")
    parser.add_argument("--only", metavar="NAMES", help="some bugs or groups of bugs, by name, with commas between")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--diff", action="store_true", help="show what each bug changes, and run nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    names = None if arguments.only is None else arguments.only.split(",")
    bugs = [bug for bug in BUGS if names is None or bug.name in names or get_group(bug) in names]
    unknown = {*(names or ())} - {bug.name for bug in BUGS} - {*GROUPS}
    if unknown:
        parser.error(f"--only: known are {', '.join((*GROUPS, *(bug.name for bug in BUGS)))}")
    if arguments.diff:
        for bug in bugs:
            print(f"{bug.name} ({bug.rule})", *(edit.format_diff() for edit in bug.edits), sep="\n")
        return 0
    return report(bugs, arguments.seeds, arguments.workers, arguments.json, is_whole=names is None)


def report(bugs: list[PlantedBug], seeds: int, workers: int, is_json: bool, is_whole: bool) -> int:
    """Hunt, tell each result at once, and sum up."""
    start = time.monotonic()
    hunts = []
    for found in hunt_all(bugs, seeds, workers):
        hunts.append(found)
        print(format_hunt(found), file=sys.stderr, flush=True)
    caught = sum(found.is_caught for found in hunts)
    broken = find_broken_bounds(hunts) if is_whole else []
    for line in broken:
        print(line, file=sys.stderr)
    print(f"{time.monotonic() - start:.0f} s, {sum(f.cpu_seconds for f in hunts):.0f} CPU-s", file=sys.stderr)
    if is_json:
        print(json.dumps({"planted": len(hunts), "caught": caught, "bugs": [to_json(found) for found in hunts]}))
    else:
        print(f"{caught} of {len(hunts)} planted bugs caught")
    return 0 if caught == len(hunts) and not broken else 1


def hunt_all(bugs: list[PlantedBug], seeds: int, workers: int) -> Iterator[Hunt]:
    """Hunt each bug, in the order of the table; a process hunts one bug after the other."""
    if workers <= 1:
        yield from (hunt_everywhere(bug.name, seeds) for bug in bugs)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(partial(hunt_everywhere, seeds=seeds), [bug.name for bug in bugs])


def find_broken_bounds(hunts: list[Hunt]) -> list[str]:
    """Return which bounds of the whole table do not hold."""
    seeds = [found.first.seed for found in hunts if found.first.seed is not None]
    by_play = sum(not found.first.bug.is_random for found in hunts)
    by_liveness = sum(found.first.rule in LIVENESS for found in hunts)
    rules = {found.first.bug.rule for found in hunts if found.is_caught}
    long = [found.first.bug.name for found in hunts if found.first.bug.count_lines() > LINES_MAX]
    checks = (
        (len(hunts) >= BUGS_MIN, f"{len(hunts)} bugs, {BUGS_MIN} are due"),
        (len(rules) >= RULES_MIN, f"{len(rules)} rules, {RULES_MIN} are due"),
        (by_play <= PLAYS_MAX, f"{by_play} bugs are caught by plays, {PLAYS_MAX} may be"),
        (by_liveness <= LIVENESS_ALONE_MAX, f"{by_liveness} bugs are caught by liveness, {LIVENESS_ALONE_MAX} may be"),
        (not seeds or median(seeds) <= MEDIAN_SEED_MAX, f"median seed above {MEDIAN_SEED_MAX}"),
        (not long, f"more than {LINES_MAX} lines: {', '.join(long)}"),
    )
    return [text for holds, text in checks if not holds]


def format_hunt(found: Hunt) -> str:
    first = found.first
    verdict = "caught" if found.is_caught else "NOT CAUGHT"
    clean = "clean core passes" if first.is_clean_same_seed else "clean core FAILS"
    where = "by play" if not first.bug.is_random else f"seed {first.seed}"
    more = "".join(f"; n = {c.validators}: {c.rule or 'nothing'} at seed {c.seed}" for c in found.others)
    name = f"{first.bug.name:26} {first.bug.rule:4} {first.bug.count_lines()} lines"
    return f"{name} {verdict:10} by {first.rule:5} {where:9} {clean}  {first.detail[:90]}{more}"


def to_json(found: Hunt) -> dict[str, object]:
    first = found.first
    entry: dict[str, object] = {
        "name": first.bug.name,
        "group": get_group(first.bug),
        "rule": first.bug.rule,
        "validators": first.validators,
        "caught_by": first.rule if found.is_caught else None,
        "seed": first.seed,
        "clean_same_seed": first.is_clean_same_seed,
        "diff_lines": first.bug.count_lines(),
        "detail": first.detail,
    }
    if first.bug.play is not None:
        entry["play"] = first.bug.play.__name__
    if found.others:
        entry["others"] = [
            {"validators": c.validators, "caught_by": c.rule or None, "seed": c.seed} for c in found.others
        ]
    return entry


if __name__ == "__main__":
    sys.exit(main())
