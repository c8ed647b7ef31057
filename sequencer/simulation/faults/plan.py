"""Draw which faults a seed suffers.

Swarm testing: each kind is on or off per seed, so that no kind hides another. The plan is
data, drawn before the run; everything in it ends before `HEAL_US`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from sequencer.simulation.cast import Cast
from sequencer.simulation.faults import clocks, connections, delays, disk, process
from sequencer.simulation.faults.fault import Fault, FaultKind, Ground

SWARM_SHARE = 0.3
"""Chance of each chosen kind to be on in a seed."""

CATALOGUE: dict[str, FaultKind] = {
    kind.name: kind for family in (process, disk, clocks, delays, connections) for kind in family.KINDS
}
"""Every kind by name."""
ALL_FAULTS: tuple[str, ...] = tuple(CATALOGUE)


def plan_faults(seed: int, size: int, cast: Cast, drift_ms: int, kinds: Sequence[str]) -> tuple[Fault, ...]:
    """Draw the faults of one seed for `size` nodes, by start; each of `kinds` is on with `SWARM_SHARE`."""
    plan: list[Fault] = []
    correct = tuple(index for index in range(size) if index not in cast.byzantine)
    for name in kinds:
        rng = random.Random(f"{seed}/faults/{name}")
        if rng.random() < SWARM_SHARE:
            plan.extend(_draw_kind(CATALOGUE[name], Ground(rng, size, correct, tuple(sorted(cast.fragile)), drift_ms)))
    return tuple(sorted(plan, key=lambda fault: (fault.start_us, fault.kind, fault.number)))


def _draw_kind(kind: FaultKind, ground: Ground) -> list[Fault]:
    drawn = [(number, kind.draw(ground)) for number in range(ground.rng.randint(*kind.counts))]
    return [Fault(kind.name, number, *what) for number, what in drawn if what[2]]
