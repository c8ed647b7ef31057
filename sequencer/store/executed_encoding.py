"""Turn what executing a block gave into bytes and back; pure, as all that the store writes."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from sequencer.codec import U8_MAX, U32_MAX, Fields, decode, encode
from sequencer.errors import DecodeError
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import Commitment
from sequencer.types.executed import (
    Decision,
    ExecutedBlock,
    ExecutionRow,
    NamespaceList,
    RollupVerdict,
    VerdictSource,
)
from sequencer.types.outcome import REASON_BYTES_MAX, ItemResult, OutcomeLeaf, Status
from sequencer.types.parameters import ITEM_BYTES_MAX, LEGS_MAX
from sequencer.types.verdict import Verdict

_CHUNK = 4_096
"""Elements per inner array: an executed block may hold more than one codec array may."""
_CHUNKS_MAX = 4_096

_T = TypeVar("_T")
_M = TypeVar("_M", bound=enum.Enum)


def encode_executed_block(block: ExecutedBlock) -> bytes:
    """Return the canonical bytes of an executed block."""
    return encode(
        (
            block.header.to_value(),
            block.commitment.to_value(),
            block.is_scheduled,
            _chunk([(r.index, r.item_id, r.status, r.reason, r.fee) for r in block.results]),
            _chunk([(leaf.bundle_id, leaf.status, leaf.reason) for leaf in block.outcomes]),
            tuple((entry.namespace, _chunk(entry.leaves)) for entry in block.namespaces),
            tuple(
                (row.namespace, row.settled_height, row.state_root, row.receipt_root, row.outbox_root)
                for row in block.rows
            ),
            _chunk([_decision_to_value(decision) for decision in block.decisions]),
        )
    )


def decode_executed_block(body: bytes) -> ExecutedBlock:
    """Read an executed block; raises `DecodeError`."""
    read = Fields(decode(body, "executed"), "executed")
    block = ExecutedBlock(
        BlockHeader.from_value(read.take("header"), "executed.header"),
        Commitment.from_value(read.take("commitment"), "executed.commitment"),
        read.flag("is_scheduled"),
        _join(read.array("results", _CHUNKS_MAX, _read_results)),
        _join(read.array("outcomes", _CHUNKS_MAX, _read_outcomes)),
        read.array("namespaces", _CHUNK, _read_namespace),
        read.array("rows", _CHUNK, _read_row),
        _join(read.array("decisions", _CHUNKS_MAX, _read_decisions)),
    )
    read.finish()
    return block


def _chunk(elements: Sequence[_T]) -> tuple[tuple[_T, ...], ...]:
    return tuple(tuple(elements[start : start + _CHUNK]) for start in range(0, len(elements), _CHUNK))


def _join(chunks: tuple[tuple[_T, ...], ...]) -> tuple[_T, ...]:
    return tuple(element for chunk in chunks for element in chunk)


def _read_results(value: object, path: str) -> tuple[ItemResult, ...]:
    return Fields((value,), path).array("results", _CHUNK, _read_result)


def _read_result(value: object, path: str) -> ItemResult:
    read = Fields(value, path)
    result = ItemResult(
        read.uint("index", U32_MAX),
        read.digest("item_id"),
        _read_status(read, path),
        read.text("reason", REASON_BYTES_MAX * 8),
        read.uint("fee"),
    )
    read.finish()
    return result


def _read_status(read: Fields, path: str) -> Status:
    code = read.uint("status", U8_MAX)
    if code not in Status._value2member_map_:
        raise DecodeError(f"{path}.status", f"{code} is not known")
    return Status(code)


def _read_outcomes(value: object, path: str) -> tuple[OutcomeLeaf, ...]:
    return Fields((value,), path).array("outcomes", _CHUNK, OutcomeLeaf.from_value)


def _read_namespace(value: object, path: str) -> NamespaceList:
    read = Fields(value, path)
    entry = NamespaceList(read.uint("namespace", U32_MAX), _join(read.array("leaves", _CHUNKS_MAX, _read_leaves)))
    read.finish()
    return entry


def _read_leaves(value: object, path: str) -> tuple[bytes, ...]:
    return Fields((value,), path).array("leaves", _CHUNK, _read_leaf)


def _read_leaf(value: object, path: str) -> bytes:
    return Fields((value,), path).blob("leaf", 2 * ITEM_BYTES_MAX)


def _read_row(value: object, path: str) -> ExecutionRow:
    read = Fields(value, path)
    row = ExecutionRow(
        read.uint("namespace", U32_MAX),
        read.uint("settled_height"),
        read.digest("state_root"),
        read.digest("receipt_root"),
        read.digest("outbox_root"),
    )
    read.finish()
    return row


def _decision_to_value(decision: Decision) -> tuple[object, ...]:
    verdicts = tuple((v.rollup, v.verdict, v.reason, v.source and v.source.value) for v in decision.verdicts)
    ordered = (decision.ordered_height, decision.ordered_index)
    return (decision.item_id, *ordered, decision.status, decision.reason, decision.fee, verdicts)


def _read_decisions(value: object, path: str) -> tuple[Decision, ...]:
    return Fields((value,), path).array("decisions", _CHUNK, _read_decision)


def _read_decision(value: object, path: str) -> Decision:
    read = Fields(value, path)
    decision = Decision(
        read.digest("item_id"),
        read.uint("ordered_height"),
        read.uint("ordered_index", U32_MAX),
        _read_status(read, path),
        read.text("reason", REASON_BYTES_MAX),
        read.uint("fee"),
        read.array("verdicts", LEGS_MAX, _read_rollup_verdict),
    )
    read.finish()
    return decision


def _read_rollup_verdict(value: object, path: str) -> RollupVerdict:
    read = Fields(value, path)
    verdict = RollupVerdict(
        read.uint("rollup", U32_MAX),
        read.optional("verdict", partial(_read_member, Verdict)),
        read.text("reason", REASON_BYTES_MAX),
        read.optional("source", partial(_read_member, VerdictSource)),
    )
    read.finish()
    return verdict


def _read_member(kind: type[_M], value: object, path: str) -> _M:
    try:
        return kind(value)
    except ValueError:
        raise DecodeError(path, f"{value!r} is not known") from None
