"""Conditions: each of the six kinds holds or fails with its code and path, at the bundle's own position. # A5 A10"""

from __future__ import annotations

import pytest

from sequencer.types.bundle import (
    AccessMode,
    AtLeast,
    Condition,
    Equals,
    HeightWindow,
    InRange,
    NonceIs,
    TimeWindow,
)
from tests.execution_world import ALICE, ALPHA, BALANCE, BOB, GAMMA, World, get_reason, make_leg, set_key, transfer

USD_ALICE = f"balance/USD/{ALICE.hex()}"
FIRST_TIME_MS = 1_000_040


@pytest.mark.parametrize(
    "condition",
    [
        Equals(USD_ALICE, BALANCE),
        Equals("kv/absent", None),
        AtLeast(USD_ALICE, BALANCE),
        AtLeast("kv/absent", 0),
        InRange(USD_ALICE, BALANCE, BALANCE),
        InRange("kv/absent", 0, 0),
        NonceIs(ALICE, 0),
        HeightWindow(1, 1),
        TimeWindow(FIRST_TIME_MS, FIRST_TIME_MS),
    ],
)
def test_true_condition_lets_the_bundle_commit(condition: Condition) -> None:
    """Bounds are inclusive, absent counts as 0."""
    assert get_reason(World(), make_leg(ALPHA, set_key("kv/m"), conditions=(condition,))) == ""


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (Equals(USD_ALICE, BALANCE + 1), "NOT_EQUAL"),
        (Equals(USD_ALICE, b"x"), "NOT_EQUAL"),
        (Equals(USD_ALICE, None), "NOT_EQUAL"),
        (Equals("kv/absent", 1), "NOT_EQUAL"),
        (AtLeast(USD_ALICE, BALANCE + 1), "TOO_LOW"),
        (InRange(USD_ALICE, 0, BALANCE - 1), "OUT_OF_RANGE"),
        (InRange(USD_ALICE, BALANCE + 1, 2**64 - 1), "OUT_OF_RANGE"),
        (InRange(USD_ALICE, 2, 1), "OUT_OF_RANGE"),
        (NonceIs(ALICE, 1), "WRONG_NONCE"),
        (NonceIs(BOB, 0), "NOT_SIGNER"),
        (HeightWindow(2, 9), "OUTSIDE_HEIGHTS"),
        (HeightWindow(0, 0), "OUTSIDE_HEIGHTS"),
        (TimeWindow(0, FIRST_TIME_MS - 1), "OUTSIDE_TIMES"),
        (TimeWindow(FIRST_TIME_MS + 1, 2**63), "OUTSIDE_TIMES"),
    ],
)
def test_false_condition_aborts_with_its_code_and_path(condition: Condition, code: str) -> None:
    """The second condition of the leg is named."""
    leg = make_leg(ALPHA, set_key("kv/m"), conditions=(Equals("kv/m", None), condition))
    world = World()
    assert get_reason(world, leg) == f"NO:alpha:{code}@legs[0].conditions[1]"
    assert world.get(ALPHA, "kv/m") is None


def test_amount_condition_on_bytes_is_not_an_amount() -> None:
    """Comparing bytes with a number is neither true nor an error of ours."""
    world = World()
    world.execute(world.make_bundle(make_leg(GAMMA, set_key("kv/b", b"x"))))
    leg = make_leg(GAMMA, conditions=(AtLeast("kv/b", 0),))
    assert get_reason(world, leg) == "NO:gamma:NOT_AN_AMOUNT@legs[0].conditions[0]"


def test_condition_on_an_undeclared_key_is_refused() -> None:
    """Conditions count as access. # A7"""
    leg = make_leg(GAMMA, conditions=(Equals("kv/b", None),), access=(("kv/a", AccessMode.WRITE),))
    assert get_reason(World(), leg) == "NO:gamma:ACCESS@legs[0].conditions[0]"


def test_nonce_condition_needs_write_access() -> None:
    """It consumes, so reading is not enough. # A6 A7"""
    leg = make_leg(GAMMA, conditions=(NonceIs(ALICE, 0),), access=((f"nonce/{ALICE.hex()}", AccessMode.READ),))
    assert get_reason(World(), leg) == "NO:gamma:ACCESS@legs[0].conditions[0]"


def test_nonce_is_consumed_on_commit_and_untouched_on_abort() -> None:
    """A rollup's own nonce follows the outcome; the payer's sequence does not. # A6"""
    world = World()
    false = make_leg(GAMMA, conditions=(NonceIs(ALICE, 0), AtLeast("kv/absent", 1)))
    true = make_leg(GAMMA, conditions=(NonceIs(ALICE, 0),))
    world.execute(world.make_bundle(false))
    after_abort = world.get(GAMMA, f"nonce/{ALICE.hex()}")
    world.execute(world.make_bundle(true))
    assert (after_abort, world.get(GAMMA, f"nonce/{ALICE.hex()}")) == (None, 1)
    assert world.executor.get_sequence(ALICE, 0) == 2


def test_nonce_is_consumed_at_once_within_the_bundle() -> None:
    """A second leg on the rollup finds the next nonce."""
    legs = [make_leg(GAMMA, conditions=(NonceIs(ALICE, nonce),)) for nonce in (0, 1)]
    world = World()
    assert get_reason(world, *legs) == ""
    assert world.get(GAMMA, f"nonce/{ALICE.hex()}") == 2


def test_condition_sees_earlier_items_of_its_own_block() -> None:
    """It is evaluated at the bundle's position, not on the parent's state. # A8"""
    world = World()
    spend = world.make_bundle(make_leg(ALPHA, transfer(BOB, 1)))
    strict = world.make_bundle(make_leg(ALPHA, conditions=(Equals(USD_ALICE, BALANCE),)))
    assert world.execute(spend, strict).results[1].reason == "NO:alpha:NOT_EQUAL@legs[0].conditions[0]"


def test_explanation_cuts_long_values_short() -> None:
    """4,096 explanations of 1,024-byte values would be a lot of memory."""
    world = World()
    bundle = world.make_bundle(make_leg(GAMMA, conditions=(Equals("kv/a", b"x" * 1_024),)))
    world.execute(bundle)
    (failure,) = world.executor.get_failures(bundle.id)
    assert (failure.expected, failure.found) == ("0x" + "78" * 32 + "…", "null")
