"""Interpret the log once more, slowly and plainly, to judge the executor by. # A1 A3 A4 A6 A7 A8 A10 A15 A16 A17

Written from `specs/atomicity.md` alone: it shares no code with `execution` or `state`, keeps
plain dicts, copies them for every bundle, and knows neither slices nor roots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from sequencer.codec import U64_MAX
from sequencer.errors import DecodeError
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import (
    AccessMode,
    AtLeast,
    Bundle,
    Condition,
    Equals,
    HeightWindow,
    InRange,
    Leg,
    NonceIs,
    Operation,
    Reference,
    TimeWindow,
    read_key,
)
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem, SignedBundle, compute_item_id
from sequencer.types.outcome import ItemResult, Reason, Rejection, Status
from sequencer.types.primitives import Address, Digest, Height, RollupId, StateValue

State: TypeAlias = dict[str, StateValue]
Exports: TypeAlias = dict[str, int]


class No(Exception):
    """A rollup refuses; the text is the code."""


class View:
    """One leg's access to one rollup's trial state. # A7"""

    def __init__(self, state: State, leg: Leg) -> None:
        self.state = state
        self.signer = leg.signer
        self.declared = None if leg.access is None else dict(leg.access)
        self.exports: Exports = {}

    def read(self, key: str) -> StateValue:
        if self.declared is not None and key not in self.declared:
            raise No("ACCESS")
        return self.state.get(key, 0)

    def amount(self, key: str) -> int:
        value = self.read(key)
        if isinstance(value, bytes):
            raise No("NOT_AN_AMOUNT")
        return value

    def write(self, key: str, value: StateValue) -> None:
        if self.declared is not None and self.declared.get(key) != AccessMode.WRITE:
            raise No("ACCESS")
        if isinstance(value, int) and value > U64_MAX:
            raise No("OVERFLOW")
        if value:
            self.state[key] = value
        else:
            self.state.pop(key, None)


def meets(condition: Condition, view: View, header: BlockHeader) -> None:
    """Raise `No` unless the condition holds. # A5 A10"""
    if isinstance(condition, Equals):
        demand((view.read(condition.key) or None) == condition.value, "NOT_EQUAL")
    elif isinstance(condition, AtLeast):
        demand(view.amount(condition.key) >= condition.low, "TOO_LOW")
    elif isinstance(condition, InRange):
        demand(condition.low <= view.amount(condition.key) <= condition.high, "OUT_OF_RANGE")
    elif isinstance(condition, HeightWindow):
        demand(condition.low <= header.height <= condition.high, "OUTSIDE_HEIGHTS")
    elif isinstance(condition, TimeWindow):
        demand(condition.low_ms <= header.time_ms <= condition.high_ms, "OUTSIDE_TIMES")
    elif isinstance(condition, NonceIs):
        demand(condition.account == view.signer, "NOT_SIGNER")
        key = "nonce/" + condition.account.hex()
        demand(view.amount(key) == condition.nonce, "WRONG_NONCE")
        view.write(key, condition.nonce + 1)


def demand(holds: bool, code: str) -> None:
    """Raise `No` with the code unless it holds."""
    if not holds:
        raise No(code)


def shape(arguments: Sequence[object], pattern: str) -> None:
    """Demand one argument per letter: b bytes, i integer, v integer or bytes, a asset, p positive, r key, k kv key.

    A pattern that ends with + takes its last letter once or more.
    """
    if pattern.endswith("+"):
        pattern = pattern[:-1] + pattern[-2] * (len(arguments) - len(pattern) + 1)
    demand(len(arguments) == len(pattern), "BAD_ARGUMENT")
    for letter, value in zip(pattern, arguments, strict=True):
        if letter in "kr":
            demand(isinstance(value, str), "BAD_ARGUMENT")
            demand(is_key(str(value)) and (letter == "r" or is_free_key(str(value))), "BAD_KEY")
        elif letter == "a":
            is_asset = isinstance(value, str) and value.isascii() and value.isalnum() and len(value) <= 16
            demand(is_asset, "BAD_ARGUMENT")
        elif letter == "p":
            demand(isinstance(value, int) and value > 0, "BAD_ARGUMENT")
        else:
            kinds = {"i": int, "b": bytes, "v": int | bytes}
            demand(isinstance(value, kinds[letter]), "BAD_ARGUMENT")


def is_key(key: str) -> bool:
    """Tell whether the key is well-formed."""
    try:
        return bool(read_key(key, "key"))
    except DecodeError:
        return False


def is_free_key(key: str) -> bool:
    """Tell whether a well-formed key is below kv/."""
    return key.startswith("kv/") and len(key) > 3


def _run_set(view: View, key: str, value: StateValue) -> None:
    view.write(key, value)


def _run_delete(view: View, key: str) -> None:
    view.write(key, 0)


