"""Verify a state proof: what a key of a rollup, or of the system state, held at a height."""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.light.chain import verify_chain
from sequencer.state.claim import StateProof
from sequencer.types.genesis import Genesis
from sequencer.types.primitives import Height, RollupId, StateValue, ValidatorIndex


@dataclass(frozen=True, slots=True)
class StateProofView:
    """What a verified state proof proves."""

    namespace: RollupId
    """0 is the system state: sequence/<hex>/<channel>, deposit/<hex>, burned."""
    key: str
    value: StateValue | None
    """None: the key is absent."""
    height: Height
    settled_height: Height
    """All items of the rollup up to here were decided; below `height` while bundles wait, or for a split rollup."""
    time_ms: int
    certified_height: Height
    signers: tuple[ValidatorIndex, ...]


def verify_state_proof(data: bytes, genesis: Genesis, verifier: Verifier) -> StateProofView:
    """Return what the proof proves; raises `VerificationError` naming the step that failed."""
    try:
        proof = StateProof.from_bytes(data)
    except DecodeError as error:
        raise VerificationError(f"decode: {error}") from None
    if proof.to_bytes() != data:
        raise VerificationError("decode: the state proof is not in canonical form")
    commitment = verify_chain(proof.chain, genesis, verifier)
    if proof.claim.compute_exec_root() != commitment.exec_root:
        raise VerificationError(f"state: the claim is not under the exec root of height {commitment.height}")
    certificate, claim = proof.chain.certificate, proof.claim
    return StateProofView(
        claim.namespace,
        claim.key,
        claim.value,
        commitment.height,
        claim.settled_height,
        commitment.time_ms,
        certificate.height,
        certificate.signers,
    )
