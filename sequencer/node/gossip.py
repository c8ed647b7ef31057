"""Pack items, or votes of executors, into envelopes for gossip, and unpack those of others within limits.

An envelope is a canonical array of entries given as bytes, at most 64 KiB. One leaves when it
is full or 250 ms after its first item (20 ms after its first vote), never one message per entry; the
network paces them to 4 (20) a second. What does not fit is dropped and counted: items have a second
way, and votes are said again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import trio

from p2p.network import Network
from p2p.protocols import GOSSIP_BYTES_MAX, TopicName
from sequencer.codec import Fields, decode, encode
from sequencer.errors import DecodeError
from sequencer.types.parameters import ITEM_BYTES_MAX

ENVELOPE_SECONDS_MAX = 0.25
"""Longest time that an item waits for its envelope to fill."""
VERDICT_SECONDS_MAX = 0.02
"""The same for a vote of an executor: bundles wait for it, and one block's votes come at once."""
ENVELOPE_ITEMS_MAX = 4_096
ITEM_OVERHEAD_BYTES = 5
"""Most that the encoding adds to one item, and to the envelope."""
HEAD_BYTES_MAX = 16
"""What may stand before the entries, encoded."""
ENTRIES_BYTES_MAX = GOSSIP_BYTES_MAX - ITEM_OVERHEAD_BYTES - HEAD_BYTES_MAX
"""Entries of one envelope, encoded."""
WAITING_BYTES_MAX = 1 << 20
"""Items that wait for an envelope; a further one is dropped and counted."""


class Gossip:
    """The node's side of one gossip topic."""

    def __init__(
        self,
        network: Network,
        topic: TopicName = "items",
        envelope_seconds_max: float = ENVELOPE_SECONDS_MAX,
        make_head: Callable[[], tuple[bytes, ...]] = tuple,
    ) -> None:
        """`make_head` gives what stands before the entries of the next envelope, at most `HEAD_BYTES_MAX`."""
        self.counters: Counter[str] = Counter()
        self._network = network
        self._topic = topic
        self._envelope_seconds_max = envelope_seconds_max
        self._make_head = make_head
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._filled = trio.lowlevel.ParkingLot()

    def publish(self, items: Sequence[bytes]) -> None:
        """Take items for the next envelopes; never blocks."""
        for item in items:
            size = len(item) + ITEM_OVERHEAD_BYTES
            if size > ENTRIES_BYTES_MAX or self._waiting_bytes + size > WAITING_BYTES_MAX:
                self.counters[f"gossip_{self._topic}_dropped"] += 1
                continue
            self._waiting.append(item)
            self._waiting_bytes += size
        if self._waiting:
            self._filled.unpark()

    async def run(self) -> None:
        """Send envelopes until cancelled."""
        while True:
            while not self._waiting:
                await self._filled.park()
            if self._waiting_bytes < GOSSIP_BYTES_MAX:
                await trio.sleep(self._envelope_seconds_max)
            self._send_envelope()
            await trio.lowlevel.checkpoint()

    def _send_envelope(self) -> None:
        items = self._take_items()
        if self._network.publish(encode((*self._make_head(), *items)), self._topic):
            self.counters[f"gossip_{self._topic}_published"] += len(items)
            self.counters["gossip_envelopes_published"] += 1
        else:
            self.counters[f"gossip_{self._topic}_refused"] += len(items)

    def _take_items(self) -> tuple[bytes, ...]:
        """Take as many of the oldest items as one envelope holds."""
        size, count = 0, 0
        for item in self._waiting[: ENVELOPE_ITEMS_MAX - 1]:
            if size + len(item) + ITEM_OVERHEAD_BYTES > ENTRIES_BYTES_MAX:
                break
            size += len(item) + ITEM_OVERHEAD_BYTES
            count += 1
        items, self._waiting = tuple(self._waiting[:count]), self._waiting[count:]
        self._waiting_bytes -= size
        return items

    def unpack(self, peer_id: str, data: bytes) -> tuple[bytes, ...]:
        """Return the items of an envelope; none, and a bad mark for its origin, if it is not one."""
        try:
            items = decode_envelope(data)
        except DecodeError:
            self.counters["gossip_envelopes_bad"] += 1
            self._network.report_bad_item(peer_id)
            return ()
        self.counters[f"gossip_{self._topic}_received"] += len(items)
        return items


def decode_envelope(data: bytes) -> tuple[bytes, ...]:
    """Read an envelope; raises `DecodeError`."""
    if len(data) > GOSSIP_BYTES_MAX:
        raise DecodeError("envelope", f"has {len(data)} bytes, at most {GOSSIP_BYTES_MAX} are allowed")
    return Fields((decode(data, "envelope"),), "envelope").array("items", ENVELOPE_ITEMS_MAX, _read_item, 1)


def _read_item(value: object, path: str) -> bytes:
    return Fields((value,), path).blob("bytes", ITEM_BYTES_MAX, 1)
