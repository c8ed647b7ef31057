"""Hold every lane as this node has it, and remember what to say about it. # L3 L4

Promises: a batch is vouched for (`dirty`) only after the effect that makes it durable; a digest that
stands on a lane's chain is never exchanged for another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sequencer.lanes.fork_watch import ForkWatch
from sequencer.lanes.holdings import Holdings
from sequencer.lanes.lane import MEMORY_BYTES_MAX, Lane
from sequencer.types.batch import Batch
from sequencer.types.committee import Committee
from sequencer.types.effects import Effect, PersistBatch, PersistVote
from sequencer.types.primitives import Cut, Digest, Position, ValidatorIndex
from sequencer.types.records import RecordKind, VoteRecord, compute_have_number, split_have_number


@dataclass(slots=True)
class LaneCounters:
    """What was refused or repeated, for the statistics."""

    batches_out_of_window: int = 0
    batches_refused: int = 0
    """Another digest is held for the position (evidence X5), or the reorder buffer was full."""
    batches_over_budget: int = 0
    """Pushed batches for which the lane's share of memory had no room; their owner pushes them again."""
    batches_pushed: int = 0
    fetches_unanswered: int = 0
    """Fetches of batches that are not in memory; the store is asked."""


class HeldLanes:
    """Batches and HAVEs of all lanes, with the effects that they cause."""

    def __init__(self, committee: Committee, cut: Cut, is_logged: bool) -> None:
        """`is_logged`: this node says HAVE and has a vote log, so choices between batches are written down."""
        self._epoch = committee.epoch
        self._is_logged = is_logged
        self.memory_bytes_max = MEMORY_BYTES_MAX // len(cut)
        """Share of one lane. # L3"""
        self.lanes = [Lane(tip, self.memory_bytes_max) for tip in cut]
        self.holdings = [Holdings(committee) for _ in cut]
        self.effects: list[Effect] = []
        self.arrived: list[Batch] = []
        """Batches (own ones too) whose items should be checked now."""
        self.dirty: dict[ValidatorIndex, None] = {}
        """Lanes to name in the next HAVE."""
        self.is_changed = False
        """Something was kept, heard or finalized, so more may be available."""
        self.watch = ForkWatch(len(cut))
        """Headers that owners signed. # X5"""
        self.late: dict[ValidatorIndex, None] = {}
        """Lanes that delayed the own vote, to be said in the next HAVE. # L8"""
        self.counters = LaneCounters()

    def __getitem__(self, index: ValidatorIndex) -> Lane:
        return self.lanes[index]

    def __len__(self) -> int:
        return len(self.lanes)

    def keep(self, batch: Batch) -> None:
        """Keep a batch, durable before anybody hears of it."""
        self.effects.append(PersistBatch(batch))
        self.lanes[batch.header.lane].keep(batch)
        self._log_choices(batch.header.lane, (batch,))
        self.watch.note(batch)
        self.arrived.append(batch)
        self.is_changed = True

    def extend(self, index: ValidatorIndex, now_ms: int) -> None:
        """Vouch for what has become complete. # L4"""
        self._take_early(self.lanes[index])
        added = self.lanes[index].extend(now_ms)
        if added:
            self._log_choices(index, added)
            self.dirty[index] = None
            self.is_changed = True

    def restore(self, batches: Iterable[Batch], log: Iterable[VoteRecord]) -> dict[ValidatorIndex, list[Batch]]:
        """Take durable batches from the store; what completes a chain is vouched for again. # L4 R1"""
        stored: dict[ValidatorIndex, list[Batch]] = {}
        choices = self._read_choices(log)
        for batch in batches:
            stored.setdefault(batch.header.lane, []).append(batch)
            self.watch.note(batch)
            self.arrived.append(batch)
        for index in sorted(stored):
            added = self.lanes[index].restore(stored[index], choices[index])
            self._log_choices(index, stored[index])
            if added:
                self.dirty[index] = None
        return stored

    def _read_choices(self, log: Iterable[VoteRecord]) -> list[dict[Position, Digest]]:
        """Return what was chosen per lane before the start. # L4"""
        choices: list[dict[Position, Digest]] = [{} for _ in self.lanes]
        for record in log:
            lane, position = split_have_number(record.number)
            if record.kind is RecordKind.HAVE and lane < len(self.lanes):
                choices[lane][position] = record.digest
        return choices

    def _log_choices(self, index: ValidatorIndex, batches: Iterable[Batch]) -> None:
        """Make durable, before it is said, which of several batches of one position HAVE names. # L4"""
        if not self._is_logged:
            return
        for batch in batches:
            digest = self.lanes[index].choose(batch.header.position)
            if digest is not None:
                number = compute_have_number(index, batch.header.position)
                self.effects.append(PersistVote(VoteRecord(RecordKind.HAVE, self._epoch, number, digest)))

    @property
    def has_news(self) -> bool:
        """Tell whether the next HAVE has something to say."""
        return bool(self.dirty or self.late)

    def get_floors(self) -> tuple[Position, ...]:
        """Return the finalized position of every lane."""
        return tuple(lane.floor.position for lane in self.lanes)

    def _take_early(self, lane: Lane) -> None:
        """Batches that came before their parent may fit now, whichever way it came. # L3"""
        for batch in sorted(lane.early.values(), key=lambda early: early.header.position):
            is_held = lane.get_batch(batch.digest) is not None
            is_first = batch.header.position == lane.floor.position + 1
            if is_held or is_first or lane.get_batch(batch.header.parent) is not None:
                del lane.early[batch.digest]
                if not is_held:
                    self.keep(batch)
