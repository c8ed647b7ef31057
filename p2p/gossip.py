"""Gossip the topics of the open host: gossipsub 1.1 with the settings that lose nothing at our rates.

What differs from libp2p's defaults, and why:

* no rate limit of 10 messages a second and forwarder, which loses bursts (hazard a); instead each
  origin has a budget of bytes;
* queues of 512 messages per peer instead of 32, and delivery through the topic validator, since
  the subscription's own queue holds 32 and drops (hazard b);
* a heartbeat each second instead of each 120; StrictSign stays on: the origin is authenticated;
* the id of a message is the hash of its topic and content, so that copies by several origins are one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from libp2p.abc import ISubscriptionAPI
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.pubsub import rpc_queue
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service

from p2p.budget import OriginBudget
from p2p.host import Host
from p2p.network import NetworkEvent
from p2p.protocols import (
    GOSSIP_BYTES_MAX,
    GOSSIP_FORWARDER_BURST_BYTES,
    GOSSIP_FORWARDER_BYTES_PER_SECOND,
    GOSSIP_PEER_QUEUE_MAX,
)
from p2p.topic import Topic

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus

MESSAGE_ID_BYTES: Final = 20
_PROTOCOL: Final = TProtocol("/meshsub/1.1.0")
_RPC_BYTES_MAX: Final = 1 << 20
"""Largest gossip packet; libp2p resets the stream above it."""


class _GuardedPubsub(Pubsub):
    """Drop what a peer hands on above its budget, and whatever its parser chokes on; both are counted.

    libp2p lets the failure of one message end its service, and with it the node.
    """

    counters: Counter[str]
    forwarders: OriginBudget

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        is_own = msg_forwarder == self.my_id
        if not is_own and not self.forwarders.take(str(msg_forwarder), len(msg.data), trio.current_time()):
            self.counters["gossip_forwarder_over_budget"] += 1
            return
        try:
            await super().push_msg(msg_forwarder, msg)
        except Exception:  # noqa: BLE001  # a malformed key or signature raises whatever its parser likes; the message is dropped
            self.counters["gossip_malformed"] += 1


class Gossip:
    """Publish to and hear from the topics of one network."""

    def __init__(
        self,
        host: Host,
        topics: Sequence[Topic],
        is_banned: Callable[[str], bool],
        report_bad_item: Callable[[str], None],
        counters: Counter[str],
    ) -> None:
        """`report_bad_item` is called with the origin of a message whose content is not what its topic carries."""
        _lift_queue_limit()
        self._own_peer_id = host.peer_id
        self._topics = topics
        self._is_banned = is_banned
        self._report_bad_item = report_bad_item
        self._router = GossipSub([_PROTOCOL], 8, 6, 12, heartbeat_interval=1, spam_protection_enabled=False)
        self._pubsub = _GuardedPubsub(
            host.libp2p_host,
            self._router,
            strict_signing=True,
            msg_id_constructor=_compute_message_id,
            validation_cache_size=2,
            max_inbound_rpc_size=_RPC_BYTES_MAX,
            allowed_topics={topic.id for topic in topics},
        )
        self._pubsub.counters = counters
        self._pubsub.forwarders = OriginBudget(GOSSIP_FORWARDER_BYTES_PER_SECOND, GOSSIP_FORWARDER_BURST_BYTES)
        for topic in topics:
            self._pubsub.set_topic_validator(topic.id, partial(self._on_message, topic), False)

    @property
    def peer_count(self) -> int:
        """Peers that share the first topic."""
        return len(self._pubsub.peer_topics.get(self._topics[0].id, ()))

    async def run(
        self,
        events: trio.MemorySendChannel[NetworkEvent],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run until cancelled; started when the topics are subscribed to. The host runs already."""
        try:
            async with background_trio_service(self._pubsub), background_trio_service(self._router):
                await self._pubsub.wait_until_ready()
                subscriptions = [await self._pubsub.subscribe(topic.id) for topic in self._topics]
                task_status.started()
                async with trio.open_nursery() as nursery:
                    for topic, subscription in zip(self._topics, subscriptions, strict=True):
                        nursery.start_soon(self._publish_paced, topic)
                        nursery.start_soon(_deliver, topic, events)
                        nursery.start_soon(_drain, subscription)
        finally:
            self._pubsub.seen_messages.stop()  # its sweeper is a thread

    async def _publish_paced(self, topic: Topic) -> None:
        while True:
            await self._pubsub.publish(topic.id, await topic.take_outgoing())
            topic.count("published")
            await trio.sleep(topic.publish_seconds)

    def _on_message(self, topic: Topic, forwarder: ID, message: rpc_pb2.Message) -> bool:
        """Judge one new message whose signature holds; False drops it here and is not forwarded."""
        origin = str(ID(message.from_id))
        if origin == self._own_peer_id:
            return str(forwarder) == self._own_peer_id
        if len(message.data) > GOSSIP_BYTES_MAX or self._is_banned(origin):
            topic.count("refused")
            return False
        if not topic.is_within_budget(origin, message.data):
            return False
        if not topic.is_valid(message.data):
            self._report_bad_item(origin)
            return False
        topic.take_in(origin, message.data)
        return True


async def _deliver(topic: Topic, events: trio.MemorySendChannel[NetworkEvent]) -> None:
    while True:
        await events.send(await topic.take_incoming())


async def _drain(subscription: ISubscriptionAPI) -> None:
    # The validator delivered already; an unread subscription would log each message it drops.
    async for _ in subscription:
        pass


def _compute_message_id(message: rpc_pb2.Message) -> bytes:
    # With its topic: what was seen on one says nothing of the other.
    topics = "".join(f"{topic}\0" for topic in message.topicIDs)
    return hashlib.sha256(topics.encode() + message.data).digest()[:MESSAGE_ID_BYTES]


def _lift_queue_limit() -> None:
    # libp2p has no argument for it; the second default is the size of a packet, which stays.
    rpc_queue.RpcQueue.__init__.__defaults__ = (GOSSIP_PEER_QUEUE_MAX, rpc_queue.DefaultMaxMessageSize)
