"""Run a bundle's legs at its own position and say which rollup refuses. # A5 A8

Legs run in their order, each on its rollup's journal. A rollup's evaluation stops at its
first leg that fails, or that refers to a leg whose outputs are not there: because it failed,
or runs elsewhere and is not attested yet. Only failures are verdicts NO. The caller commits
or reverts all journals together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from sequencer.execution.conditions import BlockContext, check_condition
from sequencer.execution.machines import Machine
from sequencer.execution.machines.access import LegOrigin, LegState, Revert, Value
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle, Leg, Operation, Reference
from sequencer.types.primitives import RollupId
from sequencer.types.verdict import Output, Verdict

Outputs: TypeAlias = Mapping[str, int]
_Known: TypeAlias = Sequence[Outputs | None] | None
"""Outputs by leg; None for a bundle without references."""
_NOTHING_GIVEN: Mapping[int, Outputs] = {}


class Failure(NamedTuple):
    """Why a rollup says NO."""

    rollup: RollupId
    code: str
    path: str
    """legs[i].conditions[j] or legs[i].operations[j]."""
    expected: str
    """For people; no part of any commitment."""
    found: str

    @property
    def reason(self) -> str:
        """<code>@<path>, as a verdict states it."""
        return f"{self.code}@{self.path}"


@dataclass(slots=True)
class Evaluation:
    """What a bundle's legs came to; without failures all rollups that ran say YES."""

    outputs: list[Outputs | None] = field(default_factory=list)
    """Per leg; None for a leg that failed or did not run, and for a leg elsewhere whose outputs are not known."""
    failures: dict[RollupId, Failure] = field(default_factory=dict)
    stopped: set[RollupId] = field(default_factory=set)
    """Rollups of which not every leg ran to its end: they failed, or wait for an output."""

    def get_refusal(self) -> Failure | None:
        """Return the NO of the lowest rollup, or None if none says NO. # A8"""
        return self.failures[min(self.failures)] if self.failures else None

    def get_failures(self) -> tuple[Failure, ...]:
        """Return every NO, ascending by rollup."""
        return tuple([failure for _, failure in sorted(self.failures.items())]) if self.failures else ()

    def get_verdict(self, rollup: RollupId) -> Verdict | None:
        """Return what a rollup that was run says: a leg that fails is a NO, YES needs every leg to have run. # A8"""
        if rollup in self.failures:
            return Verdict.NO
        return None if rollup in self.stopped else Verdict.YES


def evaluate(
    bundle: Bundle,
    journals: Mapping[RollupId, Journal],
    machines: Mapping[RollupId, Machine],
    block: BlockContext,
    given: Mapping[int, Outputs] = _NOTHING_GIVEN,
) -> Evaluation:
    """Run every leg whose rollup has a journal; `given` holds, by leg, what the other legs are known to export.

    The journals keep the writes of failed legs too: the caller must revert then.
    """
    evaluation, is_missing = Evaluation(), False
    for index, leg in enumerate(bundle.legs):
        journal = journals.get(leg.rollup)
        if journal is None:
            outputs = given.get(index)
        elif leg.rollup in evaluation.stopped or (is_missing and _is_blocked(leg, evaluation.outputs)):
            outputs = None
        else:
            outputs = _run(bundle, index, journal, machines, evaluation, block)
        if outputs is None:
            is_missing = True
            evaluation.stopped.add(leg.rollup)
        evaluation.outputs.append(outputs)
    return evaluation


def _run(
    bundle: Bundle,
    index: int,
    journal: Journal,
    machines: Mapping[RollupId, Machine],
    evaluation: Evaluation,
    block: BlockContext,
) -> Outputs | None:
    """Run one leg; return what it exports, or None if it failed."""
    leg = bundle.legs[index]
    state = LegState(journal, leg.signer, leg.declared, LegOrigin(leg.rollup, bundle.id, index, machines))
    outputs = evaluation.outputs if bundle.has_references else None
    failure = _run_leg(index, leg, state, machines[leg.rollup], outputs, block)
    if failure is None:
        return state.outputs
    evaluation.failures[leg.rollup] = failure
    return None


