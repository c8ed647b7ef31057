"""Guard progress: after the faults have healed everybody moves on and nothing is left behind. # I12 I13 C2"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.observer import Observer
from sequencer.types.records import RecordKind, VoteRecord

if TYPE_CHECKING:
    from sequencer.errors import SequencerError
    from sequencer.simulation.node import SimulatedNode
    from sequencer.simulation.store import StoreRecord

HEIGHTS_AFTER_HEAL = 3
"""New heights that every validator delivers within the time allowed after the healing."""
DRAINING_BLOCKS = 8
"""Newest blocks by which a lane with a backlog shows that it moves."""


class ProgressChecker(Observer):
    """Every validator delivers new heights after the healing, and ends where the others end. # I12"""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._healed_at = 0

    def note_heal(self) -> None:
        """The faults have ended now."""
        self._healed_at = max(self._ledger.log, default=0)

    def check_after_heal(self, nodes: Sequence[SimulatedNode]) -> None:
        """Demand new heights of every validator."""
        goal = self._healed_at + HEIGHTS_AFTER_HEAL
        for node in nodes:
            delivered = max(node.store.durable.blocks, default=0)
            if delivered < goal:
                self._ledger.report("I12", delivered, node.index, f"delivered {delivered} heights, {goal} were due")

    def check_end(self, nodes: Sequence[SimulatedNode]) -> None:
        """Demand that nobody is left behind at the end."""
        newest = max(self._ledger.log, default=0)
        for node in nodes:
            delivered = max(node.store.durable.blocks, default=0)
            if delivered < newest - HEIGHTS_AFTER_HEAL:
                self._ledger.report("I12", delivered, node.index, f"delivered {delivered} of {newest} heights")


class InclusionChecker(Observer):
    """What an honest validator put into its lane is delivered. # I13 L2b"""

    def __init__(self, ledger: Ledger, deadline_us: int) -> None:
        self._ledger = ledger
        self._deadline_us = deadline_us
        self._owed: dict[int, int] = {}
        """Lane → highest own position that was durable before the deadline."""

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        if self._ledger.now_us > self._deadline_us:
            return
        for record in votes:
            if record.kind is RecordKind.OWN_BATCH:
                self._owed[node.index] = max(record.number, self._owed.get(node.index, 0))

    def check_end(self, nodes: Sequence[SimulatedNode]) -> None:
        """Demand that the newest delivered cut covers every lane up to what it owes."""
        newest = self._ledger.log[max(self._ledger.log)].header.cut if self._ledger.log else ()
        for lane, owed in sorted(self._owed.items()):
            if nodes[lane].store.is_damaged:
                continue
            has_batch = any(
                header.lane == lane and header.position == owed
                for header in (self._ledger.batches[digest] for digest in nodes[lane].store.durable.batches)
            )
            position = newest[lane].position if newest else 0
            if has_batch and position < owed and not self._is_draining(lane):
                self._ledger.report("I13", position, lane, f"own batch {owed} was never delivered")

    def _is_draining(self, lane: int) -> bool:
        """Tell whether the newest blocks took in half of what W_ADV allows: the lane is long, nobody holds it back."""
        log = self._ledger.log
        newest = log[max(log)].header
        before = log.get(newest.height - DRAINING_BLOCKS)
        allowed = DRAINING_BLOCKS * self._ledger.genesis.parameters.lane_advance_max
        return before is not None and 2 * (newest.cut[lane].position - before.header.cut[lane].position) >= allowed


class HonestyChecker(Observer):
    """Among honest validators nobody is banned, no alarm is raised, and nobody stops signing. # C1 C2 D1"""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def on_started(self, node: SimulatedNode) -> None:
        is_observer = node.replica is not None and node.replica.observer_reason is not None
        if node.replica is not None and is_observer and not node.store.is_damaged:
            detail = f"a crash alone makes an observer: {node.replica.observer_reason}"
            self._ledger.report("D1", 0, node.index, detail)

    def on_banned(self, node: SimulatedNode, peer: int, reason: str) -> None:
        if peer in self._ledger.faulty:
            return
        self._ledger.report("C1", 0, node.index, f"bans the honest validator {peer}: {reason}")

    def on_alarm(self, node: SimulatedNode, reason: str) -> None:
        self._ledger.report("C2", 0, node.index, f"raises the alarm: {reason}")

    def on_error(self, node: SimulatedNode, error: SequencerError) -> None:
        self._ledger.report("STOPPED", 0, node.index, f"{type(error).__name__}: {error}")
