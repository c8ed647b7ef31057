"""Executors of a split rollup attest what they executed, over real stores and the gossip of the nodes' borders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from sequencer.light import ReceiptView
from sequencer.replica.parts import TOO_LATE
from sequencer.sdk.building import BundleBuilder, operation, sign_bundle
from sequencer.sdk.errors import AnswerError
from sequencer.types.bundle import AccessMode, Equals
from sequencer.types.outcome import Status
from tests.integration.node.cluster import NAMES, Cluster

ROLLUPS = "alpha,gamma:key_value:split=3"
DECIDE_WITHIN = 256


async def start(directory: Path, nursery: trio.Nursery, **options: object) -> Cluster:
    """Start four validators and three executors of gamma."""
    cluster = Cluster(directory, nursery, rollups=ROLLUPS, **options)  # type: ignore[arg-type]  # by name
    await cluster.start()
    await cluster.start(*cluster.executor_names)
    return cluster


async def send(cluster: Cluster, key: str, *, is_true: bool = True, channel: int = 0) -> ReceiptView:
    """Let alice leave a mark on both rollups, on a condition of gamma's; returns the proven outcome."""
    alice = cluster.accounts["alice"]
    conditions = () if is_true else (Equals(key, 7),)
    access = ((key, AccessMode.WRITE),)
    async with cluster.nodes["val0"].client as client:
        account = await client.get_account(alice.address)
        builder = BundleBuilder(cluster.genesis)
        builder.add_leg("alpha", alice, [operation("set", key, 1)], (), access)
        builder.add_leg("gamma", alice, [operation("set", key, 1)], conditions, access)
        bundle = builder.build(
            alice, account.sequences[channel], account.height, channel=channel, decide_within=DECIDE_WITHIN
        )
        return await client.send_and_wait(sign_bundle(bundle, [alice]), seconds=30)


async def read(cluster: Cluster, name: str, rollup: str, key: str) -> str | None:
    """Return what a node says that a key holds."""
    async with cluster.nodes[name].client as client:
        value: str | None = (await client.call("seq_getState", {"rollup": rollup, "key": key}))["value"]
    return value


async def test_bundle_over_native_and_split_rollup_is_all_or_nothing(nursery: trio.Nursery, tmp_path: Path) -> None:
    """Two executors' signatures decide; whoever executes a rollup has the mark, or nobody has."""
    cluster = await start(tmp_path, nursery)

    committed = await send(cluster, "kv/true")
    aborted = await send(cluster, "kv/false", is_true=False)

    assert (committed.status, aborted.status) == (Status.COMMIT, Status.ABORT)
    assert aborted.reason.startswith("NO:gamma:")
    await cluster.wait_for_height(await cluster.get_height("val0"), *cluster.executor_names)
    assert {await read(cluster, name, "alpha", "kv/true") for name in NAMES} == {"1"}
    assert {await read(cluster, name, "gamma", "kv/true") for name in cluster.executor_names} == {"1"}
    assert {await read(cluster, name, "alpha", "kv/false") for name in NAMES} == {None}
    assert {await read(cluster, name, "gamma", "kv/false") for name in cluster.executor_names} == {None}
    nursery.cancel_scope.cancel()


async def test_executors_killed_in_mid_log_come_to_the_same_commitments(nursery: trio.Nursery, tmp_path: Path) -> None:
    """Two are dead while a bundle waits, and the third dies too: started again, all is as if nothing had been."""
    cluster = await start(tmp_path, nursery)
    *dead, last = cluster.executor_names
    assert (await send(cluster, "kv/0")).status is Status.COMMIT
    await cluster.kill(*dead)
    outcomes: list[Status] = []

    async with trio.open_nursery() as sending:
        sending.start_soon(send_and_note, cluster, outcomes)
        with trio.fail_after(20):
            while not await is_waiting(cluster, last):
                await trio.lowlevel.checkpoint()
        await cluster.kill(last)
        await cluster.start(*cluster.executor_names)

    assert outcomes == [Status.COMMIT]
    height = await cluster.get_height("val0")
    await cluster.wait_for_height(height, *NAMES, *cluster.executor_names)
    expected = await cluster.get_commitments("val0", height)
    for name in cluster.executor_names:
        assert await cluster.get_commitments(name, height) == expected
        assert await read(cluster, name, "gamma", "kv/1") == "1"
    nursery.cancel_scope.cancel()


