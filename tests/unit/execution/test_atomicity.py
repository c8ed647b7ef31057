"""The one rule: all legs or none, with the reason that the rule names. # A7 A8 A15 A16"""

from __future__ import annotations

import pytest

from sequencer.types.bundle import AccessMode, AtLeast, Leg, Operation, Reference
from sequencer.types.outcome import REASON_BYTES_MAX, Status
from tests.execution_world import (
    ALICE,
    ALPHA,
    BALANCE,
    BETA,
    BOB,
    CAROL,
    GAMMA,
    World,
    get_reason,
    get_root,
    make_leg,
    set_key,
    transfer,
)

FALSE = AtLeast("kv/absent", 1)
GOOD = make_leg(ALPHA, transfer(BOB, 5), set_key("kv/m"))
NO_ALPHA = make_leg(ALPHA, set_key("kv/m"), conditions=(FALSE,))
NO_GAMMA = make_leg(GAMMA, set_key("kv/m"), conditions=(FALSE,))
ALL = (ALPHA, BETA, GAMMA)


def get_markers(world: World) -> list[object]:
    return [world.get(rollup, "kv/m") for rollup in ALL]


def test_A8_all_legs_take_effect_when_all_say_yes() -> None:
    """COMMIT has an empty reason and every write."""
    world = World()
    assert get_reason(world, *(make_leg(rollup, set_key("kv/m")) for rollup in ALL)) == ""
    assert get_markers(world) == [1, 1, 1]


@pytest.mark.parametrize("failing", range(3))
def test_A8_no_leg_takes_effect_when_one_fails(failing: int) -> None:
    """Wherever the NO is, the states are what they were, and so are their roots."""
    world = World()
    before = world.execute()
    legs = [make_leg(rollup, set_key("kv/m"), Operation("add", ("kv/n", 1))) for rollup in ALL]
    legs[failing] = make_leg(ALL[failing], set_key("kv/m"), Operation("explode", ()))
    after = world.execute(world.make_bundle(*legs))
    assert after.results[0].status is Status.ABORT
    assert get_markers(world) == [None] * 3
    assert [get_root(after, rollup) for rollup in ALL] == [get_root(before, rollup) for rollup in ALL]


def test_A8_later_bundles_do_not_see_an_aborted_one() -> None:
    """The revert is complete within the block."""
    world = World()
    aborted = world.make_bundle(make_leg(ALPHA, transfer(BOB, BALANCE)), NO_GAMMA)
    follower = world.make_bundle(make_leg(ALPHA, transfer(CAROL, BALANCE)))
    assert [result.reason for result in world.execute(aborted, follower).results] == [
        "NO:gamma:TOO_LOW@legs[1].conditions[0]",
        "",
    ]
    assert (world.get_balance(ALPHA, BOB), world.get_balance(ALPHA, CAROL)) == (BALANCE, 2 * BALANCE)


def test_A8_transfer_on_one_rollup_changes_its_root_and_no_other() -> None:
    """State is committed per rollup; only the system's row changes too."""
    world = World()
    before = world.execute()
    after = world.execute(world.make_bundle(make_leg(ALPHA, transfer(BOB, 1))))
    changed = [rollup for rollup in (0, *ALL) if get_root(before, rollup) != get_root(after, rollup)]
    assert changed == [0, ALPHA]


def test_A8_reason_names_the_lowest_rollup_that_says_no() -> None:
    """Not the first failing leg: gamma's leg comes first, alpha is named."""
    assert get_reason(World(), NO_GAMMA, NO_ALPHA) == "NO:alpha:TOO_LOW@legs[1].conditions[0]"


def test_A8_reason_names_the_first_failure_of_that_rollup() -> None:
    """A rollup's evaluation stops at its first failure."""
    second = make_leg(ALPHA, Operation("explode", ()))
    assert get_reason(World(), NO_ALPHA, second) == "NO:alpha:TOO_LOW@legs[0].conditions[0]"


def test_A8_conditions_come_before_operations() -> None:
    """A leg whose operation fails as well is named by its condition."""
    leg = make_leg(ALPHA, Operation("explode", ()), conditions=(FALSE,))
    assert get_reason(World(), leg) == "NO:alpha:TOO_LOW@legs[0].conditions[0]"


