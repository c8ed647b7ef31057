"""Messages between rollups through whole blocks: sent with their bundle, delivered once, nothing made or lost. # A19"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from sequencer.execution import deliveries
from sequencer.execution.assets import sum_assets
from sequencer.execution.executor import Executor
from sequencer.execution.machines.access import make_outbox_key
from sequencer.types.bundle import AtLeast, Bundle, Operation
from sequencer.types.item import CheckedItem, check_item
from sequencer.types.message import Delivery, compute_message_id
from sequencer.types.outcome import ItemResult, OutcomeLeaf, Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest
from tests.execution_world import (
    ALICE,
    ALPHA,
    BALANCE,
    BETA,
    BOB,
    CAROL,
    GAMMA,
    GENESIS,
    World,
    make_leg,
    set_key,
    transfer,
    verify_token,
)

FALSE = AtLeast("kv/absent", 1)
TOTALS = sum((sum_assets(rollup.state) for rollup in GENESIS.rollups), Counter())


def make_send(amount: int = 5, asset: str = "USD") -> Operation:
    return Operation("send", (BETA, asset, BOB, amount))


def send(world: World, *amounts: int) -> tuple[Digest, ...]:
    """Execute one bundle of Alice's that sends these amounts to Bob; return the ids of the messages."""
    bundle = world.make_bundle(make_leg(ALPHA, *[make_send(amount) for amount in amounts]))
    assert world.execute(bundle).results[0].reason == ""
    return tuple(compute_message_id(ALPHA, bundle.id, 0, operation) for operation in range(len(amounts)))


def prove(world: World, message_id: Digest) -> Delivery:
    delivery = world.executor.mail.prove_message(ALPHA, message_id)
    assert delivery is not None
    return delivery


def check(delivery: Delivery) -> tuple[bytes, CheckedItem]:
    return delivery.item_bytes, check_item(delivery.item_bytes, GENESIS.item_rules, verify_token)


def deliver(world: World, *proven: Delivery) -> tuple[ItemResult, ...]:
    return world.execute_items([check(delivery) for delivery in proven]).results


def get_in_flight(world: World) -> object:
    return world.get(SYSTEM_NAMESPACE, deliveries.make_in_flight_key(ALPHA))


def assert_conserved(world: World) -> None:
    """Every asset over all rollups, what is in flight included, is what the genesis gave."""
    states = (world.executor._history.newest.get_state(rollup.id) for rollup in GENESIS.rollups)
    assert sum((sum_assets(state.get_entries()) for state in states), Counter()) == TOTALS


def test_A19_message_leaves_with_its_bundle_and_arrives_with_its_delivery() -> None:
    """In between it is in flight: on neither balance, and counted."""
    world = World()
    (message_id,) = send(world, 5)
    assert (world.get_balance(ALPHA, ALICE), world.get_balance(BETA, BOB)) == (BALANCE - 5, BALANCE)
    assert get_in_flight(world) == 1
    assert_conserved(world)
    (result,) = deliver(world, prove(world, message_id))
    assert result == ItemResult(0, message_id, Status.COMMIT, "", 0)
    assert world.blocks[-1].outcomes == (OutcomeLeaf(message_id, Status.COMMIT, ""),)
    assert world.get_balance(BETA, BOB) == BALANCE + 5
    assert (get_in_flight(world), world.get(ALPHA, make_outbox_key(message_id))) == (None, None)
    assert world.executor.mail.get_undelivered() == {}
    assert_conserved(world)


def test_A19_aborted_bundle_sends_nothing() -> None:
    """The leg that sends is fine, another one fails: no message, no count, the same outbox root."""
    world = World()
    before = world.execute()
    bundle = world.make_bundle(make_leg(ALPHA, make_send()), make_leg(GAMMA, set_key("kv/m"), conditions=(FALSE,)))
    after = world.execute(bundle)
    assert after.results[0].status is Status.ABORT
    assert [row.outbox_root for row in after.rows] == [row.outbox_root for row in before.rows]
    assert (get_in_flight(world), world.executor.mail.get_undelivered()) == (None, {})
    assert_conserved(world)


def test_A19_second_delivery_has_no_effect_in_the_same_block_and_later() -> None:
    """Whoever brings it, and by whatever root that proves it still."""
    world = World()
    first, second = send(world, 5, 6)
    early = prove(world, first)
    send(world, 1)
    late = prove(world, first)
    results = deliver(world, early, late, early)
    later = deliver(world, late)
    assert [result.reason for result in (*results, *later)] == ["", "DELIVERED", "DELIVERED", "DELIVERED"]
    assert [result.status for result in results[1:]] == [Status.INADMISSIBLE] * 2
    assert world.get_balance(BETA, BOB) == BALANCE + 5
    assert deliver(world, prove(world, second))[0].status is Status.COMMIT
    assert_conserved(world)


