"""Serve finalized blocks to followers, who are strangers: at most so much, and after everything else.

Promises: one request per follower waits at a time and 64 in all; a further one is dropped and
counted, and the follower asks again. All followers together draw at most 4 MiB a second, and
each answer fits a message. A follower that sends anything else gets a bad mark.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from functools import partial

import trio

from p2p.network import Network
from sequencer.replica.block_server import make_answer
from sequencer.store.interface import Store
from sequencer.types.messages import Message, Sync, encode_message

REQUESTS_MAX = 64
"""Requests of all followers that may wait."""
ANSWER_BYTES_PER_SECOND = 4 << 20
"""What all followers together draw in the long run: reading, encrypting and sending it costs some 10 % of a core."""
ANSWER_SECONDS_MIN = 0.005
"""Pause after any answer, an empty one too."""


class Followers:
    """The open channel of a validator."""

    def __init__(self, network: Network, store: Store) -> None:
        self.counters: Counter[str] = Counter()
        self._network = network
        self._store = store
        self._waiting: OrderedDict[str, Sync] = OrderedDict()
        self._asked = trio.lowlevel.ParkingLot()
        self._limiter = trio.CapacityLimiter(1)

    def receive(self, peer_id: str, message: Message) -> None:
        """Queue the request of a follower; never blocks."""
        if not isinstance(message, Sync):
            self.counters["follower_messages_bad"] += 1
            self._network.report_bad_item(peer_id)
        elif peer_id not in self._waiting and len(self._waiting) >= REQUESTS_MAX:
            self.counters["follower_requests_dropped"] += 1
        else:
            self._waiting[peer_id] = message
            self._asked.unpark()

    async def run(self) -> None:
        """Answer the oldest request, one at a time, until cancelled."""
        while True:
            while not self._waiting:
                await self._asked.park()
            peer_id, request = self._waiting.popitem(last=False)
            load = partial(self._store.load_blocks, 0, request.from_height, request.count)
            loaded = await trio.to_thread.run_sync(load, limiter=self._limiter)
            payload = encode_message(make_answer(loaded))
            self._network.send(peer_id, "open", payload)
            self.counters["follower_requests_answered"] += 1
            await trio.sleep(max(ANSWER_SECONDS_MIN, len(payload) / ANSWER_BYTES_PER_SECOND))
