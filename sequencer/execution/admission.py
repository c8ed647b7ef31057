"""Apply the stateful checks at an item's position, in their order. # A3 A13 A19

Nothing here changes anything: an item that is refused leaves no trace.
"""

from __future__ import annotations

from sequencer.execution import deliveries, system_state
from sequencer.execution.conditions import BlockContext
from sequencer.execution.decisions import BlockDecisions
from sequencer.execution.entries import Entry
from sequencer.execution.outcome_window import OutcomeWindow
from sequencer.execution.pending_table import PendingTable
from sequencer.execution.rule import Outcome, Rules
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle
from sequencer.types.message import Delivery
from sequencer.types.outcome import Rejection, Status
from sequencer.types.primitives import Digest


class Admission:
    """Who is taken in at one position of one block."""

    def __init__(
        self,
        rules: Rules,
        block: BlockContext,
        system: Journal,
        table: PendingTable,
        window: OutcomeWindow,
        decisions: BlockDecisions,
    ) -> None:
        self._rules = rules
        self._block = block
        self._system = system
        self._table = table
        self._window = window
        self._decisions = decisions

    def admit_bundle(self, index: int, bundle: Bundle, hold: int) -> Entry | Rejection:
        """Return what the bundle is at this position, or why it is not taken in."""
        rejection = system_state.check(self._system, bundle, self._block.height, hold)
        if rejection is not None:
            return rejection
        entry = self._table.make_entry(bundle, self._block, index)
        for dep in bundle.deps:
            entry.deps[dep] = self._get_status(dep)
        rejection = self._table.check_room(entry, self._rules.parameters)
        if rejection is None:
            rejection = deliveries.check_sends(self._system.get, entry.sends)
        if rejection is not None and self.find_suspension(bundle) is None:
            return rejection
        return entry

    def admit_delivery(self, index: int, delivery: Delivery) -> Entry | Rejection:
        """Return what the delivery is at this position, or why it has no effect."""
        rejection = deliveries.check_delivery(self._system.get, delivery)
        if rejection is not None:
            return rejection
        entry = self._table.make_delivery_entry(delivery.message, self._block, index)
        return self._table.check_room(entry, self._rules.parameters) or entry

    def find_suspension(self, bundle: Bundle) -> Outcome | None:
        """A suspended rollup makes nobody wait: its bundles abort where they stand. # A13"""
        if bundle.decide_within:
            for rollup in bundle.rollups:
                if system_state.get_suspension(self._system, rollup):
                    return Outcome(Status.ABORT, f"SUSPENDED:{self._rules.names[rollup]}", is_paid_whole=False)
        return None

    def find_failed_dep(self, bundle: Bundle) -> Digest | None:
        """Return the first dep that has not committed and is not waited for, or None. # A16"""
        return next((dep for dep in bundle.deps if self._get_status(dep) in (None, Status.ABORT)), None)

    def _get_status(self, item_id: Digest) -> Status | None:
        """Return how a dep stands; None if it is unknown or was decided too long ago. # A16"""
        if self._table.get_undecided(item_id) is not None:
            return Status.PENDING
        return self._decisions.get_status(item_id) or self._window.get_status(item_id)
