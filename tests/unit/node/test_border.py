"""Names and bytes become validators and messages at the border, and only if they are in order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from p2p.memory import MemoryHub
from p2p.network import HostPeer, LocalHost, MessageArrived, NetworkConfiguration, RemotePeer
from sequencer.cli.cluster.blueprint import Wish, draw
from sequencer.node.border import Border
from sequencer.node.conversation import ANSWER_BURST_BYTES
from sequencer.node.event_log import EVENT_LOG_BYTES_MAX, EventLog
from sequencer.node.followers import Followers
from sequencer.node.gossip import Gossip
from sequencer.node.inbox import Inbox
from sequencer.node.verdicts import VerdictGossip, is_verdict_message
from sequencer.node.wire_record import WIRE_RECORD_FILE, WireRecorder
from sequencer.types.events import ItemsGossiped, MessageReceived, PeerConnected, PeerDisconnected, VotesReceived
from sequencer.types.genesis import Genesis
from sequencer.types.messages import (
    Channel,
    GetBlocks,
    Have,
    Hello,
    Sync,
    SyncBlocks,
    decode_message,
    encode_message,
)
from sequencer.types.verdict import BeatStatement, ExecutorVote
from sequencer.types.vote import Vote, VoteKind
from tests.unit.node.scripted import GatedStore, wait_until

MESSAGE = GetBlocks(bytes(32), 3)


@pytest.fixture(scope="module")
def genesis() -> Genesis:
    return draw(Wish(2, "alpha", 7, None)).genesis


class Pair:
    """val0 with its border, and the bare network of val1."""

    def __init__(self, genesis: Genesis, tmp_path: Path, *, is_validator: bool = True) -> None:
        hub = MemoryHub()
        self.own, self.other = hub.create(make_configuration(0)), hub.create(make_configuration(1))
        self.inbox = Inbox()
        self.log = tmp_path / "events.jsonl"
        self.store = GatedStore()
        self.followers = Followers(self.own, self.store)
        self.border = Border(
            self.own,
            genesis,
            is_validator=is_validator,
            gossip=Gossip(self.own),
            verdicts=VerdictGossip(self.own),
            followers=self.followers,
            event_log=EventLog(self.log),
            recorder=WireRecorder(EventLog(tmp_path / WIRE_RECORD_FILE), ["val0", "val1"]),
        )

    async def start(self, nursery: trio.Nursery) -> None:
        await nursery.start(self.own.run)
        await nursery.start(self.other.run)
        nursery.start_soon(self.border.read, self.inbox)
        await wait_until(lambda: self.inbox)
        assert self.inbox.take() == PeerConnected(1)


def make_configuration(index: int) -> NetworkConfiguration:
    host = LocalHost(bytes(32), f"/memory/{index}")
    peer = HostPeer("id", "/memory")
    others = (RemotePeer(f"val{1 - index}", peer, peer, peer),)
    return NetworkConfiguration(
        f"val{index}", bytes(8), host, host, host, others, is_verdict_message=is_verdict_message
    )


async def test_message_of_a_peer_arrives_typed_with_its_index(
    nursery: trio.Nursery, genesis: Genesis, tmp_path: Path
) -> None:
    """The replica sees who sent it by place in the committee, never by what the bytes say. # G4"""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    pair.other.send("val0", "votes", encode_message(MESSAGE))
    await wait_until(lambda: pair.inbox)
    assert pair.inbox.take() == MessageReceived(1, MESSAGE)
    nursery.cancel_scope.cancel()


