"""Nodes that need blocks which nobody keeps join by snapshot, from real stores, and name whose disk has rotted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from scripts.fault_injection.bit_rot import BitRot
from sequencer.store import block_store
from tests.integration.node.cluster import NAMES, Cluster

FULL = "full0"
RETAIN = 8


@pytest.fixture(autouse=True)
def _prune_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node prunes each 32 heights, which would take these tests long."""
    monkeypatch.setattr(block_store, "PRUNE_INTERVAL_HEIGHTS", 2)


async def start_pruned(nursery: trio.Nursery, directory: Path, *names: str) -> Cluster:
    """Return validators, all or some of them, that keep no block of the first heights."""
    cluster = Cluster(directory, nursery, retain_heights=RETAIN)
    await cluster.start(*names)
    await cluster.transfer("val0", 5)
    await wait_until_pruned(cluster, names or NAMES)
    return cluster


async def wait_until_pruned(cluster: Cluster, names: tuple[str, ...]) -> None:
    with trio.fail_after(60):
        for name in names:
            while (await get_status(cluster, name))["oldest_height"] < RETAIN:
                await trio.lowlevel.checkpoint()


async def get_status(cluster: Cluster, name: str) -> dict[str, Any]:
    async with cluster.nodes[name].client as client:
        return dict(await client.call("seq_status", {}))


async def get_commitment(cluster: Cluster, name: str, height: int) -> str:
    async with cluster.nodes[name].client as client:
        return str((await client.call("seq_getBlock", {"height": height}))["commitment"]["digest"])


async def test_empty_full_node_joins_by_snapshot(nursery: trio.Nursery, tmp_path: Path) -> None:
    """It holds the state and goes on with the chain; no validator was asked for a block that is pruned. # R2"""
    cluster = await start_pruned(nursery, tmp_path)

    await cluster.start_full_node(FULL)

    height = await cluster.get_height("val0")
    await cluster.wait_for_height(height + 3, FULL)
    assert await cluster.get_gold(FULL, "bob") == 1_000_005
    assert await get_commitment(cluster, FULL, height + 2) == await get_commitment(cluster, "val1", height + 2)
    status = await get_status(cluster, FULL)
    assert (status["role"], status["alarm"], status["liars"]) == ("full", None, {})
    assert status["oldest_height"] > RETAIN
    asked = [await cluster.get_metrics(name, "sequencer_follower_lowest_height_asked") for name in NAMES]
    assert min(lowest for samples in asked for lowest in samples) == status["oldest_height"]
    nursery.cancel_scope.cancel()


async def test_validator_that_was_away_for_longer_than_blocks_are_kept_signs_again(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    """Its vote log, its blocks and the snapshot fit together, also after another restart. # R1 R2"""
    cluster = Cluster(tmp_path, nursery, retain_heights=RETAIN)
    await cluster.start()
    await cluster.wait_for_height(3)
    await cluster.kill("val3")
    await cluster.transfer("val0", 5)
    await wait_until_pruned(cluster, NAMES[:3])

    await cluster.start("val3")

    await cluster.wait_for_height(await cluster.get_height("val0") + 3, "val3")
    assert await cluster.get_gold("val3", "bob") == 1_000_005
    await cluster.kill("val0")  # now nothing is final without the vote of val3
    await cluster.wait_for_height(await cluster.get_height("val1") + 3, "val1", "val3")
    await cluster.kill("val3")
    await cluster.start("val3")
    await cluster.wait_for_height(await cluster.get_height("val1") + 3, "val1", "val3")
    assert (await get_status(cluster, "val3"))["role"] == "validator"
    nursery.cancel_scope.cancel()


async def test_byte_that_rots_on_one_disk_names_its_owner(nursery: trio.Nursery, tmp_path: Path) -> None:
    """The joiner bans that validator and takes the snapshot from the others. # R2"""
    cluster = await start_pruned(nursery, tmp_path)
    with BitRot([cluster.get_home("val0")]):  # which is asked first
        await cluster.start_full_node(FULL)

        await cluster.wait_for_height(await cluster.get_height("val1") + 3, FULL)

        assert list((await get_status(cluster, FULL))["liars"]) == ["val0"]
    nursery.cancel_scope.cancel()


async def test_byte_that_rots_on_all_disks_is_refused(nursery: trio.Nursery, tmp_path: Path) -> None:
    """Rather no state than a wrong one: height 0, no commitment, and the status says why. # R2"""
    cluster = await start_pruned(nursery, tmp_path)
    with BitRot([cluster.get_home(name) for name in NAMES]):
        await cluster.start_full_node(FULL)

        with trio.fail_after(30):
            while len((status := await get_status(cluster, FULL))["liars"]) < len(NAMES):
                await trio.lowlevel.checkpoint()
    assert (status["height"], status["commitment"]) == (0, None)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("is_rotten", [False, True])
def test_rot_is_what_makes_the_difference(tmp_path: Path, is_rotten: bool) -> None:
    """Control of the two above: the altered file differs in one byte, and is put back."""
    folder = tmp_path / "snapshots"
    folder.mkdir()
    (folder / "1.snapshot").write_bytes(bytes(100))
    if is_rotten:
        with BitRot([tmp_path]):
            assert sum(byte != 0 for byte in (folder / "1.snapshot").read_bytes()) == 1
    assert (folder / "1.snapshot").read_bytes() == bytes(100)
