"""Every message comes back from its bytes on its own channel and on no other."""

from __future__ import annotations

import pytest

from sequencer.codec import encode
from sequencer.errors import DecodeError
from sequencer.types.block import FinalizedBlock
from sequencer.types.messages import (
    PROTOCOL_VERSION,
    Batches,
    BlockHeaders,
    Channel,
    GetBatches,
    GetBlocks,
    GetCertificates,
    Have,
    HaveEntry,
    Hello,
    Message,
    Sync,
    SyncBlocks,
    decode_message,
    encode_message,
    get_channel,
)
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer
from sequencer.types.vote import VoteKind
from tests.unit.core_world import Group, name_digest, set_tip, tip
from tests.unit.snapshot_world import make_claim

GROUP = Group()
CHAIN = GROUP.chain(1, 2)
HEADER = GROUP.child(GROUP.root, cut=set_tip(GROUP.root.cut, 1, tip(CHAIN[1])))
FINAL = GROUP.certify(VoteKind.FINALIZE, 1, HEADER.digest)
HAVE = Have((HaveEntry(1, 2, CHAIN[1].digest),), (0, 0, 0, 0))
MESSAGES: list[Message] = [
    Hello(
        PROTOCOL_VERSION,
        GROUP.chain_id,
        0,
        2,
        1,
        1,
        HEADER.digest,
        (FINAL,),
        (GROUP.vote(0, VoteKind.NULLIFY, 2),),
        HAVE,
    ),
    HAVE,
    GROUP.propose(HEADER, FINAL),
    GROUP.vote(0, VoteKind.NOTARIZE, 1, HEADER.digest),
    FINAL,
    GetBlocks(HEADER.digest, 64),
    BlockHeaders((HEADER, GROUP.root)),
    GROUP.commitment_vote(0, 5, name_digest("c")),
    GROUP.commitment_certificate(5, name_digest("c")),
    CHAIN[0],
    GetBatches(1, CHAIN[1].digest, 1, 2),
    Batches(1, (CHAIN[1], CHAIN[0])),
    Sync(1, 32),
    SyncBlocks((FinalizedBlock(HEADER, FINAL, tuple(CHAIN)),), GROUP.commitment_certificate(1, name_digest("c"))),
    GetSnapshot(7),
    SnapshotOffer(3, 9, make_claim(GROUP, bytes(300_000))),
    GetSnapshotChunk(8, 1),
    SnapshotChunk(8, 1, b"state"),
    GetCertificates(3, 40),
]


def name(message: Message) -> str:
    return type(message).__name__


@pytest.mark.parametrize("message", MESSAGES, ids=name)
def test_message_comes_back_from_its_bytes(message: Message) -> None:
    """Encoding loses nothing."""
    assert decode_message(encode_message(message), get_channel(message)) == message


@pytest.mark.parametrize("message", MESSAGES, ids=name)
def test_message_on_the_other_channel_is_refused(message: Message) -> None:
    """Votes do not travel on the data channel, nor batches on that of the votes."""
    other = Channel.DATA if get_channel(message) is Channel.VOTES else Channel.VOTES
    with pytest.raises(DecodeError, match=r"message\.number"):
        decode_message(encode_message(message), other)


@pytest.mark.parametrize("message", MESSAGES, ids=name)
def test_message_with_any_cut_is_refused(message: Message) -> None:
    """No prefix of a message is a message."""
    data = encode_message(message)
    for length in range(0, len(data), max(1, len(data) // 25)):
        with pytest.raises(DecodeError):
            decode_message(data[:length], get_channel(message))


@pytest.mark.parametrize("message", MESSAGES, ids=name)
def test_message_with_any_flipped_byte_is_refused_or_differs(message: Message) -> None:
    """No two byte strings mean the same message, and nothing but DecodeError comes out."""
    data = encode_message(message)
    for place in range(0, len(data), max(1, len(data) // 60)):
        wrong = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
        try:
            other = decode_message(wrong, get_channel(message))
        except DecodeError:
            continue
        assert other != message


@pytest.mark.parametrize("number", [0, 15, 65_535])
def test_unknown_message_number_is_refused(number: int) -> None:
    """There are fourteen messages."""
    with pytest.raises(DecodeError, match=r"message\.number"):
        decode_message(encode((number, ())), Channel.VOTES)


def test_message_above_the_channel_limit_is_refused_unread() -> None:
    """The size is checked before anything is decoded."""
    with pytest.raises(DecodeError, match="at most 1048576"):
        decode_message(bytes((1 << 20) + 1), Channel.VOTES)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (3, 2), (1, 17)])
def test_L6_request_for_no_or_too_many_batches_is_refused(low: int, high: int) -> None:
    """One request names 1 to 16 batches."""
    data = encode_message(GetBatches(1, CHAIN[1].digest, low, high))
    with pytest.raises(DecodeError, match=r"high"):
        decode_message(data, Channel.DATA)


@pytest.mark.parametrize("message", [GetBlocks(HEADER.digest, 65), Sync(1, 33)], ids=name)
def test_request_above_its_bound_is_refused(message: Message) -> None:
    """A reply is bounded by its request, so the request is bounded."""
    with pytest.raises(DecodeError, match="count"):
        decode_message(encode_message(message), get_channel(message))
