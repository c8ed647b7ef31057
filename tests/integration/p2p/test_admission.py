"""Hosts serve whom they know; strangers find only the open host, and only in good order."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from p2p.connection import Connection
from p2p.errors import ListenError
from p2p.libp2p_network import Libp2pNetwork
from p2p.network import (
    MessageArrived,
    NetworkConfiguration,
    PeerUp,
    StrangerDown,
    StrangerUp,
)
from p2p.protocols import ChannelName, get_protocol_id
from tests.integration.p2p.cluster import (
    NETWORK_ID,
    SECONDS_MAX,
    SEEDS,
    Node,
    create_configuration,
    create_remote,
    get_peer,
    run_node,
    run_raw_host,
)

STRANGER = bytes([99]) * 32


def create_lone() -> NetworkConfiguration:
    """Return a validator that knows nobody."""
    return replace(create_configuration(1, 2, {}), peers=())


def create_full_node(addresses: dict[ChannelName, str]) -> NetworkConfiguration:
    """Return a node without votes and data hosts that follows node 1."""
    configuration = create_configuration(0, 2, {})
    return replace(configuration, name="full", votes=None, data=None, peers=(create_remote(1, addresses),))


async def test_busy_port_is_an_error_that_names_the_address_and_nothing_runs() -> None:
    """libp2p would log and go on; we stop before anything started."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        address = f"/ip4/127.0.0.1/tcp/{busy.getsockname()[1]}"
        with pytest.raises(ListenError, match=f"{address}: the port is busy"):
            await Libp2pNetwork(create_configuration(1, 2, {}, {"data": address})).run()


async def test_port_of_another_libp2p_host_is_busy_too() -> None:
    """libp2p shares ports between processes (SO_REUSEPORT); two nodes would each get half of the connections."""
    async with run_node(create_configuration(1, 2, {})) as node:
        address = node.network.get_listen_addresses()["open"]
        with pytest.raises(ListenError):
            await Libp2pNetwork(create_configuration(0, 2, {}, {"open": address})).run()


async def test_node_listens_on_all_its_hosts_when_it_has_started() -> None:
    """Once `run` has started every address accepts a connection."""
    async with run_node(create_configuration(1, 2, {})) as node:
        addresses = node.network.get_listen_addresses()
        assert list(addresses) == ["votes", "data", "open"]
        for address in addresses.values():
            stream = await trio.open_tcp_stream("127.0.0.1", int(address.rsplit("/", 1)[1]))
            await stream.aclose()


@pytest.mark.parametrize("channel", ["votes", "data"])
async def test_stranger_is_closed_on_hosts_for_validators(channel: ChannelName) -> None:
    """An identity outside the genesis is closed after its handshake."""
    async with run_node(create_configuration(1, 2, {})) as node:
        await knock(node, channel, STRANGER)
        assert node.count(f"{channel}_stranger_refused") == 1


async def test_identity_of_another_host_does_not_open_the_votes_host() -> None:
    """A validator's open identity is a stranger to votes: each host has its own."""
    async with run_node(create_configuration(1, 2, {})) as node:
        await knock(node, "votes", SEEDS["open"][0])
        assert node.count("votes_stranger_refused") == 1


async def test_strangers_above_the_bound_are_closed() -> None:
    """With no place for strangers the first one is refused, and an allowed id is not."""
    allowed = frozenset({get_peer(4, "open").peer_id})
    configuration = replace(create_configuration(1, 2, {}), strangers_max=0, open_peer_ids_allowed=allowed)
    async with run_node(configuration) as node:
        await knock(node, "open", STRANGER)
        assert node.count("stranger_refused") == 1
        full = replace(
            create_full_node(node.network.get_listen_addresses()),
            open=replace(configuration.open, seed=SEEDS["open"][4], address="/ip4/127.0.0.1/tcp/0"),
        )
        async with run_node(full) as follower:
            await follower.wait_for_event(PeerUp("node1"))


