"""What waiting costs, how long it may last, and who is shut out. # A3 A11 A12 A13 A17 A21"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.errors import LocalError
from sequencer.types.bundle import Operation, Reference
from sequencer.types.executed import ExecutionRow
from sequencer.types.outcome import Status
from sequencer.types.verdict import BeatStatement, RootStatement
from tests.execution_world import ALICE, ALPHA, BOB, DEPOSIT, GAMMA, make_child, make_leg, transfer
from tests.split_chain import WITHIN, Chain, declare, link, say_no, say_yes, touch
from tests.split_world import DELTA, EPSILON, SPLIT_GENESIS

BASE, RENT = 1_000, 10


def get_purse(chain: Chain) -> tuple[int, int, int]:
    """Return ALICE's deposit, what is held and what is burned."""
    held, burned = (int(chain.get(0, key) or 0) for key in ("held", "burned"))
    return chain.executor.get_deposit(ALICE), held, burned


def test_A17_the_most_it_can_cost_is_held_and_the_rest_comes_back() -> None:
    """Base, operations and rent for two rollups over ten heights; decided after one."""
    chain = Chain()
    bundle = chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m"))
    block = chain.run(bundle)
    hold, fee = BASE + 2 + RENT * 2 * WITHIN, BASE + 2 + RENT * 2
    assert (block.results[0].fee, get_purse(chain)) == (hold, (DEPOSIT - hold, hold, 0))
    block = chain.run(say_yes(bundle))
    assert (block.decisions[0].fee, get_purse(chain)) == (fee, (DEPOSIT - fee, 0, fee))


def test_A17_abort_costs_as_much_as_commit_and_timeout_the_base_alone() -> None:
    """A rollup's silence is not the payer's fault."""
    chain = Chain()
    refused, silent = chain.bundle(touch(DELTA, "a")), chain.bundle(touch(DELTA, "b"))
    chain.run(refused, silent)
    chain.run(say_no(refused))
    assert chain.blocks[-1].decisions[0].fee == BASE + 1 + RENT
    assert chain.run_until(11).decisions[0].fee == BASE
    assert get_purse(chain) == (DEPOSIT - 2 * BASE - 1 - RENT, 0, 2 * BASE + 1 + RENT)


def test_A17_native_bundle_that_had_to_wait_pays_no_rent() -> None:
    """It did not choose to."""
    chain = Chain()
    split = chain.bundle(touch(GAMMA, "k"), touch(DELTA, "m"))
    chain.run(split, chain.bundle(touch(GAMMA, "k")))
    chain.run()
    chain.run(say_yes(split))
    assert chain.blocks[-1].decisions[1].fee == BASE + 1


def test_A21_silence_ends_at_the_deadline_and_suspends_the_rollup() -> None:
    """Height 1 and ten more; every rollup that said nothing is named."""
    chain = Chain()
    chain.run(chain.bundle(touch(DELTA, "m"), touch(EPSILON, "m")))
    assert chain.run_until(10).decisions == ()
    chain.run()
    assert chain.get_reasons() == ["TIMEOUT:delta,epsilon"]
    assert [chain.executor.is_suspended(rollup) for rollup in (ALPHA, DELTA, EPSILON)] == [False, True, True]


def test_A21_certificate_in_the_last_block_is_in_time() -> None:
    """Deadlines are looked at when the block ends."""
    chain = Chain()
    bundle = chain.bundle(touch(DELTA, "m"))
    chain.run(bundle)
    chain.run_until(10)
    chain.run(say_yes(bundle))
    assert chain.get_reasons() == ["COMMIT"]


def test_A21_deadline_of_what_is_decided_is_forgotten_at_once() -> None:
    """It may lie 256 heights ahead, and a bundle is not kept in memory for so long."""
    chain = Chain()
    bundle = chain.bundle(touch(DELTA, "m"), within=200)
    chain.run(bundle)
    chain.run(say_yes(bundle))
    assert dict(chain.executor._automaton._table._due) == {}


def test_A8_verdict_that_rests_on_what_times_out_in_the_same_block_still_counts() -> None:
    """Both are due; the second is decided by the rule, because the first is looked at before."""
    chain = Chain()
    first, second = chain.bundle(touch(DELTA, "k")), chain.bundle(touch(DELTA, "k"))
    chain.run(first, second)
    chain.run(say_yes(second, links=[link(first, Status.ABORT)]))
    chain.run_until(11)
    assert chain.get_reasons() == ["TIMEOUT:delta", "COMMIT"]


