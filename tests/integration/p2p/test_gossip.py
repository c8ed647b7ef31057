"""Gossip on the open hosts loses no burst, removes duplicates and is bounded per origin."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from p2p.errors import ConfigurationError
from p2p.network import GossipArrived, NetworkEvent
from p2p.protocols import GOSSIP_BYTES_MAX, GOSSIP_PUBLISH_QUEUE_MAX
from tests.integration.p2p.cluster import SECONDS_MAX, Node, get_peer, run_cluster


async def wait_for_mesh(nodes: list[Node]) -> None:
    with trio.fail_after(SECONDS_MAX):
        while any(node.network.get_statistics().gossip_peers < len(nodes) - 1 for node in nodes):
            await wait_all_tasks_blocked(0.02)


def get_gossip(log: list[NetworkEvent]) -> list[bytes]:
    return [event.data for event in log if isinstance(event, GossipArrived)]


async def publish_all(node: Node, messages: list[bytes]) -> None:
    with trio.fail_after(SECONDS_MAX):
        for data in messages:
            while not node.network.publish(data):
                await wait_all_tasks_blocked(0.005)


async def test_burst_of_200_reaches_every_peer() -> None:
    """Hazards (a) and (b): defaults deliver 32 of 200; here all arrive, each once, from the origin that signed."""
    async with run_cluster(3) as nodes:
        await wait_for_mesh(nodes)
        sent = [b"envelope %d" % number for number in range(200)]
        await publish_all(nodes[0], sent)
        for node in nodes[1:]:
            log = await node.wait_for(lambda log: len(get_gossip(log)) >= len(sent))
            assert sorted(get_gossip(log)) == sorted(sent)
            assert {event.peer_id for event in log if isinstance(event, GossipArrived)} == {get_peer(0, "open").peer_id}
        assert get_gossip(nodes[0].log) == []


async def test_largest_message_arrives_and_a_larger_one_is_the_callers_error() -> None:
    """64 KiB is the bound."""
    async with run_cluster(2) as nodes:
        await wait_for_mesh(nodes)
        await publish_all(nodes[0], [bytes(GOSSIP_BYTES_MAX)])
        await nodes[1].wait_for(lambda log: get_gossip(log) == [bytes(GOSSIP_BYTES_MAX)])
        with pytest.raises(ConfigurationError, match="data"):
            nodes[0].network.publish(bytes(GOSSIP_BYTES_MAX + 1))


async def test_same_content_of_two_origins_is_one_message() -> None:
    """The id of a message is its content, so a copy by another publisher is not delivered again."""
    async with run_cluster(3) as nodes:
        await wait_for_mesh(nodes)
        await publish_all(nodes[0], [b"same"])
        await nodes[2].wait_for(lambda log: get_gossip(log) == [b"same"])
        await publish_all(nodes[1], [b"same", b"other"])
        log = await nodes[2].wait_for(lambda log: b"other" in get_gossip(log))
        assert get_gossip(log) == [b"other"]


async def test_banned_origin_is_not_heard() -> None:
    """Gossip of a banned origin is dropped even when another peer forwards it."""
    async with run_cluster(3) as nodes:
        await wait_for_mesh(nodes)
        nodes[2].network.ban(get_peer(0, "open").peer_id, 60.0)
        await publish_all(nodes[0], [b"from the banned"])
        await nodes[1].wait_for(lambda log: get_gossip(log) == [b"from the banned"])
        await publish_all(nodes[1], [b"from another"])
        log = await nodes[2].wait_for(lambda log: b"from another" in get_gossip(log))
        assert get_gossip(log) == [b"from another"]


async def test_publications_that_wait_are_bounded() -> None:
    """Above the bound a publication is refused at once."""
    async with run_cluster(2) as nodes:
        accepted = [nodes[0].network.publish(b"%d" % number) for number in range(GOSSIP_PUBLISH_QUEUE_MAX + 1)]
        assert accepted == [True] * GOSSIP_PUBLISH_QUEUE_MAX + [False]


def is_short(data: bytes) -> bool:
    """Stand in for the node's judge of verdicts."""
    return len(data) < 100


async def test_verdicts_travel_on_a_topic_of_their_own() -> None:
    """They arrive under their name; what is published on one topic is not taken for seen on the other."""
    async with run_cluster(3, is_verdict_message=is_short) as nodes:
        await wait_for_mesh(nodes)
        nodes[0].network.publish(b"same bytes")
        await nodes[2].wait_for(lambda log: get_gossip(log) == [b"same bytes"])
        nodes[0].network.publish(b"same bytes", "verdicts")
        log = await nodes[2].wait_for(lambda log: bool(get_gossip(log)))
        heard = next(event for event in log if isinstance(event, GossipArrived))
        assert heard == GossipArrived(get_peer(0, "open").peer_id, b"same bytes", "verdicts")


async def test_verdict_that_is_none_goes_no_further_and_bans_its_origin() -> None:
    """The first node that hears it drops it, and after three will not hear of the origin; items are not judged."""
    async with run_cluster(3, is_verdict_message=is_short) as nodes:
        await wait_for_mesh(nodes)
        for number in range(3):
            nodes[0].network.publish(bytes([number]) * 100, "verdicts")
        with trio.fail_after(SECONDS_MAX):
            while any(node.count("banned") < 1 for node in nodes[1:]):
                await wait_all_tasks_blocked(0.02)
        assert [node.count("verdicts_invalid") for node in nodes] == [0, 3, 3]
        assert [get_gossip(node.log) for node in nodes] == [[], [], []]


async def test_node_without_a_judge_carries_no_verdicts() -> None:
    """A network without split rollups has no such topic."""
    async with run_cluster(2) as nodes:
        await wait_for_mesh(nodes)
        assert not nodes[0].network.publish(b"verdict", "verdicts")
        assert nodes[0].network.publish(b"item")
