"""Messages from and to rollups that others execute: the same outcome on every node. # A19"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from sequencer.crypto.merkle import compute_root
from sequencer.execution.assets import sum_assets
from sequencer.execution.commitments import EMPTY_ROOT
from sequencer.execution.deliveries import make_in_flight_key
from sequencer.execution.machines.access import make_outbox_key
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.execution.speculation import Speculation
from sequencer.types.bundle import Bundle, Operation
from sequencer.types.message import Delivery, compute_message_id
from sequencer.types.outcome import Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest
from sequencer.types.receipt import MerklePath
from sequencer.types.verdict import RootStatement, Verdict, VerdictStatement
from tests.execution_world import ALICE, ALPHA, BALANCE, BOB, make_leg, transfer
from tests.split_chain import FREE, WITHIN, Chain, Item, declare, say_no, say_yes
from tests.split_world import DELTA, EPSILON, SPLIT_GENESIS

RUNNING = frozenset({DELTA})
TOTALS = sum((sum_assets(rollup.state) for rollup in SPLIT_GENESIS.rollups), Counter())
BOBS = make_balance_key("USD", BOB)


class Pair:
    """A node that executes delta and a validator that does not, fed with the same log."""

    def __init__(self) -> None:
        self.executor, self.validator = Chain(runs=RUNNING), Chain()

    def run(self, *items: Item) -> None:
        """Execute a block on both; whatever everybody must agree on is the same."""
        assert self.executor.run(*items) == self.validator.run(*items)

    def bundle(self, destination: int, source: int) -> Bundle:
        """Return a bundle that sends 5 USD of Alice's to Bob."""
        bundle = self.executor.bundle(make_leg(source, Operation("send", (destination, "USD", BOB, 5))))
        self.validator.sequences = dict(self.executor.sequences)
        return bundle

    def get_results(self) -> list[str]:
        """Return status or reason of the newest block's items."""
        return [result.reason or result.status.name for result in self.validator.blocks[-1].results]

    def certify_row(self) -> RootStatement:
        """Return what delta's executors certify of the newest height."""
        row = self.executor.executor.get_own_row(DELTA)
        assert row is not None
        height = self.executor.executor.height
        return RootStatement(DELTA, height, row.settled_height, row.state_root, row.receipt_root, row.outbox_root)

    def prove(self, source: int, bundle: Bundle) -> Delivery:
        """Return the delivery as the node proves it that executes everything but epsilon."""
        delivery = self.executor.executor.mail.prove_message(source, get_message_id(bundle))
        assert delivery is not None
        return delivery


def get_message_id(bundle: Bundle) -> Digest:
    return compute_message_id(bundle.rollups[0], bundle.id, 0, 0)


def get_in_flight(chain: Chain, source: int) -> object:
    return chain.get(SYSTEM_NAMESPACE, make_in_flight_key(source))


def assert_conserved(chain: Chain) -> None:
    """All rollups but epsilon, which nobody touches, hold together what the genesis gave."""
    found: Counter[str] = Counter()
    for rollup in SPLIT_GENESIS.rollups:
        is_here = rollup.id in chain.executor.runs
        found.update(sum_assets(chain.executor.get_state(rollup.id).get_entries() if is_here else rollup.state))
    assert found == TOTALS


def test_A19_message_to_a_split_rollup_arrives_where_it_is_executed() -> None:
    """Who does not execute it decides the same, and takes the message out of the source."""
    pair = Pair()
    bundle = pair.bundle(DELTA, ALPHA)
    pair.run(bundle)
    pair.run(pair.prove(ALPHA, bundle))
    assert pair.get_results() == ["COMMIT"]
    assert pair.executor.get(DELTA, BOBS) == BALANCE + 5
    assert pair.validator.get(ALPHA, make_outbox_key(get_message_id(bundle))) is None
    assert_conserved(pair.executor)