async def test_third_bad_item_closes_a_stranger_and_refuses_it_afterwards() -> None:
    """Two bad items are forgiven; the third closes the connection for a minute."""
    async with run_node(create_lone()) as node:
        async with run_node(create_full_node(node.network.get_listen_addresses())):
            name = get_peer(0, "open").peer_id
            await node.wait_for_event(StrangerUp(name))
            for _ in range(3):
                node.network.report_bad_item(name)
            await node.wait_for_event(StrangerDown(name))
        await knock(node, "open", SEEDS["open"][0])
        assert node.count("banned_refused") >= 1


async def test_full_node_follows_over_the_open_host() -> None:
    """A node without validator hosts exchanges messages on the channel `open`; each sees the other come and go."""
    async with run_node(create_lone()) as node:
        name = get_peer(0, "open").peer_id
        async with run_node(create_full_node(node.network.get_listen_addresses())) as follower:
            await follower.wait_for_event(PeerUp("node1"))
            await node.wait_for_event(StrangerUp(name))
            assert follower.network.send("node1", "open", b"question")
            await node.wait_for_event(MessageArrived(name, "open", b"question"))
            assert node.network.send(name, "open", bytes(1 << 20))
            await follower.wait_for_event(MessageArrived("node1", "open", bytes(1 << 20)))
            assert not node.network.send(name, "votes", b"x")
        await node.wait_for_event(StrangerDown(name))


async def test_nodes_of_two_networks_do_not_connect() -> None:
    """The network id is part of the protocol id: the same peers with another id never come up."""
    async with run_node(create_configuration(1, 2, {})) as node:
        addresses = node.network.get_listen_addresses()
        other = replace(create_configuration(0, 2, {1: addresses}), network_id=b"other-net")
        async with run_node(other) as stranger:
            await wait_for_count(node, "votes_connection_lost", 2)
            assert node.log == stranger.log == []


async def test_inbound_connections_leave_nothing_behind() -> None:
    """Hazard (c): after 12 connections that came and went, libp2p holds no slot and no task of them."""
    async with run_node(create_configuration(1, 2, {})) as node:
        await knock(node, "votes", STRANGER)
        await wait_for_count(node, "votes_stranger_refused", 1)
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(12):
            await knock(node, "votes", STRANGER)
        with trio.fail_after(SECONDS_MAX):
            while trio.lowlevel.current_statistics().tasks_living > before:
                await wait_all_tasks_blocked(0.02)
        assert node.network._hosts["votes"]._swarm._inbound_limiter.borrowed_tokens == 0


async def test_connections_without_a_handshake_are_evicted_oldest_first() -> None:
    """Seventy idle sockets do not keep a peer out: 64 wait, the older six were dropped."""
    async with run_node(create_configuration(1, 2, {})) as node:
        address = node.network.get_listen_addresses()["votes"]
        port = int(address.rsplit("/", 1)[1])
        idle = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(70)]
        await wait_for_count(node, "handshake_evicted", 6)
        await knock(node, "votes", STRANGER)
        assert node.count("votes_stranger_refused") == 1
        for stream in idle:
            await stream.aclose()


async def knock(node: Node, channel: ChannelName, seed: bytes) -> None:
    """Connect to one host with the identity of `seed` and return when the other side has closed."""
    protocol = get_protocol_id(channel, NETWORK_ID)

    async def serve(connection: Connection) -> bool:
        await connection.wait_closed()
        return True

    async with run_raw_host(seed, protocol) as host:
        with trio.fail_after(SECONDS_MAX):
            assert await host.dial(get_peer(1, channel, node.network.get_listen_addresses()[channel]), serve)


async def wait_for_count(node: Node, counter: str, count: int) -> None:
    with trio.fail_after(SECONDS_MAX):
        while node.count(counter) < count:
            await wait_all_tasks_blocked(0.01)
