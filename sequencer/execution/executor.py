"""Execute finalized blocks, in slices, and answer questions about the newest executed state.

begin → step … step → finish. Queries see the state after the last `finish`, never half a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyrsistent import pmap

from sequencer.errors import LocalError
from sequencer.execution import system_state
from sequencer.execution.automaton import OutcomeAutomaton
from sequencer.execution.block_run import BlockRun
from sequencer.execution.commitments import (
    EMPTY_ROOT,
    make_commitment,
    make_genesis_commitment,
    make_genesis_rows,
    make_row,
)
from sequencer.execution.conditions import BlockContext
from sequencer.execution.evaluation import Failure
from sequencer.execution.explanations import BundleCheck, DecisionTable, ExplanationTable, Wait, get_failures
from sequencer.execution.history import StateListing, StateReading, Version, VersionHistory
from sequencer.execution.mail import Mail
from sequencer.execution.network import make_genesis_states, make_rules, select_states
from sequencer.execution.outcome_window import DecidedHeight, OutcomeWindow
from sequencer.execution.outlook import Basis
from sequencer.execution.pending import PendingBundle
from sequencer.execution.pending_table import restore_table
from sequencer.execution.settlement import Settlement
from sequencer.execution.snapshot import Snapshot, SnapshotRow, read_snapshot
from sequencer.state.journal import Journal
from sequencer.state.state_tree import StateTree
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle
from sequencer.types.commitment import Commitment, is_commitment_scheduled
from sequencer.types.executed import Decision, ExecutedBlock, ExecutionRow
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem
from sequencer.types.message import Delivery
from sequencer.types.outcome import Rejection, Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Address, Digest, Height, RollupId, StateValue
from sequencer.types.verdict import ExecutorStatement

NO_ROLLUPS: frozenset[RollupId] = frozenset()


class Executor:
    """The state machine above the log: every outcome, and the states of native and some split rollups."""

    def __init__(self, genesis: Genesis, runs: frozenset[RollupId] = NO_ROLLUPS) -> None:
        """Start at height 0 and execute the split rollups in `runs` too.

        Raises `LocalError` for a network that this version cannot execute.
        """
        states = make_genesis_states(genesis)
        rows = make_genesis_rows(states)
        commitment = make_genesis_commitment(genesis, rows)
        local = select_states(make_rules(genesis), states, runs)
        own = {row.namespace: row for row in rows if row.namespace in runs}
        version = Version(genesis.header, commitment, rows, local, (), own)
        self._set_up(genesis, version, (DecidedHeight(commitment, ()),), runs)

    def _set_up(
        self, genesis: Genesis, version: Version, decided: Iterable[DecidedHeight], wanted: frozenset[RollupId]
    ) -> None:
        self._genesis = genesis
        self._wanted = wanted
        self._rules = make_rules(genesis)
        self._history = VersionHistory(version)
        self._system = version.get_state(SYSTEM_NAMESPACE)
        self._window = OutcomeWindow()
        for height in decided:
            self._window.append(height)
        self._explanations = ExplanationTable()
        self._decisions = DecisionTable()
        self._run: BlockRun | None = None
        self._automaton = self._make_automaton()
        self._spare: tuple[Height, OutcomeAutomaton] | None = None
        self.mail = Mail(version.states, self._rules.is_split, self.height, lambda key: self._system.get(key))
        """Messages between rollups, as of the newest executed block."""

    def _make_automaton(self) -> OutcomeAutomaton:
        """Return an automaton that goes on after the newest executed block."""
        newest, rules = self._newest, self._rules
        table = restore_table(rules.is_split, newest.pending, rules.parameters)
        certified = {row.namespace: row for row in newest.rows if rules.is_split.get(row.namespace, False)}
        automaton = OutcomeAutomaton(rules, self._window, Settlement(rules.machines), table, certified)
        self._show_next_block(automaton)
        automaton.resume()
        return automaton

    def _show_next_block(self, automaton: OutcomeAutomaton) -> None:
        """Let the automaton look at what could come next, on journals that are thrown away."""
        journals = {namespace: Journal(state) for namespace, state in self._newest.states.items()}
        automaton.begin(BlockContext(self.height + 1, self.header.time_ms + 1), journals)

    @classmethod
    def restore(
        cls, genesis: Genesis, snapshot: bytes, header: BlockHeader, runs: frozenset[RollupId] = NO_ROLLUPS
    ) -> Executor:
        """Continue after `header`; raises `StoreError` if the bytes do not hash to what they claim.

        Of `runs` only those go on whose states the snapshot holds.
        """
        read = read_snapshot(snapshot, header, genesis)
        rows = tuple(namespace.row for namespace in read.namespaces)
        states = {n.row.namespace: n.state for n in read.namespaces if n.state is not None}
        states.update({rollup: state for rollup, state in read.own_states if rollup in runs})
        executor = cls.__new__(cls)
        version = Version(header, read.decided[-1].commitment, rows, pmap(states), read.pending, {})
        executor._set_up(genesis, version, read.decided, runs)
        return executor

    def take_snapshot(self) -> bytes:
        """Return the state after the newest executed block as canonical bytes."""
        newest, is_split = self._newest, self._rules.is_split
        rows = tuple(
            SnapshotRow(row, None if is_split.get(row.namespace, False) else newest.states[row.namespace])
            for row in newest.rows
        )
        own = tuple((key, state) for key, state in sorted(newest.states.items()) if is_split.get(key, False))
        return Snapshot(tuple(self._window.heights), rows, newest.pending, own).to_bytes()

    @property
    def header(self) -> BlockHeader:
        """Header of the newest executed block."""
        return self._newest.header

    @property
    def height(self) -> Height:
        """Newest executed height."""
        return self._newest.header.height

    @property
    def commitment(self) -> Commitment:
        """Commitment of the newest executed height."""
        return self._newest.commitment

    @property
    def basis(self) -> Basis:
        """What an outlook on the next block rests on."""
        next_block = BlockContext(self.height + 1, self.header.time_ms + 1)
        return Basis(self._newest.states, self._rules.machines, self._window, next_block)

    @property
    def is_busy(self) -> bool:
        """Whether a block has begun and is not finished."""
        return self._run is not None

    @property
    def _newest(self) -> Version:
        return self._history.newest

    def begin(self, header: BlockHeader, items: Sequence[tuple[bytes, CheckedItem]]) -> None:
        """Take the child of the newest executed block, its items in order; raises `LocalError` for any other."""
        if self._run is not None:
            raise LocalError(f"height {self._run.header.height} is not finished")
        if header.height != self.height + 1 or header.parent_digest != self.header.digest:
            raise LocalError(f"block of height {header.height} is no child of the executed height {self.height}")
        self._run = BlockRun(self._automaton, self.mail, self._newest.states, header, items)

    def step(self, item_count_max: int) -> bool:
        """Apply at most so many items (≥ 1); returns whether all are applied."""
        run = self._get_run()
        run.step(item_count_max)
        return run.is_done

    def finish(self) -> ExecutedBlock:
        """Commit to the block and make it the newest; raises `LocalError` before all items are applied."""
        run = self._get_run()
        if not run.is_done:
            raise LocalError(f"height {run.header.height} has items left")
        run.end()
        version, outcomes = self._make_version(run), run.leaves.get_outcomes()
        is_scheduled = is_commitment_scheduled(
            self.header.time_ms, run.header.time_ms, self._genesis.parameters.commitment_interval_ms
        )
        decisions = tuple([decided.decision for decided in self._automaton.decided])
        for decided in self._automaton.decided:
            self._explanations.add(decided)
        self._decisions.append(decisions)
        self._history.append(version)
        self._system = version.get_state(SYSTEM_NAMESPACE)
        self._window.append(DecidedHeight(version.commitment, outcomes))
        self._run = None
        namespaces, results = run.leaves.get_namespaces(), tuple(run.results)
        return ExecutedBlock(
            run.header, version.commitment, is_scheduled, results, outcomes, namespaces, version.rows, decisions
        )

    def _make_version(self, run: BlockRun) -> Version:
        """Compute all roots of the block; the state of a frozen rollup is given up. # A12"""
        is_split, automaton = self._rules.is_split, self._automaton
        states = run.states
        for rollup in automaton.settlement.frozen & set(states):
            states = states.remove(rollup)
        executed = {
            namespace: make_row(
                namespace,
                automaton.get_settled_height(namespace),
                state,
                run.leaves,
                EMPTY_ROOT if namespace == SYSTEM_NAMESPACE else self.mail.get_root(namespace),
            )
            for namespace, state in sorted(states.items())
        }
        rows = tuple([automaton.rows.get(key) or executed[key] for key in (SYSTEM_NAMESPACE, *is_split)])
        pending, batch_root, outcomes = automaton.describe(), run.leaves.compute_batch_root(), run.leaves.get_outcomes()
        commitment = make_commitment(
            self._genesis, run.header, self.commitment.digest, batch_root, pending, outcomes, rows
        )
        own = {key: row for key, row in executed.items() if key in automaton.rows}
        return Version(run.header, commitment, rows, states, pending, own)

    def _get_run(self) -> BlockRun:
        if self._run is None:
            raise LocalError("no block has begun")
        return self._run

    def get_state_value(self, rollup: RollupId, key: str) -> StateValue | None:
        """Return what a key of a rollup (0: the system) holds; raises `LocalError` for an unknown rollup."""
        return self._newest.get_state(rollup).get(key)

    def read_state(self, height: Height, rollup: RollupId, key: str) -> StateReading:
        """Return what a key held after `height`; raises `LocalError` outside the newest 256 heights."""
        return self._history.read(height, rollup, key)

    def list_entries(self, height: Height, rollup: RollupId, prefix: str) -> StateListing:
        """Return every key of a rollup (0: the system) below a prefix after `height`; visits the whole state."""
        return self._history.list_entries(height, rollup, prefix)

    @property
    def runs(self) -> frozenset[RollupId]:
        """The rollups whose state is here: the native ones, and split ones that this node executes."""
        return frozenset(self._newest.states) - {SYSTEM_NAMESPACE}

    def is_frozen(self, rollup: RollupId) -> bool:
        """Tell whether this node should execute the rollup but has no state that it may show. # A12"""
        return rollup in self._wanted and rollup not in self._newest.states

    def is_suspended(self, rollup: RollupId) -> bool:
        """Tell whether bundles that touch the rollup abort where they stand. # A13"""
        return self._get_system_amount(system_state.make_suspended_key(rollup)) > 0

    def get_state(self, rollup: RollupId) -> StateTree:
        """Return the settled state of a rollup, 0 for the system; raises `LocalError` if it is not here."""
        return self._newest.get_state(rollup)

    def get_settled_height(self, rollup: RollupId) -> Height:
        """Return the highest height at or below which no item of the rollup is undecided. # A11"""
        return self._newest.get_settled_height(rollup)

    def get_committed_row(self, rollup: RollupId) -> ExecutionRow:
        """Return the newest row under the exec root; of a split rollup it is the one that was certified last. # A11"""
        return self._newest.get_committed_row(rollup)

    def get_own_row(self, rollup: RollupId) -> ExecutionRow | None:
        """Return what the executors of a split rollup may certify of the newest height; None if nothing. # A11

        Nothing is known of the height on which a snapshot stood.
        """
        return self._newest.own_rows.get(rollup)

    @property
    def pending(self) -> tuple[PendingBundle, ...]:
        """What is not settled, in log order; those that are decided are links between others."""
        return self._newest.pending

    def get_pending(self, item_id: Digest) -> PendingBundle | None:
        """Return an undecided item, or None."""
        entry = self._newest.pending_by_id.get(item_id)
        return entry if entry is not None and entry.status is Status.PENDING else None

    def get_decision(self, item_id: Digest) -> Decision | None:
        """Return how an item ended that this node has seen decided since it started, 1,024 heights back."""
        return self._decisions.get(item_id)

    def get_decided_status(self, item_id: Digest) -> Status | None:
        """Return COMMIT or ABORT of an item that was decided at most 1,024 heights ago, else None."""
        return self._window.get_status(item_id)

    def check_certificate(self, statement: ExecutorStatement) -> Rejection | None:
        """Return why the certificate of a statement would have no effect as the next item, or None. # A9"""
        if self._run is None:
            self._show_next_block(self._automaton)
        return self._automaton.check_statement(statement)

    def get_sequence(self, payer: Address, channel: int) -> int:
        """Return the next expected sequence. # A6"""
        return self._get_system_amount(system_state.make_sequence_key(payer, channel))

    def get_deposit(self, payer: Address) -> int:
        """Return the payer's deposit."""
        return self._get_system_amount(system_state.make_deposit_key(payer))

    def check_admission(
        self, bundle: Bundle, height: Height, pending_ahead: int, pending_fees: int
    ) -> Rejection | None:
        """Apply the stateful checks as a courtesy, before the item is ordered. # A3

        `pending_ahead` bundles of the same payer and channel are queued before this one;
        all that the payer has queued will cost `pending_fees`.
        """
        fee = pending_fees + system_state.compute_hold(bundle, self._genesis.parameters)
        expected = self.get_sequence(bundle.payer, bundle.channel) + pending_ahead
        return system_state.check_admission(bundle, height, expected, self.get_deposit(bundle.payer), fee)

    def check_bundle(self, bundle: Bundle) -> BundleCheck:
        """Tell what would become of the bundle as the only item of the next block; changes nothing."""
        seen = self._get_idle_automaton().foresee(bundle)
        failures = () if seen.entry is None else get_failures(seen.entry)
        unjudged = tuple(rollup for rollup in bundle.rollups if rollup not in self.runs)
        return BundleCheck(seen.rejection, seen.status, seen.reason, seen.fee, failures, unjudged)

    def _get_idle_automaton(self) -> OutcomeAutomaton:
        """Return an automaton that stands after the newest executed block, also while the next one is under way."""
        if self._run is None:
            self._show_next_block(self._automaton)
            return self._automaton
        if self._spare is None or self._spare[0] != self.height:
            self._spare = (self.height, self._make_automaton())  # once per height, for it costs what is pending
        return self._spare[1]

    def get_failures(self, bundle_id: Digest) -> tuple[Failure, ...]:
        """Return what rollups expected and found when the bundle aborted; only the newest 4,096 are known."""
        return self._explanations.get(bundle_id)

    def get_waits(self, bundle_id: Digest) -> tuple[Wait, ...]:
        """Return what the bundle had to wait for where it was ordered; of decided ones the newest 4,096 are known."""
        entry = self.get_pending(bundle_id)
        if entry is None:
            return self._explanations.get_waits(bundle_id)
        return tuple(Wait(place.rollup, ancestor.id) for place in entry.places for ancestor in place.ancestors)

    def prove_state(self, height: Height, rollup: RollupId, key: str) -> bytes:
        """Return the claim of what the key held at `height`, proven against that height's commitment.

        `receipts.join_state_proof` makes a proof for strangers of it. Raises `LocalError` outside
        the newest 256 heights, for an unknown rollup, and for text that is no key.
        """
        return self._history.prove(height, rollup, key)

    def prove_sent(self, source: RollupId, message_id: Digest, height_max: Height) -> Delivery | None:
        """Return a message with its path to the outbox root under the exec root of `height`; delivered since or not.

        That is the newest height up to `height_max` which proves it, None if none of the newest 256 does. # A19
        """
        for version in self._history.iterate_back(height_max):
            root = version.get_committed_row(source).outbox_root
            delivery = self.mail.prove_under(source, message_id, version.header.height, root)
            if delivery is not None:
                return delivery
        return None

    def prove_sequence(self, height: Height, payer: Address, channel: int) -> bytes:
        """Return the claim of the next expected sequence at `height`; absent means 0."""
        return self.prove_state(height, SYSTEM_NAMESPACE, system_state.make_sequence_key(payer, channel))

    def prove_deposit(self, height: Height, payer: Address) -> bytes:
        """Return the claim of the payer's deposit at `height`; absent means 0."""
        return self.prove_state(height, SYSTEM_NAMESPACE, system_state.make_deposit_key(payer))

    def _get_system_amount(self, key: str) -> int:
        value = self._system.get(key)
        return value if isinstance(value, int) else 0
