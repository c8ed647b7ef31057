"""ERC-7796's fields become conditions of a leg, or are refused by their name."""

from __future__ import annotations

from typing import Any

import pytest

from sequencer.codec import U64_MAX
from sequencer.errors import DecodeError
from sequencer.rpc.conditional import read_conditional
from sequencer.rpc.errors import ConditionLimitError
from sequencer.rpc.forms import make_rollup_reader, read_leg
from sequencer.types.bundle import Condition, Equals, HeightWindow, TimeWindow
from tests.integration.rpc.chain import make_genesis

BOB = bytes(31) + b"\x0b"
NAME = "0x" + BOB.hex()


@pytest.mark.parametrize(
    ("fields", "conditions"),
    [
        ({}, ()),
        ({"knownAccounts": {NAME: {"kv/color": "0x626c7565"}}}, (Equals("kv/color", b"blue"),)),
        ({"knownAccounts": {NAME: {"kv/count": "7"}}}, (Equals("kv/count", 7),)),
        ({"knownAccounts": {NAME: {"kv/a": "0x" + "00" * 32}}}, (Equals("kv/a", None),)),
        ({"knownAccounts": {NAME: {"kv/a": None}}}, (Equals("kv/a", None),)),
        ({"knownAccounts": {NAME: {"balance": {"gold": "0x3e8"}}}}, (Equals(f"balance/gold/{BOB.hex()}", 1_000),)),
        ({"knownAccounts": {NAME: {"balance": {"gold": 0}}}}, (Equals(f"balance/gold/{BOB.hex()}", None),)),
        ({"knownAccounts": {NAME: {"nonce": "0x2"}}}, (Equals(f"nonce/{BOB.hex()}", 2),)),
        ({"blockNumberMin": "0x10", "blockNumberMax": 20}, (HeightWindow(16, 20),)),
        ({"blockNumberMin": 5}, (HeightWindow(5, U64_MAX),)),
        ({"timestampMax": "2"}, (TimeWindow(0, 2_999),)),
        ({"timestampMin": 1, "timestampMax": "0x2"}, (TimeWindow(1_000, 2_999),)),
    ],
    ids=str,
)
def test_field_becomes_condition(fields: dict[str, Any], conditions: tuple[Condition, ...]) -> None:
    """One row of the table in `specs/rpc.md` each."""
    assert read_conditional(fields, "conditional") == conditions


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"paysCoinbase": True}, "c.paysCoinbase"),
        ({"knownAccounts": {NAME: "0x" + "11" * 32}}, f"c.knownAccounts.{NAME}"),
        ({"knownAccounts": {NAME: {"code": "0x60"}}}, f"c.knownAccounts.{NAME}.code"),
        ({"knownAccounts": {NAME: {"storageRoot": "0x60"}}}, f"c.knownAccounts.{NAME}.storageRoot"),
        ({"knownAccounts": {NAME: {"balance": "0x64"}}}, f"c.knownAccounts.{NAME}.balance"),
        ({"knownAccounts": {NAME: {"a b": "1"}}}, f"c.knownAccounts.{NAME}.a b"),
        ({"knownAccounts": {"0x12": {}}}, "c.knownAccounts.0x12"),
        ({"knownAccounts": []}, "c.knownAccounts"),
        ({"blockNumberMin": "0x"}, "c.blockNumberMin"),
        ({"timestampMin": 2**63}, "c.timestampMin"),
        ({"gasMax": 1}, "c.gasMax"),
    ],
)
def test_field_that_cannot_be_kept_is_refused_by_its_name(fields: dict[str, Any], path: str) -> None:
    """Nobody is left to believe that it holds."""
    with pytest.raises(DecodeError) as caught:
        read_conditional(fields, "c")
    assert caught.value.path == path


def test_more_conditions_than_a_leg_has_are_a_limit() -> None:
    """64 slots pass, one more is told as a limit."""
    slots = {f"kv/{number}": "1" for number in range(65)}
    assert len(read_conditional({"knownAccounts": {NAME: dict(list(slots.items())[:64])}}, "c")) == 64
    with pytest.raises(ConditionLimitError):
        read_conditional({"knownAccounts": {NAME: slots}}, "c")


def test_conditional_follows_the_conditions_of_its_leg() -> None:
    """Own conditions keep their index, so that paths in reasons stay right."""
    leg = {
        "rollup": "alpha",
        "signer": NAME,
        "conditions": [{"kind": "height_window", "low": 1, "high": 2}],
        "conditional": {"blockNumberMax": 9},
        "operations": [],
        "access": None,
    }
    read = read_leg(leg, "$", make_rollup_reader(make_genesis()))
    assert read.conditions == (HeightWindow(1, 2), HeightWindow(0, 9))
