"""Hand out stored snapshots: what there is, and chunk by chunk. # R2

One request per peer and kind at a time; a further one is refused and counted.
"""

from __future__ import annotations

from sequencer.types.effects import LoadSnapshot, LoadSnapshotChunk, Send
from sequencer.types.events import SnapshotChunkLoaded, SnapshotLoaded
from sequencer.types.primitives import ValidatorIndex
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer


class SnapshotServer:
    """Requests of peers that wait for the store."""

    def __init__(self) -> None:
        self._next = 1
        self._offers: dict[int, ValidatorIndex] = {}
        self._chunks: dict[int, ValidatorIndex] = {}
        self.requests_refused = 0
        """A peer asked again before its last request was answered; for the statistics."""
        self.chunks_served = 0

    @property
    def requests_open(self) -> int:
        """Return how many requests wait for the store."""
        return len(self._offers) + len(self._chunks)

    def on_get_snapshot(self, peer: ValidatorIndex, request: GetSnapshot) -> LoadSnapshot | None:
        """A peer asks what there is."""
        number = self._open(self._offers, peer)
        return None if number is None else LoadSnapshot(number, request.above)

    def on_get_chunk(self, peer: ValidatorIndex, request: GetSnapshotChunk) -> LoadSnapshotChunk | None:
        """A peer asks for a chunk."""
        number = self._open(self._chunks, peer)
        return None if number is None else LoadSnapshotChunk(number, request.height, request.index)

    def on_loaded(self, loaded: SnapshotLoaded) -> Send | None:
        """Answer the peer that asked."""
        peer = self._offers.pop(loaded.request, None)
        return None if peer is None else Send(peer, make_offer(loaded))

    def on_chunk_loaded(self, loaded: SnapshotChunkLoaded) -> Send | None:
        """Answer the peer that asked for this chunk."""
        peer = self._chunks.pop(loaded.request, None)
        if peer is None:
            return None
        self.chunks_served += 1
        return Send(peer, make_chunk(loaded))

    def _open(self, table: dict[int, ValidatorIndex], peer: ValidatorIndex) -> int | None:
        if peer in table.values():
            self.requests_refused += 1
            return None
        number, self._next = self._next, self._next + 1
        table[number] = peer
        return number


def make_offer(loaded: SnapshotLoaded) -> SnapshotOffer:
    """Return the answer to GET_SNAPSHOT."""
    return SnapshotOffer(loaded.oldest, loaded.newest, loaded.claim)


def make_chunk(loaded: SnapshotChunkLoaded) -> SnapshotChunk:
    """Return the answer to GET_SNAPSHOT_CHUNK."""
    return SnapshotChunk(loaded.height, loaded.index, loaded.data)
