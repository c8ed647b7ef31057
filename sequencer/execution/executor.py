"""Execute finalized blocks, in slices, and answer questions about the newest executed state.

begin → step … step → finish. Queries see the state after the last `finish`, never half a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyrsistent import PMap, pmap

from sequencer.errors import LocalError
from sequencer.execution import system_state
from sequencer.execution.assets import verify_genesis_assets
from sequencer.execution.automaton import (
    DecidedHeight,
    OutcomeAutomaton,
    OutcomeWindow,
    Rules,
)
from sequencer.execution.block_run import BlockRun
from sequencer.execution.commitments import BlockLeaves, make_commitment, make_genesis_commitment, make_rows
from sequencer.execution.conditions import BlockContext
from sequencer.execution.evaluation import Failure
from sequencer.execution.explanations import BundleCheck, ExplanationTable, get_failures
from sequencer.execution.history import StateListing, StateReading, Version, VersionHistory
from sequencer.execution.machines import get_machine
from sequencer.execution.outlook import Basis
from sequencer.execution.snapshot import Snapshot, SnapshotRow, read_snapshot
from sequencer.state.journal import Journal
from sequencer.state.state_tree import StateTree, build_tree
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle
from sequencer.types.commitment import Commitment, is_commitment_scheduled
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis, RollupKind
from sequencer.types.item import CheckedItem, SignedBundle
from sequencer.types.outcome import Rejection
from sequencer.types.primitives import SYSTEM_NAMESPACE, Address, Digest, Height, RollupId, StateValue


class Executor:
    """The state machine above the log; native rollups only."""

    def __init__(self, genesis: Genesis) -> None:
        """Start at height 0; raises `LocalError` for a network that this version cannot execute."""
        states = make_genesis_states(genesis)
        commitment = make_genesis_commitment(genesis, states)
        rows = make_rows(0, states, BlockLeaves())
        self._set_up(genesis, Version(genesis.header, commitment, rows, states), (DecidedHeight(commitment, ()),))

    def _set_up(self, genesis: Genesis, version: Version, decided: Iterable[DecidedHeight]) -> None:
        self._genesis = genesis
        self._rules = make_rules(genesis)
        self._history = VersionHistory(version)
        self._system = version.get_state(SYSTEM_NAMESPACE)
        self._window = OutcomeWindow()
        for height in decided:
            self._window.append(height)
        self._explanations = ExplanationTable()
        self._run: BlockRun | None = None

    @classmethod
    def restore(cls, genesis: Genesis, snapshot: bytes, header: BlockHeader) -> Executor:
        """Continue after `header`; raises `StoreError` if the bytes do not hash to what they claim."""
        read = read_snapshot(snapshot, header, genesis.chain_id)
        rows = tuple(namespace.row for namespace in read.namespaces)
        states = pmap({namespace.row.namespace: namespace.state for namespace in read.namespaces})
        executor = cls.__new__(cls)
        executor._set_up(genesis, Version(header, read.decided[-1].commitment, rows, states), read.decided)
        return executor

    def take_snapshot(self) -> bytes:
        """Return the state after the newest executed block as canonical bytes."""
        newest = self._newest
        rows = tuple(SnapshotRow(row, newest.states[row.namespace]) for row in newest.rows)
        return Snapshot(tuple(self._window.heights), rows).to_bytes()

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
        batch_root, outcomes = run.leaves.compute_batch_root(), run.leaves.get_outcomes()
        rows = make_rows(run.header.height, run.states, run.leaves)
        commitment = make_commitment(
            self._genesis, run.header, self.commitment.digest, batch_root, run.automaton.pending, outcomes, rows
        )
        is_scheduled = is_commitment_scheduled(
            self.header.time_ms, run.header.time_ms, self._genesis.parameters.commitment_interval_ms
        )
        for decided in run.decided:
            self._explanations.add(decided)
        self._history.append(Version(run.header, commitment, rows, run.states))
        self._system = run.states[SYSTEM_NAMESPACE]
        self._window.append(DecidedHeight(commitment, outcomes))
        self._run = None
        namespaces = run.leaves.get_namespaces()
        return ExecutedBlock(run.header, commitment, is_scheduled, tuple(run.results), outcomes, namespaces, rows)

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

    def check_bundle(self, bundle: Bundle) -> BundleCheck:
        """Tell what would become of the bundle as the only item of the next block; changes nothing."""
        journals = {namespace: Journal(state) for namespace, state in self._newest.states.items()}
        context = BlockContext(self.height + 1, self.header.time_ms + 1)
        automaton = OutcomeAutomaton(self._rules, journals, self._window, context)
        rejection = self.check_admission(bundle, context.height, 0, 0)
        decided = automaton.apply(b"", SignedBundle(bundle, ()))
        return BundleCheck(rejection, decided.status, decided.reason, decided.fee, get_failures(decided))

    def get_failures(self, bundle_id: Digest) -> tuple[Failure, ...]:
        """Return what rollups expected and found when the bundle aborted; only the newest 4,096 are known."""
        return self._explanations.get(bundle_id)

    def prove_state(self, height: Height, rollup: RollupId, key: str) -> bytes:
        """Return the claim of what the key held at `height`, proven against that height's commitment.

        `receipts.join_state_proof` makes a proof for strangers of it. Raises `LocalError` outside
        the newest 256 heights, for an unknown rollup, and for text that is no key.
        """
        return self._history.prove(height, rollup, key)

    def prove_sequence(self, height: Height, payer: Address, channel: int) -> bytes:
        """Return the claim of the next expected sequence at `height`; absent means 0."""
        return self.prove_state(height, SYSTEM_NAMESPACE, system_state.make_sequence_key(payer, channel))

    def prove_deposit(self, height: Height, payer: Address) -> bytes:
        """Return the claim of the payer's deposit at `height`; absent means 0."""
        return self.prove_state(height, SYSTEM_NAMESPACE, system_state.make_deposit_key(payer))

    def _get_system_amount(self, key: str) -> int:
        value = self._system.get(key)
        return value if isinstance(value, int) else 0


def make_rules(genesis: Genesis) -> Rules:
    """Return the machines and names of a network; raises `LocalError` for a split rollup or an unknown machine."""
    for rollup in genesis.rollups:
        if rollup.kind is not RollupKind.NATIVE:
            raise LocalError(f"rollup {rollup.name} is {rollup.kind.value}; this version executes native rollups only")
    machines = {rollup.id: get_machine(rollup.machine) for rollup in genesis.rollups}
    return Rules(machines, {rollup.id: rollup.name for rollup in genesis.rollups}, genesis.parameters)


def make_genesis_states(genesis: Genesis) -> PMap[RollupId, StateTree]:
    """Return every namespace's state at height 0; raises `LocalError` for assets that a network cannot have."""
    verify_genesis_assets(genesis)
    states = {SYSTEM_NAMESPACE: build_tree(system_state.make_genesis_entries(genesis))}
    states.update((rollup.id, build_tree(rollup.state)) for rollup in genesis.rollups)
    return pmap(states)