def _run_add(view: View, key: str, amount: int) -> None:
    total = view.amount(key) + amount
    view.write(key, total)
    view.exports["value"] = total


def _run_read(view: View, key: str) -> None:
    view.exports["value"] = view.amount(key)


def _run_require_at_least(view: View, minimum: int, *values: int) -> None:
    demand(sum(values) >= minimum, "BELOW_MINIMUM")


def _run_require_at_most(view: View, maximum: int, *values: int) -> None:
    demand(sum(values) <= maximum, "ABOVE_MAXIMUM")


def _run_require_equal(view: View, first: int, second: int) -> None:
    demand(first == second, "VALUES_DIFFER")


def _run_burn(view: View, asset: str, amount: int) -> None:
    pay(view, asset, amount)
    view.exports["amount"] = amount


def _run_mint(view: View, asset: str, to: Address, amount: int) -> None:
    demand(len(to) == 32, "BAD_ARGUMENT")
    receive(view, asset, to, amount)


def _run_read_balance(view: View, asset: str, address: Address) -> None:
    demand(len(address) == 32, "BAD_ARGUMENT")
    view.exports["balance"] = view.amount(f"balance/{asset}/{address.hex()}")


def _run_transfer(view: View, asset: str, to: Address, amount: int) -> None:
    demand(len(to) == 32, "BAD_ARGUMENT")
    pay(view, asset, amount)
    receive(view, asset, to, amount)
    view.exports["amount"] = amount


def _run_swap(view: View, sold: str, bought: str, amount: int, floor: int) -> None:
    demand(sold != bought, "BAD_ARGUMENT")
    pool = "pool/" + "-".join(sorted((sold, bought))) + "/"
    x, y = view.amount(pool + sold), view.amount(pool + bought)
    demand(x > 0 and y > 0, "NO_POOL")
    after_fee = amount - (amount * 30) // 10_000
    out = (y * after_fee) // (x + after_fee)
    demand(out >= 1 and out >= floor, "SLIPPAGE")
    pay(view, sold, amount)
    view.write(pool + sold, x + amount)
    view.write(pool + bought, y - out)
    receive(view, bought, view.signer, out)
    view.exports["out"] = out


def _run_add_liquidity(view: View, first: str, second: str, first_amount: int, second_amount: int) -> None:
    demand(first != second, "BAD_ARGUMENT")
    pool = "pool/" + "-".join(sorted((first, second))) + "/"
    for asset, amount in ((first, first_amount), (second, second_amount)):
        pay(view, asset, amount)
        view.write(pool + asset, view.amount(pool + asset) + amount)


def pay(view: View, asset: str, amount: int) -> None:
    """Take from the signer."""
    key = f"balance/{asset}/{view.signer.hex()}"
    balance = view.amount(key)
    demand(balance >= amount, "INSUFFICIENT")
    view.write(key, balance - amount)


def receive(view: View, asset: str, to: Address, amount: int) -> None:
    """Give to an address."""
    key = f"balance/{asset}/{to.hex()}"
    view.write(key, view.amount(key) + amount)


_Operations: TypeAlias = Mapping[str, tuple[Callable[..., None], str]]
_KEY_VALUE: _Operations = {
    "set": (_run_set, "kv"),
    "delete": (_run_delete, "k"),
    "add": (_run_add, "ki"),
    "read": (_run_read, "r"),
    "require_at_least": (_run_require_at_least, "ii+"),
    "require_at_most": (_run_require_at_most, "ii+"),
    "require_equal": (_run_require_equal, "ii"),
}
_TRANSFER: _Operations = {
    **_KEY_VALUE,
    "transfer": (_run_transfer, "abp"),
    "burn": (_run_burn, "ap"),
    "mint": (_run_mint, "abp"),
    "read_balance": (_run_read_balance, "ab"),
}
_AMM: _Operations = {**_TRANSFER, "swap": (_run_swap, "aapi"), "add_liquidity": (_run_add_liquidity, "aapp")}
OPERATIONS: Mapping[str, _Operations] = {
    "key_value": _KEY_VALUE,
    "transfer": _TRANSFER,
    "amm": _AMM,
}


