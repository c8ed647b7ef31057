"""Alter genuine proof files as a liar would, each in one way, with the reason for which it must be refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from sequencer.state.claim import StateProof
from sequencer.types.leaves import encode_leg_leaf
from sequencer.types.outcome import Status
from sequencer.types.proof_files import (
    AbsenceProof,
    InclusionProof,
    ListProof,
    MessageProof,
    decode_certificate_file,
    encode_certificate_file,
)
from sequencer.types.receipt import Receipt
from sequencer.types.verdict import Verdict, VerdictStatement


class Alteration(NamedTuple):
    """One lie."""

    kind: str
    """Which genuine file it is made of."""
    name: str
    change: Callable[[bytes], bytes]
    reason: str
    """What the refusal must say."""


def change_leaves(change: Callable[[tuple[bytes, ...]], Sequence[bytes]]) -> Callable[[bytes], bytes]:
    """Return what changes the leaves of a list."""

    def change_file(data: bytes) -> bytes:
        proof = ListProof.from_bytes(data)
        return replace(proof, leaves=tuple(change(proof.leaves))).to_bytes()

    return change_file


def show_gap_from_the_start(data: bytes) -> bytes:
    """Leave out the row before the gap, so that namespaces with items lie in it."""
    return replace(AbsenceProof.from_bytes(data), before=None).to_bytes()


def turn_outcome(data: bytes) -> bytes:
    """Show a COMMIT as an ABORT, or the reverse."""
    receipt = Receipt.from_bytes(data)
    is_commit = receipt.outcome.status is Status.COMMIT
    status, reason = (Status.ABORT, "TIMEOUT:gamma") if is_commit else (Status.COMMIT, "")
    return replace(receipt, outcome=replace(receipt.outcome, status=status, reason=reason)).to_bytes()


def change_reason(data: bytes) -> bytes:
    """Blame another rollup."""
    receipt = Receipt.from_bytes(data)
    return replace(receipt, outcome=replace(receipt.outcome, reason="TIMEOUT:alpha")).to_bytes()


def decide_elsewhere(data: bytes) -> bytes:
    """Claim that the outcome fell where the bundle was ordered."""
    return replace(Receipt.from_bytes(data), decided_after=0).to_bytes()


def drop_leg_of_receipt(data: bytes) -> bytes:
    """Take the last leg away; the count that the others state goes with it."""
    receipt = Receipt.from_bytes(data)
    return replace(receipt, legs=receipt.legs[:-1]).to_bytes()


def drop_leg_of_inclusion(data: bytes) -> bytes:
    """Take the last leg away; the count that the others state goes with it."""
    proof = InclusionProof.from_bytes(data)
    return replace(proof, legs=proof.legs[:-1]).to_bytes()


def swap_legs(data: bytes) -> bytes:
    """Exchange the first two legs."""
    proof = InclusionProof.from_bytes(data)
    first, second, *rest = proof.legs
    return replace(proof, legs=(second, first, *rest)).to_bytes()


def change_value(data: bytes) -> bytes:
    """Claim another value of the key."""
    proof = StateProof.from_bytes(data)
    return replace(proof, claim=replace(proof.claim, value=10**9)).to_bytes()


def change_settled_height(data: bytes) -> bytes:
    """Claim that more is settled than the executors certified."""
    proof = StateProof.from_bytes(data)
    return replace(proof, claim=replace(proof.claim, settled_height=proof.claim.settled_height + 1)).to_bytes()


def drop_signer(data: bytes) -> bytes:
    """Leave f_r executors."""
    certificate = decode_certificate_file(data)
    fewer = replace(certificate, signers=certificate.signers[:-1], signatures=certificate.signatures[:-1])
    return encode_certificate_file(fewer)


def stand_in_for_another(data: bytes) -> bytes:
    """Let the first executor's signature stand for the second's too."""
    certificate = decode_certificate_file(data)
    return encode_certificate_file(
        replace(certificate, signatures=(certificate.signatures[0],) * len(certificate.signatures))
    )


def turn_verdict(data: bytes) -> bytes:
    """Show a YES as a NO, or the reverse."""
    certificate = decode_certificate_file(data)
    statement = certificate.statement
    if not isinstance(statement, VerdictStatement):
        raise TypeError("the file is about no verdict")
    is_yes = statement.verdict is Verdict.YES
    turned = replace(
        statement,
        verdict=Verdict.NO if is_yes else Verdict.YES,
        reason="TOO_LOW@legs[0].conditions[0]" if is_yes else "",
        outputs=(),
    )
    return encode_certificate_file(replace(certificate, statement=turned))


def raise_amount(data: bytes) -> bytes:
    """Claim that more was sent."""
    proof = MessageProof.from_bytes(data)
    return replace(proof, message=replace(proof.message, amount=proof.message.amount + 1)).to_bytes()


FOREIGN_LEAF = encode_leg_leaf(b"x" * 32, 0, 1, b"y" * 32)
NOT_THE_LIST = "do not give the row of namespace"

ALTERATIONS = (
    Alteration("list", "the last item dropped", change_leaves(lambda leaves: leaves[:-1]), NOT_THE_LIST),
    Alteration("list", "the first item dropped", change_leaves(lambda leaves: leaves[1:]), NOT_THE_LIST),
    Alteration("list", "an item doubled", change_leaves(lambda leaves: (*leaves, leaves[-1])), NOT_THE_LIST),
    Alteration(
        "list", "two items swapped", change_leaves(lambda leaves: (leaves[1], leaves[0], *leaves[2:])), NOT_THE_LIST
    ),
    Alteration("list", "an item replaced", change_leaves(lambda leaves: (FOREIGN_LEAF, *leaves[1:])), NOT_THE_LIST),
    Alteration("absence", "absence where items are", show_gap_from_the_start, "absence: "),
    Alteration("committed", "COMMIT turned into ABORT", turn_outcome, "outcome: is not under the outcome root"),
    Alteration("aborted", "ABORT turned into COMMIT", turn_outcome, "outcome: is not under the outcome root"),
    Alteration("aborted", "another reason of the ABORT", change_reason, "outcome: is not under the outcome root"),
    Alteration("committed", "decided at another height", decide_elsewhere, "outcome: is not under the outcome root"),
    Alteration(
        "committed", "a leg removed with its count", drop_leg_of_receipt, "legs[0]: is not under the batch root"
    ),
    Alteration(
        "inclusion", "a leg removed with its count", drop_leg_of_inclusion, "legs[0]: is not under the batch root"
    ),
    Alteration("inclusion", "two legs exchanged", swap_legs, "legs[0]: is not under the batch root"),
    Alteration("state", "another value", change_value, "the bucket does not hold the claimed value"),
    Alteration("absent key", "a value where none is", change_value, "the bucket does not hold the claimed value"),
    Alteration("state", "more settled than certified", change_settled_height, "is not under the exec root"),
    Alteration(
        "verdict", "a verdict signed by f_r executors", drop_signer, "certificate: body.signers must be at least"
    ),
    Alteration("verdict", "one executor signing for two", stand_in_for_another, "is not of executor"),
    Alteration("verdict", "a verdict turned round", turn_verdict, "is not of executor"),
    Alteration("message", "a larger amount", raise_amount, "message: is not under the exec root"),
)
"""Every lie, in the order in which a script tells them."""
