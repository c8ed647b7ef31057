"""Show a leg its rollup's state through the keys that it declared. # A7"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from sequencer.codec import U64_MAX
from sequencer.state.journal import Journal
from sequencer.types.bundle import AccessMode
from sequencer.types.primitives import Address, StateValue

Value: TypeAlias = int | str | bytes
"""An argument after references are resolved."""


class Revert(Exception):
    """The leg cannot take effect; its bundle aborts. Never leaves `execution`.

    `code` becomes part of the outcome's reason; `expected` and `found` are for people only.
    """

    def __init__(self, code: str, expected: str = "", found: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.expected = expected
        self.found = found


@dataclass(slots=True)
class LegState:
    """One leg's view of one rollup: declared keys only; what it exports for later legs. # A7 A15"""

    journal: Journal
    signer: Address
    access: Mapping[str, AccessMode] | None
    """None means the whole rollup."""
    outputs: dict[str, int] = field(default_factory=dict)
    """Exported values by name; of two with one name the later stays."""

    def get(self, key: str) -> StateValue | None:
        """Return what the key holds; reverts ACCESS if it is not declared."""
        if self.access is not None and key not in self.access:
            raise Revert("ACCESS", f"{key} declared", "undeclared")
        return self.journal.get(key)

    def get_amount(self, key: str) -> int:
        """Return the amount that the key holds, 0 if absent; reverts NOT_AN_AMOUNT for bytes."""
        value = self.get(key)
        if isinstance(value, bytes):
            raise Revert("NOT_AN_AMOUNT", f"{key} holds an amount", "bytes")
        return value or 0

    def set(self, key: str, value: StateValue | None) -> None:
        """Write; reverts ACCESS unless declared for writing, OVERFLOW above u64."""
        if self.access is not None and self.access.get(key) is not AccessMode.WRITE:
            raise Revert("ACCESS", f"{key} declared for writing", "undeclared or read only")
        if isinstance(value, int) and value > U64_MAX:
            raise Revert("OVERFLOW", f"{key} at most {U64_MAX}", str(value))
        self.journal.set(key, value)
