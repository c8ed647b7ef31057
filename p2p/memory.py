"""Join several endpoints inside one trio program, with the promises of a real network.

`MemoryHub.create` gives one `Network` per configuration; each needs its own `run`. Two endpoints
are connected while both run, know each other and the link is not cut. What a test does to a link:

* `hold` stops deliveries while sends go on (a slow or frozen path); `release` goes on;
* `cut` breaks the connection: whatever was not delivered is lost (with `hold` before: a chosen
  suffix), both sides see `PeerDown`; `heal` connects again.

A full node has the channel `open` with each validator that it knows, for which it is a stranger under its
peer id. Gossip reaches every endpoint that is connected with its origin, directly or over one validator,
once, and is not paced.
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
    StrangerDown,
    StrangerUp,
)
from p2p.protocols import EVENTS_MAX, GOSSIP_BYTES_MAX, LIMITS, ChannelName, TopicName
from p2p.topic import carries

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus

_VALIDATOR_CHANNELS: tuple[ChannelName, ...] = ("votes", "data")
_FOLLOWER_CHANNELS: tuple[ChannelName, ...] = ("open",)


class _Link:
    """One direction of one connection: what was sent and not yet delivered, per channel."""

    def __init__(self, channels: tuple[ChannelName, ...]) -> None:
        self.queues: dict[ChannelName, deque[bytes]] = {channel: deque() for channel in channels}
        self.queued_bytes: dict[ChannelName, int] = dict.fromkeys(channels, 0)

    def push(self, channel: ChannelName, payload: bytes) -> bool:
        if self.queued_bytes[channel] + len(payload) > LIMITS[channel].queue_bytes_max:
            return False
        self.queues[channel].append(payload)
        self.queued_bytes[channel] += len(payload)
        return True

    def pop(self) -> tuple[ChannelName, bytes] | None:
        for channel, queue in self.queues.items():
            if queue:
                payload = queue.popleft()
                self.queued_bytes[channel] -= len(payload)
                return channel, payload
        return None


class MemoryNetwork:
    """One endpoint of a `MemoryHub`; keeps the promises of `network.Network`."""

    def __init__(self, hub: MemoryHub, configuration: NetworkConfiguration) -> None:
        self.configuration = configuration
        self.name = configuration.name
        self.peer_id = compute_peer_id(configuration.open.seed)
        self.known = frozenset(peer.name for peer in configuration.peers)
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
        if link is None or channel not in link.queues:
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

    def publish(self, data: bytes, topic: TopicName = "items") -> bool:
        if len(data) > GOSSIP_BYTES_MAX:
            raise ConfigurationError(f"data: {len(data)} bytes are above {GOSSIP_BYTES_MAX}")
        if not carries(self.configuration, topic):
            return False
        self.counters[f"{topic}_published"] += 1
        self._hub.gossip(self, data, topic)
        return True

    def report_bad_item(self, name: str) -> None:
        self.bad_items[name] += 1

    def ban(self, name: str, seconds: float) -> None:
        self.banned_until[name] = trio.current_time() + seconds
        self._hub.disconnect(self.name, name)

    def get_statistics(self) -> NetworkStatistics:
        up = tuple(peer.name for peer in self.configuration.peers if peer.name in self.outgoing)
        counters = {name: self.counters[name] for name in sorted(self.counters)}
        gossip_peers = len(self.outgoing) if self.configuration.is_gossip_enabled else 0
        return NetworkStatistics(up, len(self.outgoing) - len(up), gossip_peers, counters)

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
        self.notify(PeerUp(name) if name in self.known else StrangerUp(name))

    def on_disconnected(self, name: str) -> None:
        """Drop the connection and all that it carried."""
        del self.outgoing[name], self.incoming[name]
        self.notify(PeerDown(name) if name in self.known else StrangerDown(name))

    def on_gossip(self, event: GossipArrived) -> None:
        """Queue one gossip message that is judged good; the oldest goes when `EVENTS_MAX` wait."""
        judge = self.configuration.is_verdict_message
        if event.topic == "verdicts" and not (judge is not None and judge(event.data)):
            self.counters["verdicts_invalid"] += 1
            self.report_bad_item(event.peer_id)
            return
        if len(self._gossip) >= EVENTS_MAX:
            self._gossip.popleft()
            self.counters["gossip_dropped"] += 1
        self._gossip.append(event)
        self.wake()

    def name_peer(self, other: MemoryNetwork) -> str:
        """Return what `other` is called here: by its peer id if it is a stranger."""
        return other.name if other.name in self.known else other.peer_id

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
        """Whether `hold` is in force; either may be named by its peer id."""
        return bool(self._held) and (self.get(sender).name, self.get(receiver).name) in self._held

    def wake(self, name: str) -> None:
        """Let one endpoint look for deliveries."""
        network = self._find(name)
        if network is not None:
            network.wake()

    def connect_all(self) -> None:
        """Connect every pair that may be connected and is not."""
        for first in self._networks.values():
            for peer in first.configuration.peers:
                second = self._networks.get(peer.name)
                if second is not None and second.name not in first.outgoing and self._may_connect(first, second):
                    self._connect(first, second)

    def _connect(self, first: MemoryNetwork, second: MemoryNetwork) -> None:
        is_following = not (first.configuration.is_validator and second.configuration.is_validator)
        channels = _FOLLOWER_CHANNELS if is_following else _VALIDATOR_CHANNELS
        forth, back = _Link(channels), _Link(channels)
        first.on_connected(first.name_peer(second), forth, back)
        second.on_connected(second.name_peer(first), back, forth)

    def disconnect(self, first: str, second: str) -> None:
        """Break the connection of two endpoints, if there is one."""
        one, other = self._find(first), self._find(second)
        if one is not None and other is not None and one.name_peer(other) in one.outgoing:
            one.on_disconnected(one.name_peer(other))
            other.on_disconnected(other.name_peer(one))

    def disconnect_all(self, name: str) -> None:
        """Break every connection of one endpoint."""
        for other in tuple(self._networks[name].outgoing):
            self.disconnect(name, other)

    def gossip(self, origin: MemoryNetwork, data: bytes, topic: TopicName) -> None:
        """Hand `data` to every other endpoint that `origin` reaches, those beyond one validator last."""
        event = GossipArrived(origin.peer_id, data, topic)
        near = [self.get(name) for name in origin.outgoing]
        far = [self.get(name) for network in near for name in network.outgoing]
        for network in dict.fromkeys((*near, *far)):
            if network is not origin and carries(network.configuration, topic):
                network.on_gossip(event)

    def _find(self, name: str) -> MemoryNetwork | None:
        """Return the endpoint of this name or open peer id; of several with one id, the one that runs."""
        found = self._networks.get(name)
        if found is not None:
            return found
        of_id = [network for network in self._networks.values() if network.peer_id == name]
        return next((network for network in of_id if network.is_running), of_id[0] if of_id else None)

    def get(self, name: str) -> MemoryNetwork:
        """Return the endpoint of this name or open peer id; raises `ConfigurationError` if there is none."""
        network = self._find(name)
        if network is None:
            raise ConfigurationError(f"name: there is no endpoint {name}")
        return network

    def _may_connect(self, first: MemoryNetwork, second: MemoryNetwork) -> bool:
        now = trio.current_time()
        return (
            first.is_running
            and second.is_running
            and frozenset((first.name, second.name)) not in self._cut
            and second.configuration.is_validator
            and (first.name in second.known or not first.configuration.is_validator)
            and first.banned_until.get(second.name, now) <= now
            and second.banned_until.get(second.name_peer(first), now) <= now
        )
