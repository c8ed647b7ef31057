"""Move balances of several assets between addresses.

transfer(asset, to, amount)     from the leg's signer; exports `amount`
burn(asset, amount)             from the leg's signer; exports `amount`
mint(asset, to, amount)
read_balance(asset, address)    exports `balance`, 0 if there is none
`mint` needs no check here: a bundle in which burns and mints do not match is inadmissible. # A20
"""

from __future__ import annotations

from sequencer.execution.machines.access import LegState, Revert, Value
from sequencer.execution.machines.arguments import expect_count, take_address, take_amount, take_asset
from sequencer.types.primitives import Address


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
    asset, to, amount = take_asset(arguments, 0), take_address(arguments, 1), take_amount(arguments, 2)
    debit(state, asset, amount)
    credit(state, asset, to, amount)
    state.outputs["amount"] = amount


def burn(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Destroy an amount of at least 1, which the same bundle makes elsewhere. # A20"""
    expect_count(arguments, 2)
    asset, amount = take_asset(arguments, 0), take_amount(arguments, 1)
    debit(state, asset, amount)
    state.outputs["amount"] = amount


def mint(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Make an amount of at least 1, which the same bundle destroys elsewhere. # A20"""
    expect_count(arguments, 3)
    asset, to, amount = take_asset(arguments, 0), take_address(arguments, 1), take_amount(arguments, 2)
    credit(state, asset, to, amount)


def read_balance(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Export what an address holds."""
    expect_count(arguments, 2)
    asset, address = take_asset(arguments, 0), take_address(arguments, 1)
    state.outputs["balance"] = state.get_amount(make_balance_key(asset, address))


OPERATIONS = {"burn": burn, "mint": mint, "read_balance": read_balance, "transfer": transfer}
