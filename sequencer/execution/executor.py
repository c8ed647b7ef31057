"""Execute finalized blocks, in slices, and go on from snapshots.

begin → step … step → finish. Queries see the state after the last `finish`, never half a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyrsistent import pmap

from sequencer.errors import LocalError
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
from sequencer.execution.executed_state import ExecutedState
from sequencer.execution.explanations import BundleCheck, get_failures
from sequencer.execution.history import Version
from sequencer.execution.mail import Mail
from sequencer.execution.network import make_genesis_states, make_rules, select_states
from sequencer.execution.outcome_window import DecidedHeight
from sequencer.execution.pending_table import restore_table
from sequencer.execution.settlement import Settlement
from sequencer.execution.snapshot import Snapshot, SnapshotRow, read_snapshot
from sequencer.state.journal import Journal
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle
from sequencer.types.commitment import is_commitment_scheduled
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem
from sequencer.types.message import Delivery
from sequencer.types.outcome import OutcomeLeaf, Rejection
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height, RollupId
from sequencer.types.verdict import ExecutorStatement

NO_ROLLUPS: frozenset[RollupId] = frozenset()


class Executor(ExecutedState):
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
        super().__init__(make_rules(genesis), version, decided, wanted)
        self._genesis = genesis
        self._run: BlockRun | None = None
        self._automaton = self._make_automaton()
        self._shown_height = self.height
        """Newest height above which the automaton was shown the next block."""
        self._spare: tuple[Height, OutcomeAutomaton] | None = None
        self.mail = Mail(version.states, self._rules.is_split, self.height, self.get_system_value)
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

    def _look_ahead(self) -> None:
        """Show the automaton what could come next, once per height: what is asked of it then changes nothing."""
        if self._shown_height != self.height:
            self._shown_height = self.height
            self._show_next_block(self._automaton)

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
    def is_busy(self) -> bool:
        """Whether a block has begun and is not finished."""
        return self._run is not None

    def begin(self, header: BlockHeader, items: Sequence[tuple[bytes, CheckedItem]]) -> None:
        """Take the child of the newest executed block, its items in order; raises `LocalError` for any other."""
        if self._run is not None:
            raise LocalError(f"height {self._run.header.height} is not finished")
        if header.height != self.height + 1 or header.parent_digest != self.header.digest:
            raise LocalError(f"block of height {header.height} is no child of the executed height {self.height}")
        self._run = BlockRun(self._automaton, self.mail, self._newest.states, header, items)

    def step(self, item_count_max: int) -> bool:
        """Do as much as so many items (≥ 1) take at most; returns whether the block is done."""
        run = self._get_run()
        run.step(item_count_max)
        return run.is_done

    def finish(self) -> ExecutedBlock:
        """Commit to the block and make it the newest; raises `LocalError` before all items are applied."""
        run = self._get_run()
        if not run.has_all_items:
            raise LocalError(f"height {run.header.height} has items left")
        run.end()
        outcomes = run.leaves.get_outcomes()
        version = self._make_version(run, outcomes)
        is_scheduled = is_commitment_scheduled(
            self.header.time_ms, run.header.time_ms, self._genesis.parameters.commitment_interval_ms
        )
        decided = self._automaton.decided
        self._advance(version, DecidedHeight(version.commitment, outcomes), decided)
        self._run = None
        namespaces, results = run.leaves.get_namespaces(), tuple(run.results)
        decisions = tuple([each.decision for each in decided])
        return ExecutedBlock(
            run.header, version.commitment, is_scheduled, results, outcomes, namespaces, version.rows, decisions
        )

    def _make_version(self, run: BlockRun, outcomes: Sequence[OutcomeLeaf]) -> Version:
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
        pending, batch_root = automaton.describe(), run.leaves.compute_batch_root()
        commitment = make_commitment(
            self._genesis, run.header, self.commitment.digest, batch_root, pending, outcomes, rows
        )
        own = {key: row for key, row in executed.items() if key in automaton.rows}
        return Version(run.header, commitment, rows, states, pending, own)

    def _get_run(self) -> BlockRun:
        if self._run is None:
            raise LocalError("no block has begun")
        return self._run

    def check_certificate(self, statement: ExecutorStatement) -> Rejection | None:
        """Return why the certificate of a statement would have no effect as the next item, or None. # A9"""
        if self._run is None:
            self._look_ahead()
        return self._automaton.check_statement(statement)

    def check_bundle(self, bundle: Bundle) -> BundleCheck:
        """Tell what would become of the bundle as the only item of the next block; changes nothing."""
        seen = self._get_idle_automaton().foresee(bundle)
        failures = () if seen.entry is None else get_failures(seen.entry)
        unjudged = tuple(rollup for rollup in bundle.rollups if rollup not in self.runs)
        return BundleCheck(seen.rejection, seen.status, seen.reason, seen.fee, failures, unjudged)

    def _get_idle_automaton(self) -> OutcomeAutomaton:
        """Return an automaton that stands after the newest executed block, also while the next one is under way."""
        if self._run is None:
            self._look_ahead()
            return self._automaton
        if self._spare is None or self._spare[0] != self.height:
            self._spare = (self.height, self._make_automaton())  # once per height, for it costs what is pending
        return self._spare[1]

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
