"""Run bundles on the settled states of the rollups that this node executes. # A10 A11 A12

A native rollup's verdict comes from running it here. The writes stay only if the bundle commits; a
bundle that commits later than it was tried is run again then, on the same values: whatever
could change them rests on it and waits. # A7
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.errors import InvariantViolation
from sequencer.execution.conditions import BlockContext
from sequencer.execution.deliveries import apply_delivery
from sequencer.execution.entries import Entry, Place
from sequencer.execution.evaluation import Evaluation, Outputs, evaluate, make_result
from sequencer.execution.machines import Machine
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle
from sequencer.types.message import CrossMessage
from sequencer.types.primitives import RollupId
from sequencer.types.verdict import Verdict


class Trial(NamedTuple):
    """A bundle run on some rollups, whose journals can go back to what they were."""

    evaluation: Evaluation
    journals: Mapping[RollupId, Journal]
    marks: tuple[int, ...]

    def revert(self) -> None:
        """Take all writes back."""
        for journal, mark in zip(self.journals.values(), self.marks, strict=True):
            journal.revert(mark)


class Settlement:
    """The journals of one block over all rollups that are executed here."""

    def __init__(self, machines: Mapping[RollupId, Machine], frozen: Iterable[RollupId] = ()) -> None:
        """`machines` are those of the rollups that are executed here."""
        self._machines = machines
        self._journals: Mapping[RollupId, Journal] = {}
        self.frozen: set[RollupId] = set(frozen)
        """Split rollups whose executors certified what is wrong: nothing acts on their state any more. # A12"""

    def begin(self, journals: Mapping[RollupId, Journal]) -> None:
        """Use these journals from now on; namespaces without one are not executed here."""
        self._journals = journals

    def is_local(self, place: Place) -> bool:
        """Tell whether the place's rollup is executed here."""
        return place.rollup in self._journals and place.rollup not in self.frozen

    def try_natives(self, entry: Entry, bundle: Bundle) -> Trial:
        """Run the legs of every native rollup on which nothing is waited for."""
        places = [place for place in entry.places.values() if not place.is_split and place.waiting == 0]
        return self._run(entry, bundle, places)

    def try_all(self, entry: Entry, bundle: Bundle) -> Trial:
        """Run the legs of every rollup that is executed here and note what each says, whatever is waited for."""
        places = [place for place in entry.places.values() if self.is_local(place)]
        trial = self._run(entry, bundle, places)
        for place in places:
            place.note(trial.evaluation)
        return trial

    def explain(self, entry: Entry, bundle: Bundle) -> None:
        """Find for people what split rollups that are executed here refused for; changes nothing."""
        for place in entry.places.values():
            if place.is_split and place.verdict is Verdict.NO and place.failure is None and self.is_local(place):
                trial = self._run(entry, bundle, (place,))
                place.failure = trial.evaluation.failures.get(place.rollup)
                trial.revert()

    def try_free(self, bundle: Bundle, block: BlockContext) -> Trial:
        """Run a bundle of native rollups alone that rests on nothing."""
        journals = {rollup: self._journals[rollup] for rollup in bundle.rollups}
        marks = tuple([journal.mark() for journal in journals.values()])
        return Trial(evaluate(bundle, journals, self._machines, block), journals, marks)

    def _run(self, entry: Entry, bundle: Bundle, places: Iterable[Place]) -> Trial:
        journals = {place.rollup: self._journals[place.rollup] for place in places}
        marks = tuple([journal.mark() for journal in journals.values()])
        return Trial(evaluate(bundle, journals, self._machines, entry.context, entry.get_given()), journals, marks)

    def commit(self, entry: Entry, bundle: Bundle, trial: Trial | None) -> list[Outputs | None]:
        """Make all writes of a bundle act, on every rollup that is executed here; return what each leg exports.

        `trial` has run on some of its native rollups just now.
        """
        natives = [place for place in entry.places.values() if not place.is_split]
        if natives and (trial is None or len(trial.journals) < len(natives)):
            if trial is not None:
                trial.revert()
            trial = self._run(entry, bundle, natives)
            if trial.evaluation.failures:
                raise InvariantViolation(f"bundle {entry.id.hex()} says NO after it has said YES")
        exported: list[Outputs | None] = [None] * len(bundle.legs) if trial is None else trial.evaluation.outputs
        for place in entry.places.values():
            if place.is_split and self.is_local(place):
                self._commit_split(entry, bundle, place, exported)
        return exported

    def deliver(self, message: CrossMessage) -> None:
        """Let a message arrive, as far as its rollups are executed here. # A19"""
        ends = (message.source, message.destination)
        here = {rollup: self._journals[rollup] for rollup in ends if rollup in self._journals.keys() - self.frozen}
        apply_delivery(here, message)

    def _commit_split(self, entry: Entry, bundle: Bundle, place: Place, exported: list[Outputs | None]) -> None:
        """Apply what the executors certified, or freeze: a part of a bundle is never shown. # A12"""
        rollup = place.rollup
        trial = self._run(entry, bundle, (place,))
        result = make_result(bundle, rollup, trial.evaluation)
        certified = place.certificates.get(place.expected or ZERO_DIGEST)
        if certified is None or (result.verdict, result.outputs) != (certified.verdict, certified.outputs):
            trial.revert()
            self.frozen.add(rollup)
            return
        for index, leg in enumerate(bundle.legs):
            if leg.rollup == rollup:
                exported[index] = trial.evaluation.outputs[index]
