"""Trade against constant-product pools.

swap(asset_in, asset_out, amount_in, min_out)      exports `out`
add_liquidity(asset_a, asset_b, amount_a, amount_b)

fee = ⌊amount_in · 30 / 10000⌋; net = amount_in - fee; out = ⌊reserve_out · net / (reserve_in + net)⌋.
Products are exact; the product of the reserves never falls.
A pool of assets a < b keeps its reserves under pool/<a>-<b>/<asset>. Liquidity is given, not lent:
this machine issues no shares.
"""

from __future__ import annotations

from sequencer.execution.machines.access import LegState, Revert, Value
from sequencer.execution.machines.arguments import expect_count, take, take_amount, take_asset
from sequencer.execution.machines.transfer import credit, debit

FEE_BASIS_POINTS = 30
BASIS = 10_000


def make_reserve_key(asset: str, other: str) -> str:
    """Return the key of the reserve of `asset` in its pool with `other`."""
    low, high = sorted((asset, other))
    return f"pool/{low}-{high}/{asset}"


def compute_out(reserve_in: int, reserve_out: int, amount_in: int) -> int:
    """Return what a pool gives for `amount_in`; always below `reserve_out`."""
    net = amount_in - amount_in * FEE_BASIS_POINTS // BASIS
    return reserve_out * net // (reserve_in + net)


def swap(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Give `amount_in` to the pool and take what the formula says; reverts SLIPPAGE below `min_out`."""
    expect_count(arguments, 4)
    asset_in, asset_out = _take_pair(arguments)
    amount_in, min_out = take_amount(arguments, 2), take(arguments, 3, int)
    key_in, key_out = make_reserve_key(asset_in, asset_out), make_reserve_key(asset_out, asset_in)
    reserve_in, reserve_out = state.get_amount(key_in), state.get_amount(key_out)
    if reserve_in == 0 or reserve_out == 0:
        raise Revert("NO_POOL", f"reserves under {key_in} and {key_out}", f"{reserve_in} and {reserve_out}")
    out = compute_out(reserve_in, reserve_out, amount_in)
    if out < max(min_out, 1):
        raise Revert("SLIPPAGE", f"out at least {max(min_out, 1)}", str(out))
    debit(state, asset_in, amount_in)
    state.set(key_in, reserve_in + amount_in)
    state.set(key_out, reserve_out - out)
    credit(state, asset_out, state.signer, out)
    state.outputs["out"] = out


def add_liquidity(state: LegState, arguments: tuple[Value, ...]) -> None:
    """Give both amounts to the pool, which comes into being with the first."""
    expect_count(arguments, 4)
    asset_a, asset_b = _take_pair(arguments)
    amount_a, amount_b = take_amount(arguments, 2), take_amount(arguments, 3)
    for asset, other, amount in ((asset_a, asset_b, amount_a), (asset_b, asset_a, amount_b)):
        debit(state, asset, amount)
        key = make_reserve_key(asset, other)
        state.set(key, state.get_amount(key) + amount)


def _take_pair(arguments: tuple[Value, ...]) -> tuple[str, str]:
    first, second = take_asset(arguments, 0), take_asset(arguments, 1)
    if first == second:
        raise Revert("BAD_ARGUMENT", "two different assets", repr(first))
    return first, second


OPERATIONS = {"add_liquidity": add_liquidity, "swap": swap}
