"""Hold one admitted item, and look through the earlier ones for what it depends on. # A7 A9"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sequencer.simulation.reference.legs import get_inputs, pick
from sequencer.simulation.reference.machine import Exports, Place
from sequencer.types.bundle import AccessMode, Bundle
from sequencer.types.message import CrossMessage
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, Height, RollupId, StateValue
from sequencer.types.verdict import VerdictStatement, compute_assumption

Access: TypeAlias = dict[str, bool] | None
"""Key → is it written; None is the whole rollup."""


@dataclass(eq=False)
class Entry:
    """An item that has its place: a bundle, or a delivery, which is decided at once. # A8 A19"""

    item_id: Digest
    index: int
    place: Place
    """Of the block: what conditions on height and time look at. # A10"""
    access: dict[RollupId, Access]
    bundle: Bundle | None = None
    message: CrossMessage | None = None
    status: Status = Status.PENDING
    hold: int = 0
    parents: dict[RollupId, list[Entry]] = field(default_factory=dict)
    """By touched rollup: the unsettled ones that it conflicts with, as they were at this position."""
    waits: list[tuple[Digest, Entry]] = field(default_factory=list)
    """Deps that were undecided at this position. # A16"""
    unmet: Digest | None = None
    """The first dep that had not committed and never will."""
    certificates: dict[tuple[RollupId, Digest], VerdictStatement] = field(default_factory=dict)
    """By rollup and assumption. # A9"""
    verdicts: dict[RollupId, str] = field(default_factory=dict)
    """Attested: empty is YES, else the reason of the NO."""
    exports: dict[int, Exports] = field(default_factory=dict)
    """Known outputs by leg. # A15"""
    ready: dict[RollupId, Height] = field(default_factory=dict)
    """Since when a split rollup has had all that its verdict needs. # A13"""
    writes: dict[RollupId, dict[str, StateValue]] | None = None
    """Effects by rollup, once settled. # A11"""
    _settled: set[RollupId] = field(default_factory=set)
    _assumptions: dict[RollupId, Digest] = field(default_factory=dict)

    @property
    def rollups(self) -> Sequence[RollupId]:
        """The touched rollups, ascending."""
        return sorted(self.access)

    @property
    def is_undecided(self) -> bool:
        return self.status is Status.PENDING

    @property
    def is_final(self) -> bool:
        """Decided, and so is all that it depends on."""
        return all(self.is_settled(rollup) for rollup in self.parents)

    def is_settled(self, rollup: RollupId) -> bool:
        """Tell whether it and all that it depends on there are decided, which stays so. # A11"""
        if rollup not in self._settled and not self.is_undecided and self.is_ripe(rollup):
            self._settled.add(rollup)
        return rollup in self._settled

    def is_ripe(self, rollup: RollupId) -> bool:
        """Tell whether its state on the rollup is known."""
        return all(parent.is_settled(rollup) for parent in self.parents[rollup])

    def compute_own_assumption(self, rollup: RollupId) -> Digest:
        """Return what it gives, once settled, to those that follow; values that it read matter if it committed."""
        if rollup not in self._assumptions:
            inputs = get_inputs(self.bundle, rollup) if self.bundle and self.status is Status.COMMIT else []
            self._assumptions[rollup] = self._compute_assumption(rollup, inputs)
        return self._assumptions[rollup]

    def compute_assumption(self, rollup: RollupId) -> Digest:
        """Return what a verdict on it rests on, which is known once it is ripe and its inputs are there. # A9"""
        return self._compute_assumption(rollup, get_inputs(self.bundle, rollup) if self.bundle else [])

    def _compute_assumption(self, rollup: RollupId, inputs: list[tuple[int, str]]) -> Digest:
        parents = self.parents[rollup]
        links = [(parent.item_id, parent.status, parent.compute_own_assumption(rollup)) for parent in parents]
        return compute_assumption(links, pick(inputs, self.exports))

    @property
    def deadline(self) -> Height | None:
        """Height at whose end it times out; None for what touches native rollups alone. # A8 A21"""
        within = 0 if self.bundle is None else self.bundle.decide_within
        return self.place.height + within if within else None


def read_access(bundle: Bundle) -> dict[RollupId, Access]:
    """Return what the bundle's legs declare together, by rollup; one leg without a declaration takes all. # A7"""
    found: dict[RollupId, Access] = {rollup: {} for rollup in bundle.rollups}
    for leg in bundle.legs:
        declared = found[leg.rollup]
        if leg.access is None or declared is None:
            found[leg.rollup] = None
        else:
            for key, mode in leg.access:
                declared[key] = declared.get(key, False) or mode is AccessMode.WRITE
    return found


def find_parents(entries: Sequence[Entry], rollup: RollupId, access: Access) -> list[Entry]:
    """Return what `access` follows, key by key: the last unsettled writer, and before a write all later readers.

    `entries` are in log order. An item without a declaration writes every key, also those that nobody names.
    """
    unsettled = [entry for entry in entries if rollup in entry.access and not entry.is_settled(rollup)]
    named = {key for entry in unsettled for key in entry.access[rollup] or ()}
    keys = {*named, "any other key"} if access is None else set(access)
    found: list[Entry] = []
    for key in keys:
        is_written = access is None or access[key]
        for entry in reversed(unsettled):
            declared = entry.access[rollup]
            is_writer = declared is None or declared.get(key, False)
            is_reader = declared is None or key in declared
            if is_writer or (is_reader and is_written):
                found.append(entry)
            if is_writer:
                break
    return [entry for entry in unsettled if entry in found]