async def test_message_is_sent_on_its_channel(nursery: trio.Nursery, genesis: Genesis, tmp_path: Path) -> None:
    """Small and urgent messages use votes, catch-up uses data."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    pair.border.send(1, MESSAGE)
    pair.border.broadcast(Sync(1, 2))
    arrived = {}
    async for event in pair.other.events:
        channel = getattr(event, "channel", None)
        if channel is not None:
            arrived[channel] = decode_message(event.payload, Channel(channel))  # type: ignore[union-attr]  # has a channel
        if len(arrived) == 2:
            break
    assert arrived == {"votes": MESSAGE, "data": Sync(1, 2)}
    nursery.cancel_scope.cancel()


async def test_what_a_peer_says_is_recorded_with_its_signature(
    nursery: trio.Nursery, genesis: Genesis, tmp_path: Path
) -> None:
    """Votes of a HELLO count as said by its sender; a request says nothing."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    vote = Vote(VoteKind.FINALIZE, 0, 7, b"d" * 32, b"s" * 64)
    hello = Hello(2, bytes(32), 0, 8, 0, 0, bytes(32), (), (vote,), Have((), ()))
    for message in (MESSAGE, vote, hello):
        pair.other.send("val0", "votes", encode_message(message))
    await wait_until(lambda: pair.border.counters["votes_received"] == 3)
    lines = [json.loads(line) for line in (tmp_path / WIRE_RECORD_FILE).read_text().splitlines()]
    said = [(line["signer"], line["kind"], line["number"], line["digest"], line["signature"]) for line in lines]
    assert said == [(1, "FINALIZE", 7, "64" * 32, "73" * 64)] * 2
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("channel", ["votes", "data"])
async def test_bytes_that_are_no_message_ban_their_sender(
    nursery: trio.Nursery, genesis: Genesis, tmp_path: Path, channel: str
) -> None:
    """Nothing reaches the replica but the break of the connection, and the log says why."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    pair.other.send("val0", channel, b"\x93no message")  # type: ignore[arg-type]  # one of the two names
    await wait_until(lambda: pair.inbox)
    assert pair.inbox.take() == PeerDisconnected(1)
    assert pair.border.counters["messages_undecodable"] == 1
    assert "banned for 60 s: message: is not msgpack" in pair.log.read_text()
    nursery.cancel_scope.cancel()


async def test_nothing_of_a_banned_peer_is_read_any_more(
    nursery: trio.Nursery, genesis: Genesis, tmp_path: Path
) -> None:
    """What was queued when the ban came costs no decoding, and the ban is one line of the log."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    pair.border.ban(1, "first")
    pair.border.ban(1, "second")
    await pair.border._receive(MessageArrived("val1", "votes", encode_message(MESSAGE)), pair.inbox)
    assert pair.border.counters == {"peers_banned": 1, "messages_of_banned": 1}
    assert pair.log.read_text().count("banned") == 1
    nursery.cancel_scope.cancel()


async def test_second_hello_bans_its_sender(nursery: trio.Nursery, genesis: Genesis, tmp_path: Path) -> None:
    """HELLO is the dearest message, with 64 certificates and 64 votes: one per connection."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    hello = encode_message(Hello(2, bytes(32), 0, 8, 0, 0, bytes(32), (), (), Have((), ())))
    pair.other.send("val0", "votes", hello)
    pair.other.send("val0", "votes", hello)
    await wait_until(lambda: "second HELLO" in pair.log.read_text())
    assert pair.border.counters["peers_banned"] == 1
    nursery.cancel_scope.cancel()


async def test_answer_is_read_only_if_it_was_asked_for(nursery: trio.Nursery, genesis: Genesis, tmp_path: Path) -> None:
    """Reading 4 MiB of blocks takes long: only who was asked for them may send them, once."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    pair.border.send(1, Sync(1, 2))
    for _ in range(3):
        pair.other.send("val0", "data", encode_message(SyncBlocks((), None)))
    await wait_until(lambda: pair.border.counters["answers_unasked"] == 2)
    assert pair.inbox.take() == MessageReceived(1, SyncBlocks((), None))
    assert pair.inbox.take() is None
    nursery.cancel_scope.cancel()