def test_A13_rollup_whose_executors_had_no_time_is_not_suspended() -> None:
    """What delta rests on is known two heights before the deadline only; three are due to it."""
    for wait, is_suspended in ((9, False), (8, True)):
        chain = Chain()
        ancestor = chain.bundle(touch(DELTA, "k"), touch(EPSILON, "k"), within=50)
        late = chain.bundle(touch(DELTA, "k"))
        chain.run(ancestor, late)
        chain.run_until(wait - 1)
        chain.run(say_no(ancestor, EPSILON), say_yes(ancestor))
        chain.run_until(11)
        assert (chain.get_reasons(), chain.executor.is_suspended(DELTA)) == (["TIMEOUT:delta"], is_suspended)


def test_A13_bundle_of_a_suspended_rollup_aborts_at_once_for_the_base() -> None:
    """Its sequence is used, nobody waits; the lowest suspended rollup is named."""
    chain = Chain()
    chain.run(chain.bundle(touch(DELTA, "m"), touch(EPSILON, "m")))
    chain.run_until(11)
    result = chain.run(chain.bundle(touch(EPSILON, "n"), touch(DELTA, "n"))).results[0]
    assert (result.status, result.reason, result.fee) == (Status.ABORT, "SUSPENDED:delta", BASE)
    assert (chain.executor.get_sequence(ALICE, 0), chain.executor.pending) == (2, ())


def test_A13_beat_lifts_the_suspension_and_only_a_newer_one() -> None:
    """Of a height above that of the suspension and below its own."""
    chain = Chain()
    chain.run(chain.bundle(touch(DELTA, "m")))
    chain.run_until(12)
    beats = [BeatStatement(DELTA, height) for height in (11, 13, 14)] + [BeatStatement(EPSILON, 12)]
    block = chain.run(*beats)
    assert [result.reason for result in block.results] == ["STALE"] * 4
    block = chain.run(BeatStatement(DELTA, 12), BeatStatement(DELTA, 13), chain.bundle(touch(DELTA, "n")))
    assert [result.status for result in block.results] == [Status.COMMIT, Status.INADMISSIBLE, Status.PENDING]


def test_A3_cap_of_joint_bundles_leaves_the_next_item_untouched() -> None:
    """One bundle too many neither pays nor uses its sequence; a bundle of one rollup still finds room."""
    parameters = replace(SPLIT_GENESIS.parameters, pending_per_rollup_max=2, waiting_per_rollup_max=4)
    chain = Chain(replace(SPLIT_GENESIS, parameters=parameters))
    joint = [chain.bundle(touch(DELTA, f"a{n}"), touch(EPSILON, f"a{n}")) for n in range(3)]
    single = replace(chain.bundle(touch(DELTA, "b")), sequence=2)
    block = chain.run(*joint, single)
    assert [result.reason for result in block.results] == ["", "", "PENDING_FULL", ""]
    assert (block.results[2].fee, chain.executor.get_sequence(ALICE, 0)) == (0, 3)


def test_A3_cap_of_all_that_waits_holds_native_bundles_only_if_they_would_wait() -> None:
    """What is decided at its position needs no room."""
    parameters = replace(SPLIT_GENESIS.parameters, pending_per_rollup_max=1, waiting_per_rollup_max=2)
    chain = Chain(replace(SPLIT_GENESIS, parameters=parameters))
    split = chain.bundle(touch(GAMMA, "k"), touch(DELTA, "k"))
    chain.run(split, chain.bundle(touch(GAMMA, "k")))
    waiting, free = chain.bundle(touch(GAMMA, "k")), chain.bundle(touch(GAMMA, "free"), channel=1)
    block = chain.run(waiting, free)
    assert [result.reason for result in block.results] == ["PENDING_FULL", ""]
    assert chain.run(say_yes(split), waiting).results[1].status is Status.COMMIT


def test_A3_cap_of_direct_ancestors_holds_what_rests_on_much_and_nothing_else() -> None:
    """Describing what waits costs as much as it has ancestors: 40 readers of 40 keys fill what 100 items may have."""
    chain = Chain(replace(SPLIT_GENESIS, parameters=replace(SPLIT_GENESIS.parameters, waiting_per_rollup_max=100)))
    keys = [f"{number:02}" for number in range(40)]
    chain.run(*[chain.bundle(touch(DELTA, key)) for key in keys])
    readers = [chain.bundle(touch(DELTA, f"own{number}", read=keys)) for number in range(41)]
    free = replace(chain.bundle(touch(DELTA, "free")), sequence=readers[40].sequence)
    block = chain.run(*readers, free)
    assert [result.reason for result in block.results] == [""] * 40 + ["PENDING_FULL", ""]
    chain.restart()
    late = replace(chain.bundle(touch(DELTA, "late", read=keys[:1])), sequence=free.sequence + 1)
    assert chain.run(late).results[0].reason == "PENDING_FULL"


