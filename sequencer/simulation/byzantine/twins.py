"""Replace D1, one process per key: a second replica, with a disk of its own, speaks to some of the peers. # B1"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.node import SimulatedNode
from sequencer.simulation.scheduler import SECOND
from sequencer.types.effects import Broadcast, Effect, Send
from sequencer.types.events import Event, ItemsGossiped, ItemsSubmitted, MessageReceived
from sequencer.types.messages import Message
from sequencer.types.primitives import ValidatorIndex

if TYPE_CHECKING:
    from sequencer.simulation.byzantine.node import ByzantineNode

REGROUP_SECONDS = (1, 5)
"""Shortest and longest time for which each peer is with the same of the two."""


class Twins(Behaviour):
    """Each peer hears one of the two, or both, and which one changes every few seconds."""

    name = "twins"

    def start(self) -> None:
        """Start the second replica on an empty disk."""
        self._with_first = frozenset(self.peers)
        self._with_second: frozenset[ValidatorIndex] = frozenset()
        self._second = SecondNode(self.node, self._send_from_second)
        self._second.boot()
        self._regroup()

    def see(self, event: Event) -> bool:
        """Give messages to whom the sender is with, connections to both, and clients' items to one of them."""
        if isinstance(event, MessageReceived):
            if event.peer in self._with_second:
                self._second.handle(event)
            return event.peer in self._with_first
        if isinstance(event, ItemsSubmitted | ItemsGossiped):
            is_second = self.rng.random() < 0.5
            if is_second:
                self._second.handle(event)
            return not is_second
        self._second.handle(event)
        return True

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Let only those hear the first who are with it."""
        if isinstance(effect, Broadcast):
            return tuple(Send(peer, effect.message) for peer in sorted(self._with_first))
        if isinstance(effect, Send) and effect.peer not in self._with_first:
            return ()
        return (effect,)

    def _send_from_second(self, peers: tuple[ValidatorIndex, ...], message: Message) -> None:
        for peer in peers:
            if peer in self._with_second:
                self.send(peer, message)

    def _regroup(self) -> None:
        choices = {peer: self.rng.choice(("first", "second", "both")) for peer in self.peers}
        self._with_first = frozenset(peer for peer, choice in choices.items() if choice != "second")
        self._with_second = frozenset(peer for peer, choice in choices.items() if choice != "first")
        self.node.call_later(self.rng.randint(*REGROUP_SECONDS) * SECOND, self._regroup)


class SecondNode(SimulatedNode):
    """The other process: everything but its connections is its own."""

    def __init__(self, first: ByzantineNode, send: Callable[[tuple[ValidatorIndex, ...], Message], None]) -> None:
        super().__init__(first.machine, first.config, first.index, 0)
        self._peers = tuple(index for index in range(first.config.genesis.committee.size) if index != first.index)
        self._send = send

    def _on_send(self, effect: Send) -> None:
        self._send((effect.peer,), effect.message)

    def _on_broadcast(self, effect: Broadcast) -> None:
        self._send(self._peers, effect.message)
