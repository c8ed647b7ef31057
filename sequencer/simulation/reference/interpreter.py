"""Apply the one rule to the log, item by item, looking at all that is undecided each time. # A3 A4 A8 A9 A11 A13 A16"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sequencer.simulation.reference import entry as entries
from sequencer.simulation.reference.accounts import Accounts
from sequencer.simulation.reference.entry import Entry
from sequencer.simulation.reference.legs import Rollups, Run, get_inputs, get_outputs, run_legs
from sequencer.simulation.reference.machine import Place, State
from sequencer.simulation.reference.mail import Mail
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem, SignedBundle, compute_item_id
from sequencer.types.message import Delivery
from sequencer.types.outcome import ItemResult, Rejection, Status
from sequencer.types.primitives import Address, Digest, Height, RollupId
from sequencer.types.verdict import (
    BeatStatement,
    ExecutorCertificate,
    RootStatement,
    Verdict,
    VerdictStatement,
)

GRACE_HEIGHTS = 3
"""A rollup that had all it needed for so long before a TIMEOUT is to blame for it. # A13"""
LOOK_BACK_HEIGHTS = 1_024
ASSUMPTIONS_MAX = 8
LINKS_PER_WAITING = 16


class Ruling(NamedTuple):
    """How an admitted item ended."""

    item_id: Digest
    ordered_height: Height
    ordered_index: int
    status: Status
    reason: str
    fee: int


