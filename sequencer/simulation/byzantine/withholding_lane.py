"""Replace L2, batches go to all: some peers never get the own batches, pushed or asked for. # B8"""

from __future__ import annotations

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.types.batch import Batch
from sequencer.types.effects import Effect, LoadBatches, Send
from sequencer.types.events import Event, MessageReceived
from sequencer.types.messages import Batches, Have
from sequencer.types.primitives import Position, ValidatorIndex

WHIM_BATCHES = 8
"""After so many batches other peers are the victims."""


class WithholdingLane(Behaviour):
    """Keeps its batches from at most F peers, or from all but one."""

    name = "withholding_lane"

    def start(self) -> None:
        """Nothing was withheld yet."""
        self._victims: dict[int, frozenset[ValidatorIndex]] = {}
        self._withheld: dict[ValidatorIndex, Position] = {}

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Drop pushes to victims, and answers about the own lane to anybody."""
        if isinstance(effect, LoadBatches) and effect.lane == self.node.index:
            return ()
        if not isinstance(effect, Send):
            return (effect,)
        message = effect.message
        if isinstance(message, Batches) and message.lane == self.node.index:
            return ()
        if isinstance(message, Batch) and effect.peer in self._get_victims(message.header.position):
            self._withheld.setdefault(effect.peer, message.header.position)
            return ()
        return (effect,)

    def see(self, event: Event) -> bool:
        """A victim's floor passes what it was never given: it had to get it elsewhere."""
        if isinstance(event, MessageReceived) and isinstance(event.message, Have):
            position = self._withheld.get(event.peer)
            if position is not None and event.message.delivered[self.node.index] >= position:
                del self._withheld[event.peer]
                if self.is_correct(event.peer):
                    self.hit()
        return True

    def _get_victims(self, position: Position) -> frozenset[ValidatorIndex]:
        whim = position // WHIM_BATCHES
        if whim not in self._victims:
            few = max(1, (self.committee.size - 1) // 3)
            count = self.rng.choice((few, len(self.peers) - 1))
            self._victims[whim] = frozenset(self.rng.sample(self.peers, count))
        return self._victims[whim]
