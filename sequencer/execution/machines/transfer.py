"""Move balances of several assets between addresses.

transfer(asset, to, amount)     from the leg's signer; exports `amount`
"""

from __future__ import annotations

from sequencer.execution.machines.access import LegState, Revert, Value
from sequencer.execution.machines.arguments import expect_count, take, take_amount, take_asset
from sequencer.types.primitives import Address

ADDRESS_BYTES = 32


def make_balance_key(asset: str, address: Address) -> str:
    """Return balance/<asset>/<hex address>."""
    return f"balance/{asset}/{address.hex()}"


def debit(state: LegState, asset: str, amount: int) -> None:
    """Take from the signer's balance; reverts INSUFFICIENT."""
    key = make_balance_key(asset, state.signer)
    balance = state.get_amount(key)
    if balance < amount:
        raise Revert("INSUFFICIENT", f"{key} at least {amount}", str(balance))
    state.set(key, balance - amount)


def credit(state: LegState, asset: str, to: Address, amount: int) -> None:
    """Add to a balance; reverts OVERFLOW above u64."""
    key = make_balance_key(asset, to)
    state.set(key, state.get_amount(key) + amount)


def transfer(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Move an amount of at least 1."""
    expect_count(arguments, 3)
    asset, to, amount = take_asset(arguments, 0), take(arguments, 1, bytes), take_amount(arguments, 2)
    if len(to) != ADDRESS_BYTES:
        raise Revert("BAD_ARGUMENT", "an address of 32 bytes", f"{len(to)} bytes")
    debit(state, asset, amount)
    credit(state, asset, to, amount)
    state.outputs["amount"] = amount


OPERATIONS = {"transfer": transfer}
