"""The in-memory network keeps the promises of a real one, also when links fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from p2p.errors import ConfigurationError
from p2p.memory import MemoryHub, MemoryNetwork
from p2p.network import (
    GossipArrived,
    HostPeer,
    LocalHost,
    MessageArrived,
    NetworkConfiguration,
    NetworkEvent,
    PeerDown,
    PeerUp,
    RemotePeer,
)
from p2p.protocols import LIMITS

ADDRESS = "/ip4/127.0.0.1/tcp/1"
NAMES = ("a", "b", "c")


def create_configuration(name: str) -> NetworkConfiguration:
    host = HostPeer("unused", ADDRESS)
    peers = tuple(RemotePeer(other, host, host, host) for other in NAMES if other != name)
    local = LocalHost(name.encode() * 32, ADDRESS)
    return NetworkConfiguration(name, b"network1", local, local, local, peers)


@asynccontextmanager
async def run_all(hub: MemoryHub) -> AsyncIterator[dict[str, MemoryNetwork]]:
    networks = {name: hub.create(create_configuration(name)) for name in NAMES}
    async with trio.open_nursery() as nursery:
        for network in networks.values():
            await nursery.start(network.run)
        for network in networks.values():
            assert {type(event) for event in await take(network, 2)} == {PeerUp}
        yield networks
        nursery.cancel_scope.cancel()


async def take(network: MemoryNetwork, count: int) -> list[NetworkEvent]:
    with trio.fail_after(5):
        return [await network.events.receive() for _ in range(count)]


async def test_messages_arrive_in_order_from_the_named_sender() -> None:
    """One link, one order."""
    async with run_all(MemoryHub()) as networks:
        for number in range(5):
            assert networks["a"].send("b", "votes", b"%d" % number)
        assert await take(networks["b"], 5) == [MessageArrived("a", "votes", b"%d" % number) for number in range(5)]


async def test_broadcast_reaches_everyone_else() -> None:
    """All peers that are up get one copy."""
    async with run_all(MemoryHub()) as networks:
        networks["a"].broadcast("data", b"x")
        assert await take(networks["b"], 1) == await take(networks["c"], 1) == [MessageArrived("a", "data", b"x")]


async def test_cut_after_hold_loses_the_suffix_and_both_sides_see_it() -> None:
    """What was delivered stays, what was held is lost, and after heal the link is new."""
    hub = MemoryHub()
    async with run_all(hub) as networks:
        networks["a"].send("b", "votes", b"kept")
        assert await take(networks["b"], 1) == [MessageArrived("a", "votes", b"kept")]
        hub.hold("a", "b")
        networks["a"].send("b", "votes", b"lost")
        hub.cut("a", "b")
        assert await take(networks["a"], 1) == [PeerDown("b")]
        assert not networks["a"].send("b", "votes", b"refused")
        hub.release("a", "b")
        hub.heal("a", "b")
        assert networks["a"].send("b", "votes", b"new")
        assert await take(networks["b"], 3) == [PeerDown("a"), PeerUp("a"), MessageArrived("a", "votes", b"new")]


async def test_full_votes_queue_breaks_the_connection() -> None:
    """A peer that takes no votes is not waited for."""
    hub = MemoryHub()
    async with run_all(hub) as networks:
        hub.hold("a", "b")
        size = LIMITS["votes"].message_bytes_max
        sent = [networks["a"].send("b", "votes", bytes(size)) for _ in range(5)]
        assert sent == [True] * 4 + [False]
        assert await take(networks["a"], 2) == [PeerDown("b"), PeerUp("b")]


async def test_full_data_queue_refuses_and_keeps_the_connection() -> None:
    """Data is refused and counted; the peer stays up."""
    hub = MemoryHub()
    async with run_all(hub) as networks:
        hub.hold("a", "b")
        size = LIMITS["data"].message_bytes_max
        assert [networks["a"].send("b", "data", bytes(size)) for _ in range(5)] == [True] * 4 + [False]
        assert networks["a"].get_statistics().counters["data_queue_full"] == 1
        assert networks["a"].get_statistics().peers_up == ("b", "c")


async def test_running_endpoint_cannot_be_replaced() -> None:
    """Two endpoints of one name would both be that peer."""
    hub = MemoryHub()
    async with run_all(hub) as networks:
        with pytest.raises(ConfigurationError, match="name"):
            hub.create(networks["b"].configuration)


async def test_break_of_a_stopped_endpoint_is_seen_by_its_peers() -> None:
    """The others get a PeerDown when an endpoint ends."""
    hub = MemoryHub()
    first, second = (hub.create(create_configuration(name)) for name in ("a", "b"))
    async with trio.open_nursery() as outer:
        await outer.start(first.run)
        async with trio.open_nursery() as inner:
            await inner.start(second.run)
            assert await take(first, 1) == [PeerUp("b")]
            inner.cancel_scope.cancel()
        assert await take(first, 1) == [PeerDown("b")]
        await outer.start(hub.create(create_configuration("b")).run)
        assert await take(first, 1) == [PeerUp("b")]
        outer.cancel_scope.cancel()


async def test_banned_peer_stays_down_for_the_time_of_the_ban(autojump_clock: MockClock) -> None:
    """A ban outlasts a heal; afterwards the two connect again."""
    hub = MemoryHub()
    async with run_all(hub) as networks:
        networks["b"].ban("a", 60.0)
        hub.connect_all()
        assert networks["b"].get_statistics().peers_up == ("c",)
        autojump_clock.jump(60.0)
        hub.connect_all()
        assert networks["b"].get_statistics().peers_up == ("a", "c")


async def test_gossip_reaches_the_others_and_not_the_origin() -> None:
    """Everyone connected hears it once."""
    async with run_all(MemoryHub()) as networks:
        assert networks["a"].publish(b"news")
        [heard] = await take(networks["b"], 1)
        assert isinstance(heard, GossipArrived)
        assert heard.data == b"news"
        assert networks["a"].events.statistics().current_buffer_used == 0


async def test_verdicts_are_judged_where_they_arrive() -> None:
    """A bad one is not heard and marks its origin; who has no judge carries none."""
    hub = MemoryHub()
    async with run_all(hub) as networks:
        assert not networks["a"].publish(b"verdict", "verdicts")
        for network in networks.values():
            network.configuration = replace(network.configuration, is_verdict_message=lambda data: data == b"good")
        assert networks["a"].publish(b"bad", "verdicts")
        assert networks["a"].publish(b"good", "verdicts")
        assert await take(networks["b"], 1) == [GossipArrived(networks["a"].peer_id, b"good", "verdicts")]
        assert networks["b"].bad_items == {networks["a"].peer_id: 1}


async def test_message_above_the_limit_is_the_callers_error() -> None:
    """The bound is the channel's."""
    async with run_all(MemoryHub()) as networks:
        with pytest.raises(ConfigurationError, match="payload"):
            networks["a"].send("b", "votes", bytes(LIMITS["votes"].message_bytes_max + 1))
