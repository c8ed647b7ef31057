"""Bound how fast the messages of one session are taken, so that a flood slows down itself and nobody else. Pure.

What is taken too fast waits; nothing is lost. While it waits it keeps its credit, so soon the
peer may send no more.
"""

from __future__ import annotations

from p2p.protocols import PACE_BURST_SECONDS


class Pace:
    """One session's allowance: each message costs time, by number and by bytes; unused time is saved up to a burst."""

    def __init__(
        self, messages_per_second: int, bytes_per_second: int, burst_seconds: float = PACE_BURST_SECONDS
    ) -> None:
        self._message_seconds = 1 / messages_per_second
        self._byte_seconds = 1 / bytes_per_second
        self._burst_seconds = burst_seconds
        self._paid_until = float("-inf")

    def take(self, size: int, now: float) -> float:
        """Charge one message of `size` bytes; return for how many seconds it must wait, 0 within the burst."""
        cost = self._message_seconds + size * self._byte_seconds
        self._paid_until = max(self._paid_until, now - self._burst_seconds) + cost
        return max(0.0, self._paid_until - now)
