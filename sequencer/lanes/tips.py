"""Choose how far into each lane a leader may lead, and tell voters what they may rely on. # L5 P2 V6"""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.lanes.held import HeldLanes
from sequencer.lanes.standing import Standing
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Cut, Position, Supported, Tip, ValidatorIndex


class Tips:
    """The tips of all lanes, as far as they are held, supported or in good standing."""

    def __init__(
        self,
        held: HeldLanes,
        standing: Standing,
        parameters: Parameters,
        own_index: ValidatorIndex | None,
        is_optimistic: bool,
    ) -> None:
        self._held = held
        self._standing = standing
        self._age_ms = parameters.tip_age_ms
        self._own_index = own_index
        self._is_optimistic = is_optimistic

    def is_available(self, index: ValidatorIndex, tip: Tip, floor: Tip) -> bool:
        """Tell whether (floor, tip] is held, or weak power of others said HAVE. # V6"""
        lane = self._held[index]
        if lane.is_on_chain(tip.position, tip.digest) or lane.get_chain(tip, floor.position) is not None:
            return True
        return self._held.holdings[index].is_weakly_held(lane, tip.position, tip.digest)

    def get_supported_cut(self, parent: Cut, limits: Sequence[int]) -> Cut:
        """Return per lane the highest supported tip within `limits` above the parent's. # L5"""
        if not self._is_above(parent):
            return parent
        return tuple(
            self._cut_off(index, before, limit, self._get_supported_position(index))
            for index, (before, limit) in enumerate(zip(parent, limits, strict=True))
        )

    def get_supported_tips(self) -> dict[ValidatorIndex, Supported]:
        """Return the lanes that have supported tips above the finalized ones. # L5 V8"""
        supported: dict[ValidatorIndex, Supported] = {}
        for index, lane in enumerate(self._held.lanes):
            position = self._get_supported_position(index) if lane.chain else lane.floor.position
            if position > lane.floor.position:
                holders = self._held.holdings[index].find_holders(lane, position)
                supported[index] = Supported(position, holders)
        return supported

    def get_proposable_cut(self, parent: Cut, limits: Sequence[int], is_calm: bool, now_ms: int) -> Cut:
        """Return per lane the highest tip that a leader proposes. # P2"""
        if not self._is_above(parent):
            return parent
        return tuple(
            self._cut_off(index, before, limit, self._get_proposable_position(index, is_calm, now_ms))
            for index, (before, limit) in enumerate(zip(parent, limits, strict=True))
        )

    def _is_above(self, parent: Cut) -> bool:
        """Tell whether any lane is held beyond the parent's cut; most of the time none is."""
        return any(lane.top.position > before.position for lane, before in zip(self._held.lanes, parent, strict=True))

    def is_more_held_elsewhere(self, parent: Cut) -> bool:
        """Tell whether weak power of others said HAVE for batches of some lane above `parent`. # P4"""
        return any(
            not self._standing.is_frozen(index) and self._held.holdings[index].is_weakly_above(before.position)
            for index, before in enumerate(parent)
        )

    def _get_supported_position(self, index: ValidatorIndex) -> Position:
        if self._standing.is_frozen(index):
            return self._held[index].floor.position
        return self._held.holdings[index].get_supported_position(self._held[index], self._own_index)

    def _get_proposable_position(self, index: ValidatorIndex, is_calm: bool, now_ms: int) -> Position:
        """The own lane always; others optimistically, as long as they and the network behave. # P2 L8"""
        lane = self._held[index]
        if index == self._own_index:
            return lane.top.position
        supported = self._get_supported_position(index)
        if not (self._is_optimistic and is_calm and self._standing.is_clean(index)):
            return supported  # of a frozen lane nothing
        return max(supported, lane.get_aged_position(now_ms - self._age_ms))

    def _cut_off(self, index: ValidatorIndex, before: Tip, limit: int, highest: Position) -> Tip:
        lane = self._held[index]
        position = min(highest, before.position + limit)
        # After a restart the parent may lie below the floor: more was executed than the newest F known shows. # R1
        if position <= max(before.position, lane.floor.position):
            return before
        tip = Tip(position, lane.chain[position])
        return before if lane.get_chain(tip, before.position) is None else tip
