"""A transaction's JSON form and its bytes say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.errors import DecodeError
from sequencer.rpc.forms import make_rollup_namer, make_rollup_reader, read_argument, read_item, transaction_to_json
from sequencer.rpc.json_values import parse_json
from sequencer.types import bundle as bundles
from sequencer.types.bundle import (
    AccessMode,
    AtLeast,
    Bundle,
    Equals,
    HeightWindow,
    InRange,
    Leg,
    NonceIs,
    Operation,
    Reference,
    TimeWindow,
)
from sequencer.types.item import SignedBundle
from tests.integration.rpc.chain import make_genesis

GENESIS = make_genesis()
READ_ROLLUP, NAME_ROLLUP = make_rollup_reader(GENESIS), make_rollup_namer(GENESIS)

U64 = st.integers(0, 2**64 - 1)
KEYS = st.from_regex(r"\A[A-Za-z0-9._:/-]{1,128}\Z")
NAMES = st.from_regex(r"\A[a-z][a-z0-9_]{0,31}\Z")
DIGESTS = st.binary(min_size=32, max_size=32)
VALUES = st.integers(1, 2**64 - 1) | st.binary(min_size=1, max_size=64)
CONDITIONS = st.one_of(
    st.builds(Equals, KEYS, VALUES | st.none()),
    st.builds(AtLeast, KEYS, U64),
    st.builds(InRange, KEYS, U64, U64),
    st.builds(NonceIs, DIGESTS, st.integers(0, 2**64 - 2)),
    st.builds(HeightWindow, U64, U64),
    st.builds(TimeWindow, U64, U64),
)
TEXTS = st.text(max_size=30)
ARGUMENTS = st.one_of(U64, TEXTS, st.binary(max_size=64), st.builds(Reference, st.integers(0, 15), NAMES))
OPERATIONS = st.builds(Operation, NAMES, st.lists(ARGUMENTS, max_size=8).map(tuple))
ACCESS = st.dictionaries(KEYS, st.sampled_from(AccessMode), max_size=4).map(lambda keys: tuple(sorted(keys.items())))
LEGS = st.builds(
    Leg,
    st.sampled_from([rollup.id for rollup in GENESIS.rollups]),
    DIGESTS,
    st.lists(CONDITIONS, max_size=3).map(tuple),
    st.lists(OPERATIONS, max_size=3).map(tuple),
    ACCESS | st.none(),
)
BUNDLES = st.builds(
    Bundle,
    DIGESTS,
    DIGESTS,
    st.integers(0, 15),
    st.integers(0, 2**64 - 2),
    U64,
    U64,
    st.integers(0, 256),
    st.lists(DIGESTS, max_size=3).map(tuple),
    st.lists(LEGS, min_size=1, max_size=3).map(tuple),
)
SIGNATURES = st.lists(st.binary(min_size=64, max_size=64), min_size=1, max_size=3).map(tuple)


@settings(max_examples=40, deadline=None)
@given(st.builds(SignedBundle, BUNDLES, SIGNATURES))
def test_form_of_any_transaction_reads_back_to_its_bytes(signed: SignedBundle) -> None:
    """Through JSON text and back, every byte of the item is the same."""
    text = json.dumps(transaction_to_json(signed, NAME_ROLLUP)).encode()
    assert read_item(parse_json(text), "$", READ_ROLLUP) == signed.item_bytes


@settings(max_examples=40, deadline=None)
@given(st.builds(SignedBundle, BUNDLES, SIGNATURES))
def test_item_form_is_passed_on_as_it_is(signed: SignedBundle) -> None:
    """The server does not look into canonical bytes; the core does."""
    assert read_item({"item": "0x" + signed.item_bytes.hex()}, "$", READ_ROLLUP) == signed.item_bytes


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
ANY_JSON = st.recursive(LEAVES, lambda one: st.lists(one) | st.dictionaries(st.text(max_size=5), one), max_leaves=5)


def list_places(value: object) -> list[tuple[Any, Any]]:
    """Return every (container, key) within a form."""
    places: list[tuple[Any, Any]] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        places += [(value, key), *list_places(inner)]
    return places


@settings(max_examples=40, deadline=None)
@given(st.builds(SignedBundle, BUNDLES, SIGNATURES), st.integers(0, 10_000), ANY_JSON)
def test_any_value_in_any_place_is_read_or_refused_with_its_path(
    signed: SignedBundle, place: int, value: object
) -> None:
    """Whatever stands in a field, the reader raises nothing but `DecodeError`, which starts at `$`."""
    form = transaction_to_json(signed, NAME_ROLLUP)
    places = list_places(form)
    container, key = places[place % len(places)]
    container[key] = value
    path = _read_path(form)
    assert path is None or path.startswith("$")


def _read_path(form: object) -> str | None:
    try:
        read_item(form, "$", READ_ROLLUP)
    except DecodeError as error:
        return error.path
    return None


@pytest.mark.parametrize(
    ("value", "argument"),
    [
        ("0", 0),
        ("18446744073709551615", 2**64 - 1),
        ("gold", "gold"),
        ("", ""),
        ("0x", b""),
        ("0x00ff", b"\x00\xff"),
        ({"text": "7"}, "7"),
        ({"text": "0xff"}, "0xff"),
        ({"leg": 0, "output": "out"}, Reference(0, "out")),
    ],
)
def test_argument_has_the_type_that_its_spelling_says(value: object, argument: object) -> None:
    """Decimal strings are amounts, 0x is bytes, the rest is text unless an object says otherwise."""
    assert read_argument(value, "$") == argument


@pytest.mark.parametrize("value", ["00", "1.5", "1x", "18446744073709551616", "0xF", "0xFF", 5, None, True, ["a"], {}])
def test_argument_that_could_mean_two_things_is_refused(value: object) -> None:
    """A string that starts with a digit is an amount or bytes, or wrong; it never turns into text."""
    with pytest.raises(DecodeError):
        read_argument(value, "$")


def test_limits_of_the_form_are_those_of_the_bytes() -> None:
    """Both readers share the constants; this fails if one of them gets its own."""
    operation = {"name": "set", "arguments": ["a"] * (bundles.ARGUMENTS_PER_OPERATION_MAX + 1)}
    leg = {"rollup": "gamma", "signer": "0x" + "00" * 32, "conditions": [], "operations": [operation], "access": None}
    form = {
        "chain_id": "0x" + "00" * 32,
        "payer": "0x" + "00" * 32,
        "channel": 0,
        "sequence": 0,
        "valid_from": 0,
        "valid_until": 1,
        "decide_within": 0,
        "deps": [],
        "legs": [leg],
        "signatures": ["0x" + "00" * 64],
    }
    with pytest.raises(DecodeError, match=r"legs\[0\].operations\[0\].arguments"):
        read_item(form, "$", READ_ROLLUP)
