"""Find which unsettled items of one rollup a new item rests on, without running any of them. # A7 A9

Per key the last unsettled writer and the unsettled readers after it are known; an item without
an access set writes every key. So what is found is the same on every node, and finding
it costs as much as the new item has keys, however many items wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import TypeAlias

from sequencer.execution.entries import Place
from sequencer.types.bundle import AccessMode

_Places: TypeAlias = dict[Place, None]
"""A set that keeps the order of the log."""


class AccessIndex:
    """The unsettled items of one rollup by the keys that they declare."""

    def __init__(self) -> None:
        self._writers: dict[str, Place] = {}
        """Last writer of a key, if no `_whole` came after it."""
        self._readers: dict[str, _Places] = {}
        """Readers of a key after its last writer."""
        self._whole: Place | None = None
        """Last item without an access set; the tables hold only what came after it."""

    @property
    def key_count(self) -> int:
        """Keys under which an item is listed."""
        return len(self._writers) + len(self._readers)

    def find(self, access: Mapping[str, AccessMode] | None) -> list[Place]:
        """Return the direct ancestors of an item with this access set (None: every key), in log order."""
        found: _Places = {}
        if access is None:
            self._find_all(found)
        else:
            for key, mode in access.items():
                self._find_key(key, mode, found)
        return sorted(found, key=attrgetter("position")) if len(found) > 1 else list(found)

    def _find_all(self, found: _Places) -> None:
        if self._whole is not None:
            found[self._whole] = None
        found.update(dict.fromkeys(self._writers.values()))
        for readers in self._readers.values():
            found.update(readers)

    def _find_key(self, key: str, mode: AccessMode, found: _Places) -> None:
        writer = self._writers.get(key, self._whole)
        if writer is not None:
            found[writer] = None
        if mode is AccessMode.WRITE and key in self._readers:
            found.update(self._readers[key])

    def add(self, place: Place) -> None:
        """List an item that stands after all that are listed."""
        if place.access is None:
            self._whole = place
            self._writers.clear()
            self._readers.clear()
            return
        for key, mode in place.access.items():
            if mode is AccessMode.WRITE:
                self._writers[key] = place
                self._readers.pop(key, None)
            else:
                self._readers.setdefault(key, {})[place] = None

    def remove(self, place: Place) -> None:
        """Forget an item that is settled; then all that it rested on is settled too."""
        if self._whole is place:
            self._whole = None
        for key, mode in (place.access or {}).items():
            if mode is AccessMode.READ:
                self._remove_reader(key, place)
            elif self._writers.get(key) is place:
                del self._writers[key]

    def _remove_reader(self, key: str, place: Place) -> None:
        readers = self._readers.get(key)
        if readers is not None:
            readers.pop(place, None)
            if not readers:
                del self._readers[key]
