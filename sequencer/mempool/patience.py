"""Hold back for a few heights what would abort now, then take it in all the same. # A5

Nothing is ever refused for a false condition: an abort that is ordered is a fact that its payer can
prove. But most conditions that are false for a moment come true by waiting a moment.
"""

from __future__ import annotations

from typing import Protocol

from sequencer.mempool.entry import Entry
from sequencer.types.bundle import Bundle
from sequencer.types.primitives import Bounds, Digest, Height

HOLD_BACK_HEIGHTS = 2
"""Executed heights that a bundle which would abort is held back for, those included in which it waited for others."""


class Outlook(Protocol):
    """Whether a bundle passes on the newest executed state with what is queued before it."""

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table. # I11"""

    def passes(self, bundle: Bundle) -> bool:
        """Tell it; a bundle that passes is queued from then on."""

    def forget(self, bundle_id: Digest) -> None:
        """The bundle left the queue."""


class Patience:
    """What was held back, and for how long."""

    def __init__(self, outlook: Outlook | None) -> None:
        """Without an outlook nothing is held back."""
        self._outlook = outlook
        self.held_back = 0
        self.taken_anyway = 0
        """Held back until the end of patience, or too near to the end of their window to wait."""

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table. # I11"""
        return {} if self._outlook is None else self._outlook.get_bounds()

    def move_to(self, outlook: Outlook | None) -> None:
        """Go on above another state, on which nothing is queued yet."""
        self._outlook = outlook

    def admits(self, entry: Entry, height: Height) -> bool:
        """Tell whether the entry may be taken in now, `height` being executed; judges it once per height."""
        if self._outlook is None:
            return True
        if entry.judged_height == height:
            return False
        if self._outlook.passes(entry.signed.bundle):
            return True
        if not entry.is_held_back:
            entry.is_held_back = True
            self.held_back += 1
        if height >= _get_end(entry):
            self.taken_anyway += 1
            return True
        entry.judged_height = height
        return False

    def forget(self, entry: Entry) -> None:
        """The entry is not queued (any more): it left, waits again, or the lane had no room for it."""
        entry.judged_height = None
        if self._outlook is not None:
            self._outlook.forget(entry.id)


def _get_end(entry: Entry) -> Height:
    """Return the height at which patience ends: it must cost no bundle its window, and no channel two heights each."""
    return min(entry.admitted_height + HOLD_BACK_HEIGHTS, entry.signed.bundle.valid_until - HOLD_BACK_HEIGHTS)
