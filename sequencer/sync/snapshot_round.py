"""Fetch the chunks of one claimed snapshot from all who claim it. # R2

Promises: one request per peer and 8 in all are open; a chunk that is kept hashes to the claim; one that
does not is a `PeerError` of its sender, who had made the same claim; a peer that does not answer three times in a
row, or has the snapshot no more, is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from sequencer.errors import PeerError
from sequencer.types.effects import Send
from sequencer.types.primitives import ValidatorIndex
from sequencer.types.snapshot import SnapshotClaim, compute_chunk_digest
from sequencer.types.snapshot_messages import GetSnapshotChunk, SnapshotChunk

REQUESTS_OPEN_MAX = 8
"""Chunks asked for at once, one per peer."""
CHUNK_MS_MAX = 2_000
"""A chunk that takes longer is asked for elsewhere."""
CHUNK_TRIES_MAX = 3
"""Chunks in a row that a peer may be late with."""
ROUND_MS_MIN = 10_000
"""A round may take this long, and for each chunk the time below more."""
ROUND_MS_PER_CHUNK = 500


@dataclass(slots=True)
class _Request:
    index: int
    until_ms: int


class SnapshotRound:
    """One snapshot on its way."""

    def __init__(self, claim: SnapshotClaim, vouchers: Iterable[ValidatorIndex], now_ms: int) -> None:
        self.claim = claim
        self.vouchers = tuple(vouchers)
        """Who made the claim, whether still asked or not."""
        self.deadline_ms = now_ms + ROUND_MS_MIN + ROUND_MS_PER_CHUNK * len(claim.chunks)
        """A slow peer cannot hold the node for longer."""
        self._late = dict.fromkeys(self.vouchers, 0)
        self._idle: deque[ValidatorIndex] = deque(self.vouchers)
        self._open: dict[ValidatorIndex, _Request] = {}
        self._wanted: deque[int] = deque(range(len(claim.chunks)))
        self._chunks: dict[int, bytes] = {}

    @property
    def has_peers(self) -> bool:
        """Tell whether anybody is left to ask."""
        return bool(self._late)

    def describe(self) -> str:
        """Return in words how far it is."""
        held, count = len(self._chunks), len(self.claim.chunks)
        return f"fetching the snapshot of height {self.claim.height}: {held} of {count} chunks"

    def drop(self, peer: ValidatorIndex) -> None:
        """Ask the peer no more; what it was asked for is wanted again."""
        self._late.pop(peer, None)
        if peer in self._idle:
            self._idle.remove(peer)
        request = self._open.pop(peer, None)
        if request is not None:
            self._wanted.appendleft(request.index)

    def on_chunk(self, peer: ValidatorIndex, chunk: SnapshotChunk) -> int:
        """Keep a chunk that was asked for; returns how many were kept. Raises `PeerError` for a wrong one."""
        request = self._open.get(peer)
        if request is None or (chunk.height, chunk.index) != (self.claim.height, request.index):
            return 0  # late: asked for elsewhere already
        if not chunk.data:
            self.drop(peer)  # a newer snapshot took its place there
            return 0
        if compute_chunk_digest(chunk.data) != self.claim.chunks[chunk.index]:
            raise PeerError(f"chunk {chunk.index} of the snapshot of height {chunk.height} is not what was claimed")
        del self._open[peer]
        self._late[peer] = 0
        self._idle.append(peer)
        self._chunks[chunk.index] = chunk.data
        return 1

    def poll(self, now_ms: int) -> list[Send]:
        """Return the requests that are due; peers take turns."""
        for peer in [peer for peer, request in self._open.items() if now_ms >= request.until_ms]:
            self._give_up(peer)
        sends = []
        while self._wanted and self._idle and len(self._open) < REQUESTS_OPEN_MAX:
            peer, index = self._idle.popleft(), self._wanted.popleft()
            self._open[peer] = _Request(index, now_ms + CHUNK_MS_MAX)
            sends.append(Send(peer, GetSnapshotChunk(self.claim.height, index)))
        return sends

    def get_timer(self) -> int:
        """Return when `poll` may have something to do."""
        return min((request.until_ms for request in self._open.values()), default=self.deadline_ms)

    def take_data(self) -> bytes | None:
        """Return the whole once all chunks are there."""
        if len(self._chunks) < len(self.claim.chunks):
            return None
        return b"".join(self._chunks[index] for index in range(len(self.claim.chunks)))

    def _give_up(self, peer: ValidatorIndex) -> None:
        """The peer is late: another is asked, and it itself once more, unless that was the last time."""
        late = self._late[peer] + 1
        self.drop(peer)
        if late < CHUNK_TRIES_MAX:
            self._late[peer] = late
            self._idle.append(peer)
