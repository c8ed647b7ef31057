"""Choose whom a full node asks for the next finalized blocks: one validator at a time, and none for long. # R2

Promises: a validator that is silent, empty-handed or wrong is left at its first failure, and every one is left
after 10 s, so that a slow or withholding one costs little; requests are at least 50 ms apart.
"""

from __future__ import annotations

from sequencer.types.primitives import Instant, ValidatorIndex

STAY_MS_MAX = 10_000
"""A validator that answers well is followed for this long, then the next one."""
REQUEST_MS_MIN = 50
"""Least time between two requests: 20 a second, as many as the open channel takes of one peer."""


class Following:
    """The turn among the validators that are connected."""

    def __init__(self) -> None:
        self.peer: ValidatorIndex | None = None
        """Whom this node follows now."""
        self.next_ms: int = 0
        """When the next request may leave."""
        self._connected: dict[ValidatorIndex, None] = {}
        self._since_ms: int = 0
        self._last_peer: ValidatorIndex = -1

    @property
    def connected(self) -> tuple[ValidatorIndex, ...]:
        """Who can be asked."""
        return tuple(self._connected)

    def on_connected(self, peer: ValidatorIndex) -> None:
        """A validator can be asked."""
        self._connected[peer] = None

    def on_disconnected(self, peer: ValidatorIndex) -> None:
        """A validator cannot be asked any more."""
        self._connected.pop(peer, None)
        self.leave(peer)

    def leave(self, peer: ValidatorIndex) -> None:
        """A validator failed: the next request goes to another one."""
        if self.peer == peer:
            self.peer = None

    def choose(self, now: Instant, pause_ms: int = 0) -> ValidatorIndex | None:
        """Return whom to ask now, the next one after `pause_ms`; None if nobody is connected or it is too early."""
        if not self._connected or now.mono_ms < self.next_ms:
            return None
        self.next_ms = now.mono_ms + max(REQUEST_MS_MIN, pause_ms)
        if self.peer is None or now.mono_ms >= self._since_ms + STAY_MS_MAX:
            able = sorted(self._connected)
            self.peer = self._last_peer = next((peer for peer in able if peer > self._last_peer), able[0])
            self._since_ms = now.mono_ms
        return self.peer

    def get_timer(self) -> int | None:
        """Return when `choose` has an answer; None while nobody is connected."""
        return self.next_ms if self._connected else None
