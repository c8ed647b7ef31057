"""Followers are strangers: they are told what is final when it is, at most so much, and nothing else."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from p2p.memory import MemoryHub, MemoryNetwork
from p2p.network import LocalHost, NetworkConfiguration
from sequencer.node import followers as serving
from sequencer.node.followers import REQUESTS_MAX, REQUESTS_PER_FOLLOWER_MAX, Followers
from sequencer.types.batch import BATCH_PAYLOAD_BYTES_LIMIT
from sequencer.types.evidence import Evidence, FalseBatch, Statement, find_contradiction
from sequencer.types.messages import (
    MESSAGE_BYTES_MAX,
    Accusation,
    Batches,
    Channel,
    GetBatches,
    GetBlocks,
    Message,
    Sync,
    SyncBlocks,
    decode_message,
)
from sequencer.types.signing import SignatureKind
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer
from tests.unit.node.scripted import GatedStore, Progress, wait_until
from tests.unit.store.chain import Chain, make_batch, make_digest

HOST = LocalHost(bytes(32), "/memory")


class Line(MemoryNetwork):
    """Remembers what is sent to followers."""

    def __init__(self) -> None:
        super().__init__(MemoryHub(), NetworkConfiguration("val0", bytes(8), HOST, HOST, HOST, ()))
        self.sent: list[tuple[str, Message]] = []

    def send(self, name: str, channel: str, payload: bytes) -> bool:
        assert channel == "open"
        self.sent.append((name, decode_message(payload, Channel.DATA)))
        return True


class Served:
    """Followers of a node whose store and progress are scripted."""

    def __init__(self, nursery: trio.Nursery, height: int) -> None:
        self.line, self.store, self.progress = Line(), GatedStore(), Progress(height)
        self.followers = Followers(self.line, self.store)
        nursery.start_soon(self.followers.run, self.progress)


async def test_block_that_is_there_is_sent_at_once(nursery: trio.Nursery) -> None:
    """Nobody waits for what exists."""
    served = Served(nursery, 3)
    chain = Chain()
    chain.grow(3)
    served.store.blocks = tuple(chain.blocks)
    served.followers.receive("stranger", Sync(1, 5))
    await wait_until(lambda: served.line.sent)
    assert served.line.sent == [("stranger", SyncBlocks(tuple(chain.blocks), None))]
    nursery.cancel_scope.cancel()


async def test_request_for_the_next_block_waits_for_it(nursery: trio.Nursery) -> None:
    """A follower at the head asks once and hears when there is news."""
    served = Served(nursery, 0)
    chain = Chain()
    chain.grow(1)
    served.followers.receive("stranger", Sync(1, 5))
    await wait_all_tasks_blocked()
    assert served.line.sent == []
    served.store.blocks = tuple(chain.blocks)

    served.progress.reach(1)

    await wait_until(lambda: served.line.sent)
    assert served.line.sent == [("stranger", SyncBlocks(tuple(chain.blocks), None))]
    nursery.cancel_scope.cancel()


async def test_followers_at_the_head_cost_one_reading(nursery: trio.Nursery) -> None:
    """All of them ask for the same block."""
    served = Served(nursery, 3)
    chain = Chain()
    chain.grow(1)
    served.store.blocks = tuple(chain.blocks)
    for name in ("one", "two", "three"):
        served.followers.receive(name, Sync(3, 5))
    await wait_until(lambda: len(served.line.sent) == 3)
    assert {name for name, _ in served.line.sent} == {"one", "two", "three"}
    assert served.store.loads == 1
    nursery.cancel_scope.cancel()


async def test_request_without_an_answer_ends_empty(nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the follower asks somebody else: before that it is looked at once per new height."""
    monkeypatch.setattr(serving, "HOLD_SECONDS", 0.05)
    served = Served(nursery, 7)
    served.followers.receive("stranger", Sync(1, 5))
    await wait_until(lambda: served.line.sent)
    assert served.line.sent == [("stranger", SyncBlocks((), None))]
    nursery.cancel_scope.cancel()


async def test_request_for_a_block_that_is_pruned_is_answered_at_once(nursery: trio.Nursery) -> None:
    """The follower hears from where on there are blocks, and looks for a snapshot. # R2"""
    served = Served(nursery, 900)
    served.store.oldest = 700
    served.followers.receive("stranger", Sync(1, 5))
    with trio.fail_after(serving.HOLD_SECONDS / 2):
        await wait_until(lambda: served.line.sent)
    assert served.line.sent == [("stranger", SyncBlocks((), None, 700, 700))]
    assert served.followers.lowest_asked == {"stranger": 1}
    nursery.cancel_scope.cancel()


