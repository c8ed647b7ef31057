"""State proofs: a balance, a sequence, a deposit, an absence, from the genesis alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import LocalError, VerificationError
from sequencer.execution.receipts import join_state_proof
from sequencer.light import StateProofView, verify_file, verify_state_proof
from sequencer.state.claim import StateClaim, StateProof
from tests.execution_world import (
    ALICE,
    ALPHA,
    BALANCE,
    BOB,
    DEPOSIT,
    GAMMA,
    GENESIS,
    World,
    make_genesis,
    make_leg,
    set_key,
    sign_certificate,
    transfer,
)

WORLD = World()
WORLD.execute(WORLD.make_bundle(make_leg(ALPHA, transfer(BOB, 5)), make_leg(GAMMA, set_key("kv/text", b"hello"))))
WORLD.execute(WORLD.make_bundle(make_leg(ALPHA, transfer(BOB, 5))))
WORLD.execute_empty(1)
COMMITMENTS = WORLD.get_commitments(1)
CERTIFICATE = sign_certificate(COMMITMENTS[-1])
USD_BOB = f"balance/USD/{BOB.hex()}"


def join(claim: bytes) -> bytes:
    return join_state_proof(claim, COMMITMENTS, CERTIFICATE)


def verify(data: bytes) -> StateProofView:
    return verify_state_proof(data, GENESIS, verify_ed25519)


BALANCE_PROOF = join(WORLD.executor.prove_state(1, ALPHA, USD_BOB))


def test_balance_at_an_earlier_height_is_proven() -> None:
    """Height 1, although height 2 changed it; certified at 3."""
    view = verify(BALANCE_PROOF)
    assert (view.namespace, view.key, view.value) == (ALPHA, USD_BOB, BALANCE + 5)
    assert (view.height, view.certified_height) == (1, 3)


def test_sequence_and_deposit_are_proven() -> None:
    """The system state is under row 0."""
    sequence = verify(join(WORLD.executor.prove_sequence(1, ALICE, 0)))
    deposit = verify(join(WORLD.executor.prove_deposit(1, ALICE)))
    assert (sequence.namespace, sequence.value) == (0, 1)
    assert (deposit.namespace, deposit.value) == (0, DEPOSIT - 1_002)


def test_bytes_and_absence_are_proven() -> None:
    """Values may be bytes, and may be missing."""
    present = verify(join(WORLD.executor.prove_state(1, GAMMA, "kv/text")))
    absent = verify(join(WORLD.executor.prove_state(1, GAMMA, "kv/none")))
    assert (present.value, absent.value) == (b"hello", None)


@pytest.mark.parametrize("change", [1, -1])
def test_value_plus_or_minus_one_is_refused(change: int) -> None:
    """Whether the lie is in the claim or in the bucket as well."""
    proof = StateProof.from_bytes(BALANCE_PROOF)
    lie = BALANCE + 5 + change
    entries = tuple((key, lie if key == USD_BOB else value) for key, value in proof.claim.tree.entries)
    in_claim = replace(proof.claim, value=lie)
    in_bucket = replace(in_claim, tree=replace(proof.claim.tree, entries=entries))
    for claim, step in ((in_claim, "does not hold the claimed value"), (in_bucket, "exec root of height 1")):
        with pytest.raises(VerificationError, match=step):
            verify(replace(proof, claim=claim).to_bytes())


def test_claimed_absence_of_a_present_key_is_refused() -> None:
    """Neither by the claim alone nor by hiding the entry."""
    proof = StateProof.from_bytes(BALANCE_PROOF)
    entries = tuple(entry for entry in proof.claim.tree.entries if entry[0] != USD_BOB)
    claim = replace(proof.claim, value=None, tree=replace(proof.claim.tree, entries=entries))
    with pytest.raises(VerificationError, match="exec root"):
        verify(replace(proof, claim=claim).to_bytes())


def test_proof_of_one_rollup_is_no_proof_of_another() -> None:
    """The namespace is part of the row."""
    proof = StateProof.from_bytes(BALANCE_PROOF)
    with pytest.raises(VerificationError, match="exec root"):
        verify(replace(proof, claim=replace(proof.claim, namespace=GAMMA)).to_bytes())


def test_every_flipped_byte_is_refused() -> None:
    """No byte is uncovered."""
    for place in range(len(BALANCE_PROOF)):
        damaged = BALANCE_PROOF[:place] + bytes([BALANCE_PROOF[place] ^ 1]) + BALANCE_PROOF[place + 1 :]
        with pytest.raises(VerificationError):
            verify_file(damaged, GENESIS, verify_ed25519)


def test_state_proof_of_another_network_is_refused() -> None:
    """The genesis is all that is trusted."""
    with pytest.raises(VerificationError, match="another network"):
        verify_state_proof(BALANCE_PROOF, make_genesis(name="other"), verify_ed25519)


def test_verify_file_tells_state_proofs_by_their_format() -> None:
    """The same bytes, dispatched."""
    assert verify_file(BALANCE_PROOF, GENESIS, verify_ed25519) == verify(BALANCE_PROOF)


def test_claim_at_the_wrong_height_is_refused() -> None:
    """A claim about height 2 does not verify under the commitment of height 1."""
    claim = WORLD.executor.prove_state(2, ALPHA, USD_BOB)
    with pytest.raises(VerificationError, match="exec root of height 1"):
        verify(join(claim))


def test_claim_bytes_are_read_back_equal() -> None:
    """Encoding and decoding are inverse."""
    claim = WORLD.executor.prove_state(1, ALPHA, USD_BOB)
    assert StateClaim.from_bytes(claim).to_bytes() == claim


def test_join_refuses_commitments_that_do_not_fit_the_certificate() -> None:
    """The node's own mistake is told at once, not by the stranger."""
    with pytest.raises(LocalError, match="certified height 3"):
        join_state_proof(WORLD.executor.prove_deposit(1, ALICE), COMMITMENTS[:1], CERTIFICATE)
