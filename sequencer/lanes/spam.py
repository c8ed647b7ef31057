"""Slow down lanes that fill blocks with what has no effect: a rule on the finalized log. # L9

Certificates and deliveries go through a second lane when the first seems to fail, so late copies are no spam as long
as a lane has no more than twice as many of them as took effect in all lanes.

Promises: who has executed the whole window decides as everybody else who has. Memory: one entry per
executed block of the newest window that a proposal may ask about.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Iterable

from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Height, LaneLimits, ValidatorIndex

WINDOW_BLOCKS = 64
"""Blocks whose items are looked at."""
SPAM_DIVISOR = 10
"""A lane of whose items in the window more than one in so many was useless is slowed down."""
LATE_PER_SHARED = 2
"""Late copies that a lane may bring per certificate or delivery that took effect in any lane: a bundle that one of its
rollups refuses leaves the certificates of the others without effect, though nobody did wrong."""
SLOW_ADVANCE = 1
"""Batches that one block may add to a slow lane."""


class ItemMark(enum.IntEnum):
    """What an ordered item tells of the lane that brought it."""

    FINE = 0
    REFUSED = 1
    """It had no effect, and cost its owner nothing."""
    SHARED = 2
    """A certificate or delivery that took effect: any lane may have brought it."""
    LATE = 3
    """A certificate or delivery of what another item had done before it."""


class SpamWindow:
    """Items per lane of the newest executed blocks, and what follows from them for a block's cut."""

    def __init__(self, base: Height, lag: int, advance_max: int, lanes: int) -> None:
        """`base` is the newest block of whose items nothing is known; `lag` blocks below the parent the window ends."""
        self._lag = lag
        self._advance_max = advance_max
        self._lanes = lanes
        self._base = base
        self._computed: tuple[Height, tuple[int, ...]] | None = None
        self._blocks: deque[Counter[tuple[ValidatorIndex, ItemMark]]] = deque()

    @property
    def executed(self) -> Height:
        """Height of the newest block that was noted."""
        return self._base + len(self._blocks)

    @property
    def size(self) -> int:
        """Return how many blocks are remembered."""
        return len(self._blocks)

    @property
    def size_max(self) -> int:
        """Return how many blocks are remembered at most: a parent may be the newest executed block itself."""
        return WINDOW_BLOCKS + self._lag

    def on_executed(self, items: Iterable[tuple[ValidatorIndex, ItemMark]]) -> None:
        """The next block was executed; each item is given as its lane and what it tells of it."""
        self._blocks.append(Counter(items))
        if len(self._blocks) > self.size_max:
            self._blocks.popleft()
            self._base += 1

    def get_limits(self, parent: Height) -> LaneLimits:
        """Return how far a block on a parent of this height may lead into each lane. # L9"""
        last = parent - self._lag
        first = max(1, last - WINDOW_BLOCKS + 1)
        slow = (SLOW_ADVANCE,) * self._lanes
        fast = (self._advance_max,) * self._lanes
        if last < 1:
            return LaneLimits(fast, fast)
        if last > self.executed:
            return LaneLimits(slow, None)
        if first <= self._base:
            return LaneLimits(slow, fast)
        if self._computed is None or self._computed[0] != last:
            self._computed = last, self._compute_limits(first, last)
        return LaneLimits(self._computed[1], self._computed[1])

    def _compute_limits(self, first: Height, last: Height) -> tuple[int, ...]:
        counts: Counter[tuple[ValidatorIndex, ItemMark]] = Counter()
        for height in range(first, last + 1):
            counts.update(self._blocks[height - self._base - 1])
        shared = sum(counts[lane, ItemMark.SHARED] for lane in range(self._lanes))
        return tuple(
            SLOW_ADVANCE if _is_spam(counts, lane, shared) else self._advance_max for lane in range(self._lanes)
        )


def _is_spam(counts: Counter[tuple[ValidatorIndex, ItemMark]], lane: ValidatorIndex, shared: int) -> bool:
    total = sum(counts[lane, mark] for mark in ItemMark)
    useless = counts[lane, ItemMark.REFUSED] + max(0, counts[lane, ItemMark.LATE] - LATE_PER_SHARED * shared)
    return SPAM_DIVISOR * useless > total


def make_spam_window(base: Height, parameters: Parameters, lanes: int) -> SpamWindow:
    """Return the window of a node that knows nothing of the blocks up to `base`."""
    return SpamWindow(base, parameters.delivery_lag_max, parameters.lane_advance_max, lanes)
