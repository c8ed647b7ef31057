"""Define what the rest of the node may ask of the network, and what it is told.

Promises that every implementation keeps:

* A `MessageArrived` names a sender that proved who it is, and lies between a `PeerUp` and the
  next `PeerDown` of that sender. Messages of one sender and channel arrive in the order sent,
  each once, with no gap; a `PeerDown` means that an unknown suffix of what was sent is lost.
* Both sides see a break: after a `PeerDown` on one side the other side has one too.
* Nothing blocks the caller. Every queue has a bound, and a full one has a named effect.

Events are taken from `events` one by one; a slow reader slows its peers, and costs no memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import trio

from p2p.errors import ConfigurationError
from p2p.protocols import (
    GOSSIP_PUBLISH_SECONDS,
    NETWORK_ID_BYTES_MIN,
    STRANGERS_MAX,
    VERDICT_PUBLISH_SECONDS,
    ChannelName,
    TopicName,
)

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus

SEED_BYTES = 32
"""Length of the seed of a host's Ed25519 identity."""


@dataclass(frozen=True, slots=True)
class HostPeer:
    """One host of another node: who it must prove to be, and where it listens."""

    peer_id: str
    """libp2p peer id, base58."""
    address: str
    """Multiaddress without the peer id, as /ip4/127.0.0.1/tcp/21000."""


@dataclass(frozen=True, slots=True)
class RemotePeer:
    """Another validator with its three hosts."""

    name: str
    votes: HostPeer
    data: HostPeer
    open: HostPeer


@dataclass(frozen=True, slots=True)
class LocalHost:
    """One host of this node."""

    seed: bytes = field(repr=False)
    """32 secret bytes; the Ed25519 identity (`identity.compute_peer_id`) is derived from them."""
    address: str
    """Multiaddress to listen on; port 0 lets the system choose."""


