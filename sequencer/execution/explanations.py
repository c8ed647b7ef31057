"""Remember for people why bundles aborted: what was expected, what was found.

Kept in memory only, for the newest aborts; nothing here is committed to or survives a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sequencer.execution.decisions import Decided
from sequencer.execution.entries import Entry
from sequencer.execution.evaluation import Failure
from sequencer.types.outcome import Rejection, Status
from sequencer.types.primitives import Digest, RollupId

EXPLANATIONS_MAX = 4_096
"""Aborted bundles remembered, and as many that waited; the oldest is forgotten first."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BundleCheck:
    """What would become of a bundle if it were the next item."""

    rejection: Rejection | None
    """Why it would not be taken in."""
    status: Status
    reason: str
    fee: int
    failures: tuple[Failure, ...]
    """Every rollup that would say NO, ascending."""
    unjudged: tuple[RollupId, ...] = ()
    """Split rollups that the bundle touches and this node does not execute, ascending: what they say is not known."""


class Wait(NamedTuple):
    """An earlier item that was not settled where a bundle was ordered, and in conflict with it. # A8"""

    rollup: RollupId
    item_id: Digest


class ExplanationTable:
    """Failures of the newest aborted bundles, and what the newest that waited had waited for, by bundle id."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Digest, tuple[Failure, ...]] = OrderedDict()
        self._waits: OrderedDict[Digest, tuple[Wait, ...]] = OrderedDict()

    def add(self, decided: Decided) -> None:
        """Remember an abort by verdict, and a bundle that had to wait; any other item is ignored."""
        if decided.failures or decided.rested_on:
            item_id = decided.decision.item_id
            _remember(self._failures, item_id, decided.failures)
            _remember(self._waits, item_id, tuple([Wait(*one) for one in decided.rested_on]))

    def get_waits(self, bundle_id: Digest) -> tuple[Wait, ...]:
        """Return what the bundle had to wait for; empty if nothing, unknown or forgotten."""
        return self._waits.get(bundle_id, ())

    def get(self, bundle_id: Digest) -> tuple[Failure, ...]:
        """Return the verdicts NO, ascending by rollup; empty if unknown, forgotten or not aborted by a verdict."""
        return self._failures.get(bundle_id, ())


def _remember(table: OrderedDict[Digest, tuple[_T, ...]], item_id: Digest, found: tuple[_T, ...]) -> None:
    if found:
        table[item_id] = found
    if len(table) > EXPLANATIONS_MAX:
        table.popitem(last=False)


def get_failures(entry: Entry) -> tuple[Failure, ...]:
    """Return the verdicts NO that were found here, ascending by rollup."""
    return tuple([place.failure for place in entry.places.values() if place.failure is not None])