def test_A8_legs_of_one_rollup_see_each_other() -> None:
    """Leg order on one overlay: the second leg's condition reads the first leg's write."""
    first = make_leg(GAMMA, set_key("kv/a", 7))
    second = make_leg(GAMMA, set_key("kv/m"), conditions=(AtLeast("kv/a", 7),))
    assert get_reason(World(), first, second) == ""
    assert get_reason(World(), second, first) == "NO:gamma:TOO_LOW@legs[0].conditions[0]"


def test_A8_longest_reason_fits_its_bound() -> None:
    """Name of 32 characters, longest code, highest indices."""
    assert len(f"NO:{'n' * 32}:UNKNOWN_OPERATION@legs[15].operations[63]") <= REASON_BYTES_MAX
    assert len("DEP:" + "00" * 32) <= REASON_BYTES_MAX


def test_A7_undeclared_write_reverts() -> None:
    """The receiver's balance is not declared."""
    access = ((f"balance/USD/{ALICE.hex()}", AccessMode.WRITE),)
    leg = make_leg(ALPHA, transfer(BOB, 1), access=access)
    assert get_reason(World(), leg) == "NO:alpha:ACCESS@legs[0].operations[0]"


def test_A7_write_to_a_key_declared_for_reading_reverts() -> None:
    """Reading does not imply writing."""
    leg = make_leg(GAMMA, set_key("kv/a"), access=(("kv/a", AccessMode.READ),))
    assert get_reason(World(), leg) == "NO:gamma:ACCESS@legs[0].operations[0]"


def test_A7_declared_access_is_allowed() -> None:
    """Exactly the touched keys are enough."""
    keys = sorted(f"balance/USD/{account.hex()}" for account in (ALICE, BOB))
    leg = make_leg(ALPHA, transfer(BOB, 1), access=tuple((key, AccessMode.WRITE) for key in keys))
    assert get_reason(World(), leg) == ""


def test_A7_empty_access_set_allows_nothing() -> None:
    """Empty is not the same as missing."""
    assert get_reason(World(), make_leg(GAMMA, set_key("kv/a"), access=())) == "NO:gamma:ACCESS@legs[0].operations[0]"


def test_A15_output_of_an_earlier_leg_is_read() -> None:
    """What beta's pool gave is what gamma records."""
    swap = make_leg(BETA, Operation("swap", ("USD", "ETH", 1_000, 1)))
    use = make_leg(GAMMA, Operation("set", ("kv/out", Reference(0, "out"))))
    world = World()
    assert get_reason(world, swap, use) == ""
    assert world.get(GAMMA, "kv/out") == 996


def test_A15_missing_output_is_no() -> None:
    """A transfer exports no `out`."""
    use = make_leg(GAMMA, Operation("set", ("kv/out", Reference(0, "out"))))
    assert get_reason(World(), GOOD, use) == "NO:gamma:NO_OUTPUT@legs[1].operations[0]"


def test_A15_reference_to_a_failed_leg_blames_the_producer() -> None:
    """The consumer's rollup has the lower id, but it said nothing."""
    producer = make_leg(GAMMA, Operation("add", ("kv/n", 1)), conditions=(FALSE,))
    consumer = make_leg(ALPHA, Operation("set", ("kv/m", Reference(0, "value"))), Operation("explode", ()))
    later = make_leg(ALPHA, Operation("explode", ()))
    assert get_reason(World(), producer, consumer, later) == "NO:gamma:TOO_LOW@legs[0].conditions[0]"


def test_A15_of_two_outputs_with_one_name_the_later_counts() -> None:
    """Two additions, the second total is exported."""
    producer = make_leg(GAMMA, Operation("add", ("kv/a", 3)), Operation("add", ("kv/b", 4)))
    use = make_leg(ALPHA, Operation("set", ("kv/m", Reference(0, "value"))))
    world = World()
    get_reason(world, producer, use)
    assert world.get(ALPHA, "kv/m") == 4


def test_A15_amount_from_a_reference_is_moved() -> None:
    """A swap on beta pays exactly its output on alpha."""
    swap = make_leg(BETA, Operation("swap", ("USD", "ETH", 1_000, 1)))
    pay = make_leg(ALPHA, Operation("transfer", ("ETH", BOB, Reference(0, "out"))))
    world = World()
    assert get_reason(world, swap, pay) == ""
    assert world.get_balance(ALPHA, BOB, "ETH") == BALANCE + 996


def make_sum_guard(minimum: int) -> tuple[Leg, ...]:
    """Return legs that read Alice's USD on alpha and beta, and one on gamma that demands a minimum of the sum."""
    readers = [make_leg(rollup, Operation("read_balance", ("USD", ALICE))) for rollup in (ALPHA, BETA)]
    arguments = (minimum, Reference(0, "balance"), Reference(1, "balance"))
    return (*readers, make_leg(GAMMA, Operation("require_at_least", arguments), set_key("kv/m")))


