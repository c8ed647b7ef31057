"""Describe an item that waits: where it stands, what it rests on, and what has been certified of it. # A8 A9

Such descriptions are immutable and a function of the log, so they stand under the pending root, are
what a snapshot carries, and are all that a node needs to go on deciding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sequencer.codec import ARRAY_LENGTH_MAX, U32_MAX, Fields, encode, read_digest
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.errors import DecodeError
from sequencer.types.bundle import Bundle
from sequencer.types.message import CrossMessage
from sequencer.types.outcome import Status
from sequencer.types.parameters import LEGS_MAX
from sequencer.types.primitives import Digest, Height, RollupId
from sequencer.types.verdict import StatementKind, VerdictStatement, read_statement

CERTIFICATES_PER_PLACE_MAX = 8
"""Certificates with different assumptions that are kept of one rollup's verdict on one bundle."""


class Ancestor(NamedTuple):
    """An item that another rests on, on one rollup. # A9"""

    id: Digest
    status: Status | None
    """None while it is not settled there: then it stands in the pending table itself."""
    assumption: Digest | None
    """What it rested on itself, on the same rollup; None with the status; zero on a native rollup."""


class PendingPlace(NamedTuple):
    """An item on one of the rollups that it touches."""

    rollup: RollupId
    horizon: Height
    """Latest deadline of the item and all that it rests on here."""
    ancestors: tuple[Ancestor, ...]
    """Direct ones, in log order."""
    known_height: Height | None
    """Since when everything that a split rollup's verdict rests on is known. # A13"""
    certificates: tuple[VerdictStatement, ...]
    """In log order, each with another assumption."""


@dataclass(frozen=True)
class PendingBundle:
    """An undecided item, or an aborted one on which others rest that are not settled."""

    bundle: Bundle | None
    message: CrossMessage | None
    """A delivery's; exactly one of the two is set."""
    height: Height
    index: int
    """Place among the items of its block."""
    time_ms: int
    """Time of its block. # A10"""
    deadline: Height
    """It is decided at the end of this block at the latest."""
    status: Status
    """PENDING, or ABORT."""
    places: tuple[PendingPlace, ...]
    """Ascending by rollup."""

    @property
    def id(self) -> Digest:
        """Of the bundle or message."""
        if self.bundle is not None:
            return self.bundle.id
        assert self.message is not None  # one of the two is set
        return self.message.id

    @property
    def position(self) -> tuple[Height, int]:
        """Place in the log."""
        return (self.height, self.index)

    def is_undecided_on(self, rollup: RollupId) -> bool:
        """Tell whether the item touches the rollup and has no outcome yet."""
        return self.status is Status.PENDING and any(place.rollup == rollup for place in self.places)

    @property
    def leaf_deadline(self) -> Height:
        """The deadline under the pending root: 0 tells that it is decided and only others rest on it."""
        return self.deadline if self.status is Status.PENDING else 0

    @cached_property
    def digest(self) -> Digest:
        """H(PENDING ‖ entry with a bundle's id in place of the bundle): what the pending root holds of it."""
        body = self.id if self.message is None else self.message.to_value()
        return hash_tagged(Tag.PENDING, encode((body, *self._get_fields())))

    def _get_fields(self) -> tuple[object, ...]:
        places = tuple([_place_to_value(place) for place in self.places])
        return (self.height, self.index, self.time_ms, self.deadline, self.status, places)

    def to_value(self) -> tuple[object, ...]:
        """Return the array that a snapshot holds."""
        bundle = None if self.bundle is None else self.bundle.to_value()
        message = None if self.message is None else self.message.to_value()
        return (bundle, message, *self._get_fields())

    @classmethod
    def from_value(cls, value: object, path: str) -> PendingBundle:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        entry = cls(
            read.optional("bundle", Bundle.from_value),
            read.optional("message", CrossMessage.from_value),
            read.uint("height"),
            read.uint("index", U32_MAX),
            read.uint("time_ms"),
            read.uint("deadline"),
            _read_status(read, path, (Status.PENDING, Status.ABORT)),
            read.array("places", LEGS_MAX, _read_place, 1),
        )
        read.finish()
        if (entry.bundle is None) == (entry.message is None):
            raise DecodeError(f"{path}.message", "must be there iff there is no bundle")
        return entry


def _place_to_value(place: PendingPlace) -> tuple[object, ...]:
    certificates = tuple([statement.to_fields() for statement in place.certificates])
    return (place.rollup, place.horizon, place.ancestors, place.known_height, certificates)


def _read_place(value: object, path: str) -> PendingPlace:
    read = Fields(value, path)
    place = PendingPlace(
        read.uint("rollup", U32_MAX),
        read.uint("horizon"),
        read.array("ancestors", ARRAY_LENGTH_MAX, _read_ancestor),
        read.optional("known_height", _read_height),
        read.array("certificates", CERTIFICATES_PER_PLACE_MAX + 1, _read_certificate),
    )
    read.finish()
    return place


def _read_ancestor(value: object, path: str) -> Ancestor:
    read = Fields(value, path)
    ancestor_id = read.digest("id")
    status = read.optional("status", _read_decision)
    assumption = read.optional("assumption", read_digest)
    read.finish()
    if (status is None) != (assumption is None):
        raise DecodeError(f"{path}.assumption", "must be there iff there is a status")
    return Ancestor(ancestor_id, status, assumption)


def _read_certificate(value: object, path: str) -> VerdictStatement:
    statement = read_statement(StatementKind.VERDICT, Fields(value, path), path)
    assert isinstance(statement, VerdictStatement)  # of the kind that was asked for
    return statement


def _read_status(read: Fields, path: str, allowed: tuple[Status, ...]) -> Status:
    code = read.uint("status", Status.PENDING)
    if code not in allowed:
        raise DecodeError(f"{path}.status", f"must be one of {[int(status) for status in allowed]}")
    return Status(code)


def _read_decision(value: object, path: str) -> Status:
    read = Fields((value,), path)
    return _read_status(read, path, (Status.COMMIT, Status.ABORT))


def _read_height(value: object, path: str) -> Height:
    return Fields((value,), path).uint("height")
