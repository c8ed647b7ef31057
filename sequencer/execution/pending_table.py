"""Keep what is not settled: in log order, by rollup, by deadline and by what waits for it. # A8 A9 A16

Entries rest on earlier ones only, so nothing here can wait in a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sequencer.execution.access_index import AccessIndex
from sequencer.execution.conditions import BlockContext
from sequencer.execution.entries import Entry, Place, compute_access
from sequencer.execution.pending import PendingBundle, PendingPlace
from sequencer.execution.system_state import compute_hold
from sequencer.types.bundle import Bundle
from sequencer.types.message import CrossMessage
from sequencer.types.outcome import Reason, Rejection, Status
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Digest, Height, RollupId

LINKS_PER_WAITING = 16
"""Direct ancestors that the unsettled items of a rollup may have on average: describing them costs as much."""


class RollupEntries:
    """What is not settled on one rollup."""

    def __init__(self, is_split: bool) -> None:
        self.is_split = is_split
        self.index = AccessIndex()
        self.undecided: dict[Digest, Entry] = {}
        """In log order."""
        self.unsettled_count = 0
        """Undecided items, and aborted ones that rest on something here which is not settled."""
        self.unsettled_joint_count = 0
        """Of these, bundles that touch a split rollup and more than one rollup."""
        self.link_count = 0
        """Direct ancestors of all these, as at their admission."""

    def add(self, place: Place) -> None:
        """List a place that is not settled."""
        self.index.add(place)
        self.unsettled_count += 1
        self.unsettled_joint_count += place.entry.is_joint
        self.link_count += len(place.ancestors)
        if place.entry.status is Status.PENDING:
            self.undecided[place.entry.id] = place.entry

    def remove(self, place: Place) -> None:
        """Forget a place that is settled."""
        self.index.remove(place)
        self.unsettled_count -= 1
        self.unsettled_joint_count -= place.entry.is_joint
        self.link_count -= len(place.ancestors)


class PendingTable:
    """Every item that is not settled on all its rollups."""

    def __init__(self, is_split: Mapping[RollupId, bool]) -> None:
        self.entries: dict[Digest, Entry] = {}
        """In log order; those decided already are links between others."""
        self.rollups = {rollup: RollupEntries(split) for rollup, split in is_split.items()}
        self._due: defaultdict[Height, dict[Digest, Entry]] = defaultdict(dict)
        """What is undecided, by deadline and then in log order."""
        self._dependents: defaultdict[Digest, list[Entry]] = defaultdict(list)

    def get_undecided(self, item_id: Digest) -> Entry | None:
        """Return the entry, or None if there is none or it is decided."""
        entry = self.entries.get(item_id)
        return entry if entry is not None and entry.status is Status.PENDING else None

    def get_settled_height(self, rollup: RollupId, height: Height) -> Height:
        """Return the highest height up to `height` at or below which no item of the rollup is undecided. # A11"""
        oldest = next(iter(self.rollups[rollup].undecided.values()), None)
        return height if oldest is None else min(height, oldest.context.height - 1)

    def is_free(self, bundle: Bundle) -> bool:
        """Tell whether the bundle surely waits for nothing: on no rollup, and for no dep."""
        if bundle.decide_within:
            return False
        if not self.entries:
            return True
        is_alone = all(self.rollups[rollup].unsettled_count == 0 for rollup in bundle.rollups)
        return is_alone and not any(dep in self.entries for dep in bundle.deps)

    def make_entry(self, bundle: Bundle, context: BlockContext, index: int) -> Entry:
        """Return what a bundle would be at this position; changes nothing."""
        entry = Entry(bundle, None, context, index)
        for rollup in bundle.rollups:
            self._place(entry, rollup)
        self._set_horizons(entry, bundle.deps)
        return entry

    def make_delivery_entry(self, message: CrossMessage, context: BlockContext, index: int) -> Entry:
        """Return what a delivery would be at this position: an item of the destination alone. # A19"""
        entry = Entry(None, message, context, index)
        self._place(entry, message.destination)
        self._set_horizons(entry, ())
        return entry

    def _place(self, entry: Entry, rollup: RollupId) -> None:
        listed, access = self.rollups[rollup], compute_access(entry, rollup)
        place = entry.places[rollup] = Place(entry, rollup, listed.is_split, access)
        place.found = listed.index.find(access)
        if place.found:
            place.ancestors = dict.fromkeys([ancestor.entry.id for ancestor in place.found])
            place.waiting = len(place.found)

    def _set_horizons(self, entry: Entry, deps: Iterable[Digest]) -> None:
        """A bundle of native rollups alone has no deadline but that of what it waits for. # A8"""
        horizons = {
            place: max([ancestor.horizon for ancestor in place.found], default=0) for place in entry.places.values()
        }
        if not entry.is_timed:
            waited = [found.deadline for dep in deps if (found := self.get_undecided(dep)) is not None]
            entry.deadline = max([entry.deadline, *horizons.values(), *waited])
        for place, horizon in horizons.items():
            place.horizon = max(entry.deadline, horizon)

    def check_room(self, entry: Entry, parameters: Parameters) -> Rejection | None:
        """Return why an entry of `make_entry` that would wait finds no room, or None. # A3"""
        if not entry.is_timed and entry.is_ripe and entry.get_open_dep() is None:
            return None
        for rollup, place in entry.places.items():
            listed, links = self.rollups[rollup], len(place.ancestors)
            is_full = listed.unsettled_count >= parameters.waiting_per_rollup_max
            is_full |= links > 0 and listed.link_count + links > LINKS_PER_WAITING * parameters.waiting_per_rollup_max
            is_full |= entry.is_joint and listed.unsettled_joint_count >= parameters.pending_per_rollup_max
            if is_full:
                detail = f"rollup {rollup} has as many open items as are allowed"
                return Rejection(Reason.PENDING_FULL, "item.body", detail)
        return None

    def add(self, entry: Entry) -> None:
        """List an entry of `make_entry`, the newest of all, as far as it is not settled."""
        self.entries[entry.id] = entry
        is_pending = entry.status is Status.PENDING
        for place in entry.places.values():
            if is_pending or place.waiting:
                self.rollups[place.rollup].add(place)
                for ancestor in place.found:
                    ancestor.followers.append(place)
            else:
                place.is_settled = True
            place.found = []
        if is_pending:
            if entry.is_timed:
                self._due[entry.deadline][entry.id] = entry
            for dep, status in entry.deps.items():
                if status is Status.PENDING:
                    self._dependents[dep].append(entry)

    def find_due(self, height: Height) -> Entry | None:
        """Return the first undecided entry in log order whose deadline is `height`, or None."""
        return next(iter(self._due[height].values()), None) if height in self._due else None

    def on_decided(self, entry: Entry) -> list[Entry]:
        """Note that a listed entry has its outcome; return those that have it as a dep."""
        for rollup in entry.places:
            del self.rollups[rollup].undecided[entry.id]
        self._forget_deadline(entry)
        entry.touch()
        return self._dependents.pop(entry.id, [])

    def _forget_deadline(self, entry: Entry) -> None:
        """Drop what is decided at once: deadlines lie up to 256 heights ahead."""
        due = self._due.get(entry.deadline, {})
        due.pop(entry.id, None)
        if not due:
            self._due.pop(entry.deadline, None)

    def settle(self, place: Place) -> list[Place]:
        """Forget a place that is settled; return those that rest on it."""
        self.rollups[place.rollup].remove(place)
        place.is_settled = True
        entry = place.entry
        if all(each.is_settled for each in entry.places.values()):
            del self.entries[entry.id]
        followers, place.followers = place.followers, []
        return followers


