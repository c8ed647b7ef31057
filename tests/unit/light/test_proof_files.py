"""Proof files of every kind: the genuine one verifies from the genesis alone, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.crypto.merkle import compute_root
from sequencer.errors import LocalError, VerificationError
from sequencer.execution.proofs import build_inclusion, build_list, build_message
from sequencer.execution.receipts import build_receipt
from sequencer.light import (
    AbsenceView,
    CertificateView,
    InclusionView,
    ListView,
    MessageView,
    ReceiptView,
    verify_unlisted,
)
from sequencer.types.leaves import encode_leg_leaf
from sequencer.types.message import Delivery
from sequencer.types.outcome import Status
from sequencer.types.proof_files import (
    AbsenceProof,
    InclusionProof,
    ListProof,
    MessageProof,
    NamespaceRow,
    decode_certificate_file,
    encode_certificate_file,
)
from sequencer.types.receipt import DECIDED_AFTER_MAX, MerklePath, Receipt
from sequencer.types.verdict import Verdict, VerdictStatement
from tests.execution_world import ALPHA, BETA, GAMMA, GENESIS, make_genesis, sign_certificate
from tests.split_world import SPLIT_GENESIS
from tests.unit.light.proven_world import (
    CASE,
    FILES,
    MESSAGES,
    make_late_receipt,
    make_message_proof,
    make_verdict,
    verify,
)


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_byte_is_refused(name: str) -> None:
    """No byte is uncovered."""
    data = FILES[name]()
    verify(data)
    genesis = SPLIT_GENESIS if name == "verdict" else GENESIS
    for place in range(len(data)):
        damaged = data[:place] + bytes([data[place] ^ 0x01]) + data[place + 1 :]
        with pytest.raises(VerificationError):
            verify(damaged, genesis)


@pytest.mark.parametrize("name", FILES)
def test_truncated_extended_or_foreign_file_is_refused(name: str) -> None:
    """Whole, exactly, and of this network."""
    data = FILES[name]()
    for damaged in (data[:-1], data + b"\x00"):
        with pytest.raises(VerificationError):
            verify(damaged)
    with pytest.raises(VerificationError):
        verify(data, make_genesis(name="other"))


def test_late_receipt_proves_where_the_bundle_stood_and_where_it_ended() -> None:
    """Ordered at 1, timed out at 4, certified at 5."""
    view = verify(make_late_receipt())
    assert isinstance(view, ReceiptView)
    assert (view.status, view.reason) == (Status.ABORT, "TIMEOUT:delta")
    assert (view.height, view.decided_height, view.certified_height) == (1, 4, 5)
    assert view.rollups == (ALPHA, GAMMA)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (
            lambda receipt: replace(receipt, outcome=replace(receipt.outcome, status=Status.COMMIT, reason="")),
            "outcome root of height 4",
        ),
        (lambda receipt: replace(receipt, decided_after=2), "outcome root of height 3"),
        (lambda receipt: replace(receipt, decided_after=5), "beyond the last commitment"),
        (lambda receipt: replace(receipt, legs=receipt.legs[:1]), r"legs\[0\]"),
        (lambda receipt: replace(receipt, legs=()), r"receipt\.legs: must have 1"),
        (lambda receipt: replace(receipt, kind=5), "envelope: is not under"),
        (lambda receipt: replace(receipt, kind=2), "must be there iff"),
    ],
)
def test_changed_late_receipt_is_refused(change: object, step: str) -> None:
    """Another outcome, height of decision or number of legs."""
    receipt = Receipt.from_bytes(make_late_receipt())
    with pytest.raises(VerificationError, match=step):
        verify(change(receipt).to_bytes())  # type: ignore[operator] # a function of a receipt


def test_receipt_decided_later_than_any_deadline_is_refused() -> None:
    """A21 bounds what a receipt may claim, so a place far back is not the item's."""
    receipt = replace(Receipt.from_bytes(make_late_receipt()), decided_after=DECIDED_AFTER_MAX + 1)
    with pytest.raises(VerificationError, match="decided_after"):
        verify(receipt.to_bytes())


def test_receipt_of_a_bundle_decided_elsewhere_cannot_be_built() -> None:
    """The block that is said to decide it must hold its outcome."""
    with pytest.raises(LocalError, match="not decided at height 2"):
        build_receipt(CASE.block, CASE.later, CASE.certificate, CASE.committed.id, CASE.empty)


def test_inclusion_shows_all_legs_of_a_bundle() -> None:
    """Index 6 of height 1; two legs on alpha and one on gamma."""
    view = verify(CASE.inclusion(6))
    assert isinstance(view, InclusionView)
    assert (view.kind, view.item_id, view.height, view.index) == (1, CASE.committed.id, 1, 6)
    assert (view.rollups, view.leg_positions) == ((ALPHA, GAMMA, ALPHA), (5, 0, 6))
    assert view.leg_digests == tuple(leg.digest for leg in CASE.committed.legs)


