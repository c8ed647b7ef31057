"""Vote as an ideal executor would: what the reference itself foresees of every undecided bundle.

Good enough to feed the log before and without the product's own speculation, and a second opinion on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sequencer.simulation.reference import ReferenceInterpreter
from sequencer.simulation.reference.entry import Entry
from sequencer.simulation.reference.interpreter import write_all
from sequencer.simulation.reference.legs import get_inputs, get_outputs, pick, run_legs
from sequencer.simulation.reference.machine import Exports, State
from sequencer.types.bundle import Bundle
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, RollupId
from sequencer.types.verdict import Verdict, VerdictStatement, compute_assumption

Guess = Callable[[Entry], Status | None]
"""Says how an undecided bundle will end, or None to find out by running it."""


class Foresight:
    """One walk over all that is not settled, with guessed outcomes."""

    def __init__(self, reference: ReferenceInterpreter, guess: Guess = lambda entry: None) -> None:
        self._reference = reference
        self._guess = guess
        self._states: dict[RollupId, State] = {r: dict(state) for r, state in reference.base.items()}
        self._statuses: dict[Digest, Status] = {}
        self._links: dict[tuple[Digest, RollupId], tuple[Digest, Status, Digest]] = {}

    def walk(self) -> Iterator[VerdictStatement]:
        """Yield the verdict of every split rollup on every undecided bundle, in log order."""
        for entry in self._reference.entries:
            if entry.bundle is None or entry.writes is not None:
                self._apply(entry)
            else:
                yield from self._foresee(entry, entry.bundle)

    def _apply(self, entry: Entry) -> None:
        """A delivery, or what is settled already."""
        writes = entry.writes
        if writes is None and entry.message is not None:
            writes = self._reference.mail.move(entry.message, self._states[entry.message.destination])
        for rollup, written in (writes or {}).items():
            write_all(self._states[rollup], written)
        self._note(entry, Status.COMMIT, {})

    def _foresee(self, entry: Entry, bundle: Bundle) -> Iterator[VerdictStatement]:
        exports, refusals, trial = self._run(entry, bundle)
        status = self._guess_status(entry, bundle, refusals, trial)
        for rollup in bundle.rollups:
            links = [self._get_link(parent, rollup) for parent in entry.parents[rollup]]
            inputs = get_inputs(bundle, rollup)
            is_known = all(leg in exports for leg, _ in inputs)
            if rollup in self._reference.rollups.split and entry.is_undecided and is_known:
                reason = refusals.get(rollup, "")
                verdict = Verdict.NO if reason else Verdict.YES
                outputs = () if reason else get_outputs(bundle, rollup, exports)
                assumption = compute_assumption(links, pick(inputs, exports))
                yield VerdictStatement(rollup, entry.item_id, verdict, reason, outputs, assumption)
        self._note(entry, status, exports)
        if status is Status.COMMIT:
            self._states.update(trial)

    def _run(
        self, entry: Entry, bundle: Bundle
    ) -> tuple[dict[int, Exports], dict[RollupId, str], dict[RollupId, State]]:
        exports: dict[int, Exports] = {}
        refusals: dict[RollupId, str] = {}
        trial: dict[RollupId, State] = {}
        for _ in bundle.rollups:  # as many rounds as values can need to flow
            for rollup in bundle.rollups:
                foreign = {i: x for i, x in exports.items() if bundle.legs[i].rollup != rollup}
                rollups = self._reference.rollups
                run = run_legs(bundle, rollup, self._states[rollup], foreign, rollups, entry.place)
                exports.update(run.exports)
                trial[rollup] = run.state
                if run.refusal:
                    refusals[rollup] = run.refusal
                elif not run.is_whole:
                    trial.pop(rollup)
        return exports, refusals, trial

    def _guess_status(
        self, entry: Entry, bundle: Bundle, refusals: dict[RollupId, str], trial: dict[RollupId, State]
    ) -> Status:
        if not entry.is_undecided:
            return entry.status
        guess = self._guess(entry)
        if guess is not None and (guess is Status.ABORT or not refusals):
            return guess
        waits = [self._statuses.get(dep, Status.COMMIT) for dep, _ in entry.waits]
        is_sound = not refusals and len(trial) == len(bundle.rollups) and entry.unmet is None
        return Status.COMMIT if is_sound and Status.ABORT not in waits else Status.ABORT

    def _note(self, entry: Entry, status: Status, exports: dict[int, Exports]) -> None:
        self._statuses[entry.item_id] = status
        for rollup in entry.rollups:
            links = [self._get_link(parent, rollup) for parent in entry.parents[rollup]]
            known = entry.exports if entry.exports and not entry.is_undecided else exports
            wanted = get_inputs(entry.bundle, rollup) if entry.bundle and status is Status.COMMIT else []
            self._links[entry.item_id, rollup] = (entry.item_id, status, compute_assumption(links, pick(wanted, known)))

    def _get_link(self, parent: Entry, rollup: RollupId) -> tuple[Digest, Status, Digest]:
        found = self._links.get((parent.item_id, rollup))
        return found or (parent.item_id, parent.status, parent.compute_own_assumption(rollup))
