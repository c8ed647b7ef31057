"""Replace L1, one batch per position: peers get different ones, with gaps, or with false payloads. # B9 X5 X7"""

from __future__ import annotations

from dataclasses import replace

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.types.batch import Batch, decode_payload, encode_payload
from sequencer.types.effects import Effect, Send
from sequencer.types.primitives import Digest, Position, ValidatorIndex

FORK_SHARE = 0.5
"""Chance that a push is replaced."""


class ForkingLane(Behaviour):
    """Signs a second chain beside its own, and now and then something that is no batch at all."""

    name = "forking_lane"

    def start(self) -> None:
        """Both chains begin at the same place."""
        self._forks: dict[Position, Batch] = {}

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Push something else to some peers."""
        if not isinstance(effect, Send) or not isinstance(effect.message, Batch):
            return (effect,)
        if effect.message.header.lane != self.node.index or self.rng.random() >= FORK_SHARE:
            return (effect,)
        return self._deviate(effect.peer, effect.message)

    def _deviate(self, peer: ValidatorIndex, batch: Batch) -> tuple[Effect, ...]:
        fork = self._fork(batch)
        choice = self.rng.random()
        if choice < 0.6:
            return (Send(peer, self.mark(fork)),)
        if choice < 0.8:
            return Send(peer, batch), Send(peer, self.mark(fork))
        return (Send(peer, self.mark(self._break(batch))),)

    def _fork(self, batch: Batch) -> Batch:
        """Return the other chain's batch for the same place: its items in reverse, and one that is garbage."""
        position = batch.header.position
        if position not in self._forks:
            below = self._forks.get(position - 1)
            parent = batch.header.parent if below is None else below.digest
            items = (*reversed(decode_payload(batch.payload)), self.rng.randbytes(8))
            self._forks[position] = self.make_batch(position, parent, encode_payload(items), len(items))
        return self._forks[position]

    def _break(self, batch: Batch) -> Batch:
        """Return a batch with a gap below it, with another payload than it signs, or larger than B_MAX."""
        position, parent = batch.header.position, self.draw_digest()
        oversize = b"\xc6" + bytes(self.node.config.genesis.parameters.batch_bytes_max)
        return self.rng.choice(
            [
                self._place(position + self.rng.randint(1, 6), parent),
                self._place(position + 1_000, parent),
                replace(batch, payload=batch.payload[:-1] + b"\x00"),
                self.make_batch(position, batch.header.parent, oversize, 1),
            ]
        )

    def _place(self, position: Position, parent: Digest) -> Batch:
        return self.make_batch(position, parent, encode_payload(()), 0)
