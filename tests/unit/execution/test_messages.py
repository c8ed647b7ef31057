"""Messages between rollups: sent once, provable until delivered, delivered once. # A19"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.crypto.merkle import compute_root
from sequencer.errors import LocalError
from sequencer.execution.assets import sum_assets
from sequencer.execution.deliveries import (
    IN_FLIGHT_MAX,
    ROOTS_REMEMBERED,
    apply_delivery,
    check_delivery,
    check_sends,
    count_sends,
    get_newest_root_height,
    get_outbox_root,
    make_in_flight_key,
    record_outbox_root,
    release_sends,
    reserve_sends,
    take_in,
)
from sequencer.execution.executor import Executor
from sequencer.execution.machines import MACHINES
from sequencer.execution.machines.access import SENDS_PER_LEG_MAX, LegOrigin, LegState, Revert, Value, make_outbox_key
from sequencer.execution.outbox import OutboxBook
from sequencer.state.journal import Journal
from sequencer.state.state_tree import build_tree
from sequencer.types.bundle import Operation
from sequencer.types.genesis import Genesis
from sequencer.types.message import CrossMessage, Delivery
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import StateValue
from tests.execution_world import ALICE, ALPHA, BALANCE, BETA, BOB, GAMMA, GENESIS, RESERVE, World, make_leg

USD_ALICE, USD_BOB = f"balance/USD/{ALICE.hex()}", f"balance/USD/{BOB.hex()}"
U64 = 2**64 - 1
BUNDLE_ID = bytes(range(32))
OPERATIONS = {ALPHA: MACHINES["transfer"], BETA: MACHINES["amm"], GAMMA: MACHINES["key_value"]}


def make_state(*entries: tuple[str, StateValue]) -> LegState:
    return LegState(Journal(build_tree(entries)), ALICE, None, LegOrigin(ALPHA, BUNDLE_ID, 3, OPERATIONS))


def send(state: LegState, *arguments: Value) -> None:
    MACHINES["transfer"]["send"](state, arguments)


def make_message(number: int = 0, amount: int = 7) -> CrossMessage:
    return CrossMessage(ALPHA, BETA, "USD", ALICE, BOB, amount, BUNDLE_ID, 0, number)


def make_book(*messages: CrossMessage) -> OutboxBook:
    return OutboxBook({ALPHA: build_tree((make_outbox_key(message.id), message.to_bytes()) for message in messages)})


def make_delivery(message: CrossMessage, book: OutboxBook, height: int = 5) -> Delivery:
    proven = book.prove(ALPHA, message.id, book.get_root(ALPHA))
    assert proven is not None
    return Delivery(proven[0], height, proven[1])


def make_system(book: OutboxBook, height: int = 5) -> Journal:
    """Return a system state that remembers the book's root, with one message in flight."""
    system = Journal(build_tree([(make_in_flight_key(ALPHA), 1)]))
    record_outbox_root(system, ALPHA, height, book.get_root(ALPHA))
    return system


def admit_delivery(system: Journal, delivery: Delivery, height: int) -> Rejection | None:
    """Do what the automaton does at the delivery's position."""
    rejection = check_delivery(system.get, delivery)
    if rejection is None:
        take_in(system, delivery.message, height)
    return rejection


def get_reason(rejection: Rejection | None) -> Reason | None:
    return None if rejection is None else rejection.reason


def test_send_debits_the_sender_and_puts_the_message_into_the_outbox() -> None:
    """The id is made of bundle, leg and operation; the amount is exported."""
    state = make_state((USD_ALICE, 10))
    state.operation = 2
    send(state, BETA, "USD", BOB, 7)
    message = CrossMessage(ALPHA, BETA, "USD", ALICE, BOB, 7, BUNDLE_ID, 3, 2)
    assert dict(state.journal.writes) == {USD_ALICE: 3, make_outbox_key(message.id): message.to_bytes()}
    assert state.outputs == {"amount": 7}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((BETA, "USD", BOB, 11), "INSUFFICIENT"),
        ((BETA, "USD", BOB, 0), "BAD_ARGUMENT"),
        ((BETA, "USD", BOB[1:], 1), "BAD_ARGUMENT"),
        ((BETA, "U/D", BOB, 1), "BAD_ARGUMENT"),
        ((b"beta", "USD", BOB, 1), "BAD_ARGUMENT"),
        ((BETA, "USD", BOB), "BAD_ARGUMENT"),
        ((ALPHA, "USD", BOB, 1), "BAD_DESTINATION"),
        ((GAMMA, "USD", BOB, 1), "BAD_DESTINATION"),
        ((9, "USD", BOB, 1), "BAD_DESTINATION"),
    ],
)
def test_wrong_send_reverts_with_its_code_and_sends_nothing(arguments: tuple[Value, ...], code: str) -> None:
    """Neither to oneself, nor to a rollup without balances, nor to one that does not exist."""
    state = make_state((USD_ALICE, 10))
    with pytest.raises(Revert) as caught:
        send(state, *arguments)
    assert (caught.value.code, dict(state.journal.writes)) == (code, {})


