"""Play the clients: submit the workload, some of it twice, and ask elsewhere when nothing happens.

As the SDK does, what is not final after `RETRY_US` goes, byte for byte the same, to another
validator; sequences make that harmless.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sequencer.simulation.faults.fault import HEAL_US
from sequencer.simulation.reference import ReferenceInterpreter
from sequencer.simulation.scheduler import MILLISECOND, SECOND, Scheduler
from sequencer.simulation.workload import FOREVER, Workload
from sequencer.types.bundle import Bundle
from sequencer.types.item import CheckedItem, SignedBundle
from sequencer.types.primitives import Digest

if TYPE_CHECKING:
    from sequencer.simulation.checkers.ledger import Ledger
    from sequencer.simulation.node import SimulatedNode

START_US = 500 * MILLISECOND
STOP_US = 42 * SECOND
"""Nothing new is submitted after this, so that everything can become final."""
INTERVAL_US = 2_600 * MILLISECOND
"""Mean time between submissions, but for `INTERVAL_US_MAX`."""
INTERVAL_US_MAX = 5 * SECOND
"""Longest time between submissions."""
INTERVAL_US_MAX_HEALED = 2_500 * MILLISECOND
"""The same after the healing: three heights within 10 s are no promise to an idle network. # I12"""
GROUP_MAX = 13
"""Items that a client hands in at once, at most."""
LAST_IDLE_US = HEAL_US - INTERVAL_US_MAX_HEALED
"""Whoever waits from here on waits beyond the healing."""
RETRY_US = 3 * SECOND
RETRIED_MAX = 64
"""Items that are sent again at once, at most."""
TWICE_SHARE = 0.15
"""Share of submissions that go to two validators at once."""


class Clients:
    """All clients of one run, and what they still wait for."""

    def __init__(
        self,
        scheduler: Scheduler,
        rng: random.Random,
        workload: Workload,
        ledger: Ledger,
        check: Callable[[bytes], CheckedItem],
        reference: ReferenceInterpreter,
    ) -> None:
        self.bundles: dict[Digest, Bundle] = {}
        """Every well-formed bundle that was submitted, by id."""
        self._markers: dict[str, set[Digest]] = {}
        """Marker key → bundles that write it."""
        self._scheduler = scheduler
        self._rng = rng
        self.workload = workload
        self._ledger = ledger
        self._check = check
        self._reference = reference
        self._nodes: Sequence[SimulatedNode] = ()
        self._waiting: dict[Digest, tuple[Bundle, bytes]] = {}
        self._request = 0

    def start(self, nodes: Sequence[SimulatedNode]) -> None:
        """Begin to submit to `nodes`."""
        self._nodes = nodes
        self._scheduler.call_at(START_US, self._submit_next)
        self._scheduler.call_at(START_US + RETRY_US, self._retry)

    def get_marker(self, bundle_id: Digest) -> str | None:
        """Return the key that each of the bundle's legs sets, unless another bundle writes it too."""
        bundle = self.bundles.get(bundle_id)
        marker = None if bundle is None else _find_marker(bundle)
        return marker if marker is not None and len(self._markers[marker]) == 1 else None

    def check_end(self) -> None:
        """Demand that whatever could be admitted next was admitted. # I13"""
        for bundle, _ in self._waiting.values():
            if bundle.sequence == self._get_next_sequence(bundle):
                payer = bundle.payer.hex()[:8]
                detail = f"sequence {bundle.sequence} of channel {bundle.channel} of {payer} never became final"
                self._ledger.report("I13", 0, -1, detail)
                return

    def _get_next_sequence(self, bundle: Bundle) -> int:
        return self._reference.sequences.get((bundle.payer, bundle.channel), 0)

    def _submit_next(self) -> None:
        if self._scheduler.now_us > STOP_US:
            return
        items = tuple(self._make_item() for _ in range(self._rng.randint(1, GROUP_MAX)))
        self._submit(items)
        if self._rng.random() < TWICE_SHARE:
            self._submit(items)
        longest_us = INTERVAL_US_MAX if self._scheduler.now_us < LAST_IDLE_US else INTERVAL_US_MAX_HEALED
        wait_us = min(int(self._rng.expovariate(1.0) * INTERVAL_US) + 1, longest_us)
        self._scheduler.call_after(wait_us, self._submit_next)

    def _make_item(self) -> bytes:
        item = self.workload.make_item(max(self._ledger.log, default=0))
        checked = self._check(item)
        if isinstance(checked, SignedBundle):
            self.bundles[checked.id] = checked.bundle
            self._markers.setdefault(_find_marker(checked.bundle), set()).add(checked.id)
            if self._is_lasting(checked.bundle):
                self._waiting[checked.id] = (checked.bundle, item)
        return item

    def _is_lasting(self, bundle: Bundle) -> bool:
        """Tell whether nothing but its sequence can keep the bundle from being admitted."""
        is_open = bundle.valid_from == 0 and bundle.valid_until >= FOREVER
        return is_open and bundle.payer in self._reference.deposits

    def _retry(self) -> None:
        """Forget what was decided, and send the rest, all of it at once, to another validator."""
        self._waiting = {
            bundle_id: (bundle, item)
            for bundle_id, (bundle, item) in self._waiting.items()
            if bundle.sequence >= self._get_next_sequence(bundle)
        }
        items = tuple(item for _, item in self._waiting.values())
        for start in range(0, len(items), RETRIED_MAX):
            self._submit(items[start : start + RETRIED_MAX])
        self._scheduler.call_after(RETRY_US, self._retry)

    def _submit(self, items: tuple[bytes, ...]) -> None:
        self._request += 1
        self._nodes[self._rng.randrange(len(self._nodes))].submit(self._request, items)


def _find_marker(bundle: Bundle) -> str:
    """Return the key that the first operation of every leg of the workload sets."""
    return str(bundle.legs[0].operations[0].arguments[0])
