"""Play three correct validators against a traitor with unlimited sight.

The traitor sees every message, votes for everything to whomever it likes, equivocates as leader, makes any certificate
that the votes it saw allow, and shows it to some. The network delays, reorders and drops. Correct validators die
in the middle of a turn and start again from what they had made durable. Then the traitor is silent for ever, messages
arrive, and the three, who are just strong, must go on.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import PeerError, VerificationError
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Broadcast, Effect, PersistVote, RaiseAlarm, Send
from sequencer.types.evidence import EvidenceKind, Statement
from sequencer.types.messages import BlockHeaders, GetBlocks, Message
from sequencer.types.primitives import Digest, View
from sequencer.types.records import VoteRecord
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind
from tests.execution_world import GENESIS
from tests.unit.consensus.world import (
    COMMITTEE,
    ROOT,
    ZERO,
    F,
    N,
    Node,
    Z,
    at,
    certify_votes,
    leader_of,
    make_header,
    propose,
    sign_vote,
)

TRAITOR = 3
HONEST = (0, 1, 2)
STEPS = 400
HEAL_TURNS = 200
"""Timers that may fire until all have two more final blocks."""


@dataclass
class Life:
    """One correct validator over all its lives: the node, and what its disk holds."""

    node: Node
    log: list[VoteRecord] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    headers: list[BlockHeader] = field(default_factory=list)
    final: dict[int, Digest] = field(default_factory=dict)

    def read_disk(self) -> None:
        """What is on the disk stays as it is; the planted bug loses it."""


class Trial:
    """One run under one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.lives = [Life(Node(index)) for index in HONEST]
        self.wire: list[tuple[int, int, Message]] = []
        self.headers: dict[Digest, BlockHeader] = {ROOT.digest: ROOT}
        self.seen: dict[tuple[VoteKind, View, Digest], dict[int, Vote]] = {}
        self.alarms: list[str] = []
        self.proven: dict[tuple[EvidenceKind, int, int], bool] = {}
        """Whether what a correct validator noticed (rule, signer, number) verifies."""
        self.ms = 0
        for life in self.lives:
            self.perform(life, life.node.take())

    # --- the world ----------------------------------------------------------------------

    def run(self) -> None:
        """Let chance choose what happens next, many times."""
        for _ in range(STEPS):
            self.rng.choices(
                (self.deliver, self.pass_time, self.betray, self.crash, self.drop), weights=(50, 25, 25, 2, 2)
            )[0]()

    def deliver(self) -> None:
        """Hand over some of the messages under way, in any order."""
        for _ in range(min(len(self.wire), self.rng.randrange(1, 16))):
            source, target, message = self.wire.pop(self.rng.randrange(len(self.wire)))
            self.hand(self.lives[target], source, message)

    def drop(self) -> None:
        """Lose a message."""
        if self.wire:
            self.wire.pop(self.rng.randrange(len(self.wire)))

    def pass_time(self) -> None:
        """Let time pass, a little or enough for every timer."""
        self.ms += self.rng.choice((5, 60, 250, 600))
        self.fire_timers()

    def fire_timers(self) -> None:
        """Wake whoever is due."""
        for life in self.lives:
            due = life.node.core.get_timer()
            if due is not None and due <= self.ms:
                life.node.core.on_timer(at(self.ms))
                self.perform(life, life.node.take())

    def crash(self) -> None:
        """Kill one correct validator between two effects of a turn; it starts again from its disk."""
        life = self.rng.choice(self.lives)
        life.node.core.on_timer(at(self.ms))
        effects = life.node.take()
        self.perform(life, effects[: self.rng.randrange(len(effects) + 1)])
        life.read_disk()
        life.node = Node(life.node.index, life.log, life.certificates, life.headers)
        self.perform(life, life.node.take())
        self.greet(life)

    def greet(self, life: Life) -> None:
        """Say HELLO to everybody. # F5"""
        for other in HONEST:
            for certificate in life.node.core.get_hello_certificates():
                self.send(life.node.index, other, certificate)
            for vote in life.node.core.get_hello_votes():
                self.send(life.node.index, other, vote)

    def heal(self) -> bool:
        """Lose what is under way, connect everybody anew, deliver in order; tell whether all make progress. # I12"""
        self.wire.clear()
        for life in self.lives:
            self.greet(life)
        goal = max(max(life.final, default=0) for life in self.lives) + 2
        for _ in range(HEAL_TURNS):
            while self.wire:
                source, target, message = self.wire.pop(0)
                self.hand(self.lives[target], source, message)
            if all(max(life.final, default=0) >= goal for life in self.lives):
                return True
            timers = [timer for life in self.lives if (timer := life.node.core.get_timer()) is not None]
            self.ms = max(self.ms + 1, min(timers))
            self.fire_timers()
        return False

    def hand(self, life: Life, source: int, message: Message) -> None:
        """Let a validator handle one message."""
        core = life.node.core
        try:
            match message:
                case Vote():
                    core.on_vote(source, message, at(self.ms))
                case Certificate():
                    core.on_certificate(message, at(self.ms))
                case Proposal():
                    core.on_proposal(source, message, at(self.ms))
                case GetBlocks():
                    core.on_get_blocks(source, message)
                case BlockHeaders():
                    core.on_block_headers(message, at(self.ms))
        except PeerError as error:
            if source != TRAITOR:
                self.alarms.append(f"correct validator {source} is blamed: {error}")
        self.perform(life, life.node.take())

    def perform(self, life: Life, effects: list[Effect]) -> None:
        """Make durable, send, and look at what became final."""
        for effect in effects:
            match effect:
                case PersistVote(record, header, certificates):
                    life.log.append(record)
                    life.certificates.extend(certificates)
                    life.headers.extend([] if header is None else [header])
                case Broadcast(message):
                    for target in HONEST:
                        self.send(life.node.index, target, message)
                    self.spy(life.node.index, message)
                case Send(target, message) if target != TRAITOR:
                    self.send(life.node.index, target, message)
                case RaiseAlarm(reason):
                    self.alarms.append(reason)
        for entry in life.node.core.take_finalized():
            life.final[entry.header.height] = entry.header.digest
        self.note_evidence(life)

    def note_evidence(self, life: Life) -> None:
        """Verify, as a stranger does, what a correct validator noticed. # X1-X4 X7"""
        for suspicion in life.node.core.take_suspicions():
            if isinstance(suspicion, Statement):
                continue
            key = (suspicion.kind, suspicion.signer, suspicion.number)
            if not self.proven.get(key):
                try:
                    suspicion.verify(GENESIS, verify_ed25519)
                    self.proven[key] = True
                except VerificationError:
                    self.proven[key] = False

    def send(self, source: int, target: int, message: Message) -> None:
        """Put a message on the wire."""
        if source != target:
            self.wire.append((source, target, message))

    # --- the traitor --------------------------------------------------------------------

    def spy(self, source: int, message: Message) -> None:
        """Remember every vote and header that anybody sent."""
        if isinstance(message, Vote):
            self.seen.setdefault((message.kind, message.view, message.digest), {})[source] = message
        elif isinstance(message, Proposal):
            self.headers[message.header.digest] = message.header

    def betray(self) -> None:
        """Do one of the things that a traitor can do."""
        self.rng.choice((self.vote_at_will, self.equivocate, self.show_certificate))()

    def vote_at_will(self) -> None:
        """Vote for any known block, or against a view, to one validator."""
        header = self.rng.choice(list(self.headers.values()))
        kind = self.rng.choice((N, Z, F))
        view = max(1, header.view + self.rng.choice((0, 0, 0, 1)))
        vote = sign_vote(TRAITOR, kind, view, ZERO if kind is Z else header.digest)
        self.seen.setdefault((kind, view, vote.digest), {})[TRAITOR] = vote
        self.send(TRAITOR, self.rng.choice(HONEST), vote)

    def equivocate(self) -> None:
        """Propose another block in a view of its own, on any block, to one validator."""
        newest = max(life.node.core.view for life in self.lives)
        views = [view for view in range(max(1, newest - 2), newest + 3) if leader_of(view) == TRAITOR]
        if not views:
            return
        parent = self.rng.choice(list(self.headers.values()))
        view = self.rng.choice(views)
        if parent.view < view:
            header = make_header(view, parent, time_ms=parent.time_ms + self.rng.randrange(1, 9))
            self.headers[header.digest] = header
            proofs = [proof for proof in self.make_certificates() if proof.view < view][-8:]
            self.send(TRAITOR, self.rng.choice(HONEST), propose(header, *proofs))

    def show_certificate(self) -> None:
        """Show any certificate that can be made to one validator, with its headers."""
        possible = list(self.make_certificates())
        if possible:
            target = self.rng.choice(HONEST)
            self.send(TRAITOR, target, self.rng.choice(possible))
            self.send(TRAITOR, target, BlockHeaders((self.rng.choice(list(self.headers.values())),)))

    def make_certificates(self) -> Iterator[Certificate]:
        """Yield what the votes that were seen, and the traitor's own, make certain."""
        for (kind, view, digest), votes in sorted(self.seen.items(), key=lambda item: item[0]):
            signers = {**votes, TRAITOR: sign_vote(TRAITOR, kind, view, digest)}
            if COMMITTEE.is_strong(signers):
                yield certify_votes(kind, view, digest, signers)

    # --- the judgement ------------------------------------------------------------------

    def find_violations(self) -> list[str]:
        """Name every contradiction between certificates that could exist, and every fork."""
        certain = {(c.kind, c.view, c.digest) for c in self.make_certificates()}
        found = [
            f"two {kind.name} of view {view}"
            for kind, view, digest in certain
            if any((kind, view) == other[:2] and digest < other[2] for other in certain)
        ]
        found += [f"F and Z of view {v}" for kind, v, _ in certain if kind is F and (Z, v, ZERO) in certain]
        found += [f"F without N in view {v}" for kind, v, d in certain if kind is F and (N, v, d) not in certain]
        found += self.alarms
        blamed = sorted({signer for (_, signer, _), is_true in self.proven.items() if is_true and signer != TRAITOR})
        found += [f"correct validator {signer} is proven faulty" for signer in blamed]
        for height in {height for life in self.lives for height in life.final}:
            if len({life.final[height] for life in self.lives if height in life.final}) > 1:
                found.append(f"two final blocks at height {height}")
        return found
