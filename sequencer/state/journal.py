"""Write over a state so that everything since a mark can be taken back. # A8

`mark` and `revert` are the bundle primitive: revert the journals of all touched rollups, or
none. Both cost O(writes since the mark).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sequencer.errors import LocalError
from sequencer.types.primitives import StateValue


class _Unwritten:
    """Type of the sentinel: the key had no write before."""


_UNWRITTEN = _Unwritten()


class State(Protocol):
    """What a journal is written over."""

    def get(self, key: str) -> StateValue | None:
        """Return the value of a key, or None if absent."""


class Journal:
    """A write set over `base`; zero and empty values are stored as absent."""

    __slots__ = ("_base", "_undo", "_writes")

    def __init__(self, base: State) -> None:
        self._base = base
        self._writes: dict[str, StateValue | None] = {}
        self._undo: list[tuple[str, StateValue | _Unwritten | None]] = []

    def get(self, key: str) -> StateValue | None:
        """Return the newest value, or None if absent."""
        return self._writes[key] if key in self._writes else self._base.get(key)

    def set(self, key: str, value: StateValue | None) -> None:
        """Write; 0, empty bytes and None make the key absent."""
        self._undo.append((key, self._writes.get(key, _UNWRITTEN)))
        self._writes[key] = value or None

    def mark(self) -> int:
        """Return a point to which `revert` can go back."""
        return len(self._undo)

    def revert(self, mark: int) -> None:
        """Take back every write since `mark`; raises `LocalError` for a point that does not exist."""
        if not 0 <= mark <= len(self._undo):
            raise LocalError(f"journal has no mark {mark}, only 0..{len(self._undo)}")
        while len(self._undo) > mark:
            key, previous = self._undo.pop()
            if isinstance(previous, _Unwritten):
                del self._writes[key]
            else:
                self._writes[key] = previous

    def get_writes_since(self, mark: int) -> dict[str, StateValue | None]:
        """Return the newest value of every key that was written since `mark`."""
        return {key: self._writes[key] for key, _ in self._undo[mark:]}

    def rebase(self, base: State) -> None:
        """Start an empty write set over `base`; earlier marks are gone."""
        self._base = base
        self._writes.clear()
        self._undo.clear()

    @property
    def writes(self) -> Mapping[str, StateValue | None]:
        """The write set, in the order of first writes; None means removed."""
        return self._writes
