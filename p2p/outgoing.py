"""Hold what waits for one stream, bounded, and hand it out in batches that the credit allows.

Control records (heartbeat, acknowledgement) take no credit and no place: there is at most one of
each, and the newest acknowledgement replaces an older one. Pure.
"""

from __future__ import annotations

from collections import deque

from p2p.credit import SendCredit
from p2p.framing import RecordKind, cut_message, encode_acknowledgement, encode_record


class OutgoingQueue:
    """Messages and control records that wait for the writer of one stream."""

    def __init__(self, queue_bytes_max: int) -> None:
        self.credit = SendCredit()
        self._queue_bytes_max = queue_bytes_max
        self._queued_bytes = 0
        self._messages: deque[bytes] = deque()
        self._records: deque[bytes] = deque()
        self._is_heartbeat_due = False
        self._acknowledgement: int | None = None

    @property
    def queued_bytes(self) -> int:
        """bytes of messages that wait, without headers and without the one that is being sent."""
        return self._queued_bytes

    @property
    def is_ready(self) -> bool:
        """Whether `take` would give anything."""
        return self._is_heartbeat_due or self._acknowledgement is not None or self._is_record_due()

    def push(self, payload: bytes) -> bool:
        """Queue a message; False when the bound would be exceeded, then nothing changed."""
        if self._queued_bytes + len(payload) > self._queue_bytes_max:
            return False
        self._messages.append(payload)
        self._queued_bytes += len(payload)
        return True

    def set_heartbeat_due(self) -> None:
        """Ask for a heartbeat in the next batch."""
        self._is_heartbeat_due = True

    def set_acknowledgement(self, total: int) -> None:
        """Ask for an acknowledgement of `total` in the next batch."""
        self._acknowledgement = total

    def take(self) -> bytes:
        """Return all that may leave now as one batch, control first; its messages are charged to the credit."""
        batch = []
        if self._acknowledgement is not None:
            batch.append(encode_acknowledgement(self._acknowledgement))
            self._acknowledgement = None
        if self._is_heartbeat_due:
            batch.append(encode_record(RecordKind.HEARTBEAT))
            self._is_heartbeat_due = False
        while self._is_record_due():
            record = self._records.popleft()
            self.credit.on_sent(len(record))
            batch.append(record)
        return b"".join(batch)

    def _is_record_due(self) -> bool:
        """Cut the next message if none is being sent, and say whether its next record fits the credit."""
        if not self._records and self._messages:
            payload = self._messages.popleft()
            self._records = cut_message(payload)
            self._queued_bytes -= len(payload)
        return bool(self._records) and len(self._records[0]) <= self.credit.available