async def test_snapshots_are_offered_and_served_in_chunks(nursery: trio.Nursery) -> None:
    """As they stand on the disk: who fetches them checks them. # R2"""
    served = Served(nursery, 900)
    served.store.snapshot = b"chunk 3"
    served.followers.receive("stranger", GetSnapshot(5))
    served.followers.receive("stranger", GetSnapshotChunk(800, 3))
    await wait_until(lambda: len(served.line.sent) == 2)
    assert served.line.sent == [
        ("stranger", SnapshotOffer(1, 0, None)),
        ("stranger", SnapshotChunk(800, 3, b"chunk 3")),
    ]
    assert served.followers.counters == {"follower_offers_answered": 1, "follower_chunks_answered": 1}
    nursery.cancel_scope.cancel()


async def test_batches_of_a_block_that_travelled_without_them_are_served(nursery: trio.Nursery) -> None:
    """As many as fit a message, from the tip downwards; several lanes may be asked for at a time. # L6"""
    served = Served(nursery, 7)
    chain = Chain()
    chain.grow(4, payload=bytes(BATCH_PAYLOAD_BYTES_LIMIT - 64))
    batches = tuple(block.batches[0] for block in reversed(chain.blocks))
    served.store.batches = batches
    served.followers.receive("stranger", GetBatches(0, batches[0].digest, 1, 4))
    served.followers.receive("stranger", GetBatches(1, batches[0].digest, 1, 4))
    await wait_until(lambda: len(served.line.sent) == 2)
    assert served.line.sent == [("stranger", Batches(lane, batches[:3])) for lane in (0, 1)]
    nursery.cancel_scope.cancel()


async def test_follower_gets_only_what_fits_and_is_finalized(nursery: trio.Nursery) -> None:
    """A block above the limit of a message, or one that proves nothing, must not stop the node or be sent."""
    served = Served(nursery, 3)
    chain = Chain()
    chain.grow(1)
    chain.grow(1, is_finalized=False)
    chain.grow(1, payload=bytes(MESSAGE_BYTES_MAX))
    served.store.blocks = tuple(chain.blocks)
    served.followers.receive("stranger", Sync(1, 5))
    await wait_until(lambda: served.line.sent)
    assert served.line.sent == [("stranger", SyncBlocks(served.store.blocks[:1], None))]
    nursery.cancel_scope.cancel()


async def test_anything_but_a_request_is_a_bad_mark() -> None:
    """A follower has nothing to say in agreement."""
    line = Line()
    Followers(line, GatedStore()).receive("hostile", GetBlocks(bytes(32), 3))
    assert line.bad_items == {"hostile": 1}


async def test_requests_of_followers_are_bounded() -> None:
    """What is above is dropped and counted; a newer request for blocks replaces the older."""
    followers = Followers(Line(), GatedStore())
    for number in range(REQUESTS_MAX + 10):
        followers.receive(f"follower{number}", Sync(1, 5))
        followers.receive(f"follower{number}", Sync(2, 5))
    assert len(followers._waiting) == REQUESTS_MAX
    assert followers.counters["follower_requests_dropped"] == 20


async def test_requests_of_one_follower_are_bounded() -> None:
    """It cannot fill the table alone; when it goes its requests go too."""
    followers = Followers(Line(), GatedStore())
    for lane in range(REQUESTS_PER_FOLLOWER_MAX + 5):
        followers.receive("greedy", GetBatches(lane, bytes(32), 1, 1))
    assert len(followers._waiting) == REQUESTS_PER_FOLLOWER_MAX
    assert followers.counters["follower_requests_dropped"] == 5
    followers.forget("greedy")
    assert len(followers._waiting) == 0


async def test_follower_is_told_evidence_once_with_its_answers(nursery: trio.Nursery) -> None:
    """A few pieces at a time, the large one never; after a new connection all again. # X1-X7"""
    line, store = Line(), GatedStore()
    held = [*(make_pair(view) for view in range(5)), make_large_evidence()]
    followers = Followers(line, store, lambda: held)
    nursery.start_soon(followers.run, Progress(7))
    told: list[list[int]] = []
    for step in range(4):
        if step == 3:
            followers.forget("stranger")
        line.sent.clear()
        followers.receive("stranger", GetSnapshot(0))
        await wait_until(lambda: line.sent)
        await wait_all_tasks_blocked()
        told.append([message.evidence.number for _, message in line.sent if isinstance(message, Accusation)])
    assert told == [[0, 1, 2, 3], [4], [], [0, 1, 2, 3]]
    nursery.cancel_scope.cancel()


def make_large_evidence() -> FalseBatch:
    batch = make_batch(1, 1, text=bytes(20_000))
    return FalseBatch(batch.header, batch.signature, batch.payload)


def make_pair(view: int) -> Evidence:
    digests = (make_digest(1), make_digest(2))
    one, other = (Statement(SignatureKind.NOTARIZE, 0, 1, view, digest, bytes(64)) for digest in digests)
    found = find_contradiction(one, other)
    assert found is not None
    return found
