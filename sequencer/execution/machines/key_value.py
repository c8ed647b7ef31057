"""Set, delete and add under kv/: the operations that every machine understands.

set(key, value)       value: an amount or bytes; 0 and empty delete
delete(key)           an absent key stays absent
add(key, amount)      exports `value`, the new amount
Keys are given whole, as kv/color. Nobody owns a key: any signer may write it.
"""

from __future__ import annotations

from sequencer.errors import DecodeError
from sequencer.execution.machines.access import LegState, Revert, Value
from sequencer.execution.machines.arguments import expect_count, take
from sequencer.types.bundle import read_key

PREFIX = "kv/"


def set_value(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Make the key hold the value."""
    expect_count(arguments, 2)
    key, value = _take_key(arguments), arguments[1]
    if isinstance(value, str):
        raise Revert("BAD_ARGUMENT", "argument 1 is int or bytes", "str")
    state.set(key, value)


def delete(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Make the key absent."""
    expect_count(arguments, 1)
    state.set(_take_key(arguments), None)


def add(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Add to the amount that the key holds."""
    expect_count(arguments, 2)
    key, amount = _take_key(arguments), take(arguments, 1, int)
    total = state.get_amount(key) + amount
    state.set(key, total)
    state.outputs["value"] = total


def _take_key(arguments: tuple[Value, ...]) -> str:
    key = take(arguments, 0, str)
    try:
        read_key(key, "key")
    except DecodeError as error:
        raise Revert("BAD_KEY", error.reason, repr(key)) from None
    if not key.startswith(PREFIX) or key == PREFIX:
        raise Revert("BAD_KEY", "a key under kv/", repr(key))
    return key


OPERATIONS = {"add": add, "delete": delete, "set": set_value}
