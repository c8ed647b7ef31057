"""Four nodes with real stores agree, survive death and lose nothing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import trio

from sequencer.errors import LocalError, StoreError
from sequencer.node.home import read_home
from sequencer.node.node import run_node
from sequencer.types.outcome import Status
from sequencer.types.records import RecordKind, VoteRecord
from tests.integration.node.cluster import NAMES, Cluster, find_contradictions
from tests.unit.store.chain import FlakySync, make_vote

SEEN = RecordKind.NOTARIZE


async def test_four_nodes_order_and_execute_a_transaction(nursery: trio.Nursery, tmp_path: Path) -> None:
    """A transfer sent to one node is proven final, and every node computed the same state and commitments."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()

    receipt = await cluster.transfer("val0", 100)

    assert receipt.status is Status.COMMIT
    await cluster.wait_for_height(receipt.height)
    assert {await cluster.get_gold(name, "bob") for name in NAMES} == {1_000_100}
    chains = [await cluster.get_commitments(name, receipt.height) for name in NAMES]
    assert all(chain == chains[0] for chain in chains)
    nursery.cancel_scope.cancel()


async def test_all_nodes_killed_at_once_resume_with_the_same_chain(nursery: trio.Nursery, tmp_path: Path) -> None:
    """No commitment changes, no proven transaction is lost, no vote contradicts another, and the chain goes on."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    votes: dict[str, set[VoteRecord]] = {name: set() for name in NAMES}
    for round_number in range(3):
        receipt = await cluster.transfer(NAMES[round_number], 1)
        height = await cluster.get_height("val0")
        before = await cluster.get_commitments("val0", height)
        await cluster.kill()
        for name in NAMES:
            votes[name] |= cluster.read_votes(name)

        await cluster.start()

        await cluster.wait_for_height(height + 3)
        for name in NAMES:
            assert await cluster.get_commitments(name, height) == before
        assert receipt.height <= height
        assert await cluster.get_gold("val3", "bob") == 1_000_001 + round_number
    await cluster.kill()
    for name in NAMES:
        assert find_contradictions(votes[name] | cluster.read_votes(name)) == []
    nursery.cancel_scope.cancel()


async def test_killed_node_catches_up_with_the_others(nursery: trio.Nursery, tmp_path: Path) -> None:
    """Three go on without the fourth; it comes back in step and computes the same."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    await cluster.wait_for_height(3)
    await cluster.kill("val3")
    await cluster.transfer("val0", 5)
    await cluster.wait_for_height(await cluster.get_height("val0") + 12, "val0", "val1", "val2")

    await cluster.start("val3")

    height = await cluster.get_height("val0")
    await cluster.wait_for_height(height + 2)
    assert await cluster.get_gold("val3", "bob") == 1_000_005
    assert await cluster.get_commitments("val3", height) == await cluster.get_commitments("val0", height)
    nursery.cancel_scope.cancel()


async def test_node_without_vote_log_observes(nursery: trio.Nursery, tmp_path: Path) -> None:
    """It follows and serves, says why it does not sign, and the others go on without its votes. # D1"""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    await cluster.wait_for_height(3)
    await cluster.kill("val2")
    for segment in (cluster.get_home("val2") / "votes").iterdir():
        segment.unlink()

    await cluster.start("val2")

    await cluster.wait_for_height(await cluster.get_height("val0") + 3)
    async with cluster.nodes["val2"].client as client:
        status = await client.call("seq_status", {})
    assert status["role"] == "observer"
    assert "missing" in status["observer_reason"]
    assert list((cluster.get_home("val2") / "votes").iterdir()) == []
    nursery.cancel_scope.cancel()


async def test_failed_sync_stops_only_the_node_whose_disk_failed(nursery: trio.Nursery, tmp_path: Path) -> None:
    """An injected EIO ends one node with a clear error; the other three go on. # D2"""
    cluster = Cluster(tmp_path, nursery)
    sync = FlakySync()
    await cluster.start("val0", "val1", "val2")
    await cluster.start("val3", sync_file=sync)
    await cluster.wait_for_height(3)

    sync.failure = errno.EIO
    with trio.fail_after(10):
        await cluster.nodes["val3"].ended.wait()

    assert isinstance(cluster.nodes["val3"].failure, StoreError)
    assert "Input/output error" in str(cluster.nodes["val3"].failure)
    height = await cluster.get_height("val0")
    await cluster.wait_for_height(height + 5, "val0", "val1", "val2")
    last_line = (cluster.get_home("val3") / "events.jsonl").read_text().splitlines()[-1]
    assert '"event": "stopped"' in last_line
    assert "cannot sync" in last_line
    nursery.cancel_scope.cancel()


async def test_second_node_on_one_home_is_refused(nursery: trio.Nursery, tmp_path: Path) -> None:
    """The first goes on undisturbed."""
    cluster = Cluster(tmp_path, nursery)
    await cluster.start()
    await cluster.wait_for_height(1)

    with pytest.raises(LocalError, match="in use by process"):
        await run_node(read_home(cluster.get_home("val1")))

    await cluster.wait_for_height(await cluster.get_height("val1") + 2)
    nursery.cancel_scope.cancel()


async def test_every_height_rests_on_synced_votes(nursery: trio.Nursery, tmp_path: Path) -> None:
    """With durability fsync a node gains no height without at least one sync. # D2"""
    cluster = Cluster(tmp_path, nursery)
    sync = FlakySync()
    await cluster.start("val0", "val1", "val2")
    await cluster.start("val3", sync_file=sync)
    await cluster.wait_for_height(1)
    height, calls = await cluster.get_height("val3"), sync.calls

    await cluster.wait_for_height(height + 10, "val3")

    gained = await cluster.get_height("val3") - height
    assert sync.calls - calls >= gained
    nursery.cancel_scope.cancel()


def test_planted_double_votes_are_found() -> None:
    """The check of vote logs fails when it must."""
    assert find_contradictions({make_vote(SEEN, 4, 1), make_vote(SEEN, 4, 2)}) == [(SEEN, 4)]
    nullify, finalize = make_vote(RecordKind.NULLIFY, 4, 0), make_vote(RecordKind.FINALIZE, 4, 1)
    assert find_contradictions({nullify, finalize}) == [(RecordKind.FINALIZE, 4)]
    assert find_contradictions({make_vote(SEEN, 4), nullify}) == []
