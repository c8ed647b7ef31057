"""Hold what one topic of gossip has waiting in both directions, within the bounds of the topic.

Promises: what is published leaves at the topic's own pace and in order; what one origin publishes is
bounded in bytes; a full queue drops the newest, and every drop has a counter of its own that
begins with the topic's name. Topics share nothing, so a flood on one delays no other.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

import trio

from p2p.budget import OriginBudget
from p2p.errors import ConfigurationError
from p2p.network import GossipArrived, NetworkConfiguration
from p2p.protocols import (
    GOSSIP_BYTES_MAX,
    GOSSIP_INBOX_MAX,
    GOSSIP_PUBLISH_QUEUE_MAX,
    TopicName,
    get_gossip_topic,
)


def carries(configuration: NetworkConfiguration, topic: TopicName) -> bool:
    """Tell whether a node with this configuration subscribes to the topic and publishes on it."""
    return configuration.is_gossip_enabled if topic == "items" else configuration.is_verdict_message is not None


def make_topics(configuration: NetworkConfiguration, counters: Counter[str]) -> dict[TopicName, Topic]:
    """Return the topics that a node with this configuration carries."""
    names: tuple[TopicName, ...] = ("items", "verdicts")
    paces = {"items": configuration.gossip_publish_seconds, "verdicts": configuration.verdict_publish_seconds}
    judges = {"items": None, "verdicts": configuration.is_verdict_message}
    return {
        name: Topic(name, configuration.network_id, paces[name], judges[name], counters)
        for name in names
        if carries(configuration, name)
    }


class Topic:
    """One topic of this node."""

    def __init__(
        self,
        name: TopicName,
        network_id: bytes,
        publish_seconds: float,
        is_valid: Callable[[bytes], bool] | None,
        counters: Counter[str],
    ) -> None:
        """`is_valid` judges content before it is delivered or forwarded; None takes everything."""
        self.id = get_gossip_topic(name, network_id)
        """What it is called on the wire."""
        self.publish_seconds = publish_seconds
        """Least time between two publications."""
        self._name = name
        self._is_valid = is_valid
        self._counters = counters
        self._budget = OriginBudget()
        self._outbox: deque[bytes] = deque()
        self._inbox: deque[GossipArrived] = deque()
        self._outbox_filled = trio.Event()
        self._inbox_filled = trio.Event()

    def count(self, effect: str) -> None:
        """Count a named effect of this topic."""
        self._counters[f"{self._name}_{effect}"] += 1

    def publish(self, data: bytes) -> bool:
        """Queue `data`; False when `GOSSIP_PUBLISH_QUEUE_MAX` wait already."""
        if len(data) > GOSSIP_BYTES_MAX:
            raise ConfigurationError(f"data: {len(data)} bytes are above {GOSSIP_BYTES_MAX}")
        if len(self._outbox) >= GOSSIP_PUBLISH_QUEUE_MAX:
            self.count("outbox_full")
            return False
        self._outbox.append(data)
        self._outbox_filled.set()
        return True

    async def take_outgoing(self) -> bytes:
        """Wait for the oldest publication."""
        while not self._outbox:
            self._outbox_filled = trio.Event()
            await self._outbox_filled.wait()
        return self._outbox.popleft()

    async def take_incoming(self) -> GossipArrived:
        """Wait for the oldest message that arrived."""
        while not self._inbox:
            self._inbox_filled = trio.Event()
            await self._inbox_filled.wait()
        return self._inbox.popleft()

    def is_within_budget(self, origin: str, data: bytes) -> bool:
        """Charge the origin for one message; False when it has published too much."""
        if self._budget.take(origin, len(data), trio.current_time()):
            return True
        self.count("over_budget")
        return False

    def is_valid(self, data: bytes) -> bool:
        """Tell whether the content may be delivered and forwarded."""
        if self._is_valid is None or self._is_valid(data):
            return True
        self.count("invalid")
        return False

    def take_in(self, origin: str, data: bytes) -> None:
        """Queue a message for the owner; dropped and counted when `GOSSIP_INBOX_MAX` wait."""
        if len(self._inbox) >= GOSSIP_INBOX_MAX:
            self.count("inbox_full")
            return
        self.count("received")
        self._inbox.append(GossipArrived(origin, data, self._name))
        self._inbox_filled.set()
