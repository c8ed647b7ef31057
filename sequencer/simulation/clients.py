"""Play the clients: submit the workload, some of it twice, and ask elsewhere when nothing happens.

As the SDK does, what is not final after `RETRY_US` goes, byte for byte the same, to another
validator; sequences make that harmless.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sequencer.simulation.observer import Observer
from sequencer.simulation.scheduler import MILLISECOND, SECOND, Scheduler
from sequencer.simulation.workload import Workload
from sequencer.types.executed import ExecutedBlock
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest

if TYPE_CHECKING:
    from sequencer.simulation.checkers.ledger import Ledger
    from sequencer.simulation.node import SimulatedNode

START_US = 500 * MILLISECOND
STOP_US = 48 * SECOND
"""Nothing new is submitted after this, so that everything can become final."""
INTERVAL_US = 350 * MILLISECOND
"""Mean time between submissions."""
RETRY_US = 3 * SECOND
TWICE_SHARE = 0.15
"""Share of submissions that go to two validators at once."""


class Clients(Observer):
    """All clients of one run, and what they still wait for."""

    def __init__(self, scheduler: Scheduler, rng: random.Random, workload: Workload, ledger: Ledger) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._workload = workload
        self._ledger = ledger
        self._nodes: Sequence[SimulatedNode] = ()
        self._unresolved: dict[Digest, bytes] = {}
        self._request = 0

    def start(self, nodes: Sequence[SimulatedNode]) -> None:
        """Begin to submit to `nodes`."""
        self._nodes = nodes
        self._scheduler.call_at(START_US, self._submit_next)
        self._scheduler.call_at(START_US + RETRY_US, self._retry)

    def on_executed(self, node: SimulatedNode, block: ExecutedBlock) -> None:
        """A decision anywhere is a decision; inadmissible copies decide nothing."""
        for result in block.results:
            if result.status is not Status.INADMISSIBLE:
                self._unresolved.pop(result.item_id, None)

    def check_end(self) -> None:
        """Demand that every well-formed transaction became final. # I13"""
        if self._unresolved:
            first = next(iter(self._unresolved))
            detail = f"{len(self._unresolved)} transactions are not final, the first is {first.hex()[:12]}"
            self._ledger.report("I13", 0, -1, detail)

    def _submit_next(self) -> None:
        if self._scheduler.now_us > STOP_US:
            return
        for bundle_id, item in self._workload.make_next():
            self._unresolved[bundle_id] = item
            self._submit(item)
            if self._rng.random() < TWICE_SHARE:
                self._submit(item)
        self._scheduler.call_after(int(self._rng.expovariate(1.0) * INTERVAL_US) + 1, self._submit_next)

    def _retry(self) -> None:
        for item in list(self._unresolved.values()):
            self._submit(item)
        self._scheduler.call_after(RETRY_US, self._retry)

    def _submit(self, item: bytes) -> None:
        self._request += 1
        self._nodes[self._rng.randrange(len(self._nodes))].submit(self._request, (item,))
