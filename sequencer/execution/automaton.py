"""Decide the outcome of every item of the log; the one rule of atomicity. # A8

outcome(b) = COMMIT iff every touched rollup says YES at b's own position and all deps committed;
otherwise ABORT. What a native rollup says is found by running it, what a split one says by a
certificate in the log; both count once all that b rests on there is settled. So most bundles are
decided at their position, the others by a later item or at the end of the block that is their deadline.

After each item the undecided bundles that it touches are looked at again, in log order. The automaton
is total: no item can make it raise. # A4
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from sequencer.execution import certificates, deliveries, system_state
from sequencer.execution.admission import Admission
from sequencer.execution.attestation import attest
from sequencer.execution.conditions import BlockContext
from sequencer.execution.decisions import BlockDecisions, Decided
from sequencer.execution.entries import Entry
from sequencer.execution.evaluation import Evaluation, Outputs
from sequencer.execution.foresight import Foreseen, foresee
from sequencer.execution.outcome_window import OutcomeWindow
from sequencer.execution.pending import PendingBundle
from sequencer.execution.pending_table import PendingTable
from sequencer.execution.rule import COMMIT, Outcome, Rules, find_late_outcome, find_outcome, judge, list_suspended
from sequencer.execution.settlement import Settlement, Trial
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle
from sequencer.types.executed import ExecutionRow
from sequencer.types.item import CheckedItem, SignedBundle, compute_item_id
from sequencer.types.message import CrossMessage, Delivery
from sequencer.types.outcome import ItemResult, Rejection, Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Height, RollupId
from sequencer.types.verdict import (
    BeatStatement,
    ExecutorCertificate,
    ExecutorStatement,
    RootStatement,
    VerdictStatement,
)


class OutcomeAutomaton:
    """Decides the items of the log, block by block."""

    def __init__(
        self,
        rules: Rules,
        window: OutcomeWindow,
        settlement: Settlement,
        table: PendingTable,
        rows: Mapping[RollupId, ExecutionRow],
    ) -> None:
        self._rules = rules
        self._window = window
        self._table = table
        self.settlement = settlement
        self.rows = dict(rows)
        """Of each split rollup the row that was certified last."""
        self._work: list[tuple[tuple[Height, int], Entry]] = []
        """Heap of the entries that must be looked at again; positions are distinct."""

    def begin(self, block: BlockContext, journals: Mapping[RollupId, Journal]) -> None:
        """Start a block on one journal per namespace that is executed here."""
        self._block = block
        self._system = journals[SYSTEM_NAMESPACE]
        self._decisions = BlockDecisions()
        self._admission = Admission(self._rules, block, self._system, self._table, self._window, self._decisions)
        self.settlement.begin(journals)

    def resume(self) -> None:
        """Find again the verdicts on what a snapshot says is undecided; none of them decides anything."""
        for entry in self._table.entries.values():
            if entry.bundle is not None and entry.status is Status.PENDING:
                trial = attest(entry, entry.bundle, self.settlement, self._block.height)
                if trial is not None:
                    trial.revert()

    def apply(self, index: int, item: bytes, checked: CheckedItem) -> ItemResult:
        """Apply the item at place `index` of the block; `work_off` does what follows from it for others. # A4"""
        if isinstance(checked, SignedBundle):
            return self._apply_bundle(index, checked.bundle)
        item_id = compute_item_id(item, checked)
        if isinstance(checked, ExecutorCertificate):
            rejection = self._apply_statement(checked.statement)
        elif isinstance(checked, Rejection):
            rejection = checked
        else:
            return self._apply_delivery(index, checked)
        if rejection is not None:
            return ItemResult(index, item_id, Status.INADMISSIBLE, rejection.reason.value, 0)
        return ItemResult(index, item_id, Status.COMMIT, "", 0)

    @property
    def has_work(self) -> bool:
        """Whether entries were woken that must be looked at before the next item."""
        return bool(self._work)

    def work_off(self, count_max: int) -> int:
        """Look again, in log order, at up to so many entries that were woken; returns at how many.

        An entry wakes only later ones, so none is looked at twice for one item. # A8
        """
        count = 0
        while self._work and count < count_max:
            entry = heappop(self._work)[1]
            entry.is_queued = False
            if entry.status is Status.PENDING:
                self._examine(entry)
            count += 1
        return count

    def time_out_next(self) -> bool:
        """Abort the next entry that is due in this block, after its last item; tells whether there was one. # A8 A21"""
        entry = self._table.find_due(self._block.height)
        if entry is None or entry.bundle is None:
            return False
        for rollup in list_suspended(entry, self._block.height):
            system_state.set_suspension(self._system, rollup, self._block.height)
        self._decide(entry, entry.bundle, find_late_outcome(entry, self._rules.names), None)
        return True

    @property
    def decided(self) -> Sequence[Decided]:
        """What is decided in this block by now, in order."""
        return self._decisions.decided

    def describe(self) -> tuple[PendingBundle, ...]:
        """Return what is not settled, in log order."""
        return tuple([entry.get_record() for entry in self._table.entries.values()])

    def get_settled_height(self, namespace: RollupId) -> Height:
        """Return up to where no item of the rollup is undecided; the system is always settled. # A11"""
        if namespace == SYSTEM_NAMESPACE:
            return self._block.height
        return self._table.get_settled_height(namespace, self._block.height)

    # What is taken in

    def _apply_bundle(self, index: int, bundle: Bundle) -> ItemResult:
        if self._table.is_free(bundle) and not deliveries.count_sends(bundle):
            return self._apply_free(index, bundle)
        hold = system_state.compute_hold(bundle, self._rules.parameters)
        entry = self._admission.admit_bundle(index, bundle, hold)
        if isinstance(entry, Rejection):
            return ItemResult(index, bundle.id, Status.INADMISSIBLE, entry.reason.value, 0)
        system_state.consume_sequence(self._system, bundle)
        outcome, trial = self._admission.find_suspension(bundle), None
        if outcome is None:
            trial = attest(entry, bundle, self.settlement, self._block.height)
            outcome = find_outcome(entry, self._rules.names)
        if outcome is None or outcome.status is Status.COMMIT:
            deliveries.reserve_sends(self._system, entry.sends)
        if outcome is None:
            self._keep(entry, bundle, trial, hold)
            return ItemResult(index, bundle.id, Status.PENDING, "", hold)
        fee = self._decide(entry, bundle, outcome, trial)
        return ItemResult(index, bundle.id, outcome.status, outcome.reason, fee)

    def _apply_free(self, index: int, bundle: Bundle) -> ItemResult:
        """Decide a bundle that can wait for nothing: the same rule, without an entry."""
        fee = system_state.compute_fee(bundle, self._rules.parameters)
        rejection = system_state.admit(self._system, bundle, self._block.height, fee)
        if rejection is not None:
            return ItemResult(index, bundle.id, Status.INADMISSIBLE, rejection.reason.value, 0)
        trial = self.settlement.try_free(bundle, self._block)
        outcome = self._judge_free(bundle, trial.evaluation)
        if outcome is not COMMIT:
            trial.revert()
        self._decisions.add_free(bundle, (self._block.height, index), outcome, fee, trial.evaluation)
        return ItemResult(index, bundle.id, outcome.status, outcome.reason, fee)

    def _judge_free(self, bundle: Bundle, evaluation: Evaluation) -> Outcome:
        if not evaluation.failures and not bundle.deps:
            return COMMIT
        failure = evaluation.get_refusal()
        refusal = None if failure is None else f"{self._rules.names[failure.rollup]}:{failure.reason}"
        failed_dep = self._admission.find_failed_dep(bundle) if bundle.deps else None
        return judge(refusal, failed_dep, is_open=False) or COMMIT

    def _apply_delivery(self, index: int, delivery: Delivery) -> ItemResult:
        """A delivery cannot fail, but it waits for what its balance rests on. # A19"""
        message = delivery.message
        entry = self._admission.admit_delivery(index, delivery)
        if isinstance(entry, Rejection):
            return ItemResult(index, message.id, Status.INADMISSIBLE, entry.reason.value, 0)
        deliveries.take_in(self._system, message, self._block.height)
        if entry.is_ripe:
            self._decide_delivery(entry, message)
        else:
            self._table.add(entry)
        return ItemResult(index, message.id, entry.status, "", 0)

    def _keep(self, entry: Entry, bundle: Bundle, trial: Trial | None, hold: int) -> None:
        """List an undecided bundle; nothing of it shows yet."""
        if trial is not None:
            trial.revert()
        entry.held = hold
        system_state.hold(self._system, bundle.payer, hold)
        self._table.add(entry)

    def foresee(self, bundle: Bundle) -> Foreseen:
        """Tell what would become of the bundle as the next item; changes nothing."""
        return foresee(bundle, self._rules, self._admission, self.settlement)

    # Certificates

    def check_statement(self, statement: ExecutorStatement) -> Rejection | None:
        """Return why a certificate of the statement would have no effect as the next item, or None."""
        return certificates.check(statement, self._table, self._system, self._block.height)

    def _apply_statement(self, statement: ExecutorStatement) -> Rejection | None:
        rejection = self.check_statement(statement)
        if rejection is None:
            match statement:
                case VerdictStatement():
                    self._wake(certificates.keep_verdict(statement, self._table))
                case BeatStatement(rollup):
                    system_state.set_suspension(self._system, rollup, 0)
                case RootStatement():
                    self.rows[statement.rollup] = certificates.certify_row(statement, self._system)
        return rejection

    # Decisions

    def _decide_delivery(self, entry: Entry, message: CrossMessage) -> None:
        """Let a message arrive, on both rollups at once. # A19"""
        self.settlement.deliver(message)
        self._note_decision(entry, COMMIT, 0, ())

    def _decide(self, entry: Entry, bundle: Bundle, outcome: Outcome, trial: Trial | None) -> int:
        """Give a bundle its outcome, once and for all; returns the fee that it burns."""
        outputs: Sequence[Outputs | None] = ()
        if outcome.status is Status.COMMIT:
            outputs = self.settlement.commit(entry, bundle, trial)
        else:
            if trial is not None:
                trial.revert()
            self.settlement.explain(entry, bundle)
        fee = self._compute_fee(entry, bundle, outcome)
        system_state.burn(self._system, bundle.payer, fee, entry.held)
        if outcome.status is Status.ABORT and entry.id in self._table.entries:
            deliveries.release_sends(self._system, entry.sends)
        self._note_decision(entry, outcome, fee, outputs)
        return fee

    def _note_decision(self, entry: Entry, outcome: Outcome, fee: int, outputs: Sequence[Outputs | None]) -> None:
        entry.status = outcome.status
        self._decisions.add(entry, outcome, fee, outputs)
        self._release(entry)

    def _compute_fee(self, entry: Entry, bundle: Bundle, outcome: Outcome) -> int:
        """A missing verdict is not the payer's fault. # A17"""
        if not outcome.is_paid_whole:
            return self._rules.parameters.fee_base
        return system_state.compute_fee(bundle, self._rules.parameters, self._block.height - entry.context.height)

    # What follows from a decision

    def _release(self, entry: Entry) -> None:
        """Let those go on that waited for the entry; for one that is decided at its position nobody did."""
        if entry.id in self._table.entries:
            for dependent in self._table.on_decided(entry):
                dependent.deps[entry.id] = entry.status
                self._wake(dependent)
            self._settle(entry)

    def _settle(self, entry: Entry) -> None:
        """Settle every place that rests on nothing unsettled, and those that rested on it alone. # A11"""
        ready = [place for place in entry.places.values() if place.waiting == 0 and not place.is_settled]
        while ready:
            place = ready.pop()
            link = place.make_link()
            for follower in self._table.settle(place):
                follower.rest_on(link)
                if follower.waiting == 0:
                    if follower.entry.status is Status.PENDING:
                        self._wake(follower.entry)
                    else:
                        ready.append(follower)

    def _wake(self, entry: Entry) -> None:
        if not entry.is_queued:
            entry.is_queued = True
            heappush(self._work, (entry.position, entry))

    def _examine(self, entry: Entry) -> None:
        if entry.message is not None and entry.is_ripe:
            self._decide_delivery(entry, entry.message)
        if entry.bundle is None:
            return
        trial = attest(entry, entry.bundle, self.settlement, self._block.height)
        outcome = find_outcome(entry, self._rules.names)
        if outcome is not None:
            self._decide(entry, entry.bundle, outcome, trial)
        elif trial is not None:
            trial.revert()
