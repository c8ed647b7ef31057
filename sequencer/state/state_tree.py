"""Hold a state as a 16-ary tree whose shape depends on its content alone: persistent map and root in one.

A key's place is the hex path of H(STATE_KEY ‖ key). A subtree with at most `BUCKET_ENTRIES_MAX`
entries is one bucket; any larger one is a branch of 16 children. So the root is the same for
every order of writes, small states have short proofs, and nobody can grind many keys
into one bucket. A write copies the path to its bucket, so every version can be kept.

bucket digest = H(STATE_BUCKET ‖ [[key, value], …] ascending by key)
branch digest = H(STATE_NODE ‖ 16 child digests)
An empty subtree has the zero digest, and so has an empty state.

Nodes are plain tuples, not named ones: the garbage collector stops tracking plain tuples that
hold nothing tracked, so after some passes a large state costs it nothing. A map whose nodes
it must visit (pyrsistent's PMap) slows execution 20-fold at 50,000 accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import TypeAlias

from sequencer.codec import encode
from sequencer.crypto.hashing import ZERO_DIGEST, Tag, hash_tagged
from sequencer.types.primitives import Digest, StateValue

BUCKET_ENTRIES_MAX = 8
"""Entries of a bucket above the lowest level."""
BRANCH_WIDTH = 16
DEPTH_MAX = 64
"""Hex digits of a path; a bucket at this depth may hold any number of entries."""
PATHS_REMEMBERED_MAX = 16_384
"""Paths of the keys used last: one transaction reads and writes the same few keys many times."""

Entry: TypeAlias = tuple[str, StateValue]
Bucket: TypeAlias = tuple[Digest, tuple[Entry, ...]]
"""digest, 1..8 entries ascending by key."""
Branch: TypeAlias = tuple[Digest, tuple["Node", ...], int]
"""digest, 16 children, number of entries below (at least 9; no part of the digest)."""
Node: TypeAlias = Bucket | Branch | None
"""None is an empty subtree; a branch has three fields, a bucket two."""

_Placed: TypeAlias = tuple[str, Entry]
_Write: TypeAlias = tuple[str, str, StateValue | None]
"""path, key, new value (None removes)."""

_BUCKET, _NODE = bytes(Tag.STATE_BUCKET), bytes(Tag.STATE_NODE)

DIGIT = {digit: value for value, digit in enumerate("0123456789abcdef")}


@lru_cache(maxsize=PATHS_REMEMBERED_MAX)
def compute_key_path(key: str) -> str:
    """Return the 64 hex digits that lead to `key`."""
    return hash_tagged(Tag.STATE_KEY, key.encode()).hex()


def compute_bucket_digest(entries: tuple[Entry, ...]) -> Digest:
    """Return the digest of a bucket with these entries, ascending by key; zero if there are none."""
    return sha256(_BUCKET + encode(entries)).digest() if entries else ZERO_DIGEST


def compute_branch_digest(child_digests: Iterable[Digest]) -> Digest:
    """Return the digest of a branch with these 16 children."""
    return sha256(_NODE + b"".join(child_digests)).digest()


def get_digest(node: Node) -> Digest:
    """Return a subtree's digest."""
    return ZERO_DIGEST if node is None else node[0]


class StateTree:
    """One immutable version of a state; versions share what did not change."""

    __slots__ = ("node",)

    def __init__(self, node: Node = None) -> None:
        self.node = node

    @property
    def root(self) -> Digest:
        """What a commitment's row carries."""
        return get_digest(self.node)

    def get(self, key: str) -> StateValue | None:
        """Return the value, or None if the key is absent."""
        node, path, depth = self.node, compute_key_path(key), 0
        while node is not None and len(node) == 3:
            node = node[1][DIGIT[path[depth]]]
            depth += 1
        for name, value in () if node is None else node[1]:
            if name == key:
                return value
        return None

    def get_entries(self) -> Iterator[Entry]:
        """Yield every entry in the order of the key paths, which is the same on every node."""
        return _walk(self.node)

    def update(self, writes: Mapping[str, StateValue | None]) -> StateTree:
        """Return a version with `writes` applied; cost grows with their number, not with the state."""
        if not writes:
            return self
        return StateTree(
            _update(self.node, sorted((compute_key_path(key), key, value) for key, value in writes.items()), 0)
        )


def build_tree(entries: Iterable[Entry]) -> StateTree:
    """Return the tree of a whole state; each key once."""
    return StateTree(_make_subtree([(compute_key_path(entry[0]), entry) for entry in entries], 0))


def _update(node: Node, writes: list[_Write], depth: int) -> Node:
    if node is not None and len(node) == 3:
        return _update_branch(node, writes, depth)
    merged = dict(node[1]) if node is not None else {}
    for _, key, value in writes:
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    if len(merged) <= BUCKET_ENTRIES_MAX:
        return _make_bucket(merged.items())
    return _make_subtree([(compute_key_path(entry[0]), entry) for entry in merged.items()], depth)


def _update_branch(node: Branch, writes: list[_Write], depth: int) -> Node:
    children, count = list(node[1]), node[2]
    start = 0
    while start < len(writes):
        digit = writes[start][0][depth]
        end = start + 1
        while end < len(writes) and writes[end][0][depth] == digit:
            end += 1
        index = DIGIT[digit]
        before = children[index]
        after = children[index] = _update(before, writes[start:end], depth + 1)
        count += _count_entries(after) - _count_entries(before)
        start = end
    return _make_branch(tuple(children), count)


def _make_subtree(placed: list[_Placed], depth: int) -> Node:
    if len(placed) <= BUCKET_ENTRIES_MAX or depth == DEPTH_MAX:
        return _make_bucket(entry for _, entry in placed)
    groups: list[list[_Placed]] = [[] for _ in range(BRANCH_WIDTH)]
    for path, entry in placed:
        groups[DIGIT[path[depth]]].append((path, entry))
    return _make_branch(tuple([_make_subtree(group, depth + 1) for group in groups]), len(placed))


def _make_bucket(entries: Iterable[Entry]) -> Node:
    ordered = tuple(sorted(entries))
    return (compute_bucket_digest(ordered), ordered) if ordered else None


def _make_branch(children: tuple[Node, ...], count: int) -> Node:
    """Join children with `count` entries; what has shrunk to a bucket's size becomes a bucket again."""
    if count > BUCKET_ENTRIES_MAX:
        return (compute_branch_digest([get_digest(child) for child in children]), children, count)
    return _make_bucket(entry for child in children for entry in _walk(child))


def _count_entries(node: Node) -> int:
    if node is None:
        return 0
    return node[2] if len(node) == 3 else len(node[1])


def _walk(node: Node) -> Iterator[Entry]:
    if node is not None and len(node) == 3:
        for child in node[1]:
            yield from _walk(child)
    elif node is not None:
        yield from node[1]
