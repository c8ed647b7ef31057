"""Queue the events that wait for the replica, in the order of their arrival.

Promises: what comes from outside waits at the door while 256 events are queued, so its
source slows down and nothing is lost; answers to the replica's own requests always
enter, for it bounds them by asking.
"""

from __future__ import annotations

from collections import deque

import trio

from sequencer.types.events import Event

INBOX_EVENTS_MAX = 256
"""Queued events at which sources outside must wait; the network's own bounded queues stand behind."""


class Inbox:
    """Many tasks put, one takes."""

    def __init__(self) -> None:
        self.waits = 0
        """How often a source had to wait for room."""
        self._events: deque[Event] = deque()
        self._takers = trio.lowlevel.ParkingLot()
        self._putters = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._events)

    def put_answer(self, event: Event) -> None:
        """Queue the answer to one of the replica's own requests."""
        self._events.append(event)
        self._takers.unpark()

    async def put(self, event: Event) -> None:
        """Queue an event from outside, when there is room."""
        while len(self._events) >= INBOX_EVENTS_MAX:
            self.waits += 1
            await self._putters.park()
        self.put_answer(event)

    def take(self) -> Event | None:
        """Return the oldest event, or None if there is none."""
        if not self._events:
            return None
        event = self._events.popleft()
        if len(self._events) < INBOX_EVENTS_MAX:
            self._putters.unpark()
        return event

    async def wait(self, deadline: float) -> None:
        """Return when an event is queued or trio's clock shows `deadline`; one task only."""
        with trio.move_on_at(deadline):
            while not self._events:
                await self._takers.park()
