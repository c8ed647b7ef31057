"""The machines: exact amounts, documented outputs, a reason for every revert."""

from __future__ import annotations

import pytest

from sequencer.errors import LocalError
from sequencer.execution.machines import MACHINES, get_machine
from sequencer.execution.machines.access import LegState, Revert, Value
from sequencer.execution.machines.amm import compute_out
from sequencer.state.journal import Journal
from sequencer.state.state_tree import build_tree
from sequencer.types.primitives import StateValue
from tests.execution_world import ALICE, BOB

USD_ALICE, USD_BOB = f"balance/USD/{ALICE.hex()}", f"balance/USD/{BOB.hex()}"
U64 = 2**64 - 1


def make_state(*entries: tuple[str, StateValue]) -> LegState:
    return LegState(Journal(build_tree(entries)), ALICE, None)


def run(machine: str, operation: str, state: LegState, *arguments: Value) -> None:
    MACHINES[machine][operation](state, arguments)


def get_code(machine: str, operation: str, state: LegState, *arguments: Value) -> str:
    with pytest.raises(Revert) as caught:
        run(machine, operation, state, *arguments)
    return caught.value.code


def test_unknown_machine_is_refused_with_the_known_names() -> None:
    """A typing error in a genesis is told."""
    with pytest.raises(LocalError, match="amm, key_value, transfer"):
        get_machine("evm")


def test_every_machine_understands_key_value_operations() -> None:
    """Markers can be written on every rollup."""
    assert all({"set", "delete", "add"} <= set(machine) for machine in MACHINES.values())


def test_transfer_moves_the_amount_and_exports_it() -> None:
    """What one loses the other gains."""
    state = make_state((USD_ALICE, 10), (USD_BOB, 1))
    run("transfer", "transfer", state, "USD", BOB, 7)
    assert dict(state.journal.writes) == {USD_ALICE: 3, USD_BOB: 8}
    assert state.outputs == {"amount": 7}


def test_transfer_to_oneself_changes_nothing() -> None:
    """Debit before credit: no money is made."""
    state = make_state((USD_ALICE, 10))
    run("transfer", "transfer", state, "USD", ALICE, 10)
    assert state.get(USD_ALICE) == 10


def test_transfer_of_the_whole_balance_removes_the_key() -> None:
    """Zero is absent."""
    state = make_state((USD_ALICE, 10))
    run("transfer", "transfer", state, "USD", BOB, 10)
    assert dict(state.journal.writes) == {USD_ALICE: None, USD_BOB: 10}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("USD", BOB, 11), "INSUFFICIENT"),
        (("ETH", BOB, 1), "INSUFFICIENT"),
        (("USD", BOB, 0), "BAD_ARGUMENT"),
        (("USD", BOB, "1"), "BAD_ARGUMENT"),
        (("USD", BOB), "BAD_ARGUMENT"),
        (("USD", BOB, 1, 1), "BAD_ARGUMENT"),
        (("USD", BOB[:31], 1), "BAD_ARGUMENT"),
        (("USD", BOB.hex(), 1), "BAD_ARGUMENT"),
        (("US/D", BOB, 1), "BAD_ARGUMENT"),
        (("", BOB, 1), "BAD_ARGUMENT"),
        ((b"USD", BOB, 1), "BAD_ARGUMENT"),
        ((7, BOB, 1), "BAD_ARGUMENT"),
    ],
)
def test_wrong_transfer_reverts_with_its_code(arguments: tuple[Value, ...], code: str) -> None:
    """Each wrong argument has its reason, none raises anything else."""
    assert get_code("transfer", "transfer", make_state((USD_ALICE, 10)), *arguments) == code


def test_transfer_above_u64_overflows() -> None:
    """Amounts never wrap."""
    state = make_state((USD_ALICE, 10), (USD_BOB, U64))
    assert get_code("transfer", "transfer", state, "USD", BOB, 1) == "OVERFLOW"


def test_balance_that_holds_bytes_is_no_amount() -> None:
    """A strange genesis cannot make a machine raise."""
    assert get_code("transfer", "transfer", make_state((USD_ALICE, b"x")), "USD", BOB, 1) == "NOT_AN_AMOUNT"


