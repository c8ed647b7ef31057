"""Ask for batches that a valid proposal or a finalized block names. # L6"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sequencer.types.effects import Send
from sequencer.types.messages import BATCH_REPLY_BATCHES_MAX, GetBatches
from sequencer.types.primitives import Position, Tip, ValidatorIndex

WANTED_MAX = 64
"""Chains asked for at once; a further one waits until it is wanted again."""
PEERS_PER_TRY = 2
"""Peers asked in parallel."""
REQUESTS_PER_PEER_MAX = 8
"""Requests that one peer is asked at once; what it would be asked beyond that waits T_FETCH."""
TRIES_MAX = 40
"""A fetch is given up after this many tries; who still needs it wants it again."""


@dataclass(slots=True)
class _Wanted:
    """One chain, from the tip that was named down to the floor."""

    tip: Tip
    floor: Position
    sources: tuple[ValidatorIndex, ...]
    tries: int
    due_ms: int
    is_delivery: bool
    asked: Tip
    """The batch from which on the last request asked: the highest that is missing."""
    peers: tuple[ValidatorIndex, ...] = ()
    """Whom the last request went to."""
    is_woken: bool = False
    """Batches of the lane came since it was looked at."""

    def is_under_way(self, missing: Tip, now_ms: int) -> bool:
        """Tell whether the last request asked for this batch, and may still be answered."""
        return self.tries > 0 and self.asked == missing and self.due_ms > now_ms


class BatchFetch:
    """Outstanding fetches, by lane and tip; each is rotated over its sources every T_FETCH.

    Nobody is asked for a batch sooner than T_FETCH after the last time, however many chains lead down to it. # I14
    """

    def __init__(self, retry_ms: int) -> None:
        self._retry_ms = retry_ms
        self._wanted: OrderedDict[tuple[ValidatorIndex, Tip], _Wanted] = OrderedDict()
        self.refused = 0
        """Fetches that the full table did not take, or gave up for one that delivery needs."""
        self.postponed = 0
        """Requests that waited because their peers are asked enough."""

    @property
    def size(self) -> int:
        """Return how many chains are being asked for."""
        return len(self._wanted)

    def count_requests(self, now_ms: int) -> Counter[ValidatorIndex]:
        """Return how many requests each peer may still answer."""
        open_requests = (wanted for wanted in self._wanted.values() if wanted.due_ms > now_ms)
        return Counter(peer for wanted in open_requests for peer in wanted.peers)

    def want(
        self,
        lane: ValidatorIndex,
        tip: Tip,
        floor: Position,
        sources: Sequence[ValidatorIndex],
        due_ms: int,
        is_delivery: bool = False,
    ) -> None:
        """Start to fetch (floor, tip] at `due_ms`; more sources may join a fetch that runs.

        When the table is full, what delivery needs displaces the oldest fetch for a vote.
        """
        held = self._wanted.get((lane, tip))
        if held is not None:
            held.sources = tuple(dict.fromkeys((*held.sources, *sources)))
            held.is_delivery |= is_delivery
            return
        if is_delivery and len(self._wanted) >= WANTED_MAX:
            self._displace()
        if len(self._wanted) >= WANTED_MAX:
            self.refused += 1
        elif sources:
            self._wanted[(lane, tip)] = _Wanted(tip, floor, tuple(sources), 0, due_ms, is_delivery, tip)

    def get_lowest_asked(self, lane: ValidatorIndex, tip: Tip) -> Position | None:
        """Return the lowest position asked for from `tip` downwards; None if no request starts there."""
        asked = (wanted for key, wanted in self._wanted.items() if key[0] == lane and wanted.asked == tip)
        return min((_compute_low(wanted) for wanted in asked), default=None)

    def poll(self, find_missing: Callable[[ValidatorIndex, Tip, Position], Tip | None], now_ms: int) -> list[Send]:
        """Return the requests that are due; chains that have become whole are dropped."""
        sends: list[Send] = []
        due = [key for key, wanted in self._wanted.items() if wanted.due_ms <= now_ms or wanted.is_woken]
        load = self.count_requests(now_ms) if due else Counter()
        for key in due:
            wanted = self._wanted[key]
            missing = find_missing(key[0], wanted.tip, wanted.floor)
            if missing is None or wanted.tries >= TRIES_MAX:
                del self._wanted[key]
            elif not wanted.is_under_way(missing, now_ms) and not self._join(key[0], wanted, missing, now_ms):
                sends.extend(self._ask(key[0], wanted, missing, load, now_ms))
            wanted.is_woken = False
        return sends

    def wake(self, lane: ValidatorIndex) -> None:
        """Batches of the lane came: look at its fetches with the next poll."""
        for (wanted_lane, _), wanted in self._wanted.items():
            wanted.is_woken |= wanted_lane == lane and wanted.tries > 0

    def get_timer(self) -> int | None:
        """Return when the next request is due."""
        return min([wanted.due_ms for wanted in self._wanted.values()]) if self._wanted else None

    def _displace(self) -> None:
        oldest = next((key for key, wanted in self._wanted.items() if not wanted.is_delivery), None)
        if oldest is not None:
            self.refused += 1
            del self._wanted[oldest]

    def _join(self, lane: ValidatorIndex, wanted: _Wanted, missing: Tip, now_ms: int) -> bool:
        """Let another chain that asks for the same batch ask this one's sources too; False if none does."""
        for (other_lane, _), other in self._wanted.items():
            if other is not wanted and other_lane == lane and other.is_under_way(missing, now_ms):
                other.sources = tuple(dict.fromkeys((*other.sources, *wanted.sources)))
                wanted.due_ms, wanted.peers = other.due_ms, ()
                return True
        return False

    def _ask(
        self, lane: ValidatorIndex, wanted: _Wanted, missing: Tip, load: Counter[ValidatorIndex], now_ms: int
    ) -> list[Send]:
        """Ask two peers for the chain from the highest missing batch on; progress starts the tries anew."""
        if missing != wanted.asked:
            wanted.asked, wanted.tries = missing, 0
        first = wanted.tries * PEERS_PER_TRY
        turn = {wanted.sources[(first + step) % len(wanted.sources)] for step in range(PEERS_PER_TRY)}
        wanted.peers = tuple(peer for peer in sorted(turn) if load[peer] < REQUESTS_PER_PEER_MAX)
        wanted.tries += 1
        wanted.due_ms = now_ms + self._retry_ms
        self.postponed += len(turn) - len(wanted.peers)
        load.update(wanted.peers)
        request = GetBatches(lane, missing.digest, _compute_low(wanted), missing.position)
        return [Send(peer, request) for peer in wanted.peers]


def _compute_low(wanted: _Wanted) -> Position:
    """Return the lowest position that one request may ask for."""
    return max(wanted.floor + 1, wanted.asked.position - BATCH_REPLY_BATCHES_MAX + 1)
