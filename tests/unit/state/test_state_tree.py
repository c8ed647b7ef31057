"""The state tree: its root is a function of its content."""

from __future__ import annotations

import gc

from sequencer.codec import encode
from sequencer.crypto.hashing import ZERO_DIGEST, Tag, hash_tagged
from sequencer.state.state_tree import BUCKET_ENTRIES_MAX, StateTree, build_tree
from sequencer.types.primitives import StateValue


def make_entries(count: int) -> list[tuple[str, StateValue]]:
    return [(f"kv/{number}", number + 1) for number in range(count)]


def test_empty_tree_has_the_zero_digest() -> None:
    """An empty state is recognisable."""
    assert StateTree().root == build_tree([]).root == ZERO_DIGEST


def test_small_state_is_one_bucket_sorted_by_key() -> None:
    """The digest is that of the sorted pairs, as specs/objects.md says."""
    tree = build_tree([("b", 2), ("a", b"x")])
    assert tree.root == hash_tagged(Tag.STATE_BUCKET, encode((("a", b"x"), ("b", 2))))


def test_ninth_key_makes_a_branch_and_its_removal_a_bucket_again() -> None:
    """The shape depends on the number of entries, not on their history."""
    entries = make_entries(BUCKET_ENTRIES_MAX)
    small = build_tree(entries)
    large = small.update({"kv/more": 1})
    assert small.node is not None
    assert large.node is not None
    assert (len(small.node), len(large.node)) == (2, 3)
    assert large.update({"kv/more": None}).root == small.root


def test_update_equals_building_from_scratch() -> None:
    """Incremental and whole computation agree over growth, change and shrinking."""
    tree = StateTree()
    state: dict[str, StateValue] = {}
    for batch in ({f"kv/{n}": n + 1 for n in range(300)}, {f"kv/{n}": 7 for n in range(50)}):
        state.update(batch)
        tree = tree.update(batch)
    gone = {f"kv/{n}": None for n in range(20, 295)}
    tree = tree.update(gone)
    assert tree.root == build_tree((k, v) for k, v in state.items() if k not in gone).root


def test_value_type_is_part_of_the_root() -> None:
    """An amount and the bytes that spell it differ."""
    assert build_tree([("a", 1)]).root != build_tree([("a", b"\x01")]).root


def test_update_without_writes_is_the_same_version() -> None:
    """An untouched rollup costs nothing."""
    tree = build_tree(make_entries(30))
    assert tree.update({}) is tree


def test_get_entries_yields_every_entry_in_an_order_of_content_alone() -> None:
    """Snapshots of equal states are equal bytes."""
    entries = make_entries(100)
    forward, backward = build_tree(entries), build_tree(reversed(entries))
    assert list(forward.get_entries()) == list(backward.get_entries())
    assert sorted(forward.get_entries()) == sorted(entries)


def test_update_hashes_only_what_changed() -> None:
    """Versions share the subtrees that no write touched."""
    tree = build_tree(make_entries(1_000))
    changed = tree.update({"kv/1": 99})
    assert tree.node is not None
    assert changed.node is not None
    shared = sum(old is new for old, new in zip(tree.node[1], changed.node[1], strict=True))
    assert shared == 15


def test_every_version_keeps_its_values() -> None:
    """A version does not see later writes, absent keys have no value."""
    old = build_tree(make_entries(100))
    new = old.update({"kv/1": 99, "kv/2": None, "kv/new": b"x", "kv/absent": None})
    assert [old.get(f"kv/{name}") for name in ("1", "2", "new", "absent")] == [2, 3, None, None]
    assert [new.get(f"kv/{name}") for name in ("1", "2", "new", "absent")] == [99, None, b"x", None]


def test_nodes_are_not_tracked_by_the_garbage_collector() -> None:
    """A large state costs its passes nothing: each pass leaves out the tuples that hold only untracked ones."""
    tree = build_tree(make_entries(1_000))
    for _ in range(10):
        gc.collect()
    assert not gc.is_tracked(tree.node)
