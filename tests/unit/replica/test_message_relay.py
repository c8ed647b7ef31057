"""Messages reach a lane by the one whose rank it is, and the validators that cannot prove them by gossip. # A19"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from sequencer.mempool.ranking import compute_rank
from sequencer.replica import message_relay
from sequencer.replica.message_relay import PUBLISH_AGAIN_HEIGHTS, TRY_AGAIN_HEIGHTS, MessageRelay
from sequencer.replica.ranked_inclusion import HEIGHTS_PER_RANK, RankedInclusion
from sequencer.types.message import CrossMessage, Delivery
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import Digest, Instant, RollupId
from sequencer.types.receipt import MerklePath
from tests.unit.core_world import at, name_digest

SIZE = 4
LAG_MAX = 32
NATIVE, SPLIT, THERE = 1, 2, 3
PATH = MerklePath(0, 1, ())


def make_message(name: str = "message", source: int = NATIVE) -> CrossMessage:
    return CrossMessage(source, THERE, "USD", name_digest("from"), name_digest("to"), 5, name_digest(name), 0, 0)


class World:
    """An executor reduced to outboxes: messages, the newest root's height, the heights remembered."""

    def __init__(self, *messages: CrossMessage) -> None:
        self.height = 10
        self.messages = {message.id: message for message in messages}
        self.root_height: int | None = 10
        self.remembered = {10}
        self.delivered: set[Digest] = set()
        self.proofs_made = 0

    def get_undelivered(self) -> Mapping[RollupId, Sequence[Digest]]:
        sources = dict.fromkeys(message.source for message in self.messages.values())
        return {
            source: [found for found, message in self.messages.items() if message.source == source]
            for source in sources
        }

    def prove_message(self, source: RollupId, message_id: Digest) -> Delivery | None:
        self.proofs_made += 1
        return None if self.root_height is None else Delivery(self.messages[message_id], self.root_height, PATH)

    def check_delivery(self, delivery: Delivery) -> Rejection | None:
        if delivery.message.id in self.delivered:
            return Rejection(Reason.DELIVERED, "item")
        return None if delivery.height in self.remembered else Rejection(Reason.NO_PROOF, "item")


class Node:
    """A relay with a lane that takes everything."""

    def __init__(self, world: World, index: int | None = 0) -> None:
        self.world = world
        self.lane: list[bytes] = []
        door = RankedInclusion(index, SIZE, None if index is None else self.add)
        self.relay = MessageRelay(world, (SPLIT,), door, LAG_MAX)
        self.published: list[bytes] = []

    def add(self, item_id: Digest, item: bytes, now: Instant) -> bool:
        self.lane.append(item)
        return True

    def execute(self, count: int = 1, lag: int = 0) -> None:
        """Let so many heights pass."""
        for _ in range(count):
            self.world.height += 1
            self.relay.on_executed()
            for publication in self.relay.settle(lag, at(0)):
                self.published.extend(publication.items)

    def take_published(self) -> list[bytes]:
        published, self.published = self.published, []
        return published


def find_index(rank: int, message: CrossMessage) -> int:
    return next(index for index in range(SIZE) if compute_rank(message.id, index, SIZE) == rank)


def test_A19_first_rank_relays_as_soon_as_a_root_proves_the_message() -> None:
    """Without a root nothing can be proven; with one it takes a single height."""
    message = make_message()
    node = Node(World(message), find_index(0, message))
    node.world.root_height = None
    node.execute()
    assert node.lane == []
    node.world.root_height = 10
    node.execute(3)
    assert node.lane == [Delivery(message, 10, PATH).item_bytes]


def test_A19_next_rank_relays_only_what_is_still_undelivered() -> None:
    """Two heights later it is its turn; a message that arrived meanwhile is left out."""
    message, arrived = make_message(), make_message("arrived")
    node = Node(World(message, arrived), find_index(1, message))
    node.execute(HEIGHTS_PER_RANK)
    assert Delivery(message, 10, PATH).item_bytes not in node.lane
    del node.world.messages[arrived.id]
    node.lane.clear()
    node.execute(HEIGHTS_PER_RANK * SIZE)
    assert node.lane == [Delivery(message, 10, PATH).item_bytes]


def test_A19_proof_is_made_anew_only_when_its_root_is_forgotten() -> None:
    """A newer proof is another item, which may have its turn again."""
    message = make_message()
    node = Node(World(message), find_index(0, message))
    node.world.root_height, node.world.remembered = 12, {10, 12}
    node.execute(3)
    assert node.world.proofs_made == 1
    node.world.root_height, node.world.remembered = 20, {20}
    node.execute()
    assert node.world.proofs_made == 2
    assert node.lane == [Delivery(message, height, PATH).item_bytes for height in (12, 20)]


