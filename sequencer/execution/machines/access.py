"""Show a leg its rollup's state through the keys that it declared. # A7"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from sequencer.codec import U64_MAX
from sequencer.state.journal import Journal
from sequencer.types.bundle import AccessMode
from sequencer.types.message import CrossMessage
from sequencer.types.primitives import Address, Digest, RollupId, StateValue

Value: TypeAlias = int | str | bytes
"""An argument after references are resolved."""

OUTBOX_PREFIX = "outbox/"
"""Keys of messages that are not delivered yet; no leg can name one, so sending is never in conflict. # A19"""
SENDS_PER_LEG_MAX = 16
"""Messages that one leg may send."""


def make_outbox_key(message_id: Digest) -> str:
    """Return outbox/<hex id>."""
    return OUTBOX_PREFIX + message_id.hex()


class LegOrigin(NamedTuple):
    """Where a leg stands: what the ids and senders of its messages are made from. # A19"""

    rollup: RollupId
    bundle_id: Digest
    leg: int
    operations_by_rollup: Mapping[RollupId, Mapping[str, object]]
    """What the machine of every rollup can do."""


NO_ORIGIN = LegOrigin(0, b"", 0, {})
"""Of a leg that stands in no bundle; it can send nowhere."""


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
    origin: LegOrigin = NO_ORIGIN
    operation: int = 0
    """Index of the operation that runs."""
    sends: int = 0
    outputs: dict[str, int] = field(default_factory=dict)
    """Exported values by name; of two with one name the later stays."""

    def get(self, key: str) -> StateValue | None:
        """Return what the key holds; reverts ACCESS if it is not declared, or belongs to the outbox."""
        if self.access is not None and key not in self.access:
            raise Revert("ACCESS", f"{key} declared", "undeclared")
        if key.startswith(OUTBOX_PREFIX):
            raise Revert("ACCESS", f"no key below {OUTBOX_PREFIX}", key)
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

    def send(self, message: CrossMessage) -> None:
        """Put a message into the outbox; reverts TOO_MANY_MESSAGES if the leg has sent 16. # A19"""
        if self.sends == SENDS_PER_LEG_MAX:
            raise Revert("TOO_MANY_MESSAGES", f"at most {SENDS_PER_LEG_MAX} in a leg", str(self.sends + 1))
        self.sends += 1
        self.journal.set(make_outbox_key(message.id), message.to_bytes())
