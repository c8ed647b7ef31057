"""Bring finalized blocks through checking and execution, a slice at a time.

Promises: blocks are executed strictly by height; one call applies at most 256 items, so that
a large block never delays a vote; what a finished block gives comes out once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sequencer.execution.executor import Executor
from sequencer.ordering.delivery import Delivery
from sequencer.replica.item_checks import CheckedBatch, ItemChecks
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.effects import CheckItems
from sequencer.types.executed import ExecutedBlock
from sequencer.types.primitives import Instant, ValidatorIndex

ITEMS_PER_SLICE_MAX = 256
"""Items applied in one call."""
BLOCKS_PER_SLICE_MAX = 8
"""Blocks finished in one call."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A block, the checked items of its batches, and what executing it gave."""

    block: FinalizedBlock
    checked: tuple[CheckedBatch, ...]
    executed: ExecutedBlock


class Pipeline:
    """Delivery → checked items → executor."""

    def __init__(self, executor: Executor, delivery: Delivery, checks: ItemChecks) -> None:
        self._executor = executor
        self._delivery = delivery
        self._checks = checks
        self._block: FinalizedBlock | None = None
        self._checked: tuple[CheckedBatch, ...] = ()
        self.delivered: BlockHeader = executor.header
        """Header of the newest block taken from delivery."""
        self.has_more = False
        """Whether the last call stopped at its limit."""

    @property
    def lag(self) -> int:
        """Return how many finalized blocks are not executed."""
        return self._delivery.lag + (self._block is not None)

    def advance(self, sources: Sequence[ValidatorIndex], now: Instant) -> tuple[list[Finished], list[CheckItems]]:
        """Execute up to one slice; return finished blocks, and checks that nobody had started."""
        self.has_more = False
        finished: list[Finished] = []
        missing: list[CheckItems] = []
        budget = ITEMS_PER_SLICE_MAX
        while self._begin(sources, missing, now):
            if budget <= 0 or len(finished) == BLOCKS_PER_SLICE_MAX:
                self.has_more = True
                break
            budget -= sum(len(batch) for batch in self._checked)
            if not self._executor.step(ITEMS_PER_SLICE_MAX):
                self.has_more = True
                break
            finished.append(self._finish())
        return finished, missing

    def _begin(self, sources: Sequence[ValidatorIndex], missing: list[CheckItems], now: Instant) -> bool:
        """Have a block under execution; False if none is ready."""
        if self._block is None:
            self._block = self._delivery.take(sources, now)
            if self._block is None:
                return False
            self.delivered = self._block.header
        if self._executor.is_busy:
            return True
        checked = [self._checks.get_batch(batch.digest) for batch in self._block.batches]
        whole = tuple(batch for batch in checked if batch is not None)
        if len(whole) < len(checked):
            starts = (self._checks.check_batch(batch) for batch in self._block.batches)
            missing.extend(start for start in starts if start is not None)
            return False
        self._checked = whole
        self._executor.begin(self._block.header, [item for batch in whole for item in batch])
        return True

    def _finish(self) -> Finished:
        assert self._block is not None  # `_begin` said so
        block, self._block = self._block, None
        for batch in block.batches:
            self._checks.release(batch.digest)
        return Finished(block, self._checked, self._executor.finish())
