"""Pack items into envelopes for gossip, and unpack those of others within limits.

An envelope is a canonical array of items given as bytes, at most 64 KiB. One leaves when it
is full or 250 ms after its first item, never one message per item; the network paces them to
4 a second. What does not fit is dropped and counted: gossip is a second way, never the only one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import trio

from p2p.network import Network
from p2p.protocols import GOSSIP_BYTES_MAX
from sequencer.codec import Fields, decode, encode
from sequencer.errors import DecodeError
from sequencer.types.parameters import ITEM_BYTES_MAX

ENVELOPE_SECONDS_MAX = 0.25
"""Longest time that an item waits for its envelope to fill."""
ENVELOPE_ITEMS_MAX = 4_096
ITEM_OVERHEAD_BYTES = 5
"""Most that the encoding adds to one item, and to the envelope."""
WAITING_BYTES_MAX = 1 << 20
"""Items that wait for an envelope; a further one is dropped and counted."""


class Gossip:
    """The node's side of the gossip topic."""

    def __init__(self, network: Network) -> None:
        self.counters: Counter[str] = Counter()
        self._network = network
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._filled = trio.lowlevel.ParkingLot()

    def publish(self, items: Sequence[bytes]) -> None:
        """Take items for the next envelopes; never blocks."""
        for item in items:
            size = len(item) + ITEM_OVERHEAD_BYTES
            if size > GOSSIP_BYTES_MAX - ITEM_OVERHEAD_BYTES or self._waiting_bytes + size > WAITING_BYTES_MAX:
                self.counters["gossip_items_dropped"] += 1
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
                await trio.sleep(ENVELOPE_SECONDS_MAX)
            self._send_envelope()
            await trio.lowlevel.checkpoint()

    def _send_envelope(self) -> None:
        items = self._take_items()
        if self._network.publish(encode(items)):
            self.counters["gossip_items_published"] += len(items)
            self.counters["gossip_envelopes_published"] += 1
        else:
            self.counters["gossip_items_refused"] += len(items)

    def _take_items(self) -> tuple[bytes, ...]:
        """Take as many of the oldest items as one envelope holds."""
        size, count = ITEM_OVERHEAD_BYTES, 0
        for item in self._waiting[:ENVELOPE_ITEMS_MAX]:
            if size + len(item) + ITEM_OVERHEAD_BYTES > GOSSIP_BYTES_MAX:
                break
            size += len(item) + ITEM_OVERHEAD_BYTES
            count += 1
        items, self._waiting = tuple(self._waiting[:count]), self._waiting[count:]
        self._waiting_bytes -= size - ITEM_OVERHEAD_BYTES
        return items

    def unpack(self, peer_id: str, data: bytes) -> tuple[bytes, ...]:
        """Return the items of an envelope; none, and a bad mark for its origin, if it is not one."""
        try:
            items = decode_envelope(data)
        except DecodeError:
            self.counters["gossip_envelopes_bad"] += 1
            self._network.report_bad_item(peer_id)
            return ()
        self.counters["gossip_items_received"] += len(items)
        return items


def decode_envelope(data: bytes) -> tuple[bytes, ...]:
    """Read an envelope; raises `DecodeError`."""
    if len(data) > GOSSIP_BYTES_MAX:
        raise DecodeError("envelope", f"has {len(data)} bytes, at most {GOSSIP_BYTES_MAX} are allowed")
    return Fields((decode(data, "envelope"),), "envelope").array("items", ENVELOPE_ITEMS_MAX, _read_item, 1)


def _read_item(value: object, path: str) -> bytes:
    return Fields((value,), path).blob("bytes", ITEM_BYTES_MAX, 1)
