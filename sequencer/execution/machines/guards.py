"""Read values and demand something of them: conditions over several rollups. # A15

read(key)                          exports `value`: the amount under any key, 0 if absent
require_at_least(minimum, v, …)    the sum of 1..7 values is at least `minimum`
require_at_most(maximum, v, …)     the sum of 1..7 values is at most `maximum`
require_equal(a, b)
Values may be references to what legs on other rollups exported, so one leg can demand something of all of them
together, a sum of balances say. Nothing here writes.
"""

from __future__ import annotations

from sequencer.errors import DecodeError
from sequencer.execution.machines.access import LegState, Revert, Value
from sequencer.execution.machines.arguments import expect_count, take
from sequencer.types.bundle import read_key


def read(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Export the amount that a key holds."""
    expect_count(arguments, 1)
    key = take(arguments, 0, str)
    try:
        read_key(key, "key")
    except DecodeError as error:
        raise Revert("BAD_KEY", error.reason, repr(key)) from None
    state.outputs["value"] = state.get_amount(key)


def require_at_least(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Revert BELOW_MINIMUM if the values add up to less than the first argument."""
    minimum, total = _take_bound_and_sum(arguments)
    if total < minimum:
        raise Revert("BELOW_MINIMUM", f"a sum of at least {minimum}", str(total))


def require_at_most(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Revert ABOVE_MAXIMUM if the values add up to more than the first argument."""
    maximum, total = _take_bound_and_sum(arguments)
    if total > maximum:
        raise Revert("ABOVE_MAXIMUM", f"a sum of at most {maximum}", str(total))


def require_equal(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Revert VALUES_DIFFER unless both are the same amount."""
    expect_count(arguments, 2)
    first, second = take(arguments, 0, int), take(arguments, 1, int)
    if first != second:
        raise Revert("VALUES_DIFFER", str(first), str(second))


def _take_bound_and_sum(arguments: tuple[Value, ...]) -> tuple[int, int]:
    """Return the first argument and the exact sum of the others, of which there must be one."""
    if len(arguments) < 2:
        raise Revert("BAD_ARGUMENT", "a bound and at least one value", f"{len(arguments)} arguments")
    bound, *values = (take(arguments, index, int) for index in range(len(arguments)))
    return bound, sum(values)


OPERATIONS = {
    "read": read,
    "require_at_least": require_at_least,
    "require_at_most": require_at_most,
    "require_equal": require_equal,
}