class ReferenceInterpreter:
    """Applies whole blocks; everything it knows is plain and always current."""

    def __init__(self, genesis: Genesis) -> None:
        self.parameters = genesis.parameters
        self.rollups = Rollups.of(genesis)
        self.accounts = Accounts(genesis)
        self.mail = Mail(self.rollups)
        self.height: Height = 0
        self.rulings: list[Ruling] = []
        """Of the newest block, in the order in which they fell."""
        self.committed: dict[Digest, Height] = {}
        self.suspended: dict[RollupId, Height] = {}
        self.roots: dict[RollupId, RootStatement] = {}
        """Newest certified row of each split rollup."""
        self.frozen: dict[RollupId, Digest] = {}
        """Rollups with a committed bundle that they refuse, and the first such bundle. # A12"""
        self.lies: list[tuple[Digest, RollupId]] = []
        """Certified verdicts that are not what running the legs gives."""
        self.entries: list[Entry] = []
        """In log order, from the oldest that is not final."""
        self.base: dict[RollupId, State] = {rollup.id: dict(rollup.state) for rollup in genesis.rollups}
        """Settled states before the first of `entries`."""

    @property
    def deposits(self) -> dict[Address, int]:
        return self.accounts.deposits

    @property
    def sequences(self) -> dict[tuple[Address, int], int]:
        return self.accounts.sequences

    @property
    def burned(self) -> int:
        return self.accounts.burned

    @property
    def held(self) -> int:
        return self.accounts.held

    @property
    def states(self) -> dict[RollupId, State]:
        """The settled state of every rollup. # A11"""
        return {rollup: self.get_state(rollup, None) for rollup in self.base}

    @property
    def undecided(self) -> list[Entry]:
        """In log order."""
        return [entry for entry in self.entries if entry.is_undecided]

    def get_state(self, rollup: RollupId, before: Entry | None) -> State:
        """Return the settled state at an entry's position, or at the end of the log. # A8 A11"""
        state = dict(self.base[rollup])
        for entry in self.entries:
            if entry is before:
                break
            if entry.writes is not None:
                write_all(state, entry.writes.get(rollup, {}))
        return state

    def get_settled_height(self, rollup: RollupId) -> Height:
        """Return the highest height at or below which nothing of the rollup is undecided."""
        waiting = [entry.place.height for entry in self.undecided if rollup in entry.access]
        return min(waiting) - 1 if waiting else self.height

    def apply(self, header: BlockHeader, items: Sequence[tuple[bytes, CheckedItem]]) -> tuple[ItemResult, ...]:
        """Apply one block's items in order, then its deadlines; return what each item came to at its position."""
        self.height, self.rulings = header.height, []
        place = Place(header.height, header.time_ms)
        results = tuple(self._apply_item(place, index, *item) for index, item in enumerate(items))
        self._expire()
        self.mail.close(self.height, {rollup: self.get_state(rollup, None) for rollup in self.base})
        return results

    def _apply_item(self, place: Place, index: int, item: bytes, checked: CheckedItem) -> ItemResult:
        item_id = compute_item_id(item, checked)
        if isinstance(checked, Rejection):
            return ItemResult(index, item_id, Status.INADMISSIBLE, checked.reason.value, 0)
        if isinstance(checked, SignedBundle):
            return self._apply_bundle(place, index, checked.bundle)
        if isinstance(checked, Delivery):
            return self._deliver(place, index, checked)
        refusal = self._certify(checked)
        self._examine()
        return ItemResult(index, item_id, Status.INADMISSIBLE if refusal else Status.COMMIT, refusal, 0)

    def _apply_bundle(self, place: Place, index: int, bundle: Bundle) -> ItemResult:
        entry = Entry(bundle.id, index, place, entries.read_access(bundle), bundle)
        entry.hold = self.accounts.compute_hold(bundle)
        refusal = self.accounts.refuse(bundle, place.height, entry.hold)
        suspended = [rollup for rollup in bundle.rollups if rollup in self.suspended]
        if not refusal and not suspended:
            self._link(entry)
            refusal = self._refuse_full(entry) or self.mail.refuse_full(bundle)
        if refusal:
            return self._get_result(entry, refusal)
        self.accounts.admit(bundle, entry.hold)
        self.mail.reserve(bundle)
        if suspended:
            self._decide(entry, Status.ABORT, f"SUSPENDED:{self.rollups.names[suspended[0]]}")
        else:
            self.entries.append(entry)
            self._examine()
            if entry.status is Status.ABORT and entry in self.entries:
                self.entries.remove(entry)  # nobody has ever waited for it
        return self._get_result(entry, "")

    def _get_result(self, entry: Entry, refusal: str) -> ItemResult:
        if refusal:
            return ItemResult(entry.index, entry.item_id, Status.INADMISSIBLE, refusal, 0)
        if entry.is_undecided:
            return ItemResult(entry.index, entry.item_id, Status.PENDING, "", entry.hold)
        ruling = next(ruling for ruling in self.rulings if ruling.item_id == entry.item_id)
        return ItemResult(entry.index, entry.item_id, ruling.status, ruling.reason, ruling.fee)

    def _link(self, entry: Entry) -> None:
        """Find what the entry depends on. # A9 A16"""
        for rollup in entry.rollups:
            entry.parents[rollup] = entries.find_parents(self.entries, rollup, entry.access[rollup])
        for dep in entry.bundle.deps if entry.bundle else ():
            pending = [other for other in self.undecided if other.item_id == dep]
            if pending:
                entry.waits.append((dep, pending[0]))
            elif entry.place.height - self.committed.get(dep, -LOOK_BACK_HEIGHTS - 1) > LOOK_BACK_HEIGHTS:
                entry.unmet = entry.unmet or dep

    def _refuse_full(self, entry: Entry) -> str:
        """Return why an item that has to wait finds no place, or nothing: caps count what is not settled. # A3"""
        if entry.deadline is None and not entry.waits and not any(entry.parents.values()):
            return ""
        for rollup in entry.rollups:
            others = [other for other in self.entries if rollup in other.access and not other.is_settled(rollup)]
            crossing = [other for other in others if is_crossing(other)]
            waiting_max = self.parameters.waiting_per_rollup_max
            if len(others) >= waiting_max:
                return "PENDING_FULL"
            links = len(entry.parents[rollup])
            if links and links + sum(len(other.parents[rollup]) for other in others) > LINKS_PER_WAITING * waiting_max:
                return "PENDING_FULL"
            if is_crossing(entry) and len(crossing) >= self.parameters.pending_per_rollup_max:
                return "PENDING_FULL"
        return ""

    def _deliver(self, place: Place, index: int, delivery: Delivery) -> ItemResult:
        """Take a message in, which its source's outbox proves; it waits for its turn like a bundle. # A19"""
        message = delivery.message
        key = f"balance/{message.asset}/{message.to.hex()}"
        entry = Entry(message.id, index, place, {message.destination: {key: True}}, message=message)
        refusal = self.mail.refuse(delivery)
        if not refusal:
            self._link(entry)
            refusal = self._refuse_full(entry)
        if not refusal:
            self.mail.take(message)
            self.entries.append(entry)
            self._examine()
        return self._get_result(entry, refusal)

    def _certify(self, certificate: ExecutorCertificate) -> str:
        """Take in what f_r + 1 executors said; returns why it is of no use. # A9 A13"""
        statement = certificate.statement
        if isinstance(statement, VerdictStatement):
            return self._take_verdict(statement)
        if isinstance(statement, BeatStatement):
            if not self.suspended.get(statement.rollup, self.height) < statement.height < self.height:
                return "STALE"
            del self.suspended[statement.rollup]
            return ""
        newest = self.roots[statement.rollup].height if statement.rollup in self.roots else 0
        if not newest < statement.height < self.height:
            return "STALE"
        self.roots[statement.rollup] = statement
        self.mail.record(statement.rollup, statement.height, statement.outbox_root)
        return ""

    def _take_verdict(self, statement: VerdictStatement) -> str:
        found = [entry for entry in self.undecided if entry.item_id == statement.bundle_id]
        if not found or statement.rollup not in found[0].access:
            return "STALE"
        known = found[0].certificates
        if (statement.rollup, statement.assumption) in known:
            return "DUPLICATE"
        if statement.rollup in found[0].ready:
            if statement.assumption != found[0].compute_assumption(statement.rollup):
                return "STALE"
        elif sum(rollup == statement.rollup for rollup, _ in known) >= ASSUMPTIONS_MAX:
            return "PENDING_FULL"
        known[statement.rollup, statement.assumption] = statement
        return ""

    def _examine(self) -> None:
        """Look at all entries in log order: what is decided can only touch what comes later. # A8"""
        for entry in list(self.entries):
            if entry.is_undecided:
                self._attest(entry)
                self._rule(entry)
            if entry.status is Status.COMMIT and entry.writes is None and entry.is_final:
                self._settle(entry)
        while self.entries and self.entries[0].is_final:
            for rollup, writes in (self.entries.pop(0).writes or {}).items():
                write_all(self.base[rollup], writes)

    def _attest(self, entry: Entry) -> None:
        """Find the verdicts that count by now; one may bring the inputs of another. # A8 A9 A15"""
        if entry.bundle is None:
            entry.verdicts = {rollup: "" for rollup in entry.rollups if entry.is_ripe(rollup)}
            return
        before = -1
        while before != len(entry.verdicts) + len(entry.exports):
            before = len(entry.verdicts) + len(entry.exports)
            for rollup in entry.rollups:
                if rollup not in entry.verdicts and entry.is_ripe(rollup):
                    if rollup in self.rollups.split:
                        self._attest_split(entry, rollup)
                    else:
                        self._attest_native(entry, rollup)

    def _attest_native(self, entry: Entry, rollup: RollupId) -> None:
        run = self.run(entry, rollup)
        entry.exports.update(run.exports)
        if run.refusal or run.is_whole:
            entry.verdicts[rollup] = run.refusal

    def _attest_split(self, entry: Entry, rollup: RollupId) -> None:
        assert entry.bundle is not None  # the caller has seen to it
        inputs = get_inputs(entry.bundle, rollup)
        if any(leg not in entry.exports for leg, _ in inputs):
            return
        entry.ready.setdefault(rollup, self.height)
        statement = entry.certificates.get((rollup, entry.compute_assumption(rollup)))
        if statement is not None:
            entry.verdicts[rollup] = statement.reason
            if statement.verdict is Verdict.YES:
                legs = [index for index, leg in enumerate(entry.bundle.legs) if leg.rollup == rollup]
                entry.exports.update({leg: {n: v for at, n, v in statement.outputs if at == leg} for leg in legs})
            self._compare(entry, rollup, statement)

    def _compare(self, entry: Entry, rollup: RollupId, statement: VerdictStatement) -> None:
        """Note a certified verdict that is false; no correct majority signs one. # A9"""
        assert entry.bundle is not None
        run = self.run(entry, rollup)
        truth = (run.refusal, () if run.refusal else get_outputs(entry.bundle, rollup, run.exports))
        if rollup not in self.frozen and (statement.reason, statement.outputs) != truth:
            self.lies.append((entry.item_id, rollup))

    def run(self, entry: Entry, rollup: RollupId) -> Run:
        """Run the rollup's legs at the entry's position on what is settled there. # A8"""
        assert entry.bundle is not None
        foreign = {i: x for i, x in entry.exports.items() if entry.bundle.legs[i].rollup != rollup}
        return run_legs(entry.bundle, rollup, self.get_state(rollup, entry), foreign, self.rollups, entry.place)

    def _rule(self, entry: Entry) -> None:
        """Decide by the first that applies, if one does. # A8"""
        names = self.rollups.names
        refusing = [rollup for rollup in entry.rollups if entry.verdicts.get(rollup)]
        unmet = entry.unmet or next((dep for dep, other in entry.waits if other.status is Status.ABORT), None)
        if refusing:
            self._decide(entry, Status.ABORT, f"NO:{names[refusing[0]]}:{entry.verdicts[refusing[0]]}")
        elif unmet:
            self._decide(entry, Status.ABORT, f"DEP:{unmet.hex()}")
        elif len(entry.verdicts) == len(entry.access) and not any(other.is_undecided for _, other in entry.waits):
            self._decide(entry, Status.COMMIT, "")

    def _decide(self, entry: Entry, status: Status, reason: str) -> None:
        entry.status = status
        fee = 0
        if entry.bundle is not None:
            fee = self.accounts.settle(entry.bundle, entry.hold, reason, self.height - entry.place.height)
            if status is Status.ABORT:
                self.mail.release(entry.bundle)
        if status is Status.COMMIT:
            self.committed[entry.item_id] = self.height
        self.rulings.append(Ruling(entry.item_id, entry.place.height, entry.index, status, reason, fee))

    def _settle(self, entry: Entry) -> None:
        """Keep what the entry writes at its position; a rollup that refuses it keeps nothing ever after. # A11 A12"""
        entry.writes = {}
        if entry.message is not None:
            entry.writes = self.mail.move(entry.message, self.get_state(entry.message.destination, entry))
        elif entry.bundle is not None:
            for rollup in entry.rollups:
                run, before = self.run(entry, rollup), self.get_state(rollup, entry)
                outputs = get_outputs(entry.bundle, rollup, run.exports)
                if not run.is_whole or outputs != get_outputs(entry.bundle, rollup, entry.exports):
                    self.frozen.setdefault(rollup, entry.item_id)
                entry.writes[rollup] = find_writes(before, run.state)
        for rollup in self.frozen:
            entry.writes.pop(rollup, None)

    def _expire(self) -> None:
        """Abort what is due, the oldest first; each may let later ones be decided otherwise. # A8 A13 A21"""
        while True:
            due = [entry for entry in self.undecided if entry.deadline is not None and entry.deadline <= self.height]
            if not due:
                return
            self._time_out(due[0])
            self._examine()

    def _time_out(self, entry: Entry) -> None:
        missing = [rollup for rollup in entry.rollups if rollup not in entry.verdicts]
        for rollup in missing:
            if rollup in entry.ready and entry.ready[rollup] <= self.height - GRACE_HEIGHTS:
                self.suspended[rollup] = self.height
        if missing:
            self._decide(entry, Status.ABORT, "TIMEOUT:" + ",".join(self.rollups.names[rollup] for rollup in missing))
        else:
            waiting = next(dep for dep, other in entry.waits if other.is_undecided)
            self._decide(entry, Status.ABORT, f"DEP:{waiting.hex()}")


def is_crossing(entry: Entry) -> bool:
    """Tell whether what is not settled counts for the smaller cap: it touches a split rollup, and another. # A3"""
    return entry.deadline is not None and len(entry.access) > 1


def write_all(state: State, writes: State) -> None:
    """Apply writes; zero and empty mean absent."""
    for key, value in writes.items():
        if value:
            state[key] = value
        else:
            state.pop(key, None)


def find_writes(before: State, after: State) -> State:
    """Return what was changed, 0 for what is gone."""
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return {**changed, **{key: 0 for key in before if key not in after}}
