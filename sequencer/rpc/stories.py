"""Tell the whole course of one bundle: ordered where, who said what, decided when and why.

What this node only remembers (what was expected and found, who waited for whom, what took whose
place) may be missing; the rest follows from the log and survives every restart.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sequencer.execution.evaluation import Failure
from sequencer.execution.explanations import Wait
from sequencer.mempool.departures import Departure, Fate
from sequencer.types.bundle import Bundle
from sequencer.types.executed import Decision, ExecutionRow
from sequencer.types.outcome import ItemResult, Reason, Status
from sequencer.types.primitives import Digest, Height
from sequencer.types.verdict import ExecutorCertificate


class BundleStatus(str, enum.Enum):
    """What became of a bundle. There is no "partial": a bundle takes effect on all its rollups or on none. # A8"""

    UNKNOWN = "unknown"
    """Never seen here, or pruned."""
    PENDING = "pending"
    """Held here, or ordered and undecided."""
    COMMITTED = "committed"
    ABORTED = "aborted"
    EXPIRED = "expired"
    """Its window passed before it was taken in."""
    REPLACED = "replaced"
    """Another bundle of the same payer, channel and sequence was taken in. # A18"""
    INADMISSIBLE = "inadmissible"
    """Ordered without effect for another reason; it may be sent again."""


@dataclass(frozen=True, slots=True)
class OrderedCertificate:
    """A certificate of the log about the bundle, with its place. # A9"""

    height: Height
    index: int
    item_id: Digest
    certificate: ExecutorCertificate
    result: ItemResult


@dataclass(frozen=True, slots=True)
class BundleStory:
    """All that a node can tell of one bundle."""

    bundle_id: Digest
    bundle: Bundle | None = None
    """None if it is not held and its block is pruned."""
    height: Height | None = None
    """Where it was ordered."""
    result: ItemResult | None = None
    """What it came to; PENDING until it is decided."""
    decided_height: Height | None = None
    deadline: Height | None = None
    """Height at whose end it is decided at the latest; of what is ordered only."""
    departure: Departure | None = None
    """How it left this node's mempool without having been ordered."""
    decision: Decision | None = None
    rows: tuple[ExecutionRow, ...] = ()
    """Of the rollups that it touches, as they stand under the commitment of the height that decided it."""
    certificates: tuple[OrderedCertificate, ...] = ()
    """In log order."""
    waits: tuple[Wait, ...] = ()
    failures: tuple[Failure, ...] = ()
    """What rollups expected and found, as far as this node executed them."""

    @property
    def status(self) -> BundleStatus:
        """What became of it."""
        if self.result is None:
            return self._get_unordered_status()
        match self.result.status:
            case Status.COMMIT:
                return BundleStatus.COMMITTED
            case Status.ABORT:
                return BundleStatus.ABORTED
            case Status.PENDING:
                return BundleStatus.PENDING
            case Status.INADMISSIBLE:
                return _INADMISSIBLE.get(self.result.reason, BundleStatus.INADMISSIBLE)

    def _get_unordered_status(self) -> BundleStatus:
        if self.departure is not None:
            return _FATES[self.departure.fate]
        return BundleStatus.UNKNOWN if self.bundle is None else BundleStatus.PENDING


_INADMISSIBLE = {
    Reason.EXPIRED.value: BundleStatus.EXPIRED,
    Reason.SEQUENCE_USED.value: BundleStatus.REPLACED,
}
_FATES = {Fate.REPLACED: BundleStatus.REPLACED, Fate.EXPIRED: BundleStatus.EXPIRED}
