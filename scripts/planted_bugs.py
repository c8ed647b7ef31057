"""Plant one bug after another and demand that a checker reports each, while the clean core passes the same seed.

    uv run python scripts/planted_bugs.py [--seeds N] [--only NAME] [--json]

Exit status 1 if a bug survives, or is caught by the wrong rule, or the clean core fails its seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.simulation.planted.bugs import BUGS
from tests.simulation.planted.plant import Catch, hunt


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant bugs and hunt them.")
    parser.add_argument("--seeds", type=int, default=200, help="seeds to try per bug (default 200)")
    parser.add_argument("--only", metavar="NAME", help="one bug")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    catches = []
    for bug in BUGS:
        if arguments.only in (None, bug.name):
            catches.append(hunt(bug, arguments.seeds))
            print(format_catch(catches[-1]), file=sys.stderr, flush=True)
    caught = sum(catch.is_caught for catch in catches)
    if arguments.json:
        print(json.dumps({"planted": len(catches), "caught": caught, "bugs": [to_json(c) for c in catches]}))
    else:
        print(f"{caught} of {len(catches)} planted bugs caught")
    return 0 if caught == len(catches) else 1


def format_catch(catch: Catch) -> str:
    verdict = "caught" if catch.is_caught else "NOT CAUGHT"
    clean = "clean core passes" if catch.is_clean_same_seed else "clean core FAILS"
    found = f"by {catch.rule:8} seed {catch.seed}  {clean}  {catch.detail[:100]}"
    return f"{catch.bug.name:26} {catch.bug.rule:6} {verdict:10} {found}"


def to_json(catch: Catch) -> dict[str, object]:
    return {
        "name": catch.bug.name,
        "rule": catch.bug.rule,
        "validators": catch.bug.validators,
        "caught_by": catch.rule if catch.is_caught else None,
        "seed": catch.seed,
        "clean_same_seed": catch.is_clean_same_seed,
    }


if __name__ == "__main__":
    sys.exit(main())
