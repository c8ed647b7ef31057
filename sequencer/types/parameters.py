"""Fix the protocol's limits and times; they are part of the genesis, so all nodes share them."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from sequencer.codec import U64_MAX, Fields
from sequencer.errors import DecodeError

ITEM_BYTES_MAX = 65_536
"""Bytes of one encoded item."""
BATCH_ITEMS_MAX = 4_096
"""Items of one batch."""
LEGS_MAX = 16
"""Legs of one bundle."""
COMMITTEE_SIZE_MAX = 128
"""Validators of one epoch."""
INCLUSION_VIEWS_MAX = 1_000
"""Largest T_INCL; for each view what was supported is remembered."""
UNDECIDED_PER_ROLLUP_LIMIT = 65_535
"""Largest `waiting_per_rollup_max`; memory grows with it."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Every configurable protocol constant (`specs/ordering.md`, Parameters); integers only."""

    view_timeout_base_ms: int = 100
    """T_BASE, the assumed message delay bound Δ; 1..60,000."""
    view_timeout_max_ms: int = 60_000
    """T_MAX, cap of T(v); ≥ the base."""
    pace_ms: int = 40
    """T_PACE: a leader proposes at the earliest this long after it got the parent; 0..twice T_BASE."""
    idle_ms: int = 500
    """T_IDLE: with nothing to order, a leader proposes an empty block this long after entering; 1..60,000."""
    batch_delay_ms_max: int = 20
    """T_BATCH: a lane flushes this long after its first waiting item; 1..10,000."""
    have_interval_ms: int = 10
    """T_HAVE: shortest time between two HAVE messages that travel alone; 1..10,000."""
    batch_target_bytes: int = 131_072
    """B_TARGET: a lane flushes when this much waits."""
    batch_bytes_max: int = 262_144
    """B_MAX: largest payload of a batch."""
    lane_window: int = 64
    """W_LANE: an owner creates batches up to this far above its finalized position."""
    lane_window_slack: int = 16
    """W_SLACK: receivers accept this much more."""
    lane_advance_max: int = 4
    """W_ADV: batches that one block may add per lane."""
    inclusion_views: int = 4
    """T_INCL: what is supported for this many views must be included; 0 switches V8 off; 0..1,000."""
    tip_age_ms: int = 0
    """T_AGE: an unsupported tip is proposed at the earliest this long after its leader got it; 0..60,000."""
    clock_drift_ms_max: int = 500
    """T_DRIFT: how far a proposal's time may lie ahead of the voter's wall clock."""
    justification_certificates_max: int = 32
    """MAX_JUST: certificates that a proposal carries."""
    fetch_retry_ms: int = 250
    """T_FETCH: after this long a fetch goes to the next peers."""
    gossip_delay_ms: int = 2_000
    """T_GOSSIP: an admitted transaction that is not final by then is gossiped."""
    rank_delay_ms: int = 1_000
    """A validator of rank j includes a gossiped transaction after j times this, unless it was executed."""
    commitment_interval_ms: int = 200
    """Validators sign the commitment of the first block in each interval of block time."""
    uncertified_commitments_max: int = 32
    """After this many scheduled heights without a certificate leaders propose empty blocks."""
    retain_heights: int = 10_000
    """RETAIN: heights for which blocks and batches are kept."""
    delivery_lag_max: int = 32
    """LAG_MAX: a leader whose own delivery lags further stops advancing cuts."""
    snapshot_interval_heights: int = 1_000
    """C_CK: a state snapshot is saved at every multiple of this."""
    fee_base: int = 1_000
    """Fee of every admitted bundle."""
    fee_per_rollup_height: int = 10
    """Fee per touched rollup and height pending."""
    fee_per_operation: int = 1
    """Fee per operation."""
    pending_per_rollup_max: int = 256
    """Undecided bundles per rollup that touch a split rollup and more than one rollup; 1..65,535. # A3"""
    waiting_per_rollup_max: int = 4_096
    """All undecided bundles per rollup; at least the above, at most 65,535. # A3"""

    def to_value(self) -> tuple[int, ...]:
        """Return the array that the genesis hashes, in field order."""
        return astuple(self)

    @classmethod
    def from_value(cls, value: object, path: str) -> Parameters:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        parameters = cls(**{field.name: read.uint(field.name, U64_MAX) for field in fields(cls)})
        read.finish()
        parameters.verify(path)
        return parameters

    def verify(self, path: str = "parameters") -> None:
        """Refuse values with which the protocol cannot run; raises `DecodeError` naming the field."""
        may_be_zero = {
            "pace_ms",
            "tip_age_ms",
            "inclusion_views",
            "rank_delay_ms",
            "fee_base",
            "fee_per_rollup_height",
            "fee_per_operation",
        }
        for field in fields(self):
            if getattr(self, field.name) == 0 and field.name not in may_be_zero:
                raise DecodeError(f"{path}.{field.name}", "must be at least 1")
        if self.batch_bytes_max < ITEM_BYTES_MAX + 16:
            raise DecodeError(f"{path}.batch_bytes_max", f"must hold one item of {ITEM_BYTES_MAX} bytes")
        if self.pace_ms > 2 * self.view_timeout_base_ms:
            # A view is given up 3 T after there was work; its leader must be allowed to propose before.
            raise DecodeError(f"{path}.pace_ms", "must not be above twice view_timeout_base_ms")
        if self.inclusion_views > INCLUSION_VIEWS_MAX:
            raise DecodeError(f"{path}.inclusion_views", f"must be at most {INCLUSION_VIEWS_MAX}")
        if not self.pending_per_rollup_max <= self.waiting_per_rollup_max <= UNDECIDED_PER_ROLLUP_LIMIT:
            detail = f"must be in pending_per_rollup_max..{UNDECIDED_PER_ROLLUP_LIMIT}"
            raise DecodeError(f"{path}.waiting_per_rollup_max", detail)
        if self.view_timeout_max_ms < self.view_timeout_base_ms:
            raise DecodeError(f"{path}.view_timeout_max_ms", "must not be below view_timeout_base_ms")
