"""Run many replicas in one thread under one seed, and check what they promise.

Exit status 1 if a promise was broken; then the first broken rule, the last actions and the
command that replays the seed are told.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sequencer.cli.command import CommandError, ExitStatus, add_json
from sequencer.cli.output import print_result, print_text

if TYPE_CHECKING:
    from sequencer.simulation.options import SimulationOptions
    from sequencer.simulation.simulator import SeedResult

VALIDATORS_DEFAULT = 4
FAILURES_SHOWN_MAX = 3
"""Failed seeds that are told in full."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seeds", metavar="A:B", default="0:20", help="seeds A..B-1 (default 0:20)")
    parser.add_argument("--validators", metavar="N", type=int, help="size of the committee (default 4)")
    parser.add_argument("--powers", metavar="P,P,…", default="", help="voting power of each validator (default 1 each)")
    parser.add_argument("--faults", metavar="all|none|LIST", default="all", help="fault kinds that seeds may suffer")
    parser.add_argument("--byzantine", metavar="K", type=int, default=0, help="Byzantine validators (default 0)")
    parser.add_argument(
        "--behaviours", metavar="all|LIST", default="all", help="what Byzantine validators may do (default all)"
    )
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="processes (default 1)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the seeds and report."""
    from sequencer.simulation.options import SimulationOptions
    from sequencer.simulation.runner import Campaign, format_failure, simulate

    first, end = parse_seeds(arguments.seeds)
    powers = tuple(_parse_integer(power, "--powers") for power in arguments.powers.split(",") if power)
    size = VALIDATORS_DEFAULT if arguments.validators is None else arguments.validators
    size = len(powers) if powers and arguments.validators is None else size
    options = SimulationOptions(
        size,
        powers,
        parse_faults(arguments.faults),
        byzantine=arguments.byzantine,
        behaviours=parse_behaviours(arguments.behaviours),
    )
    options.verify()
    if arguments.workers < 1:
        raise CommandError(f"--workers must be at least 1, is {arguments.workers}", "usage")
    result = simulate(Campaign(first, end, options, arguments.workers), _Progress(options).on_seed)
    for failure in result.failures[:FAILURES_SHOWN_MAX]:
        for line in format_failure(failure, options):
            print_text(line)
    print_result(result.to_json(), arguments.json)
    return ExitStatus.BROKEN if result.violations else ExitStatus.OK


def parse_seeds(text: str) -> tuple[int, int]:
    """Read A:B, half open; raises `CommandError`."""
    first, colon, end = text.partition(":")
    bounds = (_parse_integer(first, "--seeds"), _parse_integer(end, "--seeds")) if colon else (0, 0)
    if not 0 <= bounds[0] < bounds[1]:
        raise CommandError(f"--seeds: must be A:B with 0 <= A < B, is {text!r}", "usage")
    return bounds


def parse_faults(text: str) -> tuple[str, ...]:
    """Read all, none or a list of kinds; raises `CommandError`."""
    from sequencer.simulation.faults.plan import ALL_FAULTS

    if text in ("all", "none"):
        return ALL_FAULTS if text == "all" else ()
    for name in text.split(","):
        if name not in ALL_FAULTS:
            raise CommandError(f"--faults: {name!r} is not one of {', '.join(ALL_FAULTS)}", "usage")
    return tuple(text.split(","))


def parse_behaviours(text: str) -> tuple[str, ...]:
    """Read all (which gives none by name) or a list of behaviours; raises `CommandError`."""
    from sequencer.simulation.byzantine.registry import BEHAVIOURS

    names = () if text == "all" else tuple(text.split(","))
    for name in names:
        if name not in BEHAVIOURS:
            raise CommandError(f"--behaviours: {name!r} is not one of {', '.join(BEHAVIOURS)}", "usage")
    return names


def _parse_integer(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise CommandError(f"{option}: {text!r} is not a number", "usage") from None


class _Progress:
    """Tell people how far the campaign is, a line per hundred seeds and per failure."""

    def __init__(self, options: SimulationOptions) -> None:
        self._validators = options.validators
        self._seeds = 0
        self._failed = 0

    def on_seed(self, result: SeedResult) -> None:
        self._seeds += 1
        self._failed += bool(result.violations)
        if self._seeds % 100 == 0 or result.violations:
            print_text(f"n = {self._validators}: {self._seeds} seeds, {self._failed} broke a promise")
