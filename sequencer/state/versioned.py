"""Advance a map and its tree together, so that no value is ever without its root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sequencer.state.persistent_map import PersistentMap
from sequencer.state.state_tree import StateTree, build_tree
from sequencer.types.primitives import StateValue


@dataclass(frozen=True, slots=True)
class VersionedState:
    """One version of one rollup's state."""

    values: PersistentMap
    tree: StateTree

    @classmethod
    def build(cls, entries: Iterable[tuple[str, StateValue]]) -> VersionedState:
        """Return the state with these entries; each key once."""
        pairs = tuple(entries)
        return cls(PersistentMap(pairs), build_tree(pairs))

    def update(self, writes: Mapping[str, StateValue | None]) -> VersionedState:
        """Return the next version; writes that change nothing cost no hashing."""
        changed = {key: value for key, value in writes.items() if self.values.get(key) != value}
        return VersionedState(self.values.update(changed), self.tree.update(changed)) if changed else self
