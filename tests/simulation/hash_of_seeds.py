"""Print the trace hash of a few seeds: run as a program, once per process, to compare processes.

    python -m tests.simulation.hash_of_seeds [--seeds N] [--workers N] [--byzantine K] [--shuffled]

With --shuffled a set of strings is iterated where the order matters: a planted bug against determinism.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Any

from sequencer.ordering import delivery, total_order
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import Campaign, simulate
from tests.simulation.planted.plant import replaced

SEEDS = 2


def compute_shuffled_order(*arguments: Any) -> tuple[Any, ...]:
    """Return the batches in the order of a set, which depends on PYTHONHASHSEED."""
    batches = {batch.digest.hex(): batch for batch in total_order.compute_batch_order(*arguments)}
    return tuple(batches[name] for name in set(batches))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--byzantine", type=int, default=0)
    parser.add_argument("--shuffled", action="store_true")
    arguments = parser.parse_args()
    options = SimulationOptions(byzantine=arguments.byzantine)
    is_shuffled = arguments.shuffled
    shuffle = replaced(delivery, "compute_batch_order", compute_shuffled_order) if is_shuffled else nullcontext()
    with shuffle:
        print(simulate(Campaign(0, arguments.seeds, options, arguments.workers)).get_trace_hash())


if __name__ == "__main__":
    main()