def test_A19_forged_delivery_has_no_effect() -> None:
    """The amount is in the leaf, the leaf under the root: another amount leads elsewhere."""
    world = World()
    (message_id,) = send(world, 5)
    real = prove(world, message_id)
    forged = replace(real.message, amount=6)
    results = deliver(world, Delivery(forged, real.height, real.path), Delivery(real.message, 99, real.path))
    assert [result.reason for result in results] == ["NO_PROOF", "NO_PROOF"]
    assert world.get_balance(BETA, BOB) == BALANCE
    assert_conserved(world)


def test_A19_root_counts_from_the_block_after_its_own() -> None:
    """A block cannot deliver what it sends: roots are of ends of blocks."""
    world, ahead = World(), World()
    (message_id,) = send(ahead, 5)
    bundle = world.make_bundle(make_leg(ALPHA, make_send()))
    items = [world.check(bundle), check(prove(ahead, message_id))]
    assert [result.reason for result in world.execute_items(items).results] == ["", "NO_PROOF"]
    assert deliver(world, prove(ahead, message_id))[0].reason == ""


def test_A19_undelivered_message_is_provable_as_long_as_it_takes() -> None:
    """Its first root is forgotten; the newest one proves it after any number of heights."""
    world = World()
    (message_id,) = send(world, 5)
    first = prove(world, message_id)
    for _ in range(2):
        world.execute_empty(deliveries.ROOTS_REMEMBERED - 1)
        send(world, 1)
    assert deliver(world, first)[0].reason == "NO_PROOF"
    assert deliver(world, prove(world, message_id))[0].reason == ""
    assert_conserved(world)


def test_A19_items_after_a_delivery_see_it() -> None:
    """A delivery takes effect at its position: Bob can spend it in the same block, and not before."""
    world = World()
    (message_id,) = send(world, 5)
    spend = make_leg(BETA, transfer(CAROL, BALANCE + 5), signer=BOB)
    early, late = world.make_bundle(spend, payer=BOB), world.make_bundle(spend, payer=BOB)
    items = [world.check(early), check(prove(world, message_id)), world.check(late)]
    assert [result.status for result in world.execute_items(items).results] == [
        Status.ABORT,
        Status.COMMIT,
        Status.COMMIT,
    ]


def test_A19_rollup_with_too_much_in_flight_takes_no_more_until_some_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """OUTBOX_FULL costs neither sequence nor fee."""
    monkeypatch.setattr(deliveries, "IN_FLIGHT_MAX", 2)
    world = World()
    message_id, _ = send(world, 1, 2)
    deposit = world.executor.get_deposit(ALICE)
    third = world.make_bundle(make_leg(ALPHA, make_send()))
    result = world.execute(third).results[0]
    assert (result.status, result.reason) == (Status.INADMISSIBLE, "OUTBOX_FULL")
    assert world.executor.get_deposit(ALICE) == deposit
    assert world.executor.check_bundle(third).rejection is not None
    deliver(world, prove(world, message_id))
    assert world.execute(third).results[0].reason == ""


def test_A19_restart_in_between_changes_nothing() -> None:
    """Outbox, remembered roots and inbox are in the snapshot: the same commitments, the same proofs."""
    world, restarted = World(), World()
    bundles: list[Bundle] = [world.make_bundle(make_leg(ALPHA, make_send(amount))) for amount in (1, 2, 3)]
    message_ids = [compute_message_id(ALPHA, bundle.id, 0, 0) for bundle in bundles]
    for step in range(3):
        snapshot, header = restarted.executor.take_snapshot(), restarted.executor.header
        restarted.executor = Executor.restore(GENESIS, snapshot, header)
        assert restarted.execute(bundles[step]) == world.execute(bundles[step])
        restarted.executor = Executor.restore(GENESIS, restarted.executor.take_snapshot(), restarted.executor.header)
        delivery = prove(restarted, message_ids[step])
        assert deliver(restarted, delivery, delivery) == deliver(world, delivery, delivery)
        assert world.blocks[-1] == restarted.blocks[-1]
    assert [result.reason for result in world.blocks[-1].results] == ["", "DELIVERED"]
