"""Carry messages over three libp2p hosts; keeps the promises of `network.Network`.

This file only joins the parts: `host` makes connections, `session` runs one channel over one
connection, `peer` joins sessions and reports, `gossip` has the topic, `admission` says who may.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import trio

from p2p.admission import Admission
from p2p.connection import Connection
from p2p.dialer import Dialer
from p2p.errors import ConfigurationError
from p2p.gossip import Gossip
from p2p.host import Host, Serve
from p2p.network import HostPeer, LocalHost, NetworkConfiguration, NetworkEvent, NetworkStatistics, RemotePeer
from p2p.peer import Peer
from p2p.protocols import EVENTS_MAX, LIMITS, ChannelName, TopicName, get_protocol_id
from p2p.session import Pulse, Session
from p2p.topic import Topic, make_topics

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus


class Libp2pNetwork:
    """The network of one node."""

    def __init__(self, configuration: NetworkConfiguration) -> None:
        self._configuration = configuration
        self._counters: Counter[str] = Counter()
        self._admission = Admission(configuration)
        self._pulse = Pulse(configuration.heartbeat_seconds, configuration.silence_seconds)
        self._events_send, self._events = trio.open_memory_channel[NetworkEvent](EVENTS_MAX)
        self._hosts = {
            channel: Host(local, get_protocol_id(channel, configuration.network_id), self._counters)
            for channel, local in _get_local_hosts(configuration).items()
        }
        channels: tuple[ChannelName, ...] = ("votes", "data") if configuration.is_validator else ("open",)
        self._peers = {peer.name: Peer(peer.name, channels, self._events_send) for peer in configuration.peers}
        self._open_sessions: dict[str, Session] = {}
        self._strangers: dict[str, Connection] = {}
        self._followers: dict[str, Peer] = {}
        self._dialers: dict[str, list[Dialer]] = {}
        self._gossip: Gossip | None = None
        self._topics: dict[TopicName, Topic] = make_topics(configuration, self._counters)
        if self._topics:
            topics = tuple(self._topics.values())
            self._gossip = Gossip(self._hosts["open"], topics, self._is_banned, self.report_bad_item, self._counters)

    @property
    def events(self) -> trio.MemoryReceiveChannel[NetworkEvent]:
        return self._events

    def send(self, name: str, channel: ChannelName, payload: bytes) -> bool:
        if len(payload) > LIMITS[channel].message_bytes_max:
            raise ConfigurationError(f"payload: {len(payload)} bytes are above the limit of {channel}")
        peer = self._peers.get(name) or self._followers.get(name)
        return peer is not None and peer.send(channel, payload)

    def broadcast(self, channel: ChannelName, payload: bytes) -> None:
        for name in self._peers:
            self.send(name, channel, payload)

    def publish(self, data: bytes, topic: TopicName = "items") -> bool:
        return topic in self._topics and self._topics[topic].publish(data)

    def report_bad_item(self, name: str) -> None:
        for peer_id in self._admission.get_peer_ids(name):
            if self._admission.report_bad_item(peer_id, trio.current_time()):
                self._counters["banned"] += 1
                self._close_peer_id(peer_id)

    def ban(self, name: str, seconds: float) -> None:
        self._counters["banned"] += 1
        for peer_id in self._admission.get_peer_ids(name):
            self._admission.ban(peer_id, trio.current_time() + seconds)
            self._close_peer_id(peer_id)

    def get_statistics(self) -> NetworkStatistics:
        return NetworkStatistics(
            peers_up=tuple(name for name, peer in self._peers.items() if peer.is_up),
            strangers=len(self._strangers),
            gossip_peers=0 if self._gossip is None else self._gossip.peer_count,
            counters={name: self._counters[name] for name in sorted(self._counters)},
        )

    def get_listen_addresses(self) -> dict[ChannelName, str]:
        return {channel: host.address for channel, host in self._hosts.items()}

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with self._events_send:
            await self._bind_all()
            async with trio.open_nursery() as nursery:
                await self._start_hosts(nursery)
                for peer in self._configuration.peers:
                    nursery.start_soon(self._peers[peer.name].run)
                    for channel in self._hosts:
                        self._start_dialing(nursery, peer, channel)
                task_status.started()

    async def _bind_all(self) -> None:
        try:
            for host in self._hosts.values():
                await host.bind()
        except BaseException:
            for host in self._hosts.values():
                await host.close()
            raise

    async def _start_hosts(self, nursery: trio.Nursery) -> None:
        for channel, host in self._hosts.items():
            await nursery.start(host.run, self._bind_serve(channel))
        if self._gossip is not None:
            await nursery.start(self._gossip.run, self._events_send)

    def _start_dialing(self, nursery: trio.Nursery, peer: RemotePeer, channel: ChannelName) -> None:
        remote: HostPeer = getattr(peer, channel)
        host, configuration = self._hosts[channel], self._configuration
        # Exactly one side dials: the lower peer id, or the full node, which the validator does not know.
        if configuration.is_validator and host.peer_id > remote.peer_id:
            return
        delays = (configuration.dial_delay_seconds_min, configuration.dial_delay_seconds_max)
        dialer = Dialer(host, remote, self._bind_serve(channel), self._is_banned, delays)
        self._dialers.setdefault(peer.name, []).append(dialer)
        nursery.start_soon(dialer.run)

    def _bind_serve(self, channel: ChannelName) -> Serve:
        async def serve(connection: Connection) -> bool:
            return await self._serve(channel, connection)

        return serve

    async def _serve(self, channel: ChannelName, connection: Connection) -> bool:
        name = self._admission.get_name(channel, connection.peer_id)
        if self._is_banned(connection.peer_id):
            self._counters["banned_refused"] += 1
        elif name is not None:
            return await self._serve_known(self._peers[name], channel, connection)
        elif channel == "open":
            await self._serve_stranger(connection)
        else:
            self._counters[f"{channel}_stranger_refused"] += 1
        return False

    async def _serve_known(self, peer: Peer, channel: ChannelName, connection: Connection) -> bool:
        if not connection.is_dialed:
            for dialer in self._dialers.get(peer.name, ()):
                dialer.nudge()
        if channel in peer.channels:
            return await self._serve_peer(peer, channel, connection)
        return await self._serve_gossip_peer(peer.name, connection)

    async def _serve_peer(self, peer: Peer, channel: ChannelName, connection: Connection) -> bool:
        session = self._create_session(channel, connection)
        if not peer.attach(session):
            self._counters["duplicate_connection"] += 1
            return False
        try:
            await session.run(peer.notify, is_waiting=False)
        finally:
            peer.detach(session)
        return session.was_usable

    async def _serve_gossip_peer(self, name: str, connection: Connection) -> bool:
        """Keep an open connection between validators: gossip flows beside; this session only beats."""
        former = self._open_sessions.get(name)
        if former is not None:
            self._counters["duplicate_connection"] += 1
            former.abort()
            return False
        session = self._open_sessions[name] = self._create_session("open", connection)
        try:
            await session.run(_do_nothing, is_waiting=False)
        finally:
            del self._open_sessions[name]
        return session.was_usable

    async def _serve_stranger(self, connection: Connection) -> None:
        peer_id = connection.peer_id
        former = self._strangers.get(peer_id)
        if former is not None:
            self._counters["duplicate_connection"] += 1
            former.abort()
        elif not self._admission.is_stranger_admitted(peer_id, self._strangers):
            self._counters["stranger_refused"] += 1
        else:
            self._strangers[peer_id] = connection
            try:
                await self._serve_follower(Peer(peer_id, ("open",), self._events_send, is_stranger=True), connection)
            finally:
                del self._strangers[peer_id]

    async def _serve_follower(self, peer: Peer, connection: Connection) -> None:
        session = self._create_session("open", connection)
        peer.attach(session)
        self._followers[peer.name] = peer
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(peer.run_once)
                await session.run(peer.notify, is_waiting=True)
                peer.notify()
                if not session.was_usable:
                    nursery.cancel_scope.cancel()
        finally:
            del self._followers[peer.name]

    def _create_session(self, channel: ChannelName, connection: Connection) -> Session:
        protocol = get_protocol_id(channel, self._configuration.network_id)
        return Session(connection, channel, protocol, self._pulse, self._counters)

    def _is_banned(self, peer_id: str) -> bool:
        return self._admission.is_banned(peer_id, trio.current_time())

    def _close_peer_id(self, peer_id: str) -> None:
        for host in self._hosts.values():
            host.close_peer(peer_id)


def _get_local_hosts(configuration: NetworkConfiguration) -> dict[ChannelName, LocalHost]:
    """Return the hosts to build, in the order of starting."""
    hosts: tuple[tuple[ChannelName, LocalHost | None], ...] = (
        ("votes", configuration.votes),
        ("data", configuration.data),
        ("open", configuration.open),
    )
    return {channel: local for channel, local in hosts if local is not None}


def _do_nothing() -> None:
    """Nobody waits for a session that only beats."""
