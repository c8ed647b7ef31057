"""Remember how bundles of the newest 1,024 heights ended: as far back as a dep may look. # A16"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from sequencer.types.commitment import Commitment
from sequencer.types.outcome import OutcomeLeaf, Status
from sequencer.types.primitives import Digest

DEPENDENCY_HEIGHTS = 1_024
"""How many heights back a dep may have committed; older is unknown. # A16"""


class DecidedHeight(NamedTuple):
    """The outcomes of one height with the commitment that proves them."""

    commitment: Commitment
    outcomes: tuple[OutcomeLeaf, ...]


class OutcomeWindow:
    """The newest 1,024 heights."""

    def __init__(self) -> None:
        self._heights: deque[DecidedHeight] = deque()
        self._statuses: dict[Digest, Status] = {}

    @property
    def heights(self) -> Sequence[DecidedHeight]:
        """Consecutive heights, ascending."""
        return self._heights

    def get_status(self, bundle_id: Digest) -> Status | None:
        """Return COMMIT or ABORT, or None for what was not decided within the window."""
        return self._statuses.get(bundle_id)

    def is_committed(self, bundle_id: Digest) -> bool:
        """Tell whether the bundle committed within the window."""
        return self.get_status(bundle_id) is Status.COMMIT

    def append(self, decided: DecidedHeight) -> None:
        """Add an executed height; the oldest is forgotten when the next height may no longer look back to it."""
        self._heights.append(decided)
        self._statuses.update((leaf.bundle_id, leaf.status) for leaf in decided.outcomes)
        if len(self._heights) > DEPENDENCY_HEIGHTS:
            for leaf in self._heights.popleft().outcomes:
                del self._statuses[leaf.bundle_id]
