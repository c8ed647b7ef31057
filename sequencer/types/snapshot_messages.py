"""Ask for a snapshot and hand it out, chunk by chunk. # R2

All four travel on the data channel between validators, and on the open one to strangers.
"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.codec import U32_MAX, Fields
from sequencer.types.primitives import Height
from sequencer.types.snapshot import SNAPSHOT_CHUNK_BYTES, SnapshotClaim


@dataclass(frozen=True, slots=True)
class GetSnapshot:
    """Ask for the newest certified snapshot above a height, and for which blocks are kept. # R2"""

    above: Height

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.above,)

    @classmethod
    def from_value(cls, value: object, path: str) -> GetSnapshot:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        request = cls(read.uint("above"))
        read.finish()
        return request


@dataclass(frozen=True, slots=True)
class SnapshotOffer:
    """Answer to GET_SNAPSHOT. # R2"""

    oldest: Height
    """Lowest height whose block the sender keeps; 0: it has no block."""
    newest: Height
    """Highest height whose block the sender keeps."""
    claim: SnapshotClaim | None
    """None: the sender has no certified snapshot above the height asked for."""

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.oldest, self.newest, None if self.claim is None else self.claim.to_value())

    @classmethod
    def from_value(cls, value: object, path: str) -> SnapshotOffer:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        offer = cls(read.uint("oldest"), read.uint("newest"), read.optional("claim", SnapshotClaim.from_value))
        read.finish()
        return offer


@dataclass(frozen=True, slots=True)
class GetSnapshotChunk:
    """Ask for one chunk of the snapshot of a height. # R2"""

    height: Height
    index: int

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.height, self.index)

    @classmethod
    def from_value(cls, value: object, path: str) -> GetSnapshotChunk:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        request = cls(read.uint("height"), read.uint("index", U32_MAX))
        read.finish()
        return request


@dataclass(frozen=True, slots=True)
class SnapshotChunk:
    """Answer to GET_SNAPSHOT_CHUNK. # R2"""

    height: Height
    index: int
    data: bytes
    """Empty: the sender has no such snapshot any more."""

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.height, self.index, self.data)

    @classmethod
    def from_value(cls, value: object, path: str) -> SnapshotChunk:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        chunk = cls(read.uint("height"), read.uint("index", U32_MAX), read.blob("data", SNAPSHOT_CHUNK_BYTES))
        read.finish()
        return chunk
