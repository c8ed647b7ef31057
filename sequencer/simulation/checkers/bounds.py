"""Guard memory: every table of every replica stays within its bound, and the largest sizes seen are kept. # I11"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.ledger import Ledger
from sequencer.types.primitives import Bounds

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode


class BoundsChecker:
    """Looks at all tables whenever it is told to."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.largest: Bounds = {}
        """By table: the fullest it was, and its bound at that moment."""

    def check(self, nodes: Sequence[SimulatedNode]) -> None:
        """Demand that no table of a running replica is above its bound. # I11"""
        for node in nodes:
            if node.replica is not None and node.is_running:
                self.check_tables(node.index, node.replica.get_bounds(node.get_instant()))

    def check_tables(self, node: int, bounds: Bounds) -> None:
        """Compare what one replica holds with what it may hold."""
        for name, (size, bound) in bounds.items():
            if size > bound:
                self._ledger.report("I11", size, node, f"{name} has {size} of at most {bound}")
            seen, limit = self.largest.get(name, (0, 1))
            if size * limit >= seen * bound:
                self.largest[name] = (size, bound)
