"""Derive a bundle's outcome from the verdicts that count: by the one rule, or by its deadline. # A8 A13 A16"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sequencer.execution.entries import Entry, Place
from sequencer.types.executed import Decision, RollupVerdict, VerdictSource
from sequencer.types.outcome import Status
from sequencer.types.primitives import Height, RollupId
from sequencer.types.verdict import Verdict

SUSPENSION_GRACE_HEIGHTS = 3
"""Heights that a split rollup's executors must have had for the verdict whose lack suspends it. # A13"""


class Outcome(NamedTuple):
    """How a bundle ends."""

    status: Status
    reason: str
    is_paid_whole: bool
    """Whether the payer pays all; where a rollup's silence is the reason, only the base. # A17"""


COMMIT = Outcome(Status.COMMIT, "", is_paid_whole=True)


def find_outcome(entry: Entry, names: Mapping[RollupId, str]) -> Outcome | None:
    """Apply the rule to what is attested by now; None while it gives nothing. # A8"""
    refusing = find_refusing(entry)
    if refusing is not None:
        return Outcome(Status.ABORT, f"NO:{names[refusing.rollup]}:{refusing.reason}", is_paid_whole=True)
    failed = entry.get_failed_dep()
    if failed is not None:
        return Outcome(Status.ABORT, f"DEP:{failed.hex()}", is_paid_whole=True)
    if entry.get_open_dep() is not None or _list_silent(entry):
        return None
    return COMMIT


def find_refusing(entry: Entry) -> Place | None:
    """Return the place of the lowest rollup that says NO, or None."""
    return next((place for place in entry.places.values() if place.verdict is Verdict.NO), None)


def find_late_outcome(entry: Entry, names: Mapping[RollupId, str]) -> Outcome:
    """Say how an undecided bundle ends at its deadline. # A8"""
    silent = _list_silent(entry)
    if silent:
        late = ",".join([names[place.rollup] for place in silent])
        return Outcome(Status.ABORT, f"TIMEOUT:{late}", is_paid_whole=False)
    open_dep = entry.get_open_dep() or b""  # all say YES, so a dep is what is missing
    return Outcome(Status.ABORT, f"DEP:{open_dep.hex()}", is_paid_whole=True)


def list_suspended(entry: Entry, height: Height) -> list[RollupId]:
    """Return the rollups that a TIMEOUT at `height` suspends: all was known, and they said nothing. # A13"""
    return [
        place.rollup
        for place in _list_silent(entry)
        if place.known_height is not None and height - place.known_height >= SUSPENSION_GRACE_HEIGHTS
    ]


def _list_silent(entry: Entry) -> list[Place]:
    return [place for place in entry.places.values() if place.verdict is None]


def make_decision(entry: Entry, outcome: Outcome, fee: int) -> Decision:
    """Return what is told and stored of a decided item; nobody gives a verdict on a delivery."""
    places = () if entry.bundle is None else entry.places.values()
    verdicts = tuple([_make_verdict(place) for place in places])
    return Decision(entry.id, *entry.position, outcome.status, outcome.reason, fee, verdicts)


def _make_verdict(place: Place) -> RollupVerdict:
    if place.verdict is None:
        return RollupVerdict(place.rollup, None, "", None)
    source = VerdictSource.CERTIFICATE if place.is_split else VerdictSource.NATIVE
    return RollupVerdict(place.rollup, place.verdict, place.reason, source)
