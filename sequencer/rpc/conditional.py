"""Read conditions as ERC-7796 writes them (`knownAccounts`, block and time bounds) into those of a leg.

What they demand at admission there, they demand at the bundle's own position here (A10). Fields that
nothing here can keep are refused by their name: nobody is left to believe that they hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sequencer.codec import U64_MAX
from sequencer.errors import DecodeError
from sequencer.execution.conditions import make_nonce_key
from sequencer.rpc.errors import ConditionLimitError
from sequencer.rpc.json_values import Members, read_amount, read_hex, read_number
from sequencer.types import bundle as bundles
from sequencer.types.bundle import Condition, Equals, HeightWindow, TimeWindow
from sequencer.types.primitives import Address, StateValue

MS_PER_SECOND = 1_000

_REFUSED_ACCOUNT = {
    "code": "accounts have no code here",
    "codeHash": "accounts have no code here",
    "storageRoot": "an account has no storage of its own here; name its keys",
}
_REFUSED = {"paysCoinbase": "no fee goes to a proposer here"}
_QUANTITY_DIGITS_MAX = 16


def read_conditional(value: object, path: str) -> tuple[Condition, ...]:
    """Return the conditions in order: accounts as they stand there, then heights, then times.

    Raises `DecodeError` naming a field that is wrong or cannot be kept, `ConditionLimitError` beyond 64.
    """
    read = Members(value, path)
    _refuse(read, _REFUSED)
    conditions = list(_read_accounts(read))
    heights = _read_bounds(read, "blockNumberMin", "blockNumberMax", U64_MAX)
    if heights is not None:
        conditions.append(HeightWindow(*heights))
    seconds = _read_bounds(read, "timestampMin", "timestampMax", U64_MAX // MS_PER_SECOND - 1)
    if seconds is not None:
        conditions.append(TimeWindow(seconds[0] * MS_PER_SECOND, seconds[1] * MS_PER_SECOND + MS_PER_SECOND - 1))
    read.finish()
    verify_count(len(conditions), path)
    return tuple(conditions)


def verify_count(count: int, path: str) -> None:
    """Raise `ConditionLimitError` if a leg would have more conditions than it may."""
    if count > bundles.CONDITIONS_PER_LEG_MAX:
        raise ConditionLimitError(path, f"gives {count} conditions, a leg has at most {bundles.CONDITIONS_PER_LEG_MAX}")


def _refuse(read: Members, fields: Mapping[str, str]) -> None:
    for name, why in fields.items():
        if read.has(name):
            raise DecodeError(read.path(name), f"cannot be kept: {why}")


def _read_accounts(read: Members) -> Iterator[Condition]:
    if not read.has("knownAccounts"):
        return
    path, accounts = read.path("knownAccounts"), read.take("knownAccounts")
    if not isinstance(accounts, dict):
        raise DecodeError(path, "must be an object of address → state")
    verify_count(len(accounts), path)
    for name, state in accounts.items():
        yield from _read_account(read_hex(name, f"{path}.{name[:80]}", 32, 32), state, f"{path}.{name}")


def _read_account(address: Address, state: object, path: str) -> Iterator[Condition]:
    if isinstance(state, str):
        raise DecodeError(path, f"a storage root cannot be kept: {_REFUSED_ACCOUNT['storageRoot']}")
    if not isinstance(state, dict):
        raise DecodeError(path, "must be an object of slots, or of balance and nonce")
    _refuse(Members(state, path), _REFUSED_ACCOUNT)
    verify_count(len(state), path)
    for name, value in state.items():
        at = f"{path}.{name[:128]}"
        if name == "balance":
            yield from _read_balances(address, value, at)
        elif name == "nonce":
            yield Equals(make_nonce_key(address), _read_quantity(value, at) or None)
        else:
            yield Equals(bundles.read_key(name, at), _read_slot(value, at))


def _read_balances(address: Address, value: object, path: str) -> Iterator[Condition]:
    """A balance is one of many assets here, so it names them."""
    if not isinstance(value, dict):
        raise DecodeError(path, "must be an object of asset → amount: there is no native asset here")
    verify_count(len(value), path)
    for asset, amount in value.items():
        key = bundles.read_key(f"balance/{asset}/{address.hex()}", f"{path}.{asset[:80]}")
        yield Equals(key, _read_quantity(amount, f"{path}.{asset}") or None)


def _read_slot(value: object, path: str) -> StateValue | None:
    """Read decimal text as an amount, 0x… as bytes; null, zero, no bytes and 32 zero bytes mean absent."""
    if value is None:
        return None
    if type(value) is str and value.startswith("0x"):
        data = read_hex(value, path, bundles.VALUE_BYTES_MAX)
        return data if data not in (b"", bytes(32)) else None
    return read_amount(value, path) or None


def _read_quantity(value: object, path: str) -> int:
    """Read a number, decimal text, or hex as Ethereum writes quantities."""
    if type(value) is str and value.startswith("0x"):
        digits = value[2:]
        if not 1 <= len(digits) <= _QUANTITY_DIGITS_MAX or digits.strip("0123456789abcdefABCDEF"):
            raise DecodeError(path, f"must be 0x and 1..{_QUANTITY_DIGITS_MAX} hex digits")
        return int(digits, 16)
    return read_amount(value, path) if isinstance(value, str) else read_number(value, path)


def _read_bounds(read: Members, low_name: str, high_name: str, largest: int) -> tuple[int, int] | None:
    """Return (low, high) with what is missing filled in; None if both are."""
    low, high = read.optional(low_name, _read_quantity), read.optional(high_name, _read_quantity)
    for name, bound in ((low_name, low), (high_name, high)):
        if bound is not None and bound > largest:
            raise DecodeError(read.path(name), f"must be at most {largest}")
    if low is None and high is None:
        return None
    return low or 0, largest if high is None else high