def test_inclusion_of_an_item_that_nobody_can_read_has_kind_0() -> None:
    """It was ordered, though it had no effect."""
    view = verify(CASE.inclusion(5))
    assert isinstance(view, InclusionView)
    assert (view.kind, view.rollups) == (0, ())


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (lambda proof: replace(proof, legs=proof.legs[:2]), r"legs\[0\]"),
        (lambda proof: replace(proof, legs=()), "must be there iff"),
        (lambda proof: replace(proof, kind=2, legs=()), "envelope: is not under"),
        (lambda proof: replace(proof, legs=proof.legs[::-1]), r"legs\[0\]"),
        (lambda proof: replace(proof, envelope=proof.legs[0].inclusion), "not in namespace 0"),
        (
            lambda proof: replace(proof, legs=(replace(proof.legs[0], inclusion=proof.envelope), *proof.legs[1:])),
            r"legs\[0\]: is in namespace 0",
        ),
    ],
)
def test_changed_inclusion_is_refused(change: object, step: str) -> None:
    """A leg removed with its count, all of them, another kind, order or namespace."""
    with pytest.raises(VerificationError, match=step):
        verify(change(InclusionProof.from_bytes(CASE.inclusion(6))).to_bytes())  # type: ignore[operator] # of a proof


def test_list_holds_every_leg_of_the_rollup_in_order() -> None:
    """Five others, both of the committed bundle, one of the aborted."""
    view = verify(CASE.list(ALPHA))
    assert isinstance(view, ListView)
    others = [result.item_id for result in CASE.block.results[:5]]
    assert list(view.item_ids) == [*others, CASE.committed.id, CASE.committed.id, CASE.aborted.id]


def test_list_of_namespace_0_holds_every_item() -> None:
    """Inadmissible ones too."""
    view = verify(CASE.list(0))
    assert isinstance(view, ListView)
    assert view.item_ids == tuple(result.item_id for result in CASE.block.results)


FOREIGN_LEAF = encode_leg_leaf(b"x" * 32, 0, 1, b"y" * 32)


@pytest.mark.parametrize(
    "change",
    [
        lambda leaves: leaves[:-1],
        lambda leaves: leaves[1:],
        lambda leaves: (*leaves[:2], *leaves[3:]),
        lambda leaves: (*leaves, leaves[-1]),
        lambda leaves: (*leaves[:2], leaves[1], *leaves[2:]),
        lambda leaves: (leaves[1], leaves[0], *leaves[2:]),
        lambda leaves: (*leaves[:-1], FOREIGN_LEAF),
        lambda leaves: leaves[::-1],
    ],
    ids=["last dropped", "first dropped", "dropped", "last doubled", "doubled", "swapped", "replaced", "reversed"],
)
def test_A2_list_that_is_not_the_whole_list_is_refused(change: object) -> None:
    """The row binds every leaf, their order and their count."""
    proof = ListProof.from_bytes(CASE.list(ALPHA))
    with pytest.raises(VerificationError, match="do not give the row of namespace 1"):
        verify(replace(proof, leaves=change(proof.leaves)).to_bytes())  # type: ignore[operator] # of a tuple


def test_A2_list_of_one_rollup_shown_for_another_is_refused() -> None:
    """The row names its namespace."""
    proof = ListProof.from_bytes(CASE.list(ALPHA))
    with pytest.raises(VerificationError, match="row of namespace 2"):
        verify(replace(proof, namespace=BETA).to_bytes())


def test_id_is_absent_from_a_whole_list_iff_no_leaf_names_it() -> None:
    """Absence of an item is completeness without it."""
    view = verify(CASE.list(ALPHA))
    assert isinstance(view, ListView)
    verify_unlisted(view, bytes(32))
    with pytest.raises(VerificationError, match="stands at index 5 of namespace 1 at height 1"):
        verify_unlisted(view, CASE.committed.id)


@pytest.mark.parametrize(
    ("name", "namespaces"),
    [
        ("absence between", (BETA,)),
        ("absence above", (BETA, GAMMA)),
        ("absence in an empty block", (0, ALPHA, BETA, GAMMA)),
    ],
)
def test_absence_names_all_rollups_of_the_gap(name: str, namespaces: tuple[int, ...]) -> None:
    """Beta had nothing at height 1, nobody at 2, only alpha at 3."""
    view = verify(FILES[name]())
    assert isinstance(view, AbsenceView)
    assert view.namespaces == namespaces


