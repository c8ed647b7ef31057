"""Let validators lie in every way there is: does all hold within F, does each lie hit, and can more than F fork?

    uv run python scripts/byzantine.py [--seeds N] [--workers N] [--only NAME] [--json]

Each behaviour alone, with one Byzantine validator of four, under all faults; then the two that can
break agreement together, with two of four and with two of seven. Exit status 1 if a promise broke
within F, if a behaviour hit a correct validator in fewer than half of its seeds, or if I1 was not
reported with two of four.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sequencer.simulation.byzantine.registry import BEHAVIOURS
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import Campaign, CampaignResult, simulate

TRAITORS = ("equivocating_leader", "conflicting_voter")
CONTROL_SEEDS = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, help="seeds per behaviour (default 200)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--only", metavar="NAME", choices=list(BEHAVIOURS), help="one behaviour, and the control")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    names = list(BEHAVIOURS) if arguments.only is None else [arguments.only]
    rows = [examine(name, arguments.seeds, arguments.workers) for name in names]
    controls = [examine_traitors(validators, arguments.workers) for validators in (4, 7)]
    is_held = all(not row["violations"] and row["has_fired"] for row in rows)
    is_held &= controls[0]["seeds_forked"] != 0 and not controls[1]["violations"]
    if arguments.json:
        print(json.dumps({"held": is_held, "behaviours": rows, "two_traitors": controls}))
    else:
        print("held" if is_held else "BROKEN")
    return 0 if is_held else 1


def run(options: SimulationOptions, seeds: int, workers: int) -> CampaignResult:
    return simulate(Campaign(0, seeds, options, workers))


def examine(name: str, seeds: int, workers: int) -> dict[str, object]:
    """Run one behaviour alone."""
    result = run(SimulationOptions(byzantine=1, behaviours=(name,)), seeds, workers)
    fired = result.seeds_fired[name]
    broken = [{"seed": seed, "rule": violation.rule} for seed, violation in result.violations]
    row: dict[str, object] = {
        "behaviour": name,
        "seeds": seeds,
        "seeds_fired": fired,
        "hits": result.fired[name],
        "has_fired": 2 * fired >= seeds,
        "violations": broken,
    }
    print(
        f"{name:<22}{seeds:>5} seeds, hit in {fired:>4}, {len(broken)} violations {broken[:3] or ''}", file=sys.stderr
    )
    return row


def examine_traitors(validators: int, workers: int) -> dict[str, object]:
    """Let two validators equivocate and support both sides."""
    options = SimulationOptions(validators=validators, byzantine=2, behaviours=TRAITORS)
    result = run(options, CONTROL_SEEDS, workers)
    rules = sorted({violation.rule for _, violation in result.violations})
    forked = {seed for seed, violation in result.violations if violation.rule == "I1"}
    print(f"two of {validators}: I1 in {len(forked)} of {CONTROL_SEEDS} seeds; {rules or 'nothing'}", file=sys.stderr)
    return {
        "validators": validators,
        "byzantine": 2,
        "seeds": CONTROL_SEEDS,
        "seeds_forked": len(forked),
        "rules": rules,
        "violations": len(result.violations),
    }


if __name__ == "__main__":
    sys.exit(main())
