"""Simulate seeds, count how many fit into a CPU minute, and say where the time goes.

    uv run python scripts/simulation_speed.py [--seeds A:B] [--validators N] [--json]

Runs every seed twice in one process: once to count, once while a timer interrupts it and notes which package it
is in. Code outside the product counts for the package that called it. Exit status 1 if a seed broke a promise, or
if there were too few heights or transactions for the rate to mean anything.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sequencer.simulation.options import SimulationOptions  # noqa: E402 - found below the root
from sequencer.simulation.runner import run_seed  # noqa: E402
from sequencer.simulation.simulator import SeedResult  # noqa: E402

PRODUCT = str(ROOT / "sequencer") + "/"
SAMPLE_SECONDS = 0.002
"""CPU time between two samples."""
HEIGHTS_MIN, TRANSACTIONS_MIN = 30, 100
"""Medians below which the seeds do too little."""
CHECKERS = "simulation/checkers"


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", metavar="A:B", default="0:40", help="seeds A..B-1 (default 0:40)")
    parser.add_argument("--validators", metavar="N", type=int, default=4, help="size of the committee (default 4)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    first, end = (int(bound) for bound in arguments.seeds.split(":"))
    told = measure(range(first, end), SimulationOptions(arguments.validators))
    if arguments.json:
        print(json.dumps(told))
    else:
        for name, value in told.items():
            print(f"{name:24}{value}")
    is_enough = told["median_heights"] >= HEIGHTS_MIN and told["median_transactions"] >= TRANSACTIONS_MIN
    return 0 if is_enough and not told["violations"] else 1


def measure(seeds: range, options: SimulationOptions) -> dict[str, Any]:
    """Return the rate, what the seeds did, and the share of each package in percent."""
    results: list[SeedResult] = []
    started = time.process_time()
    for seed in seeds:
        results.append(run_seed(seed, options))
    cpu_seconds = time.process_time() - started
    with sampling() as samples:
        for seed in seeds:
            run_seed(seed, options)
    total = max(1, samples.total())
    return {
        "seeds": len(results),
        "validators": options.validators,
        "cpu_seconds": round(cpu_seconds, 2),
        "seeds_per_minute": round(60 * len(results) / cpu_seconds, 1),
        "median_heights": median(result.heights for result in results),
        "median_transactions": median(result.transactions_final for result in results),
        "events_per_seed": round(sum(result.event_count for result in results) / len(results)),
        "violations": sum(len(result.violations) for result in results),
        "percent": {name: round(100 * count / total, 1) for name, count in samples.most_common()},
    }


@contextmanager
def sampling() -> Iterator[Counter[str]]:
    """Count, while the context lasts, in which package the program is found."""
    samples: Counter[str] = Counter()

    def on_signal(_: int, frame: FrameType | None) -> None:
        samples[find_package(frame)] += 1

    before = signal.signal(signal.SIGPROF, on_signal)
    signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def find_package(frame: FrameType | None) -> str:
    """Return the package of the innermost frame that is the product's."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(PRODUCT):
            return name_package(path.removeprefix(PRODUCT))
        frame = frame.f_back
    return "other"


def name_package(path: str) -> str:
    """Return the first folder, or the module; the simulator's checkers stand for themselves."""
    return CHECKERS if path.startswith(CHECKERS) else path.split("/")[0].removesuffix(".py")


if __name__ == "__main__":
    sys.exit(main())
