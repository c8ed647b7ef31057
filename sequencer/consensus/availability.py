"""State what consensus asks of the lanes, without knowing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sequencer.types.primitives import Cut, Height, LaneLimits, Supported, Tip, ValidatorIndex


class Availability(Protocol):
    """Answers from what is held and heard now; never blocks, never changes its mind on what it holds."""

    def is_available(self, lane: ValidatorIndex, tip: Tip, floor: Tip) -> bool:
        """Tell whether the chain (floor, tip] is held, or weak power of others has it. # V6"""

    def get_supported_cut(self, parent: Cut, limits: Sequence[int]) -> Cut:
        """Return the highest supported cut that adds at most `limits[i]` batches of lane i to `parent`. # L5"""

    def get_supported_tips(self) -> dict[ValidatorIndex, Supported]:
        """Return the lanes that have supported tips above the finalized ones. # L5 V8"""

    def get_proposable_cut(self, parent: Cut, limits: Sequence[int], is_calm: bool, now_ms: int) -> Cut:
        """Return the highest cut above `parent`, within `limits`, that this validator proposes as leader.

        Beside supported tips: the own lane's, and while `is_calm` those held of lanes in good standing. # P2 L8
        """

    def is_more_held_elsewhere(self, parent: Cut) -> bool:
        """Tell whether weak power of others said HAVE for batches of some lane above `parent`. # P4"""

    def get_lane_limits(self, parent: Height) -> LaneLimits:
        """Return how far a block on a parent of height `parent` may lead into each lane. # L9"""

    def fetch(self, lane: ValidatorIndex, tip: Tip, floor: Tip, sources: Sequence[ValidatorIndex], now_ms: int) -> None:
        """Ask `sources` for the batches (floor, tip] that a valid proposal names. # L6"""

    def note_late(self, lane: ValidatorIndex) -> None:
        """The lane's tip delayed the own vote by more than T_LATE. # L8"""
