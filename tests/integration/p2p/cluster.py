"""Run real networks in one program, on ports that the system chooses.

Nodes are numbered so that the lower number has the lower peer id on every host, hence dials. Nodes
start from the highest number down: each then knows the real addresses of those that it dials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from p2p.host import Host
from p2p.identity import compute_peer_id
from p2p.libp2p_network import Libp2pNetwork
from p2p.network import HostPeer, LocalHost, MessageArrived, NetworkConfiguration, NetworkEvent, PeerUp, RemotePeer
from p2p.protocols import ChannelName

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus

CHANNELS: tuple[ChannelName, ...] = ("votes", "data", "open")
ANY_PORT = "/ip4/127.0.0.1/tcp/0"
NOWHERE = "/ip4/127.0.0.1/tcp/9"
"""Address of peers that dial us and are never dialed."""
NETWORK_ID = b"test-net"
SECONDS_MAX = 20.0
"""Longest wait for anything; reached only by a failing test."""
QUICK = {
    "heartbeat_seconds": 0.1,
    "silence_seconds": 0.5,
    "dial_delay_seconds_min": 0.05,
    "dial_delay_seconds_max": 0.5,
    "gossip_publish_seconds": 0.001,
    "verdict_publish_seconds": 0.001,
}
"""Settings that make faults show within a second."""


def create_seeds(count: int) -> dict[ChannelName, list[bytes]]:
    """Return seeds per channel, ascending by the peer id they give."""
    return {
        channel: sorted((bytes([place, number] * 16) for number in range(count)), key=compute_peer_id)
        for place, channel in enumerate(CHANNELS)
    }


SEEDS = create_seeds(5)


def get_peer(number: int, channel: ChannelName, address: str = NOWHERE) -> HostPeer:
    return HostPeer(compute_peer_id(SEEDS[channel][number]), address)


def create_remote(number: int, addresses: dict[ChannelName, str]) -> RemotePeer:
    hosts = {channel: get_peer(number, channel, addresses.get(channel, NOWHERE)) for channel in CHANNELS}
    return RemotePeer(f"node{number}", hosts["votes"], hosts["data"], hosts["open"])


def create_configuration(
    number: int, count: int, addresses: dict[int, dict[ChannelName, str]], listen: dict[ChannelName, str] | None = None
) -> NetworkConfiguration:
    """Return the configuration of node `number` of `count`, which can dial those whose addresses are given."""
    own = listen or {}
    hosts = {channel: LocalHost(SEEDS[channel][number], own.get(channel, ANY_PORT)) for channel in CHANNELS}
    peers = tuple(create_remote(other, addresses.get(other, {})) for other in range(count) if other != number)
    return replace(
        NetworkConfiguration(f"node{number}", NETWORK_ID, hosts["open"], hosts["votes"], hosts["data"], peers),
        **QUICK,  # type: ignore[arg-type]  # all of them are floats
    )


class Node:
    """One running network with the log of what it reported."""

    def __init__(self, configuration: NetworkConfiguration) -> None:
        self.network = Libp2pNetwork(configuration)
        self.log: list[NetworkEvent] = []
        self._scope = trio.CancelScope()
        self._stopped = trio.Event()
        self._changed = trio.Event()
        self._resumed = trio.Event()
        self._resumed.set()
        self._position = 0

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.network.run)
                    task_status.started()
                    async for event in self.network.events:
                        self.log.append(event)
                        self._changed.set()
                        await self._resumed.wait()
        finally:
            self._stopped.set()

    def pause(self) -> None:
        """Take at most one more event until `resume`."""
        self._resumed = trio.Event()

    def resume(self) -> None:
        self._resumed.set()

    async def stop(self) -> None:
        """End as a killed process would: all sockets close."""
        self._scope.cancel()
        await self._stopped.wait()

    async def wait_for(self, is_reached: Callable[[list[NetworkEvent]], bool]) -> list[NetworkEvent]:
        """Return the events since the last call, once they fulfil `is_reached`."""
        with trio.fail_after(SECONDS_MAX):
            while not is_reached(self.log[self._position :]):
                self._changed = trio.Event()
                await self._changed.wait()
        found = self.log[self._position :]
        self._position = len(self.log)
        return found

    async def wait_for_event(self, event: NetworkEvent) -> None:
        await self.wait_for(lambda log: event in log)

    async def wait_for_messages(self, count: int) -> list[bytes]:
        log = await self.wait_for(lambda log: sum(isinstance(event, MessageArrived) for event in log) >= count)
        return [event.payload for event in log if isinstance(event, MessageArrived)]

    def count(self, counter: str) -> int:
        return self.network.get_statistics().counters.get(counter, 0)


@asynccontextmanager
async def run_cluster(
    count: int, is_verdict_message: Callable[[bytes], bool] | None = None
) -> AsyncIterator[list[Node]]:
    """Run `count` nodes until all are up with all; with a judge of verdicts they carry these too."""
    addresses: dict[int, dict[ChannelName, str]] = {}
    nodes: list[Node] = []
    async with trio.open_nursery() as nursery:
        for number in reversed(range(count)):
            configuration = create_configuration(number, count, addresses)
            node = Node(replace(configuration, is_verdict_message=is_verdict_message))
            await nursery.start(node.run)
            addresses[number] = node.network.get_listen_addresses()
            nodes.insert(0, node)
        for node in nodes:
            await node.wait_for(lambda log: sum(isinstance(event, PeerUp) for event in log) == count - 1)
        yield nodes
        for node in nodes:
            await node.stop()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def run_node(configuration: NetworkConfiguration) -> AsyncIterator[Node]:
    """Run one node."""
    node = Node(configuration)
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run)
        yield node
        await node.stop()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def run_raw_host(seed: bytes, protocol: str) -> AsyncIterator[Host]:
    """Run a bare host that a test drives by hand."""
    host = Host(LocalHost(seed, ANY_PORT), protocol, Counter())
    await host.bind()
    async with trio.open_nursery() as nursery:
        await nursery.start(host.run, _refuse)
        yield host
        nursery.cancel_scope.cancel()


async def _refuse(_: object) -> bool:
    return False


class Proxy:
    """Forward TCP to one address until told to freeze: then no byte moves and nothing closes."""

    def __init__(self, target: str) -> None:
        self._host, self._port = target.split("/")[2], int(target.split("/")[4])
        self._thawed = trio.Event()
        self._thawed.set()
        self.address = ""

    def freeze(self) -> None:
        self._thawed = trio.Event()

    def thaw(self) -> None:
        self._thawed.set()

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.address = f"/ip4/127.0.0.1/tcp/{listener.socket.getsockname()[1]}"
        task_status.started()
        await trio.serve_listeners(self._forward, [listener])

    async def _forward(self, inner: trio.SocketStream) -> None:
        try:
            async with (
                inner,
                await trio.open_tcp_stream(self._host, self._port) as outer,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(self._pump, inner, outer, nursery.cancel_scope)
                nursery.start_soon(self._pump, outer, inner, nursery.cancel_scope)
        except* OSError:
            pass

    async def _pump(self, source: trio.SocketStream, sink: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            async for data in source:
                await self._thawed.wait()
                await sink.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()
