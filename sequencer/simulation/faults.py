"""Decide which faults a seed suffers, and inflict them.

Swarm testing: each kind is on or off per seed, so that no kind hides another. The plan is
data, drawn before the run from its own random stream; everything ends at `HEAL_US`, and
progress is demanded after it.
"""

from __future__ import annotations

import enum
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sequencer.simulation.network import Network
from sequencer.simulation.node import SimulatedNode
from sequencer.simulation.scheduler import MILLISECOND, SECOND, Scheduler

HEAL_US = 30 * SECOND
"""All faults have ended and every node runs by then."""
SWARM_SHARE = 0.6
"""Chance of each chosen kind to be on in a seed."""


class FaultKind(str, enum.Enum):
    """What can happen to a simulated network; the text is what the command line takes."""

    CRASH = "crash"
    """A process dies, loses a random part of what it had not synced, and starts again."""
    DELAY = "delay"
    """One direction of a connection, or all of one node's, becomes slow."""
    CONNECTION_LOSS = "connection_loss"
    """A connection breaks and loses an unknown suffix of what was sent."""
    PARTITION = "partition"
    """The network falls apart in two."""
    SLOW_FSYNC = "slow_fsync"
    """A node's disk takes up to a second for each sync."""


ALL_FAULTS: tuple[FaultKind, ...] = tuple(FaultKind)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan."""

    kind: FaultKind
    start_us: int
    end_us: int
    nodes: tuple[int, ...]
    """CRASH, SLOW_FSYNC: the node. DELAY: from, to. CONNECTION_LOSS: the two ends. PARTITION: one side."""
    size_us: int = 0
    """DELAY: largest extra delay. SLOW_FSYNC: largest duration of a sync."""


def plan_faults(rng: random.Random, size: int, kinds: Sequence[FaultKind]) -> tuple[Fault, ...]:
    """Draw the faults of one seed for `size` nodes, by start; each of `kinds` is on with `SWARM_SHARE`."""
    chosen = [kind for kind in ALL_FAULTS if kind in kinds and rng.random() < SWARM_SHARE]
    plan: list[Fault] = []
    for kind in chosen:
        for _ in range(rng.randint(*_COUNTS[kind])):
            plan.append(_draw_fault(rng, kind, size))
    return tuple(sorted(plan, key=lambda fault: fault.start_us))


_COUNTS: dict[FaultKind, tuple[int, int]] = {
    FaultKind.CRASH: (1, 6),
    FaultKind.DELAY: (1, 8),
    FaultKind.CONNECTION_LOSS: (2, 12),
    FaultKind.PARTITION: (1, 3),
    FaultKind.SLOW_FSYNC: (1, 4),
}
"""Fewest and most faults of each kind in a seed that has it on."""


def _draw_fault(rng: random.Random, kind: FaultKind, size: int) -> Fault:
    start_us = rng.randint(1 * SECOND, HEAL_US - 2 * SECOND)
    end_us = min(HEAL_US - 1 * SECOND, start_us + rng.randint(300 * MILLISECOND, 8 * SECOND))
    if kind is FaultKind.CRASH:
        return Fault(kind, start_us, end_us, (rng.randrange(size),))
    if kind is FaultKind.SLOW_FSYNC:
        return Fault(kind, start_us, end_us, (rng.randrange(size),), rng.randint(100, 1_000) * MILLISECOND)
    if kind is FaultKind.PARTITION:
        group = rng.sample(range(size), rng.randint(1, size // 2))
        return Fault(kind, start_us, end_us, tuple(sorted(group)))
    left, right = rng.sample(range(size), 2)
    if kind is FaultKind.DELAY:
        return Fault(kind, start_us, end_us, (left, right), rng.randint(200, 4_000) * MILLISECOND)
    return Fault(kind, start_us, start_us, (min(left, right), max(left, right)))


class FaultInjector:
    """Carry out a plan on a running network, and heal everything at `HEAL_US`."""

    def __init__(
        self, scheduler: Scheduler, rng: random.Random, network: Network, nodes: Sequence[SimulatedNode]
    ) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._network = network
        self._nodes = nodes
        self.fired: Counter[str] = Counter()
        self.restarts = 0

    def schedule(self, plan: Sequence[Fault]) -> None:
        """Put every fault of `plan` on the scheduler, and the healing."""
        for fault in plan:
            self._scheduler.call_at(fault.start_us, self._start, fault)
        self._scheduler.call_at(HEAL_US, self._heal)

    def get_fired(self) -> Counter[str]:
        """Return how many processes, messages and records each kind really hit."""
        total = self.fired + self._network.fired
        for node in self._nodes:
            total.update(node.fired)
        return total

    def _start(self, fault: Fault) -> None:
        end = self._scheduler.call_at
        if fault.kind is FaultKind.CRASH:
            self._crash(fault)
        elif fault.kind is FaultKind.DELAY:
            source, target = fault.nodes
            self._network.set_extra_delay(source, target, fault.size_us)
            end(fault.end_us, self._network.set_extra_delay, source, target, 0)
        elif fault.kind is FaultKind.CONNECTION_LOSS:
            self._network.break_connection(*fault.nodes)
        elif fault.kind is FaultKind.PARTITION:
            self._network.cut(frozenset(fault.nodes))
            end(fault.end_us, self._network.heal)
        else:
            self._nodes[fault.nodes[0]].slow_sync_us = fault.size_us
            end(fault.end_us, setattr, self._nodes[fault.nodes[0]], "slow_sync_us", 0)

    def _crash(self, fault: Fault) -> None:
        node = self._nodes[fault.nodes[0]]
        if not node.is_running:
            return
        self.fired[FaultKind.CRASH.value] += 1
        node.crash()
        self._network.drop_node(node.index)
        self._scheduler.call_at(fault.end_us, self._restart, node)

    def _restart(self, node: SimulatedNode) -> None:
        if not node.is_running:
            self.restarts += 1
            node.boot()
            self._network.admit_node(node.index)

    def _heal(self) -> None:
        self._network.heal()
        for node in self._nodes:
            node.slow_sync_us = 0
            self._restart(node)
