"""Gossip on the open host: gossipsub 1.1 with the settings that lose nothing at our rates.

What differs from libp2p's defaults, and why:

* no rate limit of 10 messages a second and forwarder, which loses bursts (hazard a); instead each
  origin has a budget of bytes;
* queues of 512 messages per peer instead of 32, and delivery through the topic validator, since
  the subscription's own queue holds 32 and drops (hazard b);
* a heartbeat each second instead of each 120; StrictSign stays on: the origin is authenticated;
* the id of a message is the hash of its content, so that copies by several origins are one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.pubsub import rpc_queue
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service

from p2p.budget import OriginBudget
from p2p.errors import ConfigurationError
from p2p.host import Host
from p2p.network import GossipArrived, NetworkEvent
from p2p.protocols import (
    GOSSIP_BYTES_MAX,
    GOSSIP_FORWARDER_BURST_BYTES,
    GOSSIP_FORWARDER_BYTES_PER_SECOND,
    GOSSIP_INBOX_MAX,
    GOSSIP_PEER_QUEUE_MAX,
    GOSSIP_PUBLISH_QUEUE_MAX,
)

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
    """Publish to and hear from one topic."""

    def __init__(
        self,
        host: Host,
        topic: str,
        is_banned: Callable[[str], bool],
        counters: Counter[str],
        publish_seconds: float,
    ) -> None:
        _lift_queue_limit()
        self._own_peer_id = host.peer_id
        self._topic = topic
        self._is_banned = is_banned
        self._publish_seconds = publish_seconds
        self._counters = counters
        self._budget = OriginBudget()
        self._outbox: deque[bytes] = deque()
        self._inbox: deque[GossipArrived] = deque()
        self._outbox_filled = trio.Event()
        self._inbox_filled = trio.Event()
        self._router = GossipSub([_PROTOCOL], 8, 6, 12, heartbeat_interval=1, spam_protection_enabled=False)
        self._pubsub = _GuardedPubsub(
            host.libp2p_host,
            self._router,
            strict_signing=True,
            msg_id_constructor=_compute_message_id,
            validation_cache_size=2,
            max_inbound_rpc_size=_RPC_BYTES_MAX,
            allowed_topics={topic},
        )
        self._pubsub.counters = counters
        self._pubsub.forwarders = OriginBudget(GOSSIP_FORWARDER_BYTES_PER_SECOND, GOSSIP_FORWARDER_BURST_BYTES)
        self._pubsub.set_topic_validator(topic, self._on_message, False)

    @property
    def peer_count(self) -> int:
        """Peers that share the topic."""
        return len(self._pubsub.peer_topics.get(self._topic, ()))

    def publish(self, data: bytes) -> bool:
        """Queue `data`; False when `GOSSIP_PUBLISH_QUEUE_MAX` wait already."""
        if len(data) > GOSSIP_BYTES_MAX:
            raise ConfigurationError(f"data: {len(data)} bytes are above {GOSSIP_BYTES_MAX}")
        if len(self._outbox) >= GOSSIP_PUBLISH_QUEUE_MAX:
            self._counters["gossip_outbox_full"] += 1
            return False
        self._outbox.append(data)
        self._outbox_filled.set()
        return True

    async def run(
        self,
        events: trio.MemorySendChannel[NetworkEvent],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run until cancelled; started when the topic is subscribed to. The host runs already."""
        try:
            async with background_trio_service(self._pubsub), background_trio_service(self._router):
                await self._pubsub.wait_until_ready()
                subscription = await self._pubsub.subscribe(self._topic)
                task_status.started()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._publish_paced)
                    nursery.start_soon(self._deliver, events)
                    # The validator delivered already; an unread subscription would log each message it drops.
                    async for _ in subscription:
                        pass
        finally:
            self._pubsub.seen_messages.stop()  # its sweeper is a thread

    async def _publish_paced(self) -> None:
        while True:
            while not self._outbox:
                self._outbox_filled = trio.Event()
                await self._outbox_filled.wait()
            await self._pubsub.publish(self._topic, self._outbox.popleft())
            self._counters["gossip_published"] += 1
            await trio.sleep(self._publish_seconds)

    async def _deliver(self, events: trio.MemorySendChannel[NetworkEvent]) -> None:
        while True:
            while not self._inbox:
                self._inbox_filled = trio.Event()
                await self._inbox_filled.wait()
            await events.send(self._inbox.popleft())

    def _on_message(self, forwarder: ID, message: rpc_pb2.Message) -> bool:
        """Judge one new message whose signature holds; False drops it here and is not forwarded."""
        origin = str(ID(message.from_id))
        if origin == self._own_peer_id:
            return str(forwarder) == self._own_peer_id
        if len(message.data) > GOSSIP_BYTES_MAX or self._is_banned(origin):
            self._counters["gossip_refused"] += 1
            return False
        if not self._budget.take(origin, len(message.data), trio.current_time()):
            self._counters["gossip_over_budget"] += 1
            return False
        self._take_in(GossipArrived(origin, message.data))
        return True

    def _take_in(self, event: GossipArrived) -> None:
        if len(self._inbox) >= GOSSIP_INBOX_MAX:
            self._counters["gossip_inbox_full"] += 1
            return
        self._counters["gossip_received"] += 1
        self._inbox.append(event)
        self._inbox_filled.set()


def _compute_message_id(message: rpc_pb2.Message) -> bytes:
    return hashlib.sha256(message.data).digest()[:MESSAGE_ID_BYTES]


def _lift_queue_limit() -> None:
    # libp2p has no argument for it; the second default is the size of a packet, which stays.
    rpc_queue.RpcQueue.__init__.__defaults__ = (GOSSIP_PEER_QUEUE_MAX, rpc_queue.DefaultMaxMessageSize)
