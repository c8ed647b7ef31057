"""Describe a state that can be fetched in pieces, and what proves that it is the network's. # R2

A claim names a block, the commitment of its height with the chain up to a certified one, and the
hash of every chunk of the snapshot's bytes. All of it but the chunk hashes is proven by signatures;
those are proven by the whole, once it is there: its roots must be those of the commitment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sequencer.codec import Fields, read_digest
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError, VerificationError
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import Commitment
from sequencer.types.committee import Committee
from sequencer.types.primitives import Digest, Height
from sequencer.types.receipt import CertifiedChain

SNAPSHOT_CHUNK_BYTES = 256 << 10
"""Bytes of every chunk but the last."""
SNAPSHOT_CHUNKS_MAX = 4_096
"""Chunks of one snapshot: 1 GiB in all, the most that one claim can make a node fetch."""

Manifest: TypeAlias = tuple[Digest, ...]
"""Digest of each chunk, in order."""


@dataclass(frozen=True, slots=True)
class SnapshotClaim:
    """The execution state after the block of `header`, as one peer offers it."""

    header: BlockHeader
    size: int
    """Bytes of the whole snapshot."""
    chunks: Manifest
    """H(SNAPSHOT_CHUNK ‖ chunk) of each chunk."""
    chain: CertifiedChain
    """From the commitment of the header's height to a certified one."""

    @property
    def height(self) -> Height:
        """Height of the state."""
        return self.header.height

    @property
    def commitment(self) -> Commitment:
        """The commitment under whose roots the state must lie."""
        return self.chain.commitments[0]

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.header.to_value(), self.size, self.chunks, self.chain.to_value())

    @classmethod
    def from_value(cls, value: object, path: str) -> SnapshotClaim:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        claim = cls(
            BlockHeader.from_value(read.take("header"), f"{path}.header"),
            read.uint("size", SNAPSHOT_CHUNK_BYTES * SNAPSHOT_CHUNKS_MAX),
            read.array("chunks", SNAPSHOT_CHUNKS_MAX, read_digest, 1),
            CertifiedChain.from_value(read.take("chain"), f"{path}.chain"),
        )
        read.finish()
        return claim

    def verify(self, chain_id: Digest, committee: Committee, verifier: Verifier) -> None:
        """Check all that signatures can prove; raises `PeerError`. The chunk hashes stay a claim."""
        if len(self.chunks) != count_chunks(self.size):
            raise PeerError(f"snapshot {self.height} has {len(self.chunks)} chunk hashes for {self.size} bytes")
        if (self.header.epoch, len(self.header.cut)) != (committee.epoch, committee.size):
            raise PeerError(f"snapshot {self.height} is of another committee")
        if (self.commitment.height, self.commitment.block_digest) != (self.height, self.header.digest):
            raise PeerError(f"snapshot {self.height} comes with the commitment of another block")
        try:
            self.chain.verify(chain_id, committee, verifier)
        except VerificationError as error:
            raise PeerError(f"snapshot {self.height}: {error}") from None


def count_chunks(size: int) -> int:
    """Return how many chunks a snapshot of `size` bytes has; at least one."""
    return max(1, -(-size // SNAPSHOT_CHUNK_BYTES))


def compute_chunk_digest(chunk: bytes) -> Digest:
    """Return what a manifest says of a chunk."""
    return hash_tagged(Tag.SNAPSHOT_CHUNK, chunk)


def compute_manifest(snapshot: bytes) -> Manifest:
    """Return the digest of every chunk of a snapshot."""
    return tuple(compute_chunk_digest(chunk) for chunk in split_snapshot(snapshot))


def split_snapshot(snapshot: bytes) -> Sequence[bytes]:
    """Return the chunks of a snapshot's bytes."""
    count = count_chunks(len(snapshot))
    return [snapshot[place * SNAPSHOT_CHUNK_BYTES : (place + 1) * SNAPSHOT_CHUNK_BYTES] for place in range(count)]
