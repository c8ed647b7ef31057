"""Votes of executors travel in their own envelopes; what is no vote is not forwarded, and a lie is properly signed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
import trio.testing

from sequencer.codec import decode, encode
from sequencer.crypto.signatures import Ed25519Signer, verify_ed25519
from sequencer.node.lying import make_lies, turn_around
from sequencer.node.verdicts import VerdictGossip, decode_votes, is_verdict_message, make_judge
from sequencer.replica.configuration import ExecutorIdentity
from sequencer.types.genesis import GenesisExecutor, Rollup, RollupKind
from sequencer.types.verdict import (
    BeatStatement,
    ExecutorStatement,
    ExecutorVote,
    RootStatement,
    Verdict,
    VerdictStatement,
    compute_statement_signing_bytes,
)
from tests.execution_world import GENESIS
from tests.unit.node.test_gossip import Sink, drain

CHAIN_ID = bytes(range(32))
IDENTITY = ExecutorIdentity(3, 1, Ed25519Signer(bytes(32)))
YES = VerdictStatement(3, b"b" * 32, Verdict.YES, "", ((0, "amount_out", 7),), b"a" * 32)
NO = VerdictStatement(3, b"c" * 32, Verdict.NO, "FALSE@legs[1].conditions[0]", (), b"a" * 32)
STATEMENTS = (YES, NO, RootStatement(3, 9, 8, b"s" * 32, b"r" * 32, b"o" * 32), BeatStatement(3, 12))


def sign(statement: ExecutorStatement) -> ExecutorVote:
    signature = IDENTITY.signer.sign(compute_statement_signing_bytes(CHAIN_ID, statement))
    return ExecutorVote(statement, IDENTITY.index, signature)


VOTES = tuple(sign(statement) for statement in STATEMENTS)


async def test_votes_of_one_block_share_an_envelope(autojump_clock: trio.testing.MockClock) -> None:
    """They arrive as they were signed."""
    sink = Sink()
    gossip = VerdictGossip(sink)
    gossip.publish(VOTES)
    await drain(gossip)
    assert [decode_votes(data) for data in sink.published] == [VOTES]
    assert gossip.unpack("executor", sink.published[0]) == VOTES


async def test_vote_said_again_is_another_message(autojump_clock: trio.testing.MockClock) -> None:
    """The network carries no content twice, so an equal envelope would be lost."""
    sink = Sink()
    gossip = VerdictGossip(sink)
    for _ in range(2):
        gossip.publish(VOTES)
        await drain(gossip)
    assert [decode_votes(data) for data in sink.published] == [VOTES, VOTES]
    assert len(set(sink.published)) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        encode((bytes(8),)),
        encode((bytes(7), encode(VOTES[0].to_value()))),
        encode((bytes(8), encode(VOTES[0].to_value()) + b"\x00")),
        encode((bytes(8), encode(VOTES[0].to_value()), b"\x01")),
        encode((bytes(8), encode((VOTES[0].statement.to_value(), 1)))),
        encode((bytes(8), encode(("x", 1, bytes(64))))),
        encode((encode(VOTES[0].to_value()),)),
    ],
)
def test_bytes_that_are_no_votes_are_not_forwarded_and_mark_their_origin(data: bytes) -> None:
    """One wrong entry spoils the envelope: an honest node never sends it."""
    sink = Sink()
    assert not is_verdict_message(data)
    assert VerdictGossip(sink).unpack("stranger", data) == ()
    assert sink.bad_items["stranger"] == 1


def test_envelope_of_votes_is_worth_forwarding() -> None:
    """Control of the above: number and votes, all in their one form."""
    assert is_verdict_message(encode((bytes(8), *(encode(vote.to_value()) for vote in VOTES))))


def test_envelope_of_made_up_votes_is_not_forwarded() -> None:
    """A stranger needs no key to write 800 votes; the first node that hears them drops them and marks the origin."""
    executors = (GenesisExecutor("executor", IDENTITY.signer.public_key),)
    genesis = replace(GENESIS, rollups=(Rollup(3, "split", "transfer", RollupKind.SPLIT, (), executors),))
    judge = make_judge(genesis)
    statement = BeatStatement(3, 7)
    signature = IDENTITY.signer.sign(compute_statement_signing_bytes(genesis.chain_id, statement))
    right = ExecutorVote(statement, 0, signature)
    wrong = [
        replace(right, signature=bytes(64)),
        replace(right, executor=1),
        replace(right, statement=BeatStatement(4, 7)),
    ]
    assert judge(encode((bytes(8), encode(right.to_value()))))
    for vote in wrong:
        assert not judge(encode((bytes(8), *[encode(vote.to_value())] * 3)))
    assert not judge(encode((bytes(8),)))


def test_lie_is_signed_by_the_liar_and_says_the_opposite() -> None:
    """Nobody can tell from its form that it is one."""
    lies = make_lies(CHAIN_ID, IDENTITY, VOTES)
    for vote, lie in zip(VOTES, lies, strict=True):
        assert lie.statement == turn_around(vote.statement) != vote.statement
        assert ExecutorVote.from_value(decode(encode(lie.to_value()), "lie"), "lie") == lie
        message = compute_statement_signing_bytes(CHAIN_ID, lie.statement)
        assert verify_ed25519(IDENTITY.signer.public_key, message, lie.signature)
    assert [lie.statement.verdict for lie in lies if isinstance(lie.statement, VerdictStatement)] == [
        Verdict.NO,
        Verdict.YES,
    ]
