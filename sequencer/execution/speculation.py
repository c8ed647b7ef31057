"""Foresee how undecided bundles end, so that executors can vote before the log decides what their votes rest on. # A14

Walks what is undecided in the order of the log, on overlays over the settled states: every bundle is expected to commit
unless a rollup that runs here refuses it, or another one is known to refuse it or to be silent. A verdict is stated
together with what it assumes, so a wrong guess costs another vote and never a wrong outcome.

Promises: the walk changes nothing; legs run again only if what they rest on has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from sequencer.execution.conditions import BlockContext
from sequencer.execution.deliveries import apply_delivery
from sequencer.execution.evaluation import Outputs, RollupResult, evaluate, list_inputs, make_result
from sequencer.execution.executor import Executor
from sequencer.execution.machines import get_machine
from sequencer.execution.pending import Ancestor, PendingBundle, PendingPlace
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, RollupId, StateValue
from sequencer.types.verdict import Link, Output, Verdict, VerdictStatement, compute_assumption

Links: TypeAlias = tuple[Link, ...]
"""What became, or is expected to become, of direct ancestors."""
Key: TypeAlias = tuple[Digest, RollupId]
"""A bundle on one of its rollups."""


class Heard(Protocol):
    """What f_r + 1 executors of a rollup are known to say, before the log has it."""

    def get_statements(self, bundle_id: Digest, rollup: RollupId) -> Sequence[VerdictStatement]: ...


class Trial(NamedTuple):
    """What a rollup that runs here says, and what that rests on."""

    links: Links
    inputs: tuple[Output, ...] | None
    """Values from legs on other rollups; None if not all are known. # A15"""
    result: RollupResult
    exports: Mapping[int, Outputs]
    """Of the legs that ran to their end."""
    writes: Mapping[str, StateValue | None]


class Walk:
    """One pass over what is undecided: what is expected so far."""

    def __init__(self, journals: Mapping[RollupId, Journal], before: Mapping[Key, Trial], heard: Heard) -> None:
        self.journals = journals
        """Overlays, by rollup that runs here."""
        self.before = before
        """Trials of the pass before."""
        self.heard = heard
        self.statuses: dict[Digest, Status] = {}
        self.links: dict[Key, Link] = {}
        """Absent while a value that the bundle rests on there is unknown."""

    def get_links(self, place: PendingPlace) -> Links | None:
        """Return what is expected of the direct ancestors; None while that cannot be told."""
        links: list[Link] = []
        for ancestor in place.ancestors:
            link = self._get_link(ancestor, place.rollup)
            if link is None:
                return None
            links.append(link)
        return tuple(links)

    def _get_link(self, ancestor: Ancestor, rollup: RollupId) -> Link | None:
        if ancestor.status is not None and ancestor.assumption is not None:
            return (ancestor.id, ancestor.status, ancestor.assumption)
        return self.links.get((ancestor.id, rollup))


class Prospect:
    """One undecided bundle within a walk: what is known of each of its rollups so far."""

    def __init__(self, entry: PendingBundle, bundle: Bundle) -> None:
        self.entry = entry
        self.bundle = bundle
        self.context = BlockContext(entry.height, entry.time_ms)
        self.given: dict[int, Outputs] = {}
        """Outputs of the legs that are known to have run."""
        self.verdicts: dict[RollupId, Verdict] = {}
        self.trials: dict[RollupId, Trial] = {}

    def get_inputs(self, rollup: RollupId) -> tuple[Output, ...] | None:
        """Return the values that the rollup's legs take from other rollups' legs; None while one is unknown. # A15"""
        if not self.bundle.has_references:
            return ()
        names = list_inputs(self.bundle, rollup)
        if any(leg not in self.given for leg, _ in names):
            return None
        return tuple((leg, name, self.given[leg][name]) for leg, name in names if name in self.given[leg])

    def add_outputs(self, statement: VerdictStatement) -> None:
        """Every leg of the rollup has run; what the statement does not name, nobody reads."""
        outputs: dict[int, dict[str, int]] = {
            index: {} for index, leg in enumerate(self.bundle.legs) if leg.rollup == statement.rollup
        }
        for index, name, amount in statement.outputs:
            if index in outputs:
                outputs[index][name] = amount
        self.given.update(outputs)


