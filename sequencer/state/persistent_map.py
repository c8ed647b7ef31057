"""Keep every version of a map for free, behind an interface of four verbs.

The map behind it is pyrsistent's PMap; nothing else in the project names it, so it can be
replaced. Its own iteration order depends on the hash seed, hence `sorted_items`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyrsistent import PMap, pmap

from sequencer.types.primitives import StateValue


class PersistentMap:
    """One immutable version of a map from state key to state value."""

    __slots__ = ("_map",)

    def __init__(self, entries: Iterable[tuple[str, StateValue]] = ()) -> None:
        self._map: PMap[str, StateValue] = pmap(dict(entries))

    def get(self, key: str) -> StateValue | None:
        """Return the value, or None if the key is absent."""
        return self._map.get(key)

    def update(self, writes: Mapping[str, StateValue | None]) -> PersistentMap:
        """Return a version with `writes` applied; None removes the key, absent or not. This version stays."""
        evolver = self._map.evolver()
        for key, value in writes.items():
            if value is not None:
                evolver[key] = value
            elif key in self._map:
                del evolver[key]
        advanced = PersistentMap.__new__(PersistentMap)
        advanced._map = evolver.persistent()
        return advanced

    def sorted_items(self) -> list[tuple[str, StateValue]]:
        """Return all entries, ascending by key."""
        return sorted(self._map.items())

    def __len__(self) -> int:
        return len(self._map)
