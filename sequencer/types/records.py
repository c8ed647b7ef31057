"""Name what a validator writes down before it speaks, and what it reads back after a restart."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.evidence import Evidence
from sequencer.types.primitives import Digest, Epoch, Height, Position, ValidatorIndex
from sequencer.types.vote import Certificate


class RecordKind(enum.IntEnum):
    """What a vote-log record says; kinds 1..6 are those of the signed kind. # D1"""

    PROPOSAL = 1
    NOTARIZE = 2
    NULLIFY = 3
    FINALIZE = 4
    OWN_BATCH = 5
    COMMITMENT = 6
    HAVE = 7
    """Which of several batches of one position HAVE names; unsigned, but said only once. # L4"""


@dataclass(frozen=True, slots=True)
class VoteRecord:
    """One fact that must be durable before the signature over it is sent. # D1 V10 V11 V12 L1"""

    kind: RecordKind
    epoch: Epoch
    number: int
    """View, lane position or height, as the kind demands; for HAVE what `compute_have_number` gives."""
    digest: Digest


_POSITION_BITS = 48


def compute_have_number(lane: ValidatorIndex, position: Position) -> int:
    """Return lane u16 ‖ position u48: the number of a HAVE record. # L4"""
    return lane << _POSITION_BITS | position


def split_have_number(number: int) -> tuple[ValidatorIndex, Position]:
    """Return lane and position of a HAVE record."""
    return number >> _POSITION_BITS, number & (1 << _POSITION_BITS) - 1


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the store hands to a replica that starts; for a new node everything is empty. # R1"""

    snapshot: bytes | None
    """Execution state at the header below; None means genesis."""
    snapshot_header: BlockHeader | None
    """Header of the block that the snapshot is the state after."""
    blocks: Iterable[FinalizedBlock]
    """All stored blocks above the snapshot, consecutive by height; read once."""
    finalization: Certificate | None
    """F certificate of the newest finalized view that the store or the vote log knows."""
    finalized_header: BlockHeader | None
    """Header that `finalization` names."""
    votes: tuple[VoteRecord, ...]
    """Every record of the vote log of this epoch that is not covered by the finalized view."""
    batches: tuple[Batch, ...]
    """Durable batches above the last stored block's cut."""
    commitment: CommitmentCertificate | None
    """Newest commitment certificate."""
    observer_reason: str | None
    """Why this node must not sign (log missing or damaged); None for a validator in order. # D1"""
    headers: tuple[BlockHeader, ...] = ()
    """Headers that were logged with votes above the finalized view, in the order of writing. # R1"""
    certificates: tuple[Certificate, ...] = ()
    """N and Z that were logged with votes above the finalized view, in the order of writing. # R1"""
    evidence: tuple[Evidence, ...] = ()
    """Evidence that was kept, in the order in which it was found; verified again before it counts."""


EMPTY_RECOVERY = Recovery(None, None, (), None, None, (), (), None, None)
"""A node that starts for the first time."""


@dataclass(frozen=True, slots=True)
class FinalizedMark:
    """Head of every vote-log segment: nothing is signed at or below this view."""

    epoch: Epoch
    view: int
    height: Height
    digest: Digest
    finalization: Certificate | None
    header: BlockHeader | None = None
    """Header that `digest` names; None at genesis."""
