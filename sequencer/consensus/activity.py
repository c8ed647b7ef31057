"""Remember who was heard lately, so that nobody waits for a leader that is not there. # T5

Only verified words count: votes in certificates, proposals, and of a leader that seems silent its newest
vote, which is verified then. Memory: a number and at most one vote per validator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sequencer.types.committee import Committee
from sequencer.types.primitives import ValidatorIndex
from sequencer.types.vote import Vote


class Activity:
    """Counts the views that this node was in since each validator was heard."""

    def __init__(self, committee: Committee, own_index: ValidatorIndex | None) -> None:
        self._committee = committee
        self._own_index = own_index
        self._views = 0
        self._heard = [0] * committee.size
        self._newest: dict[ValidatorIndex, tuple[int, Vote]] = {}

    def on_entered(self) -> None:
        """This node entered a view."""
        self._views += 1

    def note(self, signers: Iterable[ValidatorIndex]) -> None:
        """Verified words of these validators were seen."""
        for signer in signers:
            self._heard[signer] = self._views

    def note_unverified(self, peer: ValidatorIndex, vote: Vote) -> None:
        """A vote came from its signer; it is verified if it ever matters."""
        self._newest[peer] = self._views, vote

    def is_silent(self, leader: ValidatorIndex, verify: Callable[[Vote], bool]) -> bool:
        """Tell whether nothing of `leader` was seen for n views, while strong power was. # T5"""
        if leader == self._own_index or self._is_recent(self._heard[leader]):
            return False
        present = [
            index
            for index in range(self._committee.size)
            if index == self._own_index or self._is_recent(self._heard[index])
        ]
        if not self._committee.is_strong(present):
            return False
        views, vote = self._newest.pop(leader, (0, None))
        if vote is not None and self._is_recent(views) and verify(vote):
            self._heard[leader] = views
        return not self._is_recent(self._heard[leader])

    def _is_recent(self, views: int) -> bool:
        return self._views - views <= self._committee.size
