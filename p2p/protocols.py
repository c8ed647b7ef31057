"""State every protocol id, limit and interval of the wire in one table.

Promises: two networks with different ids share no protocol id, so their nodes never talk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

ChannelName: TypeAlias = Literal["votes", "data", "open"]
TopicName: TypeAlias = Literal["items", "verdicts"]

NETWORK_ID_BYTES_MIN: Final = 8
"""Bytes of a network id that protocol ids show, as 16 hex digits."""
RECORD_BYTES_MAX: Final = 65_507
"""Largest record with its header, and largest write: with 12 bytes of yamux it fills one noise message."""
CREDIT_BYTES: Final = 256 << 10
"""Bytes that one side may have sent and not yet seen acknowledged, per connection. # hazard e"""
CREDIT_GRANT_BYTES: Final = 64 << 10
"""A receiver acknowledges when this many bytes have been taken since its last acknowledgement."""
READ_BYTES: Final = 256 << 10
"""Bytes that one read of a stream asks for."""
PARTIAL_MESSAGE_SECONDS: Final = 20.0
"""Longest time between the first and last byte of one message; longer closes the connection (slow loris)."""

GOSSIP_BYTES_MAX: Final = 64 << 10
"""Largest payload of one gossip message."""
GOSSIP_PUBLISH_SECONDS: Final = 0.25
"""Least time between two publications of items by this node (4 per second)."""
VERDICT_PUBLISH_SECONDS: Final = 0.05
"""The same for verdicts (20 per second): a bundle waits for them at every height."""
GOSSIP_PUBLISH_QUEUE_MAX: Final = 16
"""Publications of one topic that may wait; a further one is refused and counted."""
GOSSIP_ORIGIN_BYTES_PER_SECOND: Final = 512 << 10
"""Bytes per second that one origin may publish on one topic; what is above is dropped and counted."""
GOSSIP_ORIGIN_BURST_BYTES: Final = 2 << 20
"""Bytes that one origin may publish at once after a pause."""
GOSSIP_FORWARDER_BYTES_PER_SECOND: Final = 4 << 20
"""Bytes per second that one peer may hand on, by whomever; what is above is dropped before its signature is checked."""
GOSSIP_FORWARDER_BURST_BYTES: Final = 16 << 20
"""Bytes that one peer may hand on at once after a pause."""
GOSSIP_MESSAGE_COST_BYTES: Final = 8 << 10
"""What a message costs its origin beside its bytes, so that many small ones are bounded too (64 a second)."""
GOSSIP_ORIGINS_MAX: Final = 1024
"""Origins whose budget is remembered; the longest silent one is forgotten first."""
GOSSIP_INBOX_MAX: Final = 256
"""Gossip messages of one topic that wait for the owner; a further one is forwarded, counted and not delivered."""
GOSSIP_PEER_QUEUE_MAX: Final = 512
"""Messages that wait for one gossip peer; libp2p's own bound of 32 loses bursts. # hazard b"""

STRANGERS_MAX: Final = 64
"""Peers outside the configuration that the open host serves at once; a further one is closed."""
BAD_ITEMS_MAX: Final = 3
"""Bad items of one open peer that lead to a ban."""
BAN_SECONDS: Final = 60.0
"""How long such a ban lasts."""
BANS_MAX: Final = 1024
"""Bans remembered at once; the one that ends first goes first."""

EVENTS_MAX: Final = 1024
"""Events that wait for the owner; then delivery waits, and with it the peers' credit."""


PACE_BURST_SECONDS: Final = 4.0
"""A session that was quiet may go this far ahead of its pace."""
CONTROL_RECORDS_MAX: Final = 4096
"""Heartbeats and acknowledgements that a peer may send between two of our beats; an honest one sends a few."""


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """What one channel carries and what happens when its queue is full."""

    path: str
    """Middle of the protocol id."""
    message_bytes_max: int
    """Largest message; a larger one from a peer closes the connection."""
    queue_bytes_max: int
    """Bytes that may wait for the writer of one peer."""
    is_closed_when_full: bool
    """Full queue: close the connection (True), or refuse the message and count it (False)."""
    messages_per_second: int
    """Pace at which one peer's messages are taken; faster ones wait."""
    bytes_per_second: int
    """The same by size; a message costs its share of both."""


LIMITS: Final[dict[ChannelName, ChannelLimits]] = {
    "votes": ChannelLimits("votes", 1 << 20, 4 << 20, True, 500, 1 << 20),
    "data": ChannelLimits("data", 4 << 20, 16 << 20, False, 500, 16 << 20),
    "open": ChannelLimits("follow", 4 << 20, 8 << 20, False, 20, 16 << 20),
}
"""The one table of channel limits."""


def get_protocol_id(channel: ChannelName, network_id: bytes) -> str:
    """Return the protocol id of `channel`, as /sequencer/votes/1/0011223344556677."""
    return f"/sequencer/{LIMITS[channel].path}/1/{network_id[:NETWORK_ID_BYTES_MIN].hex()}"


def get_gossip_topic(topic: TopicName, network_id: bytes) -> str:
    """Return what a topic of this network is called on the wire, as /sequencer/items/1/0011223344556677."""
    return f"/sequencer/{topic}/1/{network_id[:NETWORK_ID_BYTES_MIN].hex()}"
