"""List what a replica asks of the world; names are in the imperative.

Order matters: whatever follows a `Persist…` in the same tuple may leave the node only once
that record is durable. `StoreExecution` and `SaveSnapshot` can be recomputed and gate nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.evidence import Evidence
from sequencer.types.executed import ExecutedBlock
from sequencer.types.messages import Message
from sequencer.types.outcome import Rejection
from sequencer.types.primitives import Digest, Height, Position, ValidatorIndex
from sequencer.types.records import VoteRecord
from sequencer.types.snapshot import SnapshotClaim
from sequencer.types.verdict import ExecutorVote
from sequencer.types.vote import Certificate


@dataclass(frozen=True, slots=True)
class Send:
    """Send to one peer; lost if the channel is down."""

    peer: ValidatorIndex
    message: Message


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send to every other validator."""

    message: Message


@dataclass(frozen=True, slots=True)
class PersistVote:
    """Append to the vote log and make durable. # V10 V11 V12"""

    record: VoteRecord
    header: BlockHeader | None = None
    """With PROPOSAL and NOTARIZE: the header that the record names. Whoever certifies a block again
    after all validators restarted must still find its header with one of the voters. # R1"""
    certificates: tuple[Certificate, ...] = ()
    """N and Z of lower views on which the vote rests and that were not logged before. Should all
    validators restart at once, votes alone may not give them again. # R1 F5"""


@dataclass(frozen=True, slots=True)
class PersistBatch:
    """Write a batch to the block store and make durable. # L1 L4"""

    batch: Batch


@dataclass(frozen=True, slots=True)
class PersistBlock:
    """Write a delivered block (its batches are durable already or come along) and make durable."""

    block: FinalizedBlock


@dataclass(frozen=True, slots=True)
class StoreExecution:
    """Index what executing a block gave, and tell subscribers."""

    block: ExecutedBlock


@dataclass(frozen=True, slots=True)
class StoreCommitmentCertificate:
    """Keep the certificate of a commitment, and tell subscribers."""

    certificate: CommitmentCertificate


@dataclass(frozen=True, slots=True)
class StoreEvidence:
    """Keep verified evidence. Gates nothing: what is lost, peers have too, or the offender gives again. # X1-X7"""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class SaveSnapshot:
    """Keep the execution state after `header`; older snapshots may go."""

    header: BlockHeader
    snapshot: bytes
    commitment: Commitment
    """Of the header's height: under its roots lies the state."""


@dataclass(frozen=True, slots=True)
class InstallSnapshot:
    """Keep a snapshot that came from peers, and its certificate, durably and all at once; then start from it. # R2

    Gates what follows, like a `Persist…`. Answered by `SnapshotInstalled` once everything before is durable.
    """

    claim: SnapshotClaim
    snapshot: bytes


@dataclass(frozen=True, slots=True)
class CheckItems:
    """Run `check_items` off the critical path; answered by `ItemsChecked`."""

    request: int
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LoadBlocks:
    """Read stored blocks; answered by `BlocksLoaded`."""

    request: int
    from_height: Height
    count: int


@dataclass(frozen=True, slots=True)
class LoadBatches:
    """Read stored batches from `tip_digest` at `high` down to `low`; answered by `BatchesLoaded`. # L6"""

    request: int
    lane: ValidatorIndex
    tip_digest: Digest
    low: Position
    high: Position


@dataclass(frozen=True, slots=True)
class LoadSnapshot:
    """Look up the newest certified snapshot above a height; answered by `SnapshotLoaded`. # R2"""

    request: int
    above: Height


@dataclass(frozen=True, slots=True)
class LoadSnapshotChunk:
    """Read a chunk of a stored snapshot; answered by `SnapshotChunkLoaded`. # R2"""

    request: int
    height: Height
    index: int


@dataclass(frozen=True, slots=True)
class PublishItems:
    """Gossip items in a packed envelope."""

    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PublishVotes:
    """Gossip what this executor signed, to validators and other executors. # A14"""

    votes: tuple[ExecutorVote, ...]


class SubmissionStatus(enum.Enum):
    """What happened to one submitted item; only a receipt is a proof. # O5"""

    ACCEPTED = "accepted"
    """In a batch that is durable and pushed."""
    HELD = "held"
    """Waits: for its predecessor, for room in the lane, or for another validator's lane."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Submission:
    """Answer for one submitted item."""

    status: SubmissionStatus
    item_id: Digest
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to `ItemsSubmitted`: one submission per item, in order."""

    request: int
    submissions: tuple[Submission, ...]


@dataclass(frozen=True, slots=True)
class Continue:
    """Hand in `Continued` soon, after what waits already; execution goes on then."""


@dataclass(frozen=True, slots=True)
class BanPeer:
    """Close the connections to a peer that broke the protocol, for 60 s."""

    peer: ValidatorIndex
    reason: str


@dataclass(frozen=True, slots=True)
class RaiseAlarm:
    """A rule of the protocol was broken by more than F; the replica has stopped signing."""

    reason: str


Effect: TypeAlias = (
    Send
    | Broadcast
    | PersistVote
    | PersistBatch
    | PersistBlock
    | StoreExecution
    | StoreCommitmentCertificate
    | StoreEvidence
    | SaveSnapshot
    | InstallSnapshot
    | CheckItems
    | LoadBlocks
    | LoadBatches
    | LoadSnapshot
    | LoadSnapshotChunk
    | PublishItems
    | PublishVotes
    | Answer
    | Continue
    | BanPeer
    | RaiseAlarm
)
