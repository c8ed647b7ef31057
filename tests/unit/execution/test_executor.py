"""The executor's contract: slices, queries on finished blocks only, duties of the caller, commitments."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.merkle import compute_root
from sequencer.errors import LocalError
from sequencer.execution.commitments import compute_namespace_rows
from sequencer.execution.executor import Executor
from sequencer.execution.history import PROOF_HEIGHTS
from sequencer.state.claim import StateClaim
from sequencer.types.leaves import encode_envelope_leaf, encode_leg_leaf
from sequencer.types.outcome import Status
from tests.execution_world import (
    ALICE,
    ALPHA,
    BALANCE,
    BETA,
    BOB,
    DEPOSIT,
    GAMMA,
    GENESIS,
    World,
    make_child,
    make_leg,
    set_key,
    transfer,
)

LEG = make_leg(ALPHA, transfer(BOB, 5))
EMPTY_ROOT = compute_root(())


def test_genesis_commitment_stands_at_height_0() -> None:
    """Every node starts from the same commitment, which names the genesis block and no parent."""
    commitment = Executor(GENESIS).commitment
    assert (commitment.height, commitment.block_digest) == (0, GENESIS.header.digest)
    assert (commitment.parent, commitment.chain_id) == (ZERO_DIGEST, GENESIS.chain_id)
    assert commitment.batch_root == commitment.outcome_root == commitment.pending_root == EMPTY_ROOT


def test_commitments_are_chained_and_name_their_block() -> None:
    """A certificate at H covers every h ≤ H."""
    world = World()
    first, second = world.execute(), world.execute()
    assert second.commitment.parent == first.commitment.digest
    assert second.commitment.block_digest == second.header.digest
    assert second.commitment.validators_hash == GENESIS.committee.digest


def test_commitment_is_scheduled_once_per_interval_of_block_time() -> None:
    """200 ms of block time: every fifth block of 40 ms."""
    world = World()
    scheduled = [world.execute().is_scheduled for _ in range(10)]
    assert scheduled == [False, False, False, False, True] * 2


def test_queries_do_not_see_a_block_before_it_is_finished() -> None:
    """Half a block is nobody's state."""
    world = World()
    world.executor.begin(make_child(GENESIS.header), [world.check(world.make_bundle(LEG))])
    world.executor.step(1)
    during = (world.get_balance(ALPHA, BOB), world.executor.get_sequence(ALICE, 0), world.executor.height)
    world.executor.finish()
    assert during == (BALANCE, 0, 0)
    assert (world.get_balance(ALPHA, BOB), world.executor.height) == (BALANCE + 5, 1)


def test_step_says_when_all_items_are_applied() -> None:
    """Five items in slices of two: the third slice is the last."""
    world = World()
    world.executor.begin(make_child(GENESIS.header), [world.check(world.make_bundle(LEG)) for _ in range(5)])
    assert [world.executor.step(2) for _ in range(3)] == [False, False, True]
    assert world.executor.is_busy


def test_empty_block_is_finished_after_one_step() -> None:
    """No item is no exception."""
    assert World().execute().results == ()


def test_slices_of_any_size_give_the_same_block() -> None:
    """What a slice is, is nobody's business but the event loop's."""
    blocks = []
    for slice_size in (1, 2, 3, 100):
        world = World()
        bundles = [world.make_bundle(LEG, make_leg(GAMMA, set_key(f"kv/{n}", n))) for n in range(7)]
        blocks.append(world.execute_items([world.check(bundle) for bundle in bundles], slice_size))
    assert all(block == blocks[0] for block in blocks)


def test_dep_within_the_block_is_known_across_slices() -> None:
    """A slice boundary forgets nothing. # A16"""
    world = World()
    first = world.make_bundle(LEG)
    second = world.make_bundle(LEG, deps=(first.id,))
    block = world.execute_items([world.check(first), world.check(second)], slice_size=1)
    assert block.results[1].status is Status.COMMIT


def test_block_that_is_no_child_is_refused() -> None:
    """Neither a wrong height nor another parent."""
    executor = Executor(GENESIS)
    child = make_child(GENESIS.header)
    for wrong in (make_child(child), replace(child, parent_digest=bytes(32)), GENESIS.header):
        with pytest.raises(LocalError, match="no child"):
            executor.begin(wrong, [])


def test_begin_step_and_finish_out_of_turn_are_refused() -> None:
    """The caller's mistakes change nothing."""
    world = World()
    with pytest.raises(LocalError, match="no block has begun"):
        world.executor.step(1)
    world.executor.begin(make_child(GENESIS.header), [world.check(world.make_bundle(LEG))])
    with pytest.raises(LocalError, match="items left"):
        world.executor.finish()
    with pytest.raises(LocalError, match="not finished"):
        world.executor.begin(make_child(GENESIS.header), [])


