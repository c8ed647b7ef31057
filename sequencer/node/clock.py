"""Read the clocks of this machine; the core knows no other time than what is read here."""

from __future__ import annotations

import time
from typing import Protocol

import trio

from sequencer.types.primitives import Instant

_ROUNDING_SECONDS = 0.000_5
"""A timer is waited for this much longer, so that the rounded clock has reached it."""


class Clock(Protocol):
    """Gives the time of an event."""

    def get_now(self) -> Instant: ...


class SystemClock:
    """Trio's monotonic clock, so that tests may use a simulated one, and the system's wall clock."""

    def get_now(self) -> Instant:
        """Return what the clocks show."""
        return Instant(int(trio.current_time() * 1000), time.time_ns() // 1_000_000)


def compute_deadline(mono_ms: int) -> float:
    """Return the time of trio's clock at which a timer has come."""
    return mono_ms / 1000 + _ROUNDING_SECONDS
