"""The persistent map: every version stays."""

from __future__ import annotations

from sequencer.state.persistent_map import PersistentMap


def test_update_leaves_the_older_version_as_it_was() -> None:
    """Versions do not see each other's writes."""
    old = PersistentMap([("a", 1), ("b", 2)])
    new = old.update({"a": 5, "b": None, "c": 3, "missing": None})
    assert old.sorted_items() == [("a", 1), ("b", 2)]
    assert new.sorted_items() == [("a", 5), ("c", 3)]
    assert len(new) == 2


def test_sorted_items_do_not_depend_on_the_order_of_insertion() -> None:
    """Iteration order is defined."""
    keys = [f"kv/{number}" for number in range(100)]
    forward = PersistentMap((key, 1) for key in keys)
    backward = PersistentMap((key, 1) for key in reversed(keys))
    assert forward.sorted_items() == backward.sorted_items() == sorted((key, 1) for key in keys)
