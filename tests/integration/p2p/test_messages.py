"""Messages between real hosts arrive whole, once and in order, whatever their number and size."""

from __future__ import annotations

import pytest
import trio
from libp2p.stream_muxer.yamux import yamux

from p2p.errors import ConfigurationError
from p2p.network import MessageArrived
from p2p.protocols import CREDIT_BYTES, LIMITS, RECORD_BYTES_MAX
from p2p.tcp import tune_socket
from tests.integration.p2p.cluster import SECONDS_MAX, run_cluster


async def test_four_nodes_reach_each_other_and_a_burst_of_300_arrives_in_order() -> None:
    """Each of three peers gets all 300 messages of a broadcast, in order and once."""
    async with run_cluster(4) as nodes:
        sent = [b"message %d" % number for number in range(300)]
        for payload in sent:
            nodes[1].network.broadcast("votes", payload)
        for node in (nodes[0], nodes[2], nodes[3]):
            log = await node.wait_for(lambda log: len(log) >= 300)
            assert log == [MessageArrived("node1", "votes", payload) for payload in sent]


async def test_message_of_any_size_up_to_the_limit_arrives() -> None:
    """Empty, one byte, around the credit, and the limit of the channel."""
    async with run_cluster(2) as (first, second):
        sizes = [0, 1, CREDIT_BYTES - 1, CREDIT_BYTES, 3 * CREDIT_BYTES + 7, LIMITS["data"].message_bytes_max]
        assert all(first.network.send("node1", "data", bytes(size)) for size in sizes)
        assert [len(payload) for payload in await second.wait_for_messages(len(sizes))] == sizes


async def test_two_way_bulk_with_pings_does_not_dead_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hazard (e): both sides send bulk at once for a second, libp2p pings every 10 ms, and all of it arrives."""
    monkeypatch.setattr(yamux, "RTT_MEASURE_INTERVAL", 0.01)
    async with run_cluster(2) as nodes:
        started = trio.current_time()
        # libp2p's first ping comes after half a second.
        while trio.current_time() - started < 1.0:
            for node, other in ((nodes[0], "node1"), (nodes[1], "node0")):
                for number in range(8):
                    assert node.network.send(other, "data", bytes([number]) * (1 << 20))
            for node in nodes:
                assert [payload[0] for payload in await node.wait_for_messages(8)] == list(range(8))
        assert nodes[0].count("data_silent") == 0


async def test_sockets_hold_the_credit_of_a_peer_that_does_not_read() -> None:
    """Hazard (e): the sockets take whatever the credit allows, so a writer never waits for the other's reader."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    sender = tune_socket(await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1]))
    async with listener, sender, await listener.accept():
        with trio.fail_after(SECONDS_MAX):
            await sender.send_all(bytes(CREDIT_BYTES + RECORD_BYTES_MAX))


async def test_vote_overtakes_bulk() -> None:
    """A vote does not wait for the megabytes that were queued before it on the data channel."""
    async with run_cluster(2) as (first, second):
        for _ in range(3):
            first.network.send("node1", "data", bytes(4 << 20))
        first.network.send("node1", "votes", b"vote")
        messages = await second.wait_for_messages(4)
        assert messages.index(b"vote") < 3


async def test_owner_that_does_not_read_events_slows_its_peer_and_bounds_memory() -> None:
    """Credit stops at what the owner has not taken; the rest waits at the sender, and its queue refuses."""
    async with run_cluster(2) as (first, second):
        second.pause()
        accepted = 0
        while first.network.send("node1", "data", bytes(1 << 20)):
            accepted += 1
        assert first.count("data_queue_full") == 1
        assert accepted <= LIMITS["data"].queue_bytes_max // (1 << 20) + 1
        second.resume()
        assert len(await second.wait_for_messages(accepted)) == accepted


async def test_message_above_the_limit_is_the_callers_error() -> None:
    """The bound is the channel's; nothing is sent."""
    async with run_cluster(2) as (first, _):
        with pytest.raises(ConfigurationError, match="payload"):
            first.network.send("node1", "votes", bytes(LIMITS["votes"].message_bytes_max + 1))


async def test_send_to_a_stranger_or_on_a_channel_that_is_not_shared_is_refused() -> None:
    """False, and nobody is harmed."""
    async with run_cluster(2) as (first, _):
        assert not first.network.send("nobody", "votes", b"x")
        assert not first.network.send("node1", "open", b"x")


async def test_cancel_ends_quickly_and_leaves_no_task() -> None:
    """A cluster in the middle of its traffic ends within two seconds."""
    with trio.fail_after(SECONDS_MAX):
        async with run_cluster(2) as (first, second):
            for _ in range(4):
                first.network.send("node1", "data", bytes(1 << 20))
            started = trio.current_time()
            await second.stop()
            await first.stop()
            assert trio.current_time() - started < 2.0