def test_A19_message_from_a_split_rollup_is_provable_once_its_row_is_certified() -> None:
    """The executors' root is remembered at the position of its certificate; before it nothing proves the message."""
    pair = Pair()
    bundle = pair.bundle(ALPHA, DELTA)
    pair.run(bundle)
    pair.run(say_yes(bundle))
    mail = pair.executor.executor.mail
    assert mail.prove_message(DELTA, get_message_id(bundle)) is None
    root = pair.certify_row()
    delivery = mail.prove_under(DELTA, get_message_id(bundle), root.height, root.outbox_root)
    assert delivery is not None
    pair.run(delivery)
    assert pair.get_results() == ["NO_PROOF"]
    pair.run(root, delivery)
    assert pair.get_results() == ["COMMIT", "COMMIT"]
    assert pair.validator.get_balance(ALPHA, BOB) == BALANCE + 5
    assert_conserved(pair.executor)


def test_A19_row_without_messages_has_the_empty_outbox_root() -> None:
    """After the delivery took effect the next row proves nothing any more."""
    pair = Pair()
    bundle = pair.bundle(ALPHA, DELTA)
    pair.run(bundle)
    pair.run(say_yes(bundle))
    assert pair.certify_row().outbox_root != EMPTY_ROOT
    pair.run(pair.certify_row())
    pair.run(pair.prove(DELTA, bundle))
    assert pair.certify_row().outbox_root == EMPTY_ROOT


class Nobody:
    """Other executors that have said nothing."""

    def get_statements(self, bundle_id: Digest, rollup: int) -> tuple[VerdictStatement, ...]:
        return ()


def test_A19_executor_foresees_what_it_settles_for_a_bundle_that_sends() -> None:
    """Its vote looks at all rollups of the network, as the settling does: the destination is one."""
    pair = Pair()
    bundle = pair.bundle(ALPHA, DELTA)
    pair.run(bundle)
    foreseen = Speculation(SPLIT_GENESIS, pair.executor.executor, DELTA).foresee(Nobody())
    assert foreseen == [say_yes(bundle)]


def make_blocker(pair: Pair) -> Bundle:
    """Return a bundle that waits for delta and writes Bob's balance there."""
    access = declare(write=[make_balance_key("USD", ALICE), BOBS])
    blocker = pair.executor.bundle(make_leg(DELTA, transfer(BOB, 1), access=access))
    pair.validator.sequences = dict(pair.executor.sequences)
    return blocker


Decide = Callable[[Pair, Bundle], None]


def commit_it(pair: Pair, blocker: Bundle) -> None:
    pair.run(say_yes(blocker))


def refuse_it(pair: Pair, blocker: Bundle) -> None:
    pair.run(say_no(blocker))


def forget_it(pair: Pair, _: Bundle) -> None:
    for _height in range(WITHIN):
        pair.run()


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("decide", [commit_it, refuse_it, forget_it])
def test_A19_delivery_waits_for_what_its_balance_rests_on(decide: Decide, is_restarted: bool) -> None:
    """It stays in the source's outbox so long, and nobody can deliver it twice; then both ends change at once."""
    pair = Pair()
    bundle, blocker = pair.bundle(DELTA, ALPHA), make_blocker(pair)
    pair.run(bundle)
    delivery = pair.prove(ALPHA, bundle)
    pair.run(blocker, delivery, delivery)
    assert pair.get_results() == ["PENDING", "PENDING", "DELIVERED"]
    assert pair.validator.get(ALPHA, make_outbox_key(get_message_id(bundle))) is not None
    assert pair.executor.get(DELTA, BOBS) == BALANCE
    mail = pair.executor.executor.mail
    assert (mail.prove_message(ALPHA, get_message_id(bundle)), mail.get_undelivered()) == (None, {})
    assert_conserved(pair.executor)
    if is_restarted:
        pair.executor.restart()
        pair.validator.restart()
    decide(pair, blocker)
    assert [decision.item_id for decision in pair.validator.blocks[-1].decisions] == [
        blocker.id,
        get_message_id(bundle),
    ]
    assert pair.validator.get(ALPHA, make_outbox_key(get_message_id(bundle))) is None
    assert pair.executor.get(DELTA, BOBS) == BALANCE + 5 + (decide is commit_it)
    assert_conserved(pair.executor)


