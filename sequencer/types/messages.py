"""List every message that validators exchange, with its number, channel and limits.

A message travels as the array [number, body]. Votes, proposals, HAVE and all that is small
and urgent use the votes channel; batches, fetches and catch-up use the data channel.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias, cast

from sequencer.codec import U16_MAX, Fields, decode, encode
from sequencer.errors import DecodeError
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import CommitmentCertificate, CommitmentVote
from sequencer.types.evidence import Evidence, Statement, evidence_to_value, read_evidence
from sequencer.types.parameters import COMMITTEE_SIZE_MAX
from sequencer.types.primitives import Digest, Epoch, Height, Position, ValidatorIndex, View
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk, SnapshotChunk, SnapshotOffer
from sequencer.types.vote import Certificate, Proposal, Vote

PROTOCOL_VERSION = 2
MESSAGE_BYTES_MAX = 4 << 20
"""Largest encoded message on the data channel."""
VOTES_MESSAGE_BYTES_MAX = 1 << 20
"""Largest encoded message on the votes channel."""
HELLO_CERTIFICATES_MAX = 64
"""Certificates that a HELLO carries. # F5"""
HELLO_VOTES_MAX = 64
"""Own votes that a HELLO carries. # F5"""
BLOCK_REPLY_HEADERS_MAX = 64
CERTIFICATES_PER_ANSWER_MAX = 64
"""Certificates above the finalized view that answer one GET_CERTS. # P3"""
BATCH_REPLY_BATCHES_MAX = 16
SYNC_BLOCKS_MAX = 32
"""Blocks that one SYNC reply carries."""


class Channel(enum.Enum):
    """The stream that a message uses; each is ordered, and neither waits for the other."""

    VOTES = "votes"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class HaveEntry:
    """I hold lane `lane` from its finalized position up to the batch `digest` at `position`. # L4"""

    lane: ValidatorIndex
    position: Position
    digest: Digest

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.lane, self.position, self.digest)

    @classmethod
    def from_value(cls, value: object, path: str) -> HaveEntry:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        entry = cls(read.uint("lane", U16_MAX), read.uint("position"), read.digest("digest"))
        read.finish()
        return entry


@dataclass(frozen=True, slots=True)
class Have:
    """Which batches the sender holds durably; unsigned, cumulative. # L4

    `delivered` is the sender's finalized position per lane: an owner pushes up to
    `delivered` + W_LANE and re-pushes what the sender lacks. # L2b L3
    """

    entries: tuple[HaveEntry, ...]
    delivered: tuple[Position, ...]
    late: tuple[ValidatorIndex, ...] = ()
    """Lanes, ascending, whose batches delayed the sender's vote since its last HAVE. # L8"""

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (tuple(entry.to_value() for entry in self.entries), self.delivered, self.late)

    @classmethod
    def from_value(cls, value: object, path: str) -> Have:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        have = cls(
            read.array("entries", COMMITTEE_SIZE_MAX, HaveEntry.from_value),
            read.array("delivered", COMMITTEE_SIZE_MAX, _read_position),
            read.array("late", COMMITTEE_SIZE_MAX, _read_lane),
        )
        read.finish()
        if any(lane <= before for before, lane in pairwise(have.late)):
            raise DecodeError(f"{path}.late", "must ascend")
        return have


def _read_position(value: object, path: str) -> Position:
    return Fields((value,), path).uint("position")


def _read_lane(value: object, path: str) -> ValidatorIndex:
    return Fields((value,), path).uint("lane", U16_MAX)


@dataclass(frozen=True, slots=True)
class Hello:
    """First message on every connection of the votes channel, both ways. # F5"""

    version: int
    chain_id: Digest
    epoch: Epoch
    view: View
    finalized_height: Height
    finalized_view: View
    finalized_digest: Digest
    certificates: tuple[Certificate, ...]
    """F of the finalized view (absent at genesis), then N and Z above it, newest."""
    votes: tuple[Vote, ...]
    """Own logged votes above the finalized view."""
    have: Have

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (
            self.version,
            self.chain_id,
            self.epoch,
            self.view,
            self.finalized_height,
            self.finalized_view,
            self.finalized_digest,
            tuple(certificate.to_value() for certificate in self.certificates),
            tuple(vote.to_value() for vote in self.votes),
            self.have.to_value(),
        )

    @classmethod
    def from_value(cls, value: object, path: str) -> Hello:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        hello = cls(
            read.uint("version", U16_MAX),
            read.digest("chain_id"),
            read.uint("epoch"),
            read.uint("view"),
            read.uint("finalized_height"),
            read.uint("finalized_view"),
            read.digest("finalized_digest"),
            read.array("certificates", HELLO_CERTIFICATES_MAX, Certificate.from_value),
            read.array("votes", HELLO_VOTES_MAX, Vote.from_value),
            Have.from_value(read.take("have"), f"{path}.have"),
        )
        read.finish()
        return hello


