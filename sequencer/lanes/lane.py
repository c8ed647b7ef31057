"""Hold one validator's lane: its chain above the finalized position, forks and early batches. # L3 L4

`chain` maps each position above the finalized one to the digest that this node vouches for;
it has no gaps, so whatever is on it is complete. A digest, once there, never changes (never
HAVE two digests for one position), except that finality may overrule it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from sequencer.types.batch import Batch
from sequencer.types.primitives import Digest, Position, Tip

REORDER_MAX = 4
"""Early batches kept per lane until their parent comes. # L3"""
MEMORY_BYTES_MAX = 64 << 20
"""LANE_MEM: bytes of pushed batches, and as much again of delivered ones, that all lanes together keep in memory;
each lane has an equal share. Of pushed ones more come when some are delivered, delivered ones by catch-up. # L3 L7"""
BATCH_OVERHEAD_BYTES = 1_024
"""What a batch costs in memory beside its payload: without it empty batches would be kept by the million."""
FORK_BATCHES_MAX = 96
"""Batches held per lane above the floor that are not on the chain: fetched, not yet complete, or forks."""


class Lane:
    """Batches of one lane as this node holds them."""

    def __init__(self, floor: Tip, memory_bytes_max: int = MEMORY_BYTES_MAX) -> None:
        self._memory_bytes_max = memory_bytes_max
        self.floor = floor
        """Finalized tip; what is at or below it is decided."""
        self.chain: dict[Position, Digest] = {}
        self.version = 0
        """Counts changes of chain and floor: what was computed from them holds until the next one."""
        self._top = floor
        self._added_ms: dict[Position, int] = {}
        self.early: OrderedDict[Digest, Batch] = OrderedDict()
        self._batches: OrderedDict[Digest, Batch] = OrderedDict()
        self._retained: OrderedDict[Digest, Batch] = OrderedDict()
        self._retained_bytes = 0
        self._first: dict[Position, Digest] = {}
        """The digest that was kept first at each position above the floor."""
        self._contested: set[Position] = set()
        """Positions above the floor at which more than one digest was kept."""
        self._chosen: dict[Position, Digest] = {}
        """What alone may stand on the chain at a position: what was chosen, or was there at the start. # L4"""
        self._logged: set[Position] = set()
        """Positions whose choice is logged."""
        self._pushed: dict[Digest, tuple[Position, int]] = {}
        self.pushed_bytes = 0
        """Bytes of pushed batches that are not delivered. # L3"""
        self.forks_evicted = 0

    @property
    def top(self) -> Tip:
        """Return the highest complete tip held, or the floor."""
        return self._top

    def get_batch(self, digest: Digest) -> Batch | None:
        """Return a held batch, undelivered or lately delivered."""
        return self._batches.get(digest) or self._retained.get(digest)

    def is_on_chain(self, position: Position, digest: Digest) -> bool:
        """Tell whether the chain from `digest` at `position` down to the floor is held."""
        return self.chain.get(position) == digest

    def get_conflict(self, batch: Batch) -> Digest | None:
        """Return the digest held at the batch's position, if it is another one. # X5"""
        held = self.chain.get(batch.header.position)
        return held if held is not None and held != batch.digest else None

    def may_extend(self, batch: Batch) -> bool:
        """Tell whether the batch stands right above the chain: its parent is complete. # L3"""
        header = batch.header
        if header.position != self.top.position + 1:
            return False
        if self._chosen.get(header.position, batch.digest) != batch.digest:
            return False
        # At the first position above the floor any parent will do: position decides. # O2
        return not self.chain or header.parent == self.top.digest

    def has_room(self, batch: Batch, reserve_bytes: int = 0) -> bool:
        """Tell whether another pushed batch fits the lane's share of memory, and leaves so much of it free. # L3"""
        return self.pushed_bytes + _compute_size(batch) + reserve_bytes <= self._memory_bytes_max

    def hold_early(self, batch: Batch) -> None:
        """Keep a pushed batch until its parent comes; the caller asked for room. # L3"""
        self.early[batch.digest] = batch
        self.note_pushed(batch)

    def note_pushed(self, batch: Batch) -> None:
        """Count a pushed batch until it is delivered or passed over."""
        self._pushed[batch.digest] = batch.header.position, _compute_size(batch)
        self.pushed_bytes += _compute_size(batch)

    def keep(self, batch: Batch) -> None:
        """Keep a batch by its digest, without vouching for it."""
        self._put(batch)
        self._evict_forks()

    def restore(self, batches: Iterable[Batch], choices: Mapping[Position, Digest]) -> list[Batch]:
        """Keep batches that were durable before the start; return those that complete the chain.

        `batches` come in the order of writing; where nothing else is among `choices`, the first of a position was
        vouched for, if any was. It alone may stand there, even if now it does not fit: it was vouched for above a fork
        that finality took, and that this start knows nothing of. # R1

        They may be more than the forks that a lane keeps, so the chain is built first.
        """
        for batch in batches:
            self._put(batch)
        self._chosen = {**self._first, **choices}
        self._logged = set(choices)
        added = self.extend()
        self._evict_forks()
        return added

    def extend(self, now_ms: int = 0) -> list[Batch]:
        """Put held batches that continue the chain on it; return them in order. # L4"""
        added = []
        following = self._find_next()
        while following is not None:
            self.chain[following.header.position] = following.digest
            self._added_ms[following.header.position] = now_ms
            self._note_change()
            added.append(following)
            following = self._find_next()
        return added

    def choose(self, position: Position) -> Digest | None:
        """Return what alone may stand on the chain at a contested position, once: it must be logged. # L4"""
        digest = self._chosen.get(position) or self.chain.get(position)
        if digest is None or position not in self._contested or position in self._logged:
            return None
        self._chosen[position] = digest
        self._logged.add(position)
        return digest

    def get_aged_position(self, latest_ms: int) -> Position:
        """Return the highest position of the chain that stands on it since `latest_ms` or longer. # P2"""
        position = self._top.position
        while position > self.floor.position and self._added_ms[position] > latest_ms:
            position -= 1
        return position

    def get_chain(self, tip: Tip, floor: Position) -> list[Batch] | None:
        """Return the batches (floor, tip] by position, following parent digests; None if one is missing. # O2"""
        found: list[Batch] = []
        digest = tip.digest
        for position in range(tip.position, floor, -1):
            batch = self.get_batch(digest)
            if batch is None or batch.header.position != position:
                return None
            found.append(batch)
            digest = batch.header.parent
        found.reverse()
        return found

    def find_missing(self, tip: Tip, floor: Position) -> Tip | None:
        """Return the highest missing element on the way from `tip` down to `floor`. # L6

        None also for a chain that can never be whole, because a batch on it has another position.
        """
        digest = tip.digest
        for position in range(tip.position, floor, -1):
            batch = self.get_batch(digest)
            if batch is None:
                return Tip(position, digest)
            if batch.header.position != position:
                return None
            digest = batch.header.parent
        return None

    def advance_floor(self, tip: Tip) -> None:
        """The lane is finalized up to `tip`: what contradicts it goes."""
        if tip.position <= self.floor.position:
            return
        self.chain = {position: digest for position, digest in self.chain.items() if position > tip.position}
        self._added_ms = {position: at_ms for position, at_ms in self._added_ms.items() if position > tip.position}
        self._first = {position: digest for position, digest in self._first.items() if position > tip.position}
        self._contested = {position for position in self._contested if position > tip.position}
        self._chosen = {position: digest for position, digest in self._chosen.items() if position > tip.position}
        self._logged = {position for position in self._logged if position > tip.position}
        self.floor = tip
        self._note_change()
        for digest in [digest for digest, batch in self.early.items() if batch.header.position <= tip.position]:
            del self.early[digest]

    def release(self, delivered: Position) -> list[Digest]:
        """Move delivered batches, and forks beside them, to the bounded part that only answers fetches. # L7"""
        done = [digest for digest, batch in self._batches.items() if batch.header.position <= delivered]
        for digest in done:
            batch = self._batches.pop(digest)
            self._retained[digest] = batch
            self._retained_bytes += _compute_size(batch)
        while self._retained_bytes > self._memory_bytes_max:
            _, oldest = self._retained.popitem(last=False)
            self._retained_bytes -= _compute_size(oldest)
        for digest in [digest for digest, (position, _) in self._pushed.items() if position <= delivered]:
            self.pushed_bytes -= self._pushed.pop(digest)[1]
        return done

    def _put(self, batch: Batch) -> None:
        position = batch.header.position
        self._batches[batch.digest] = batch
        if self._first.setdefault(position, batch.digest) != batch.digest and position > self.floor.position:
            self._contested.add(position)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Return how many batches stand on the chain, how many forks lie above the floor, and retained bytes."""
        above = sum(batch.header.position > self.floor.position for batch in self._batches.values())
        return len(self.chain), above - len(self.chain), self._retained_bytes

    def _note_change(self) -> None:
        position = self.floor.position + len(self.chain)
        self._top = Tip(position, self.chain[position]) if self.chain else self.floor
        self.version += 1

    def _find_next(self) -> Batch | None:
        for batch in self._batches.values():
            if self.may_extend(batch):
                return batch
        return None

    def _evict_forks(self) -> None:
        """Keep at most FORK_BATCHES_MAX above the floor that are not on the chain; the oldest goes first."""
        vouched = set(self.chain.values())
        forks = [
            digest
            for digest, batch in self._batches.items()
            if batch.header.position > self.floor.position and digest not in vouched
        ]
        for digest in forks[: max(0, len(forks) - FORK_BATCHES_MAX)]:
            del self._batches[digest]
            self.forks_evicted += 1


def _compute_size(batch: Batch) -> int:
    return len(batch.payload) + BATCH_OVERHEAD_BYTES
