"""A full node follows what validators finalize, serves it, and carries its clients' transactions to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from p2p.protocols import ChannelName
from sequencer.node.node import make_libp2p_network
from sequencer.replica import block_server
from sequencer.types.messages import Channel, SyncBlocks, decode_message, encode_message
from sequencer.types.outcome import Status
from tests.integration.node.cluster import NAMES, Cluster

FULL = "full0"


class Liar:
    """Changes every block that one validator sends to followers: it says another time."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.lies = 0
        network = cluster.hub.get(name)
        self._send, network.send = network.send, self.send  # type: ignore[method-assign]  # a liar in its place

    def send(self, name: str, channel: ChannelName, payload: bytes) -> bool:
        message = decode_message(payload, Channel.DATA) if channel == "open" else None
        if isinstance(message, SyncBlocks) and message.blocks:
            self.lies += 1
            last = message.blocks[-1]
            forged = replace(last, header=replace(last.header, time_ms=last.header.time_ms + 1))
            payload = encode_message(replace(message, blocks=(*message.blocks[:-1], forged)))
        return self._send(name, channel, payload)


async def test_transfer_sent_to_a_full_node_becomes_final(nursery: trio.Nursery, tmp_path: Path) -> None:
    """It travels by gossip; the full node proves the outcome, and its commitments are the validators'."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    await cluster.start_full_node(FULL)

    receipt = await cluster.transfer(FULL, 100)

    assert receipt.status is Status.COMMIT
    await cluster.wait_for_height(receipt.height)
    assert {await cluster.get_gold(name, "bob") for name in (*NAMES, FULL)} == {1_000_100}
    assert await cluster.get_commitments(FULL, receipt.height) == await cluster.get_commitments("val0", receipt.height)
    async with cluster.nodes[FULL].client as client:
        status = await client.call("seq_status", {})
    assert (status["role"], status["alarm"], status["peers"]) == ("full", None, 4)
    nursery.cancel_scope.cancel()


async def test_killed_full_node_goes_on_where_it_was(nursery: trio.Nursery, tmp_path: Path) -> None:
    """What it stored is executed again, and what it missed is fetched."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    await cluster.start_full_node(FULL)
    await cluster.transfer("val0", 5)
    await cluster.wait_for_height(3, FULL)
    await cluster.kill(FULL)
    await cluster.transfer("val1", 6)

    await cluster.start(FULL)

    height = await cluster.get_height("val0")
    await cluster.wait_for_height(height, FULL)
    assert await cluster.get_gold(FULL, "bob") == 1_000_011
    assert await cluster.get_commitments(FULL, height) == await cluster.get_commitments("val0", height)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("fault", ["hold", "cut"])
async def test_validator_that_falls_silent_is_left(nursery: trio.Nursery, tmp_path: Path, fault: str) -> None:
    """Whether it answers nothing or is gone: the next one is followed."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    await cluster.start_full_node(FULL)
    await cluster.wait_for_height(3, FULL)
    followed = await get_followed(cluster)
    if fault == "hold":
        cluster.hub.hold(followed, FULL)
    else:
        cluster.hub.cut(followed, FULL)

    await cluster.wait_for_height(await cluster.get_height("val0") + 10, FULL)

    assert await get_followed(cluster) != followed
    nursery.cancel_scope.cancel()


async def test_validator_that_lies_is_banned_and_another_one_followed(nursery: trio.Nursery, tmp_path: Path) -> None:
    """One changed header proves nothing: none of it is taken, and the log says who sent it."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    liar = Liar(cluster, "val0")
    await cluster.start_full_node(FULL)

    await cluster.wait_for_height(await cluster.get_height("val1") + 3, FULL)

    assert liar.lies == 1
    assert await get_followed(cluster) != "val0"
    log = (cluster.get_home(FULL) / "events.jsonl").read_text()
    assert "banned for 60 s: the finalization of synced block" in log
    height = await cluster.get_height(FULL)
    assert await cluster.get_commitments(FULL, height) == await cluster.get_commitments("val1", height)
    nursery.cancel_scope.cancel()


async def test_block_too_large_for_an_answer_reaches_a_full_node(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It travels without its batches, which the full node fetches by digest, and nobody minds. # L6"""
    monkeypatch.setattr(block_server, "ANSWER_BYTES_MAX", 2_000)  # no block with a batch fits
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    await cluster.start_full_node(FULL)

    receipt = await cluster.transfer("val0", 7)

    await cluster.wait_for_height(receipt.height, FULL)
    assert await cluster.get_gold(FULL, "bob") == 1_000_007
    assert await count(cluster, "follower_batches_answered") >= 1
    assert await count(cluster, "follower_messages_bad") == 0
    nursery.cancel_scope.cancel()


async def test_full_node_works_over_real_sockets(nursery: trio.Nursery, tmp_path: Path) -> None:
    """libp2p carries blocks to it, and its client's transaction by gossipsub to the only validator."""
    cluster = Cluster(tmp_path, nursery, ("val0",), make_libp2p_network)
    await cluster.start()
    await cluster.start_full_node(FULL)

    receipt = await cluster.transfer(FULL, 100)

    assert receipt.status is Status.COMMIT
    assert await cluster.get_commitments(FULL, receipt.height) == await cluster.get_commitments("val0", receipt.height)
    assert await count(cluster, "gossip_items_published", FULL) >= 1
    nursery.cancel_scope.cancel()


async def count(cluster: Cluster, event: str, *names: str) -> float:
    """Return how often the nodes counted an event, all of them by default."""
    found = [await cluster.get_metrics(name, f'event="{event}"') for name in names or cluster.nodes]
    return sum(sum(samples) for samples in found)


async def get_followed(cluster: Cluster) -> str:
    """Return whom the full node follows, once there is somebody."""
    async with cluster.nodes[FULL].client as client:
        while (followed := (await client.call("seq_status", {}))["following"]) is None:
            await trio.lowlevel.checkpoint()
    return str(followed)
