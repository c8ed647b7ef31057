"""Judge, by its number alone, whether a peer may say now what it says. Pure.

Promises: an answer is read only if it was asked for; a peer that has drawn more than its share
of answers is served nothing until time has passed; HELLO comes once per connection. What is
refused here has cost no decoding, no signature check and no disk.
"""

from __future__ import annotations

from collections import Counter

from sequencer.errors import PeerError
from sequencer.types.messages import Batches, BlockHeaders, GetBatches, GetBlocks, Hello, Message, Sync, SyncBlocks
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer

ANSWER_BYTES_PER_SECOND = 16 << 20
"""Answers that one peer may draw from this node in the long run."""
ANSWER_BURST_BYTES = 32 << 20
"""The same at once, after a quiet time."""
REQUEST_COST_BYTES: dict[type, int] = {
    GetBlocks: 128 << 10,
    GetBatches: 64 << 10,
    Sync: 2 << 20,
    GetSnapshot: 2 << 20,
    GetSnapshotChunk: 64 << 10,
}
"""What a request costs beside its answer, in bytes: 32 blocks are read from the disk one by one."""
OPEN_REQUESTS_MAX = 256
"""Requests of one kind to one peer for which an answer is still taken."""

_ANSWERS: dict[type, type] = {
    GetBlocks: BlockHeaders,
    GetBatches: Batches,
    Sync: SyncBlocks,
    GetSnapshot: SnapshotOffer,
    GetSnapshotChunk: SnapshotChunk,
}


class Conversation:
    """One connection with one validator, from its PeerUp on."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._open: Counter[type] = Counter()
        self._is_greeted = False
        self._level = float(ANSWER_BURST_BYTES)
        self._filled_at: float | None = None

    def on_sent(self, message: Message, size: int) -> None:
        """A message of `size` bytes leaves: expect its answer, or charge the peer for the one that it asked for."""
        answer = _ANSWERS.get(type(message))
        if answer is not None:
            self._open[answer] = min(self._open[answer] + 1, OPEN_REQUESTS_MAX)
        elif type(message) in _ANSWERS.values():
            self._level -= size

    def may_say(self, kind: type | None, now: float) -> bool:
        """Tell whether to read a message of this kind; what is refused is counted. Raises `PeerError`."""
        if kind is Hello:
            if self._is_greeted:
                raise PeerError("a second HELLO on one connection")
            self._is_greeted = True
        if kind in _ANSWERS.values() and not self._take_answer(kind):
            self._counters["answers_unasked"] += 1
            return False
        if kind in REQUEST_COST_BYTES and not self._take_request(REQUEST_COST_BYTES[kind], now):
            self._counters["requests_over_budget"] += 1
            return False
        return True

    def _take_answer(self, kind: type | None) -> bool:
        if kind is None or not self._open[kind]:
            return False
        self._open[kind] -= 1
        return True

    def _take_request(self, cost: int, now: float) -> bool:
        since = now if self._filled_at is None else self._filled_at
        self._level = min(float(ANSWER_BURST_BYTES), self._level + (now - since) * ANSWER_BYTES_PER_SECOND)
        self._filled_at = now
        if self._level < 0:
            return False
        self._level -= cost
        return True
