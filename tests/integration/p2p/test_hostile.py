"""Bytes that libp2p does not expect end the connection that brought them, and nothing else."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils.varint import encode_varint_prefixed

from p2p.connection import Connection, ConnectionLost
from p2p.network import PeerUp
from p2p.protocols import get_gossip_topic, get_protocol_id
from tests.integration.p2p.cluster import NETWORK_ID, SECONDS_MAX, Node, get_peer, run_cluster, run_raw_host

FOLLOW = get_protocol_id("open", NETWORK_ID)
TOPIC = get_gossip_topic("items", NETWORK_ID)
RANDOM = random.Random(7)


def create_message(**fields: bytes) -> bytes:
    message = rpc_pb2.Message(topicIDs=[TOPIC], data=b"x", seqno=b"1", **fields)
    return encode_varint_prefixed(rpc_pb2.RPC(publish=[message]).SerializeToString())


GOSSIP = {
    "no_protobuf": encode_varint_prefixed(b"\xff" * 50),
    "random": encode_varint_prefixed(RANDOM.randbytes(200)),
    "endless_length": b"\xff" * 64,
    "too_long": b"\xff\xff\xff\xff\x0f",
    "no_signature": create_message(from_id=b"\x00\x24" + bytes(36)),
    "broken_key": create_message(from_id=b"\x12\x20" + bytes(32), key=b"\xff" * 10, signature=b"s"),
    "unknown_key": create_message(from_id=b"\x12\x20" + bytes(32), key=b"\x08\x63\x12\x01x", signature=b"s"),
    "broken_origin": create_message(from_id=b"", key=b"", signature=b"s"),
    "bad_control": encode_varint_prefixed(
        rpc_pb2.RPC(
            control=rpc_pb2.ControlMessage(
                ihave=[rpc_pb2.ControlIHave(topicID="?", messageIDs=[b"x"])],
                iwant=[rpc_pb2.ControlIWant(messageIDs=[b"x"])],
                graft=[rpc_pb2.ControlGraft(topicID="?")],
                prune=[rpc_pb2.ControlPrune(topicID="?")],
            )
        ).SerializeToString()
    ),
}


@asynccontextmanager
async def survive() -> AsyncIterator[Node]:
    """Give a node with a peer; afterwards both must still talk and gossip."""
    async with run_cluster(2) as (first, second):
        yield first
        assert second.network.send("node0", "votes", b"still here")
        assert b"still here" in await first.wait_for_messages(1)
        assert PeerUp("node1") not in first.log[1:]


async def write_raw(node: Node, data: bytes, protocol: str | None) -> None:
    """Open a stream as a stranger, with or without negotiating, and write `data` to it."""

    async def serve(connection: Connection) -> bool:
        with suppress(ConnectionLost, BaseLibp2pError):
            if protocol is None:
                stream = await connection._conn.new_stream()
                await stream.write(data)
            else:
                await (await connection.open_stream(protocol)).write(data)
        with trio.move_on_after(0.3):
            await connection.wait_closed()
        return True

    async with run_raw_host(bytes([77]) * 32, FOLLOW) as host:
        with trio.fail_after(SECONDS_MAX):
            address = node.network.get_listen_addresses()["open"]
            assert await host.dial(get_peer(0, "open", address), serve)


@pytest.mark.parametrize("name", GOSSIP)
async def test_hostile_gossip_harms_nobody(name: str) -> None:
    """A packet or message that its parser does not like is dropped; the node goes on."""
    async with survive() as node:
        await write_raw(node, GOSSIP[name], "/meshsub/1.1.0")


async def test_flood_of_gossip_is_dropped_before_its_signatures_are_checked() -> None:
    """One peer that hands on 3,000 messages at once is heard up to its budget, and the node goes on."""
    async with survive() as node:
        message = rpc_pb2.Message(topicIDs=[TOPIC], data=b"x", from_id=b"\x00\x24" + bytes(36))
        packet = encode_varint_prefixed(rpc_pb2.RPC(publish=[message] * 3000).SerializeToString())
        await write_raw(node, packet, "/meshsub/1.1.0")
        assert node.count("gossip_forwarder_over_budget") > 500


@pytest.mark.parametrize("data", [b"\x04\xff\xfe\xfd\n", b"\xff" * 20, b"GET / HTTP/1.1\r\n\r\n", bytes(100)])
async def test_hostile_negotiation_harms_nobody(data: bytes) -> None:
    """Text that is no UTF-8, endless lengths and other protocols end the stream; the node goes on."""
    async with survive() as node:
        await write_raw(node, data, None)


@pytest.mark.parametrize("protocol", ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0"])
async def test_hostile_bytes_to_the_protocols_of_libp2p_harm_nobody(protocol: str) -> None:
    """What libp2p serves by itself is guarded too."""
    async with survive() as node:
        await write_raw(node, RANDOM.randbytes(300), protocol)


@pytest.mark.parametrize("data", [b"", b"\x13/multistream/1.0.0\n", bytes(64), b"\xff" * 64, RANDOM.randbytes(500)])
async def test_hostile_handshake_harms_nobody(data: bytes) -> None:
    """A socket that sends anything but a handshake is closed and counted."""
    async with survive() as node:
        port = int(node.network.get_listen_addresses()["votes"].rsplit("/", 1)[1])
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(data)
        await stream.send_eof()
        with trio.fail_after(SECONDS_MAX), suppress(trio.BrokenResourceError):
            while await stream.receive_some():
                pass
        await stream.aclose()
