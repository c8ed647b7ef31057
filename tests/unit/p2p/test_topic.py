"""A topic bounds what waits and what each origin publishes, and shares nothing with another topic."""

from __future__ import annotations

from collections import Counter

import pytest
from trio.testing import MockClock

from p2p.network import GossipArrived, LocalHost, NetworkConfiguration
from p2p.protocols import GOSSIP_BYTES_MAX, GOSSIP_INBOX_MAX, GOSSIP_ORIGIN_BURST_BYTES
from p2p.topic import Topic, make_topics


@pytest.fixture
def counters() -> Counter[str]:
    return Counter()


@pytest.fixture
def topics(counters: Counter[str]) -> tuple[Topic, Topic]:
    host = LocalHost(bytes(32), "/memory")
    configuration = NetworkConfiguration("x", bytes(8), host, None, None, (), is_verdict_message=bool)
    made = make_topics(configuration, counters)
    return made["items"], made["verdicts"]


async def test_flood_of_items_leaves_room_for_verdicts(
    topics: tuple[Topic, Topic], counters: Counter[str], autojump_clock: MockClock
) -> None:
    """Who has used up its budget on one topic still has the other's, and gets it back with time."""
    items, verdicts = topics
    data = bytes(GOSSIP_BYTES_MAX)
    taken = sum(items.is_within_budget("origin", data) for _ in range(64))
    assert taken * GOSSIP_BYTES_MAX <= GOSSIP_ORIGIN_BURST_BYTES
    assert counters == {"items_over_budget": 64 - taken}
    assert verdicts.is_within_budget("origin", data)
    autojump_clock.jump(1)
    assert items.is_within_budget("origin", data)


async def test_full_inbox_drops_the_newest_of_its_topic_only(
    topics: tuple[Topic, Topic], counters: Counter[str]
) -> None:
    """What waits is delivered in order."""
    items, verdicts = topics
    for number in range(GOSSIP_INBOX_MAX + 1):
        items.take_in("origin", b"%d" % number)
    verdicts.take_in("origin", b"vote")
    assert counters == {"items_received": GOSSIP_INBOX_MAX, "items_inbox_full": 1, "verdicts_received": 1}
    assert await items.take_incoming() == GossipArrived("origin", b"0", "items")
    assert await verdicts.take_incoming() == GossipArrived("origin", b"vote", "verdicts")


async def test_content_is_judged_where_the_topic_has_a_judge(
    topics: tuple[Topic, Topic], counters: Counter[str]
) -> None:
    """Items are judged behind, by the node."""
    items, verdicts = topics
    assert items.is_valid(b"")
    assert not verdicts.is_valid(b"")
    assert counters == {"verdicts_invalid": 1}
