"""Replace G4, what is sent is read: for seconds it reads nothing, and then all at once. # B15

A peer whose send queue to it is full closes the connection, as a real node does; the queue is
counted in messages here.
"""

from __future__ import annotations

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.scheduler import SECOND
from sequencer.types.events import Event, MessageReceived
from sequencer.types.primitives import ValidatorIndex

QUEUE_MESSAGES_MAX = 48
"""Unread messages of one peer after which that peer gives the connection up."""
SLEEP_SECONDS = (3, 12)
"""Shortest and longest time without reading."""
PAUSE_SECONDS = (1, 4)
"""Shortest and longest time of ordinary reading between."""


class SlowReader(Behaviour):
    """Lets the others' send queues grow until they break the connection."""

    name = "slow_reader"

    def start(self) -> None:
        """Read for a while first."""
        self._is_asleep = False
        self._unread: list[MessageReceived] = []
        self.node.call_later(self.rng.randint(*PAUSE_SECONDS) * SECOND, self._sleep)

    def see(self, event: Event) -> bool:
        """Leave a message unread while asleep."""
        if not self._is_asleep or not isinstance(event, MessageReceived):
            return True
        self._unread.append(event)
        if sum(unread.peer == event.peer for unread in self._unread) > QUEUE_MESSAGES_MAX:
            self._overflow(event.peer)
        return False

    def _overflow(self, peer: ValidatorIndex) -> None:
        """The peer's queue is full: it closes the connection, and what was queued is lost."""
        self._unread = [unread for unread in self._unread if unread.peer != peer]
        self.node.machine.network.break_connection(min(peer, self.node.index), max(peer, self.node.index))
        if self.is_correct(peer):
            self.hit()

    def _sleep(self) -> None:
        self._is_asleep = True
        self.node.call_later(self.rng.randint(*SLEEP_SECONDS) * SECOND, self._wake)

    def _wake(self) -> None:
        self._is_asleep = False
        unread, self._unread = self._unread, []
        for event in unread:
            self.node.handle(event)
        self.node.call_later(self.rng.randint(*PAUSE_SECONDS) * SECOND, self._sleep)
