"""Split rollups: values are proven under the row certified last, outcomes at the height where they fell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import LocalError
from sequencer.execution.proofs import build_inclusion, build_list, build_message
from sequencer.execution.receipts import build_receipt, join_state_proof
from sequencer.light import (
    InclusionView,
    MessageView,
    ReceiptView,
    StateProofView,
    verify_file,
    verify_inclusion,
    verify_list,
    verify_message,
    verify_receipt,
    verify_state_proof,
)
from sequencer.types.bundle import Bundle, Operation
from sequencer.types.message import compute_message_id
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest
from sequencer.types.verdict import RootStatement
from tests.execution_world import ALPHA, BETA, BOB, make_leg, sign_certificate
from tests.split_chain import Chain, say_no, say_yes, touch
from tests.split_world import DELTA, SPLIT_GENESIS


def make_root(chain: Chain) -> RootStatement:
    """Return what delta's executors certify of the newest height."""
    row = chain.executor.get_own_row(DELTA)
    assert row is not None
    return RootStatement(DELTA, chain.executor.height, *row[1:])


def prove(chain: Chain, height: int, key: str, namespace: int = DELTA) -> StateProofView:
    """Return what a proof of a key at a height says, verified under the newest height's certificate."""
    commitments = chain.get_commitments(height)
    certificate = sign_certificate(commitments[-1], genesis=SPLIT_GENESIS)
    data = join_state_proof(chain.executor.prove_state(height, namespace, key), commitments, certificate)
    return verify_state_proof(data, SPLIT_GENESIS, verify_ed25519)


def get_receipt(chain: Chain, bundle_id: bytes, ordered: int, decided: int) -> ReceiptView:
    """Return what the receipt of a bundle says, verified."""
    commitments = chain.get_commitments(ordered)
    certificate = sign_certificate(commitments[-1], genesis=SPLIT_GENESIS)
    blocks = chain.blocks
    data = build_receipt(blocks[ordered - 1], commitments[1:], certificate, bundle_id, blocks[decided - 1])
    return verify_receipt(data, SPLIT_GENESIS, verify_ed25519)


def make_chain(runs: frozenset[int] = frozenset({DELTA})) -> Chain:
    """Delta holds kv/a = 1 from height 2 on, certified at 4; kv/a = 2 from height 3 on, not certified."""
    chain = Chain(runs=runs)
    first = chain.bundle(touch(DELTA, "a", value=1))
    chain.run(first)
    chain.run(say_yes(first))
    statement = make_root(chain) if runs else RootStatement(DELTA, 2, 2, bytes(32), bytes(32), bytes(32))
    second = chain.bundle(touch(DELTA, "a", value=2))
    chain.run(second, say_yes(second))
    chain.run(statement)
    return chain


def test_A11_value_of_a_split_rollup_is_the_one_certified_last() -> None:
    """At height 4 the row is that of height 2; before, that of the genesis."""
    chain = make_chain()
    assert chain.get(DELTA, "kv/a") == 2
    view = prove(chain, 4, "kv/a")
    assert (view.namespace, view.value, view.height, view.settled_height) == (DELTA, 1, 4, 2)
    assert prove(chain, 3, "kv/a").value is None


def test_A11_absence_on_a_split_rollup_is_proven() -> None:
    """Nobody ever wrote kv/b."""
    view = prove(make_chain(), 4, "kv/b")
    assert (view.value, view.settled_height) == (None, 2)


def test_value_of_a_rollup_that_is_not_executed_here_cannot_be_proven() -> None:
    """A validator says so."""
    with pytest.raises(LocalError, match="rollup 4 is not executed here"):
        make_chain(frozenset()).executor.prove_state(4, DELTA, "kv/a")


def test_row_that_was_certified_wrong_cannot_be_proven_against() -> None:
    """No state held here has that root."""
    chain = Chain(runs=frozenset({DELTA}))
    chain.run()
    chain.run(replace(make_root(chain), state_root=b"x" * 32))
    with pytest.raises(LocalError, match="older than 256 heights"):
        chain.executor.prove_state(2, DELTA, "kv/a")


@pytest.mark.parametrize("runs", [frozenset[int](), frozenset({DELTA})])
def test_receipt_of_a_bundle_that_waited_has_both_heights(runs: frozenset[int]) -> None:
    """Ordered at 1, committed at 3, on nodes that run delta and that do not."""
    chain = Chain(runs=runs)
    bundle = chain.bundle(touch(ALPHA, "a"), touch(DELTA, "a"))
    chain.run(bundle)
    chain.run()
    chain.run(say_yes(bundle))
    chain.run()
    view = get_receipt(chain, bundle.id, 1, 3)
    assert (view.status, view.height, view.decided_height, view.rollups) == (Status.COMMIT, 1, 3, (ALPHA, DELTA))


