"""Check a fetched snapshot against the certified roots and hand it to the store; hold events back meanwhile. # R2

Promises: nothing of a snapshot is kept before the whole of it hashes to the certified commitment; between its
hand-over and the store's answer the replica changes nothing, so what it then stands on is exactly what
is durable. At most 1,024 messages wait; further ones are dropped and counted.
"""

from __future__ import annotations

from collections import deque

from sequencer.errors import StoreError
from sequencer.execution.executor import Executor
from sequencer.sync.state_sync import FetchedSnapshot
from sequencer.types.effects import InstallSnapshot
from sequencer.types.events import Event, ItemsGossiped, MessageReceived, TimerFired, VotesReceived
from sequencer.types.genesis import Genesis

MESSAGES_WAITING_MAX = 1_024
"""Messages from outside that wait while a snapshot is being made durable."""


class Adoption:
    """One snapshot between its last chunk and the store's word that it is durable."""

    def __init__(self) -> None:
        self.executor: Executor | None = None
        """The state that was checked; None while none is being made durable."""
        self.events_dropped = 0
        """For the statistics."""
        self.messages_waiting = 0
        """Messages and gossip from outside among the events that wait."""
        self._waiting: deque[Event] = deque()

    @property
    def is_running(self) -> bool:
        """Tell whether events must wait."""
        return self.executor is not None

    def begin(self, fetched: FetchedSnapshot, genesis: Genesis) -> InstallSnapshot:
        """Check the whole snapshot; raises `StoreError` saying what is wrong with it."""
        executor = Executor.restore(genesis, fetched.data, fetched.claim.header)
        if executor.commitment != fetched.claim.commitment:
            raise StoreError(f"snapshot of height {fetched.claim.height}: is of another commitment")
        if executor.take_snapshot() != fetched.data:  # else who offers the right bytes would be called a liar
            raise StoreError(f"snapshot of height {fetched.claim.height}: the right state in other than the one form")
        self.executor = executor
        return InstallSnapshot(fetched.claim, fetched.data)

    def defer(self, event: Event) -> None:
        """Let an event wait. Answers to own requests and the coming and going of peers always find room."""
        if isinstance(event, TimerFired):
            return
        if isinstance(event, MessageReceived | ItemsGossiped | VotesReceived):
            if self.messages_waiting >= MESSAGES_WAITING_MAX:
                self.events_dropped += 1
                return
            self.messages_waiting += 1
        self._waiting.append(event)

    def end(self) -> tuple[Executor | None, tuple[Event, ...]]:
        """Return the checked state and the events that waited, in order, once."""
        executor, self.executor = self.executor, None
        waiting, self.messages_waiting = tuple(self._waiting), 0
        self._waiting.clear()
        return executor, waiting
