"""Read the course of one bundle from the store, and add what only this node remembers of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from sequencer.codec import Fields, decode
from sequencer.errors import DecodeError
from sequencer.replica.replica import Replica
from sequencer.rpc.stories import BundleStory, OrderedCertificate
from sequencer.store.block_reader import BlockReader, TransactionRow
from sequencer.types.batch import decode_payload
from sequencer.types.block import FinalizedBlock
from sequencer.types.bundle import Bundle
from sequencer.types.executed import Decision, ExecutedBlock
from sequencer.types.genesis import Genesis, RollupKind
from sequencer.types.item import CheckedItem, ItemKind, SignedBundle, check_item
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height
from sequencer.types.verdict import ExecutorCertificate, VerdictStatement

SEARCH_HEIGHTS_MAX = 64
"""Heights from the one that ordered a bundle in which certificates about it are looked for."""


def read_story(reader: BlockReader, genesis: Genesis, bundle_id: Digest) -> BundleStory | None:
    """Return what the store tells of an ordered bundle; None if it was not ordered, or that is pruned."""
    row = reader.get_transaction(bundle_id)
    if row is None:
        return None
    bundle = _read_bundle(reader, genesis, row)
    decided = None if row.decided_height is None else reader.get_executed(row.decided_height)
    touched = () if bundle is None else bundle.rollups
    rows = () if decided is None else tuple(one for one in decided.rows if one.namespace in touched)
    return BundleStory(
        bundle_id,
        bundle,
        row.height,
        row.result,
        row.decided_height,
        decision=None if decided is None else _find_decision(decided, bundle_id),
        rows=rows,
        certificates=() if bundle is None else _find_certificates(reader, genesis, bundle, row),
    )


def remember(story: BundleStory, replica: Replica) -> BundleStory:
    """Return the story with what only this node's memory knows: call it between two events."""
    held = replica.get_held(story.bundle_id) if story.result is None else None
    pending = replica.executor.get_pending(story.bundle_id)
    return dataclasses.replace(
        story,
        bundle=story.bundle if held is None else held.bundle,
        departure=replica.get_departure(story.bundle_id) if held is None else None,
        deadline=None if pending is None else pending.deadline,
        waits=replica.executor.get_waits(story.bundle_id),
        failures=replica.executor.get_failures(story.bundle_id),
    )


def _find_decision(decided: ExecutedBlock, bundle_id: Digest) -> Decision | None:
    return next((decision for decision in decided.decisions if decision.item_id == bundle_id), None)


def _read_bundle(reader: BlockReader, genesis: Genesis, row: TransactionRow) -> Bundle | None:
    block = reader.get_block(row.height)
    checked = None if block is None else _read_item(block, row.result.index, genesis)
    return checked.bundle if isinstance(checked, SignedBundle) else None


def _find_certificates(
    reader: BlockReader, genesis: Genesis, bundle: Bundle, row: TransactionRow
) -> tuple[OrderedCertificate, ...]:
    """Return the certificates about a decided bundle, from where it was ordered to where it was decided."""
    kinds = {genesis.get_rollup(rollup).kind for rollup in bundle.rollups}
    if RollupKind.SPLIT not in kinds or row.decided_height is None:
        return ()
    until = min(row.decided_height, row.height + SEARCH_HEIGHTS_MAX)
    heights = range(row.height, until + 1)
    return tuple(found for height in heights for found in _read_certificates(reader, genesis, bundle.id, height))


def _read_certificates(
    reader: BlockReader, genesis: Genesis, bundle_id: Digest, height: Height
) -> Iterator[OrderedCertificate]:
    executed = reader.get_executed(height)
    indices = [] if executed is None else _list_certificate_indices(executed)
    block = reader.get_block(height) if indices else None
    if executed is None or block is None:
        return
    for index in indices:
        checked = _read_item(block, index, genesis)
        if isinstance(checked, ExecutorCertificate) and _is_about(checked, bundle_id):
            result = executed.results[index]
            yield OrderedCertificate(height, index, result.item_id, checked, result)


def _is_about(certificate: ExecutorCertificate, bundle_id: Digest) -> bool:
    statement = certificate.statement
    return isinstance(statement, VerdictStatement) and statement.bundle_id == bundle_id


def _list_certificate_indices(executed: ExecutedBlock) -> list[int]:
    """Return the indices of the verdict certificates of a block, by its envelopes. # A2"""
    envelopes = next((entry.leaves for entry in executed.namespaces if entry.namespace == SYSTEM_NAMESPACE), ())
    return [index for index, leaf in enumerate(envelopes) if _get_kind(leaf) == ItemKind.VERDICTS]


def _get_kind(leaf: bytes) -> int:
    try:
        return Fields(decode(leaf, "envelope"), "envelope").uint("kind")
    except DecodeError:
        return 0


def _read_item(block: FinalizedBlock, index: int, genesis: Genesis) -> CheckedItem | None:
    """Return the item at an index of the block; its signatures were checked when it was ordered."""
    for batch in block.batches:
        if index < batch.header.item_count:
            return check_item(decode_payload(batch.payload)[index], genesis.item_rules, _accept)
        index -= batch.header.item_count
    return None


def _accept(public_key: bytes, message: bytes, signature: bytes) -> bool:
    return True
