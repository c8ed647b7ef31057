"""Answer questions about the newest executed heights: states, sequences, what is undecided, how things ended.

Everything here is as of the last finished block, never half of one; asking changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sequencer.execution import system_state
from sequencer.execution.conditions import BlockContext
from sequencer.execution.decisions import Decided
from sequencer.execution.evaluation import Failure
from sequencer.execution.explanations import ExplanationTable, Wait
from sequencer.execution.history import StateListing, StateReading, Version, VersionHistory
from sequencer.execution.outcome_window import DecidedHeight, OutcomeWindow
from sequencer.execution.outlook import Basis
from sequencer.execution.pending import PendingBundle
from sequencer.execution.rule import Rules
from sequencer.state.state_tree import StateTree
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle
from sequencer.types.commitment import Commitment
from sequencer.types.executed import ExecutionRow
from sequencer.types.outcome import Rejection, Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Address, Digest, Height, RollupId, StateValue


class ExecutedState:
    """What executing the log up to the newest finished block has made of it."""

    def __init__(
        self, rules: Rules, version: Version, decided: Iterable[DecidedHeight], wanted: frozenset[RollupId]
    ) -> None:
        """Start from one version and the outcomes up to it; `wanted` split rollups are to be executed here."""
        self._rules = rules
        self._wanted = wanted
        self._history = VersionHistory(version)
        self._newest = version
        """Of the history; every query reads it."""
        self._window = OutcomeWindow()
        for height in decided:
            self._window.append(height)
        self._explanations = ExplanationTable()

    def _advance(self, version: Version, decided_height: DecidedHeight, decided: Sequence[Decided]) -> None:
        """Make the next height the newest."""
        for each in decided:
            self._explanations.add(each)
        self._history.append(version)
        self._newest = version
        self._window.append(decided_height)

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

    def get_certified_height(self, rollup: RollupId) -> Height:
        """Return the height of a split rollup's newest certified row; 0 before the first. # A11"""
        return self._get_system_amount(system_state.make_certified_key(rollup))

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

    def get_deadline(self, item_id: Digest) -> Height | None:
        """Return the height at whose end an undecided item is decided at the latest; None for any other."""
        entry = self.get_pending(item_id)
        return None if entry is None else entry.deadline

    def is_certain(self, bundle_id: Digest, rollup: RollupId) -> bool:
        """Tell whether everything is known that a split rollup's verdict on an undecided bundle rests on. # A9"""
        entry = self.get_pending(bundle_id)
        places = () if entry is None else entry.places
        return any(place.rollup == rollup and place.known_height is not None for place in places)

    def get_decided_status(self, item_id: Digest) -> Status | None:
        """Return COMMIT or ABORT of an item that was decided at most 1,024 heights ago, else None."""
        return self._window.get_status(item_id)

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
        fee = pending_fees + system_state.compute_hold(bundle, self._rules.parameters)
        expected = self.get_sequence(bundle.payer, bundle.channel) + pending_ahead
        return system_state.check_admission(bundle, height, expected, self.get_deposit(bundle.payer), fee)

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

    def prove_sequence(self, height: Height, payer: Address, channel: int) -> bytes:
        """Return the claim of the next expected sequence at `height`; absent means 0."""
        return self.prove_state(height, SYSTEM_NAMESPACE, system_state.make_sequence_key(payer, channel))

    def prove_deposit(self, height: Height, payer: Address) -> bytes:
        """Return the claim of the payer's deposit at `height`; absent means 0."""
        return self.prove_state(height, SYSTEM_NAMESPACE, system_state.make_deposit_key(payer))

    def get_system_value(self, key: str) -> StateValue | None:
        """Return what a key of the system state holds."""
        return self._newest.states[SYSTEM_NAMESPACE].get(key)

    def _get_system_amount(self, key: str) -> int:
        value = self.get_system_value(key)
        return value if isinstance(value, int) else 0
