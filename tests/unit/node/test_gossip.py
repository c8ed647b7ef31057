"""Items travel in packed envelopes; what is no envelope marks its origin."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from p2p.memory import MemoryHub, MemoryNetwork
from p2p.network import LocalHost, NetworkConfiguration
from p2p.protocols import GOSSIP_BYTES_MAX, TopicName
from sequencer.codec import encode
from sequencer.errors import DecodeError
from sequencer.node.gossip import WAITING_BYTES_MAX, Gossip, decode_envelope
from sequencer.node.verdicts import VerdictGossip


class Sink(MemoryNetwork):
    """Remembers what is published."""

    def __init__(self) -> None:
        hub = MemoryHub()
        host = LocalHost(bytes(32), "/memory")
        super().__init__(hub, NetworkConfiguration("sink", bytes(8), host, None, None, ()))
        self.published: list[bytes] = []
        self.is_open = True

    def publish(self, data: bytes, topic: TopicName = "items") -> bool:
        if self.is_open:
            self.published.append(data)
        return self.is_open


async def drain(gossip: Gossip | VerdictGossip) -> None:
    """Let the gossip send until nothing waits; needs the autojump clock."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gossip.run)
        with trio.move_on_after(60):
            await trio.sleep_forever()
        nursery.cancel_scope.cancel()


async def test_items_of_one_interval_share_an_envelope(autojump_clock: trio.testing.MockClock) -> None:
    """Never one message per item."""
    sink = Sink()
    gossip = Gossip(sink)
    items = tuple(b"item%d" % number for number in range(100))
    gossip.publish(items[:50])
    gossip.publish(items[50:])

    await drain(gossip)

    assert [decode_envelope(data) for data in sink.published] == [items]
    assert gossip.counters["gossip_items_published"] == 100


async def test_large_items_are_split_over_envelopes_within_the_limit(autojump_clock: trio.testing.MockClock) -> None:
    """Every envelope fits, and no item is lost or doubled."""
    sink = Sink()
    gossip = Gossip(sink)
    items = tuple(bytes([number]) * 20_000 for number in range(10))
    gossip.publish(items)

    await drain(gossip)

    assert all(len(data) <= GOSSIP_BYTES_MAX for data in sink.published)
    assert tuple(item for data in sink.published for item in decode_envelope(data)) == items


async def test_items_beyond_the_bound_are_dropped_and_counted() -> None:
    """Gossip is a second way: when it is full it forgets, by name."""
    gossip = Gossip(Sink())
    gossip.publish([bytes(10_000)] * 200)
    gossip.publish([bytes(GOSSIP_BYTES_MAX)])
    kept = WAITING_BYTES_MAX // 10_005
    assert gossip.counters["gossip_items_dropped"] == 200 - kept + 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        encode(()),
        encode(("text",)),
        encode((b"",)),
        encode((1,)),
        encode(7),
        encode((b"x",)) + b"\x00",
        bytes(GOSSIP_BYTES_MAX + 1),
    ],
)
def test_bytes_that_are_no_envelope_mark_their_origin(data: bytes) -> None:
    """Nothing of a bad envelope reaches the replica."""
    sink = Sink()
    gossip = Gossip(sink)
    assert gossip.unpack("stranger", data) == ()
    assert sink.bad_items["stranger"] == 1
    with pytest.raises(DecodeError):
        decode_envelope(data)
