"""Hold what executing one block gave: results, commitment and the lists under its roots."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NamedTuple

from sequencer.codec import encode
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import Commitment
from sequencer.types.outcome import ItemResult, OutcomeLeaf, Status
from sequencer.types.primitives import Digest, Height, RollupId
from sequencer.types.verdict import Verdict


@dataclass(frozen=True, slots=True)
class NamespaceList:
    """One namespace's ordered leaves under the batch root; namespace 0 is the system."""

    namespace: RollupId
    leaves: tuple[bytes, ...]


class ExecutionRow(NamedTuple):
    """One rollup's row under the exec root (row 0: the system state)."""

    namespace: RollupId
    settled_height: int
    state_root: bytes
    receipt_root: bytes
    outbox_root: bytes

    def to_bytes(self) -> bytes:
        """Return the leaf of the exec tree."""
        return encode(self)


class VerdictSource(str, enum.Enum):
    """Where a rollup's verdict comes from."""

    NATIVE = "native"
    """Every validator executed it."""
    CERTIFICATE = "certificate"
    """f_r + 1 executors signed it, and the log holds that."""


class RollupVerdict(NamedTuple):
    """What one rollup had said when its bundle was decided."""

    rollup: RollupId
    verdict: Verdict | None
    """None: nothing that counted."""
    reason: str
    """Empty unless NO: `<code>@<path>`."""
    source: VerdictSource | None


class Decision(NamedTuple):
    """How an admitted bundle ended, at this height or at the one where it was ordered before. # A8"""

    item_id: Digest
    ordered_height: Height
    ordered_index: int
    """Place among the items of the height where it was ordered."""
    status: Status
    """COMMIT or ABORT."""
    reason: str
    fee: int
    """Burned finally. # A17"""
    verdicts: tuple[RollupVerdict, ...]
    """One per touched rollup, ascending by id."""


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """Everything that RPC, receipts and proofs need to know of an executed height."""

    header: BlockHeader
    commitment: Commitment
    is_scheduled: bool
    """Whether validators sign this height's commitment."""
    results: tuple[ItemResult, ...]
    """One per item of the atomic batch, in order."""
    outcomes: tuple[OutcomeLeaf, ...]
    """Decided at this height, sorted by bundle id: the leaves of the outcome root."""
    namespaces: tuple[NamespaceList, ...]
    """Leaves of the batch root, sorted by namespace; only namespaces with items."""
    rows: tuple[ExecutionRow, ...]
    """Leaves of the exec root, sorted by namespace."""
    decisions: tuple[Decision, ...] = ()
    """In order of decision."""
