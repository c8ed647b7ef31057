"""Verify evidence: which validator signed what no correct validator signs. # X1-X7"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.types.evidence import (
    Contradiction,
    Evidence,
    EvidenceKind,
    FalseBatch,
    FalseProposal,
    compute_evidence_id,
    decode_evidence,
)
from sequencer.types.genesis import Genesis
from sequencer.types.primitives import Digest, Epoch, ValidatorIndex


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """What verified evidence proves."""

    evidence_id: Digest
    rule: str
    """X1..X7."""
    offence: str
    """The rule in words."""
    signer: ValidatorIndex
    """The faulty validator."""
    name: str
    """Its name in the genesis."""
    epoch: Epoch
    place: str
    """What `number` counts: view, position or height."""
    number: int
    digests: tuple[Digest, ...]
    """What was signed: two digests that exclude each other, or one that is false by itself."""


_OFFENCES = {
    EvidenceKind.TWO_NOTARIZES: ("view", "notarized two blocks in one view"),
    EvidenceKind.TWO_FINALIZES: ("view", "finalized two blocks in one view"),
    EvidenceKind.NULLIFY_AND_FINALIZE: ("view", "nullified and finalized one view"),
    EvidenceKind.TWO_PROPOSALS: ("view", "proposed two blocks in one view"),
    EvidenceKind.TWO_BATCHES: ("position", "signed two batches for one position of its lane"),
    EvidenceKind.TWO_COMMITMENTS: ("height", "signed two commitments of one height"),
}


def verify_evidence(data: bytes, genesis: Genesis, verifier: Verifier) -> EvidenceView:
    """Return what the evidence proves; raises `VerificationError` naming the step that failed."""
    try:
        evidence = decode_evidence(data)
    except DecodeError as error:
        raise VerificationError(f"decode: {error}") from None
    evidence.verify(genesis, verifier)
    return describe_evidence(evidence, genesis)


def describe_evidence(evidence: Evidence, genesis: Genesis) -> EvidenceView:
    """Say what evidence claims, verified or not; its signer must be in the committee."""
    place, offence = _describe_offence(evidence)
    return EvidenceView(
        compute_evidence_id(evidence),
        evidence.kind.rule,
        offence,
        evidence.signer,
        genesis.validators[evidence.signer].name,
        evidence.epoch,
        place,
        evidence.number,
        evidence.digests,
    )


def _describe_offence(evidence: Evidence) -> tuple[str, str]:
    match evidence:
        case Contradiction():
            return _OFFENCES[evidence.kind]
        case FalseProposal():
            return "view", "proposed a cut that its parent does not allow"
        case FalseBatch():
            return "position", "signed a batch header with a false size"
