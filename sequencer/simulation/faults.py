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
from functools import partial

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
    """Processes die, lose a random part of what they had not synced, and start again."""
    DELAY = "delay"
    """One direction of a connection, all that a node sends or receives, or everything becomes slow."""
    CONNECTION_LOSS = "connection_loss"
    """A connection breaks and loses an unknown suffix of what was sent."""
    PARTITION = "partition"
    """The network falls apart in two."""
    SLOW_FSYNC = "slow_fsync"
    """Disks take up to two seconds for each sync."""


ALL_FAULTS: tuple[FaultKind, ...] = tuple(FaultKind)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan."""

    kind: FaultKind
    start_us: int
    end_us: int
    nodes: tuple[int, ...]
    """CRASH, SLOW_FSYNC: those hit. CONNECTION_LOSS: the two ends. PARTITION: one side. DELAY: see `targets`."""
    targets: tuple[int, ...] = ()
    """DELAY: messages from any of `nodes` to any of these are slow."""
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
    FaultKind.CRASH: (2, 10),
    FaultKind.DELAY: (2, 10),
    FaultKind.CONNECTION_LOSS: (4, 24),
    FaultKind.PARTITION: (1, 5),
    FaultKind.SLOW_FSYNC: (1, 6),
}
"""Fewest and most faults of each kind in a seed that has it on."""


def _draw_fault(rng: random.Random, kind: FaultKind, size: int) -> Fault:
    everybody = tuple(range(size))
    start_us = rng.randint(1 * SECOND, HEAL_US - 2 * SECOND)
    end_us = min(HEAL_US - 1 * SECOND, start_us + rng.randint(300 * MILLISECOND, rng.choice((2, 8)) * SECOND))
    if kind is FaultKind.CRASH:
        return Fault(kind, start_us, end_us, _draw_group(rng, size))
    if kind is FaultKind.SLOW_FSYNC:
        return Fault(kind, start_us, end_us, _draw_group(rng, size), size_us=rng.randint(100, 2_000) * MILLISECOND)
    if kind is FaultKind.PARTITION:
        return Fault(kind, start_us, end_us, tuple(sorted(rng.sample(everybody, rng.randint(1, size // 2)))))
    if kind is FaultKind.DELAY:
        nodes, targets = rng.choice(((None, None), (None, everybody), (everybody, None), (everybody, everybody)))
        one, other = rng.sample(everybody, 2)
        size_us = rng.randint(200, 4_000) * MILLISECOND
        return Fault(kind, start_us, end_us, nodes or (one,), targets or (other,), size_us)
    left, right = sorted(rng.sample(everybody, 2))
    return Fault(kind, start_us, start_us, (left, right))


def _draw_group(rng: random.Random, size: int) -> tuple[int, ...]:
    """Return one node mostly, sometimes several, sometimes all."""
    count = rng.choice((1, 1, 1, rng.randint(1, size), size))
    return tuple(sorted(rng.sample(range(size), count)))


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
        if fault.kind is FaultKind.CRASH:
            for index in fault.nodes:
                self._plan_crash(self._nodes[index], fault.end_us)
        elif fault.kind is FaultKind.CONNECTION_LOSS:
            self._network.break_connection(*fault.nodes)
        elif fault.kind is FaultKind.PARTITION:
            self._network.cut(frozenset(fault.nodes))
            self._scheduler.call_at(fault.end_us, self._network.heal)
        else:
            resize = self._set_delay if fault.kind is FaultKind.DELAY else self._set_sync
            resize(fault, fault.size_us)
            self._scheduler.call_at(fault.end_us, resize, fault, 0)

    def _set_delay(self, fault: Fault, size_us: int) -> None:
        for source in fault.nodes:
            for target in fault.targets:
                self._network.set_extra_delay(source, target, size_us)

    def _set_sync(self, fault: Fault, size_us: int) -> None:
        for index in fault.nodes:
            self._nodes[index].slow_sync_us = size_us

    def _plan_crash(self, node: SimulatedNode, end_us: int) -> None:
        """Kill the node now, or within its next sync: between writing and sending."""
        if self._rng.random() < 0.5:
            node.doom = partial(self._crash, node, end_us)
        else:
            self._crash(node, end_us)

    def _crash(self, node: SimulatedNode, end_us: int) -> None:
        if not node.is_running or self._scheduler.now_us >= HEAL_US:
            return
        self.fired[FaultKind.CRASH.value] += 1
        node.crash()
        self._network.drop_node(node.index)
        self._scheduler.call_at(end_us + self._rng.randint(0, SECOND // 2), self._restart, node)

    def _restart(self, node: SimulatedNode) -> None:
        if not node.is_running:
            self.restarts += 1
            node.boot()
            self._network.admit_node(node.index)

    def _heal(self) -> None:
        """All planned ends lie before this; what still is down starts now."""
        for node in self._nodes:
            node.doom = None
            self._restart(node)