def test_receipts_of_aborts_name_their_reasons() -> None:
    """A certified NO, and nobody's word until the deadline."""
    chain = Chain()
    refused, forgotten = chain.bundle(touch(DELTA, "a")), chain.bundle(touch(DELTA, "b"))
    chain.run(refused, forgotten)
    chain.run(say_no(refused))
    chain.run_until(12)
    assert get_receipt(chain, refused.id, 1, 2).reason == "NO:delta:TOO_LOW@legs[0].conditions[0]"
    view = get_receipt(chain, forgotten.id, 1, 11)
    assert (view.status, view.reason) == (Status.ABORT, "TIMEOUT:delta")


def test_inclusion_is_proven_while_the_bundle_is_undecided() -> None:
    """It has no outcome yet, so there is no receipt."""
    chain = Chain()
    bundle = chain.bundle(touch(ALPHA, "a"), touch(DELTA, "a"))
    block = chain.run(bundle)
    certificate = sign_certificate(block.commitment, genesis=SPLIT_GENESIS)
    view = verify_inclusion(build_inclusion(block, (), certificate, 0), SPLIT_GENESIS, verify_ed25519)
    assert (view.item_id, view.rollups) == (bundle.id, (ALPHA, DELTA))
    with pytest.raises(LocalError, match="was not decided at height 1"):
        build_receipt(block, (), certificate, bundle.id)


def test_inclusion_of_a_certificate_has_its_kind() -> None:
    """Everybody can see that the executors' word is in the log."""
    chain = Chain()
    bundle = chain.bundle(touch(DELTA, "a"))
    chain.run(bundle)
    block = chain.run(say_yes(bundle))
    certificate = sign_certificate(block.commitment, genesis=SPLIT_GENESIS)
    view = verify_file(build_inclusion(block, (), certificate, 0), SPLIT_GENESIS, verify_ed25519)
    assert isinstance(view, InclusionView)
    assert (view.kind, view.rollups) == (2, ())


def send(chain: Chain, source: int, destination: int) -> tuple[Bundle, Digest]:
    """Return a bundle that sends 5 USD of ALICE's to BOB, and its message's id."""
    bundle = chain.bundle(make_leg(source, Operation("send", (destination, "USD", BOB, 5))))
    return bundle, compute_message_id(source, bundle.id, 0, 0)


def prove_sent(chain: Chain, source: int, message_id: Digest) -> MessageView:
    """Return what the proof of a message says, verified under the newest height's certificate."""
    delivery = chain.executor.prove_sent(source, message_id, chain.executor.height)
    assert delivery is not None
    commitments = chain.get_commitments(delivery.height)
    certificate = sign_certificate(commitments[-1], genesis=SPLIT_GENESIS)
    data = build_message(chain.blocks[delivery.height - 1], commitments[1:], certificate, delivery)
    return verify_message(data, SPLIT_GENESIS, verify_ed25519)


def test_A19_message_of_a_native_rollup_is_proven_also_after_its_delivery() -> None:
    """Sent at 1, delivered at 3; the newest height that holds it is 2."""
    chain = Chain()
    bundle, message_id = send(chain, ALPHA, BETA)
    chain.run(bundle)
    assert prove_sent(chain, ALPHA, message_id).height == 1
    chain.run()
    delivery = chain.executor.mail.prove_message(ALPHA, message_id)
    assert delivery is not None
    chain.run(delivery)
    view = prove_sent(chain, ALPHA, message_id)
    assert (view.message.id, view.message.amount, view.height) == (message_id, 5, 2)


def test_A19_message_of_a_split_rollup_is_proven_under_the_certified_row() -> None:
    """Its executors' row of height 2 is under the exec root from height 3 on."""
    chain = Chain(runs=frozenset({DELTA}))
    bundle, message_id = send(chain, DELTA, ALPHA)
    chain.run(bundle)
    chain.run(say_yes(bundle))
    assert chain.executor.prove_sent(DELTA, message_id, 2) is None
    chain.run(make_root(chain))
    view = prove_sent(chain, DELTA, message_id)
    assert (view.message.source, view.height, view.settled_height) == (DELTA, 3, 2)


def test_A19_delivery_stands_in_the_lists_of_both_rollups() -> None:
    """Its id is the message's; who asks for all that touched a rollup at a height finds it."""
    chain = Chain()
    bundle, message_id = send(chain, ALPHA, BETA)
    chain.run(bundle)
    delivery = chain.executor.mail.prove_message(ALPHA, message_id)
    assert delivery is not None
    chain.run(delivery)
    view = get_receipt(chain, message_id, 2, 2)
    assert (view.bundle_id, view.status, view.rollups, view.index) == (message_id, Status.COMMIT, (BETA, ALPHA), 0)
    certificate = sign_certificate(chain.blocks[1].commitment, genesis=SPLIT_GENESIS)
    for rollup in (ALPHA, BETA):
        listed = verify_list(build_list(chain.blocks[1], (), certificate, rollup), SPLIT_GENESIS, verify_ed25519)
        assert listed.item_ids == (message_id,)
