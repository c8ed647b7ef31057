"""Flood one validator in every way that a peer or its clients have: does each table stop at its bound, and not before?

    uv run python scripts/bounds.py [--only NAME] [--json]

Ends with a table `name: [largest seen, bound]`. Exit status 1 if a table went above its bound, or if
an attacked one stayed below 90 % of it: then something else stopped the flood, and the bound is unproven.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sequencer.simulation.floods.registry import FLOODS, FloodReport, run_floods
from sequencer.types.primitives import Bounds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", choices=list(FLOODS), help="one flood")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    names = tuple(FLOODS) if arguments.only is None else (arguments.only,)
    report = run_floods(names, tell)
    attacked = {table for name in names for table in FLOODS[name].tables}
    if arguments.json:
        print(json.dumps(to_json(report, attacked)))
    else:
        for table, (size, bound) in report.largest.items():
            print(f"{table:<32}{size:>12}{bound:>12}  {'attacked' if table in attacked else ''}")
    for violation in report.violations:
        print(f"BROKEN {violation.rule}: {violation.detail}", file=sys.stderr)
    for table in report.not_filled:
        print(f"NOT FILLED {table}: {report.largest[table]}", file=sys.stderr)
    return 1 if report.violations or report.not_filled else 0


def tell(name: str, seen: Bounds) -> None:
    """Tell people what one flood reached."""
    reached = ", ".join(f"{table} {size} of {bound}" for table, (size, bound) in seen.items())
    print(f"{name:<42}{reached}", file=sys.stderr, flush=True)


def to_json(report: FloodReport, attacked: set[str]) -> dict[str, object]:
    """Return the report for machines."""
    return {
        "floods": len(FLOODS),
        "bounds": {table: list(seen) for table, seen in report.largest.items()},
        "attacked": sorted(attacked),
        "not_filled": sorted(report.not_filled),
        "violations": [{"rule": violation.rule, "detail": violation.detail} for violation in report.violations],
    }


if __name__ == "__main__":
    sys.exit(main())