def test_A19_item_after_a_waiting_delivery_rests_on_it() -> None:
    """A verdict on it must name the delivery among what it rests on."""
    pair = Pair()
    bundle, blocker = pair.bundle(DELTA, ALPHA), make_blocker(pair)
    access = declare(write=[make_balance_key("USD", ALICE), BOBS])
    spend = pair.executor.bundle(make_leg(DELTA, transfer(ALICE, 1), signer=BOB, access=access), payer=BOB)
    pair.run(bundle)
    pair.run(blocker, pair.prove(ALPHA, bundle), spend)
    pending = pair.validator.executor.get_pending(spend.id)
    assert pending is not None
    assert [ancestor.id for ancestor in pending.places[0].ancestors] == [blocker.id, get_message_id(bundle)]


def test_A19_nobody_gives_a_verdict_on_a_delivery() -> None:
    """A certificate on a waiting message is stale: it cannot fail."""
    pair = Pair()
    bundle, blocker = pair.bundle(DELTA, ALPHA), make_blocker(pair)
    pair.run(bundle)
    pair.run(blocker, pair.prove(ALPHA, bundle))
    pair.run(VerdictStatement(DELTA, get_message_id(bundle), Verdict.NO, "X@legs[0].operations[0]", (), FREE))
    assert pair.get_results() == ["STALE"]


@pytest.mark.parametrize(("decide", "count"), [(commit_it, 1), (refuse_it, None), (forget_it, None)])
def test_A19_what_an_undecided_bundle_may_send_is_counted_until_it_aborts(decide: Decide, count: int | None) -> None:
    """Whether there is room must be known before its verdict, and by who does not execute the source."""
    pair = Pair()
    bundle = pair.bundle(ALPHA, DELTA)
    pair.run(bundle)
    assert get_in_flight(pair.validator, DELTA) == 1
    decide(pair, bundle)
    assert get_in_flight(pair.validator, DELTA) == count


def test_A19_frozen_rollup_delivers_nothing() -> None:
    """Its executors certified what they did not compute: its state is given up, others' messages to it just go."""
    pair = Pair()
    bundle = pair.bundle(DELTA, ALPHA)
    false = pair.executor.bundle(make_leg(DELTA, transfer(BOB, 2**63)))
    pair.run(bundle, false)
    pair.run(say_yes(false))
    assert pair.executor.executor.is_frozen(DELTA)
    pair.run(pair.prove(ALPHA, bundle))
    assert pair.get_results() == ["COMMIT"]
    assert pair.executor.executor.runs == pair.validator.executor.runs


def test_A19_statuses_of_a_delivery_are_those_of_an_item() -> None:
    """PENDING while it waits, then a decision without verdicts and without a fee."""
    pair = Pair()
    bundle, blocker = pair.bundle(DELTA, ALPHA), make_blocker(pair)
    pair.run(bundle)
    pair.run(blocker, pair.prove(ALPHA, bundle))
    commit_it(pair, blocker)
    decision = pair.validator.blocks[-1].decisions[1]
    assert (decision.status, decision.reason, decision.fee, decision.verdicts) == (Status.COMMIT, "", 0, ())
    assert (decision.ordered_height, decision.ordered_index) == (2, 1)


def test_A12_lying_executors_of_one_source_take_nobody_elses_message() -> None:
    """All of delta's lie: what they certify as sent copies a message of alpha's, which arrives all the same."""
    pair = Pair()
    bundle = pair.bundle(EPSILON, ALPHA)
    pair.run(bundle)
    real = pair.prove(ALPHA, bundle)
    copied = replace(real.message, source=DELTA)
    root = replace(pair.certify_row(), height=1, outbox_root=compute_root([copied.to_bytes()]))
    pair.run()
    pair.run(root, Delivery(copied, 1, MerklePath(0, 1, ())), real)
    assert pair.get_results() == ["COMMIT", "COMMIT", "COMMIT"]
    assert pair.validator.get(ALPHA, make_outbox_key(real.message.id)) is None
