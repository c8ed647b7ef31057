"""Measure the latency of a network in which nothing goes wrong: `sequencer simulate --latency`."""

from __future__ import annotations

import argparse

from sequencer.cli.command import CommandError, ExitStatus
from sequencer.cli.output import print_result

DELAY_MS_DEFAULT = 100
VALIDATORS_DEFAULT = 4
TIPS = ("optimistic", "supported")


def add_latency_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--latency", action="store_true", help="measure latency without faults and pacing instead")
    parser.add_argument(
        "--delay-ms",
        metavar="D|regions",
        default=str(DELAY_MS_DEFAULT),
        help=f"with --latency: delay of every message (default {DELAY_MS_DEFAULT}), or a table of the world's regions",
    )
    parser.add_argument("--tips", choices=TIPS, default=TIPS[0], help="with --latency: what leaders propose")
    parser.add_argument("--seconds", metavar="S", type=int, default=30, help="with --latency: simulated s (default 30)")


def run_latency(arguments: argparse.Namespace, seed: int) -> int:
    """Measure and report."""
    from sequencer.simulation.latency import LatencyOptions, measure_latency

    options = LatencyOptions(
        validators=arguments.validators or VALIDATORS_DEFAULT,
        delay_ms=parse_delay(arguments.delay_ms),
        is_optimistic=arguments.tips == "optimistic",
        seconds=arguments.seconds,
        seed=seed,
    )
    print_result(measure_latency(options).to_json(), arguments.json)
    return ExitStatus.OK


def parse_delay(text: str) -> int | None:
    """Read milliseconds, or `regions`, which gives None; raises `CommandError`."""
    if text == "regions":
        return None
    try:
        return int(text)
    except ValueError:
        raise CommandError(f"--delay-ms: {text!r} is neither a number nor `regions`", "usage") from None
