"""Replace V1, V11 and V12, one vote per view and kind: different peers hear different votes. # B4 B7 X1 X2 X3

Where a leader of the conspiracy has shown several blocks, each side hears notarize and finalize
for its own block; elsewhere each peer hears at random the vote, one for a block that does not
exist, nullify, or finalize.
"""

from __future__ import annotations

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.simulation.byzantine.behaviour import Behaviour, get_own_vote
from sequencer.types.effects import Effect, Send
from sequencer.types.primitives import Digest, ValidatorIndex
from sequencer.types.vote import Vote, VoteKind


class ConflictingVoter(Behaviour):
    """Votes both ways in every view."""

    name = "conflicting_voter"

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Send each peer its own vote."""
        vote = get_own_vote(effect)
        if vote is None:
            return (effect,)
        sides = self.node.conspiracy.sides.get(vote.view, {})
        sends: list[Effect] = []
        for peer in self.peers:
            shown = [digest for digest, peers in sides.items() if peer in peers]
            votes = self._support(vote, shown) if shown else self._confuse(vote, peer)
            sends.extend(Send(peer, self.mark(other)) for other in votes)
        return tuple(sends)

    def _support(self, vote: Vote, shown: list[Digest]) -> list[Vote]:
        """Let each side believe that its block is notarized and about to be final."""
        return [
            self.make_vote(kind, vote.view, digest)
            for digest in shown
            for kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE)
        ]

    def _confuse(self, vote: Vote, peer: ValidatorIndex) -> list[Vote]:
        """Contradict the own vote, and what other peers hear, in one of several ways."""
        nullify = self.make_vote(VoteKind.NULLIFY, vote.view, ZERO_DIGEST, vote.entry)
        block = self.draw_digest() if vote.kind is VoteKind.NULLIFY else vote.digest
        return self.rng.choice(
            [
                [self.make_vote(vote.kind, vote.view, vote.digest, vote.entry)],
                [self.make_vote(VoteKind.NOTARIZE, vote.view, self.draw_digest())],
                [self.make_vote(VoteKind.NOTARIZE, vote.view, block), nullify],
                [nullify, self.make_vote(VoteKind.FINALIZE, vote.view, block)],
            ]
        )
