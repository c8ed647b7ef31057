"""Describe a block: the header that validators vote on, and the block with its batches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sequencer.codec import Fields, encode
from sequencer.crypto.hashing import ZERO_DIGEST, Tag, hash_tagged
from sequencer.types.batch import Batch
from sequencer.types.parameters import COMMITTEE_SIZE_MAX
from sequencer.types.primitives import Cut, Digest, Epoch, Height, Tip, View

if TYPE_CHECKING:
    from sequencer.types.vote import Certificate

FLAG_OPTIMISTIC = 1
FLAG_TAIL = 2
FLAG_CLOSING = 4
_FLAGS_ALL = FLAG_OPTIMISTIC | FLAG_TAIL | FLAG_CLOSING


def read_tip(value: object, path: str) -> Tip:
    """Read one cut entry."""
    read = Fields(value, path)
    tip = Tip(read.uint("position"), read.digest("digest"))
    read.finish()
    return tip


@dataclass(frozen=True)
class BlockHeader:
    """What a proposal proposes and every vote names by digest: one tip per lane."""

    epoch: Epoch
    view: View
    height: Height
    parent_view: View
    parent_digest: Digest
    time_ms: int
    """Milliseconds since 1970, strictly above the parent's. # V7"""
    flags: int
    """Bit set of FLAG_*; 0 in this version of the protocol. # V9"""
    cut: Cut

    @cached_property
    def digest(self) -> Digest:
        """d = H(BLOCK ‖ header)."""
        return hash_tagged(Tag.BLOCK, encode(self.to_value()))

    def to_value(self) -> tuple[object, ...]:
        """Return the array that is hashed and sent."""
        return (
            self.epoch,
            self.view,
            self.height,
            self.parent_view,
            self.parent_digest,
            self.time_ms,
            self.flags,
            tuple(tuple(tip) for tip in self.cut),
        )

    @classmethod
    def from_value(cls, value: object, path: str) -> BlockHeader:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        header = cls(
            read.uint("epoch"),
            read.uint("view"),
            read.uint("height"),
            read.uint("parent_view"),
            read.digest("parent_digest"),
            read.uint("time_ms"),
            read.uint("flags", _FLAGS_ALL),
            read.array("cut", COMMITTEE_SIZE_MAX, read_tip, 1),
        )
        read.finish()
        return header


def make_genesis_header(epoch: Epoch, chain_id: Digest, time_ms: int, lanes: int) -> BlockHeader:
    """Return the header at view 0 and height 0; it is finalized by definition."""
    parent = hash_tagged(Tag.GENESIS_BLOCK, chain_id)
    return BlockHeader(epoch, 0, 0, 0, parent, time_ms, 0, (Tip(0, ZERO_DIGEST),) * lanes)


@dataclass(frozen=True, slots=True)
class FinalizedBlock:
    """A finalized header with all batches that its cut adds, as stored and as served to a peer that catches up."""

    header: BlockHeader
    finalization: Certificate | None
    """F certificate of this very block, if the node held one; else a later block's covers it. # C4"""
    batches: tuple[Batch, ...]
    """In delivery order. # O3"""
