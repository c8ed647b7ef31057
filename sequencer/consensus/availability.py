"""State what consensus asks of the lanes, without knowing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sequencer.types.primitives import Cut, Tip, ValidatorIndex


class Availability(Protocol):
    """Answers from what is held and heard now; never blocks, never changes its mind on what it holds."""

    def is_available(self, lane: ValidatorIndex, tip: Tip, floor: Tip) -> bool:
        """Tell whether the chain (floor, tip] is held, or weak power of others has it. # V6"""

    def get_proposable_cut(self, parent: Cut, advance_max: int, own_lane: ValidatorIndex | None) -> Cut:
        """Return the highest cut above `parent` that a leader may propose.

        Only supported tips count, and of `own_lane` every batch held. # P2
        """

    def fetch(self, lane: ValidatorIndex, tip: Tip, floor: Tip, sources: Sequence[ValidatorIndex], now_ms: int) -> None:
        """Ask `sources` for the batches (floor, tip] that a valid proposal names. # L6"""
