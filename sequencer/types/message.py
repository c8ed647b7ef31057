"""Carry value from one rollup to another in two steps: sent at one position, delivered at a later one. # A19

The source keeps the message in its outbox, whose root is in its row; a delivery brings it to the
destination with the path to that root, so it needs no signature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from sequencer.codec import U32_MAX, U64_MAX, Fields, encode
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.errors import DecodeError
from sequencer.types.bundle import OPERATIONS_PER_LEG_MAX
from sequencer.types.leaves import encode_leg_leaf
from sequencer.types.parameters import LEGS_MAX
from sequencer.types.primitives import Address, Digest, Height, RollupId
from sequencer.types.receipt import MerklePath

DELIVER_KIND = 5
"""Kind of the item that delivers a message."""
_ASSET = re.compile(r"[A-Za-z0-9]{1,16}\Z")


@dataclass(frozen=True)
class CrossMessage:
    """An amount that left `source` for an account on `destination`."""

    source: RollupId
    destination: RollupId
    asset: str
    """1..16 letters and digits."""
    sender: Address
    to: Address
    amount: int
    """≥ 1."""
    bundle_id: Digest
    leg: int
    """0..15."""
    operation: int
    """0..63; the operation of that leg that sent it."""

    @cached_property
    def id(self) -> Digest:
        """The key under which it is delivered once; never read, so nobody can take another item's."""
        return compute_message_id(self.source, self.bundle_id, self.leg, self.operation)

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        origin = (self.bundle_id, self.leg, self.operation)
        return (self.source, self.destination, self.asset, self.sender, self.to, self.amount, *origin)

    def to_bytes(self) -> bytes:
        """Return the leaf of the source's outbox root."""
        return encode(self.to_value())

    @classmethod
    def from_value(cls, value: object, path: str) -> CrossMessage:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        message = cls(
            read.uint("source", U32_MAX),
            read.uint("destination", U32_MAX),
            read.text("asset", 16),
            read.digest("sender"),
            read.digest("to"),
            read.uint("amount", U64_MAX),
            read.digest("bundle_id"),
            read.uint("leg", LEGS_MAX - 1),
            read.uint("operation", OPERATIONS_PER_LEG_MAX - 1),
        )
        read.finish()
        if not _ASSET.match(message.asset):
            raise DecodeError(f"{path}.asset", "must be 1..16 letters and digits")
        if message.source == message.destination:
            raise DecodeError(f"{path}.destination", "must be another rollup than the source")
        if message.amount == 0:
            raise DecodeError(f"{path}.amount", "must be at least 1")
        return message


def compute_message_id(source: RollupId, bundle_id: Digest, leg: int, operation: int) -> Digest:
    """Return H(MESSAGE ‖ source ‖ bundle id ‖ leg index ‖ operation index).

    So the executors of one rollup, whatever they certify, never name a message of another one, nor a bundle. # A12
    """
    place = (source.to_bytes(8, "big"), bundle_id, leg.to_bytes(8, "big"), operation.to_bytes(8, "big"))
    return hash_tagged(Tag.MESSAGE, *place)


@dataclass(frozen=True)
class Delivery:
    """A message with the proof that its source sent it: an item of the log."""

    message: CrossMessage
    height: Height
    """Of the source's row under which the outbox root stands."""
    path: MerklePath
    """From the message to that outbox root."""

    @cached_property
    def leg_leaves(self) -> tuple[tuple[RollupId, bytes], ...]:
        """Its leaves under the batch root: one in the list of the destination, one in that of the source. # A2"""
        message, digest = self.message, hash_tagged(Tag.LEG, self.message.to_bytes())
        rollups = (message.destination, message.source)
        return tuple((rollup, encode_leg_leaf(message.id, i, 2, digest)) for i, rollup in enumerate(rollups))

    @cached_property
    def item_bytes(self) -> bytes:
        """The item as a batch carries it: [kind, [message, height, path], no signatures]."""
        body = (self.message.to_value(), self.height, self.path.to_value())
        return encode((DELIVER_KIND, body, ()))

    @classmethod
    def from_value(cls, value: object, path: str) -> Delivery:
        """Read the item's body; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        delivery = cls(
            CrossMessage.from_value(read.take("message"), f"{path}.message"),
            read.uint("height"),
            MerklePath.from_value(read.take("path"), f"{path}.path"),
        )
        read.finish()
        return delivery
