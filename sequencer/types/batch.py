"""Carry items: a batch is one element of a validator's hash-chained lane. # L1"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sequencer.codec import U16_MAX, U32_MAX, Fields, decode, encode
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.errors import DecodeError
from sequencer.types.parameters import BATCH_ITEMS_MAX, ITEM_BYTES_MAX
from sequencer.types.primitives import Digest, Epoch, Position, Signature, ValidatorIndex
from sequencer.types.signing import SignatureKind, compute_signing_bytes

BATCH_PAYLOAD_BYTES_LIMIT = 1 << 20
"""Largest payload that any parameters may allow; a decoder's bound."""


@dataclass(frozen=True)
class BatchHeader:
    """What the lane's owner signs."""

    epoch: Epoch
    lane: ValidatorIndex
    position: Position
    """From 1, without gaps."""
    parent: Digest
    """Digest of the batch before; zero at position 1."""
    payload_hash: Digest
    payload_bytes: int
    item_count: int

    @cached_property
    def digest(self) -> Digest:
        """H(BATCH_HEADER ‖ header): the name of the batch."""
        return hash_tagged(Tag.BATCH_HEADER, encode(self.to_value()))

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (
            self.epoch,
            self.lane,
            self.position,
            self.parent,
            self.payload_hash,
            self.payload_bytes,
            self.item_count,
        )

    @classmethod
    def from_value(cls, value: object, path: str) -> BatchHeader:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        header = cls(
            read.uint("epoch"),
            read.uint("lane", U16_MAX),
            read.uint("position"),
            read.digest("parent"),
            read.digest("payload_hash"),
            read.uint("payload_bytes", U32_MAX),
            read.uint("item_count", BATCH_ITEMS_MAX),
        )
        read.finish()
        if header.position == 0:
            raise DecodeError(f"{path}.position", "must be at least 1")
        return header

    def compute_signing_bytes(self, chain_id: Digest) -> bytes:
        """Return what the owner's signature covers."""
        return compute_signing_bytes(chain_id, self.epoch, SignatureKind.BATCH_HEADER, self.position, self.digest)


@dataclass(frozen=True)
class Batch:
    """A signed header with its payload; the payload stays opaque bytes until it is executed."""

    header: BatchHeader
    signature: Signature
    payload: bytes

    @property
    def digest(self) -> Digest:
        """The header's digest."""
        return self.header.digest

    @cached_property
    def is_payload_intact(self) -> bool:
        """Tell whether hash and size of the payload are those that the header states. # L3"""
        return len(self.payload) == self.header.payload_bytes and self.header.payload_hash == hash_tagged(
            Tag.BATCH_PAYLOAD, self.payload
        )

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.header.to_value(), self.signature, self.payload)

    @classmethod
    def from_value(cls, value: object, path: str) -> Batch:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        batch = cls(
            BatchHeader.from_value(read.take("header"), f"{path}.header"),
            read.signature("signature"),
            read.blob("payload", BATCH_PAYLOAD_BYTES_LIMIT),
        )
        read.finish()
        return batch


def encode_payload(items: Sequence[bytes]) -> bytes:
    """Return the payload of a batch: an array of items given as bytes."""
    return encode(tuple(items))


def decode_payload(payload: bytes) -> tuple[bytes, ...]:
    """Return the items of a payload.

    A payload that is not a canonical array of at most 4,096 byte strings of at most 64 KB
    holds no item at all: every honest node then sees the same empty batch. # A4
    """
    try:
        value = decode(payload, "payload")
    except DecodeError:
        return ()
    if not isinstance(value, tuple) or len(value) > BATCH_ITEMS_MAX:
        return ()
    if not all(type(item) is bytes and len(item) <= ITEM_BYTES_MAX for item in value):
        return ()
    return value


def compute_payload_hash(payload: bytes) -> Digest:
    """Return H(BATCH_PAYLOAD ‖ payload)."""
    return hash_tagged(Tag.BATCH_PAYLOAD, payload)