def test_leg_that_sends_too_often_reverts() -> None:
    """Sixteen are allowed."""
    state = make_state((USD_ALICE, 100))
    for _ in range(SENDS_PER_LEG_MAX):
        send(state, BETA, "USD", BOB, 1)
    with pytest.raises(Revert) as caught:
        send(state, BETA, "USD", BOB, 1)
    assert (caught.value.code, caught.value.found) == ("TOO_MANY_MESSAGES", "17")


def test_no_leg_can_look_into_the_outbox() -> None:
    """Else a delivery would be in conflict with legs that nobody could see from their access sets."""
    with pytest.raises(Revert) as caught:
        make_state((make_outbox_key(BUNDLE_ID), b"x")).get(make_outbox_key(BUNDLE_ID))
    assert caught.value.code == "ACCESS"


def test_outbox_root_is_over_the_undelivered_messages_ascending_by_id() -> None:
    """What is put in and taken out again leaves no trace; the order of sending neither."""
    first, second = sorted((make_message(0), make_message(1)), key=lambda message: message.id)
    book = make_book()
    for message in (second, first):
        book.apply_writes(ALPHA, {make_outbox_key(message.id): message.to_bytes(), USD_ALICE: 1})
    assert book.close_height() == (ALPHA,)
    assert book.get_root(ALPHA) == compute_root([first.to_bytes(), second.to_bytes()])
    book.apply_writes(ALPHA, {make_outbox_key(second.id): None})
    assert book.close_height() == (ALPHA,)
    assert book.get_root(ALPHA) == compute_root([first.to_bytes()]) == make_book(first).get_root(ALPHA)
    assert book.close_height() == ()


def test_undelivered_message_is_provable_by_every_later_root() -> None:
    """Others come and go; after a restart too, for the book is read from the state."""
    old, system = make_message(0), Journal(build_tree([]))
    book = make_book(old)
    for number in range(1, 6):
        message = make_message(number)
        book.apply_writes(ALPHA, {make_outbox_key(message.id): message.to_bytes()})
        if number > 1:
            book.apply_writes(ALPHA, {make_outbox_key(make_message(number - 1).id): None})
        book.close_height()
        record_outbox_root(system, ALPHA, number, book.get_root(ALPHA))
        assert check_delivery(system.get, make_delivery(old, book, number)) is None
    restarted = make_book(old, make_message(5))
    assert check_delivery(system.get, make_delivery(old, restarted, 5)) is None


def test_message_is_not_provable_by_a_root_from_before_it() -> None:
    """Control: a proof is made of what stood there, not of what stands there now."""
    message, book = make_message(), make_book()
    before = book.get_root(ALPHA)
    book.apply_writes(ALPHA, {make_outbox_key(message.id): message.to_bytes()})
    book.close_height()
    assert book.prove(ALPHA, message.id, before) is None
    assert book.prove(BETA, message.id, before) is None
    assert book.prove(ALPHA, message.id, book.get_root(ALPHA)) is not None


def test_delivery_takes_effect_once() -> None:
    """The second is DELIVERED whatever proof it brings, and counts nothing down."""
    message = make_message()
    book = make_book(message)
    system = make_system(book)
    assert admit_delivery(system, make_delivery(message, book), 6) is None
    record_outbox_root(system, ALPHA, 7, book.get_root(ALPHA))
    again = admit_delivery(system, make_delivery(message, book, 7), 8)
    assert get_reason(again) is Reason.DELIVERED
    assert system.get(make_in_flight_key(ALPHA)) is None


@pytest.mark.parametrize("change", ["amount", "height", "source", "path", "unsent"])
def test_delivery_without_proof_has_no_effect(change: str) -> None:
    """A message that differs in anything, or a root that is not the source's at that height."""
    message, other = make_message(0), make_message(1)
    book = make_book(message, other)
    system, delivery = make_system(book), make_delivery(message, book)
    forged = {
        "amount": Delivery(make_message(0, 8), delivery.height, delivery.path),
        "height": Delivery(message, 6, delivery.path),
        "source": Delivery(CrossMessage(BETA, ALPHA, "USD", ALICE, BOB, 7, BUNDLE_ID, 0, 0), 5, delivery.path),
        "path": Delivery(message, 5, make_delivery(other, book).path),
        "unsent": Delivery(make_message(2), 5, delivery.path),
    }[change]
    rejection = admit_delivery(system, forged, 6)
    assert get_reason(rejection) is Reason.NO_PROOF
    assert admit_delivery(system, delivery, 6) is None


