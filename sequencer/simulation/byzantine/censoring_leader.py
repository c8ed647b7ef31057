"""Replace P2, the highest tips make the cut: the leader leaves a lane out, rolls it back, or jumps. # B18 B19 X7"""

from __future__ import annotations

from dataclasses import replace

from sequencer.simulation.byzantine.behaviour import Behaviour, get_own_proposal
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Effect
from sequencer.types.events import Event, MessageReceived
from sequencer.types.primitives import Cut, Digest, Tip
from sequencer.types.vote import Proposal

ROLL_BACK_SHARE = 0.15
"""Chance of a cut that breaks V5, instead of one that only leaves the victim out."""


class CensoringLeader(Behaviour):
    """One lane is its victim for the whole run."""

    name = "censoring_leader"

    def start(self) -> None:
        """Choose the victim."""
        genesis = self.node.config.genesis.header
        self._headers: dict[Digest, BlockHeader] = {genesis.digest: genesis}
        self._victim = self.rng.choice(self.peers)

    def see(self, event: Event) -> bool:
        """Remember proposed blocks: the parent's cut is needed."""
        if isinstance(event, MessageReceived) and isinstance(event.message, Proposal):
            header = event.message.header
            self._headers[header.digest] = header
        return True

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Propose another cut."""
        proposal = get_own_proposal(effect)
        if proposal is None:
            return self.follow_swap(effect)
        header = replace(proposal.header, cut=self._censor(proposal.header))
        self._headers[header.digest] = header
        return self.propose_instead(proposal, header)

    def _censor(self, header: BlockHeader) -> Cut:
        parent = self._headers.get(header.parent_digest)
        if parent is None:
            return header.cut
        before = parent.cut[self._victim]
        tip = before
        if self.rng.random() < ROLL_BACK_SHARE:
            leap = self.node.config.genesis.parameters.lane_advance_max + 1
            position = self.rng.choice((max(0, before.position - 1), before.position + leap))
            tip = Tip(position, self.draw_digest())
        return (*header.cut[: self._victim], tip, *header.cut[self._victim + 1 :])
