"""Derive a bundle's outcome from the verdicts that count: by the one rule, or by its deadline. # A8 A13 A16"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sequencer.execution.entries import Entry, Place
from sequencer.execution.evaluation import Evaluation
from sequencer.execution.machines import Machine
from sequencer.types.bundle import Bundle
from sequencer.types.executed import RollupVerdict, VerdictSource
from sequencer.types.outcome import Status
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Digest, Height, RollupId
from sequencer.types.verdict import Verdict

SUSPENSION_GRACE_HEIGHTS = 3
"""Heights that a split rollup's executors must have had for the verdict whose lack suspends it. # A13"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What deciding needs to know of the network, and of this node."""

    is_split: Mapping[RollupId, bool]
    """Every rollup, ascending by id."""
    names: Mapping[RollupId, str]
    machines: Mapping[RollupId, Machine]
    """No outcome depends on which split rollups are executed here."""
    parameters: Parameters


class Outcome(NamedTuple):
    """How a bundle ends."""

    status: Status
    reason: str
    is_paid_whole: bool
    """Whether the payer pays all; where a rollup's silence is the reason, only the base. # A17"""


COMMIT = Outcome(Status.COMMIT, "", is_paid_whole=True)


def judge(refusal: str | None, failed_dep: Digest | None, is_open: bool) -> Outcome | None:
    """Apply the rule; None while it gives nothing. # A8

    `refusal` is `<rollup>:<code>@<path>` of the lowest rollup that says NO by now; `is_open` tells whether a verdict or
    a dep is waited for.
    """
    if refusal is not None:
        return Outcome(Status.ABORT, f"NO:{refusal}", is_paid_whole=True)
    if failed_dep is not None:
        return Outcome(Status.ABORT, f"DEP:{failed_dep.hex()}", is_paid_whole=True)
    return None if is_open else COMMIT


def find_outcome(entry: Entry, names: Mapping[RollupId, str]) -> Outcome | None:
    """Apply the rule to what is attested by now."""
    refusing = find_refusing(entry)
    refusal = None if refusing is None else f"{names[refusing.rollup]}:{refusing.reason}"
    is_open = entry.get_open_dep() is not None or bool(_list_silent(entry))
    return judge(refusal, entry.get_failed_dep(), is_open)


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


def make_verdicts(entry: Entry) -> tuple[RollupVerdict, ...]:
    """Return what is told and stored of the verdicts on a decided bundle."""
    return tuple([_make_verdict(place) for place in entry.places.values()])


def _make_verdict(place: Place) -> RollupVerdict:
    if place.verdict is None:
        return RollupVerdict(place.rollup, None, "", None)
    source = VerdictSource.CERTIFICATE if place.is_split else VerdictSource.NATIVE
    return RollupVerdict(place.rollup, place.verdict, place.reason, source)


def make_native_verdicts(bundle: Bundle, evaluation: Evaluation) -> tuple[RollupVerdict, ...]:
    """Return the verdicts on a bundle whose rollups all ran."""
    if not evaluation.failures:
        return make_unanimous_verdicts(bundle.rollups)
    return tuple([_make_native_verdict(rollup, evaluation) for rollup in bundle.rollups])


@lru_cache(maxsize=1_024)
def make_unanimous_verdicts(rollups: tuple[RollupId, ...]) -> tuple[RollupVerdict, ...]:
    """Return YES of every one of these native rollups."""
    return tuple([RollupVerdict(rollup, Verdict.YES, "", VerdictSource.NATIVE) for rollup in rollups])


def _make_native_verdict(rollup: RollupId, evaluation: Evaluation) -> RollupVerdict:
    verdict, failure = evaluation.get_verdict(rollup), evaluation.failures.get(rollup)
    if verdict is None:
        return RollupVerdict(rollup, None, "", None)
    return RollupVerdict(rollup, verdict, "" if failure is None else failure.reason, VerdictSource.NATIVE)