def test_A11_row_of_a_split_rollup_is_the_one_certified_last() -> None:
    """A newer root replaces it; an older one, or one of a height that is not over, is stale."""
    chain = Chain()
    genesis_row = chain.run().rows[DELTA]
    chain.run()
    root = RootStatement(DELTA, 2, 1, b"s" * 32, b"r" * 32, b"o" * 32)
    block = chain.run(root, root, replace(root, height=1), replace(root, height=3))
    assert [result.reason for result in block.results] == ["", "STALE", "STALE", "STALE"]
    assert block.rows[DELTA] == ExecutionRow(DELTA, 1, b"s" * 32, b"r" * 32, b"o" * 32)
    assert (genesis_row.settled_height, genesis_row.namespace) == (0, DELTA)
    chain.restart()
    assert chain.run().rows[DELTA] == block.rows[DELTA]


def test_A11_own_row_shows_settled_effects_only() -> None:
    """What an executor may certify: neither a soft result nor a height at which something is open."""
    chain = Chain(runs=frozenset({DELTA}))
    before = chain.executor.get_own_row(DELTA)
    bundle = chain.bundle(touch(DELTA, "m"))
    chain.run(bundle)
    during = chain.executor.get_own_row(DELTA)
    chain.run(say_yes(bundle))
    after = chain.executor.get_own_row(DELTA)
    rows = [row for row in (before, during, after) if row is not None]
    assert [row.settled_height for row in rows] == [0, 0, 2]
    assert [row.state_root == rows[0].state_root for row in rows] == [True, True, False]


@pytest.mark.parametrize("lie", ["verdict", "outputs"])
def test_A12_executor_that_computes_otherwise_freezes_the_rollup(lie: str) -> None:
    """More than f_r lied: the native leg stands as everywhere, and no state with a part of the bundle is shown."""
    chain, honest = Chain(runs=frozenset({DELTA})), Chain()
    for each in (chain, honest):
        failing = make_leg(DELTA, transfer(BOB, 2**63))
        produce = make_leg(DELTA, Operation("add", ("kv/x", 3)), access=declare(write=["kv/x"]))
        consume = make_leg(GAMMA, Operation("set", ("kv/y", Reference(0, "value"))), access=declare(write=["kv/y"]))
        bundle = each.bundle(failing, touch(GAMMA, "y")) if lie == "verdict" else each.bundle(produce, consume)
        each.run(bundle)
        each.run(say_yes(bundle, outputs=() if lie == "verdict" else ((0, "value", 4),)))
        assert each.get_reasons() == ["COMMIT"]
        each.run(each.bundle(touch(DELTA, "later")))
    assert chain.executor.commitment == honest.executor.commitment
    assert (chain.executor.is_frozen(DELTA), chain.executor.get_own_row(DELTA)) == (True, None)
    assert chain.get(GAMMA, "kv/y") == (1 if lie == "verdict" else 4)
    with pytest.raises(LocalError, match="rollup 4 is not executed here"):
        chain.get(DELTA, "kv/x")
    chain.restart()
    assert chain.executor.is_frozen(DELTA)


def test_check_bundle_on_a_chain_with_open_bundles_changes_nothing() -> None:
    """Neither at rest nor in the middle of a block; the answers are about the newest finished block."""
    chain, same = Chain(), Chain()
    for each in (chain, same):
        split = each.bundle(touch(GAMMA, "k"), touch(DELTA, "m"))
        each.run(split)
        questions = [each.bundle(touch(GAMMA, "k"), channel=1), each.bundle(touch(DELTA, "m"), channel=2)]
        items = [each.make_item(say_yes(split)), each.make_item(each.bundle(touch(ALPHA, "z")))]
        if each is chain:
            at_rest = [chain.executor.check_bundle(question) for question in questions]
        each.executor.begin(make_child(each.executor.header), items)
        each.executor.step(1)
        if each is chain:
            in_between = [chain.executor.check_bundle(question) for question in questions]
            assert in_between == at_rest
        while not each.executor.step(1):
            pass
        each.blocks.append(each.executor.finish())
    assert chain.blocks == same.blocks
    assert chain.executor.take_snapshot() == same.executor.take_snapshot()
    assert [check.unjudged for check in at_rest] == [(), (DELTA,)]
