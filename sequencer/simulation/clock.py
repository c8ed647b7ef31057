"""Show a simulated node its clocks, which may run fast or slow, and jump.

Both are functions of virtual time. The monotonic clock never goes back; its rate may differ
from 1 for a while. The wall clock may be shifted by any amount, forward or back.
"""

from __future__ import annotations

from collections.abc import Callable

from sequencer.simulation.scheduler import MILLISECOND, Scheduler
from sequencer.types.primitives import Instant

RATE_ONE = 1_000
"""Rate of a monotonic clock in order, in thousandths."""


class NodeClock:
    """The two clocks of one node."""

    def __init__(self, scheduler: Scheduler, wall_base_ms: int) -> None:
        self._scheduler = scheduler
        self._wall_base_ms = wall_base_ms
        self._shift_ms = 0
        self._rate = RATE_ONE
        self._bent_us = 0
        """Virtual time of the last change of rate."""
        self._base_us = 0
        """What the monotonic clock showed then."""
        self._is_straight = True
        """The monotonic clock shows virtual time."""
        self._unread: list[Callable[[], None]] = []

    def get_instant(self) -> Instant:
        """Return what both clocks show."""
        now_ms = self._scheduler.now_us // MILLISECOND
        monotonic_ms = now_ms if self._is_straight else self._get_monotonic_us() // MILLISECOND
        return Instant(monotonic_ms, self._wall_base_ms + now_ms + self._shift_ms)

    def read(self) -> Instant:
        """Return what both clocks show to the replica; tells the faults that moved them that they were felt."""
        if self._unread:
            unread, self._unread = self._unread, []
            for tell in unread:
                tell()
        return self.get_instant()

    def get_due_us(self, monotonic_ms: int) -> int:
        """Return the virtual time at which the monotonic clock shows `monotonic_ms`, if its rate stays."""
        if self._is_straight:
            return monotonic_ms * MILLISECOND
        ahead_us = monotonic_ms * MILLISECOND - self._base_us
        return self._bent_us - (-ahead_us * RATE_ONE // self._rate)

    def set_rate(self, rate: int, on_read: Callable[[], None] | None = None) -> None:
        """Let the monotonic clock run at `rate` thousandths from now on."""
        self._base_us, self._bent_us = self._get_monotonic_us(), self._scheduler.now_us
        self._rate, self._is_straight = rate, False
        self._expect_read(on_read)

    def set_shift(self, shift_ms: int, on_read: Callable[[], None] | None = None) -> None:
        """Move the wall clock to `shift_ms` from where it would be."""
        if shift_ms != self._shift_ms:
            self._shift_ms = shift_ms
            self._expect_read(on_read)

    def _expect_read(self, on_read: Callable[[], None] | None) -> None:
        if on_read is not None:
            self._unread.append(on_read)

    def _get_monotonic_us(self) -> int:
        return self._base_us + (self._scheduler.now_us - self._bent_us) * self._rate // RATE_ONE
