"""Write every protocol action of a run into its trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.simulation.observer import Observer
from sequencer.simulation.scheduler import Scheduler
from sequencer.simulation.trace import Trace
from sequencer.types.batch import Batch
from sequencer.types.block import FinalizedBlock
from sequencer.types.commitment import CommitmentCertificate, CommitmentVote
from sequencer.types.effects import Answer
from sequencer.types.evidence import Evidence, Statement
from sequencer.types.executed import ExecutedBlock
from sequencer.types.messages import Accusation, Hello, Message
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.errors import SequencerError
    from sequencer.simulation.node import SimulatedNode
    from sequencer.simulation.store import StoreRecord

_LOGGED = {kind: f"logged {kind.name.lower()}" for kind in RecordKind}
_NAMES = {
    (message, kind): f"{kind.name.lower()} {message.__name__.lower()}"
    for message in (Vote, Certificate)
    for kind in VoteKind
}


class Recorder(Observer):
    """Turn sights into trace lines: who, what, which number, which object."""

    def __init__(self, trace: Trace, scheduler: Scheduler) -> None:
        self._trace = trace
        self._scheduler = scheduler

    def _add(self, node: SimulatedNode, action: str, number: int = 0, digest: bytes = b"") -> None:
        self._trace.add(self._scheduler.now_us, node.index, action, number, digest)

    def on_boot(self, node: SimulatedNode) -> None:
        self._add(node, "boot", len(node.store.vote_log))

    def on_crash(self, node: SimulatedNode) -> None:
        self._add(node, "crash", len(node.store.vote_log))

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        for vote in votes:
            self._add(node, _LOGGED[vote.kind], vote.number, vote.digest)
        for record in records:
            if isinstance(record, FinalizedBlock):
                self._add(node, "stored block", record.header.height, record.header.digest)
            elif isinstance(record, Batch):
                self._add(node, f"stored batch of lane {record.header.lane}", record.header.position, record.digest)

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        number, digest = _describe(message)
        target = "all" if peer is None else str(peer)
        self._add(node, f"sends {_get_name(message)} to {target}", number, digest)

    def on_executed(self, node: SimulatedNode, block: ExecutedBlock) -> None:
        self._add(node, "executed", block.header.height, block.commitment.digest)

    def on_certified(self, node: SimulatedNode, certificate: CommitmentCertificate) -> None:
        self._add(node, "keeps commitment certificate", certificate.height, certificate.digest)

    def on_evidence(self, node: SimulatedNode, evidence: Evidence) -> None:
        action = f"keeps evidence {evidence.kind.rule} against {evidence.signer}"
        self._add(node, action, evidence.number, evidence.digests[-1])

    def on_answered(self, node: SimulatedNode, answer: Answer) -> None:
        for submission in answer.submissions:
            self._add(node, f"answers {submission.status.value}", answer.request, submission.item_id)

    def on_banned(self, node: SimulatedNode, peer: int, reason: str) -> None:
        self._add(node, f"bans: {reason}", peer)

    def on_alarm(self, node: SimulatedNode, reason: str) -> None:
        self._add(node, f"raises the alarm: {reason}")

    def on_error(self, node: SimulatedNode, error: SequencerError) -> None:
        self._add(node, f"stops: {error}")


def _get_name(message: Message) -> str:
    if isinstance(message, (Vote, Certificate)):
        return _NAMES[type(message), message.kind]
    return type(message).__name__


def _describe(message: Message) -> tuple[int, bytes]:
    """Return the number and the digest that name what the message is about."""
    match message:
        case Vote() | Certificate():
            return message.view, message.digest
        case Proposal():
            return message.header.view, message.header.digest
        case Batch():
            return message.header.position, message.digest
        case CommitmentVote() | CommitmentCertificate():
            return message.height, message.digest
        case Accusation():
            return message.evidence.number, message.evidence.digests[-1]
        case Statement():
            return message.number, message.digest
        case Hello():
            return message.view, message.finalized_digest
        case _:
            return 0, ZERO_DIGEST
