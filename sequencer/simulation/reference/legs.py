"""Run one rollup's legs of a bundle, given what legs of other rollups export. # A8 A15"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sequencer.simulation.reference.machine import OPERATIONS, Exports, No, Place, State, View, demand, meets, shape
from sequencer.types.bundle import Bundle, Leg, Operation, Reference
from sequencer.types.genesis import Genesis
from sequencer.types.primitives import RollupId


@dataclass
class Run:
    """What became of one rollup's legs."""

    state: State
    """With all that the legs wrote."""
    exports: dict[int, Exports] = field(default_factory=dict)
    """By leg, of those that ran."""
    refusal: str = ""
    """`<code>@<path>` of the first condition or operation that failed."""
    is_whole: bool = False
    """All legs of the rollup ran, to the end."""


@dataclass(frozen=True)
class Rollups:
    """What the genesis says of the rollups."""

    names: Mapping[RollupId, str]
    machines: Mapping[RollupId, str]
    split: frozenset[RollupId]

    @classmethod
    def of(cls, genesis: Genesis) -> Rollups:
        """Read the genesis."""
        rollups = genesis.rollups
        split = frozenset(rollup.id for rollup in rollups if rollup.kind.value == "split")
        return cls({r.id: r.name for r in rollups}, {r.id: r.machine for r in rollups}, split)


def run_legs(
    bundle: Bundle, rollup: RollupId, state: State, foreign: Mapping[int, Exports], rollups: Rollups, place: Place
) -> Run:
    """Run the rollup's legs in order on a copy; stop at a refusal, or at a leg whose producer is not known."""
    run = Run(dict(state))
    for index, leg in enumerate(bundle.legs):
        if leg.rollup == rollup:
            known = {**foreign, **run.exports}
            if any(reference.leg not in known for reference in get_references(leg)):
                return run
            run.refusal = _run_leg(bundle, index, run, known, rollups, place)
            if run.refusal:
                return run
    run.is_whole = True
    return run


def _run_leg(bundle: Bundle, index: int, run: Run, known: Mapping[int, Exports], rollups: Rollups, place: Place) -> str:
    leg, where = bundle.legs[index], ""
    view = View(run.state, leg, bundle.id, index, rollups.machines)
    try:
        for number, condition in enumerate(leg.conditions):
            where = f"legs[{index}].conditions[{number}]"
            meets(condition, view, place)
        for number, operation in enumerate(leg.operations):
            where = f"legs[{index}].operations[{number}]"
            view.operation = number
            _run_operation(operation, view, known)
    except No as no:
        return f"{no}@{where}"
    run.exports[index] = view.exports
    return ""


def _run_operation(operation: Operation, view: View, known: Mapping[int, Exports]) -> None:
    operations = OPERATIONS[view.machines[view.rollup]]
    demand(operation.name in operations, "UNKNOWN_OPERATION")
    run, pattern = operations[operation.name]
    arguments = [_resolve(argument, known) for argument in operation.arguments]
    shape(view, arguments, pattern)
    run(view, *arguments)


def _resolve(argument: object, known: Mapping[int, Exports]) -> object:
    """Replace a reference by the producer's export. # A15"""
    if not isinstance(argument, Reference):
        return argument
    demand(argument.name in known[argument.leg], "NO_OUTPUT")
    return known[argument.leg][argument.name]


def get_references(leg: Leg) -> list[Reference]:
    """Return the references in a leg's arguments."""
    return [x for operation in leg.operations for x in operation.arguments if isinstance(x, Reference)]


def get_inputs(bundle: Bundle, rollup: RollupId) -> list[tuple[int, str]]:
    """Return which outputs of other rollups' legs the rollup's legs refer to, each once."""
    found = {
        (reference.leg, reference.name)
        for leg in bundle.legs
        if leg.rollup == rollup
        for reference in get_references(leg)
        if bundle.legs[reference.leg].rollup != rollup
    }
    return sorted(found)


def get_outputs(bundle: Bundle, rollup: RollupId, exports: Mapping[int, Exports]) -> tuple[tuple[int, str, int], ...]:
    """Return what a verdict of the rollup must state: exports that legs of other rollups refer to. # A9 A15"""
    wanted: set[tuple[int, str]] = set()
    for other in bundle.rollups:
        if other != rollup:
            wanted.update(entry for entry in get_inputs(bundle, other) if bundle.legs[entry[0]].rollup == rollup)
    return pick(sorted(wanted), exports)


def pick(wanted: Iterable[tuple[int, str]], exports: Mapping[int, Exports]) -> tuple[tuple[int, str, int], ...]:
    """Return (leg, name, amount) of those wanted outputs that exist."""
    return tuple((leg, name, exports[leg][name]) for leg, name in wanted if name in exports.get(leg, {}))
