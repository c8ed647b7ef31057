"""Join the lists of planted bugs; a name is what `simulate --planted` and `planted_bugs.py --only` take."""

from __future__ import annotations

from tests.simulation.planted import agreement, atomicity, data, execution, liveness
from tests.simulation.planted.plant import Hunt, PlantedBug, hunt_at_all_sizes

GROUPS: dict[str, tuple[PlantedBug, ...]] = {
    "agreement": agreement.BUGS,
    "data": data.BUGS,
    "liveness": liveness.BUGS,
    "execution": execution.BUGS,
    "atomicity": atomicity.BUGS,
}
"""The last are hunted in cases over split rollups, the others in whole simulations."""
BUGS: tuple[PlantedBug, ...] = tuple(bug for group in GROUPS.values() for bug in group)


def get_group(bug: PlantedBug) -> str:
    """Return the name of the group that has the bug."""
    return next(name for name, bugs in GROUPS.items() if bug in bugs)


def get_bug(name: str) -> PlantedBug:
    """Return the bug called `name`; raises `KeyError` that lists the names."""
    for bug in BUGS:
        if bug.name == name:
            return bug
    raise KeyError(f"{name!r} is not one of {', '.join(bug.name for bug in BUGS)}")


def hunt_everywhere(name: str, seeds: int) -> Hunt:
    """Hunt the bug called `name`; a name travels to another process where a bug would not."""
    return hunt_at_all_sizes(get_bug(name), seeds)
