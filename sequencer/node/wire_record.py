"""Write down what validators said on the wire, so that their words can be held against their vote logs.

Off unless `is_wire_recorded` stands in `node.json`. Promises: every proposal, vote, commitment
vote and batch header that arrives is one line of `wire.jsonl`, with its signature as it came and before
anybody checked it; the file is bounded as the event log is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sequencer.node.event_log import EventLog
from sequencer.types.batch import Batch
from sequencer.types.commitment import CommitmentVote
from sequencer.types.messages import Batches, Hello, Message
from sequencer.types.primitives import Digest, Epoch, Signature, ValidatorIndex
from sequencer.types.records import RecordKind
from sequencer.types.vote import Proposal, Vote

WIRE_RECORD_FILE = "wire.jsonl"


class Statement(NamedTuple):
    """What one signature says, if it is good."""

    signer: ValidatorIndex
    kind: RecordKind
    epoch: Epoch
    number: int
    """View, lane position or height, as the kind demands."""
    digest: Digest
    signature: Signature


class WireRecorder:
    """One node's record of what others said."""

    def __init__(self, log: EventLog, names: Sequence[str]) -> None:
        self._log = log
        self._names = names

    def record(self, sender: ValidatorIndex, message: Message) -> None:
        """Append one line per statement of the message; nothing if it makes none or the log is off."""
        if not self._log.is_open:
            return
        for statement in find_statements(sender, message):
            self._log.write("said", self._describe(sender, statement))

    def _describe(self, sender: ValidatorIndex, statement: Statement) -> dict[str, object]:
        return {
            "from": self._names[sender],
            "signer": statement.signer,
            "kind": statement.kind.name,
            "epoch": statement.epoch,
            "number": statement.number,
            "digest": statement.digest.hex(),
            "signature": statement.signature.hex(),
        }


def find_statements(sender: ValidatorIndex, message: Message) -> Iterator[Statement]:
    """Yield what validators say in a message: the sender itself, or the owners of batches that it hands on."""
    match message:
        case Proposal(header=header):
            yield Statement(sender, RecordKind.PROPOSAL, header.epoch, header.view, header.digest, message.signature)
        case Vote():
            yield _read_vote(sender, message)
        case Hello(votes=votes):
            yield from (_read_vote(sender, vote) for vote in votes)
        case CommitmentVote(epoch, height, digest, signature):
            yield Statement(sender, RecordKind.COMMITMENT, epoch, height, digest, signature)
        case Batch():
            yield _read_batch(message)
        case Batches(batches=batches):
            yield from map(_read_batch, batches)


def _read_vote(sender: ValidatorIndex, vote: Vote) -> Statement:
    return Statement(sender, RecordKind(vote.kind), vote.epoch, vote.view, vote.digest, vote.signature)


def _read_batch(batch: Batch) -> Statement:
    header = batch.header
    return Statement(header.lane, RecordKind.OWN_BATCH, header.epoch, header.position, header.digest, batch.signature)