def test_root_is_forgotten_when_a_newer_one_takes_its_slot() -> None:
    """The newest stays for as long as there is none newer; an empty outbox is not remembered."""
    system = Journal(build_tree([]))
    roots = {height: bytes([height % 256]) * 32 for height in (5, 6, 5 + ROOTS_REMEMBERED)}
    for height, root in roots.items():
        record_outbox_root(system, ALPHA, height, root)
    record_outbox_root(system, ALPHA, 6 + ROOTS_REMEMBERED, compute_root(()))
    found = [get_outbox_root(system.get, ALPHA, height) for height in roots]
    assert found == [None, roots[6], roots[5 + ROOTS_REMEMBERED]]
    assert get_newest_root_height(system.get, ALPHA) == 5 + ROOTS_REMEMBERED


def test_delivery_moves_the_amount_from_the_outbox_to_the_receiver() -> None:
    """Both at once, and each only where the rollup is run."""
    message = make_message()
    source, destination = (
        Journal(build_tree([(make_outbox_key(message.id), message.to_bytes())])),
        Journal(build_tree([(USD_BOB, 1)])),
    )
    apply_delivery({ALPHA: source, BETA: destination}, message)
    assert source.get(make_outbox_key(message.id)) is None
    assert destination.get(USD_BOB) == 8
    apply_delivery({GAMMA: source}, make_message(1))
    assert dict(source.writes) == {make_outbox_key(message.id): None}


def test_forged_amount_cannot_stop_a_delivery() -> None:
    """A lying majority of executors can send what it never had: the balance stays at the largest amount."""
    destination = Journal(build_tree([(USD_BOB, 2)]))
    apply_delivery({BETA: destination}, make_message(amount=U64))
    assert destination.get(USD_BOB) == U64


def test_bundle_that_might_send_too_much_is_refused_until_others_arrive() -> None:
    """The cap counts what is sent or may be, per source; an abort gives back."""
    sending = make_leg(ALPHA, *[Operation("send", (BETA, "USD", BOB, 1))] * 2)
    sends = count_sends(World().make_bundle(sending, make_leg(BETA, Operation("send", (ALPHA, "USD", BOB, 1)))))
    system = Journal(build_tree([(make_in_flight_key(ALPHA), IN_FLIGHT_MAX - 2)]))
    assert check_sends(system.get, sends) is None
    reserve_sends(system, sends)
    assert [system.get(make_in_flight_key(rollup)) for rollup in (ALPHA, BETA)] == [IN_FLIGHT_MAX, 1]
    assert get_reason(check_sends(system.get, sends)) is Reason.OUTBOX_FULL
    release_sends(system, sends)
    assert [system.get(make_in_flight_key(rollup)) for rollup in (ALPHA, BETA)] == [IN_FLIGHT_MAX - 2, None]


def make_genesis_with(rollup: int, *entries: tuple[str, StateValue]) -> Genesis:
    """Return the test network with another state of one rollup."""
    rollups = tuple(replace(r, state=tuple(sorted(entries))) if r.id == rollup else r for r in GENESIS.rollups)
    return replace(GENESIS, rollups=rollups)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        (USD_ALICE, U64 - 2 * 8 * BALANCE - RESERVE + 1, "adds up to"),
        (USD_ALICE, b"x", "must be an amount"),
        ("pool/A-B/A", b"x", "must be an amount"),
        (make_outbox_key(BUNDLE_ID), b"x", "nobody sent a message"),
    ],
)
def test_genesis_in_which_a_delivery_could_fail_is_refused(key: str, value: StateValue, problem: str) -> None:
    """Every asset fits into one balance, balances are amounts, outboxes are empty."""
    with pytest.raises(LocalError, match=problem):
        Executor(make_genesis_with(GAMMA, (key, value)))


def test_genesis_with_the_largest_total_is_taken() -> None:
    """Control: one unit less than too much."""
    rest = U64 - 2 * 8 * BALANCE - RESERVE
    assert Executor(make_genesis_with(GAMMA, (USD_ALICE, rest))).height == 0


def test_sum_of_assets_counts_balances_reserves_and_messages() -> None:
    """Anything else, whatever it holds, is no asset."""
    message = make_message(amount=5)
    entries = [(USD_ALICE, 1), (USD_BOB, 2), ("pool/ETH-USD/USD", 3), ("pool/ETH-USD/ETH", 4), ("kv/balance/USD", 9)]
    assert sum_assets([*entries, (make_outbox_key(message.id), message.to_bytes())]) == {"USD": 11, "ETH": 4}
