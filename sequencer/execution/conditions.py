"""Decide whether a condition holds at a bundle's own position. # A5 A10

Six kinds, each with the code that it fails with. `NonceIs` also consumes: within the bundle at
once, in the state only if the bundle commits. # A6
"""

from __future__ import annotations

from typing import NamedTuple

from sequencer.execution.machines.access import LegState, Revert
from sequencer.types.bundle import AtLeast, Condition, Equals, HeightWindow, InRange, NonceIs, TimeWindow
from sequencer.types.primitives import Address, Height, StateValue

SHOWN_BYTES_MAX = 32
"""Bytes of a value that an explanation shows."""


class BlockContext(NamedTuple):
    """The block that includes the bundle. # A10"""

    height: Height
    time_ms: int


def make_nonce_key(account: Address) -> str:
    """Return nonce/<hex account>."""
    return f"nonce/{account.hex()}"


def check_condition(condition: Condition, state: LegState, block: BlockContext) -> None:
    """Return if the condition holds; raises `Revert` with its code if not."""
    match condition:
        case Equals(key, value):
            _check_equals(state.get(key), value)
        case AtLeast(key, low):
            _check_at_least(state.get_amount(key), low)
        case InRange(key, low, high):
            _check_within("OUT_OF_RANGE", state.get_amount(key), low, high)
        case NonceIs(account, nonce):
            _consume_nonce(state, account, nonce)
        case HeightWindow(low, high):
            _check_within("OUTSIDE_HEIGHTS", block.height, low, high)
        case TimeWindow(low_ms, high_ms):
            _check_within("OUTSIDE_TIMES", block.time_ms, low_ms, high_ms)


def _check_equals(found: StateValue | None, value: StateValue | None) -> None:
    if found != value:
        raise Revert("NOT_EQUAL", _show(value), _show(found))


def _check_at_least(found: int, low: int) -> None:
    if found < low:
        raise Revert("TOO_LOW", f"at least {low}", str(found))


def _check_within(code: str, found: int, low: int, high: int) -> None:
    if not low <= found <= high:
        raise Revert(code, f"{low}..{high}", str(found))


def _consume_nonce(state: LegState, account: Address, nonce: int) -> None:
    """Only the leg's signer can consume a nonce: else anybody could spoil another's. # A6"""
    if account != state.signer:
        raise Revert("NOT_SIGNER", f"the leg's signer {state.signer.hex()}", account.hex())
    key = make_nonce_key(account)
    found = state.get_amount(key)
    if found != nonce:
        raise Revert("WRONG_NONCE", str(nonce), str(found))
    state.set(key, nonce + 1)


def _show(value: StateValue | None) -> str:
    """Write a value as JSON does (decimal, 0x-hex, null), long bytes cut short: explanations are kept in memory."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    return f"0x{value[:SHOWN_BYTES_MAX].hex()}" + ("…" if len(value) > SHOWN_BYTES_MAX else "")