class RollupResult(NamedTuple):
    """What one rollup says to a bundle."""

    verdict: Verdict | None
    """None while an output that its legs refer to is not known."""
    reason: str
    """Empty unless NO: `<code>@<path>`."""
    outputs: tuple[Output, ...]
    """What legs of other rollups refer to, ascending; empty unless YES."""
    failure: Failure | None


def make_result(bundle: Bundle, rollup: RollupId, evaluation: Evaluation) -> RollupResult:
    """Return what one of the rollups that were evaluated says."""
    failure = evaluation.failures.get(rollup)
    if failure is not None:
        return RollupResult(Verdict.NO, failure.reason, (), failure)
    if any(evaluation.outputs[index] is None for index, leg in enumerate(bundle.legs) if leg.rollup == rollup):
        return RollupResult(None, "", (), None)
    exported = {index: outputs for index, outputs in enumerate(evaluation.outputs) if outputs is not None}
    return RollupResult(Verdict.YES, "", select_outputs(list_exports(bundle, rollup), exported), None)


def list_inputs(bundle: Bundle, rollup: RollupId) -> tuple[tuple[int, str], ...]:
    """Return leg and name of every output of another rollup that legs of `rollup` refer to, ascending. # A15"""
    return _list_crossings(bundle, lambda producer, consumer: consumer == rollup != producer)


def list_exports(bundle: Bundle, rollup: RollupId) -> tuple[tuple[int, str], ...]:
    """Return leg and name of every output of `rollup` that legs of other rollups refer to, ascending. # A15"""
    return _list_crossings(bundle, lambda producer, consumer: producer == rollup != consumer)


def _list_crossings(bundle: Bundle, is_wanted: Callable[[RollupId, RollupId], bool]) -> tuple[tuple[int, str], ...]:
    found = {
        (argument.leg, argument.name)
        for leg in bundle.legs
        for operation in leg.operations
        for argument in operation.arguments
        if isinstance(argument, Reference) and is_wanted(bundle.legs[argument.leg].rollup, leg.rollup)
    }
    return tuple(sorted(found))


def select_outputs(names: Iterable[tuple[int, str]], outputs: Mapping[int, Outputs]) -> tuple[Output, ...]:
    """Return leg, name and amount of those names that were exported; `outputs` holds those of every leg named."""
    return tuple((leg, name, outputs[leg][name]) for leg, name in names if name in outputs[leg])


def _is_blocked(leg: Leg, outputs: Sequence[Outputs | None]) -> bool:
    return any(
        isinstance(argument, Reference) and outputs[argument.leg] is None
        for operation in leg.operations
        for argument in operation.arguments
    )


def _run_leg(
    index: int, leg: Leg, state: LegState, machine: Machine, outputs: _Known, block: BlockContext
) -> Failure | None:
    place = ("conditions", 0)
    try:
        for number, condition in enumerate(leg.conditions):
            place = ("conditions", number)
            check_condition(condition, state, block)
        for number, operation in enumerate(leg.operations):
            place, state.operation = ("operations", number), number
            _run_operation(operation, state, machine, outputs)
    except Revert as revert:
        path = f"legs[{index}].{place[0]}[{place[1]}]"
        return Failure(leg.rollup, revert.code, path, revert.expected, revert.found)
    return None


def _run_operation(operation: Operation, state: LegState, machine: Machine, outputs: _Known) -> None:
    run = machine.get(operation.name)
    if run is None:
        raise Revert("UNKNOWN_OPERATION", f"one of {', '.join(sorted(machine))}", operation.name)
    if outputs is None:
        run(state, operation.arguments)  # type: ignore[arg-type] # no argument of the bundle is a reference
    else:
        resolved = [_resolve(arg, outputs) if isinstance(arg, Reference) else arg for arg in operation.arguments]
        run(state, tuple(resolved))


def _resolve(argument: Reference, outputs: Sequence[Outputs | None]) -> Value:
    """Read a reference from the earlier leg's outputs. # A15"""
    exported = outputs[argument.leg] or {}
    if argument.name not in exported:
        raise Revert(
            "NO_OUTPUT", f"legs[{argument.leg}] exports {argument.name}", ", ".join(sorted(exported)) or "none"
        )
    return exported[argument.name]
