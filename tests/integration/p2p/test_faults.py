"""Peers that die, freeze, return or break the protocol cost nobody else anything."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio
from libp2p.exceptions import BaseLibp2pError
from trio.testing import wait_all_tasks_blocked

from p2p import session
from p2p.connection import Connection, ConnectionLost, Stream
from p2p.framing import RecordKind, encode_record
from p2p.network import MessageArrived, PeerDown, PeerUp
from p2p.protocols import CREDIT_BYTES, LIMITS, ChannelName, get_protocol_id
from tests.integration.p2p.cluster import (
    NETWORK_ID,
    SECONDS_MAX,
    SEEDS,
    Node,
    Proxy,
    create_configuration,
    get_peer,
    run_cluster,
    run_node,
    run_raw_host,
)

VOTES = get_protocol_id("votes", NETWORK_ID)


async def test_death_of_a_peer_is_seen_and_its_return_too() -> None:
    """Hazard (d): after many failed dials a peer that comes back is connected again within the back-off."""
    async with run_cluster(2) as (first, second):
        addresses = second.network.get_listen_addresses()
        await second.stop()
        await first.wait_for_event(PeerDown("node1"))
        assert not first.network.send("node1", "votes", b"lost")
        with trio.fail_after(SECONDS_MAX):
            while first.count("dial_failed") < 6:
                await wait_all_tasks_blocked(0.05)
        async with run_node(create_configuration(1, 2, {}, addresses)) as returned:
            await first.wait_for_event(PeerUp("node1"))
            await returned.wait_for_event(PeerUp("node0"))
            first.network.send("node1", "votes", b"new")
            assert await returned.wait_for_messages(1) == [b"new"]


async def test_peer_that_reaches_us_on_one_host_is_dialed_at_once_on_the_others() -> None:
    """A pause of half a minute ends when the peer shows that it is there."""
    async with run_node(create_configuration(1, 2, {})) as gone:
        addresses = gone.network.get_listen_addresses()
    patient = replace(
        create_configuration(0, 2, {1: addresses}), dial_delay_seconds_min=30.0, dial_delay_seconds_max=60.0
    )

    async def leave(connection: Connection) -> bool:
        return connection.is_dialed

    async with run_node(patient) as node, run_raw_host(SEEDS["open"][1], VOTES) as host:
        own = node.network.get_listen_addresses()["open"]
        with trio.fail_after(SECONDS_MAX):
            while node.count("dial_failed") < 3:
                await wait_all_tasks_blocked(0.01)
            await host.dial(get_peer(0, "open", own), leave)
            while node.count("dial_failed") < 6:
                await wait_all_tasks_blocked(0.01)


@pytest.mark.parametrize("channel", ["votes", "data"])
async def test_break_of_one_channel_takes_the_peer_down_on_both_sides_and_heals(channel: ChannelName) -> None:
    """Both sides start a new generation together, so that neither trusts what the other forgot."""
    async with run_cluster(2) as (first, second):
        first.network._hosts[channel].close_peer(get_peer(1, channel).peer_id)
        for node, other in ((first, "node1"), (second, "node0")):
            log = await node.wait_for(lambda log: len(log) == 2)
            assert log == [PeerDown(other), PeerUp(other)]


async def test_messages_lie_between_up_and_down_when_connections_break_at_random_moments() -> None:
    """Through ten breaks under traffic every message lies in a generation, in order, without a gap."""
    async with run_cluster(2) as (first, second):
        for number in range(10):
            for payload in range(50):
                first.network.send("node1", "votes", b"%d %d" % (number, payload))
            second.network._hosts["data" if number % 2 else "votes"].connections[0].abort()
            await first.wait_for_event(PeerUp("node1"))
        first.network.send("node1", "votes", b"10 0")
        log = await second.wait_for(lambda log: MessageArrived("node0", "votes", b"10 0") in log)
        is_up, expected = True, 0
        for event in log:
            if isinstance(event, MessageArrived):
                assert is_up
                assert int(event.payload.split()[1]) == expected
                expected += 1
            else:
                assert isinstance(event, PeerDown if is_up else PeerUp)
                is_up, expected = not is_up, 0


async def test_frozen_peer_is_closed_although_a_write_is_stuck_and_comes_back_after() -> None:
    """Hazard (f): nothing moves and nothing closes, writes block; silence ends it, and thaw brings the peer back."""
    async with trio.open_nursery() as nursery, run_node(create_configuration(1, 2, {})) as second:
        addresses = second.network.get_listen_addresses()
        proxy = Proxy(addresses["data"])
        await nursery.start(proxy.run)
        through_proxy: dict[ChannelName, str] = {**addresses, "data": proxy.address}
        async with run_node(create_configuration(0, 2, {1: through_proxy})) as first:
            await first.wait_for_event(PeerUp("node1"))
            proxy.freeze()
            for _ in range(8):
                first.network.send("node1", "data", bytes(1 << 20))
            await first.wait_for_event(PeerDown("node1"))
            await second.wait_for_event(PeerDown("node0"))
            assert first.count("data_silent") == 1
            proxy.thaw()
            await first.wait_for_event(PeerUp("node1"))
        nursery.cancel_scope.cancel()


async def test_peer_that_says_nothing_is_closed() -> None:
    """A peer that completes every handshake, reads, and never sends a byte is closed after the silence."""

    async def keep_silent(connection: Connection, stream: Stream) -> None:
        await connection.wait_closed()

    assert (await meet_raw_peer(keep_silent)).count("votes_silent") == 1


async def test_peer_that_beats_is_kept() -> None:
    """Control: the same peer with one heartbeat per interval outlives the silence."""

    async def beat(connection: Connection, stream: Stream) -> None:
        with trio.move_on_after(1.5):
            while True:
                await stream.write(encode_record(RecordKind.HEARTBEAT))
                with trio.move_on_after(0.1):
                    await connection.wait_closed()
                    pytest.fail("the peer was closed")

    assert (await meet_raw_peer(beat)).count("votes_silent") == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x03\xff\xff\xff",  # a record of 16 MiB
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\x00\x00\x08" + b"\xff" * 8,  # an acknowledgement of what was never sent
    ],
)
async def test_broken_framing_closes_the_connection(data: bytes) -> None:
    """Hazard (g): a wrong header ends the connection before any body is waited for."""

    async def break_framing(connection: Connection, stream: Stream) -> None:
        await stream.write(data)
        await connection.wait_closed()

    assert (await meet_raw_peer(break_framing)).count("votes_violation") == 1


@pytest.mark.parametrize("kind", [RecordKind.LAST, RecordKind.PIECE])
async def test_flood_closes_the_connection_at_the_bound(kind: RecordKind) -> None:
    """Hazard (g): messages above the credit, or one above 1 MiB, are cut off while they arrive.

    The peer never comes up, as its data host is missing: nothing takes its messages.
    """
    sent = 0

    async def flood(connection: Connection, stream: Stream) -> None:
        nonlocal sent
        record = encode_record(kind, bytes(60_000))
        with contextlib.suppress(ConnectionLost):
            while True:
                await stream.write(record)
                sent += len(record)

    assert (await meet_raw_peer(flood)).count("votes_violation") == 1
    # What left beyond the bound is what sockets and one look of the reader hold.
    assert sent < LIMITS["votes"].message_bytes_max + 32 * CREDIT_BYTES


async def test_flood_of_heartbeats_is_cut_off() -> None:
    """They take no credit, so they are counted: a peer cannot keep the reader busy with them."""

    async def flood(connection: Connection, stream: Stream) -> None:
        beats = encode_record(RecordKind.HEARTBEAT) * 1_000
        with contextlib.suppress(ConnectionLost):
            while True:
                await stream.write(beats)

    assert (await meet_raw_peer(flood)).count("votes_violation") == 1


async def test_message_that_trickles_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that beats but never ends its message is closed (slow loris)."""
    monkeypatch.setattr(session, "PARTIAL_MESSAGE_SECONDS", 0.5)

    async def trickle(connection: Connection, stream: Stream) -> None:
        with contextlib.suppress(ConnectionLost):
            while not connection.is_closed:
                await stream.write(encode_record(RecordKind.PIECE, b"x"))
                with trio.move_on_after(0.1):
                    await connection.wait_closed()

    assert (await meet_raw_peer(trickle)).count("votes_violation") == 1


async def test_peer_that_opens_streams_without_end_is_closed() -> None:
    """Hazard (g): libp2p lets a peer open any number of streams; above 64 the connection is closed."""

    async def open_streams(connection: Connection, stream: Stream) -> None:
        with contextlib.suppress(BaseLibp2pError):
            for _ in range(100):
                await connection._conn.new_stream()
        await connection.wait_closed()

    assert (await meet_raw_peer(open_streams)).count("overloaded") == 1


async def meet_raw_peer(act: Callable[[Connection, Stream], Awaitable[None]]) -> Node:
    """Let node 0, driven by hand, reach the votes host of node 1; return node 1 after `act` ended."""
    async with run_node(create_configuration(1, 2, {})) as node:
        address = node.network.get_listen_addresses()["votes"]

        async def serve(connection: Connection) -> bool:
            outgoing = await connection.open_stream(VOTES)
            await connection.accept_stream()
            await act(connection, outgoing)
            return True

        async with run_raw_host(SEEDS["votes"][0], VOTES) as host:
            with trio.fail_after(SECONDS_MAX):
                assert await host.dial(get_peer(1, "votes", address), serve)
    return node
