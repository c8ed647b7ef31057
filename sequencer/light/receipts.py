"""Verify a receipt: what became of a bundle, and where each of its legs stands. # A2 A8"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.light.chain import verify_chain
from sequencer.light.places import verify_places
from sequencer.types.commitment import Commitment
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, Height, RollupId, ValidatorIndex
from sequencer.types.receipt import Receipt


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """What a verified receipt proves."""

    bundle_id: Digest
    """Of a delivery: the id of its message."""
    status: Status
    """COMMIT or ABORT."""
    reason: str
    height: Height
    """Where the item stands in the log."""
    index: int
    """Place among the items of the block."""
    time_ms: int
    decided_height: Height
    """Where its outcome fell; `height` itself or later."""
    rollups: tuple[RollupId, ...]
    """Rollup of each leg, in order; of a delivery the destination and the source."""
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
    ordered = verify_chain(receipt.chain, genesis, verifier)
    decided = receipt.chain.commitments[receipt.decided_after]
    if receipt.outcome_path.compute_root(receipt.outcome.to_bytes()) != decided.outcome_root:
        raise VerificationError(f"outcome: is not under the outcome root of height {decided.height}")
    verify_places(receipt.kind, receipt.outcome.bundle_id, receipt.envelope, receipt.legs, ordered)
    return _make_view(receipt, ordered, decided.height)


def _make_view(receipt: Receipt, ordered: Commitment, decided_height: Height) -> ReceiptView:
    return ReceiptView(
        bundle_id=receipt.outcome.bundle_id,
        status=receipt.outcome.status,
        reason=receipt.outcome.reason,
        height=ordered.height,
        index=receipt.envelope.position.index,
        time_ms=ordered.time_ms,
        decided_height=decided_height,
        rollups=tuple(leg.inclusion.namespace for leg in receipt.legs),
        leg_positions=tuple(leg.inclusion.position.index for leg in receipt.legs),
        certified_height=receipt.chain.certificate.height,
        signers=receipt.chain.certificate.signers,
    )
