"""Say what every behaviour may do: see events, replace effects, send at will, sign with its own key."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sequencer.types.batch import Batch, BatchHeader, compute_payload_hash
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Broadcast, Effect
from sequencer.types.events import Event
from sequencer.types.messages import Message
from sequencer.types.primitives import Digest, Instant, Position, ValidatorIndex, View
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.byzantine.node import ByzantineNode


MessageT = TypeVar("MessageT", bound=Message)


class Behaviour:
    """Change nothing; subclasses replace one rule and keep all others."""

    name = "genuine"

    def __init__(self, node: ByzantineNode, rng: random.Random) -> None:
        self.node = node
        self.rng = rng
        """This behaviour's own stream, derived from the seed."""
        self.committee = node.config.genesis.committee
        self.peers: tuple[ValidatorIndex, ...] = tuple(
            index for index in range(self.committee.size) if index != node.index
        )
        self._swapped: dict[Digest, Digest] = {}

    # -- the border --------------------------------------------------------------------------

    def start(self) -> None:
        """The run begins; called once, also if the replica crashes later."""

    def see(self, event: Event) -> bool:
        """An event is about to reach the replica; return False to keep it from it."""
        return True

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Return what is to be done instead of `effect`, which the replica asked for."""
        return (effect,)

    # -- what it can do ----------------------------------------------------------------------

    @property
    def now(self) -> Instant:
        """What the node's clocks show."""
        return self.node.get_instant()

    def hit(self) -> None:
        """Count that a correct replica was really hit."""
        self.node.conspiracy.fired[self.name] += 1

    def mark(self, message: MessageT) -> MessageT:
        """Return `message`; when a correct replica takes it in, that counts as a hit."""
        self.node.conspiracy.mark(message, self.name)
        return message

    def send(self, peer: ValidatorIndex, message: Message, delay_us: int = 0) -> None:
        """Send a message that the replica did not ask for, now or later."""
        self.mark(message)
        self.node.call_later(delay_us, self.node.send, peer, message)

    def repeat(self, interval_us: int, action: Callable[[], None]) -> None:
        """Call `action` for ever, whenever the node runs, about every `interval_us`."""
        if self.node.is_running:
            action()
        self.node.call_later(self.rng.randint(interval_us // 2, interval_us), self.repeat, interval_us, action)

    def is_correct(self, index: ValidatorIndex) -> bool:
        """Tell whether a validator is not of the conspiracy."""
        return index not in self.node.conspiracy.members

    # -- what it can make with its own key ---------------------------------------------------

    def sign(self, kind: SignatureKind, number: int, digest: Digest) -> bytes:
        """Return the own signature over anything."""
        signer = self.node.config.signer
        assert signer is not None  # a Byzantine node is a validator
        return signer.sign(
            compute_signing_bytes(self.node.config.genesis.chain_id, self.committee.epoch, kind, number, digest)
        )

    def make_vote(self, kind: VoteKind, view: View, digest: Digest, entry: Certificate | None = None) -> Vote:
        """Return an own vote for anything."""
        signature = self.sign(SignatureKind(kind), view, digest)
        return Vote(kind, self.committee.epoch, view, digest, signature, entry=entry)

    def make_proposal(self, header: BlockHeader, justification: tuple[Certificate, ...]) -> Proposal:
        """Return an own proposal of any header."""
        return Proposal(header, justification, self.sign(SignatureKind.PROPOSAL, header.view, header.digest))

    def propose_instead(self, proposal: Proposal, header: BlockHeader) -> tuple[Effect, ...]:
        """Propose `header` in place of the replica's own block; its notarize goes to it, too."""
        if header == proposal.header:
            return (Broadcast(proposal),)
        self._swapped[proposal.header.digest] = header.digest
        return (Broadcast(self.mark(self.make_proposal(header, proposal.justification))),)

    def follow_swap(self, effect: Effect) -> tuple[Effect, ...]:
        """Let the own notarize name the block that was proposed instead."""
        vote = get_own_vote(effect)
        if vote is None or vote.digest not in self._swapped:
            return (effect,)
        return (Broadcast(self.make_vote(vote.kind, vote.view, self._swapped[vote.digest])),)

    def make_batch(self, position: Position, parent: Digest, payload: bytes, item_count: int) -> Batch:
        """Return an own batch with any place and payload."""
        header = BatchHeader(
            self.committee.epoch,
            self.node.index,
            position,
            parent,
            compute_payload_hash(payload),
            len(payload),
            item_count,
        )
        return Batch(header, self.sign(SignatureKind.BATCH_HEADER, position, header.digest), payload)

    def draw_digest(self) -> Digest:
        """Return a digest that names nothing."""
        return self.rng.randbytes(32)


def get_own_proposal(effect: Effect) -> Proposal | None:
    """Return the proposal that a leader sends to everybody, if this is one."""
    if isinstance(effect, Broadcast) and isinstance(effect.message, Proposal):
        return effect.message
    return None


def get_own_vote(effect: Effect) -> Vote | None:
    """Return the vote that a validator casts now, if this is one."""
    if isinstance(effect, Broadcast) and isinstance(effect.message, Vote) and not effect.message.is_resend:
        return effect.message
    return None
