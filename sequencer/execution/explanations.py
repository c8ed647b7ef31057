"""Remember for people why bundles aborted: what was expected, what was found.

Kept in memory only, for the newest aborts; nothing here is committed to or survives a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from sequencer.execution.automaton import Decided
from sequencer.execution.evaluation import Failure
from sequencer.types.outcome import Rejection, Status
from sequencer.types.primitives import Digest, RollupId

EXPLANATIONS_MAX = 4_096
"""Aborted bundles remembered; the oldest is forgotten first."""


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


class ExplanationTable:
    """Failures of the newest aborted bundles, by bundle id."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Digest, tuple[Failure, ...]] = OrderedDict()

    def add(self, decided: Decided) -> None:
        """Remember an abort by verdict; any other item is ignored."""
        failures = get_failures(decided)
        if failures:
            self._failures[decided.item_id] = failures
        if len(self._failures) > EXPLANATIONS_MAX:
            self._failures.popitem(last=False)

    def get(self, bundle_id: Digest) -> tuple[Failure, ...]:
        """Return the verdicts NO, ascending by rollup; empty if unknown, forgotten or not aborted by a verdict."""
        return self._failures.get(bundle_id, ())


def get_failures(decided: Decided) -> tuple[Failure, ...]:
    """Return the verdicts NO of an item, ascending by rollup."""
    if decided.evaluation is None:
        return ()
    return tuple(failure for _, failure in sorted(decided.evaluation.failures.items()))
