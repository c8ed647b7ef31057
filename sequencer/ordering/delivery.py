"""Hand out finalized blocks strictly by height, each with all its batches. # O1

Finality does not wait for delivery; delivery waits for batches, and asks for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from sequencer.ordering.total_order import compute_batch_order
from sequencer.types.batch import Batch
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.primitives import Cut, Digest, Instant, Position, Tip, ValidatorIndex
from sequencer.types.vote import Certificate


class BatchSource(Protocol):
    """What delivery asks of the lanes."""

    def get_chain(self, lane: ValidatorIndex, tip: Tip, floor: Position) -> list[Batch] | None:
        """Return the batches (floor, tip] by position, or None if one is missing."""

    def fetch_for_delivery(
        self, lane: ValidatorIndex, tip: Tip, floor: Position, sources: Sequence[ValidatorIndex], now_ms: int
    ) -> None:
        """Ask `sources` for (floor, tip]."""


class Delivery:
    """The queue between finality and execution."""

    def __init__(self, epoch_seed: Digest, head: BlockHeader, source: BatchSource) -> None:
        self._epoch_seed = epoch_seed
        self._cut: Cut = head.cut
        self._source = source
        self._waiting: deque[tuple[BlockHeader, Certificate | None]] = deque()
        self.blocked_since_ms: int | None = None
        """Since when the next block lacks batches; None if it does not."""

    @property
    def lag(self) -> int:
        """Return how many finalized blocks wait."""
        return len(self._waiting)

    def add(self, header: BlockHeader, finalization: Certificate | None) -> None:
        """Queue the next finalized header."""
        self._waiting.append((header, finalization))

    def take(self, sources: Sequence[ValidatorIndex], now: Instant) -> FinalizedBlock | None:
        """Return the next block if all its batches are held; else fetch what is missing from `sources`. # O1 L6"""
        if not self._waiting:
            self.blocked_since_ms = None
            return None
        header, finalization = self._waiting[0]
        lanes = [self._get_lane(lane, tip) for lane, tip in enumerate(header.cut)]
        whole = [batches for batches in lanes if batches is not None]
        if len(whole) < len(lanes):
            self._fetch_missing(header, lanes, sources, now)
            return None
        self._waiting.popleft()
        self._cut = header.cut
        self.blocked_since_ms = None
        return FinalizedBlock(header, finalization, compute_batch_order(self._epoch_seed, header, whole))

    def _get_lane(self, lane: ValidatorIndex, tip: Tip) -> list[Batch] | None:
        return self._source.get_chain(lane, tip, self._cut[lane].position)

    def _fetch_missing(
        self,
        header: BlockHeader,
        lanes: list[list[Batch] | None],
        sources: Sequence[ValidatorIndex],
        now: Instant,
    ) -> None:
        if self.blocked_since_ms is None:
            self.blocked_since_ms = now.mono_ms
        for lane, batches in enumerate(lanes):
            if batches is None:
                self._source.fetch_for_delivery(lane, header.cut[lane], self._cut[lane].position, sources, now.mono_ms)
