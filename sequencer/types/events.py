"""List what can happen to a replica; names are in the past tense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sequencer.types.batch import Batch
from sequencer.types.block import FinalizedBlock
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.item import CheckedItem
from sequencer.types.messages import Message
from sequencer.types.primitives import Height, ValidatorIndex
from sequencer.types.records import Recovery
from sequencer.types.snapshot import SnapshotClaim
from sequencer.types.verdict import ExecutorVote


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """Both channels to the peer are open; what was sent before may be lost. # G4"""

    peer: ValidatorIndex


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    """A channel to the peer broke; an unknown suffix of what was sent is lost. # G4"""

    peer: ValidatorIndex


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A decoded message came from an authenticated peer. # G4"""

    peer: ValidatorIndex
    message: Message


@dataclass(frozen=True, slots=True)
class ItemsSubmitted:
    """A client handed in items; answered by the effect `Answer` with the same `request`."""

    request: int
    """≥ 1, chosen by the caller, unique while unanswered."""
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ItemsGossiped:
    """A packed envelope of items came by gossip."""

    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ItemsChecked:
    """Answer to `CheckItems`: one result per item, in order."""

    request: int
    results: tuple[CheckedItem, ...]


@dataclass(frozen=True, slots=True)
class BlocksLoaded:
    """Answer to `LoadBlocks`: consecutive stored blocks, perhaps none."""

    request: int
    blocks: tuple[FinalizedBlock, ...]
    commitment: CommitmentCertificate | None
    oldest: Height = 0
    """Lowest height whose block is stored; 0 if there is none."""
    newest: Height = 0
    """Highest height whose block is stored; 0 if there is none."""


@dataclass(frozen=True, slots=True)
class BatchesLoaded:
    """Answer to `LoadBatches`: batches from the tip downwards as far as stored, perhaps none."""

    request: int
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class SnapshotLoaded:
    """Answer to `LoadSnapshot`."""

    request: int
    oldest: Height
    """Lowest height whose block is stored; 0 if there is none."""
    newest: Height
    """Highest height whose block is stored; 0 if there is none."""
    claim: SnapshotClaim | None
    """None if no certified snapshot stands above the height asked for."""


@dataclass(frozen=True, slots=True)
class SnapshotChunkLoaded:
    """Answer to `LoadSnapshotChunk`."""

    request: int
    height: Height
    index: int
    data: bytes
    """Empty if the snapshot is not stored any more."""


@dataclass(frozen=True, slots=True)
class SnapshotInstalled:
    """Answer to `InstallSnapshot`: what the store now holds, as for a replica that starts. # R1 R2"""

    recovery: Recovery


@dataclass(frozen=True, slots=True)
class VotesReceived:
    """Votes of executors came by gossip, well-formed; nobody has looked at their signatures. # A14"""

    votes: tuple[ExecutorVote, ...]
    """Of one envelope: 1..4,096, at most 64 KiB in all."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time that `get_timer` named has come."""


@dataclass(frozen=True, slots=True)
class Continued:
    """Answer to `Continue`: goes on with a slice of execution."""


Event: TypeAlias = (
    PeerConnected
    | PeerDisconnected
    | MessageReceived
    | ItemsSubmitted
    | ItemsGossiped
    | ItemsChecked
    | BlocksLoaded
    | BatchesLoaded
    | SnapshotLoaded
    | SnapshotChunkLoaded
    | SnapshotInstalled
    | VotesReceived
    | TimerFired
    | Continued
)
