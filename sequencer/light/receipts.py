"""Verify a receipt: what became of a bundle, and where each of its legs stands. # A2 A8"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.light.chain import verify_chain
from sequencer.types.commitment import Commitment
from sequencer.types.genesis import Genesis
from sequencer.types.item import ItemKind
from sequencer.types.leaves import encode_envelope_leaf, encode_leg_leaf
from sequencer.types.outcome import Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height, RollupId, ValidatorIndex
from sequencer.types.receipt import Receipt


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """What a verified receipt proves."""

    bundle_id: Digest
    status: Status
    """COMMIT or ABORT."""
    reason: str
    height: Height
    index: int
    """Place among the items of the block."""
    time_ms: int
    rollups: tuple[RollupId, ...]
    """Rollup of each leg, in order."""
    leg_positions: tuple[int, ...]
    """Place of each leg in its rollup's list at this height."""
    certified_height: Height
    signers: tuple[ValidatorIndex, ...]


def verify_receipt(data: bytes, genesis: Genesis, verifier: Verifier) -> ReceiptView:
    """Return what the receipt proves; raises `VerificationError` naming the step that failed."""
    try:
        receipt = Receipt.from_bytes(data)
    except DecodeError as error:
        raise VerificationError(f"decode: {error}") from None
    if receipt.to_bytes() != data:
        raise VerificationError("decode: the receipt is not in canonical form")
    commitment = verify_chain(receipt.chain, genesis, verifier)
    _verify_outcome(receipt, commitment)
    _verify_inclusion(receipt, commitment)
    return _make_view(receipt, commitment)


def _verify_outcome(receipt: Receipt, commitment: Commitment) -> None:
    if receipt.outcome_path.compute_root(receipt.outcome.to_bytes()) != commitment.outcome_root:
        raise VerificationError(f"outcome: is not under the outcome root of height {commitment.height}")


def _verify_inclusion(receipt: Receipt, commitment: Commitment) -> None:
    bundle_id, count = receipt.outcome.bundle_id, len(receipt.legs)
    envelope = encode_envelope_leaf(ItemKind.BUNDLE, bundle_id)
    if receipt.envelope.namespace != SYSTEM_NAMESPACE:
        raise VerificationError("envelope: is not in namespace 0")
    if receipt.envelope.compute_batch_root(envelope) != commitment.batch_root:
        raise VerificationError(f"envelope: is not under the batch root of height {commitment.height}")
    for index, leg in enumerate(receipt.legs):
        leaf = encode_leg_leaf(bundle_id, index, count, leg.leg_digest)
        if leg.inclusion.namespace == SYSTEM_NAMESPACE:
            raise VerificationError(f"legs[{index}]: is in namespace 0")
        if leg.inclusion.compute_batch_root(leaf) != commitment.batch_root:
            raise VerificationError(f"legs[{index}]: is not under the batch root of height {commitment.height}")


def _make_view(receipt: Receipt, commitment: Commitment) -> ReceiptView:
    return ReceiptView(
        bundle_id=receipt.outcome.bundle_id,
        status=receipt.outcome.status,
        reason=receipt.outcome.reason,
        height=commitment.height,
        index=receipt.envelope.position.index,
        time_ms=commitment.time_ms,
        rollups=tuple(leg.inclusion.namespace for leg in receipt.legs),
        leg_positions=tuple(leg.inclusion.position.index for leg in receipt.legs),
        certified_height=receipt.chain.certificate.height,
        signers=receipt.chain.certificate.signers,
    )
