"""Serve followers, who are strangers: blocks, batches and snapshots, at most so much, and after everything else.

Promises: a request for a block that does not exist yet waits for it, up to 1.5 s; at most 8 requests per
follower wait and 256 in all, a further one is dropped and counted, and the follower asks again. All followers
together draw at most 4 MiB a second, and each answer fits a message. With an answer go at most 4 pieces of evidence
that the follower has not been sent on this connection. A follower that says anything else gets a bad mark, undecoded.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import trio

from p2p.network import Network
from sequencer.replica.block_server import make_answer, make_batches_answer
from sequencer.replica.evidence_pool import SPREAD_BYTES_MAX
from sequencer.replica.snapshot_server import make_chunk, make_offer
from sequencer.store.interface import Store
from sequencer.types.effects import LoadBatches, LoadSnapshot, LoadSnapshotChunk
from sequencer.types.evidence import Evidence
from sequencer.types.messages import Accusation, Batches, GetBatches, Message, Sync, SyncBlocks, encode_message
from sequencer.types.primitives import Height
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer

REQUESTS_MAX = 256
"""Requests of all followers that may wait."""
REQUESTS_PER_FOLLOWER_MAX = 8
"""Requests of one follower that may wait."""
HOLD_SECONDS = 1.5
"""Longest time that a request waits for a block to come; the asker gives up after 2 s."""
ANSWER_BYTES_PER_SECOND = 4 << 20
"""What all followers together draw in the long run: reading, encrypting and sending it costs some 10 % of a core."""
EVIDENCE_PER_ANSWER_MAX = 4
"""Pieces of evidence that go with one answer."""
ANSWER_SECONDS_MIN = 0.005
"""Pause after any answer, an empty one too."""

Request: TypeAlias = Sync | GetBatches | GetSnapshot | GetSnapshotChunk
REQUESTS: dict[type, str] = {Sync: "blocks", GetBatches: "batches", GetSnapshot: "offers", GetSnapshotChunk: "chunks"}
"""Types that a follower may send, and what counters call them."""
Key: TypeAlias = tuple[str, type, int]
"""Whose request, of which type, and for GET_BATCHES of which lane: one of each may wait."""


class Progress(Protocol):
    """Who knows how far this node has come."""

    @property
    def height(self) -> Height:
        """Highest height that is executed and stored."""

    async def wait_for_news(self, seen: int) -> int: ...


@dataclass(slots=True)
class _Waiting:
    """A request and how long it may wait for a block."""

    request: Request
    until: float
    seen_height: Height = 0
    """Height at which nothing could be answered; looked at again above it."""


class Followers:
    """The serving side of the open channel."""

    def __init__(self, network: Network, store: Store, get_evidence: Callable[[], Sequence[Evidence]] = tuple) -> None:
        """`get_evidence` gives all that the node holds against validators; a piece never changes its place."""
        self.counters: Counter[str] = Counter()
        self._network = network
        self._store = store
        self._get_evidence = get_evidence
        self._evidence_told: Counter[str] = Counter()
        """How many pieces, counted from the oldest, each connected follower was told, by peer id."""
        self._height: Height = 0
        self.lowest_asked: dict[str, Height] = {}
        """Lowest height whose block each connected follower asked for, by peer id."""
        self._newest: tuple[Request, Height, bytes] | None = None
        """The last answer with blocks, of which request, and how far the node had come."""
        self._waiting: OrderedDict[Key, _Waiting] = OrderedDict()
        self._changed = trio.lowlevel.ParkingLot()
        self._limiter = trio.CapacityLimiter(1)

    def is_request(self, kind: type | None) -> bool:
        """Tell whether a follower may send a message of this type."""
        return kind in REQUESTS

    def receive(self, peer_id: str, message: Message) -> None:
        """Queue the request of a follower; never blocks. A newer one of the same kind replaces the older."""
        if not isinstance(message, Sync | GetBatches | GetSnapshot | GetSnapshotChunk):
            self.refuse(peer_id)
            return
        if isinstance(message, Sync):
            lowest = self.lowest_asked.get(peer_id, message.from_height)
            self.lowest_asked[peer_id] = min(lowest, message.from_height)
        key = (peer_id, type(message), message.lane if isinstance(message, GetBatches) else 0)
        if key not in self._waiting and self._is_full(peer_id):
            self.counters["follower_requests_dropped"] += 1
            return
        self._waiting[key] = _Waiting(message, trio.current_time() + HOLD_SECONDS)
        self._changed.unpark_all()

    def refuse(self, peer_id: str) -> None:
        """Give a bad mark for what is no request."""
        self.counters["follower_messages_bad"] += 1
        self._network.report_bad_item(peer_id)

    def forget(self, peer_id: str) -> None:
        """A follower is gone; nobody waits for its answers."""
        for key in [key for key in self._waiting if key[0] == peer_id]:
            del self._waiting[key]
        self.lowest_asked.pop(peer_id, None)
        self._evidence_told.pop(peer_id, None)

    def _is_full(self, peer_id: str) -> bool:
        own = sum(key[0] == peer_id for key in self._waiting)
        return own >= REQUESTS_PER_FOLLOWER_MAX or len(self._waiting) >= REQUESTS_MAX

    async def run(self, progress: Progress) -> None:
        """Answer the oldest request that can be answered, one at a time, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, progress)
            while True:
                key, waiting = await self._take_ready()
                payload = await self._answer(waiting)
                if payload is None:
                    self._put_back(key, waiting)
                    continue
                self._network.send(key[0], "open", payload)
                self.counters[f"follower_{REQUESTS[key[1]]}_answered"] += 1
                self._tell_evidence(key[0])
                await trio.sleep(max(ANSWER_SECONDS_MIN, len(payload) / ANSWER_BYTES_PER_SECOND))

    def _tell_evidence(self, peer_id: str) -> None:
        """Send what the follower has not been told and is not too large; it verifies what is new to it. # X1-X7"""
        start = self._evidence_told[peer_id]
        for evidence in self._get_evidence()[start : start + EVIDENCE_PER_ANSWER_MAX]:
            self._evidence_told[peer_id] += 1
            payload = encode_message(Accusation(evidence))
            if len(payload) <= SPREAD_BYTES_MAX:
                self._network.send(peer_id, "open", payload)
                self.counters["follower_evidence_sent"] += 1

    async def _watch(self, progress: Progress) -> None:
        """Look at waiting requests again whenever a block is stored."""
        seen = 0
        while True:
            self._height = progress.height
            self._changed.unpark_all()
            seen = await progress.wait_for_news(seen)

    async def _take_ready(self) -> tuple[Key, _Waiting]:
        while True:
            now = trio.current_time()
            for key, waiting in self._waiting.items():
                if self._is_ready(waiting, now):
                    return key, self._waiting.pop(key)
            deadline = min((waiting.until for waiting in self._waiting.values()), default=float("inf"))
            with trio.move_on_at(deadline):
                await self._changed.park()

    def _is_ready(self, waiting: _Waiting, now: float) -> bool:
        if not isinstance(waiting.request, Sync) or now >= waiting.until:
            return True
        return self._height >= waiting.request.from_height and self._height > waiting.seen_height

    async def _answer(self, waiting: _Waiting) -> bytes | None:
        """Return the answer; None if there is none yet and time is left. All who are at the head ask the same."""
        seen_height = self._height
        if self._newest is not None and self._newest[:2] == (waiting.request, seen_height):
            return self._newest[2]
        answer = await trio.to_thread.run_sync(self._load, waiting.request, limiter=self._limiter)
        if isinstance(answer, SyncBlocks) and isinstance(waiting.request, Sync):
            is_pruned = waiting.request.from_height < answer.oldest
            if not answer.blocks and not is_pruned and trio.current_time() < waiting.until:
                waiting.seen_height = seen_height
                return None
        payload = encode_message(answer)
        if isinstance(answer, SyncBlocks) and answer.blocks:
            self._newest = (waiting.request, seen_height, payload)
        return payload

    def _load(self, request: Request) -> SyncBlocks | Batches | SnapshotOffer | SnapshotChunk:
        """Read the answer from the store, in a worker thread."""
        store = self._store
        match request:
            case Sync(from_height, count):
                return make_answer(store.load_blocks(0, from_height, count))
            case GetBatches(lane, tip_digest, low, high):
                return make_batches_answer(lane, store.load_batches(LoadBatches(0, lane, tip_digest, low, high)))
            case GetSnapshot(above):
                return make_offer(store.load_snapshot(LoadSnapshot(0, above)))
            case GetSnapshotChunk(height, index):
                return make_chunk(store.load_snapshot_chunk(LoadSnapshotChunk(0, height, index)))

    def _put_back(self, key: Key, waiting: _Waiting) -> None:
        """Let the request wait on, unless the follower has sent a newer one."""
        if key not in self._waiting:
            self._waiting[key] = waiting
