"""Run callbacks in the order of virtual time: a heap of (time, sequence, callback, arguments)."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import Any

MILLISECOND = 1_000
"""Virtual time is counted in microseconds."""
SECOND = 1_000_000


class Scheduler:
    """Own virtual time; ties run in the order in which they were scheduled."""

    def __init__(self) -> None:
        self.now_us = 0
        self.event_count = 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self._is_stopped = False

    def call_at(self, time_us: int, callback: Callable[..., None], *args: Any) -> None:
        """Run `callback(*args)` at `time_us`, or now if that is past."""
        self._sequence += 1
        due_us = time_us if time_us > self.now_us else self.now_us
        heapq.heappush(self._heap, (due_us, self._sequence, callback, args))

    def call_after(self, delay_us: int, callback: Callable[..., None], *args: Any) -> None:
        """Run `callback(*args)` in `delay_us` microseconds."""
        self.call_at(self.now_us + delay_us, callback, *args)

    def stop(self) -> None:
        """Let `run_until` return after the present callback."""
        self._is_stopped = True

    def run_until(self, time_us: int, event_count_max: float = inf) -> None:
        """Run everything due up to `time_us`; returns early when stopped, or after so many events in all."""
        heap, pop, self._is_stopped = self._heap, heapq.heappop, False
        while heap and heap[0][0] <= time_us:
            self.now_us, _, callback, args = pop(heap)
            self.event_count += 1
            callback(*args)
            if self._is_stopped or self.event_count > event_count_max:
                return
        self.now_us = time_us
