"""Arbitrary bundles on hostile states: nothing raises, and the reference agrees. # A4"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.simulation.reference import ReferenceInterpreter
from sequencer.types.bundle import (
    AccessMode,
    AtLeast,
    Condition,
    Equals,
    HeightWindow,
    InRange,
    Leg,
    NonceIs,
    Operation,
    Reference,
    TimeWindow,
)
from sequencer.types.item import SignedBundle, check_item
from sequencer.types.primitives import RollupId, StateValue
from tests.execution_world import ALICE, ALPHA, BETA, BOB, GAMMA, GENESIS, World, verify_token
from tests.properties.execution_log import assert_equal_states

U64 = 2**64 - 1
STRANGE: dict[str, StateValue] = {
    f"nonce/{ALICE.hex()}": U64 - 1,
    f"nonce/{BOB.hex()}": b"nonce",
    "kv/a": U64,
    "kv/b": b"b",
}
RICH: dict[RollupId, dict[str, StateValue]] = {
    ALPHA: {f"balance/USD/{ALICE.hex()}": U64 - 4, f"balance/USD/{BOB.hex()}": 1, f"balance/ETH/{BOB.hex()}": 5},
    BETA: {"pool/ETH-USD/ETH": U64 - 10, "pool/ETH-USD/USD": 1, "pool/DOT-USD/DOT": 3, "pool/DOT-USD/USD": 2},
    GAMMA: {f"balance/ETH/{ALICE.hex()}": 5},
}
"""Every asset adds up to u64, the most that a genesis may give."""
HOSTILE = replace(
    GENESIS,
    rollups=tuple(
        replace(rollup, state=tuple(sorted({**STRANGE, **RICH[rollup.id]}.items()))) for rollup in GENESIS.rollups
    ),
)
"""The same network with states at every bound and of the wrong type."""

SIGNERS = st.sampled_from((ALICE, BOB))
AMOUNTS = st.sampled_from((0, 1, 2, 1_000, U64 - 1, U64))
KEYS = st.sampled_from([*sorted({**STRANGE, **RICH[ALPHA], **RICH[BETA]}), "kv/c", "kv/", "outside"])
TEXTS = st.sampled_from(("USD", "ETH", "DOT", "", "é", "a" * 17, "kv/", "kv/a b")) | KEYS
BLOBS = st.sampled_from((ALICE, BOB, b"", b"x" * 31, b"y" * 1_024))
ASSETS = st.sampled_from(("USD", "ETH", "DOT"))
FREE_KEYS = st.sampled_from(("kv/a", "kv/b", "kv/c"))
NAMES = st.sampled_from(("set", "delete", "add", "transfer", "swap", "add_liquidity", "explode"))


def make_operations(leg: int) -> st.SearchStrategy[Operation]:
    """Return operations of leg number `leg`: half of them with arguments of the right types."""
    amounts: st.SearchStrategy[int | Reference] = AMOUNTS
    if leg:
        amounts |= st.builds(Reference, st.integers(0, leg - 1), st.sampled_from(("amount", "out", "value", "nothing")))
    plausible = (
        st.builds(Operation, st.just("transfer"), st.tuples(ASSETS, SIGNERS, amounts)),
        st.builds(Operation, st.just("swap"), st.tuples(ASSETS, ASSETS, amounts, AMOUNTS)),
        st.builds(Operation, st.just("add_liquidity"), st.tuples(ASSETS, ASSETS, amounts, amounts)),
        st.builds(Operation, st.sampled_from(("set", "add")), st.tuples(FREE_KEYS, amounts)),
        st.builds(Operation, st.just("set"), st.tuples(FREE_KEYS, BLOBS)),
    )
    arguments = st.lists(amounts | TEXTS | BLOBS, max_size=5).map(lambda found: tuple(found))
    return st.one_of(*plausible, *plausible, st.builds(Operation, NAMES, arguments))


CONDITIONS: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Equals, KEYS, st.sampled_from((None, 1, U64, b"b"))),
    st.builds(AtLeast, KEYS, AMOUNTS),
    st.builds(InRange, KEYS, AMOUNTS, AMOUNTS),
    st.builds(NonceIs, SIGNERS, st.sampled_from((0, 1, U64 - 1))),
    st.builds(HeightWindow, AMOUNTS, st.just(U64)),
    st.builds(TimeWindow, AMOUNTS, st.just(U64)),
)
ACCESS = (
    st.none()
    | st.none()
    | st.dictionaries(KEYS, st.sampled_from(AccessMode), max_size=5).map(
        lambda declared: tuple(sorted(declared.items()))
    )
)


@st.composite
def make_legs(draw: st.DrawFn) -> tuple[Leg, ...]:
    """Draw 1..4 legs with anything that the codec lets through."""
    legs = []
    for index in range(draw(st.integers(1, 4))):
        operations = tuple(draw(st.lists(make_operations(index), max_size=2)))
        conditions = tuple(draw(st.lists(CONDITIONS, max_size=1)))
        rollup, signer = draw(st.sampled_from((ALPHA, BETA, GAMMA))), draw(SIGNERS)
        legs.append(Leg(rollup, signer, conditions, operations, draw(ACCESS)))
    return tuple(legs)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.lists(make_legs(), min_size=1, max_size=6))
def test_arbitrary_bundles_never_raise_and_equal_the_reference(bundles: list[tuple[Leg, ...]]) -> None:
    """Wrong types, bounds, references and states only ever give a reason."""
    world, reference = World(HOSTILE), ReferenceInterpreter(HOSTILE)
    items = [world.check(world.make_bundle(*legs, channel=channel)) for channel, legs in enumerate(bundles)]
    block = world.execute_items(items)
    assert reference.apply(block.header, items) == block.results
    assert_equal_states(world, reference)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(make_legs())
def test_checked_item_keeps_bytes_that_encoding_again_would_give(legs: tuple[Leg, ...]) -> None:
    """One value has one encoding, so the bytes that were read stand for it."""
    world = World(HOSTILE)
    item, checked = world.check(world.make_bundle(*legs))
    assert isinstance(checked, SignedBundle)
    assert checked.item_bytes == item == SignedBundle(checked.bundle, checked.signatures).item_bytes


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=5))
def test_arbitrary_bytes_are_inadmissible(items: list[bytes]) -> None:
    """No bytes make the automaton raise, and each has its place."""
    world = World()
    block = world.execute_items([(item, check_item(item, GENESIS.item_rules, verify_token)) for item in items])
    assert [result.index for result in block.results] == list(range(len(items)))
    assert block.outcomes == ()
