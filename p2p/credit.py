"""Bound the bytes that are under way on one connection, so that neither end can be flooded or dead-locked.

Each side may have sent `CREDIT_BYTES` of message records that the other has not yet acknowledged.
The bound is below what the sockets of both ends hold, so a writer under it always finishes,
and the receiver can hold an overstepping peer to it (hazards e and g). Pure.
"""

from __future__ import annotations

from p2p.errors import ProtocolViolation
from p2p.protocols import CREDIT_BYTES, CREDIT_GRANT_BYTES


class SendCredit:
    """What we may still send."""

    def __init__(self, limit: int = CREDIT_BYTES) -> None:
        self._limit = limit
        self._sent = 0
        self._acknowledged = 0

    @property
    def available(self) -> int:
        """Bytes that may be sent now."""
        return self._limit - (self._sent - self._acknowledged)

    def on_sent(self, count: int) -> None:
        """Count bytes handed to the stream; the caller keeps `count <= available`."""
        self._sent += count

    def on_acknowledged(self, total: int) -> None:
        """Take the peer's running total; raises `ProtocolViolation` if it shrinks or exceeds what was sent."""
        if not self._acknowledged <= total <= self._sent:
            raise ProtocolViolation(f"acknowledgement: {total} lies outside {self._acknowledged}..{self._sent}")
        self._acknowledged = total


class ReceiveCredit:
    """What the peer may still send us."""

    def __init__(self, limit: int = CREDIT_BYTES, grant: int = CREDIT_GRANT_BYTES) -> None:
        self._limit = limit
        self._grant = grant
        self._received = 0
        self._taken = 0
        self._acknowledged = 0

    def on_received(self, count: int) -> None:
        """Count bytes of message records; raises `ProtocolViolation` when the peer oversteps its credit."""
        self._received += count
        if self._received - self._acknowledged > self._limit:
            raise ProtocolViolation(f"credit: more than {self._limit} bytes are not acknowledged")

    def on_taken(self, count: int) -> int | None:
        """Count bytes that need no memory here any more; return the total to acknowledge, if it is time."""
        self._taken += count
        if self._taken - self._acknowledged < self._grant:
            return None
        self._acknowledged = self._taken
        return self._taken