@dataclass(frozen=True, slots=True)
class GetBlocks:
    """Ask for the header `digest` and up to `count` - 1 of its ancestors. # C4"""

    digest: Digest
    count: int

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.digest, self.count)

    @classmethod
    def from_value(cls, value: object, path: str) -> GetBlocks:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        request = cls(read.digest("digest"), read.uint("count", BLOCK_REPLY_HEADERS_MAX))
        read.finish()
        return request


@dataclass(frozen=True, slots=True)
class GetCertificates:
    """Ask for the newest F from view `low` on, and the lowest N and Z of the views up to `high`. # P3

    Each comes as a message of its own.
    """

    low: View
    high: View

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.low, self.high)

    @classmethod
    def from_value(cls, value: object, path: str) -> GetCertificates:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        request = cls(read.uint("low"), read.uint("high"))
        read.finish()
        if not 1 <= request.low <= request.high:
            raise DecodeError(f"{path}.high", "must be at least low, and low at least 1")
        return request


@dataclass(frozen=True, slots=True)
class BlockHeaders:
    """Answer to GET_BLOCKS: headers from the asked one downwards, each the parent of the one before."""

    headers: tuple[BlockHeader, ...]

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (tuple(header.to_value() for header in self.headers),)

    @classmethod
    def from_value(cls, value: object, path: str) -> BlockHeaders:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        reply = cls(read.array("headers", BLOCK_REPLY_HEADERS_MAX, BlockHeader.from_value))
        read.finish()
        return reply


@dataclass(frozen=True, slots=True)
class GetBatches:
    """Ask for the batches of `lane` on the chain down from `tip_digest` at `high`, to `low`. # L6"""

    lane: ValidatorIndex
    tip_digest: Digest
    low: Position
    high: Position

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.lane, self.tip_digest, self.low, self.high)

    @classmethod
    def from_value(cls, value: object, path: str) -> GetBatches:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        request = cls(read.uint("lane", U16_MAX), read.digest("tip_digest"), read.uint("low"), read.uint("high"))
        read.finish()
        if not 1 <= request.low <= request.high < request.low + BATCH_REPLY_BATCHES_MAX:
            raise DecodeError(f"{path}.high", f"must be low..low + {BATCH_REPLY_BATCHES_MAX - 1}, low at least 1")
        return request


@dataclass(frozen=True, slots=True)
class Batches:
    """Answer to GET_BATCHES: batches from the asked tip downwards, each the parent of the one before."""

    lane: ValidatorIndex
    batches: tuple[Batch, ...]

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.lane, tuple(batch.to_value() for batch in self.batches))

    @classmethod
    def from_value(cls, value: object, path: str) -> Batches:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        reply = cls(read.uint("lane", U16_MAX), read.array("batches", BATCH_REPLY_BATCHES_MAX, Batch.from_value))
        read.finish()
        return reply


@dataclass(frozen=True, slots=True)
class Sync:
    """Ask for finalized blocks from `from_height` on, at most `count`. # R2"""

    from_height: Height
    count: int

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.from_height, self.count)

    @classmethod
    def from_value(cls, value: object, path: str) -> Sync:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        request = cls(read.uint("from_height"), read.uint("count", SYNC_BLOCKS_MAX))
        read.finish()
        return request


@dataclass(frozen=True, slots=True)
class SyncBlocks:
    """Answer to SYNC: consecutive blocks; the last one carries its finalization. Empty: the sender has none. # R2"""

    blocks: tuple[FinalizedBlock, ...]
    commitment: CommitmentCertificate | None
    """The newest commitment certificate at or below the last block, to compare with."""
    oldest: Height = 0
    """Lowest height whose block the sender keeps; what is below comes as a snapshot. 0: not said."""
    newest: Height = 0
    """Highest height whose block the sender keeps; 0: not said."""

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (
            tuple(finalized_block_to_value(block) for block in self.blocks),
            None if self.commitment is None else self.commitment.to_value(),
            self.oldest,
            self.newest,
        )

    @classmethod
    def from_value(cls, value: object, path: str) -> SyncBlocks:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        reply = cls(
            read.array("blocks", SYNC_BLOCKS_MAX, read_finalized_block),
            read.optional("commitment", CommitmentCertificate.from_value),
            read.uint("oldest"),
            read.uint("newest"),
        )
        read.finish()
        return reply


def finalized_block_to_value(block: FinalizedBlock) -> tuple[object, ...]:
    """Return the array of a finalized block."""
    certificate = None if block.finalization is None else block.finalization.to_value()
    return (block.header.to_value(), certificate, tuple(batch.to_value() for batch in block.batches))