class ReferenceInterpreter:
    """Applies whole blocks; `states`, `deposits`, `sequences` and `burned` are plain and always current."""

    def __init__(self, genesis: Genesis) -> None:
        self.parameters = genesis.parameters
        self.names = {rollup.id: rollup.name for rollup in genesis.rollups}
        self.machines = {rollup.id: rollup.machine for rollup in genesis.rollups}
        self.states: dict[RollupId, State] = {rollup.id: dict(rollup.state) for rollup in genesis.rollups}
        self.deposits = dict(genesis.deposits)
        self.sequences: dict[tuple[Address, int], int] = {}
        self.burned = 0
        self.committed: dict[Digest, Height] = {}

    def apply(self, header: BlockHeader, items: Sequence[tuple[bytes, CheckedItem]]) -> tuple[ItemResult, ...]:
        """Apply one block's items in order and return what became of each."""
        return tuple(self._apply_item(header, index, *item) for index, item in enumerate(items))

    def _apply_item(self, header: BlockHeader, index: int, item: bytes, checked: CheckedItem) -> ItemResult:
        item_id = compute_item_id(item, checked)
        if isinstance(checked, Rejection):
            return ItemResult(index, item_id, Status.INADMISSIBLE, checked.reason.value, 0)
        if not isinstance(checked, SignedBundle):
            return ItemResult(index, item_id, Status.INADMISSIBLE, Reason.UNKNOWN_KIND.value, 0)
        bundle = checked.bundle
        fee = self.parameters.fee_base + self.parameters.fee_per_operation * sum(len(x.operations) for x in bundle.legs)
        refusal = self._refuse(bundle, header.height, fee)
        if refusal:
            return ItemResult(index, item_id, Status.INADMISSIBLE, refusal, 0)
        self.sequences[bundle.payer, bundle.channel] = bundle.sequence + 1
        self.deposits[bundle.payer] -= fee
        self.burned += fee
        reason = self._decide(bundle, header)
        return ItemResult(index, item_id, Status.ABORT if reason else Status.COMMIT, reason, fee)

    def _refuse(self, bundle: Bundle, height: Height, fee: int) -> str:
        """Return why the bundle is inadmissible, or nothing. # A3"""
        expected = self.sequences.get((bundle.payer, bundle.channel), 0)
        if bundle.sequence != expected:
            return "SEQUENCE_USED" if bundle.sequence < expected else "SEQUENCE_GAP"
        if not bundle.valid_from <= height <= bundle.valid_until:
            return "NOT_YET_VALID" if height < bundle.valid_from else "EXPIRED"
        return "" if self.deposits.get(bundle.payer, 0) >= fee else "UNFUNDED"

    def _decide(self, bundle: Bundle, header: BlockHeader) -> str:
        """Commit the trial states and return nothing, or return why the bundle aborts. # A8"""
        trial = {rollup: dict(self.states[rollup]) for rollup in bundle.rollups}
        refusals = self._run_legs(bundle, header, trial)
        for rollup in bundle.rollups:
            if rollup in refusals:
                return f"NO:{self.names[rollup]}:{refusals[rollup]}"
        for dep in bundle.deps:
            if header.height - self.committed.get(dep, -1_025) > 1_024:
                return f"DEP:{dep.hex()}"
        self.states.update(trial)
        self.committed[bundle.id] = header.height
        return ""

    def _run_legs(self, bundle: Bundle, header: BlockHeader, trial: dict[RollupId, State]) -> dict[RollupId, str]:
        refusals: dict[RollupId, str] = {}
        halted: set[RollupId] = set()
        exports: list[Exports | None] = []
        for index, leg in enumerate(bundle.legs):
            exports.append(None)
            if leg.rollup in halted or any(exports[producer] is None for producer in producers(leg)):
                halted.add(leg.rollup)
                continue
            view = View(trial[leg.rollup], leg)
            refusal = self._run_leg(leg, view, exports, header)
            if refusal:
                refusals[leg.rollup] = f"{refusal[0]}@legs[{index}].{refusal[1]}"
                halted.add(leg.rollup)
            else:
                exports[index] = view.exports
        return refusals

    def _run_leg(
        self, leg: Leg, view: View, exports: Sequence[Exports | None], header: BlockHeader
    ) -> tuple[str, str] | None:
        """Return the code and the place of the first refusal."""
        place = ""
        try:
            for number, condition in enumerate(leg.conditions):
                place = f"conditions[{number}]"
                meets(condition, view, header)
            for number, operation in enumerate(leg.operations):
                place = f"operations[{number}]"
                self._run_operation(leg.rollup, operation, view, exports)
        except No as no:
            return str(no), place
        return None

    def _run_operation(
        self, rollup: RollupId, operation: Operation, view: View, exports: Sequence[Exports | None]
    ) -> None:
        known = OPERATIONS[self.machines[rollup]]
        demand(operation.name in known, "UNKNOWN_OPERATION")
        run, pattern = known[operation.name]
        arguments = [resolve(argument, exports) for argument in operation.arguments]
        shape(arguments, pattern)
        run(view, *arguments)


def producers(leg: Leg) -> list[int]:
    """Return the legs that this one refers to."""
    return [x.leg for operation in leg.operations for x in operation.arguments if isinstance(x, Reference)]


def resolve(argument: object, exports: Sequence[Exports | None]) -> object:
    """Replace a reference by the producer's export. # A15"""
    if not isinstance(argument, Reference):
        return argument
    found = exports[argument.leg] or {}
    demand(argument.name in found, "NO_OUTPUT")
    return found[argument.name]
