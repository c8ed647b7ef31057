"""Model the designs that were not chosen, to see under one workload what they cost.

A model knows positions, keys and heights, nothing of rollups' states: a leg that must refuse says so by itself. An
executor that has processed height h has its certificate in block h + 1 + lag, before that block's transactions.

nowait          a pending bundle locks its keys; whatever meets a lock fails
defer           the same, but a transaction of one rollup waits instead of failing
wound           a transaction of one rollup aborts the pending bundles that it meets
queue_decided   nothing is locked; an executor votes once all that stand before a bundle are decided
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from scripts.contention_workload import Item, Key


@dataclass(slots=True)
class Tally:
    """What became of the items of one run."""

    bundles: int = 0
    committed: int = 0
    latencies: list[int] = field(default_factory=list)
    """Heights from the position to the decision, of the bundles that committed."""
    plain: int = 0
    plain_failed: int = 0


@dataclass(slots=True)
class Waiting:
    """A bundle between its position and its decision."""

    item: Item
    height: int
    before: frozenset[int]
    """Numbers of the undecided bundles that stand before it on a key of its own."""
    certified_at: int | None
    """Height whose block has its certificates; None until its executors may vote."""


class LockingDesign:
    """Nowait, defer and wound: one pending bundle per key."""

    def __init__(self, lag: int, on_plain: Callable[[LockingDesign, Item], None]) -> None:
        self._lag = lag
        self._on_plain = on_plain
        self.tally = Tally()
        self.pending: dict[int, Waiting] = {}
        self.locks: dict[Key, int] = {}

    def run_block(self, height: int, items: Iterable[Item]) -> None:
        """Decide what the block's certificates decide, then take its items in."""
        for number in [n for n, waiting in self.pending.items() if waiting.certified_at == height]:
            self._decide(number, height)
        for item in items:
            if not item.is_bundle:
                self.tally.plain += 1
                self._on_plain(self, item)
            else:
                self._take_in(item, height)

    def _take_in(self, item: Item, height: int) -> None:
        self.tally.bundles += 1
        if any(key in self.locks for key in item.keys):
            return
        self.pending[item.number] = Waiting(item, height, frozenset(), height + 1 + self._lag)
        self.locks.update(dict.fromkeys(item.keys, item.number))

    def _decide(self, number: int, height: int) -> None:
        waiting = self.drop(number)
        if not waiting.item.is_refused:
            self.tally.committed += 1
            self.tally.latencies.append(height - waiting.height)

    def drop(self, number: int) -> Waiting:
        """Forget a pending bundle and open its locks."""
        waiting = self.pending.pop(number)
        for key in waiting.item.keys:
            del self.locks[key]
        return waiting


def fail_plain(design: LockingDesign, item: Item) -> None:
    """A transaction that meets a lock fails."""
    design.tally.plain_failed += any(key in design.locks for key in item.keys)


def defer_plain(design: LockingDesign, item: Item) -> None:
    """A transaction that meets a lock waits, and is a lock itself for the bundles behind it."""
    for number in {design.locks[key] for key in item.keys if key in design.locks}:
        waiting = design.pending[number]
        fresh = [key for key in item.keys if key not in design.locks]
        waiting.item = waiting.item.with_keys(fresh)
        design.locks.update(dict.fromkeys(fresh, number))


def wound_by_plain(design: LockingDesign, item: Item) -> None:
    """A transaction aborts the pending bundles that it meets."""
    for number in {design.locks[key] for key in item.keys if key in design.locks}:
        design.drop(number)


class QueueDecidedDesign:
    """Positions as in the product; executors vote only when everything before a bundle is decided."""

    def __init__(self, lag: int, decide_within: int) -> None:
        self._lag = lag
        self._decide_within = decide_within
        self.tally = Tally()
        self._pending: dict[int, Waiting] = {}
        self._behind: dict[Key, frozenset[int]] = {}
        """Per key: pending bundles that an item on this key stands behind."""

    def run_block(self, height: int, items: Iterable[Item]) -> None:
        """Decide what the certificates and the deadline decide, and let executors vote."""
        for number in [n for n, waiting in self._pending.items() if waiting.certified_at == height]:
            self._decide(number, height, is_timeout=False)
        for item in items:
            self._take_in(item, height)
        for number in [n for n, w in self._pending.items() if height == w.height + self._decide_within]:
            self._decide(number, height, is_timeout=True)
        for waiting in self._pending.values():
            if waiting.certified_at is None and not (waiting.before & self._pending.keys()):
                waiting.certified_at = height + 1 + self._lag

    def _take_in(self, item: Item, height: int) -> None:
        """A transaction of one rollup waits for what stands before it, and links what comes behind."""
        before = frozenset(n for key in item.keys for n in self._behind.get(key, ()) if n in self._pending)
        if item.is_bundle:
            self.tally.bundles += 1
            self._pending[item.number] = Waiting(item, height, before, None)
            before |= {item.number}
        else:
            self.tally.plain += 1
        for key in item.keys:
            self._behind[key] = before

    def _decide(self, number: int, height: int, is_timeout: bool) -> None:
        waiting = self._pending.pop(number)
        if not is_timeout and not waiting.item.is_refused:
            self.tally.committed += 1
            self.tally.latencies.append(height - waiting.height)


Design: TypeAlias = LockingDesign | QueueDecidedDesign
COMPARATORS: Mapping[str, Callable[[int, int], Design]] = {
    "nowait": lambda lag, decide_within: LockingDesign(lag, fail_plain),
    "defer": lambda lag, decide_within: LockingDesign(lag, defer_plain),
    "wound": lambda lag, decide_within: LockingDesign(lag, wound_by_plain),
    "queue_decided": QueueDecidedDesign,
}
"""Name of a design → its model for a lag and a `decide_within`."""


def run_design(name: str, blocks: Sequence[Sequence[Item]], lag: int, decide_within: int) -> Tally:
    """Run the blocks, from height 1, and then as many empty ones as decide what is pending."""
    design = COMPARATORS[name](lag, decide_within)
    empty: list[Sequence[Item]] = [()] * (decide_within + 1)
    for height, items in enumerate([*blocks, *empty], 1):
        design.run_block(height, items)
    return design.tally