class Speculation:
    """Foretells the verdicts of one split rollup."""

    def __init__(self, genesis: Genesis, executor: Executor, rollup: RollupId) -> None:
        """`executor` runs the rollup."""
        self._executor = executor
        self._rollup = rollup
        self._machines = {described.id: get_machine(described.machine) for described in genesis.rollups}
        self._native = genesis.item_rules.native_rollups
        self._trials: dict[Key, Trial] = {}
        self.trials_run = 0
        """How often legs were run; for measurements."""

    @property
    def size(self) -> int:
        """Return how many trials are remembered: at most one per undecided bundle and rollup that runs here."""
        return len(self._trials)

    def foresee(self, heard: Heard) -> list[VerdictStatement]:
        """Return the rollup's verdict on every undecided bundle for which it can be told, in log order."""
        if not self._executor.pending:
            self._trials = {}
            return []
        journals = {rollup: Journal(self._executor.get_state(rollup)) for rollup in self._list_local()}
        walk = Walk(journals, self._trials, heard)
        self._trials = {}
        forecasts = [self._visit(entry, walk) for entry in self._executor.pending]
        return [forecast for forecast in forecasts if forecast is not None]

    def _list_local(self) -> list[RollupId]:
        local = sorted(self._native | self._executor.runs)
        return [rollup for rollup in local if not self._executor.is_frozen(rollup)]

    def _visit(self, entry: PendingBundle, walk: Walk) -> VerdictStatement | None:
        """Foretell one entry, let it act on the overlays if it is expected to commit, and word the own verdict."""
        if entry.bundle is None:
            _visit_delivery(entry, walk)
            return None
        prospect = Prospect(entry, entry.bundle)
        if entry.status is Status.PENDING:
            self._resolve(prospect, walk)
        status = self._expect(prospect, walk)
        walk.statuses[entry.id] = status
        for place in entry.places:
            links = walk.get_links(place)
            inputs = prospect.get_inputs(place.rollup) if status is Status.COMMIT else ()
            if links is not None and inputs is not None:
                walk.links[entry.id, place.rollup] = (entry.id, status, compute_assumption(links, inputs))
        if status is Status.COMMIT:
            for rollup, trial in prospect.trials.items():
                for key, value in trial.writes.items():
                    walk.journals[rollup].set(key, value)
        return self._word(prospect) if entry.status is Status.PENDING else None

    def _resolve(self, prospect: Prospect, walk: Walk) -> None:
        """Find every verdict that can be told; values flow between rollups, so one may lead to another. # A15"""
        open_places = list(prospect.entry.places)
        known = -1
        while open_places and known < len(prospect.verdicts) + len(prospect.given):
            known = len(prospect.verdicts) + len(prospect.given)
            open_places = [place for place in open_places if not self._tell(place, prospect, walk)]

    def _tell(self, place: PendingPlace, prospect: Prospect, walk: Walk) -> bool:
        """Tell one rollup's verdict if everything that it rests on is known."""
        links = walk.get_links(place)
        if links is None:
            return False
        if place.rollup in walk.journals:
            return self._try(place.rollup, links, prospect, walk)
        return _hear(place, links, prospect, walk.heard)

    def _try(self, rollup: RollupId, links: Links, prospect: Prospect, walk: Walk) -> bool:
        """Run the rollup's legs, unless what they rest on is as at the walk before."""
        key, inputs = (prospect.entry.id, rollup), prospect.get_inputs(rollup)
        trial = walk.before.get(key)
        if trial is None or inputs is None or (trial.links, trial.inputs) != (links, inputs):
            trial = self._run(rollup, links, inputs, prospect, walk.journals[rollup])
        prospect.given.update(trial.exports)
        is_split = rollup not in self._native
        if trial.result.verdict is None or (inputs is None and is_split):
            return False
        self._trials[key] = prospect.trials[rollup] = trial
        prospect.verdicts[rollup] = trial.result.verdict
        return True

    def _run(
        self, rollup: RollupId, links: Links, inputs: tuple[Output, ...] | None, prospect: Prospect, journal: Journal
    ) -> Trial:
        bundle, mark = prospect.bundle, journal.mark()
        evaluation = evaluate(bundle, {rollup: journal}, self._machines, prospect.context, prospect.given)
        self.trials_run += 1
        exports = {
            index: outputs
            for index, (leg, outputs) in enumerate(zip(bundle.legs, evaluation.outputs, strict=True))
            if leg.rollup == rollup and outputs is not None
        }
        result = make_result(bundle, rollup, evaluation)
        trial = Trial(links, inputs, result, exports, journal.get_writes_since(mark))
        journal.revert(mark)
        return trial

    def _expect(self, prospect: Prospect, walk: Walk) -> Status:
        """Expect COMMIT unless somebody is known to refuse or be silent, or a dep is expected to abort. # A13 A16"""
        if prospect.entry.status is not Status.PENDING or Verdict.NO in prospect.verdicts.values():
            return Status.ABORT
        open_rollups = [p.rollup for p in prospect.entry.places if p.rollup not in prospect.verdicts]
        if any(self._executor.is_suspended(rollup) for rollup in open_rollups):
            return Status.ABORT
        for dep in prospect.bundle.deps:
            status = walk.statuses.get(dep) or self._executor.get_decided_status(dep)
            if status is not Status.COMMIT:
                return Status.ABORT
        return Status.COMMIT

    def _word(self, prospect: Prospect) -> VerdictStatement | None:
        """Word the own rollup's verdict."""
        trial = prospect.trials.get(self._rollup)
        if trial is None or trial.result.verdict is None or trial.inputs is None:
            return None
        result = trial.result
        assumption = compute_assumption(trial.links, trial.inputs)
        return VerdictStatement(
            self._rollup, prospect.entry.id, trial.result.verdict, result.reason, result.outputs, assumption
        )


def _visit_delivery(entry: PendingBundle, walk: Walk) -> None:
    """Nobody refuses a delivery: it acts when all is settled on which it rests. # A19"""
    walk.statuses[entry.id] = Status.COMMIT
    for place in entry.places:
        links = walk.get_links(place)
        if links is not None and entry.message is not None:
            walk.links[entry.id, place.rollup] = (entry.id, Status.COMMIT, compute_assumption(links, ()))
            apply_delivery(walk.journals, entry.message)


def _hear(place: PendingPlace, links: Links, prospect: Prospect, heard: Heard) -> bool:
    """Take the word of executors elsewhere, if it rests on what is expected here."""
    said = (*place.certificates, *heard.get_statements(prospect.entry.id, place.rollup))
    inputs = prospect.get_inputs(place.rollup) if said else None
    if inputs is None:
        return False
    assumption = compute_assumption(links, inputs)
    for statement in said:
        if statement.assumption == assumption:
            prospect.verdicts[place.rollup] = statement.verdict
            if statement.verdict is Verdict.YES:
                prospect.add_outputs(statement)
            return True
    return False
