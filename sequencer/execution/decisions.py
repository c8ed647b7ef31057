"""Collect what is decided in the block that is being executed, in the order of decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sequencer.execution.entries import Entry
from sequencer.execution.evaluation import Evaluation, Failure, Outputs
from sequencer.execution.rule import Outcome, make_native_verdicts, make_verdicts
from sequencer.types.bundle import Bundle
from sequencer.types.executed import Decision
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, Height, RollupId


class Decided(NamedTuple):
    """An item that has its outcome, with what its legs export if they act."""

    bundle: Bundle | None
    """None for a delivery."""
    decision: Decision
    outputs: Sequence[Outputs | None]
    """Per leg; empty unless COMMIT, None for a leg that is not executed here."""
    failures: tuple[Failure, ...]
    """The verdicts NO that were found here, ascending by rollup; for people."""
    rested_on: tuple[tuple[RollupId, Digest], ...]
    """Earlier items that were not settled at its position, with the rollup where they conflict; for people."""

    def get_outputs(self, leg: int) -> Outputs:
        """Return what a leg exported; nothing unless the bundle committed. # A15"""
        return (self.outputs[leg] or {}) if self.outputs else {}


class BlockDecisions:
    """The decisions of one block."""

    def __init__(self) -> None:
        self.decided: list[Decided] = []
        self._statuses: dict[Digest, Status] = {}

    def get_status(self, item_id: Digest) -> Status | None:
        """Return COMMIT or ABORT of an item that is decided in this block by now, else None."""
        return self._statuses.get(item_id)

    def add(self, entry: Entry, outcome: Outcome, fee: int, outputs: Sequence[Outputs | None]) -> None:
        """Add an item that had an entry; nobody gives a verdict on a delivery."""
        verdicts = () if entry.bundle is None else make_verdicts(entry)
        decision = Decision(entry.id, *entry.position, outcome.status, outcome.reason, fee, verdicts)
        failures = tuple([place.failure for place in entry.places.values() if place.failure is not None])
        self._statuses[entry.id] = outcome.status
        rested_on = tuple([(place.rollup, one) for place in entry.places.values() for one in place.ancestors])
        self.decided.append(Decided(entry.bundle, decision, outputs, failures, rested_on))

    def add_free(
        self, bundle: Bundle, position: tuple[Height, int], outcome: Outcome, fee: int, evaluation: Evaluation
    ) -> None:
        """Add a bundle of native rollups that was decided at its position by running it."""
        verdicts = make_native_verdicts(bundle, evaluation)
        decision = Decision(bundle.id, *position, outcome.status, outcome.reason, fee, verdicts)
        self._statuses[bundle.id] = outcome.status
        if outcome.status is Status.COMMIT:
            self.decided.append(Decided(bundle, decision, evaluation.outputs, (), ()))
        else:
            self.decided.append(Decided(bundle, decision, (), evaluation.get_failures(), ()))
