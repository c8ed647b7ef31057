"""Run the same seeds in many processes, hash seeds and numbers of workers: is the trace hash always the same?

    uv run python scripts/determinism.py [--seeds N] [--processes N] [--json]

Every combination of process, PYTHONHASHSEED (1, 2, random) and workers (1, 2) must give one hash. The control
plants an iteration over a set where the order matters: its hash must depend on the process.
Exit status: 0 deterministic and the control differs, 1 not, 2 it could not run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HASH_SEEDS = ("1", "2", "random")
WORKERS = (1, 2)
CONTROL_SEEDS = 2
SECONDS_MAX = 3_600
"""After this a process is taken to hang."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50, help="seeds per process (default 50)")
    parser.add_argument("--processes", type=int, default=3, help="processes per combination (default 3)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    try:
        result = examine(arguments.seeds, arguments.processes)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result) if arguments.json else json.dumps(result, indent=1))
    return 0 if result["is_deterministic"] and result["control_differs"] else 1


def examine(seeds: int, processes: int) -> dict[str, object]:
    """Run every combination, and the control."""
    runs = []
    for hash_seed in HASH_SEEDS:
        for workers in WORKERS:
            for process in range(processes):
                trace_hash = run_process(hash_seed, "--seeds", str(seeds), "--workers", str(workers))
                runs.append({"process": process, "hash_seed": hash_seed, "workers": workers, "trace_hash": trace_hash})
                print(f"process {process} hash seed {hash_seed} workers {workers}: {trace_hash}", file=sys.stderr)
    control = [run_process(seed, "--seeds", str(CONTROL_SEEDS), "--shuffled") for seed in HASH_SEEDS]
    return {
        "seeds": seeds,
        "processes": len(runs),
        "trace_hashes": sorted({str(run["trace_hash"]) for run in runs}),
        "is_deterministic": len({run["trace_hash"] for run in runs}) == 1,
        "control_hashes": control,
        "control_differs": len(set(control)) > 1,
        "runs": runs,
    }


def run_process(hash_seed: str, *arguments: str) -> str:
    """Run the seeds in a process of their own and return the hash over all of them."""
    command = [sys.executable, "-m", "tests.simulation.hash_of_seeds", *arguments]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=SECONDS_MAX
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