def test_executor_of_a_rollup_that_is_not_split_is_refused_at_start() -> None:
    """Native rollups run everywhere; to ask for one is a mistake in the configuration."""
    with pytest.raises(LocalError, match=f"rollup {ALPHA} is no split rollup"):
        Executor(GENESIS, frozenset({ALPHA}))


def test_unknown_rollup_is_told() -> None:
    """A query names what it did not find."""
    with pytest.raises(LocalError, match="rollup 9 is not executed here"):
        Executor(GENESIS).get_state_value(9, "kv/a")


def test_batch_root_lists_every_item_in_order() -> None:
    """Namespace 0 has one leaf per item, inadmissible ones too; a rollup one per leg. # A2"""
    world = World()
    bundle = world.make_bundle(LEG, make_leg(GAMMA, set_key("kv/m")))
    garbage = (b"x", world.check(bundle)[1])
    block = world.execute_items([world.check(bundle), garbage])
    namespaces = {listed.namespace: listed.leaves for listed in block.namespaces}
    assert list(namespaces) == [0, ALPHA, GAMMA]
    assert namespaces[0] == (encode_envelope_leaf(1, bundle.id),) * 2
    assert namespaces[GAMMA] == (encode_leg_leaf(bundle.id, 1, 2, bundle.legs[1].digest),) * 2


def test_batch_root_is_that_of_the_lists() -> None:
    """What was hashed item by item equals what a stranger computes from the lists."""
    world = World()
    block = world.execute(*(world.make_bundle(LEG, make_leg(GAMMA, set_key("kv/m"))) for _ in range(7)))
    assert block.commitment.batch_root == compute_root(compute_namespace_rows(block.namespaces))


def test_outcomes_are_sorted_by_id_and_hold_decided_bundles_only() -> None:
    """The outcome root has one order."""
    world = World()
    block = world.execute(*(world.make_bundle(LEG) for _ in range(20)), world.make_bundle(LEG, sequence=99))
    ids = [leaf.bundle_id for leaf in block.outcomes]
    assert ids == sorted(ids)
    assert len(ids) == 20


def test_receipt_root_covers_outputs_of_committed_legs() -> None:
    """The same order of the same bundles with another output has another receipt root."""
    roots = []
    for amount in (1, 2):
        world = World()
        block = world.execute(world.make_bundle(make_leg(ALPHA, transfer(BOB, amount))))
        roots.append([row.receipt_root for row in block.rows])
    assert roots[0][ALPHA] != roots[1][ALPHA]
    assert roots[0][BETA] == roots[1][BETA] == EMPTY_ROOT


def test_proofs_are_made_for_the_newest_heights_only() -> None:
    """256 heights; the claim holds the value of its own height."""
    world = World()
    world.execute(world.make_bundle(LEG))
    world.execute_empty(PROOF_HEIGHTS)
    newest = world.executor.height
    oldest = newest - PROOF_HEIGHTS + 1
    claim = StateClaim.from_bytes(world.executor.prove_deposit(oldest, ALICE))
    assert claim.value == DEPOSIT - 1_001
    for height in (oldest - 1, newest + 1):
        with pytest.raises(LocalError, match="can be proven"):
            world.executor.prove_state(height, ALPHA, "kv/a")


def test_proof_of_what_is_no_key_is_refused() -> None:
    """The caller is told, and nothing raises elsewhere."""
    with pytest.raises(LocalError, match="must be a key"):
        Executor(GENESIS).prove_state(0, ALPHA, "not a key")


def test_failures_tell_what_was_expected_and_found() -> None:
    """Every rollup that said NO, lowest first, with numbers for people."""
    world = World()
    bundle = world.make_bundle(
        make_leg(BETA, transfer(BOB, BALANCE + 1)), make_leg(ALPHA, transfer(BOB, BALANCE + 2, "ETH"))
    )
    world.execute(bundle)
    failures = world.executor.get_failures(bundle.id)
    key = f"balance/ETH/{ALICE.hex()}"
    assert [failure.rollup for failure in failures] == [ALPHA, BETA]
    assert failures[0][1:] == (
        "INSUFFICIENT",
        "legs[1].operations[0]",
        f"{key} at least {BALANCE + 2}",
        str(BALANCE),
    )
    assert world.executor.get_failures(bytes(32)) == ()


def test_check_bundle_foretells_and_changes_nothing() -> None:
    """A dry run of the next block with this bundle alone."""
    world = World()
    good, bad = world.make_bundle(LEG), world.make_bundle(make_leg(ALPHA, transfer(BOB, 2**63)), sequence=0)
    gap = world.make_bundle(LEG, sequence=5)
    before = world.executor.take_snapshot()
    checks = [world.executor.check_bundle(bundle) for bundle in (good, bad, gap)]
    assert [check.status for check in checks] == [Status.COMMIT, Status.ABORT, Status.INADMISSIBLE]
    assert [check.fee for check in checks] == [1_001, 1_001, 0]
    assert checks[1].failures[0].code == "INSUFFICIENT"
    assert checks[2].rejection is not None
    assert world.executor.take_snapshot() == before
