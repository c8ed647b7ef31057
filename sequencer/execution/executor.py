"""Execute finalized blocks, in slices, and answer questions about the newest executed state.

begin → step … step → finish. Queries see the state after the last `finish`, never half a block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sequencer.errors import LocalError
from sequencer.execution import system_state
from sequencer.execution.automaton import (
    Decided,
    DecidedHeight,
    OutcomeAutomaton,
    OutcomeWindow,
    Rules,
)
from sequencer.execution.commitments import BlockLeaves, make_commitment, make_genesis_commitment, make_rows
from sequencer.execution.conditions import BlockContext
from sequencer.execution.machines import get_machine
from sequencer.state.journal import Journal
from sequencer.state.versioned import VersionedState
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle
from sequencer.types.commitment import Commitment, is_commitment_scheduled
from sequencer.types.executed import ExecutedBlock, ExecutionRow
from sequencer.types.genesis import Genesis, RollupKind
from sequencer.types.item import CheckedItem
from sequencer.types.outcome import ItemResult, Rejection
from sequencer.types.primitives import SYSTEM_NAMESPACE, Address, Height, RollupId, StateValue

PROOF_HEIGHTS = 256
"""Newest heights for which proofs can be made; older versions are dropped."""


@dataclass(frozen=True, slots=True)
class Version:
    """One executed height: what proofs are made from."""

    header: BlockHeader
    commitment: Commitment
    rows: tuple[ExecutionRow, ...]
    states: Mapping[RollupId, VersionedState]
    """Namespace → state; 0 is the system."""


class BlockRun:
    """One block between `begin` and `finish`."""

    def __init__(
        self,
        rules: Rules,
        parent: Version,
        window: OutcomeWindow,
        header: BlockHeader,
        items: Sequence[tuple[bytes, CheckedItem]],
    ) -> None:
        self.header = header
        self.states = dict(parent.states)
        self.leaves = BlockLeaves()
        self.decided: list[Decided] = []
        self._items = items
        self._journals = {namespace: Journal(state.values) for namespace, state in parent.states.items()}
        context = BlockContext(header.height, header.time_ms)
        self.automaton = OutcomeAutomaton(rules, self._journals, window, context)

    @property
    def is_done(self) -> bool:
        """Whether all items are applied."""
        return len(self.decided) == len(self._items)

    def step(self, item_count_max: int) -> None:
        """Apply the next items and fold their writes into the states, so that `finish` is left with little."""
        start = len(self.decided)
        for item, checked in self._items[start : start + item_count_max]:
            decided = self.automaton.apply(item, checked)
            self.decided.append(decided)
            self.leaves.add(checked, decided)
        for namespace, journal in self._journals.items():
            if journal.writes:
                self.states[namespace] = self.states[namespace].update(journal.writes)
                journal.rebase(self.states[namespace].values)

    def get_results(self) -> tuple[ItemResult, ...]:
        """Return one result per item."""
        return tuple(
            ItemResult(index, decided.item_id, decided.status, decided.reason, decided.fee)
            for index, decided in enumerate(self.decided)
        )


class Executor:
    """The state machine above the log; native rollups only."""

    def __init__(self, genesis: Genesis) -> None:
        """Start at height 0; raises `LocalError` for a network that this version cannot execute."""
        self._genesis = genesis
        self._rules = make_rules(genesis)
        states = make_genesis_states(genesis)
        commitment = make_genesis_commitment(genesis, states)
        rows = make_rows(0, states, BlockLeaves())
        self._versions = deque([Version(genesis.header, commitment, rows, states)], PROOF_HEIGHTS)
        self._window = OutcomeWindow()
        self._window.append(DecidedHeight(commitment, ()))
        self._run: BlockRun | None = None

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
    def is_busy(self) -> bool:
        """Whether a block has begun and is not finished."""
        return self._run is not None

    @property
    def _newest(self) -> Version:
        return self._versions[-1]

    def begin(self, header: BlockHeader, items: Sequence[tuple[bytes, CheckedItem]]) -> None:
        """Take the child of the newest executed block, its items in order; raises `LocalError` for any other."""
        if self._run is not None:
            raise LocalError(f"height {self._run.header.height} is not finished")
        if header.height != self.height + 1 or header.parent_digest != self.header.digest:
            raise LocalError(f"block of height {header.height} is no child of the executed height {self.height}")
        self._run = BlockRun(self._rules, self._newest, self._window, header, items)

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
        namespaces, outcomes = run.leaves.get_namespaces(), run.leaves.get_outcomes()
        rows = make_rows(run.header.height, run.states, run.leaves)
        commitment = make_commitment(
            self._genesis, run.header, self.commitment.digest, namespaces, run.automaton.pending, outcomes, rows
        )
        is_scheduled = is_commitment_scheduled(
            self.header.time_ms, run.header.time_ms, self._genesis.parameters.commitment_interval_ms
        )
        self._versions.append(Version(run.header, commitment, rows, run.states))
        self._window.append(DecidedHeight(commitment, outcomes))
        self._run = None
        return ExecutedBlock(run.header, commitment, is_scheduled, run.get_results(), outcomes, namespaces, rows)

    def _get_run(self) -> BlockRun:
        if self._run is None:
            raise LocalError("no block has begun")
        return self._run

    def get_state_value(self, rollup: RollupId, key: str) -> StateValue | None:
        """Return what a key of a rollup (0: the system) holds; raises `LocalError` for an unknown rollup."""
        return self._get_state(self._newest, rollup).values.get(key)

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
        fee = pending_fees + system_state.compute_fee(bundle, self._genesis.parameters)
        expected = self.get_sequence(bundle.payer, bundle.channel) + pending_ahead
        return system_state.check_admission(bundle, height, expected, self.get_deposit(bundle.payer), fee)

    def _get_system_amount(self, key: str) -> int:
        value = self.get_state_value(SYSTEM_NAMESPACE, key)
        return value if isinstance(value, int) else 0

    @staticmethod
    def _get_state(version: Version, namespace: RollupId) -> VersionedState:
        state = version.states.get(namespace)
        if state is None:
            raise LocalError(f"no rollup has the id {namespace}")
        return state


def make_rules(genesis: Genesis) -> Rules:
    """Return the machines and names of a network; raises `LocalError` for a split rollup or an unknown machine."""
    for rollup in genesis.rollups:
        if rollup.kind is not RollupKind.NATIVE:
            raise LocalError(f"rollup {rollup.name} is {rollup.kind.value}; this version executes native rollups only")
    machines = {rollup.id: get_machine(rollup.machine) for rollup in genesis.rollups}
    return Rules(machines, {rollup.id: rollup.name for rollup in genesis.rollups}, genesis.parameters)


def make_genesis_states(genesis: Genesis) -> dict[RollupId, VersionedState]:
    """Return every namespace's state at height 0."""
    states = {SYSTEM_NAMESPACE: VersionedState.build(system_state.make_genesis_entries(genesis))}
    states.update((rollup.id, VersionedState.build(rollup.state)) for rollup in genesis.rollups)
    return states
