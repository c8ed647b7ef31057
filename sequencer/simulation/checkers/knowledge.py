"""Follow what each validator has been told, so that monitors can judge what it decides at that moment.

A mind is an independent, simple model: the messages that reached a replica, the log on which it
started and its own votes, and from these the certificates it holds, its view and its finalized
view. Monitors are asked about every decision when it is taken, before a slow disk delays it; a
decision of a validator that is not correct is nobody's concern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.observer import Observer
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import Commitment
from sequencer.types.effects import Broadcast, Effect, InstallSnapshot, PersistBatch, Send
from sequencer.types.events import Event, MessageReceived, PeerDisconnected, SnapshotInstalled
from sequencer.types.messages import GetBatches, Have, Hello, Message, Sync, SyncBlocks
from sequencer.types.primitives import Digest, Position, View
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode

FUTURE_VIEWS_MAX = 16
"""Votes and proposals of views further ahead are dropped by whom they reach. # C1"""
ANSWER_MS_MAX = 2_000
"""Blocks that come later than this after they were asked for may be dropped. # R2"""
NOBODY = (-1, 0)


@dataclass(slots=True)
class Mind:
    """What one validator knows since it started; times are its own monotonic milliseconds."""

    view: View = 1
    finalized_view: View = 0
    entered_ms: int = 0
    is_entered_by_certificate: bool = False
    """The view was entered after the start, so the validator holds what let it in."""
    sure_view: View = 1
    """View that it has reached whatever a Byzantine voter did; `view` may lie above it."""
    sure_entered_ms: int = 0
    """When it had reached that view at the latest."""
    sure_finalized_view: View = 0
    view_before: View = 1
    """Sure view before the event that is being handled."""
    finalized_before: View = 0
    """Sure finalized view before it."""
    forged: set[View] = field(default_factory=set)
    """Views of which it was shown a certificate that is none."""
    missigned: dict[View, str] = field(default_factory=dict)
    """Views of which a vote came that its sender has not signed: G4 if somebody else has, C1 if nobody has."""
    certificates: dict[tuple[VoteKind, View], Digest] = field(default_factory=dict)
    certain: set[tuple[VoteKind, View]] = field(default_factory=set)
    """Certificates that are held whatever a Byzantine voter did: its wrong vote may keep out its right one."""
    fresh: set[tuple[VoteKind, View]] = field(default_factory=set)
    """Certificates learned from the event that is being handled."""
    assembled: list[View] = field(default_factory=list)
    """Views of which this event's votes made a nullification. # F6"""
    votes: dict[tuple[VoteKind, View, Digest], set[int]] = field(default_factory=dict)
    asked: tuple[int, int] = NOBODY
    """Peer that owes an answer with blocks, and until when it is waited for. # R2"""
    is_adopting: bool = False
    """A snapshot is being made durable: what comes meanwhile waits. # R2"""
    doubtful: dict[tuple[VoteKind, View, Digest], set[int]] = field(default_factory=dict)
    """Votes that may count or not: from before a jump to a snapshot, which forgets them or counts them after it, or of
    views that may have been too far ahead. # R2 C1"""
    decided: set[tuple[RecordKind, View]] = field(default_factory=set)
    """Own facts of the log and since the start."""
    logged: frozenset[tuple[RecordKind, View]] = frozenset()
    """Own facts that the log held at the start."""
    installed_view: View = 0
    """View of the block on whose snapshot it stands; it needs no finalization of that."""
    proposals: dict[View, tuple[Proposal, int]] = field(default_factory=dict)
    """First proposal of each view's leader, and when it came; 0 if it may have been dropped as final already."""
    peer_views: dict[int, View] = field(default_factory=dict)
    """Highest view of which a message of the peer has come."""
    views_entered: int = 0
    heard: dict[int, int] = field(default_factory=dict)
    """Views entered when a signed vote of the peer came last. # T5"""
    heard_at_entry: dict[int, int] = field(default_factory=dict)
    """The same when the view was entered: whether its leader is silent is decided then. # T5"""
    claims: dict[int, dict[int, Position]] = field(default_factory=dict)
    """Per lane and peer: the highest position that it said to hold. # P4"""
    reported: dict[int, tuple[Position, Position]] = field(default_factory=dict)
    """Per peer: what it said to have delivered and to hold of the own lane."""

    def holds(self, kind: VoteKind, view: View, digest: Digest | None = None) -> bool:
        """Tell whether the certificate may be held now."""
        held = self.certificates.get((kind, view))
        return held is not None and (digest is None or held == digest)

    def may_look_at(self, view: View) -> bool:
        """Tell whether a vote or proposal of the view may be looked at.

        What only a Byzantine peer said may have been refused: neither the finality nor the view that rests on it
        takes anything away from what counts, or makes it sure that something does. # C1 C4
        """
        return self.sure_finalized_view < view <= self.view + FUTURE_VIEWS_MAX

    def is_surely_near(self, view: View) -> bool:
        """Tell whether the view is not too far ahead to be looked at, wherever the validator is. # C1"""
        return view <= self.sure_view + FUTURE_VIEWS_MAX

    def held_before(self, kind: VoteKind, view: View) -> bool:
        """Tell whether the certificate was surely held before the event that is being handled."""
        return (kind, view) in self.certain and (kind, view) not in self.fresh


