"""Receipts: the genuine one verifies from the genesis alone, and nothing else does. # A8"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import LocalError, VerificationError
from sequencer.execution.receipts import build_receipt
from sequencer.light import verify_file, verify_receipt
from sequencer.light.chain import verify_chain
from sequencer.light.receipts import ReceiptView
from sequencer.types.bundle import AtLeast
from sequencer.types.outcome import Status
from sequencer.types.receipt import CertifiedChain, Receipt
from tests.execution_world import (
    ALPHA,
    BOB,
    CAROL,
    GAMMA,
    GENESIS,
    World,
    make_genesis,
    make_leg,
    set_key,
    sign_certificate,
    transfer,
)

LEG = make_leg(ALPHA, transfer(BOB, 5))
FALSE = make_leg(GAMMA, set_key("kv/m"), conditions=(AtLeast("kv/absent", 1),))


class Case:
    """A block with commits and an abort, certified two heights later."""

    def __init__(self) -> None:
        self.world = World()
        self.committed = self.world.make_bundle(LEG, make_leg(GAMMA, set_key("kv/m")), LEG)
        self.aborted = self.world.make_bundle(LEG, FALSE)
        others = [self.world.make_bundle(LEG, payer=CAROL) for _ in range(5)]
        self.block = self.world.execute(*others, self.committed, self.aborted)
        self.world.execute_empty(2)
        self.later = self.world.get_commitments(2)
        self.certificate = sign_certificate(self.later[-1])

    def build(self, bundle_id: bytes) -> bytes:
        return build_receipt(self.block, self.later, self.certificate, bundle_id)


CASE = Case()
RECEIPT = CASE.build(CASE.committed.id)
SMALL = build_receipt(CASE.block, (), sign_certificate(CASE.block.commitment), CASE.aborted.id)


def verify(data: bytes) -> ReceiptView:
    return verify_receipt(data, GENESIS, verify_ed25519)


def test_receipt_of_a_commit_proves_outcome_and_place_of_every_leg() -> None:
    """Two legs on alpha and one on gamma, at index 5 of height 1."""
    view = verify(RECEIPT)
    assert (view.bundle_id, view.status, view.reason) == (CASE.committed.id, Status.COMMIT, "")
    assert (view.height, view.index, view.certified_height) == (1, 5, 3)
    assert (view.rollups, view.leg_positions) == ((ALPHA, GAMMA, ALPHA), (5, 0, 6))
    assert view.signers == (0, 1, 2)


def test_receipt_of_an_abort_proves_the_reason() -> None:
    """What did not happen is provable too."""
    view = verify(CASE.build(CASE.aborted.id))
    assert (view.status, view.reason) == (Status.ABORT, "NO:gamma:TOO_LOW@legs[1].conditions[0]")


def test_verify_file_tells_receipts_by_their_format() -> None:
    """The same bytes, dispatched."""
    assert verify_file(RECEIPT, GENESIS, verify_ed25519) == verify(RECEIPT)


@pytest.mark.parametrize("bit", [0x01, 0x80])
@pytest.mark.parametrize("receipt", [RECEIPT, SMALL], ids=["chain-of-three", "certified-itself"])
def test_every_flipped_byte_is_refused(receipt: bytes, bit: int) -> None:
    """No byte is uncovered."""
    for place in range(len(receipt)):
        damaged = receipt[:place] + bytes([receipt[place] ^ bit]) + receipt[place + 1 :]
        with pytest.raises(VerificationError):
            verify_file(damaged, GENESIS, verify_ed25519)


@pytest.mark.parametrize("damaged", [b"", b"\x00", RECEIPT[:-1], RECEIPT + b"\x00", b"\xdd" * 100])
def test_what_is_no_receipt_is_refused(damaged: bytes) -> None:
    """Truncated, extended, empty, garbage."""
    with pytest.raises(VerificationError):
        verify_file(damaged, GENESIS, verify_ed25519)


def test_receipt_of_another_network_is_refused() -> None:
    """Same validators, same state, another name."""
    with pytest.raises(VerificationError, match="another network"):
        verify_receipt(RECEIPT, make_genesis(name="other"), verify_ed25519)


@pytest.mark.parametrize(
    ("signers", "step"),
    [((0, 1), "below strong"), ((), "below strong"), ((0, 1, 1), "ascending"), ((2, 1, 0), "ascending")],
)
def test_wrong_signer_sets_are_refused(signers: tuple[int, ...], step: str) -> None:
    """Too few, none, one twice, out of order."""
    certificate = sign_certificate(CASE.block.commitment, signers)
    with pytest.raises(VerificationError, match=step):
        verify_chain(CertifiedChain((CASE.block.commitment,), certificate), GENESIS, verify_ed25519)


def test_signer_twice_has_no_bytes_that_are_read() -> None:
    """A bitmap cannot name anybody twice: two signatures for one bit are refused on reading."""
    receipt = Receipt.from_bytes(SMALL)
    certificate = sign_certificate(CASE.block.commitment, (0, 1, 1))
    forged = replace(receipt, chain=replace(receipt.chain, certificate=certificate))
    with pytest.raises(VerificationError, match="one per signer"):
        verify(forged.to_bytes())


def test_one_wrong_signature_among_enough_good_ones_is_refused() -> None:
    """Every signature is checked, not only a strong set of them."""
    certificate = sign_certificate(CASE.block.commitment, (0, 1, 2, 3))
    wrong = replace(certificate, signatures=(*certificate.signatures[:3], certificate.signatures[0]))
    receipt = build_receipt(CASE.block, (), wrong, CASE.committed.id)
    with pytest.raises(VerificationError, match="wrong signature of validator 3"):
        verify(receipt)


def test_certificate_of_another_height_is_refused() -> None:
    """The chain must end at what was signed."""
    receipt = Receipt.from_bytes(RECEIPT)
    chain = replace(receipt.chain, certificate=sign_certificate(CASE.block.commitment))
    with pytest.raises(VerificationError, match="names another commitment"):
        verify(replace(receipt, chain=chain).to_bytes())


def test_chain_with_a_gap_is_refused() -> None:
    """Each commitment is the parent of the next."""
    receipt = Receipt.from_bytes(RECEIPT)
    first, _, last = receipt.chain.commitments
    with pytest.raises(VerificationError, match="does not follow"):
        verify(replace(receipt, chain=replace(receipt.chain, commitments=(first, last))).to_bytes())


def test_receipt_without_its_last_leg_is_refused() -> None:
    """The number of legs is part of every leg's leaf. # A1 A2"""
    receipt = Receipt.from_bytes(RECEIPT)
    with pytest.raises(VerificationError, match=r"legs\[0\]"):
        verify(replace(receipt, legs=receipt.legs[:2]).to_bytes())


