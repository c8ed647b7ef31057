"""Replace P5, the proposal goes to all: the leader says nothing, or proposes to one peer and falls silent. # B1 B5"""

from __future__ import annotations

from sequencer.simulation.byzantine.behaviour import Behaviour, get_own_proposal
from sequencer.types.effects import Broadcast, Effect, Send
from sequencer.types.events import Event, MessageReceived
from sequencer.types.primitives import ValidatorIndex, View
from sequencer.types.vote import Vote, VoteKind

SILENT_SHARE = 0.7
"""Chance of silence in each view that it leads; the others are led as they should be."""
WHISPER_SHARE = 0.3
"""Of the silent views, those in which one peer hears proposal and vote, and nobody else."""


class SilentLeader(Behaviour):
    """Lets views fail, some of them with one peer alone holding a proposal and a vote."""

    name = "silent_leader"

    def start(self) -> None:
        """Nothing was kept back yet."""
        self._confidants: dict[View, ValidatorIndex | None] = {}

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Keep back the proposal, and in a whispered view the votes too."""
        proposal = get_own_proposal(effect)
        if proposal is not None and self.rng.random() < SILENT_SHARE:
            is_whisper = self.rng.random() < WHISPER_SHARE
            self._confidants[proposal.header.view] = self.rng.choice(self.peers) if is_whisper else None
            return self._whisper(proposal.header.view, effect)
        if isinstance(effect, Broadcast) and isinstance(effect.message, Vote):
            return self._whisper(effect.message.view, effect)
        return (effect,)

    def see(self, event: Event) -> bool:
        """A correct validator gives up a view that was kept back: that is what it was hit by."""
        if isinstance(event, MessageReceived) and isinstance(event.message, Vote):
            vote = event.message
            if vote.kind is VoteKind.NULLIFY and vote.view in self._confidants and self.is_correct(event.peer):
                self.hit()
        return True

    def _whisper(self, view: View, effect: Effect) -> tuple[Effect, ...]:
        if view not in self._confidants or not isinstance(effect, Broadcast):
            return (effect,)
        confidant = self._confidants[view]
        return () if confidant is None else (Send(confidant, effect.message),)
