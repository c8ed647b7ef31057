"""Verify without executing and without IO; trust nothing but the genesis.

chain       commitments h..H under a certificate
receipts    what became of a bundle
proofs      what a state key held
evidence    that a validator signed what no correct validator signs
"""

from __future__ import annotations

from sequencer.crypto.signatures import Verifier
from sequencer.errors import VerificationError
from sequencer.light.evidence import EvidenceView, describe_evidence, verify_evidence
from sequencer.light.proofs import StateProofView, verify_state_proof
from sequencer.light.receipts import ReceiptView, verify_receipt
from sequencer.state.claim import STATE_PROOF_FORMAT
from sequencer.types.evidence import EVIDENCE_FORMAT
from sequencer.types.genesis import Genesis
from sequencer.types.receipt import RECEIPT_FORMAT

__all__ = [
    "EvidenceView",
    "ReceiptView",
    "StateProofView",
    "describe_evidence",
    "verify_evidence",
    "verify_file",
    "verify_receipt",
    "verify_state_proof",
]


def verify_file(data: bytes, genesis: Genesis, verifier: Verifier) -> ReceiptView | StateProofView | EvidenceView:
    """Verify a receipt, a state proof or evidence, whichever the bytes say they are; raises `VerificationError`."""
    if _has_format(data, RECEIPT_FORMAT):
        return verify_receipt(data, genesis, verifier)
    if _has_format(data, STATE_PROOF_FORMAT):
        return verify_state_proof(data, genesis, verifier)
    if _has_format(data, EVIDENCE_FORMAT):
        return verify_evidence(data, genesis, verifier)
    raise VerificationError("file: is no receipt, no state proof and no evidence")


def _has_format(data: bytes, file_format: str) -> bool:
    """The format is the first field of the array: one byte for the array, one for the text, the text."""
    return data[2 : 2 + len(file_format)] == file_format.encode()
