"""Replace V12, finalize goes to all: one peer alone hears it, so that perhaps one alone knows of finality. # B6"""

from __future__ import annotations

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.types.effects import Broadcast, Effect, Send
from sequencer.types.primitives import ValidatorIndex, View
from sequencer.types.vote import Certificate, Vote, VoteKind


class SelectiveFinalizer(Behaviour):
    """Tells one peer of each view what it finalizes, and nobody else, not even when asked."""

    name = "selective_finalizer"

    def start(self) -> None:
        """Nobody was chosen yet."""
        self._chosen: dict[View, ValidatorIndex] = {}

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Narrow every finalize vote and finalization to the chosen peer."""
        if not isinstance(effect, Broadcast | Send) or not isinstance(effect.message, Vote | Certificate):
            return (effect,)
        message = effect.message
        if message.kind is not VoteKind.FINALIZE:
            return (effect,)
        chosen = self._chosen.setdefault(message.view, self.rng.choice(self.peers))
        if isinstance(effect, Send):
            return (effect,) if effect.peer == chosen else ()
        return (Send(chosen, self.mark(message)),)
