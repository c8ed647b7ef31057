"""Verify that a message between rollups was sent. # A19"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.light.chain import verify_chain
from sequencer.types.genesis import Genesis
from sequencer.types.message import CrossMessage
from sequencer.types.primitives import Height, ValidatorIndex
from sequencer.types.proof_files import MessageProof


@dataclass(frozen=True, slots=True)
class MessageView:
    """What a verified message proof proves: it is in the source's outbox, so it was sent for good."""

    message: CrossMessage
    height: Height
    settled_height: Height
    """Of the source's row at `height`."""
    time_ms: int
    certified_height: Height
    signers: tuple[ValidatorIndex, ...]


def verify_message(data: bytes, genesis: Genesis, verifier: Verifier) -> MessageView:
    """Return what was sent; raises `VerificationError` naming the step that failed."""
    try:
        proof = MessageProof.from_bytes(data)
    except DecodeError as error:
        raise VerificationError(f"decode: {error}") from None
    if proof.to_bytes() != data:
        raise VerificationError("decode: the message proof is not in canonical form")
    commitment = verify_chain(proof.chain, genesis, verifier)
    if proof.compute_exec_root() != commitment.exec_root:
        raise VerificationError(f"message: is not under the exec root of height {commitment.height}")
    certificate = proof.chain.certificate
    return MessageView(
        proof.message,
        commitment.height,
        proof.settled_height,
        commitment.time_ms,
        certificate.height,
        certificate.signers,
    )
