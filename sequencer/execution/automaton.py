"""Decide the outcome of every item of the log; the one rule of atomicity. # A8

outcome(b) = COMMIT iff every touched rollup says YES at b's own position and all deps committed;
otherwise ABORT. A native rollup says so at once, so `pending` is always empty: only the verdict of
a split rollup comes later, from the log.

The automaton is total: no item can make it raise. # A4
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sequencer.execution.conditions import BlockContext
from sequencer.execution.evaluation import Evaluation, Failure, Outputs, evaluate
from sequencer.execution.machines import Machine
from sequencer.execution.system_state import admit
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle
from sequencer.types.commitment import Commitment
from sequencer.types.item import CheckedItem, SignedBundle, compute_item_id
from sequencer.types.outcome import OutcomeLeaf, Reason, Rejection, Status
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height, RollupId

DEPENDENCY_HEIGHTS = 1_024
"""How many heights back a dep may have committed; older is unknown. # A16"""


class Decided(NamedTuple):
    """What one item came to."""

    item_id: Digest
    status: Status
    reason: str
    fee: int
    evaluation: Evaluation | None
    """Of an admitted bundle."""

    def get_outputs(self, leg: int) -> Outputs:
        """Return what a leg exported; nothing unless the bundle committed. # A15"""
        if self.evaluation is None or self.status is not Status.COMMIT:
            return {}
        return self.evaluation.outputs[leg] or {}


class PendingBundle(NamedTuple):
    """A bundle that waits for the verdict of a split rollup."""

    bundle_id: Digest
    deadline: Height
    """Its height plus `decide_within`: it aborts with TIMEOUT at the end of this block."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the automaton needs to know of the network."""

    machines: Mapping[RollupId, Machine]
    names: Mapping[RollupId, str]
    parameters: Parameters


class DecidedHeight(NamedTuple):
    """The outcomes of one height with the commitment that proves them."""

    commitment: Commitment
    outcomes: tuple[OutcomeLeaf, ...]


class OutcomeWindow:
    """The newest 1,024 heights; answers whether a dep has committed. # A16"""

    def __init__(self) -> None:
        self._heights: deque[DecidedHeight] = deque()
        self._committed: set[Digest] = set()

    @property
    def heights(self) -> Sequence[DecidedHeight]:
        """Consecutive heights, ascending."""
        return self._heights

    def is_committed(self, bundle_id: Digest) -> bool:
        """Tell whether the bundle committed within the window."""
        return bundle_id in self._committed

    def append(self, decided: DecidedHeight) -> None:
        """Add an executed height; the oldest is forgotten when the next height may no longer look back to it."""
        self._heights.append(decided)
        self._committed.update(_get_committed(decided))
        if len(self._heights) > DEPENDENCY_HEIGHTS:
            self._committed.difference_update(_get_committed(self._heights.popleft()))


def _get_committed(decided: DecidedHeight) -> list[Digest]:
    return [leaf.bundle_id for leaf in decided.outcomes if leaf.status is Status.COMMIT]


class OutcomeAutomaton:
    """Decides the items of one block, in order, on one journal per namespace."""

    def __init__(
        self, rules: Rules, journals: Mapping[RollupId, Journal], window: OutcomeWindow, block: BlockContext
    ) -> None:
        self._rules = rules
        self._journals = journals
        self._window = window
        self._block = block
        self._committed_here: set[Digest] = set()
        self.pending: tuple[PendingBundle, ...] = ()

    def apply(self, item: bytes, checked: CheckedItem) -> Decided:
        """Decide one item; its effects are in the journals iff it committed. # A4"""
        item_id = compute_item_id(item, checked)
        if isinstance(checked, Rejection):
            return Decided(item_id, Status.INADMISSIBLE, checked.reason.value, 0, None)
        if not isinstance(checked, SignedBundle):
            return Decided(item_id, Status.INADMISSIBLE, Reason.UNKNOWN_KIND.value, 0, None)
        bundle = checked.bundle
        fee = admit(self._journals[SYSTEM_NAMESPACE], bundle, self._block.height, self._rules.parameters)
        if isinstance(fee, Rejection):
            return Decided(item_id, Status.INADMISSIBLE, fee.reason.value, 0, None)
        return self._decide(bundle, fee)

    def _decide(self, bundle: Bundle, fee: int) -> Decided:
        """All rollups keep their writes, or all are reverted. # A8"""
        journals = [self._journals[rollup] for rollup in bundle.rollups]
        marks = [journal.mark() for journal in journals]
        evaluation = evaluate(bundle, self._journals, self._rules.machines, self._block)
        reason = self._get_abort_reason(bundle, evaluation.get_verdict_no())
        if reason is None:
            self._committed_here.add(bundle.id)
            return Decided(bundle.id, Status.COMMIT, "", fee, evaluation)
        for journal, mark in zip(journals, marks, strict=True):
            journal.revert(mark)
        return Decided(bundle.id, Status.ABORT, reason, fee, evaluation)

    def _get_abort_reason(self, bundle: Bundle, verdict: Failure | None) -> str | None:
        """A verdict NO comes before a dep that has not committed. # A8 A16"""
        if verdict is not None:
            return f"NO:{self._rules.names[verdict.rollup]}:{verdict.code}@{verdict.path}"
        for dep in bundle.deps:
            if dep not in self._committed_here and not self._window.is_committed(dep):
                return f"DEP:{dep.hex()}"
        return None
