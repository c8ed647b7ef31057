"""Check of a bundle all that needs neither state nor signatures. # A3 A15 A20 A21

Values flow in one direction, and what is burned is minted: both are seen from the text of the bundle
alone, so a bundle that breaks them never reaches a machine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from sequencer.types.bundle import Argument, Bundle, Operation, Reference
from sequencer.types.item_rules import ExecutorSet, ItemRules
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import RollupId

BURN = "burn"
"""burn(asset, amount) takes from the leg's signer what a mint of the same bundle gives. # A20"""
MINT = "mint"
"""mint(asset, to, amount)."""
_MOVES = (BURN, MINT)

_Balance: TypeAlias = defaultdict[tuple[str, Reference | None], int]
"""Burned less minted, per asset and per reference; None collects the constants."""


def check_bundle(bundle: Bundle, rules: ItemRules) -> Rejection | None:
    """Return why the bundle is inadmissible wherever it stands, or None."""
    if bundle.chain_id != rules.chain_id:
        return Rejection(Reason.WRONG_CHAIN, "item.body.chain_id", "is another network's")
    if bundle.valid_from > bundle.valid_until:
        return Rejection(Reason.BAD_WINDOW, "item.body.valid_from", "is above valid_until")
    is_native = rules.native_rollups.issuperset(bundle.rollups)
    if is_native:
        if bundle.decide_within != 0:
            return Rejection(Reason.BAD_DECIDE_WITHIN, "item.body.decide_within", "must be 0: all rollups are native")
        return _check_legs(bundle)
    return _check_split(bundle, rules) or _check_legs(bundle) or _check_circle(bundle, rules.executor_sets)


def _check_split(bundle: Bundle, rules: ItemRules) -> Rejection | None:
    for index, leg in enumerate(bundle.legs):
        if leg.rollup not in rules.native_rollups and leg.rollup not in rules.executor_sets:
            return Rejection(Reason.UNKNOWN_ROLLUP, f"item.body.legs[{index}].rollup", f"{leg.rollup} does not exist")
    if bundle.decide_within < rules.decide_within_min:
        detail = f"must be at least {rules.decide_within_min} with a split rollup, is {bundle.decide_within}"
        return Rejection(Reason.BAD_DECIDE_WITHIN, "item.body.decide_within", detail)
    return None


def _check_legs(bundle: Bundle) -> Rejection | None:
    """A reference points to an earlier leg; burns and mints add up. # A15 A20"""
    has_moves = False
    for leg_index, leg in enumerate(bundle.legs):
        for op_index, operation in enumerate(leg.operations):
            has_moves = has_moves or operation.name in _MOVES
            for arg_index, argument in enumerate(operation.arguments):
                if isinstance(argument, Reference) and argument.leg >= leg_index:
                    path = f"item.body.legs[{leg_index}].operations[{op_index}].arguments[{arg_index}]"
                    return Rejection(Reason.BAD_REFERENCE, path, "must point to an earlier leg")
    return _check_balance(bundle) if has_moves else None


def _check_balance(bundle: Bundle) -> Rejection | None:
    """Per asset the constants burned equal those minted, and each reference is burned as often as minted. # A20"""
    balance: _Balance = defaultdict(int)
    for path, operation in _find_moves(bundle):
        move = _read_move(operation)
        if move is None:
            return Rejection(Reason.UNBALANCED, path, "needs an asset and an amount that can be read here")
        asset, amount = move
        sign = 1 if operation.name == BURN else -1
        if isinstance(amount, Reference):
            balance[asset, amount] += sign
        else:
            balance[asset, None] += sign * amount
    for (asset, reference), difference in balance.items():
        if difference:
            what = "amounts" if reference is None else f"legs[{reference.leg}].{reference.name}"
            return Rejection(Reason.UNBALANCED, "item.body.legs", f"{asset}: {what} burned and minted differ")
    return None


def _find_moves(bundle: Bundle) -> Iterator[tuple[str, Operation]]:
    for leg_index, leg in enumerate(bundle.legs):
        for op_index, operation in enumerate(leg.operations):
            if operation.name in _MOVES:
                yield f"item.body.legs[{leg_index}].operations[{op_index}]", operation


def _read_move(operation: Operation) -> tuple[str, int | Reference] | None:
    """Return asset and amount; None for arguments that no machine would take either."""
    arguments: tuple[Argument, ...] = operation.arguments
    if len(arguments) != (2 if operation.name == BURN else 3):
        return None
    asset, amount = arguments[0], arguments[-1]
    if type(asset) is not str or not isinstance(amount, int | Reference):
        return None
    return asset, amount


def _check_circle(bundle: Bundle, split: Mapping[RollupId, ExecutorSet]) -> Rejection | None:
    """No values flow from a split rollup, over others, back to it: its verdict would wait for itself. # A15"""
    sources: defaultdict[RollupId, set[RollupId]] = defaultdict(set)
    for leg in bundle.legs:
        for operation in leg.operations:
            for argument in operation.arguments:
                if isinstance(argument, Reference) and bundle.legs[argument.leg].rollup != leg.rollup:
                    sources[leg.rollup].add(bundle.legs[argument.leg].rollup)
    for rollup in bundle.rollups:
        if rollup in split and _is_reached(rollup, sources):
            detail = f"values of rollup {rollup} flow back to it"
            return Rejection(Reason.BAD_REFERENCE, "item.body.legs", detail)
    return None


def _is_reached(rollup: RollupId, sources: Mapping[RollupId, set[RollupId]]) -> bool:
    """Tell whether the rollup is among the sources of its sources, at any depth."""
    reached: set[RollupId] = set()
    waiting = list(sources.get(rollup, ()))
    while waiting:
        source = waiting.pop()
        if source not in reached:
            reached.add(source)
            waiting.extend(sources.get(source, ()))
    return rollup in reached