async def test_requests_above_the_share_are_not_served(nursery: trio.Nursery, genesis: Genesis, tmp_path: Path) -> None:
    """A peer that has drawn 32 MiB at once is served again as time passes, and is not banned."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    answer = SyncBlocks((), None)
    conversation = pair.border._conversations["val1"]
    assert conversation.may_say(Sync, now=0.0)
    conversation.on_sent(answer, ANSWER_BURST_BYTES)
    assert not conversation.may_say(Sync, now=0.0)
    assert conversation.may_say(Sync, now=1.0)
    assert pair.border.counters == {"requests_over_budget": 1}
    nursery.cancel_scope.cancel()


async def test_message_on_the_wrong_channel_bans_its_sender(
    nursery: trio.Nursery, genesis: Genesis, tmp_path: Path
) -> None:
    """A vote on the data channel is no message of that channel."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    pair.other.send("val0", "data", encode_message(MESSAGE))
    await wait_until(lambda: pair.inbox)
    assert pair.inbox.take() == PeerDisconnected(1)
    nursery.cancel_scope.cancel()


async def test_gossiped_envelope_arrives_as_items(nursery: trio.Nursery, genesis: Genesis, tmp_path: Path) -> None:
    """What another node publishes reaches the replica unpacked."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    publisher = Gossip(pair.other)
    publisher.publish([b"one", b"two"])
    publisher._send_envelope()
    await wait_until(lambda: pair.inbox)
    assert pair.inbox.take() == ItemsGossiped((b"one", b"two"))
    nursery.cancel_scope.cancel()


async def test_votes_of_an_executor_arrive_as_one_event(
    nursery: trio.Nursery, genesis: Genesis, tmp_path: Path
) -> None:
    """What another node publishes reaches the replica decoded, and nobody has looked at its signatures. # A14"""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    votes = tuple(ExecutorVote(BeatStatement(3, height), 1, bytes(64)) for height in (5, 6))
    publisher = VerdictGossip(pair.other)
    publisher.publish(votes)
    nursery.start_soon(publisher.run)
    await wait_until(lambda: pair.inbox)
    assert pair.inbox.take() == VotesReceived(votes)
    nursery.cancel_scope.cancel()


async def test_full_node_sends_nothing_but_requests(genesis: Genesis, tmp_path: Path) -> None:
    """Anything else would be a bad mark for it at every validator. # G4"""
    pair, sent = Pair(genesis, tmp_path, is_validator=False), []
    pair.own.send = lambda name, channel, payload: sent.append((name, channel, payload)) or True  # type: ignore[method-assign,func-returns-value]  # remembers
    pair.own.broadcast = lambda channel, payload: sent.append(("all", channel, payload))  # type: ignore[method-assign]  # remembers
    for message in (MESSAGE, SyncBlocks((), None), Sync(1, 2)):
        pair.border.send(1, message)
        pair.border.broadcast(message)
    assert sent == [(name, "open", encode_message(Sync(1, 2))) for name in ("val1", "all")]


async def test_stranger_that_sends_no_request_gets_a_bad_mark_undecoded(
    nursery: trio.Nursery, genesis: Genesis, tmp_path: Path
) -> None:
    """Only two messages of strangers are read at all."""
    pair = Pair(genesis, tmp_path)
    await pair.start(nursery)
    for payload in (encode_message(MESSAGE), encode_message(SyncBlocks((), None)), b"no message"):
        await pair.border._receive(MessageArrived("stranger", "open", payload), pair.inbox)
    assert pair.own.bad_items == {"stranger": 3}
    assert pair.border.counters == {}
    nursery.cancel_scope.cancel()


def test_event_log_is_bounded(tmp_path: Path) -> None:
    """The file is renamed when it is full; two files are all there ever is."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * EVENT_LOG_BYTES_MAX)
    log = EventLog(path)
    log.write("first", {})
    log.write("second", {})
    log.close()
    log.write("after the end", {})
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["events.jsonl", "events.jsonl.1"]
    assert '"event": "second"' in path.read_text()
