"""Say what a fault is: data that a plan holds, and one function that inflicts it.

A kind draws its faults before the run from a random stream of its own, and each fault acts
with a stream of its own, so that leaving one out moves the others as little as possible.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sequencer.codec import U64_MAX
from sequencer.errors import LocalError
from sequencer.simulation.scheduler import MILLISECOND, SECOND, Scheduler

if TYPE_CHECKING:
    from sequencer.simulation.crash_points import Survival
    from sequencer.simulation.network import Network
    from sequencer.simulation.node import SimulatedNode

HEAL_US = 30 * SECOND
"""All faults have ended and every node runs by then."""
START_US_MAX = HEAL_US - 3 * SECOND
END_US_MAX = HEAL_US - 1 * SECOND
ANY_PAIR_SHARE = 0.2
"""Chance that the ends of a faulty connection are drawn from all validators and not from the correct ones."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan."""

    kind: str
    number: int
    """Its number among the faults of its kind; names its random stream."""
    start_us: int
    end_us: int
    nodes: tuple[int, ...]
    """Those hit, or one side of a connection; the kind says which."""
    targets: tuple[int, ...] = ()
    """The other side, if the kind has one."""
    size: int = 0
    """How much, in the kind's own unit."""


def fault_to_value(fault: Fault) -> dict[str, object]:
    """Return the fault as JSON values."""
    return {**asdict(fault), "nodes": list(fault.nodes), "targets": list(fault.targets)}


def fault_from_value(value: object, path: str) -> Fault:
    """Read a fault from JSON values; raises `LocalError` naming the wrong field."""
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise LocalError(f"{path}: must be an object with a kind")
    size = value.get("size")
    if not isinstance(size, int):
        raise LocalError(f"{path}.size: must be a number")
    return Fault(
        value["kind"],
        _read_number(value.get("number"), f"{path}.number"),
        _read_number(value.get("start_us"), f"{path}.start_us"),
        _read_number(value.get("end_us"), f"{path}.end_us"),
        _read_group(value.get("nodes"), f"{path}.nodes"),
        _read_group(value.get("targets"), f"{path}.targets"),
        size,
    )


def _read_group(value: object, path: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise LocalError(f"{path}: must be a list")
    return tuple(_read_number(node, path) for node in value)


def _read_number(value: object, path: str) -> int:
    if not isinstance(value, int) or not 0 <= value <= U64_MAX:
        raise LocalError(f"{path}: must be a number of at least 0")
    return value


@dataclass(frozen=True, slots=True)
class Ground:
    """What a kind may know when it draws: its stream, and whom it may hit."""

    rng: random.Random
    size: int
    """Validators."""
    correct: tuple[int, ...]
    """Those that are not Byzantine; a fault counts only where they feel it."""
    fragile: tuple[int, ...]
    """Those that may be damaged beyond the crash model: of power at most F."""
    drift_ms: int
    """How far the wall clocks of correct validators may lie apart."""

    def draw_span(self, shortest_ms: int, longest_ms: int) -> tuple[int, int]:
        """Return start and end, within the time of faults."""
        start_us = self.rng.randint(1 * SECOND, START_US_MAX)
        return start_us, min(END_US_MAX, start_us + self.rng.randint(shortest_ms, longest_ms) * MILLISECOND)

    def draw_node(self) -> int:
        """Return any node."""
        return self.rng.randrange(self.size)

    def draw_pair(self) -> tuple[int, int]:
        """Return two nodes in random order, mostly correct ones."""
        is_any = len(self.correct) < 2 or self.rng.random() < ANY_PAIR_SHARE
        one, other = self.rng.sample(range(self.size) if is_any else self.correct, 2)
        return one, other

    def draw_group(self) -> tuple[int, ...]:
        """Return one node mostly, sometimes several, sometimes all."""
        count = self.rng.choice((1, 1, 1, self.rng.randint(1, self.size), self.size))
        return tuple(sorted(self.rng.sample(range(self.size), count)))

    def draw_fragile(self) -> tuple[int, ...]:
        """Return one fragile node, or nobody if there is none."""
        return (self.rng.choice(self.fragile),) if self.fragile else ()


@dataclass(frozen=True, slots=True)
class Site:
    """What one fault may touch while it acts."""

    scheduler: Scheduler
    rng: random.Random
    """The fault's own stream."""
    network: Network
    nodes: Sequence[SimulatedNode]
    hit: Callable[..., None]
    """`hit(*nodes)`: the fault was felt by these; counts if all of them are correct."""
    crash: Callable[[int, Survival, int], bool]
    """`crash(node, survival, restart_us)`: kill it if it runs, and say whether it did; it starts again then."""
    make_faulty: Callable[[int], None]
    """From now on no rule holds this node."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault; its name is what the command line takes."""

    name: str
    promise: str
    """What it does, in one line."""
    counts: tuple[int, int]
    """Fewest and most in a seed that has it on."""
    draw: Callable[[Ground], tuple[int, int, tuple[int, ...], tuple[int, ...], int]]
    """Return start_us, end_us, nodes, targets and size; a fault that hits nobody is left out."""
    inflict: Callable[[Fault, Site], None]
    """Called at `start_us`; ends what it began by itself."""
