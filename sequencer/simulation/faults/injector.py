"""Carry out a plan of faults on a running network, heal everything, and count what was really felt."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from sequencer.simulation.crash_points import Survival
from sequencer.simulation.faults.fault import HEAL_US, Fault, Site
from sequencer.simulation.faults.plan import CATALOGUE
from sequencer.simulation.network import Network
from sequencer.simulation.node import SimulatedNode
from sequencer.simulation.scheduler import Scheduler


class FaultInjector:
    """The hand that hurts and heals; `faulty` are those whom no rule holds, and it may add to them."""

    def __init__(
        self, seed: int, scheduler: Scheduler, network: Network, nodes: Sequence[SimulatedNode], faulty: set[int]
    ) -> None:
        self.fired: Counter[str] = Counter()
        """How often each kind was felt by correct validators."""
        self.restarts = 0
        self._seed = seed
        self._scheduler = scheduler
        self._network = network
        self._nodes = nodes
        self._faulty = faulty

    def schedule(self, plan: Sequence[Fault]) -> None:
        """Put every fault of `plan` on the scheduler, and the healing."""
        for fault in plan:
            self._scheduler.call_at(fault.start_us, CATALOGUE[fault.kind].inflict, fault, self._make_site(fault))
        self._scheduler.call_at(HEAL_US, self._heal)

    def _make_site(self, fault: Fault) -> Site:
        rng = random.Random(f"{self._seed}/fault/{fault.kind}/{fault.number}")
        hit: Callable[..., None] = partial(self._hit, fault.kind)
        return Site(self._scheduler, rng, self._network, self._nodes, hit, partial(self._crash, rng), self._faulty.add)

    def _hit(self, kind: str, *nodes: int) -> None:
        if self._faulty.isdisjoint(nodes):
            self.fired[kind] += 1

    def _crash(self, rng: random.Random, index: int, survival: Survival, restart_us: int) -> bool:
        node = self._nodes[index]
        if not node.is_running or self._scheduler.now_us >= HEAL_US:
            return False
        node.crash(survival, rng)
        self._network.drop_node(index)
        self._scheduler.call_at(max(restart_us, self._scheduler.now_us + 1), self._restart, node)
        return True

    def _restart(self, node: SimulatedNode) -> None:
        if not node.is_running:
            self.restarts += 1
            node.boot()
            self._network.admit_node(node.index)

    def _heal(self) -> None:
        """All planned ends lie before this; what still is down starts now."""
        for node in self._nodes:
            node.heal()
            self._restart(node)
