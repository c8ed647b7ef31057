"""Join store, replica, network and RPC into one running node.

Promises: started when every port accepts connections; one process per home; when the disk or
an invariant fails everything stops, and nothing that depended on it is sent; cancelling stops
it clean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import trio

from p2p.errors import ListenError
from p2p.network import Network, NetworkConfiguration
from p2p.protocols import ChannelName
from sequencer.crypto.signatures import Ed25519Signer, verify_ed25519
from sequencer.errors import InvariantViolation, LocalError, StoreError
from sequencer.node.border import Border
from sequencer.node.clock import SystemClock
from sequencer.node.driver import Driver
from sequencer.node.event_log import EventLog
from sequencer.node.followers import Followers
from sequencer.node.gossip import Gossip
from sequencer.node.home import Home
from sequencer.node.identity import find_own_executor, find_own_index, make_network_configuration
from sequencer.node.lying import make_lies
from sequencer.node.metrics import MetricsCollector
from sequencer.node.queries import NodeQueries
from sequencer.node.reports import Reports
from sequencer.node.threads import run_abandonable
from sequencer.node.verdicts import VerdictGossip, make_judge
from sequencer.node.wire_record import WIRE_RECORD_FILE, WireRecorder
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.replica import Replica
from sequencer.rpc.server import RpcAddress, serve_rpc
from sequencer.store.disk import Disk, Durability, SyncFile, sync_data
from sequencer.store.node_store import NodeStore, StoreOptions

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus

MakeNetwork: TypeAlias = Callable[[NetworkConfiguration], Network]

EVENT_LOG_FILE = "events.jsonl"


@dataclass(frozen=True, slots=True)
class NodeAddresses:
    """Where a started node can be reached."""

    rpc: str
    """URL."""
    hosts: Mapping[ChannelName, str]
    """Multiaddress of each libp2p host, by role."""
    observer_reason: str | None = None
    """Why this validator signs nothing; None if it does, or is none. # D1"""


class PortBusyError(LocalError):
    """An address that the node must listen on is taken."""

    reason = "port_busy"
    """For programs that would try another port."""


def make_libp2p_network(configuration: NetworkConfiguration) -> Network:
    """Return the network of a real node; imports libp2p, which takes a second."""
    from p2p.libp2p_network import Libp2pNetwork

    return Libp2pNetwork(configuration)


async def run_node(
    home: Home,
    *,
    make_network: MakeNetwork = make_libp2p_network,
    sync_file: SyncFile = sync_data,
    task_status: TaskStatus[NodeAddresses] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until cancelled; reports the addresses once all of them accept connections.

    Raises `LocalError` if the home is in use, belongs to another network or a port is taken,
    `StoreError` or `InvariantViolation` if the node had to stop.
    """
    index = find_own_index(home)
    store = await trio.to_thread.run_sync(partial(_open_store, home, sync_file, is_validator=index is not None))
    event_log = EventLog(home.path / EVENT_LOG_FILE)
    wire_log = EventLog(home.path / WIRE_RECORD_FILE if home.settings.is_wire_recorded else None)
    try:
        replica = await _load_replica(home, index, store)
        network = make_network(make_network_configuration(home, index, make_judge(home.genesis)))
        await _run_parts(home, store, replica, network, event_log, wire_log, task_status)
    except* (StoreError, InvariantViolation) as failures:
        event_log.write("stopped", {"text": str(find_first(failures))})
        raise
    finally:
        wire_log.close()
        event_log.close()
        store.close()


def find_first(error: BaseException) -> BaseException:
    """Return the first error inside nested groups: what a person is told."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _open_store(home: Home, sync_file: SyncFile, *, is_validator: bool) -> NodeStore:
    disk = Disk(Durability(home.settings.durability), sync_file)
    options = StoreOptions(retain_heights=home.genesis.parameters.retain_heights)
    return NodeStore(home.path, disk, is_validator=is_validator, options=options)


def make_verdict_gossip(home: Home, network: Network) -> VerdictGossip:
    """Return where votes of executors leave and arrive; what a liar of a devnet says is made up here."""
    identity = find_own_executor(home)
    if identity is None or not home.settings.behaviour:
        return VerdictGossip(network)
    return VerdictGossip(network, partial(make_lies, home.genesis.chain_id, identity))


async def _load_replica(home: Home, index: int | None, store: NodeStore) -> Replica:
    """Execute the stored blocks above the newest snapshot again, beside the loop so that signals are heard."""
    config = ReplicaConfig(
        home.genesis,
        index,
        None if index is None or home.keys.vote is None else Ed25519Signer(home.keys.vote),
        verify_ed25519,
        home.settings.is_lane_enabled,
        home.settings.is_gossip_enabled,
        executor=find_own_executor(home),
    )
    return await run_abandonable(lambda: Replica(config, store.load()))


async def _run_parts(
    home: Home,
    store: NodeStore,
    replica: Replica,
    network: Network,
    event_log: EventLog,
    wire_log: EventLog,
    task_status: TaskStatus[NodeAddresses],
) -> None:
    genesis, settings, identity = home.genesis, home.settings, find_own_executor(home)
    followers = Followers(network, store, replica.get_evidence)
    gossip, verdicts = Gossip(network), make_verdict_gossip(home, network)
    is_validator = home.keys.vote is not None
    border = Border(
        network,
        genesis,
        is_validator=is_validator,
        gossip=gossip,
        verdicts=verdicts,
        followers=followers,
        event_log=event_log,
        recorder=WireRecorder(wire_log, [validator.name for validator in genesis.validators]),
    )
    reports = Reports(border, gossip, verdicts, event_log, replica.executor.commitment)
    driver = Driver(replica, store, reports, SystemClock(), genesis.item_rules, verify_ed25519)
    counters = (border.counters, gossip.counters, verdicts.counters)
    metrics = MetricsCollector(genesis, replica, driver, store, network, followers, counters)
    queries = NodeQueries(
        settings.name,
        genesis,
        replica,
        driver,
        reports,
        store.reader,
        durability=settings.durability,
        executes=None if identity is None else identity.rollup,
        accounts=home.accounts,
        get_metrics=metrics.collect,
    )
    host, _, port = settings.rpc.rpartition(":")
    async with trio.open_nursery() as nursery:
        await _start_network(nursery, network)
        rpc_port = await nursery.start(partial(serve_rpc, queries, RpcAddress(host, int(port))))
        for task in (
            partial(border.read, driver.inbox),
            gossip.run,
            verdicts.run,
            partial(followers.run, reports),
            driver.run,
        ):
            nursery.start_soon(task)
        addresses = NodeAddresses(f"http://{host}:{rpc_port}", network.get_listen_addresses(), replica.observer_reason)
        event_log.write(
            "started", {"height": reports.height, "rpc": addresses.rpc, "observer_reason": addresses.observer_reason}
        )
        task_status.started(addresses)


async def _start_network(nursery: trio.Nursery, network: Network) -> None:
    try:
        await nursery.start(network.run)
    except ListenError as error:
        raise PortBusyError(str(error)) from error