def test_burn_and_mint_move_what_is_in_circulation() -> None:
    """A burn takes from the signer and exports what it took; a mint gives to anybody."""
    state = make_state((USD_ALICE, 10))
    run("transfer", "burn", state, "USD", 7)
    run("amm", "mint", state, "USD", BOB, 7)
    assert dict(state.journal.writes) == {USD_ALICE: 3, USD_BOB: 7}
    assert state.outputs == {"amount": 7}


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("burn", ("USD", 11), "INSUFFICIENT"),
        ("burn", ("USD", 0), "BAD_ARGUMENT"),
        ("burn", ("USD", BOB, 1), "BAD_ARGUMENT"),
        ("mint", ("USD", BOB, 0), "BAD_ARGUMENT"),
        ("mint", ("USD", BOB[1:], 1), "BAD_ARGUMENT"),
        ("mint", ("US-D", BOB, 1), "BAD_ARGUMENT"),
        ("mint", ("USD", 1), "BAD_ARGUMENT"),
        ("mint", ("ETH", BOB, 1), "OVERFLOW"),
        ("read_balance", ("USD",), "BAD_ARGUMENT"),
        ("read_balance", ("USD", "alice"), "BAD_ARGUMENT"),
    ],
)
def test_wrong_burn_mint_or_read_reverts_with_its_code(operation: str, arguments: tuple[Value, ...], code: str) -> None:
    """Each wrong argument has its reason."""
    state = make_state((USD_ALICE, 10), (f"balance/ETH/{BOB.hex()}", U64))
    assert get_code("transfer", operation, state, *arguments) == code
    assert dict(state.journal.writes) == {}


def test_balances_and_amounts_are_read_without_a_write() -> None:
    """Absent is 0; any address and any key may be read."""
    state = make_state((USD_BOB, 10), ("pool/ETH-USD/ETH", 5))
    found = []
    for address in (BOB, ALICE):
        run("transfer", "read_balance", state, "USD", address)
        found.append(state.outputs["balance"])
    for key in ("pool/ETH-USD/ETH", "kv/absent"):
        run("key_value", "read", state, key)
        found.append(state.outputs["value"])
    assert found == [10, 0, 5, 0]
    assert dict(state.journal.writes) == {}


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("require_at_least", (10, 4, 6)),
        ("require_at_least", (0, 0)),
        ("require_at_most", (10, 4, 6)),
        ("require_at_most", (U64, *[1] * 7)),
        ("require_equal", (7, 7)),
    ],
)
def test_guard_that_holds_changes_and_exports_nothing(operation: str, arguments: tuple[Value, ...]) -> None:
    """The bound itself is allowed."""
    state = make_state()
    run("key_value", operation, state, *arguments)
    assert (dict(state.journal.writes), state.outputs) == ({}, {})


@pytest.mark.parametrize(
    ("operation", "arguments", "expected"),
    [
        ("require_at_least", (10, 4, 5), ("BELOW_MINIMUM", "a sum of at least 10", "9")),
        ("require_at_most", (10, 4, 7), ("ABOVE_MAXIMUM", "a sum of at most 10", "11")),
        ("require_at_most", (U64, U64, 1), ("ABOVE_MAXIMUM", f"a sum of at most {U64}", str(U64 + 1))),
        ("require_equal", (7, 8), ("VALUES_DIFFER", "7", "8")),
        ("require_at_least", (10,), ("BAD_ARGUMENT", "a bound and at least one value", "1 arguments")),
        ("require_at_most", (10, b"4"), ("BAD_ARGUMENT", "argument 1 is int", "bytes")),
        ("require_equal", (7, 7, 7), ("BAD_ARGUMENT", "2 arguments", "3")),
        ("read", ("kv/bytes",), ("NOT_AN_AMOUNT", "kv/bytes holds an amount", "bytes")),
        ("read", (1,), ("BAD_ARGUMENT", "argument 0 is str", "int")),
    ],
)
def test_guard_that_fails_says_what_it_expected_and_found(
    operation: str, arguments: tuple[Value, ...], expected: tuple[str, str, str]
) -> None:
    """Sums are exact, beyond u64 too."""
    with pytest.raises(Revert) as caught:
        run("transfer", operation, make_state(("kv/bytes", b"x")), *arguments)
    assert (caught.value.code, caught.value.expected, caught.value.found) == expected


def test_read_of_what_is_no_key_reverts() -> None:
    """No text can raise anything else."""
    assert get_code("amm", "read", make_state(), "kv/ö") == "BAD_KEY"


def make_pool(balance: int = 10_000) -> LegState:
    pool: tuple[tuple[str, StateValue], ...] = (("pool/ETH-USD/ETH", 1_000), ("pool/ETH-USD/USD", 4_000_000))
    return make_state((USD_ALICE, balance), *pool)


