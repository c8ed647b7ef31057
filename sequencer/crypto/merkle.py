"""Commit to a list: a root that binds the count, and paths that prove one element.

Tree shape as in RFC 6962 (an odd last node is promoted, never doubled), tagged hashes.
root = H(MERKLE_ROOT ‖ count u64 ‖ top), so a wrong count never verifies.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from sequencer.crypto.hashing import ZERO_DIGEST, Tag

_LEAF, _NODE, _ROOT = bytes(Tag.MERKLE_LEAF), bytes(Tag.MERKLE_NODE), bytes(Tag.MERKLE_ROOT)

PATH_LENGTH_MAX = 40
"""Longest path that a verifier looks at: lists of up to 2^40 elements."""


def compute_leaf(data: bytes) -> bytes:
    """Return the digest of one element."""
    return sha256(_LEAF + data).digest()


def compute_node(left: bytes, right: bytes) -> bytes:
    """Return the digest of two subtrees of which the left one is full."""
    return sha256(_NODE + left + right).digest()


def compute_root(elements: Sequence[bytes]) -> bytes:
    """Return the root over `elements` (their bytes, not their digests); an empty list has one too."""
    return _bind_count(len(elements), _fold([sha256(_LEAF + element).digest() for element in elements]))


def compute_path(elements: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the sibling digests from the leaf at `index` up to the top."""
    return ListTree(elements).get_path(index)


class ListTree:
    """The whole tree of a list: hashed once, it gives the paths of all its elements."""

    __slots__ = ("_levels",)

    def __init__(self, elements: Sequence[bytes]) -> None:
        self._levels = [[compute_leaf(element) for element in elements]]
        while len(self._levels[-1]) > 1:
            self._levels.append(_next_level(self._levels[-1]))

    def get_path(self, index: int) -> tuple[bytes, ...]:
        """Return the sibling digests from the leaf at `index` up to the top."""
        siblings = ((level, index >> depth ^ 1) for depth, level in enumerate(self._levels[:-1]))
        return tuple(level[sibling] for level, sibling in siblings if sibling < len(level))


def compute_root_from_path(element: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that `path` leads to, or None if its length does not fit `index` and `count`."""
    if not 0 <= index < count or len(path) > PATH_LENGTH_MAX:
        return None
    node, width, used = compute_leaf(element), count, 0
    while width > 1:
        if index ^ 1 < width:
            if used == len(path):
                return None
            left, right = (path[used], node) if index & 1 else (node, path[used])
            node, used = compute_node(left, right), used + 1
        index, width = index // 2, (width + 1) // 2
    return _bind_count(count, node) if used == len(path) else None


class RootBuilder:
    """Computes the root of a list that grows element by element; the same as `compute_root` of the whole list.

    Keeps one digest per perfect subtree, so appending costs two hashes on average.
    """

    __slots__ = ("_count", "_peaks")

    def __init__(self) -> None:
        self._count = 0
        self._peaks: list[bytes] = []

    def append(self, element: bytes) -> None:
        """Add the next element (its bytes, not its digest)."""
        node, count = sha256(_LEAF + element).digest(), self._count
        while count & 1:
            node, count = sha256(_NODE + self._peaks.pop() + node).digest(), count >> 1
        self._peaks.append(node)
        self._count += 1

    def compute_root(self) -> bytes:
        """Return the root over the elements so far."""
        top = self._peaks[-1] if self._peaks else ZERO_DIGEST
        for peak in reversed(self._peaks[:-1]):
            top = compute_node(peak, top)
        return _bind_count(self._count, top)


def _bind_count(count: int, top: bytes) -> bytes:
    return sha256(_ROOT + count.to_bytes(8, "big") + top).digest()


def _fold(level: list[bytes]) -> bytes:
    while len(level) > 1:
        level = _next_level(level)
    return level[0] if level else ZERO_DIGEST


def _next_level(level: list[bytes]) -> list[bytes]:
    paired = [sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    return paired + level[len(paired) * 2 :]