class DecisionMonitor:
    """Judge decisions; subclasses override what they care about."""

    def on_vote(self, node: SimulatedNode, mind: Mind, vote: Vote) -> None:
        """The validator votes, for the first time or again."""

    def on_proposal(self, node: SimulatedNode, mind: Mind, proposal: Proposal) -> None:
        """The validator proposes."""

    def on_hello(self, node: SimulatedNode, mind: Mind, peer: int, hello: Hello) -> None:
        """The validator says hello to `peer`."""

    def on_certificate(self, node: SimulatedNode, mind: Mind, peer: int | None, certificate: Certificate) -> None:
        """The validator hands a certificate to `peer`, or to everybody."""

    def on_push(self, node: SimulatedNode, mind: Mind, peer: int, batch: Batch) -> None:
        """The validator pushes a batch to `peer`."""

    def on_fetch(self, node: SimulatedNode, mind: Mind, peer: int, request: GetBatches) -> None:
        """The validator asks `peer` for batches."""

    def on_decided(self, node: SimulatedNode, mind: Mind, event: Event | None, effects: tuple[Effect, ...]) -> None:
        """The validator has decided all that follows from `event`, or from its start."""


class Knowledge(Observer):
    """One mind per validator; asks monitors about every decision of the correct ones."""

    def __init__(self, ledger: Ledger, validators: int) -> None:
        self._ledger = ledger
        self.minds = [Mind() for _ in range(validators)]
        self._vote: list[Callable[..., None]] = []
        self._proposal: list[Callable[..., None]] = []
        self._hello: list[Callable[..., None]] = []
        self._certificate: list[Callable[..., None]] = []
        self._push: list[Callable[..., None]] = []
        self._fetch: list[Callable[..., None]] = []
        self._decided: list[Callable[..., None]] = []
        self._hooks = {Hello: self._hello, Certificate: self._certificate, Batch: self._push, GetBatches: self._fetch}
        self._learn: dict[type, Callable[..., None]] = {
            Vote: self._learn_vote,
            Certificate: self._learn_certificate,
            Proposal: self._learn_proposal,
            Hello: self._learn_hello,
            Have: self._learn_have,
            SyncBlocks: self._learn_blocks,
        }

    def ask(self, monitor: DecisionMonitor) -> None:
        """Let `monitor` judge; hooks that it does not override cost nothing."""
        for name in ("vote", "proposal", "hello", "certificate", "push", "fetch", "decided"):
            if getattr(type(monitor), f"on_{name}") is not getattr(DecisionMonitor, f"on_{name}"):
                getattr(self, f"_{name}").append(getattr(monitor, f"on_{name}"))

    # -- starting ----------------------------------------------------------------------------

    def on_boot(self, node: SimulatedNode) -> None:
        """Begin with what the disk holds. # R1"""
        mind = self.minds[node.index] = Mind()
        durable = node.store.durable
        mind.installed_view = 0 if durable.snapshot is None else durable.snapshot.header.view
        final = [block.finalization.view for block in durable.blocks.values() if block.finalization is not None]
        mind.sure_finalized_view = max(
            final, default=mind.installed_view
        )  # an older finalization is stood on, with proof
        mind.finalized_view = max(mind.sure_finalized_view, mind.installed_view)
        records = [r for r in durable.votes if r.epoch == self._ledger.genesis.committee.epoch and is_of_view(r)]
        mind.decided = {(record.kind, record.number) for record in records}
        mind.logged = frozenset(mind.decided)
        highest = max((record.number for record in records), default=0)
        mind.view, mind.sure_view = (max(view + 1, highest) for view in (mind.finalized_view, mind.sure_finalized_view))
        mind.entered_ms = mind.sure_entered_ms = node.get_instant().mono_ms
        for certificate in durable.certificates.values():
            self._hold(node, mind, certificate.kind, certificate.view, certificate.digest)
        for record in sorted(records, key=lambda record: (record.number, record.kind)):
            if record.kind is not RecordKind.PROPOSAL and record.number > mind.finalized_view:
                self._count(node, mind, node.index, VoteKind(record.kind), record.number, record.digest)
        mind.is_entered_by_certificate = False
        mind.view_before, mind.finalized_before = mind.sure_view, mind.sure_finalized_view

    def on_installed(self, node: SimulatedNode, header: BlockHeader, commitment: Commitment) -> None:
        """Who jumps to a snapshot calls its block final. # R2"""
        mind = self.minds[node.index]
        mind.installed_view = header.view
        mind.finalized_view = max(mind.finalized_view, header.view)

    def _forget(self, node: SimulatedNode, mind: Mind) -> None:
        """Take nothing for certain that a jump to a snapshot forgets, or holds back and takes up after it. # R2"""
        mind.is_entered_by_certificate = False
        mind.asked = NOBODY
        mind.certain.clear()
        mind.doubtful = {key: voters - {node.index} for key, voters in mind.votes.items()}
        mind.proposals.clear()
        mind.peer_views.clear()
        mind.heard.clear()
        mind.heard_at_entry.clear()
        mind.views_entered = 0

    # -- one event ---------------------------------------------------------------------------

    def on_handled(self, node: SimulatedNode, event: Event | None, effects: tuple[Effect, ...]) -> None:
        """Learn what the event tells, then judge what the validator does about it."""
        mind = self.minds[node.index]
        mind.view_before, mind.finalized_before = mind.sure_view, mind.sure_finalized_view
        if mind.fresh:
            mind.fresh = set()
        if mind.assembled:
            mind.assembled = []
        if isinstance(event, MessageReceived):
            learn = self._learn.get(type(event.message))
            if learn is not None:
                learn(node, mind, event.peer, event.message)
        elif isinstance(event, PeerDisconnected):
            mind.reported.pop(event.peer, None)
            if mind.asked[0] == event.peer:
                mind.asked = NOBODY
        elif isinstance(event, SnapshotInstalled):
            self._forget(node, mind)
            mind.is_adopting = False
            mind.view_before = mind.finalized_before = 0  # all that waited is decided now
        is_notable = bool(mind.assembled) or is_notable_event(event, mind)
        if effects or is_notable:
            self._on_effects(node, mind, event, effects, is_notable)

    def _on_effects(
        self, node: SimulatedNode, mind: Mind, event: Event | None, effects: tuple[Effect, ...], is_notable: bool
    ) -> None:
        """Judge what is done, and what is not done though the event is notable."""
        is_observer = node.replica is None or node.replica.observer_reason is not None
        is_judged = node.index not in self._ledger.faulty and not is_observer
        for effect in effects:
            if isinstance(effect, Send):
                if isinstance(effect.message, Sync):
                    mind.asked = (effect.peer, node.get_instant().mono_ms + ANSWER_MS_MAX)
                is_notable |= self._on_said(node, mind, effect.peer, effect.message, is_judged)
            elif isinstance(effect, Broadcast):
                is_notable |= self._on_said(node, mind, None, effect.message, is_judged)
            elif isinstance(effect, PersistBatch):
                is_notable = True
            elif isinstance(effect, InstallSnapshot):
                self._forget(node, mind)
                mind.is_adopting = True
        if is_judged and is_notable:
            for hook in self._decided:
                hook(node, mind, event, effects)

    def _on_said(self, node: SimulatedNode, mind: Mind, peer: int | None, message: Message, is_judged: bool) -> bool:
        """Judge what is said, and take it to the validator's own mind; tell whether it is a vote or a proposal."""
        if isinstance(message, (Vote, Proposal)):
            if not is_judged:
                self._check_observer(node)
            if isinstance(message, Vote):
                self._on_own_vote(node, mind, message, is_judged)
            else:
                self._judge(self._proposal if is_judged else (), node, mind, message)
                mind.decided.add((RecordKind.PROPOSAL, message.header.view))
                self._note_proposal(node, mind, message)
            return True
        if is_judged:
            hooks = self._hooks.get(type(message))
            if hooks is not None and (peer is not None or isinstance(message, Certificate)):
                self._judge(hooks, node, mind, peer, message)
        return False

    def _on_own_vote(self, node: SimulatedNode, mind: Mind, vote: Vote, is_judged: bool) -> None:
        self._judge(self._vote if is_judged else (), node, mind, vote)
        mind.decided.add((RecordKind(vote.kind), vote.view))
        self._count(node, mind, node.index, vote.kind, vote.view, vote.digest)

    def _check_observer(self, node: SimulatedNode) -> None:
        if node.replica is not None and node.replica.observer_reason is not None:
            self._ledger.report("D1", 0, node.index, f"signs, though it is an observer: {node.replica.observer_reason}")

    @staticmethod
    def _judge(hooks: Iterable[Callable[..., None]], *arguments: object) -> None:
        for hook in hooks:
            hook(*arguments)

    # -- learning ----------------------------------------------------------------------------

    def _learn_vote(self, node: SimulatedNode, mind: Mind, peer: int, vote: Vote) -> None:
        reached = vote.view + (vote.kind is VoteKind.FINALIZE)
        mind.peer_views[peer] = max(reached, mind.peer_views.get(peer, 0))
        if vote.entry is not None and vote.entry.view + 1 > mind.sure_view:
            self._learn_certificate(node, mind, peer, vote.entry, is_surely_read=vote.entry.view + 1 > mind.view)
        is_signed = self._ledger.is_signed(peer, vote)
        if is_signed:
            mind.heard[peer] = mind.views_entered
        if not mind.may_look_at(vote.view):
            return
        if is_signed:
            if not mind.is_surely_near(vote.view):
                mind.doubtful.setdefault((vote.kind, vote.view, vote.digest), set()).add(peer)
            self._count(node, mind, peer, vote.kind, vote.view, vote.digest)
        else:
            is_relayed = self._ledger.is_signed_by_anybody(vote)
            mind.missigned[vote.view] = "G4" if is_relayed else "C1"

    def _learn_certificate(
        self, node: SimulatedNode, mind: Mind, peer: int, certificate: Certificate, is_surely_read: bool = True
    ) -> None:
        is_known = (certificate.kind, certificate.view) in mind.certain
        if is_known or certificate.view < mind.sure_finalized_view:
            return
        if self._ledger.is_genuine(certificate):
            # Of what a Byzantine peer sends, a wrong part may keep out the right ones after it.
            is_certain = is_surely_read and peer not in self._ledger.faulty and not mind.is_adopting
            self._hold(node, mind, certificate.kind, certificate.view, certificate.digest, is_certain)
        else:
            mind.forged.add(certificate.view)

    def _learn_proposal(self, node: SimulatedNode, mind: Mind, peer: int, proposal: Proposal) -> None:
        mind.peer_views[peer] = max(proposal.header.view, mind.peer_views.get(peer, 0))
        if not mind.may_look_at(proposal.header.view):
            return
        is_near = mind.is_surely_near(proposal.header.view)
        for certificate in proposal.justification:
            self._learn_certificate(node, mind, peer, certificate, is_surely_read=is_near)
        if not is_near:
            return
        if peer == self._ledger.genesis.committee.get_leader(proposal.header.view) and self._is_valid(peer, proposal):
            self._note_proposal(node, mind, proposal)

    def _is_valid(self, peer: int, proposal: Proposal) -> bool:
        """Tell whether a proposal counts as the leader's; correct leaders send no other. # V2"""
        if peer not in self._ledger.faulty:
            return True
        header = proposal.header
        message = compute_signing_bytes(
            self._ledger.genesis.chain_id, header.epoch, SignatureKind.PROPOSAL, header.view, header.digest
        )
        return len(header.cut) == len(self.minds) and self._ledger.verify(peer, message, proposal.signature)

    def _note_proposal(self, node: SimulatedNode, mind: Mind, proposal: Proposal) -> None:
        view, now_ms = proposal.header.view, node.get_instant().mono_ms
        if view > mind.sure_finalized_view:
            mind.proposals.setdefault(view, (proposal, now_ms if view > mind.finalized_view else 0))

    def _learn_hello(self, node: SimulatedNode, mind: Mind, peer: int, hello: Hello) -> None:
        for certificate in hello.certificates:
            self._learn_certificate(node, mind, peer, certificate)
        for vote in hello.votes:
            self._learn_vote(node, mind, peer, vote)

        self._learn_have(node, mind, peer, hello.have)

    def _learn_have(self, node: SimulatedNode, mind: Mind, peer: int, have: Have) -> None:
        """What the peer says of this validator's lane: it pushes from there. # L2b"""
        if len(have.delivered) != len(self.minds):
            return
        delivered, held = mind.reported.get(peer, (0, 0))
        for entry in have.entries:
            claims = mind.claims.setdefault(entry.lane, {})
            claims[peer] = max(entry.position, claims.get(peer, 0))
            if entry.lane == node.index:
                held = max(held, entry.position)
        mind.reported[peer] = (max(delivered, have.delivered[node.index]), held)

    def _learn_blocks(self, node: SimulatedNode, mind: Mind, peer: int, answer: SyncBlocks) -> None:
        """Only the answer that is waited for is surely read. # R2"""
        asked, until_ms = mind.asked
        is_surely_read = peer == asked and node.get_instant().mono_ms < until_ms
        if peer == asked:
            mind.asked = NOBODY
        for block in answer.blocks:
            if block.finalization is not None:
                self._learn_certificate(node, mind, peer, block.finalization, is_surely_read)

    def _count(self, node: SimulatedNode, mind: Mind, signer: int, kind: VoteKind, view: View, digest: Digest) -> None:
        if (kind, view) in mind.certain:
            return
        voters = mind.votes.setdefault((kind, view, digest), set())
        voters.add(signer)
        if self._ledger.is_strong(voters):
            doubtful = mind.doubtful.get((kind, view, digest), set()) if mind.doubtful else set()
            sure = voters - self._ledger.faulty - doubtful
            is_certain = not mind.is_adopting and self._ledger.is_strong(sure)
            # A finalization that a Byzantine voter may have spoiled may as well be held: then nobody counts here. # C4
            is_open = view > mind.finalized_view and (kind, view) not in mind.certificates
            if kind is VoteKind.NULLIFY and is_certain and is_open:
                mind.assembled.append(view)
            self._hold(node, mind, kind, view, digest, is_certain)

    def _hold(
        self, node: SimulatedNode, mind: Mind, kind: VoteKind, view: View, digest: Digest, is_certain: bool = True
    ) -> None:
        """Take in a certificate: it may lead into the next view, and finality moves with it. # C3 C4"""
        mind.certificates[kind, view] = digest
        mind.fresh.add((kind, view))
        if is_certain:
            mind.certain.add((kind, view))
            if view >= mind.sure_view:
                mind.sure_view = view + 1
                mind.sure_entered_ms = node.get_instant().mono_ms
            if kind is VoteKind.FINALIZE:
                mind.sure_finalized_view = max(mind.sure_finalized_view, view)
        if kind is VoteKind.FINALIZE:
            mind.finalized_view = max(mind.finalized_view, view)
        if view >= mind.view:
            mind.view = view + 1
            mind.views_entered += 1
            mind.heard_at_entry = dict(mind.heard)
            mind.entered_ms = node.get_instant().mono_ms
            mind.is_entered_by_certificate = True


def is_notable_event(event: Event | None, mind: Mind) -> bool:
    """Tell whether something may be due because of this event even if nothing is done about it."""
    if isinstance(event, MessageReceived):
        message = event.message
        if isinstance(message, Vote):
            return message.view < mind.view_before and (message.is_resend or message.kind is VoteKind.NULLIFY)
        return isinstance(message, (Hello, Batch))
    return event is None or isinstance(event, PeerDisconnected)


def is_of_view(record: VoteRecord) -> bool:
    """Tell whether the record is about a view; others are about lane positions and heights."""
    return record.kind in (RecordKind.PROPOSAL, RecordKind.NOTARIZE, RecordKind.NULLIFY, RecordKind.FINALIZE)
