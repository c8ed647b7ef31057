"""Replace P5, one proposal per view: the leader shows two or three blocks to different peers. # B2 X4"""

from __future__ import annotations

from dataclasses import replace

from sequencer.simulation.byzantine.behaviour import Behaviour, get_own_proposal
from sequencer.types.effects import Effect, Send
from sequencer.types.primitives import ValidatorIndex
from sequencer.types.vote import Proposal

VARIANTS_MAX = 3
"""Blocks shown in one view, at most."""


class EquivocatingLeader(Behaviour):
    """Each peer is shown one block, sometimes two; the blocks differ in their time."""

    name = "equivocating_leader"

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Send several proposals where the replica sends one."""
        proposal = get_own_proposal(effect)
        if proposal is None:
            return (effect,)
        variants = [proposal, *self._make_variants(proposal)]
        sides = self.node.conspiracy.sides.setdefault(proposal.header.view, {})
        sends: list[Effect] = []
        for place, peer in enumerate(self._shuffle_peers()):
            for variant in self._choose(variants, place, peer):
                sides.setdefault(variant.header.digest, set()).add(peer)
                sends.append(Send(peer, self.mark(variant)))
        return tuple(sends)

    def _make_variants(self, proposal: Proposal) -> list[Proposal]:
        """Return further blocks that obey every rule by themselves."""
        count = self.rng.randint(1, VARIANTS_MAX - 1)
        headers = [replace(proposal.header, time_ms=proposal.header.time_ms + step) for step in range(1, count + 1)]
        return [self.make_proposal(header, proposal.justification) for header in headers]

    def _shuffle_peers(self) -> list[ValidatorIndex]:
        """Correct validators first, so that they never all see the same block."""
        peers = self.rng.sample(self.peers, len(self.peers))
        return sorted(peers, key=lambda peer: not self.is_correct(peer))

    def _choose(self, variants: list[Proposal], place: int, peer: ValidatorIndex) -> list[Proposal]:
        first = variants[place % len(variants)]
        if self.rng.random() < 0.8 or not self.is_correct(peer):
            return [first]
        return [first, self.rng.choice([variant for variant in variants if variant is not first])]