def test_swap_gives_what_the_formula_says() -> None:
    """fee 30, net 9970, out = 1000 * 9970 // 4009970 = 2."""
    state = make_pool()
    run("amm", "swap", state, "USD", "ETH", 10_000, 2)
    assert state.outputs == {"out": 2}
    assert (state.get("pool/ETH-USD/USD"), state.get("pool/ETH-USD/ETH")) == (4_010_000, 998)
    assert (state.get(USD_ALICE), state.get(f"balance/ETH/{ALICE.hex()}")) == (None, 2)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("USD", "ETH", 10_000, 3), "SLIPPAGE"),
        (("USD", "ETH", 1, 0), "SLIPPAGE"),
        (("USD", "ETH", 10_001, 0), "INSUFFICIENT"),
        (("USD", "DOT", 1, 0), "NO_POOL"),
        (("USD", "USD", 1, 0), "BAD_ARGUMENT"),
        (("USD", "ETH", 0, 0), "BAD_ARGUMENT"),
        (("USD", "ETH", 1, b"0"), "BAD_ARGUMENT"),
        (("USD", "ETH", 1), "BAD_ARGUMENT"),
        ((1, "ETH", 1, 0), "BAD_ARGUMENT"),
    ],
)
def test_wrong_swap_reverts_with_its_code(arguments: tuple[Value, ...], code: str) -> None:
    """Each reason is its own."""
    assert get_code("amm", "swap", make_pool(), *arguments) == code


@pytest.mark.parametrize("amount_in", [1, 333, 334, 10**6, U64])
@pytest.mark.parametrize("reserves", [(1, 1), (1, U64), (U64, 1), (U64, U64), (10**6, 3 * 10**9)])
def test_swap_never_lowers_the_product_of_the_reserves(reserves: tuple[int, int], amount_in: int) -> None:
    """Rounding is always in the pool's favour, and the pool is never emptied."""
    reserve_in, reserve_out = reserves
    out = compute_out(reserve_in, reserve_out, amount_in)
    assert 0 <= out < reserve_out
    assert (reserve_in + amount_in) * (reserve_out - out) >= reserve_in * reserve_out


def test_add_liquidity_makes_a_pool() -> None:
    """Both amounts leave the giver and arrive in the reserves."""
    eth = f"balance/ETH/{ALICE.hex()}"
    state = make_state((USD_ALICE, 5), (eth, 5))
    run("amm", "add_liquidity", state, "USD", "ETH", 5, 2)
    assert dict(state.journal.writes) == {
        USD_ALICE: None,
        "pool/ETH-USD/USD": 5,
        eth: 3,
        "pool/ETH-USD/ETH": 2,
    }


def test_set_delete_and_add_work_on_free_keys() -> None:
    """Amounts and bytes are kept, zero and empty delete, add counts from zero."""
    state = make_state(("kv/gone", 1), ("kv/zero", 1))
    run("key_value", "set", state, "kv/text", b"hello")
    run("key_value", "set", state, "kv/zero", 0)
    run("key_value", "delete", state, "kv/gone")
    run("key_value", "delete", state, "kv/never")
    run("key_value", "add", state, "kv/count", 2)
    run("key_value", "add", state, "kv/count", 3)
    assert state.outputs == {"value": 5}
    assert [state.get(f"kv/{name}") for name in ("text", "zero", "gone", "never", "count")] == [
        b"hello",
        *[None] * 3,
        5,
    ]


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("set", ("color", 1), "BAD_KEY"),
        ("set", ("kv/", 1), "BAD_KEY"),
        ("set", ("kv/" + "x" * 126, 1), "BAD_KEY"),
        ("set", ("kv/ö", 1), "BAD_KEY"),
        ("set", (USD_ALICE, 1), "BAD_KEY"),
        ("set", (b"kv/a", 1), "BAD_ARGUMENT"),
        ("set", ("kv/a", "text"), "BAD_ARGUMENT"),
        ("set", ("kv/a",), "BAD_ARGUMENT"),
        ("delete", (), "BAD_ARGUMENT"),
        ("add", ("kv/a", b"1"), "BAD_ARGUMENT"),
        ("add", ("kv/bytes", 1), "NOT_AN_AMOUNT"),
        ("add", ("kv/full", 1), "OVERFLOW"),
    ],
)
def test_wrong_key_value_operation_reverts_with_its_code(
    operation: str, arguments: tuple[Value, ...], code: str
) -> None:
    """Nothing outside kv/ can be written, and no argument raises."""
    state = make_state(("kv/bytes", b"x"), ("kv/full", U64))
    assert get_code("key_value", operation, state, *arguments) == code
    assert dict(state.journal.writes) == {}
