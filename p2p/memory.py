"""Join several endpoints inside one trio program, with the promises of a real network.

`MemoryHub.create` gives one `Network` per configuration; each needs its own `run`. Two endpoints
are connected while both run, know each other and the link is not cut. What a test does to a link:

* `hold` stops deliveries while sends go on (a slow or frozen path); `release` goes on;
* `cut` breaks the connection: whatever was not delivered is lost (with `hold` before: a chosen
  suffix), both sides see `PeerDown`; `heal` connects again.

Gossip reaches every other connected endpoint once and is not paced. Full nodes are not joined.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

import trio

from p2p.errors import ConfigurationError
from p2p.identity import compute_peer_id
from p2p.network import (
    GossipArrived,
    MessageArrived,
    NetworkConfiguration,
    NetworkEvent,
    NetworkStatistics,
    PeerDown,
    PeerUp,
)
from p2p.protocols import EVENTS_MAX, GOSSIP_BYTES_MAX, LIMITS, ChannelName

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus

_CHANNELS: tuple[ChannelName, ...] = ("votes", "data")


class _Link:
    """One direction of one connection: what was sent and not yet delivered, per channel."""

    def __init__(self) -> None:
        self.queues: dict[ChannelName, deque[bytes]] = {channel: deque() for channel in _CHANNELS}
        self.queued_bytes: dict[ChannelName, int] = dict.fromkeys(_CHANNELS, 0)

    def push(self, channel: ChannelName, payload: bytes) -> bool:
        if self.queued_bytes[channel] + len(payload) > LIMITS[channel].queue_bytes_max:
            return False
        self.queues[channel].append(payload)
        self.queued_bytes[channel] += len(payload)
        return True

    def pop(self) -> tuple[ChannelName, bytes] | None:
        for channel in _CHANNELS:
            if self.queues[channel]:
                payload = self.queues[channel].popleft()
                self.queued_bytes[channel] -= len(payload)
                return channel, payload
        return None


class MemoryNetwork:
    """One endpoint of a `MemoryHub`; keeps the promises of `network.Network`."""

    def __init__(self, hub: MemoryHub, configuration: NetworkConfiguration) -> None:
        self.configuration = configuration
        self.name = configuration.name
        self.outgoing: dict[str, _Link] = {}
        self.incoming: dict[str, _Link] = {}
        self.banned_until: dict[str, float] = {}
        self.counters: Counter[str] = Counter()
        self.bad_items: Counter[str] = Counter()
        self.is_running = False
        self._hub = hub
        self._notices: deque[NetworkEvent] = deque()
        self._gossip: deque[GossipArrived] = deque()
        self._wake = trio.Event()
        self._events_send, self._events = trio.open_memory_channel[NetworkEvent](EVENTS_MAX)

    @property
    def events(self) -> trio.MemoryReceiveChannel[NetworkEvent]:
        return self._events

    def send(self, name: str, channel: ChannelName, payload: bytes) -> bool:
        if len(payload) > LIMITS[channel].message_bytes_max:
            raise ConfigurationError(f"payload: {len(payload)} bytes are above the limit of {channel}")
        link = self.outgoing.get(name)
        if link is None or channel not in _CHANNELS:
            self.counters[f"{channel}_peer_not_up"] += 1
            return False
        if not link.push(channel, payload):
            self.counters[f"{channel}_queue_full"] += 1
            if LIMITS[channel].is_closed_when_full:
                self._hub.reconnect(self.name, name)
            return False
        self._hub.wake(name)
        return True

    def broadcast(self, channel: ChannelName, payload: bytes) -> None:
        for name in tuple(self.outgoing):
            self.send(name, channel, payload)

    def publish(self, data: bytes) -> bool:
        if len(data) > GOSSIP_BYTES_MAX:
            raise ConfigurationError(f"data: {len(data)} bytes are above {GOSSIP_BYTES_MAX}")
        if not self.configuration.is_gossip_enabled:
            return False
        self.counters["gossip_published"] += 1
        self._hub.gossip(self, data)
        return True

    def report_bad_item(self, name: str) -> None:
        self.bad_items[name] += 1

    def ban(self, name: str, seconds: float) -> None:
        self.banned_until[name] = trio.current_time() + seconds
        self._hub.disconnect(self.name, name)

    def get_statistics(self) -> NetworkStatistics:
        up = tuple(peer.name for peer in self.configuration.peers if peer.name in self.outgoing)
        counters = {name: self.counters[name] for name in sorted(self.counters)}
        return NetworkStatistics(up, 0, len(up) if self.configuration.is_gossip_enabled else 0, counters)

    def get_listen_addresses(self) -> dict[ChannelName, str]:
        host = self.configuration
        found = {"votes": host.votes, "data": host.data, "open": host.open}
        return {role: local.address for role, local in found.items() if local is not None}  # type: ignore[misc]  # keys are ChannelName

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self._events_send:
            self.is_running = True
            self._hub.connect_all()
            task_status.started()
            try:
                await self._deliver()
            finally:
                self.is_running = False
                self._hub.disconnect_all(self.name)

    def on_connected(self, name: str, outgoing: _Link, incoming: _Link) -> None:
        """Take over a fresh connection."""
        self.outgoing[name], self.incoming[name] = outgoing, incoming
        self.notify(PeerUp(name))

    def on_disconnected(self, name: str) -> None:
        """Drop the connection and all that it carried."""
        del self.outgoing[name], self.incoming[name]
        self.notify(PeerDown(name))

    def on_gossip(self, event: GossipArrived) -> None:
        """Queue one gossip message; the oldest goes when `EVENTS_MAX` wait."""
        if len(self._gossip) >= EVENTS_MAX:
            self._gossip.popleft()
            self.counters["gossip_dropped"] += 1
        self._gossip.append(event)
        self.wake()

    def notify(self, event: NetworkEvent) -> None:
        self._notices.append(event)
        self.wake()

    def wake(self) -> None:
        """Let the delivery task look again."""
        self._wake.set()

    async def _deliver(self) -> None:
        while True:
            event = self._take_next()
            if event is None:
                self._wake = trio.Event()
                await self._wake.wait()
            else:
                await self._events_send.send(event)

    def _take_next(self) -> NetworkEvent | None:
        # Notices go first: all they concern is queued behind a PeerUp or was dropped with a PeerDown.
        if self._notices:
            return self._notices.popleft()
        for name in tuple(self.incoming):
            taken = None if self._hub.is_held(name, self.name) else self.incoming[name].pop()
            if taken is not None:
                # The served link moves to the end, so that no peer starves another.
                self.incoming[name] = self.incoming.pop(name)
                return MessageArrived(name, *taken)
        return self._gossip.popleft() if self._gossip else None


class MemoryHub:
    """Connect memory networks, and break their links on demand."""

    def __init__(self) -> None:
        self._networks: dict[str, MemoryNetwork] = {}
        self._cut: set[frozenset[str]] = set()
        self._held: set[tuple[str, str]] = set()

    def create(self, configuration: NetworkConfiguration) -> MemoryNetwork:
        """Return the endpoint of `configuration`; one of the same name that has stopped is replaced."""
        former = self._networks.get(configuration.name)
        if former is not None and former.is_running:
            raise ConfigurationError(f"name: {configuration.name} is already running")
        network = MemoryNetwork(self, configuration)
        self._networks[configuration.name] = network
        return network

    def hold(self, sender: str, receiver: str) -> None:
        """Stop deliveries in one direction; sends go on and fill the queue."""
        self._held.add((sender, receiver))

    def release(self, sender: str, receiver: str) -> None:
        """Deliver again, from where it stopped."""
        self._held.discard((sender, receiver))
        self.wake(receiver)

    def cut(self, first: str, second: str) -> None:
        """Break the connection; what was not delivered is lost; no new one until `heal`."""
        self._cut.add(frozenset((first, second)))
        self.disconnect(first, second)

    def heal(self, first: str, second: str) -> None:
        """Let the two connect again."""
        self._cut.discard(frozenset((first, second)))
        self.connect_all()

    def reconnect(self, first: str, second: str) -> None:
        """Break the connection and make a new one at once."""
        self.disconnect(first, second)
        self.connect_all()

    def is_held(self, sender: str, receiver: str) -> bool:
        """Whether `hold` is in force."""
        return (sender, receiver) in self._held

    def wake(self, name: str) -> None:
        """Let one endpoint look for deliveries."""
        if name in self._networks:
            self._networks[name].wake()

    def connect_all(self) -> None:
        """Connect every pair that may be connected and is not."""
        for first in self._networks.values():
            for peer in first.configuration.peers:
                second = self._networks.get(peer.name)
                if second is not None and second.name not in first.outgoing and self._may_connect(first, second):
                    forth, back = _Link(), _Link()
                    first.on_connected(second.name, forth, back)
                    second.on_connected(first.name, back, forth)

    def disconnect(self, first: str, second: str) -> None:
        """Break the connection of two endpoints, if there is one."""
        if second in self._networks[first].outgoing:
            self._networks[first].on_disconnected(second)
            self._networks[second].on_disconnected(first)

    def disconnect_all(self, name: str) -> None:
        """Break every connection of one endpoint."""
        for other in tuple(self._networks[name].outgoing):
            self.disconnect(name, other)

    def gossip(self, origin: MemoryNetwork, data: bytes) -> None:
        """Hand `data` to every other endpoint that is connected with `origin`."""
        event = GossipArrived(compute_peer_id(origin.configuration.open.seed), data)
        for name in origin.outgoing:
            if self._networks[name].configuration.is_gossip_enabled:
                self._networks[name].on_gossip(event)

    def _may_connect(self, first: MemoryNetwork, second: MemoryNetwork) -> bool:
        now = trio.current_time()
        return (
            first.is_running
            and second.is_running
            and frozenset((first.name, second.name)) not in self._cut
            and any(peer.name == first.name for peer in second.configuration.peers)
            and first.banned_until.get(second.name, now) <= now
            and second.banned_until.get(first.name, now) <= now
        )
