"""Prove what a key holds, or that it holds nothing, under the root of a state tree.

A proof is the bucket at the end of the key's path and, for each branch above it, the digests
of the 15 siblings: a bitmap of those that are not zero, then these. The verifier derives
the path from the key, so a proof cannot lead elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sequencer.codec import ARRAY_LENGTH_MAX, U16_MAX, Fields, read_digest
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.errors import DecodeError, VerificationError
from sequencer.state.state_tree import (
    BRANCH_WIDTH,
    BUCKET_ENTRIES_MAX,
    DEPTH_MAX,
    DIGIT,
    StateTree,
    compute_branch_digest,
    compute_bucket_digest,
    compute_key_path,
    get_digest,
)
from sequencer.types.bundle import read_key, read_state_value
from sequencer.types.primitives import Digest, StateValue


@dataclass(frozen=True, slots=True)
class TreeLevel:
    """The siblings at one branch: `bitmap` bit i is set iff child i is a sibling that is not empty."""

    bitmap: int
    digests: tuple[Digest, ...]
    """One per set bit, ascending."""

    @classmethod
    def from_value(cls, value: object, path: str) -> TreeLevel:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        level = cls(read.uint("bitmap", U16_MAX), read.array("digests", BRANCH_WIDTH - 1, read_digest))
        read.finish()
        if level.bitmap.bit_count() != len(level.digests):
            raise DecodeError(f"{path}.digests", "must be one per bit of the bitmap")
        return level


@dataclass(frozen=True, slots=True)
class TreeProof:
    """The bucket that decides about a key, and the way from it up to the root."""

    entries: tuple[tuple[str, StateValue], ...]
    """The whole bucket, ascending by key; the key itself is in it iff it is present."""
    levels: tuple[TreeLevel, ...]
    """From the root down."""

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.entries, tuple((level.bitmap, level.digests) for level in self.levels))

    @classmethod
    def from_value(cls, value: object, path: str) -> TreeProof:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        proof = cls(
            read.array("entries", ARRAY_LENGTH_MAX, _read_entry), read.array("levels", DEPTH_MAX, TreeLevel.from_value)
        )
        read.finish()
        if any(left[0] >= right[0] for left, right in pairwise(proof.entries)):
            raise DecodeError(f"{path}.entries", "must be strictly ascending by key")
        return proof

    def get_value(self, key: str) -> StateValue | None:
        """Return what the proof says that `key` holds; None is absence."""
        return next((value for name, value in self.entries if name == key), None)

    def compute_root(self, key: str) -> Digest:
        """Return the root under which this proof decides about `key`; raises `VerificationError` if none can."""
        path, depth = compute_key_path(key), len(self.levels)
        if len(self.entries) > BUCKET_ENTRIES_MAX and depth < DEPTH_MAX:
            raise VerificationError("state proof: the bucket is too large for its depth")
        digest = compute_bucket_digest(self.entries)
        for level, digit in zip(reversed(self.levels), reversed(path[:depth]), strict=True):
            digest = _climb(level, DIGIT[digit], digest)
        return digest


def prove(tree: StateTree, key: str) -> TreeProof:
    """Return the proof of what `key` holds in `tree`, present or absent."""
    path, node = compute_key_path(key), tree.node
    levels: list[TreeLevel] = []
    while node is not None and len(node) == 3:
        index = DIGIT[path[len(levels)]]
        levels.append(_make_level([get_digest(child) for child in node[1]], index))
        node = node[1][index]
    return TreeProof(() if node is None else node[1], tuple(levels))


def _make_level(digests: Sequence[Digest], own: int) -> TreeLevel:
    present = [index for index, digest in enumerate(digests) if index != own and digest != ZERO_DIGEST]
    return TreeLevel(sum(1 << index for index in present), tuple(digests[index] for index in present))


def _climb(level: TreeLevel, own: int, digest: Digest) -> Digest:
    if level.bitmap >> own & 1:
        raise VerificationError("state proof: a sibling stands in the key's own place")
    siblings = iter(level.digests)
    children = [next(siblings) if level.bitmap >> index & 1 else ZERO_DIGEST for index in range(BRANCH_WIDTH)]
    children[own] = digest
    return compute_branch_digest(children)


def _read_entry(value: object, path: str) -> tuple[str, StateValue]:
    read = Fields(value, path)
    entry = (read_key(read.take("key"), f"{path}.key"), read_state_value(read.take("value"), f"{path}.value"))
    read.finish()
    return entry