def restore_table(
    is_split: Mapping[RollupId, bool], records: Iterable[PendingBundle], parameters: Parameters
) -> PendingTable:
    """Return the table that described itself in `records`, which are in log order."""
    table = PendingTable(is_split)
    for record in records:
        entry = Entry(record.bundle, record.message, BlockContext(record.height, record.time_ms), record.index)
        entry.deadline, entry.status = record.deadline, record.status
        if record.bundle is not None and record.status is Status.PENDING:
            entry.held = compute_hold(record.bundle, parameters)
            open_deps = [dep for dep in record.bundle.deps if table.get_undecided(dep) is not None]
            entry.deps = dict.fromkeys(open_deps, Status.PENDING)  # the others have committed, or it were decided
        for described in record.places:
            _restore_place(table, entry, described)
        table.add(entry)
    return table


def _restore_place(table: PendingTable, entry: Entry, described: PendingPlace) -> None:
    """A place with nothing unsettled before it, of an entry that is decided, is settled itself."""
    rollup = described.rollup
    access, is_split = compute_access(entry, rollup), table.rollups[rollup].is_split
    place = entry.places[rollup] = Place(entry, rollup, is_split, access)
    place.horizon, place.known_height = described.horizon, described.known_height
    place.certificates = {statement.assumption: statement for statement in described.certificates}
    for ancestor_id, status, assumption in described.ancestors:
        if status is not None and assumption is not None:
            place.ancestors[ancestor_id] = (ancestor_id, status, assumption)
        else:
            place.ancestors[ancestor_id] = None
            place.found.append(table.entries[ancestor_id].places[rollup])
    place.waiting = len(place.found)
