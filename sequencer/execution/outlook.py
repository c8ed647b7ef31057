"""Tell a lane owner whether a bundle passes on the newest executed state with what it has queued before it.

A courtesy and no promise: only the bundle's own position decides (A8). So what was queued is evaluated
once, when it is taken in, and its writes stand over whatever is executed meanwhile until it leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from sequencer.execution.conditions import BlockContext
from sequencer.execution.evaluation import evaluate
from sequencer.execution.machines import Machine
from sequencer.execution.outcome_window import OutcomeWindow
from sequencer.state.journal import Journal
from sequencer.state.state_tree import StateTree
from sequencer.types.bundle import Bundle
from sequencer.types.primitives import Bounds, Digest, RollupId, StateValue

QUEUED_WRITES_MAX = 65_536
"""Writes of queued bundles that are remembered; beyond it further ones are judged as if they were not queued."""


class Basis(NamedTuple):
    """What an outlook rests on: the newest executed height, and the block after it."""

    states: Mapping[RollupId, StateTree]
    machines: Mapping[RollupId, Machine]
    window: OutcomeWindow
    next_block: BlockContext


class HasBasis(Protocol):
    """Who executes."""

    @property
    def basis(self) -> Basis: ...

    def is_suspended(self, rollup: RollupId) -> bool: ...


class _QueuedState:
    """A rollup's executed state under the writes of what is queued."""

    __slots__ = ("_state", "_writes")

    def __init__(self, state: StateTree, writes: Mapping[str, tuple[Digest, StateValue | None]]) -> None:
        self._state = state
        self._writes = writes

    def get(self, key: str) -> StateValue | None:
        """Return the newest value, or None if absent."""
        written = self._writes.get(key)
        return self._state.get(key) if written is None else written[1]


class Outlook:
    """The queued bundles that pass, and what they would write."""

    def __init__(self, executor: HasBasis) -> None:
        self._executor = executor
        self._writes: dict[RollupId, dict[str, tuple[Digest, StateValue | None]]] = {}
        self._queued: dict[Digest, list[tuple[RollupId, str]]] = {}
        self._count = 0

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table. # I11"""
        return {"queued_writes": (self._count, QUEUED_WRITES_MAX)}

    def passes(self, bundle: Bundle) -> bool:
        """Tell whether every rollup that this node executes says YES and every dep is met; if so, it is queued."""
        if bundle.decide_within and any(self._executor.is_suspended(rollup) for rollup in bundle.rollups):
            return False  # A13
        basis = self._executor.basis
        journals = {
            rollup: Journal(_QueuedState(basis.states[rollup], self._writes.get(rollup, {})))
            for rollup in bundle.rollups
            if rollup in basis.states
        }
        if evaluate(bundle, journals, basis.machines, basis.next_block).failures:
            return False
        if not all(dep in self._queued or basis.window.is_committed(dep) for dep in bundle.deps):
            return False
        self._queue(bundle.id, journals)
        return True

    def forget(self, bundle_id: Digest) -> None:
        """The bundle left the queue: the executed state has its writes, or nothing ever will."""
        written = self._queued.pop(bundle_id, ())
        self._count -= len(written)
        for rollup, key in written:
            owner, _ = self._writes[rollup].get(key, (None, None))
            if owner == bundle_id:
                del self._writes[rollup][key]

    def _queue(self, bundle_id: Digest, journals: Mapping[RollupId, Journal]) -> None:
        self.forget(bundle_id)
        writes = [(rollup, key, value) for rollup, journal in journals.items() for key, value in journal.writes.items()]
        if self._count + len(writes) > QUEUED_WRITES_MAX:
            return
        self._count += len(writes)
        self._queued[bundle_id] = [(rollup, key) for rollup, key, _ in writes]
        for rollup, key, value in writes:
            self._writes.setdefault(rollup, {})[key] = (bundle_id, value)
