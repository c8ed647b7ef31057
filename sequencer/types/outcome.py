"""Say what became of an item: taken in or rejected, committed or aborted, and why."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sequencer.codec import Fields, encode
from sequencer.errors import DecodeError
from sequencer.types.primitives import Digest

REASON_BYTES_MAX = 640
"""A TIMEOUT names up to 16 rollups of 32 characters."""


class Reason(str, enum.Enum):
    """Why an item is inadmissible or refused; the text is part of the protocol. # A3 A4"""

    MALFORMED = "MALFORMED"
    """Not a canonical item; `path` names the field."""
    OVERSIZE = "OVERSIZE"
    """More than 64 KB."""
    UNKNOWN_KIND = "UNKNOWN_KIND"
    """An item kind that this version does not have."""
    WRONG_CHAIN = "WRONG_CHAIN"
    UNKNOWN_ROLLUP = "UNKNOWN_ROLLUP"
    """A leg or message names no rollup of this network, or a certificate names none that is split."""
    BAD_WINDOW = "BAD_WINDOW"
    """valid_from above valid_until."""
    BAD_DECIDE_WITHIN = "BAD_DECIDE_WITHIN"
    """Not 0 although all rollups are native, or below F + 5 although one is split. # A21"""
    BAD_REFERENCE = "BAD_REFERENCE"
    """A reference that does not point to an earlier leg, or leads back to its split rollup. # A15"""
    UNBALANCED = "UNBALANCED"
    """What is burned is not what is minted. # A20"""
    BAD_SIGNATURE = "BAD_SIGNATURE"
    SEQUENCE_USED = "SEQUENCE_USED"
    """The payer's channel is already past this sequence."""
    SEQUENCE_GAP = "SEQUENCE_GAP"
    """The payer's channel has not reached this sequence."""
    NOT_YET_VALID = "NOT_YET_VALID"
    EXPIRED = "EXPIRED"
    UNFUNDED = "UNFUNDED"
    """The payer's deposit does not cover the fee."""
    PENDING_FULL = "PENDING_FULL"
    """As many bundles as allowed are undecided on a rollup."""
    OUTBOX_FULL = "OUTBOX_FULL"
    """As many messages of a rollup as allowed are in flight. # A19"""
    STALE = "STALE"
    """A certificate for a bundle that is unknown or decided, or a root or beat that is not newer."""
    NO_PROOF = "NO_PROOF"
    """A delivery whose path does not lead to the source's outbox root. # A19"""
    DELIVERED = "DELIVERED"
    """The message has arrived before. # A19"""
    DUPLICATE = "DUPLICATE"
    """A certificate that the log holds already; at admission: this validator holds the same bundle."""
    QUEUE_FULL = "QUEUE_FULL"
    """Admission only: 16 successors wait, two of this sequence are on their way, or the pool is full."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an item is not taken in; a value, because a wrong client is nobody's error."""

    reason: Reason
    path: str
    """The wrong field, from the item down."""
    detail: str = ""
    """For people; not part of any commitment."""


class Status(enum.IntEnum):
    """What an ordered item came to."""

    COMMIT = 1
    ABORT = 2
    INADMISSIBLE = 3
    """No effect at all: neither nonce nor fee. # A4"""
    PENDING = 4
    """Admitted; its outcome depends on later items of the log. # A8"""


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item of an atomic batch."""

    index: int
    """Place among the block's items, from 0."""
    item_id: Digest
    """The bundle's or message's id; of any other item H(ITEM ‖ bytes)."""
    status: Status
    reason: str
    """Empty for COMMIT and PENDING; a `Reason` for INADMISSIBLE; for ABORT `NO:<rollup>:<code>@<path>`,
    `DEP:<id>`, `TIMEOUT:<rollup>[,<rollup>…]` ascending by id, or `SUSPENDED:<rollup>`. # A8"""
    fee: int
    """Burned from the payer's deposit; for PENDING what is held of it. # A17"""


@dataclass(frozen=True, slots=True)
class OutcomeLeaf:
    """One element of the outcome tree: a bundle's decision, provable to a stranger. # A8"""

    bundle_id: Digest
    status: Status
    """COMMIT or ABORT."""
    reason: str

    def to_bytes(self) -> bytes:
        """Return the bytes that the outcome tree commits to."""
        return encode((self.bundle_id, self.status, self.reason))

    @classmethod
    def from_value(cls, value: object, path: str) -> OutcomeLeaf:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        leaf = cls(
            read.digest("bundle_id"),
            _read_decision(read, path),
            read.text("reason", REASON_BYTES_MAX),
        )
        read.finish()
        return leaf


def _read_decision(read: Fields, path: str) -> Status:
    code = read.uint("status", Status.ABORT)
    if code == 0:
        raise DecodeError(f"{path}.status", "must be 1 (COMMIT) or 2 (ABORT)")
    return Status(code)
