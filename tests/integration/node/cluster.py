"""Run validators in one trio program: real stores and RPC servers, an in-memory network between them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import trio

from p2p.memory import MemoryHub
from sequencer.cli.cluster.blueprint import Wish, build, draw
from sequencer.errors import InvariantViolation, StoreError
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.light import ReceiptView
from sequencer.node.home import Home, NodeKeys, NodeSettings, read_home, write_home
from sequencer.node.node import MakeNetwork, NodeAddresses, find_first, run_node
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.sdk.client import Client
from sequencer.store.disk import SyncFile, sync_data
from sequencer.store.vote_log import read_records
from sequencer.types.records import RecordKind, VoteRecord

NAMES = ("val0", "val1", "val2", "val3")


class RunningNode:
    """One node and the way to end it: cancelling is a kill, for nothing is said or written on the way out."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.failure: BaseException | None = None
        self.addresses: NodeAddresses | None = None

    @property
    def client(self) -> Client:
        assert self.addresses is not None
        return Client(self.addresses.rpc, self.home.genesis)

    async def kill(self) -> None:
        self.scope.cancel()
        await self.ended.wait()


class Cluster:
    """Validators below one directory, by default four."""

    def __init__(
        self,
        directory: Path,
        nursery: trio.Nursery,
        names: tuple[str, ...] = NAMES,
        make_network: MakeNetwork | None = None,
        retain_heights: int | None = None,
        rollups: str = "alpha,beta",
        behaviours: Mapping[str, str] | None = None,
    ) -> None:
        """`make_network` joins them otherwise than in memory; `behaviours` are those of executors that misbehave."""
        blueprint = draw(Wish(len(names), rollups, 7, retain_heights))
        parameters = replace(blueprint.genesis.parameters, idle_ms=60, pace_ms=10)
        blueprint = replace(blueprint, genesis=replace(blueprint.genesis, parameters=parameters))
        self.executor_names = tuple(executor.seat.name for executor in blueprint.executors)
        lies = behaviours or {}
        seats = [executor.seat for executor in blueprint.executors]
        settings = [NodeSettings(name, "127.0.0.1:0") for name in names] + [
            NodeSettings(seat.name, "127.0.0.1:0", executes=seat.rollup, behaviour=lies.get(seat.name, ""))
            for seat in seats
        ]
        build(blueprint, directory, settings)
        self.genesis = blueprint.genesis
        self.accounts = {account.name: Account(account.seed, account.name) for account in blueprint.accounts}
        self.names = names
        self.hub = MemoryHub()
        self._make_network = make_network or self.hub.create
        self.nodes: dict[str, RunningNode] = {}
        self._directory = directory
        self._nursery = nursery

    def get_home(self, name: str) -> Path:
        return self._directory / name

    async def start_full_node(self, name: str) -> None:
        """Make a node without a vote, which follows all validators, and start it."""
        seed = hashlib.sha256(name.encode()).digest()
        write_home(
            self.get_home(name), NodeSettings(name, "127.0.0.1:0"), NodeKeys(None, None, None, seed), self.genesis
        )
        await self.start(name)

    async def start(self, *names: str, sync_file: SyncFile = sync_data) -> None:
        for name in names or self.names:
            node = self.nodes[name] = RunningNode(read_home(self.get_home(name)))
            node.addresses = await self._nursery.start(partial(self._run, node, sync_file))

    async def _run(
        self,
        node: RunningNode,
        sync_file: SyncFile,
        task_status: trio.TaskStatus = trio.TASK_STATUS_IGNORED,  # type: ignore[name-defined]  # the stubs that libp2p brings lack it
    ) -> None:
        try:
            with node.scope:
                await run_node(node.home, make_network=self._make_network, sync_file=sync_file, task_status=task_status)
        except* (StoreError, InvariantViolation) as failures:
            node.failure = find_first(failures)  # any other error ends the test
        finally:
            node.ended.set()

    async def kill(self, *names: str) -> None:
        async with trio.open_nursery() as nursery:
            for name in names or self.names:
                nursery.start_soon(self.nodes[name].kill)

    async def get_height(self, name: str) -> int:
        if self.nodes[name].failure is not None:
            raise AssertionError(f"{name} stopped") from self.nodes[name].failure
        async with self.nodes[name].client as client:
            return (await client.get_status()).height

    async def wait_for_height(self, height: int, *names: str, seconds: float = 20) -> None:
        with trio.fail_after(seconds):
            for name in names or self.names:
                while await self.get_height(name) < height:
                    await trio.lowlevel.checkpoint()

    async def transfer(self, name: str, amount: int, channel: int = 0) -> ReceiptView:
        """Let alice pay bob on alpha through one node; returns the proven outcome."""
        alice, bob = self.accounts["alice"], self.accounts["bob"]
        async with self.nodes[name].client as client:
            account = await client.get_account(alice.address)
            builder = BundleBuilder(self.genesis).add_leg(
                "alpha", alice, [operation("transfer", "gold", bob.address, amount)]
            )
            bundle = builder.build(alice, account.sequences[channel], account.height, channel=channel)
            return await client.send_and_wait(sign_bundle(bundle, [alice]), seconds=20)

    async def get_gold(self, name: str, account: str) -> int:
        key = make_balance_key("gold", self.accounts[account].address)
        async with self.nodes[name].client as client:
            return int((await client.call("seq_getState", {"rollup": "alpha", "key": key}))["value"])

    async def get_commitments(self, name: str, until: int) -> list[str]:
        """Return the commitment digests of heights 1..until as this node computed them."""
        found: list[str] = []
        async with self.nodes[name].client as client:
            while len(found) < until:
                blocks = (await client.call("seq_getBlocks", {"from": len(found) + 1, "until": until + 1}))["blocks"]
                found.extend(block["commitment"]["digest"] for block in blocks)
        return found

    async def get_metrics(self, name: str, text: str) -> list[float]:
        """Return the samples of a node whose line holds `text`."""
        addresses = self.nodes[name].addresses
        assert addresses is not None
        async with httpx.AsyncClient() as client:
            lines = (await client.get(f"{addresses.rpc}/metrics")).text.splitlines()
        return [float(line.rpartition(" ")[2]) for line in lines if text in line and not line.startswith("#")]

    def read_votes(self, name: str) -> set[VoteRecord]:
        return set(read_records(self.get_home(name) / "votes")[1])


def find_contradictions(records: set[VoteRecord]) -> list[tuple[RecordKind, int]]:
    """Return kind and number of every pair of records that no honest validator signs. # X1-X6"""
    seen: dict[tuple[RecordKind, int], bytes] = {}
    found = []
    for record in sorted(records, key=lambda r: (r.kind, r.number, r.digest)):
        if seen.setdefault((record.kind, record.number), record.digest) != record.digest:
            found.append((record.kind, record.number))
    nullified = {number for kind, number in seen if kind is RecordKind.NULLIFY}
    return found + [key for key in seen if key[0] is RecordKind.FINALIZE and key[1] in nullified]