async def send_and_note(cluster: Cluster, outcomes: list[Status]) -> None:
    outcomes.append((await send(cluster, "kv/1", channel=1)).status)


async def is_waiting(cluster: Cluster, name: str) -> bool:
    """Tell whether a bundle on gamma is undecided, as an executor sees it."""
    height = await cluster.get_height(name)
    return bool((await get_rollup_status(cluster, name))["settled_height"] < height)


async def get_rollup_status(cluster: Cluster, name: str) -> Any:
    """Return what a node's status says of gamma."""
    return (await get_status(cluster, name))["rollups"][1]


async def get_status(cluster: Cluster, name: str) -> Any:
    async with cluster.nodes[name].client as client:
        return await client.call("seq_status", {})


async def test_one_liar_among_three_changes_nothing(nursery: trio.Nursery, tmp_path: Path) -> None:
    """It signs the opposite of what it computes; nobody joins it."""
    cluster = await start(tmp_path, nursery, behaviours={"gamma-1": "lying-executor"})

    outcomes = [await send(cluster, "kv/true"), await send(cluster, "kv/false", is_true=False)]

    assert [outcome.status for outcome in outcomes] == [Status.COMMIT, Status.ABORT]
    assert outcomes[1].reason.startswith("NO:gamma:NOT_EQUAL@")
    assert sum(await cluster.get_metrics("gamma-1", 'event="gossip_verdicts_published"')) > 0
    nursery.cancel_scope.cancel()


async def test_two_liars_of_three_freeze_their_rollup_and_nobody_else(nursery: trio.Nursery, tmp_path: Path) -> None:
    """Control, and A12: a certified lie is believed by the others; no honest executor shows any part of it."""
    behaviours = dict.fromkeys(("gamma-1", "gamma-2"), "lying-executor")
    cluster = await start(tmp_path, nursery, behaviours=behaviours)

    outcome = await send(cluster, "kv/false", is_true=False)

    assert outcome.status is Status.COMMIT
    await cluster.wait_for_height(outcome.decided_height, "val0", "gamma-0")
    assert (await get_rollup_status(cluster, "gamma-0"))["is_frozen"]
    assert not (await get_rollup_status(cluster, "val0"))["is_frozen"]
    assert await read(cluster, "val0", "alpha", "kv/false") == "1"
    with pytest.raises(AnswerError, match="gamma"):
        await read(cluster, "gamma-0", "gamma", "kv/false")
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("role", ["executor", "validator"])
async def test_node_says_which_rollups_it_executes(nursery: trio.Nursery, tmp_path: Path, role: str) -> None:
    """A validator does not execute gamma and says so when asked for its state."""
    cluster = await start(tmp_path, nursery)
    name = cluster.executor_names[0] if role == "executor" else "val0"
    async with cluster.nodes[name].client as client:
        status = await client.call("seq_status", {})
    assert (status["role"], status["executes"]) == (role, "gamma" if role == "executor" else None)
    assert [row["is_executed"] for row in status["rollups"]] == [True, role == "executor"]
    if role == "validator":
        with pytest.raises(AnswerError, match=r"code -32006"):
            await read(cluster, name, "gamma", "kv/x")
    nursery.cancel_scope.cancel()


async def test_executor_that_was_away_too_long_says_that_nothing_leads_further(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    """Blocks that it missed are pruned, and nobody else's snapshot holds its rollup's state. # A9 L7"""
    cluster = Cluster(tmp_path, nursery, ("val0",), retain_heights=20, rollups="alpha,gamma:key_value:split=1")
    await cluster.start("val0", "gamma-0")
    await cluster.wait_for_height(3, "gamma-0")
    await cluster.kill("gamma-0")
    height = await cluster.get_height("val0")
    with trio.fail_after(30):
        while (await get_status(cluster, "val0"))["oldest_height"] <= height + 1:
            await trio.lowlevel.checkpoint()

    await cluster.start("gamma-0")

    with trio.fail_after(20):
        while (status := await get_status(cluster, "gamma-0"))["sync"] != TOO_LATE:
            await trio.lowlevel.checkpoint()
    assert status["height"] <= height + 1
    nursery.cancel_scope.cancel()
