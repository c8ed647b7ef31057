"""Remember when to look at a transaction again, and forget those that left. # I11"""

from __future__ import annotations

import heapq
from collections.abc import Container

from sequencer.types.primitives import Digest

_TICKETS_MIN = 1_024
"""Tickets that are never swept: sweeping costs more than they do."""


class Agenda:
    """Tickets (when, id) in the order of time, or of height; one id may have several.

    A transaction that leaves early leaves its tickets behind. They are swept out whenever the
    number of tickets has doubled, so there are at most twice as many as are of use.
    """

    def __init__(self) -> None:
        self._tickets: list[tuple[int, int, Digest]] = []
        self._issued = 0
        self._sweep_at = _TICKETS_MIN

    @property
    def next(self) -> int | None:
        """Return when the next ticket is due."""
        return self._tickets[0][0] if self._tickets else None

    def add(self, at: int, item_id: Digest, held: Container[Digest]) -> None:
        """Look at `item_id` again at `at`; `held` are the ids whose tickets are of use."""
        if len(self._tickets) >= self._sweep_at:
            self._sweep(held)
        self._issued += 1
        heapq.heappush(self._tickets, (at, self._issued, item_id))

    def take_due(self, limit: int) -> list[Digest]:
        """Return the ids whose time or height has come, each once, in the order of their tickets."""
        due: dict[Digest, None] = {}
        while self._tickets and self._tickets[0][0] <= limit:
            due[heapq.heappop(self._tickets)[2]] = None
        return list(due)

    def _sweep(self, held: Container[Digest]) -> None:
        kept: dict[tuple[int, Digest], int] = {}
        for at, ticket, item_id in sorted(self._tickets):
            if item_id in held:
                kept.setdefault((at, item_id), ticket)
        self._tickets = [(at, ticket, item_id) for (at, item_id), ticket in kept.items()]  # sorted, so it is a heap
        self._sweep_at = max(_TICKETS_MIN, 2 * len(self._tickets))