def get_rows() -> dict[int, NamespaceRow]:
    """Return the genuine rows of height 1 by namespace, with their paths."""
    rows = {}
    for namespace in (0, ALPHA, GAMMA):
        proof = ListProof.from_bytes(CASE.list(namespace))
        root = compute_root(proof.leaves)
        rows[namespace] = NamespaceRow(namespace, len(proof.leaves), root, proof.row)
    return rows


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        (0, GAMMA, "rows stand between"),
        (0, None, "rows stand between"),
        (ALPHA, None, "rows stand between"),
        (None, ALPHA, "rows stand between"),
        (None, None, "has items, and no row is shown"),
        (GAMMA, ALPHA, "rows stand between"),
        (0, ALPHA, "no rollup of this network"),
    ],
)
def test_absence_where_items_are_is_refused(before: int | None, after: int | None, step: str) -> None:
    """Every pair of genuine rows but neighbours with a rollup between them."""
    rows = get_rows()
    chain = AbsenceProof.from_bytes(CASE.list(BETA)).chain
    forged = AbsenceProof(
        chain, None if before is None else rows[before], None if after is None else rows[after]
    ).to_bytes()
    with pytest.raises(VerificationError, match=step):
        verify(forged)


def test_absence_with_a_row_that_was_moved_is_refused() -> None:
    """A path shows one place only."""
    genuine = AbsenceProof.from_bytes(CASE.list(BETA))
    assert genuine.before is not None
    assert genuine.after is not None
    moved = replace(genuine.after, path=replace(genuine.after.path, index=1))
    with pytest.raises(VerificationError, match="after: is not under"):
        verify(replace(genuine, after=moved).to_bytes())
    renamed = replace(genuine.before, namespace=0)
    with pytest.raises(VerificationError, match="before: is not under"):
        verify(replace(genuine, before=renamed).to_bytes())


def test_message_in_the_outbox_is_proven() -> None:
    """The third of five."""
    view = verify(make_message_proof(2))
    assert isinstance(view, MessageView)
    assert (view.message, view.height, view.settled_height) == (MESSAGES[2], 1, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda proof: replace(proof, message=MESSAGES[3]),
        lambda proof: replace(proof, message=replace(proof.message, amount=99)),
        lambda proof: replace(proof, message=replace(proof.message, source=BETA)),
        lambda proof: replace(proof, path=replace(proof.path, index=3)),
        lambda proof: replace(proof, path=replace(proof.path, siblings=proof.path.siblings[:-1])),
        lambda proof: replace(proof, state_root=bytes(32)),
        lambda proof: replace(proof, settled_height=2),
    ],
)
def test_A19_message_that_was_not_sent_is_refused(change: object) -> None:
    """Another message, amount, source, place or row."""
    with pytest.raises(VerificationError, match="message: is not under the exec root of height 1"):
        verify(change(MessageProof.from_bytes(make_message_proof())).to_bytes())  # type: ignore[operator] # of a proof


def test_message_under_another_outbox_root_cannot_be_built() -> None:
    """The delivery's path must lead to the row."""
    delivery = Delivery(MESSAGES[0], 1, MerklePath(0, 1, ()))
    with pytest.raises(LocalError, match="no row with this outbox root"):
        build_message(CASE.block, CASE.later, CASE.certificate, delivery)


def test_verdict_of_enough_executors_is_attested() -> None:
    """Two of delta's three; the statement says what it rests on."""
    view = verify(make_verdict())
    assert isinstance(view, CertificateView)
    assert (view.executors, view.statement) == (
        ("executor-0", "executor-1"),
        decode_certificate_file(make_verdict()).statement,
    )


def test_A9_verdict_of_f_r_executors_is_refused() -> None:
    """One of three may lie."""
    with pytest.raises(VerificationError, match=r"certificate: body\.signers must be at least 2 of 3 executors"):
        verify(make_verdict((1,)))


def test_A9_verdict_turned_round_is_refused() -> None:
    """YES was signed."""
    certificate = decode_certificate_file(make_verdict())
    assert isinstance(certificate.statement, VerdictStatement)
    lie = replace(certificate.statement, verdict=Verdict.NO, reason="TOO_LOW@legs[0]", outputs=())
    with pytest.raises(VerificationError, match="is not of executor 0"):
        verify(encode_certificate_file(replace(certificate, statement=lie)))


def test_file_of_no_known_kind_is_refused_by_name() -> None:
    """The answer says what could be read."""
    with pytest.raises(VerificationError, match="file: is none of ssq-receipt-2, ssq-inclusion-1"):
        verify(b"\x93\xadssq-unknown-1")


def test_place_beyond_the_block_cannot_be_built() -> None:
    """There are eight items."""
    with pytest.raises(LocalError, match="none at 8"):
        build_inclusion(CASE.block, CASE.later, CASE.certificate, 8)


def test_list_beyond_the_size_of_a_file_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused where it is made, not where it is read."""
    monkeypatch.setattr("sequencer.execution.proofs.PROOF_FILE_BYTES_MAX", 100)
    with pytest.raises(LocalError, match="a file at most 100"):
        build_list(CASE.block, CASE.later, CASE.certificate, ALPHA)


def test_certificate_that_covers_another_block_proves_nothing() -> None:
    """The chain must begin at the height that is shown."""
    with pytest.raises(LocalError, match="no child"):
        build_list(CASE.block, CASE.later[1:], sign_certificate(CASE.later[-1]), ALPHA)
