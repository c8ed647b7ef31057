"""Simulate many thousands of seeds and keep a line per thousand: is no promise ever broken?

    uv run python scripts/campaign.py --lines K [--workers N] [--resume] [--seeds-per-line N] [--file FILE]
    uv run python scripts/campaign.py --verify LINE [--workers N] [--file FILE]

Each line names commit, seeds and options, so that anybody can run it again: `--verify` runs one and
compares everything but the CPU time. The committee changes from line to line: mostly 4 validators, also 5, 6, 7 and 10,
equal and unequal powers, with and without Byzantine validators; all kinds of faults, on or off per seed.
Exit status: 0 nothing broken, 1 a promise was broken or a line differs, 2 it could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.fault_injection.report import describe_commit
from sequencer.simulation.faults.plan import ALL_FAULTS
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.report import format_command
from sequencer.simulation.runner import Campaign, CampaignResult, simulate

FILE = Path(__file__).resolve().parents[1] / "specs" / "evidence" / "campaign.jsonl"
SEEDS_PER_LINE = 1_000

FOUR = SimulationOptions(4)
FOUR_BYZANTINE = SimulationOptions(4, byzantine=1)
MIX = (
    *(FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE, FOUR),
    SimulationOptions(5, byzantine=1),
    *(FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE, FOUR),
    SimulationOptions(7, byzantine=2),
    *(FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE, FOUR),
    SimulationOptions(4, (1, 2, 3, 4), byzantine=1),
    *(FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE, FOUR),
    SimulationOptions(6, byzantine=1),
    *(FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE, FOUR),
    SimulationOptions(5, (3, 2, 2, 1, 1), byzantine=1),
    *(FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE, FOUR, FOUR_BYZANTINE),
    SimulationOptions(10, byzantine=3),
)
"""Options of one line after the other, over and over."""
COMPARED = ("heights", "median_heights", "transactions_final", "fired", "seeds_on", "violations", "trace_hash")
"""What a second run of a line must give again."""


def main() -> int:
    arguments = parse_arguments()
    lines = read_lines(arguments.file)
    if arguments.verify is not None:
        if not 1 <= arguments.verify <= len(lines):
            print(f"cannot run: {arguments.file} has lines 1..{len(lines)}", file=sys.stderr)
            return 2
        return verify_line(lines[arguments.verify - 1], arguments.workers)
    if lines and not arguments.resume:
        print(f"cannot run: {arguments.file} has {len(lines)} lines; --resume goes on behind them", file=sys.stderr)
        return 2
    return extend(arguments.file, lines, arguments.lines, arguments.seeds_per_line, arguments.workers)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1, metavar="K", help="lines to write (default 1)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--resume", action="store_true", help="go on behind the last line of the file")
    parser.add_argument("--verify", type=int, metavar="LINE", help="run one line again and compare; the first is 1")
    parser.add_argument("--seeds-per-line", type=int, default=SEEDS_PER_LINE, metavar="N")
    parser.add_argument("--file", type=Path, default=FILE, help="default: specs/evidence/campaign.jsonl")
    return parser.parse_args()


def read_lines(file: Path) -> list[dict[str, object]]:
    """Return the lines that are there."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def extend(file: Path, lines: list[dict[str, object]], count: int, seeds: int, workers: int) -> int:
    """Write `count` more lines, each when it is done."""
    broken = 0
    start = parse_seeds(lines[-1])[1] if lines else 0
    commit = describe_commit()  # once: what runs is what was imported, whatever is committed meanwhile
    for number in range(len(lines), len(lines) + count):
        options = MIX[number % len(MIX)]
        line = {"commit": commit, **run_line(start, start + seeds, options, workers)}
        with file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")
        broken += bool(line["violations"]) or bool(line["dead"])
        print(format_line(number + 1, line), file=sys.stderr, flush=True)
        start += seeds
    return 1 if broken else 0


def run_line(first: int, end: int, options: SimulationOptions, workers: int) -> dict[str, object]:
    """Run the seeds and return what the file keeps of them."""
    result = simulate(Campaign(first, end, options, workers), tell_failures(options))
    return {"seeds": f"{first}:{end}", **name_options(options), **summarise(result)}


def tell_failures(options: SimulationOptions) -> Callable[..., None]:
    """Return what prints the command that runs a failed seed again."""

    def tell(result: object) -> None:
        if violations := getattr(result, "violations", ()):
            command = format_command(getattr(result, "seed", 0), options)
            print(f"broke {violations[0].rule}: {command}", file=sys.stderr, flush=True)

    return tell


def name_options(options: SimulationOptions) -> dict[str, object]:
    return {
        "validators": options.validators,
        "powers": list(options.get_powers()),
        "byzantine": options.byzantine,
        "behaviours": list(options.behaviours) if options.behaviours else "all" if options.byzantine else [],
        "faults": "all" if options.faults == ALL_FAULTS else list(options.faults),
    }


def summarise(result: CampaignResult) -> dict[str, object]:
    value = result.to_json()
    kept = (*COMPARED, "bundles_committed", "bundles_aborted", "restarts", "seeds_fired", "dead", "cpu_seconds")
    return {name: value[name] for name in kept}


def verify_line(line: dict[str, object], workers: int) -> int:
    """Run a line again and say what differs."""
    first, end = parse_seeds(line)
    again = run_line(first, end, read_options(line), workers)
    differing = [name for name in COMPARED if again[name] != line[name]]
    if describe_commit() != line["commit"]:
        print(f"the line is of commit {line['commit']}, this is {describe_commit()}", file=sys.stderr)
    print(json.dumps({"seeds": line["seeds"], "is_same": not differing, "differing": differing, "again": again}))
    return 1 if differing else 0


def parse_seeds(line: dict[str, object]) -> tuple[int, int]:
    first, _, end = str(line["seeds"]).partition(":")
    return int(first), int(end)


def read_options(line: dict[str, object]) -> SimulationOptions:
    """Return the options that a line names."""
    powers, behaviours, faults = line["powers"], line["behaviours"], line["faults"]
    return SimulationOptions(
        validators=int(str(line["validators"])),
        powers=tuple(powers) if isinstance(powers, list) and set(powers) != {1} else (),
        faults=tuple(faults) if isinstance(faults, list) else ALL_FAULTS,
        byzantine=int(str(line["byzantine"])),
        behaviours=tuple(behaviours) if isinstance(behaviours, list) else (),
    )


def format_line(number: int, line: dict[str, object]) -> str:
    names = ("seeds", "validators", "byzantine", "median_heights", "transactions_final", "cpu_seconds")
    violations = line["violations"]
    broken = len(violations) if isinstance(violations, list) else 0
    return f"line {number}: {', '.join(f'{name} {line[name]}' for name in names)}, {broken} violations"


if __name__ == "__main__":
    sys.exit(main())
