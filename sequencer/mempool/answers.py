"""Remember which client waits for which transactions, and answer each request once."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from sequencer.types.effects import Answer, Submission, SubmissionStatus
from sequencer.types.primitives import Digest

REQUESTS_MAX = 4_096
"""Requests that wait for a batch at once; the oldest is answered `held` beyond that."""
WAIT_MS_MAX = 1_000
"""Longest wait for a batch before a request is answered `held`."""


@dataclass(slots=True)
class _Waiting:
    submissions: list[Submission]
    open_places: dict[Digest, list[int]] = field(default_factory=dict)
    deadline_ms: int = 0


class Answers:
    """Requests whose items are on the way into a batch."""

    def __init__(self) -> None:
        self._requests: OrderedDict[int, _Waiting] = OrderedDict()
        self._by_item: dict[Digest, list[int]] = {}
        self._answers: list[Answer] = []

    def open(self, request: int, submissions: list[Submission], pending: dict[Digest, list[int]], now_ms: int) -> None:
        """Answer at once if nothing is pending, else when the pending items are in a durable batch."""
        if not pending:
            self._answers.append(Answer(request, tuple(submissions)))
            return
        self._requests[request] = _Waiting(submissions, pending, now_ms + WAIT_MS_MAX)
        for item_id in pending:
            self._by_item.setdefault(item_id, []).append(request)
        if len(self._requests) > REQUESTS_MAX:
            self._close(next(iter(self._requests)))

    def on_batched(self, item_id: Digest) -> None:
        """The item is in a batch that is durable and pushed before any later effect."""
        for request in self._by_item.pop(item_id, ()):
            waiting = self._requests.get(request)
            if waiting is None:
                continue
            for place in waiting.open_places.pop(item_id, ()):
                waiting.submissions[place] = Submission(SubmissionStatus.ACCEPTED, item_id)
            if not waiting.open_places:
                self._close(request)

    def on_time(self, now_ms: int) -> None:
        """Answer `held` for what did not get into a batch in time."""
        for request in [request for request, waiting in self._requests.items() if waiting.deadline_ms <= now_ms]:
            self._close(request)

    def get_timer(self) -> int | None:
        """Return the earliest deadline."""
        return next(iter(self._requests.values())).deadline_ms if self._requests else None

    @property
    def size(self) -> int:
        """Return how many requests wait for their answer."""
        return len(self._requests)

    def take(self) -> list[Answer]:
        """Return answers that are ready, once."""
        answers, self._answers = self._answers, []
        return answers

    def _close(self, request: int) -> None:
        waiting = self._requests.pop(request)
        for item_id in waiting.open_places:
            others = self._by_item.get(item_id)
            if others is not None:
                others.remove(request)
                if not others:
                    del self._by_item[item_id]
        self._answers.append(Answer(request, tuple(waiting.submissions)))
