"""Print the trace hash of a few seeds: run as a program, once per process, to compare processes.

    python -m tests.simulation.hash_of_seeds [shuffled]

With `shuffled` a set of strings is iterated where the order matters: a planted bug against determinism.
"""

from __future__ import annotations

import sys
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
    is_shuffled = sys.argv[1:] == ["shuffled"]
    shuffle = replaced(delivery, "compute_batch_order", compute_shuffled_order) if is_shuffled else nullcontext()
    with shuffle:
        print(simulate(Campaign(0, SEEDS, SimulationOptions())).get_trace_hash())


if __name__ == "__main__":
    main()