@dataclass(frozen=True, slots=True)
class NetworkConfiguration:
    """Everything that a network needs to know before it starts."""

    name: str
    """Own name; no peer bears it."""
    network_id: bytes
    """≥ 8 bytes; nodes with another first 8 bytes never understand each other."""
    open: LocalHost
    """Host for gossip and followers."""
    votes: LocalHost | None
    """Host for votes; None exactly on a full node."""
    data: LocalHost | None
    """Host for data; None exactly on a full node."""
    peers: tuple[RemotePeer, ...]
    """All other validators, names distinct."""
    open_peer_ids_allowed: frozenset[str] = frozenset()
    """Peer ids that the open host always serves, beyond the bound on strangers."""
    strangers_max: int = STRANGERS_MAX
    """Strangers that the open host serves at once, ≥ 0."""
    is_gossip_enabled: bool = True
    """Whether the topic of items is subscribed to and published on."""
    is_verdict_message: Callable[[bytes], bool] | None = None
    """Judges what arrives on the topic of verdicts, before it is forwarded; cheap, and raises nothing.

    None: nobody here cares for verdicts, and the topic is neither subscribed to nor published on."""
    gossip_publish_seconds: float = GOSSIP_PUBLISH_SECONDS
    """Least time between two publications of items by this node, > 0."""
    verdict_publish_seconds: float = VERDICT_PUBLISH_SECONDS
    """The same for verdicts."""
    heartbeat_seconds: float = 1.0
    """Interval of heartbeats on each stream, > 0."""
    silence_seconds: float = 4.0
    """A peer that is silent for this long is closed; ≥ 2 heartbeats."""
    dial_delay_seconds_min: float = 0.5
    """First pause after a failed dial, > 0."""
    dial_delay_seconds_max: float = 5.0
    """Longest pause between dials."""

    def __post_init__(self) -> None:
        names = [peer.name for peer in self.peers]
        if self.name in names or len(set(names)) != len(names):
            raise ConfigurationError("peers: names must be distinct and differ from the own name")
        if len(self.network_id) < NETWORK_ID_BYTES_MIN:
            raise ConfigurationError(f"network_id: needs at least {NETWORK_ID_BYTES_MIN} bytes")
        if (self.votes is None) != (self.data is None):
            raise ConfigurationError("votes, data: a validator has both hosts, a full node has neither")
        for role, host in (("votes", self.votes), ("data", self.data), ("open", self.open)):
            if host is not None and len(host.seed) != SEED_BYTES:
                raise ConfigurationError(f"{role}.seed: must have {SEED_BYTES} bytes")
        if not 0 < 2 * self.heartbeat_seconds <= self.silence_seconds:
            raise ConfigurationError("silence_seconds: must be at least two heartbeats")
        if not 0 < self.dial_delay_seconds_min <= self.dial_delay_seconds_max:
            raise ConfigurationError("dial_delay_seconds_min: must lie between 0 and dial_delay_seconds_max")

    @property
    def is_validator(self) -> bool:
        """Whether this node has votes and data hosts."""
        return self.votes is not None


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A configured peer is usable both ways: votes and data on a validator, open on a full node."""

    name: str


@dataclass(frozen=True, slots=True)
class PeerDown:
    """A configured peer is no longer usable; an unknown suffix of what was sent is lost."""

    name: str


@dataclass(frozen=True, slots=True)
class StrangerUp:
    """A follower opened the channel `open` to this validator; its peer id is its name."""

    name: str


@dataclass(frozen=True, slots=True)
class StrangerDown:
    """That follower is gone."""

    name: str


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """One whole message of a peer that is up."""

    name: str
    """Name of a configured peer, or the peer id of a follower (channel `open` only)."""
    channel: ChannelName
    payload: bytes


@dataclass(frozen=True, slots=True)
class GossipArrived:
    """One gossip message, whose origin signed it; may come again after a long time."""

    peer_id: str
    """Open peer id of the origin, not of the forwarder."""
    data: bytes
    """At most 64 KiB."""
    topic: TopicName = "items"


NetworkEvent: TypeAlias = PeerUp | PeerDown | StrangerUp | StrangerDown | MessageArrived | GossipArrived


@dataclass(frozen=True, slots=True)
class NetworkStatistics:
    """How the network is doing; counters only grow."""

    peers_up: tuple[str, ...]
    """Names of configured peers that are up, in the order of the configuration."""
    strangers: int
    """Open connections of peers outside the configuration."""
    gossip_peers: int
    """Open peers that share the topic of items, or that of verdicts where there is no other."""
    counters: dict[str, int]
    """Named effects of limits and faults, as `data_queue_full`; sorted by name; absent means 0."""


class Network(Protocol):
    """Carry messages to and from peers."""

    @property
    def events(self) -> trio.MemoryReceiveChannel[NetworkEvent]:
        """What happened, in order; read by one task. Ends when `run` ends."""

    def send(self, name: str, channel: ChannelName, payload: bytes) -> bool:
        """Queue `payload` for a peer that is up; never blocks.

        False means that it will not arrive: peer not up, channel not shared, or queue full (then
        counted; a full votes queue also closes the peer). True promises order, not arrival.
        Raises `ConfigurationError` on a payload above the channel's limit.
        """

    def broadcast(self, channel: ChannelName, payload: bytes) -> None:
        """Send to every configured peer that is up."""

    def publish(self, data: bytes, topic: TopicName = "items") -> bool:
        """Queue `data` for gossip, at most 4 a second leave (of verdicts 20).

        False when 16 wait already or the topic is off. Raises `ConfigurationError` above 64 KiB. The publisher
        gets no `GossipArrived` of its own.
        """

    def report_bad_item(self, name: str) -> None:
        """Count a bad item of an open peer; the third one bans it for 60 s."""

    def ban(self, name: str, seconds: float) -> None:
        """Close a peer (name or open peer id) and refuse it for `seconds`."""

    def get_statistics(self) -> NetworkStatistics:
        """Return a snapshot."""

    def get_listen_addresses(self) -> dict[ChannelName, str]:
        """Return the real multiaddress of each own host; valid once `run` has started."""

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled; started when every own host accepts connections.

        Raises `ListenError` naming the address that cannot be had.
        """
