"""Remember what has long been fit for inclusion, and find the lane that a proposal leaves out. # V8

Memory: what was supported when each of the last few views was entered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from sequencer.types.primitives import Cut, Supported, ValidatorIndex, View

SupportedTips = Mapping[ValidatorIndex, Supported]


class InclusionFloor:
    """What leaders must include by now; empty where the rule is switched off."""

    def __init__(self, inclusion_views: int) -> None:
        self._inclusion_views = inclusion_views
        self._seen: deque[tuple[View, SupportedTips]] = deque(maxlen=inclusion_views + 1)

    @property
    def is_on(self) -> bool:
        """Tell whether the rule is applied."""
        return self._inclusion_views > 0

    def on_entered(self, view: View, supported: SupportedTips) -> None:
        """A view was entered; these tips are supported now."""
        self._seen.append((view, supported))

    def find_omitted(
        self, view: View, leader: ValidatorIndex, cut: Cut, parent: Cut, now: SupportedTips
    ) -> ValidatorIndex | None:
        """Return a lane that `cut` leaves where it is below a tip supported, and held by the leader, T_INCL views ago.

        One batch is asked for, for more may be forbidden (L9); none of a lane that is no longer supported: it forked.
        """
        long_ago = [seen for entered, seen in self._seen if entered + self._inclusion_views <= view]
        for lane, tip in long_ago[-1].items() if long_ago else ():
            wanted = min(tip.position, parent[lane].position + 1)
            is_still = lane in now and now[lane].position >= wanted
            if leader in tip.holders and is_still and cut[lane].position < wanted:
                return lane
        return None
