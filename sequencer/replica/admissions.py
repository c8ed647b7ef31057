"""Tell of each item of an executed block whose lane it came by, and what its admission means for others. # L9 A6"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from sequencer.lanes.spam import ItemMark
from sequencer.types.executed import ExecutedBlock
from sequencer.types.item import UNREADABLE_KIND, CheckedItem, ItemKind, SignedBundle
from sequencer.types.leaves import get_envelope_kind
from sequencer.types.outcome import ItemResult, Reason, Status
from sequencer.types.primitives import Address, Digest, ValidatorIndex

Sequenced: TypeAlias = tuple[tuple[Address, int], int]
"""A payer's channel, and a sequence of it."""

_LATE = (Reason.DUPLICATE.value, Reason.STALE.value, Reason.DELIVERED.value)
_FULL = (Reason.PENDING_FULL.value, Reason.OUTBOX_FULL.value)


def list_admissions(
    batches: Iterable[tuple[ValidatorIndex, int]], executed: ExecutedBlock
) -> list[tuple[ValidatorIndex, ItemMark]]:
    """Return (lane, mark) per item; `batches` are lane and number of items of each, in delivery order."""
    lanes = [lane for lane, count in batches for _ in range(count)]
    kinds = [get_envelope_kind(leaf) for leaf in executed.namespaces[0].leaves] if executed.results else []
    return [(lanes[result.index], _mark(result, kinds[result.index])) for result in executed.results]


def _mark(result: ItemResult, kind: int) -> ItemMark:
    """Bundles are their payers' affair; certificates and deliveries anybody may bring."""
    is_shared = kind not in (UNREADABLE_KIND, ItemKind.BUNDLE)
    if result.status is not Status.INADMISSIBLE:
        return ItemMark.SHARED if is_shared else ItemMark.FINE
    return ItemMark.LATE if is_shared and result.reason in _LATE else ItemMark.REFUSED


def list_consumers(items: Sequence[CheckedItem], executed: ExecutedBlock) -> dict[Sequenced, Digest]:
    """Return by which bundle each sequence was consumed in the block."""
    return {
        ((checked.bundle.payer, checked.bundle.channel), checked.bundle.sequence): checked.id
        for checked, result in zip(items, executed.results, strict=True)
        if isinstance(checked, SignedBundle) and result.status is not Status.INADMISSIBLE
    }


def list_crowded_out(executed: ExecutedBlock) -> frozenset[Digest]:
    """Return the bundles for which there was no room: in a lane again they would only be refused again."""
    return frozenset(result.item_id for result in executed.results if result.reason in _FULL)
