"""Verify without executing and without IO; trust nothing but the genesis.

chain         commitments h..H under a certificate
receipts      what became of a bundle
inclusion     where an item and all legs of a bundle stand
lists         all that a height holds for a rollup, or that it holds nothing
proofs        what a state key held
messages      that a message between rollups was sent
certificates  what the executors of a split rollup attest
evidence      that a validator signed what no correct validator signs
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sequencer.crypto.signatures import Verifier
from sequencer.errors import VerificationError
from sequencer.light.certificates import CertificateView, verify_certificate
from sequencer.light.evidence import EvidenceView, describe_evidence, verify_evidence
from sequencer.light.inclusion import InclusionView, verify_inclusion
from sequencer.light.lists import AbsenceView, ListView, verify_absence, verify_list, verify_unlisted
from sequencer.light.messages import MessageView, verify_message
from sequencer.light.proofs import StateProofView, verify_state_proof
from sequencer.light.receipts import ReceiptView, verify_receipt
from sequencer.state.claim import STATE_PROOF_FORMAT
from sequencer.types.evidence import EVIDENCE_FORMAT
from sequencer.types.genesis import Genesis
from sequencer.types.proof_files import (
    ABSENCE_FORMAT,
    CERTIFICATE_FORMAT,
    INCLUSION_FORMAT,
    LIST_FORMAT,
    MESSAGE_FORMAT,
)
from sequencer.types.receipt import RECEIPT_FORMAT

__all__ = [
    "AbsenceView",
    "CertificateView",
    "EvidenceView",
    "FileView",
    "InclusionView",
    "ListView",
    "MessageView",
    "ReceiptView",
    "StateProofView",
    "describe_evidence",
    "verify_absence",
    "verify_certificate",
    "verify_evidence",
    "verify_file",
    "verify_inclusion",
    "verify_list",
    "verify_message",
    "verify_receipt",
    "verify_state_proof",
    "verify_unlisted",
]

FileView: TypeAlias = (
    ReceiptView | InclusionView | ListView | AbsenceView | StateProofView | MessageView | CertificateView | EvidenceView
)
"""What one verified file proves."""

_VERIFIERS: dict[str, Callable[[bytes, Genesis, Verifier], FileView]] = {
    RECEIPT_FORMAT: verify_receipt,
    INCLUSION_FORMAT: verify_inclusion,
    LIST_FORMAT: verify_list,
    ABSENCE_FORMAT: verify_absence,
    STATE_PROOF_FORMAT: verify_state_proof,
    MESSAGE_FORMAT: verify_message,
    CERTIFICATE_FORMAT: verify_certificate,
    EVIDENCE_FORMAT: verify_evidence,
}
"""By the text with which the array begins."""


def verify_file(data: bytes, genesis: Genesis, verifier: Verifier) -> FileView:
    """Verify a proof file or evidence, whichever the bytes say they are; raises `VerificationError`."""
    for file_format, verify in _VERIFIERS.items():
        # The format is the first field of the array: one byte for the array, one for the text, the text.
        if data[2 : 2 + len(file_format)] == file_format.encode():
            return verify(data, genesis, verifier)
    raise VerificationError(f"file: is none of {', '.join(_VERIFIERS)}")
