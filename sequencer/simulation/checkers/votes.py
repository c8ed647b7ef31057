"""Guard what an honest validator may sign, across its crashes. # I9 D1 R1 V3 V5 V11 V12 L1 I10"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.observer import Observer
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import CommitmentVote
from sequencer.types.effects import Effect, PersistVote
from sequencer.types.events import Event
from sequencer.types.messages import Hello, Message
from sequencer.types.primitives import Digest, Epoch, View
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.vote import Proposal, Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode
    from sequencer.simulation.store import StoreRecord

_VIEW_KINDS = (RecordKind.PROPOSAL, RecordKind.NOTARIZE, RecordKind.NULLIFY, RecordKind.FINALIZE)


class SignatureChecker(Observer):
    """Nobody honest signs two things that contradict each other, or anything not written down. # I9 D1 L1"""

    sent_types = (Vote, Proposal, CommitmentVote, Hello, Batch)

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self._signed: list[dict[tuple[RecordKind, int], Digest]] = [{} for _ in range(validators)]
        """Everything a validator ever signed; it survives crashes."""
        self._floor: list[View] = [0] * validators
        """Highest view in the vote log at the last start: nothing new below. # R1"""
        self._view: list[View] = [0] * validators
        """Highest view of a new vote since the last start. # I10"""
        self._logged: list[frozenset[VoteRecord]] = [frozenset()] * validators
        """What the vote log held at the last start; it may be sent again. # R1"""
        self._recorded: list[dict[tuple[RecordKind, int], Digest]] = [{} for _ in range(validators)]
        """Everything a validator ever logged."""

    def on_boot(self, node: SimulatedNode) -> None:
        self._logged[node.index] = frozenset(node.store.durable.votes)
        views = [
            record.number
            for record in node.store.vote_log
            if record.kind in _VIEW_KINDS and record.epoch == self._ledger.genesis.committee.epoch
        ]
        self._floor[node.index] = self._view[node.index] = max(views, default=0)

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        for record in votes:
            before = self._recorded[node.index].setdefault((record.kind, record.number), record.digest)
            if before != record.digest:
                self._ledger.report("I9", record.number, node.index, f"logged two {_name(record)} for one number")

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        if isinstance(message, Vote):
            self._on_vote(node, message)
        elif isinstance(message, Proposal):
            self._on_fact(node, RecordKind.PROPOSAL, message.header.epoch, message.header.view, message.header.digest)
        elif isinstance(message, CommitmentVote):
            self._on_fact(node, RecordKind.COMMITMENT, message.epoch, message.height, message.digest)
        elif isinstance(message, Hello):
            for vote in message.votes:
                self._on_vote(node, vote)
        elif isinstance(message, Batch) and message.header.lane == node.index:
            self._sign(node, RecordKind.OWN_BATCH, message.header.position, message.digest)
            header = message.header
            if message.digest not in node.store.durable.batches:
                self._ledger.report("L1", header.position, node.index, "own batch sent before it is durable")
            record = VoteRecord(RecordKind.OWN_BATCH, header.epoch, header.position, message.digest)
            if record not in node.store.durable.votes:
                self._ledger.report("D1", header.position, node.index, "own batch sent before its record is durable")

    def _on_fact(self, node: SimulatedNode, kind: RecordKind, epoch: Epoch, number: int, digest: Digest) -> None:
        if VoteRecord(kind, epoch, number, digest) not in node.store.durable.votes:
            self._ledger.report("D1", number, node.index, f"{kind.name.lower()} sent before it is durable")
        self._sign(node, kind, number, digest)

    def _on_vote(self, node: SimulatedNode, vote: Vote) -> None:
        record = VoteRecord(RecordKind(vote.kind), vote.epoch, vote.view, vote.digest)
        if (record.kind, vote.view) not in self._signed[node.index]:
            if record not in node.store.durable.votes:
                self._ledger.report("D1", vote.view, node.index, f"{_name(record)} sent before it is durable")
            if record not in self._logged[node.index]:
                self._check_order(node.index, record)
        self._sign(node, record.kind, vote.view, vote.digest)

    def _check_order(self, node: int, record: VoteRecord) -> None:
        """Check a new vote against those sent before it."""
        signed, report, view = self._signed[node], self._ledger.report, record.number
        if view < self._floor[node]:
            report("R1", view, node, f"new {_name(record)} below view {self._floor[node]} of the vote log")
        if record.kind is RecordKind.NOTARIZE and (RecordKind.NULLIFY, view) in signed:
            report("V11", view, node, "notarize after nullify")
        if record.kind is RecordKind.FINALIZE and (RecordKind.NULLIFY, view) in signed:
            report("V12", view, node, "finalize after nullify")
        if record.kind is RecordKind.NULLIFY and (RecordKind.FINALIZE, view) in signed:
            report("V11", view, node, "nullify after finalize")
        if view < self._view[node]:
            rule = "V12" if record.kind is RecordKind.FINALIZE else "I10"
            report(rule, view, node, f"new {_name(record)} after a vote in view {self._view[node]}")
        self._view[node] = max(self._view[node], view)

    def _sign(self, node: SimulatedNode, kind: RecordKind, number: int, digest: Digest) -> None:
        before = self._signed[node.index].setdefault((kind, number), digest)
        if before != digest:
            self._ledger.report("I9", number, node.index, f"signed two {kind.name.lower()} for one number")


