"""Run a bundle's legs at its own position and say which rollup refuses. # A5 A8

Legs run in their order, each on its rollup's journal. A rollup's evaluation stops at its
first leg that fails, or that refers to a leg without outputs because that one failed;
only failures are verdicts NO. The caller commits or reverts all journals together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from sequencer.execution.conditions import BlockContext, check_condition
from sequencer.execution.machines import Machine
from sequencer.execution.machines.access import LegOrigin, LegState, Revert, Value
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle, Leg, Operation, Reference
from sequencer.types.primitives import RollupId

Outputs: TypeAlias = Mapping[str, int]


class Failure(NamedTuple):
    """Why a rollup says NO."""

    rollup: RollupId
    code: str
    path: str
    """legs[i].conditions[j] or legs[i].operations[j]."""
    expected: str
    """For people; no part of any commitment."""
    found: str


@dataclass(slots=True)
class Evaluation:
    """What a bundle's legs came to; without failures all rollups say YES."""

    outputs: list[Outputs | None] = field(default_factory=list)
    """Per leg; None for a leg that failed or did not run."""
    failures: dict[RollupId, Failure] = field(default_factory=dict)

    def get_verdict_no(self) -> Failure | None:
        """Return the NO of the lowest rollup id, or None if all say YES. # A8"""
        return self.failures[min(self.failures)] if self.failures else None


def evaluate(
    bundle: Bundle, journals: Mapping[RollupId, Journal], machines: Mapping[RollupId, Machine], block: BlockContext
) -> Evaluation:
    """Run every leg on the journals, which keep the writes of failed legs too: the caller must revert then."""
    evaluation, stopped = Evaluation(), set[RollupId]()
    for index, leg in enumerate(bundle.legs):
        outputs = None
        if leg.rollup not in stopped and not (stopped and _is_blocked(leg, evaluation.outputs)):
            origin = LegOrigin(leg.rollup, bundle.id, index, machines)
            state = LegState(journals[leg.rollup], leg.signer, leg.declared, origin)
            failure = _run_leg(index, leg, state, machines[leg.rollup], evaluation.outputs, block)
            if failure is None:
                outputs = state.outputs
            else:
                evaluation.failures[leg.rollup] = failure
        if outputs is None:
            stopped.add(leg.rollup)
        evaluation.outputs.append(outputs)
    return evaluation


def _is_blocked(leg: Leg, outputs: Sequence[Outputs | None]) -> bool:
    return any(
        isinstance(argument, Reference) and outputs[argument.leg] is None
        for operation in leg.operations
        for argument in operation.arguments
    )


def _run_leg(
    index: int, leg: Leg, state: LegState, machine: Machine, outputs: Sequence[Outputs | None], block: BlockContext
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


def _run_operation(operation: Operation, state: LegState, machine: Machine, outputs: Sequence[Outputs | None]) -> None:
    run = machine.get(operation.name)
    if run is None:
        raise Revert("UNKNOWN_OPERATION", f"one of {', '.join(sorted(machine))}", operation.name)
    run(state, tuple([_resolve(arg, outputs) if isinstance(arg, Reference) else arg for arg in operation.arguments]))


def _resolve(argument: Reference, outputs: Sequence[Outputs | None]) -> Value:
    """Read a reference from the earlier leg's outputs. # A15"""
    exported = outputs[argument.leg] or {}
    if argument.name not in exported:
        raise Revert(
            "NO_OUTPUT", f"legs[{argument.leg}] exports {argument.name}", ", ".join(sorted(exported)) or "none"
        )
    return exported[argument.name]
