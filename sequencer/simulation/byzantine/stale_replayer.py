"""Replace G4, what is sent is one's own and new: old messages come again, others' too, and altered. # B12 B13"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.scheduler import MILLISECOND
from sequencer.types.effects import Broadcast, Effect, Send
from sequencer.types.events import Event, MessageReceived
from sequencer.types.messages import Hello, Message
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Vote

REMEMBERED_MAX = 400
"""Old messages kept to be sent again."""
INTERVAL_US = 400 * MILLISECOND


class StaleReplayer(Behaviour):
    """Remembers everything said by anybody, and says it again."""

    name = "stale_replayer"

    def start(self) -> None:
        """Begin to replay."""
        self._heard: deque[Message] = deque(maxlen=REMEMBERED_MAX)
        self.repeat(INTERVAL_US, self._replay)

    def see(self, event: Event) -> bool:
        """Remember what others said."""
        if isinstance(event, MessageReceived):
            self._heard.append(event.message)
        return True

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Remember what was said here."""
        if isinstance(effect, Broadcast | Send):
            self._heard.append(effect.message)
        return (effect,)

    def _replay(self) -> None:
        if self._heard:
            message = self._heard[self.rng.randrange(len(self._heard))]
            self.send(self.rng.choice(self.peers), self._transplant(message))

    def _transplant(self, message: Message) -> Message:
        """Return the message as it was, or moved to another epoch or network."""
        choice = self.rng.random()
        if choice < 0.7 or not isinstance(message, Vote | Hello):
            return replace(message)
        if isinstance(message, Hello):
            return replace(message, chain_id=self.draw_digest())
        if choice < 0.85:
            return replace(message, epoch=message.epoch + 1)
        kind = SignatureKind(message.kind)
        signed = compute_signing_bytes(self.draw_digest(), message.epoch, kind, message.view, message.digest)
        signer = self.node.config.signer
        assert signer is not None  # a Byzantine node is a validator
        return replace(message, signature=signer.sign(signed))
