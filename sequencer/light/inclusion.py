"""Verify that an item, and each leg of a bundle, stands in a block; decided or not. # A2"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.light.chain import verify_chain
from sequencer.light.places import verify_places
from sequencer.types.genesis import Genesis
from sequencer.types.primitives import Digest, Height, RollupId, ValidatorIndex
from sequencer.types.proof_files import InclusionProof


@dataclass(frozen=True, slots=True)
class InclusionView:
    """What a verified inclusion proves; an outcome is not among it."""

    kind: int
    """`ItemKind`; 0 for an item that fails a stateless check."""
    item_id: Digest
    height: Height
    index: int
    """Place among the items of the block."""
    time_ms: int
    rollups: tuple[RollupId, ...]
    """Rollup of each leg, all legs in order; empty unless it is a bundle or a delivery."""
    leg_digests: tuple[Digest, ...]
    leg_positions: tuple[int, ...]
    """Place of each leg in its rollup's list at this height."""
    certified_height: Height
    signers: tuple[ValidatorIndex, ...]


def verify_inclusion(data: bytes, genesis: Genesis, verifier: Verifier) -> InclusionView:
    """Return what the file proves; raises `VerificationError` naming the step that failed."""
    try:
        proof = InclusionProof.from_bytes(data)
    except DecodeError as error:
        raise VerificationError(f"decode: {error}") from None
    if proof.to_bytes() != data:
        raise VerificationError("decode: the inclusion is not in canonical form")
    commitment = verify_chain(proof.chain, genesis, verifier)
    verify_places(proof.kind, proof.item_id, proof.envelope, proof.legs, commitment)
    return InclusionView(
        proof.kind,
        proof.item_id,
        commitment.height,
        proof.envelope.position.index,
        commitment.time_ms,
        tuple(leg.inclusion.namespace for leg in proof.legs),
        tuple(leg.leg_digest for leg in proof.legs),
        tuple(leg.inclusion.position.index for leg in proof.legs),
        proof.chain.certificate.height,
        proof.chain.certificate.signers,
    )
