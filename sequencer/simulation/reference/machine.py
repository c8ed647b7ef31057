"""Run conditions and operations on plain dicts, every access checked. # A5 A7 A10 A19 A20

Written from the tables of `specs/atomicity.md`. A refusal is an exception that carries its code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sequencer.codec import U64_MAX
from sequencer.errors import DecodeError
from sequencer.types.bundle import (
    AccessMode,
    AtLeast,
    Condition,
    Equals,
    HeightWindow,
    InRange,
    Leg,
    NonceIs,
    TimeWindow,
    read_key,
)
from sequencer.types.message import CrossMessage
from sequencer.types.primitives import Address, Digest, Height, RollupId, StateValue

State: TypeAlias = dict[str, StateValue]
Exports: TypeAlias = dict[str, int]

OUTBOX = "outbox/"
"""Keys of messages that wait; no leg may touch them. # A19"""
SENDS_PER_LEG_MAX = 16
_KINDS: Mapping[str, tuple[type, ...]] = {"i": (int,), "b": (bytes,), "v": (int, bytes)}
BALANCE_MACHINES = ("transfer", "amm")
"""Machines whose rollups can receive a message."""


class Place(NamedTuple):
    """The block that has an item: what conditions on height and time look at. # A10"""

    height: Height
    time_ms: int


class No(Exception):
    """A rollup refuses; the text is the code."""


class View:
    """One leg's access to one rollup's trial state. # A7"""

    def __init__(self, state: State, leg: Leg, bundle_id: Digest, index: int, machines: Mapping[RollupId, str]) -> None:
        self.state = state
        self.rollup = leg.rollup
        self.signer = leg.signer
        self.machines = machines
        self.exports: Exports = {}
        self.operation = 0
        """Index of the one that runs."""
        self._declared = None if leg.access is None else dict(leg.access)
        self._bundle_id = bundle_id
        self._index = index
        self._sent = 0

    def read(self, key: str) -> StateValue:
        if key.startswith(OUTBOX) or (self._declared is not None and key not in self._declared):
            raise No("ACCESS")
        return self.state.get(key, 0)

    def amount(self, key: str) -> int:
        value = self.read(key)
        if isinstance(value, bytes):
            raise No("NOT_AN_AMOUNT")
        return value

    def write(self, key: str, value: StateValue) -> None:
        if key.startswith(OUTBOX) or (self._declared is not None and self._declared.get(key) != AccessMode.WRITE):
            raise No("ACCESS")
        if isinstance(value, int) and value > U64_MAX:
            raise No("OVERFLOW")
        if value:
            self.state[key] = value
        else:
            self.state.pop(key, None)

    def send(self, destination: RollupId, asset: str, to: Address, amount: int) -> None:
        """Put a message into the outbox, which no declaration covers: nothing can read it. # A19"""
        self._sent += 1
        demand(self._sent <= SENDS_PER_LEG_MAX, "TOO_MANY_MESSAGES")
        place = (self._bundle_id, self._index, self.operation)
        message = CrossMessage(self.rollup, destination, asset, self.signer, to, amount, *place)
        self.state[OUTBOX + message.id.hex()] = message.to_bytes()


def meets(condition: Condition, view: View, place: Place) -> None:
    """Raise `No` unless the condition holds. # A5 A10"""
    if isinstance(condition, Equals):
        demand((view.read(condition.key) or None) == condition.value, "NOT_EQUAL")
    elif isinstance(condition, AtLeast):
        demand(view.amount(condition.key) >= condition.low, "TOO_LOW")
    elif isinstance(condition, InRange):
        demand(condition.low <= view.amount(condition.key) <= condition.high, "OUT_OF_RANGE")
    elif isinstance(condition, HeightWindow):
        demand(condition.low <= place.height <= condition.high, "OUTSIDE_HEIGHTS")
    elif isinstance(condition, TimeWindow):
        demand(condition.low_ms <= place.time_ms <= condition.high_ms, "OUTSIDE_TIMES")
    elif isinstance(condition, NonceIs):
        demand(condition.account == view.signer, "NOT_SIGNER")
        key = "nonce/" + condition.account.hex()
        demand(view.amount(key) == condition.nonce, "WRONG_NONCE")
        view.write(key, condition.nonce + 1)


def demand(holds: bool, code: str) -> None:
    """Raise `No` with the code unless it holds."""
    if not holds:
        raise No(code)


def shape(view: View, arguments: Sequence[object], pattern: str) -> None:
    """Demand one argument per letter: b bytes, i integer, v integer or bytes, a asset, p positive, r key, k kv key,
    d another rollup that has balances.

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
        elif letter == "d":
            demand(isinstance(value, int), "BAD_ARGUMENT")
            others = [r for r, machine in view.machines.items() if machine in BALANCE_MACHINES and r != view.rollup]
            demand(value in others, "BAD_DESTINATION")
        elif letter == "p":
            demand(isinstance(value, int) and value > 0, "BAD_ARGUMENT")
        else:
            demand(isinstance(value, _KINDS[letter]), "BAD_ARGUMENT")


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


def _run_send(view: View, destination: RollupId, asset: str, to: Address, amount: int) -> None:
    demand(len(to) == 32, "BAD_ARGUMENT")
    pay(view, asset, amount)
    view.send(destination, asset, to, amount)
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
    "send": (_run_send, "dabp"),
}
_AMM: _Operations = {**_TRANSFER, "swap": (_run_swap, "aapi"), "add_liquidity": (_run_add_liquidity, "aapp")}
OPERATIONS: Mapping[str, _Operations] = {
    "key_value": _KEY_VALUE,
    "transfer": _TRANSFER,
    "amm": _AMM,
}