class VotingRulesChecker(Observer):
    """A notarize is sent only for a block that extends notarized history by the rules. # V3 V4 V5 V7"""

    sent_types = (Vote,)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._advance_max = ledger.genesis.parameters.lane_advance_max
        self._drift_ms = ledger.genesis.parameters.clock_drift_ms_max
        self._checked: set[tuple[int, Digest]] = set()
        self._decided_ms: dict[tuple[int, Digest], int] = {}
        """What a voter's wall clock showed when it decided to notarize a block: until it may send the vote, a slow disk
        or a crash can take any time, and the clock may jump. # V7 V10"""

    def on_handled(self, node: SimulatedNode, event: Event | None, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, PersistVote) and effect.record.kind is RecordKind.NOTARIZE:
                self._decided_ms[node.index, effect.record.digest] = node.get_instant().wall_ms

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        if not isinstance(message, Vote) or message.kind is not VoteKind.NOTARIZE:
            return
        header = self._ledger.headers.get(message.digest)
        if header is None:
            self._ledger.report("V2", message.view, node.index, "notarize for a block that nobody proposed")
        elif (node.index, message.digest) not in self._checked:
            self._checked.add((node.index, message.digest))
            self._check_parent(node.index, header)
            self._check_header(node, header)

    def _check_parent(self, node: int, header: BlockHeader) -> None:
        has, report, view = self._ledger.has_certificate, self._ledger.report, header.view
        if not header.parent_view < view or not has(VoteKind.NOTARIZE, header.parent_view, header.parent_digest):
            report("V3", view, node, "the parent is not notarized")
        for skipped in range(header.parent_view + 1, view):
            if not has(VoteKind.NULLIFY, skipped):
                report("V3", view, node, f"skipped view {skipped} is not nullified")

    def _check_header(self, node: SimulatedNode, header: BlockHeader) -> None:
        report, view = self._ledger.report, header.view
        parent = self._ledger.headers.get(header.parent_digest)
        if parent is None or header.height != parent.height + 1:
            report("V4", view, node.index, "the height is not the parent's plus 1")
            return
        for lane, (new, old) in enumerate(zip(header.cut, parent.cut, strict=True)):
            if not old.position <= new.position <= old.position + self._advance_max:
                report("V5", view, node.index, f"lane {lane} moves from {old.position} to {new.position}")
            if new.position == old.position and new.digest != old.digest:
                report("V5", view, node.index, f"lane {lane} changes its tip at {new.position}")
        wall_ms = self._decided_ms.get((node.index, header.digest), node.get_instant().wall_ms)
        if not parent.time_ms < header.time_ms <= wall_ms + self._drift_ms:
            report("V7", view, node.index, "the time is not in the voter's window")


def _name(record: VoteRecord) -> str:
    return record.kind.name.lower()
