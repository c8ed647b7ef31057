"""Track which items are being checked off the critical path, and keep the results until execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sequencer.types.batch import Batch, decode_payload
from sequencer.types.effects import CheckItems
from sequencer.types.item import CheckedItem
from sequencer.types.primitives import Bounds, Digest

SUBMISSIONS_MAX = 1_024
"""Client requests whose items are being checked at once; a further one is refused."""
BATCHES_MAX = 16_384
"""Batches whose checks are remembered; the oldest goes first and is checked again if it is needed."""
GOSSIP_MAX = 256
"""Gossip envelopes being checked at once; a further one is dropped."""


@dataclass(frozen=True, slots=True)
class BatchCheck:
    """The items of a batch."""

    digest: Digest
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SubmissionCheck:
    """The items of a client's request."""

    request: int
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GossipCheck:
    """The items of a gossip envelope."""

    items: tuple[bytes, ...]


Check: TypeAlias = BatchCheck | SubmissionCheck | GossipCheck
CheckedBatch: TypeAlias = tuple[tuple[bytes, CheckedItem], ...]


class ItemChecks:
    """Outstanding checks by request number, and finished ones by batch."""

    def __init__(self) -> None:
        self._next = 1
        self._open: dict[int, Check] = {}
        self._counts: dict[type, int] = {}
        self._batches: dict[Digest, CheckedBatch | None] = {}

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table. # I11"""
        return {
            "submissions_checked": (self._counts.get(SubmissionCheck, 0), SUBMISSIONS_MAX),
            "gossip_checked": (self._counts.get(GossipCheck, 0), GOSSIP_MAX),
            "batches_checked": (len(self._batches), BATCHES_MAX),
        }

    def check_batch(self, batch: Batch) -> CheckItems | None:
        """Start to check a batch, unless that is done or under way."""
        if batch.digest in self._batches:
            return None
        if len(self._batches) >= BATCHES_MAX:
            del self._batches[next(iter(self._batches))]
        items = decode_payload(batch.payload)
        if not items:
            self._batches[batch.digest] = ()
            return None
        self._batches[batch.digest] = None
        return self._start(BatchCheck(batch.digest, items))

    def check_submission(self, request: int, items: tuple[bytes, ...]) -> CheckItems | None:
        """Start to check a client's items; None if too many requests are being checked."""
        if self._counts.get(SubmissionCheck, 0) >= SUBMISSIONS_MAX:
            return None
        return self._start(SubmissionCheck(request, items))

    def check_gossip(self, items: tuple[bytes, ...]) -> CheckItems | None:
        """Start to check an envelope; None if too many are being checked."""
        if self._counts.get(GossipCheck, 0) >= GOSSIP_MAX:
            return None
        return self._start(GossipCheck(items))

    def on_checked(self, request: int, results: tuple[CheckedItem, ...]) -> Check | None:
        """Take an answer; return what was checked, or None for an answer nobody waits for."""
        check = self._open.pop(request, None)
        if check is None or len(results) != len(check.items):
            return None
        self._counts[type(check)] -= 1
        if isinstance(check, BatchCheck) and check.digest in self._batches:
            self._batches[check.digest] = tuple(zip(check.items, results, strict=True))
        return check

    def get_batch(self, digest: Digest) -> CheckedBatch | None:
        """Return the checked items of a batch, or None while they are being checked."""
        return self._batches.get(digest)

    def release(self, digest: Digest) -> None:
        """The batch was executed."""
        self._batches.pop(digest, None)

    def _start(self, check: Check) -> CheckItems:
        request, self._next = self._next, self._next + 1
        self._open[request] = check
        self._counts[type(check)] = self._counts.get(type(check), 0) + 1
        return CheckItems(request, check.items)
