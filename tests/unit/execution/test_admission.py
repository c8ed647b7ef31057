"""Admission: what is taken in pays and uses its sequence; what is not changes nothing. # A3 A4 A6 A17 A18"""

from __future__ import annotations

import pytest

from sequencer.errors import LocalError
from sequencer.execution.executor import Executor
from sequencer.types.item import check_item
from sequencer.types.outcome import Status
from tests.execution_world import (
    ALICE,
    ALPHA,
    BOB,
    DEPOSIT,
    GAMMA,
    GENESIS,
    POOR,
    World,
    get_root,
    make_genesis,
    make_leg,
    set_key,
    transfer,
    verify_token,
)

LEG = make_leg(ALPHA, transfer(BOB, 5))
FAILING = make_leg(ALPHA, transfer(BOB, 2**63))


def get_burned(world: World) -> int:
    return int(world.get(0, "burned") or 0)


def test_A17_commit_and_abort_burn_the_same_fee() -> None:
    """Base 1,000 and one operation; the payer's deposit falls, the burned total rises."""
    world = World()
    results = world.execute(world.make_bundle(LEG), world.make_bundle(FAILING)).results
    assert [result.fee for result in results] == [1_001, 1_001]
    assert (world.executor.get_deposit(ALICE), get_burned(world)) == (DEPOSIT - 2_002, 2_002)


def test_A6_sequence_is_consumed_whatever_the_outcome() -> None:
    """An aborted bundle cannot be replayed until its condition comes true."""
    world = World()
    bundle = world.make_bundle(FAILING)
    results = world.execute(bundle, bundle).results
    assert [result.reason for result in results] == ["NO:alpha:INSUFFICIENT@legs[0].operations[0]", "SEQUENCE_USED"]
    assert world.executor.get_sequence(ALICE, 0) == 1


def test_A6_channels_count_separately() -> None:
    """An account can use several validators at once."""
    world = World()
    world.execute(world.make_bundle(LEG, channel=0), world.make_bundle(LEG, channel=15))
    assert [world.executor.get_sequence(ALICE, channel) for channel in (0, 1, 15)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("sequence", "valid_from", "valid_until", "payer", "reason"),
    [
        (1, 0, 100, ALICE, "SEQUENCE_GAP"),
        (0, 3, 100, ALICE, "NOT_YET_VALID"),
        (0, 0, 0, ALICE, "EXPIRED"),
        (0, 0, 100, POOR, "UNFUNDED"),
        (1, 0, 0, POOR, "SEQUENCE_GAP"),
    ],
    ids=["gap", "not-yet-valid", "expired", "unfunded", "all-wrong"],
)
def test_A4_inadmissible_bundle_changes_nothing(
    sequence: int, valid_from: int, valid_until: int, payer: bytes, reason: str
) -> None:
    """Neither sequence nor fee nor any root; the earlier check names the reason. # A3"""
    world = World()
    before = world.execute()
    bundle = world.make_bundle(LEG, payer=payer, sequence=sequence, valid_from=valid_from, valid_until=valid_until)
    after = world.execute(bundle)
    result = after.results[0]
    assert (result.status, result.reason, result.fee) == (Status.INADMISSIBLE, reason, 0)
    assert [get_root(after, row.namespace) for row in after.rows] == [row.state_root for row in before.rows]
    assert after.outcomes == ()


def test_A4_window_bounds_are_inclusive() -> None:
    """The bundle is in time at its first and at its last height."""
    world = World()
    result = world.execute(world.make_bundle(LEG, valid_from=1, valid_until=1)).results[0]
    assert result.status is Status.COMMIT


def test_A4_unreadable_item_is_listed_and_does_nothing() -> None:
    """Garbage gets a place, an id and a reason."""
    world = World()
    items = [(item, check_item(item, GENESIS.item_rules, verify_token)) for item in (b"", b"\xff" * 70_000, b"\x93")]
    block = world.execute_items(items)
    assert [result.reason for result in block.results] == ["MALFORMED", "OVERSIZE", "MALFORMED"]
    assert len({result.item_id for result in block.results}) == 3


def test_A18_first_included_bundle_of_a_sequence_wins() -> None:
    """Another item with the same sequence cancels this one, before inclusion only."""
    world = World()
    cancel = world.make_bundle(make_leg(GAMMA, set_key("kv/cancelled")), sequence=0)
    cancelled = world.make_bundle(LEG, sequence=0)
    results = world.execute(cancel, cancelled).results
    assert [result.reason for result in results] == ["", "SEQUENCE_USED"]


def test_A17_deposit_is_spent_to_the_last_fee() -> None:
    """Exactly the fee is enough, one less is not."""
    world = World(make_genesis(deposit=2_002 + 1_000))
    results = world.execute(*(world.make_bundle(LEG) for _ in range(3))).results
    assert [result.reason for result in results] == ["", "", "UNFUNDED"]
    assert world.executor.get_deposit(ALICE) == 1_000


def test_check_admission_knows_what_is_queued_ahead() -> None:
    """The courtesy check counts successors and fees that wait already. # A3"""
    world = World()
    second = world.make_bundle(LEG, sequence=1)
    check = world.executor.check_admission
    assert check(second, 1, 1, 1_001) is None
    rejections = [check(second, 1, 0, 0), check(second, 1, 2, 0), check(second, 1, 1, DEPOSIT - 1_000)]
    assert [rejection and rejection.reason for rejection in rejections] == [
        "SEQUENCE_GAP",
        "SEQUENCE_USED",
        "UNFUNDED",
    ]
    assert [rejection and rejection.path for rejection in rejections] == [
        "item.body.sequence",
        "item.body.sequence",
        "item.body.payer",
    ]


def test_deposits_that_could_overflow_the_burned_total_are_refused() -> None:
    """A network whose totals cannot be counted does not start."""
    with pytest.raises(LocalError, match=r"genesis\.deposits"):
        Executor(make_genesis(deposit=2**62))