def test_A15_condition_over_two_rollups_that_holds_lets_the_bundle_commit() -> None:
    """The sum of two balances is exactly the minimum."""
    world = World()
    assert get_reason(world, *make_sum_guard(2 * BALANCE)) == ""
    assert world.get(GAMMA, "kv/m") == 1


def test_A15_condition_over_two_rollups_that_fails_aborts_with_the_sum_found() -> None:
    """Control: one more is too much, and the explanation has both figures."""
    world = World()
    reason = get_reason(world, *make_sum_guard(2 * BALANCE + 1))
    assert reason == "NO:gamma:BELOW_MINIMUM@legs[2].operations[0]"
    (failure,) = world.executor.get_failures(world.blocks[-1].results[0].item_id)
    assert (failure.expected, failure.found) == (f"a sum of at least {2 * BALANCE + 1}", str(2 * BALANCE))


def test_A20_swap_with_burn_and_mint_pays_on_the_other_rollup() -> None:
    """What beta's pool gave is burned there and made on alpha, to the unit."""
    swap = make_leg(BETA, Operation("swap", ("USD", "ETH", 1_000, 1)))
    burn = make_leg(BETA, Operation("burn", ("ETH", Reference(0, "out"))))
    mint = make_leg(ALPHA, Operation("mint", ("ETH", BOB, Reference(0, "out"))))
    world = World()
    assert get_reason(world, swap, burn, mint) == ""
    assert world.get_balance(BETA, ALICE, "ETH") == BALANCE
    assert world.get_balance(ALPHA, BOB, "ETH") == BALANCE + 996


def test_A16_dep_that_committed_lets_the_bundle_commit() -> None:
    """In an earlier block or earlier in the same one."""
    world = World()
    first = world.make_bundle(GOOD)
    second = world.make_bundle(GOOD, deps=(first.id,))
    third = world.make_bundle(GOOD, deps=(first.id, second.id))
    world.execute(first, second)
    assert [result.reason for result in world.execute(third).results] == [""]
    assert world.blocks[0].results[1].reason == ""


def test_A16_dep_that_aborted_later_or_unknown_aborts() -> None:
    """Only what committed at an earlier position counts."""
    world = World()
    aborted = world.make_bundle(NO_ALPHA)
    after_aborted = world.make_bundle(GOOD, deps=(aborted.id,))
    later = world.make_bundle(GOOD, payer=BOB)
    before_later = world.make_bundle(GOOD, deps=(later.id,))
    unknown = world.make_bundle(GOOD, deps=(bytes(32),))
    results = world.execute(aborted, after_aborted, before_later, later, unknown).results
    assert [result.reason for result in results] == [
        "NO:alpha:TOO_LOW@legs[0].conditions[0]",
        f"DEP:{aborted.id.hex()}",
        f"DEP:{later.id.hex()}",
        "",
        f"DEP:{bytes(32).hex()}",
    ]


def test_A16_verdict_no_comes_before_a_missing_dep() -> None:
    """The first match of the rule names the reason."""
    world = World()
    bundle = world.make_bundle(NO_ALPHA, deps=(bytes(32),))
    assert world.execute(bundle).results[0].reason == "NO:alpha:TOO_LOW@legs[0].conditions[0]"


@pytest.mark.parametrize(("heights_between", "is_known"), [(1_023, True), (1_024, False)])
def test_A16_dep_is_known_for_1024_heights(heights_between: int, is_known: bool) -> None:
    """1,024 heights back is the oldest that counts, on every node alike."""
    world = World()
    first = world.make_bundle(GOOD)
    world.execute(first)
    world.execute_empty(heights_between)
    reason = world.execute(world.make_bundle(GOOD, deps=(first.id,))).results[0].reason
    assert reason == ("" if is_known else f"DEP:{first.id.hex()}")


def test_leg_acts_for_its_signer_not_for_the_payer() -> None:
    """Bob's leg moves Bob's money, Alice pays the fee."""
    world = World()
    leg = Leg(ALPHA, BOB, (), (transfer(CAROL, 3),), None)
    assert get_reason(world, leg) == ""
    assert (world.get_balance(ALPHA, ALICE), world.get_balance(ALPHA, BOB)) == (BALANCE, BALANCE - 3)
