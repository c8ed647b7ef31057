"""Put items that every validator has into one validator's lane, and into the next one's only if they stay away.

Validators are ranked per subject by H(RANK ‖ subject ‖ index). Rank 0 puts an item into its lane at once, rank j if it
is still wanted k·j heights after it was wanted here first and no other lane was seen to bring one of its subject, or
when it is urgent; nobody puts one in twice, nor two of one subject at one executed height. k is 2 for certificates.
# A9 A19
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sequencer.mempool.mempool import AddToLane
from sequencer.mempool.ranking import compute_rank
from sequencer.types.primitives import Digest, Height, Instant, ValidatorIndex

HEIGHTS_PER_RANK = 2
"""Executed heights that each rank leaves to the one before it, where a deadline runs."""
SEEN_HEIGHTS = 8
"""Executed heights for which an item of a subject that was first seen in another's batch is left to that lane."""
WANTED_MAX = 16_384
"""Items remembered at once; a further one waits until one is wanted no longer."""


class Wanted(NamedTuple):
    """An item that would take effect if it were the next of the log."""

    subject: Digest
    """What validators are ranked by."""
    item_id: Digest
    item: bytes
    urgent_height: Height | None = None
    """Executed height from which on everybody puts it in at once: a deadline is near. None: there is none."""


@dataclass(slots=True)
class _Turn:
    due: Height
    """Executed height at which this validator's turn has come."""
    is_first: bool
    """This validator has rank 0: it waits for nobody."""
    is_laned: bool = False


class RankedInclusion:
    """The items of one sort that wait for their turn, or are on their way through the own lane."""

    def __init__(
        self,
        own_index: ValidatorIndex | None,
        committee_size: int,
        add_to_lane: AddToLane | None,
        heights_per_rank: int = HEIGHTS_PER_RANK,
    ) -> None:
        """Without a lane nothing is ever included; `heights_per_rank` is what each rank leaves to the one before it."""
        self._heights_per_rank = heights_per_rank
        self._own_index = own_index
        self._committee_size = committee_size
        self._add_to_lane = add_to_lane
        self._turns: dict[Digest, _Turn] = {}
        self._height: Height = 0
        self._subjects: set[Digest] = set()
        """Subjects of what was put in at `_height`."""
        self._seen: dict[Digest, Height] = {}
        """Subjects of which an item stands in another's batch, with the height at which that was first known."""
        self.included = 0
        """Items put into the own lane; for the statistics."""
        self.postponed = 0
        """Times that an item found `WANTED_MAX` others; for the statistics."""

    @property
    def has_lane(self) -> bool:
        """Tell whether anything can be put in here."""
        return self._add_to_lane is not None and self._own_index is not None

    @property
    def size(self) -> int:
        """Return how many items are remembered, at most `WANTED_MAX`."""
        return len(self._turns)

    def move_to(self, add_to_lane: AddToLane | None) -> None:
        """Go on with another own lane; what waited in the earlier one may be put in again. # R2"""
        self._add_to_lane = add_to_lane
        self._turns.clear()

    def include(self, wanted: Iterable[Wanted], height: Height, now: Instant) -> None:
        """Put what is due into the own lane. `wanted` is all that is wanted at the newest executed `height`."""
        if self._add_to_lane is None or self._own_index is None:
            return
        before, self._turns = self._turns, {}
        for entry in wanted:
            self._take(entry, before, height, now)
        self._seen = {subject: seen for subject, seen in self._seen.items() if height < seen + 2 * SEEN_HEIGHTS}

    def on_seen(self, subjects: Iterable[Digest], height: Height) -> None:
        """Another's batch holds items of these subjects, so what it says need not be said again for a while."""
        for subject in subjects:
            if len(self._seen) < WANTED_MAX:
                self._seen.setdefault(subject, height)

    def include_more(self, wanted: Iterable[Wanted], height: Height, now: Instant) -> None:
        """Put what is due of this, too, into the own lane; what was wanted at this height still is."""
        if self._add_to_lane is not None and self._own_index is not None:
            for entry in wanted:
                self._take(entry, self._turns, height, now)

    def _take(self, entry: Wanted, before: Mapping[Digest, _Turn], height: Height, now: Instant) -> None:
        if height != self._height:
            self._height = height
            self._subjects.clear()
        turn = before.get(entry.item_id) or self._make_turn(entry, height, len(self._turns))
        if turn is None or self._add_to_lane is None:
            return
        self._turns[entry.item_id] = turn
        if self._is_due(turn, entry, height) and self._add_to_lane(entry.item_id, entry.item, now):
            turn.is_laned = True
            self._subjects.add(entry.subject)
            self.included += 1

    def _is_due(self, turn: _Turn, entry: Wanted, height: Height) -> bool:
        if turn.is_laned or entry.subject in self._subjects:
            return False
        if entry.urgent_height is not None and height >= entry.urgent_height:
            return True  # whoever comes first in rank, or shows a batch of it, may be faulty # A21
        seen = self._seen.get(entry.subject)
        return height >= turn.due and (turn.is_first or seen is None or height >= seen + SEEN_HEIGHTS)

    def _make_turn(self, entry: Wanted, height: Height, held: int) -> _Turn | None:
        assert self._own_index is not None  # `include` said so
        if held >= WANTED_MAX:
            self.postponed += 1
            return None
        rank = compute_rank(entry.subject, self._own_index, self._committee_size)
        return _Turn(height + rank * self._heights_per_rank, is_first=rank == 0)
