"""Read an operation's arguments, or revert with what is wrong."""

from __future__ import annotations

import re
from typing import TypeVar

from sequencer.codec import U64_MAX
from sequencer.execution.machines.access import Revert, Value
from sequencer.types.primitives import Address

ADDRESS_BYTES = 32

_T = TypeVar("_T", int, str, bytes)
_ASSET = re.compile(r"[A-Za-z0-9]{1,16}\Z")


def take(arguments: tuple[Value, ...], index: int, kind: type[_T]) -> _T:
    """Return the argument at `index`; reverts BAD_ARGUMENT if it is missing or no `kind`."""
    value = arguments[index] if index < len(arguments) else None
    if type(value) is not kind:
        raise Revert("BAD_ARGUMENT", f"argument {index} is {kind.__name__}", type(value).__name__)
    return value


def expect_count(arguments: tuple[Value, ...], count: int) -> None:
    """Revert BAD_ARGUMENT unless there are exactly `count` arguments."""
    if len(arguments) != count:
        raise Revert("BAD_ARGUMENT", f"{count} arguments", str(len(arguments)))


def take_asset(arguments: tuple[Value, ...], index: int) -> str:
    """Return the argument as the name of an asset: 1..16 letters and digits."""
    asset = take(arguments, index, str)
    if not _ASSET.match(asset):
        raise Revert("BAD_ARGUMENT", "an asset of 1..16 letters and digits", repr(asset))
    return asset


def take_address(arguments: tuple[Value, ...], index: int) -> Address:
    """Return the argument as an address: 32 bytes."""
    address = take(arguments, index, bytes)
    if len(address) != ADDRESS_BYTES:
        raise Revert("BAD_ARGUMENT", "an address of 32 bytes", f"{len(address)} bytes")
    return address


def take_amount(arguments: tuple[Value, ...], index: int) -> int:
    """Return the argument as an amount of 1..2^64-1."""
    amount = take(arguments, index, int)
    if not 1 <= amount <= U64_MAX:
        raise Revert("BAD_ARGUMENT", f"an amount of 1..{U64_MAX}", str(amount))
    return amount
