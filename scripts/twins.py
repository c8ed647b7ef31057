"""Run two replicas under one key through chosen leaders and splits: do the others agree, and can more than F fork?

    uv run python scripts/twins.py [--sample N] [--views R] [--workers N] [--json]

Exit status 1 if a scenario within F broke a promise, or if no scenario beyond F broke agreement.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sequencer.simulation.twins import (
    FIRST,
    SECOND_TWIN,
    Plan,
    PlanResult,
    Shape,
    enumerate_plans,
    run_plan,
    sample_plans,
)

Row = dict[str, object]

CONTROL_SCENARIOS = 40
"""Scenarios beyond F among which agreement must break."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=300, help="scenarios drawn of each size (default 300)")
    parser.add_argument("--views", type=int, default=5, help="split views of a drawn scenario (default 5)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    rng = random.Random(1)
    one = Shape(4, 1, 2)
    led_by_twins = Shape(4, 1, 4, leaders=1, sides=(FIRST, SECOND_TWIN))
    drawn = [Shape(4, 1, arguments.views), Shape(7, 2, arguments.views)]
    rows: list[Row] = [
        examine("every split and leader of 2 views", one, list(enumerate_plans(one)), arguments.workers),
        examine(
            "every split in two of 4 views led by twins",
            led_by_twins,
            list(enumerate_plans(led_by_twins)),
            arguments.workers,
        ),
        *(examine("drawn", shape, sample_plans(shape, rng, arguments.sample), arguments.workers) for shape in drawn),
    ]
    beyond = Shape(4, 2, arguments.views)
    control = examine("beyond F, drawn", beyond, sample_plans(beyond, rng, CONTROL_SCENARIOS), arguments.workers)
    is_held = all(not row["broken"] for row in rows) and control["is_forked"] is True
    if arguments.json:
        print(json.dumps({"held": is_held, "within_f": rows, "beyond_f": control}))
    else:
        print("held" if is_held else "BROKEN")
    return 0 if is_held else 1


def examine(name: str, shape: Shape, plans: list[Plan], workers: int) -> Row:
    """Run scenarios of one shape and count what they gave."""
    started = time.monotonic()
    results = list(run_all(shape, plans, workers))
    broken = [(plan, result) for plan, result in zip(plans, results, strict=True) if result.violations]
    rules = sorted({violation.rule for _, result in broken for violation in result.violations})
    row: Row = {
        "scenarios": name,
        "validators": shape.validators,
        "twins": shape.twins,
        "views": shape.views,
        "before_symmetry": shape.scenario_count,
        "run": len(plans),
        "contradictory": sum(result.is_contradictory for result in results),
        "broken": len(broken),
        "rules": rules,
        "is_forked": "I1" in rules,
        "first_broken": [list(view) for view in broken[0][0]] if broken else None,
        "seconds": round(time.monotonic() - started, 1),
    }
    print(
        f"n = {shape.validators}, {shape.twins} with twins, {shape.views} views, {name}: {len(plans)} scenarios, "
        f"{row['contradictory']} with contradicting votes, {len(broken)} broke {', '.join(rules) or 'a rule'}",
        file=sys.stderr,
        flush=True,
    )
    return row


def run_all(shape: Shape, plans: list[Plan], workers: int) -> Iterable[PlanResult]:
    """Yield results in the order of the scenarios."""
    if workers <= 1:
        yield from (run_plan(shape, plan) for plan in plans)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run_plan, repeat(shape), plans, chunksize=8)


if __name__ == "__main__":
    sys.exit(main())