def test_A19_delivery_that_had_no_effect_has_its_turn_again() -> None:
    """The destination had no room, say: every 64 heights it is tried once more, as long as it is undelivered."""
    message = make_message()
    node = Node(World(message), find_index(0, message))
    node.execute(3 * TRY_AGAIN_HEIGHTS)
    assert len(node.lane) in (3, 4)
    node.world.messages.clear()
    before = len(node.lane)
    node.execute(2 * TRY_AGAIN_HEIGHTS)
    assert len(node.lane) == before


def test_A19_messages_of_split_sources_are_gossiped_and_again_while_undelivered() -> None:
    """Native ones every validator proves itself; who has no lane does not even prove them."""
    split = make_message("split", SPLIT)
    node = Node(World(make_message(), split), index=None)
    node.execute()
    assert node.take_published() == [Delivery(split, 10, PATH).item_bytes]
    assert node.world.proofs_made == 1
    node.execute(PUBLISH_AGAIN_HEIGHTS - 1)
    assert node.take_published() == []
    node.execute()
    assert node.take_published() == [Delivery(split, 10, PATH).item_bytes]


def test_A19_good_delivery_from_gossip_is_relayed_until_it_has_taken_effect() -> None:
    """A validator that does not execute the source relays it by the same rank, and does not gossip it on."""
    message = make_message("split", SPLIT)
    node = Node(World(), find_index(0, message))
    node.relay.on_gossiped([Delivery(message, 10, PATH), Rejection(Reason.MALFORMED, "item")])
    node.execute(2)
    assert node.lane == [Delivery(message, 10, PATH).item_bytes]
    assert node.take_published() == []
    node.world.delivered.add(message.id)
    node.execute()
    assert node.relay.get_bounds()["deliveries_gossiped"][0] == 0


def test_A19_delivery_without_proof_from_gossip_is_not_relayed() -> None:
    """Control: neither one by a root that nobody remembers, nor one that has arrived."""
    message, arrived = make_message("split", SPLIT), make_message("arrived", SPLIT)
    node = Node(World(), find_index(0, message))
    node.world.delivered.add(arrived.id)
    node.relay.on_gossiped([Delivery(message, 9, PATH), Delivery(arrived, 10, PATH)])
    node.execute(2 * SIZE * HEIGHTS_PER_RANK)
    assert (node.lane, node.relay.counters.gossiped) == ([], 0)


def test_A19_other_proof_of_a_gossiped_message_is_no_second_item() -> None:
    """Executors that stand at different heights prove by different roots: one of them is enough while it is good."""
    message = make_message("split", SPLIT)
    node = Node(World(), find_index(0, message))
    node.world.remembered = {10, 11}
    node.relay.on_gossiped([Delivery(message, 10, PATH), Delivery(message, 11, PATH)])
    node.execute(2)
    node.relay.on_gossiped([Delivery(message, 11, PATH)])
    node.execute(2)
    assert node.lane == [Delivery(message, 10, PATH).item_bytes]
    node.world.remembered = {11}
    node.execute()
    node.relay.on_gossiped([Delivery(message, 11, PATH)])
    node.execute()
    assert node.lane == [Delivery(message, height, PATH).item_bytes for height in (10, 11)]


def test_gossip_beyond_the_bound_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a message that is remembered already another proof is not even looked at."""
    monkeypatch.setattr(message_relay, "GOSSIPED_MAX", 2)
    node = Node(World())
    messages = [make_message(name, SPLIT) for name in ("first", "second", "third", "first")]
    node.relay.on_gossiped([Delivery(message, 10, PATH) for message in messages])
    assert node.relay.get_bounds() == {"deliveries_gossiped": (2, 2)}
    assert (node.relay.counters.gossiped, node.relay.counters.gossiped_dropped) == (2, 1)


def test_only_the_oldest_messages_of_a_source_are_relayed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others follow when those have arrived."""
    monkeypatch.setattr(message_relay, "RELAYED_PER_SOURCE_MAX", 2)
    messages = [make_message(name, SPLIT) for name in ("first", "second", "third")]
    node = Node(World(*messages), index=None)
    node.execute()
    assert node.take_published() == [Delivery(message, 10, PATH).item_bytes for message in messages[:2]]
    del node.world.messages[messages[0].id]
    node.execute()
    assert node.take_published() == [Delivery(messages[2], 10, PATH).item_bytes]


def test_node_that_lags_relays_nothing_until_it_has_caught_up() -> None:
    """What it sees as undelivered has arrived long ago, mostly."""
    message = make_message()
    node = Node(World(message), find_index(0, message))
    node.execute(3, lag=LAG_MAX + 1)
    assert node.lane == []
    assert node.relay.settle(LAG_MAX, at(0)) == []
    assert node.lane == [Delivery(message, 10, PATH).item_bytes]
