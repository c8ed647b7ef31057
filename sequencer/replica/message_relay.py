"""See to it that messages between rollups arrive, without any client's doing. # A19

Who executes a source proves its undelivered messages by the newest remembered outbox root, and keeps a proof for as
long as that root is remembered. A validator puts them into its lane by rank. Messages of split sources, which most
validators do not execute, are gossiped by those who do; a validator that gets a good one relays it like its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.mempool.mempool import AddToLane
from sequencer.replica.ranked_inclusion import RankedInclusion, Wanted
from sequencer.types.effects import PublishItems
from sequencer.types.item import CheckedItem
from sequencer.types.message import Delivery
from sequencer.types.outcome import Rejection
from sequencer.types.primitives import Bounds, Digest, Height, Instant, RollupId

RELAYED_PER_SOURCE_MAX = 128
"""Messages of one source that are relayed at once, the oldest first; the others wait."""
GOSSIPED_MAX = 1_024
"""Deliveries remembered that came by gossip; a further one is dropped and counted."""
PUBLISH_AGAIN_HEIGHTS = 16
"""Executed heights after which a message that is still undelivered is gossiped again."""
DELIVERY_HEIGHTS_PER_RANK = 8
"""Executed heights that each rank leaves to the one before it: longer than an item takes from a lane to its execution,
for no deadline runs, and a second copy of each message would be ordered for nothing."""
TRY_AGAIN_HEIGHTS = 64
"""Executed heights after which all ranks have another turn: a destination may have been full, a lane may have died."""


class Outboxes(Protocol):
    """What the relay asks of the executor: all as of the newest executed block."""

    @property
    def height(self) -> Height: ...
    def get_undelivered(self) -> Mapping[RollupId, Sequence[Digest]]: ...
    def prove_message(self, source: RollupId, message_id: Digest) -> Delivery | None: ...
    def check_delivery(self, delivery: Delivery) -> Rejection | None: ...


@dataclass(slots=True)
class RelayCounters:
    """For the statistics."""

    gossiped: int = 0
    """Deliveries taken in from gossip."""
    gossiped_dropped: int = 0
    """Deliveries from gossip that found `GOSSIPED_MAX` others."""


class MessageRelay:
    """The messages that this node helps on their way."""

    def __init__(
        self, outboxes: Outboxes, split_sources: Iterable[RollupId], door: RankedInclusion, lag_max: int
    ) -> None:
        """`door` leads into the own lane, if there is one; up to `lag_max` unexecuted blocks leaders still order."""
        self._lag_max = lag_max
        self._outboxes = outboxes
        self._split_sources = frozenset(split_sources)
        self._door = door
        self._is_moved = False
        self._own: dict[Digest, Delivery] = {}
        self._gossiped: dict[Digest, Delivery] = {}
        self._published: dict[Digest, Height] = {}
        """Height at which a message was gossiped last."""
        self.counters = RelayCounters()

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table. # I11"""
        return {"deliveries_gossiped": (len(self._gossiped), GOSSIPED_MAX)}

    def get_counters(self) -> dict[str, int]:
        """Return what was done and refused, by name."""
        return {
            "deliveries_gossiped": self.counters.gossiped,
            "deliveries_dropped": self.counters.gossiped_dropped,
            "deliveries_included": self._door.included,
        }

    def move_to(self, outboxes: Outboxes, add_to_lane: AddToLane | None) -> None:
        """Go on above another state and with another own lane. # R2"""
        self._outboxes = outboxes
        self._door.move_to(add_to_lane)
        self._own.clear()

    def on_gossiped(self, checked: Sequence[CheckedItem]) -> None:
        """Remember deliveries that would take effect; anything else is no business of the relay."""
        for delivery in checked:
            if not isinstance(delivery, Delivery) or delivery.message.id in self._gossiped:
                continue  # one good proof is enough: another one would be another item, with a turn of its own
            if not self._is_good(delivery):
                continue
            if len(self._gossiped) >= GOSSIPED_MAX:
                self.counters.gossiped_dropped += 1
                continue
            self.counters.gossiped += 1
            self._gossiped[delivery.message.id] = delivery

    def on_executed(self) -> None:
        """A block was executed."""
        self._is_moved = True

    def settle(self, lag: int, now: Instant) -> list[PublishItems]:
        """Put what is due into the lane, if a block was executed; return what only few can prove, for gossip.

        `lag` counts finalized blocks that are not executed yet: with many of them most of it has arrived.
        """
        if not self._is_moved or lag > self._lag_max:
            return []
        self._is_moved = False
        self._own = self._prove_own()
        self._gossiped = {found: one for found, one in self._gossiped.items() if self._is_good(one)}
        deliveries = {**self._gossiped, **self._own}
        height = self._outboxes.height
        self._door.include([_want(delivery, height) for delivery in deliveries.values()], height, now)
        return self._publish([one for one in self._own.values() if one.message.source in self._split_sources])

    def _prove_own(self) -> dict[Digest, Delivery]:
        """Return a delivery per message that can be proven here, the one of before while it is still good.

        Who has no lane leaves the messages of native sources to those who have.
        """
        proven: dict[Digest, Delivery] = {}
        for source, message_ids in self._outboxes.get_undelivered().items():
            if not self._door.has_lane and source not in self._split_sources:
                continue
            for message_id in islice(message_ids, RELAYED_PER_SOURCE_MAX):
                delivery = self._own.get(message_id)
                if delivery is None or not self._is_good(delivery):
                    delivery = self._outboxes.prove_message(source, message_id)
                if delivery is not None:
                    proven[message_id] = delivery
        return proven

    def _is_good(self, delivery: Delivery) -> bool:
        return self._outboxes.check_delivery(delivery) is None

    def _publish(self, deliveries: Sequence[Delivery]) -> list[PublishItems]:
        height = self._outboxes.height
        last = {one.message.id: self._published.get(one.message.id, -PUBLISH_AGAIN_HEIGHTS) for one in deliveries}
        due = [one for one in deliveries if height - last[one.message.id] >= PUBLISH_AGAIN_HEIGHTS]
        last.update((one.message.id, height) for one in due)
        self._published = last
        return [PublishItems(tuple(one.item_bytes for one in due))] if due else []


def _want(delivery: Delivery, height: Height) -> Wanted:
    """With another proof, or after 64 heights, it may have its turn again."""
    message_id = delivery.message.id
    attempt = (height + message_id[0]) // TRY_AGAIN_HEIGHTS  # messages differ in when theirs begins
    item_id = hash_tagged(Tag.ITEM, attempt.to_bytes(8, "big"), delivery.item_bytes)
    return Wanted(message_id, item_id, delivery.item_bytes)