def read_finalized_block(value: object, path: str) -> FinalizedBlock:
    """Read the array of a finalized block; raises `DecodeError` naming the field."""
    read = Fields(value, path)
    block = FinalizedBlock(
        BlockHeader.from_value(read.take("header"), f"{path}.header"),
        read.optional("finalization", Certificate.from_value),
        read.array("batches", COMMITTEE_SIZE_MAX * 16, Batch.from_value),
    )
    read.finish()
    return block


@dataclass(frozen=True, slots=True)
class Accusation:
    """Evidence against a validator; whoever gets it verifies it before it is kept. # X1-X7"""

    evidence: Evidence

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (evidence_to_value(self.evidence),)

    @classmethod
    def from_value(cls, value: object, path: str) -> Accusation:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        accusation = cls(read_evidence(read.take("evidence"), f"{path}.evidence"))
        read.finish()
        return accusation


Message: TypeAlias = (
    Hello
    | Have
    | Proposal
    | Vote
    | Certificate
    | GetBlocks
    | GetCertificates
    | BlockHeaders
    | CommitmentVote
    | CommitmentCertificate
    | Batch
    | GetBatches
    | Batches
    | Sync
    | SyncBlocks
    | GetSnapshot
    | SnapshotOffer
    | GetSnapshotChunk
    | SnapshotChunk
    | Accusation
    | Statement
)


class _Encodable(Protocol):
    def to_value(self) -> tuple[object, ...]: ...


_TABLE: tuple[tuple[int, type, Channel, Callable[[object, str], object]], ...] = (
    (1, Hello, Channel.VOTES, Hello.from_value),
    (2, Have, Channel.VOTES, Have.from_value),
    (3, Proposal, Channel.VOTES, Proposal.from_value),
    (4, Vote, Channel.VOTES, Vote.from_value),
    (5, Certificate, Channel.VOTES, Certificate.from_value),
    (6, GetBlocks, Channel.VOTES, GetBlocks.from_value),
    (7, BlockHeaders, Channel.VOTES, BlockHeaders.from_value),
    (8, CommitmentVote, Channel.VOTES, CommitmentVote.from_value),
    (9, CommitmentCertificate, Channel.VOTES, CommitmentCertificate.from_value),
    (10, Batch, Channel.DATA, Batch.from_value),
    (11, GetBatches, Channel.DATA, GetBatches.from_value),
    (12, Batches, Channel.DATA, Batches.from_value),
    (13, Sync, Channel.DATA, Sync.from_value),
    (14, SyncBlocks, Channel.DATA, SyncBlocks.from_value),
    (15, GetSnapshot, Channel.DATA, GetSnapshot.from_value),
    (16, SnapshotOffer, Channel.DATA, SnapshotOffer.from_value),
    (17, GetSnapshotChunk, Channel.DATA, GetSnapshotChunk.from_value),
    (18, SnapshotChunk, Channel.DATA, SnapshotChunk.from_value),
    (20, Accusation, Channel.DATA, Accusation.from_value),
    (21, Statement, Channel.VOTES, Statement.from_value),
    (22, GetCertificates, Channel.VOTES, GetCertificates.from_value),
)
_NUMBERS = {kind: number for number, kind, _, _ in _TABLE}
_CHANNELS = {kind: channel for _, kind, channel, _ in _TABLE}
_READERS = {number: (channel, reader) for number, _, channel, reader in _TABLE}
_TYPES_BY_HEAD = {bytes((0x92, number)): kind for number, kind, _, _ in _TABLE}
"""An array of two whose first element is the number: numbers stay below 128."""


def get_channel(message: Message) -> Channel:
    """Return the channel that the message uses."""
    return _CHANNELS[type(message)]


def find_message_type(data: bytes) -> type | None:
    """Return the type that the first bytes of a message name, without reading the rest; None if it is no message."""
    return _TYPES_BY_HEAD.get(data[:2])


def encode_message(message: Message) -> bytes:
    """Return the bytes that travel."""
    return encode((_NUMBERS[type(message)], cast(_Encodable, message).to_value()))


def decode_message(data: bytes, channel: Channel) -> Message:
    """Read one message that came on `channel`; raises `DecodeError` naming the field."""
    limit = VOTES_MESSAGE_BYTES_MAX if channel is Channel.VOTES else MESSAGE_BYTES_MAX
    if len(data) > limit:
        raise DecodeError("message", f"has {len(data)} bytes, at most {limit} are allowed on {channel.value}")
    read = Fields(decode(data, "message"), "message")
    number = read.uint("number", U16_MAX)
    if number not in _READERS or _READERS[number][0] is not channel:
        raise DecodeError("message.number", f"{number} is not known on {channel.value}")
    message = _READERS[number][1](read.take("body"), f"message[{number}]")
    read.finish()
    return cast(Message, message)
