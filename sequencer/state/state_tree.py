"""Commit to a state by a 16-ary tree whose shape depends on its content alone.

A key's place is the hex path of H(STATE_KEY ‖ key). A subtree with at most `BUCKET_ENTRIES_MAX`
entries is one bucket; any larger one is a branch of 16 children. So the root is the same for
every order of writes, small states have short proofs, and nobody can grind many keys
into one bucket.

bucket digest = H(STATE_BUCKET ‖ [[key, value], …] ascending by key)
branch digest = H(STATE_NODE ‖ 16 child digests)
An empty subtree has the zero digest, and so has an empty state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from sequencer.codec import encode
from sequencer.crypto.hashing import ZERO_DIGEST, Tag, hash_tagged
from sequencer.types.primitives import Digest, StateValue

BUCKET_ENTRIES_MAX = 8
"""Entries of a bucket above the lowest level."""
BRANCH_WIDTH = 16
DEPTH_MAX = 64
"""Hex digits of a path; a bucket at this depth may hold any number of entries."""


class Entry(NamedTuple):
    """One key of a bucket with its path, so that it need not be hashed again."""

    key: str
    value: StateValue
    path: str


class Bucket(NamedTuple):
    """1..8 entries ascending by key."""

    digest: Digest
    entries: tuple[Entry, ...]


class Branch(NamedTuple):
    """16 children of a subtree with more than 8 entries."""

    digest: Digest
    children: tuple[Node, ...]
    entry_count: int
    """Entries below; not part of the digest."""


Node: TypeAlias = Bucket | Branch | None
"""None is an empty subtree."""

_Write: TypeAlias = tuple[str, str, StateValue | None]
"""path, key, new value (None removes)."""

_EMPTY_CHILDREN: tuple[Node, ...] = (None,) * BRANCH_WIDTH


def compute_key_path(key: str) -> str:
    """Return the 64 hex digits that lead to `key`."""
    return hash_tagged(Tag.STATE_KEY, key.encode()).hex()


def compute_bucket_digest(entries: Iterable[tuple[str, StateValue]]) -> Digest:
    """Return the digest of a bucket with these entries, ascending by key; zero if there are none."""
    pairs = tuple(entries)
    return hash_tagged(Tag.STATE_BUCKET, encode(pairs)) if pairs else ZERO_DIGEST


def compute_branch_digest(child_digests: Iterable[Digest]) -> Digest:
    """Return the digest of a branch with these 16 children."""
    return hash_tagged(Tag.STATE_NODE, *child_digests)


def get_digest(node: Node) -> Digest:
    """Return a subtree's digest."""
    return ZERO_DIGEST if node is None else node.digest


class StateTree:
    """One immutable version of the tree; versions share what did not change."""

    __slots__ = ("node",)

    def __init__(self, node: Node = None) -> None:
        self.node = node

    @property
    def root(self) -> Digest:
        """What a commitment's row carries."""
        return get_digest(self.node)

    def get_entries(self) -> Iterator[tuple[str, StateValue]]:
        """Yield every entry in the order of the key paths, which is the same on every node."""
        return _walk(self.node)

    def update(self, writes: Mapping[str, StateValue | None]) -> StateTree:
        """Return a version with `writes` applied; cost grows with their number, not with the state."""
        if not writes:
            return self
        return StateTree(
            _update(self.node, sorted((compute_key_path(key), key, value) for key, value in writes.items()), 0)
        )


def _update(node: Node, writes: list[_Write], depth: int) -> Node:
    if isinstance(node, Branch):
        return _update_branch(node, writes, depth)
    merged = {entry.key: entry for entry in node.entries} if node is not None else {}
    for path, key, value in writes:
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = Entry(key, value, path)
    return _make_subtree(list(merged.values()), depth)


def _update_branch(node: Branch, writes: list[_Write], depth: int) -> Node:
    children = list(node.children)
    start = 0
    while start < len(writes):
        digit = writes[start][0][depth]
        end = start + 1
        while end < len(writes) and writes[end][0][depth] == digit:
            end += 1
        index = int(digit, 16)
        children[index] = _update(children[index], writes[start:end], depth + 1)
        start = end
    return _make_branch(tuple(children))


def _make_subtree(entries: list[Entry], depth: int) -> Node:
    if not entries:
        return None
    if len(entries) <= BUCKET_ENTRIES_MAX or depth == DEPTH_MAX:
        entries.sort()
        return Bucket(compute_bucket_digest((entry.key, entry.value) for entry in entries), tuple(entries))
    groups: list[list[Entry]] = [[] for _ in range(BRANCH_WIDTH)]
    for entry in entries:
        groups[int(entry.path[depth], 16)].append(entry)
    return _make_branch(tuple(_make_subtree(group, depth + 1) for group in groups))


def _make_branch(children: tuple[Node, ...]) -> Node:
    """Join children; what has shrunk to a bucket's size becomes a bucket again."""
    count = sum(_count_entries(child) for child in children)
    if count > BUCKET_ENTRIES_MAX:
        return Branch(compute_branch_digest(get_digest(child) for child in children), children, count)
    entries = [entry for child in children if isinstance(child, Bucket) for entry in child.entries]
    return _make_subtree(entries, 0)


def _count_entries(node: Node) -> int:
    if node is None:
        return 0
    return node.entry_count if isinstance(node, Branch) else len(node.entries)


def _walk(node: Node) -> Iterator[tuple[str, StateValue]]:
    if isinstance(node, Branch):
        for child in node.children:
            yield from _walk(child)
    elif node is not None:
        for entry in node.entries:
            yield entry.key, entry.value


def build_tree(entries: Iterable[tuple[str, StateValue]]) -> StateTree:
    """Return the tree of a whole state."""
    return StateTree(_make_subtree([Entry(key, value, compute_key_path(key)) for key, value in entries], 0))