def test_receipt_with_legs_exchanged_is_refused() -> None:
    """Order is part of every leg's leaf. # A1 A2"""
    receipt = Receipt.from_bytes(RECEIPT)
    with pytest.raises(VerificationError, match=r"legs\[0\]"):
        verify(replace(receipt, legs=tuple(reversed(receipt.legs))).to_bytes())


def test_receipt_with_another_outcome_is_refused() -> None:
    """ABORT cannot be shown as COMMIT."""
    receipt = Receipt.from_bytes(SMALL)
    lie = replace(receipt.outcome, status=Status.COMMIT, reason="")
    with pytest.raises(VerificationError, match="outcome root of height 1"):
        verify(replace(receipt, outcome=lie).to_bytes())


def test_receipt_names_the_admitted_copy_of_a_repeated_bundle() -> None:
    """A copy that came too early in the same block is inadmissible; the place is that of the second."""
    world = World()
    first = world.make_bundle(LEG)
    second = world.make_bundle(make_leg(ALPHA, transfer(BOB, 1)), make_leg(GAMMA, set_key("kv/m")))
    block = world.execute(second, first, second, second)
    assert [result.reason for result in block.results] == ["SEQUENCE_GAP", "", "", "SEQUENCE_USED"]
    view = verify(build_receipt(block, (), sign_certificate(block.commitment), second.id))
    assert (view.index, view.leg_positions) == (2, (2, 1))


def test_build_receipt_refuses_what_it_cannot_prove() -> None:
    """An unknown bundle, a chain with a gap, a certificate of something else."""
    with pytest.raises(LocalError, match="was not taken in"):
        CASE.build(bytes(32))
    with pytest.raises(LocalError, match="no child"):
        build_receipt(CASE.block, CASE.later[1:], CASE.certificate, CASE.committed.id)
    with pytest.raises(LocalError, match="certified height 3"):
        build_receipt(CASE.block, CASE.later[:1], CASE.certificate, CASE.committed.id)
