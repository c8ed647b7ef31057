"""Take transactions in, and tell what became of them."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from sequencer.errors import DecodeError
from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.errors import Code, RpcError
from sequencer.rpc.forms import make_rollup_namer, make_rollup_reader, read_item
from sequencer.rpc.json_values import read_array, read_flag, read_number, to_hex
from sequencer.rpc.methods.checking import refuse_foretold_abort
from sequencer.rpc.views import NameRollup, failure_to_json, record_to_json, rejection_to_json
from sequencer.types.effects import Submission, SubmissionStatus
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import Digest
from sequencer.types.receipt import Receipt

ITEMS_PER_CALL_MAX = 1_000
READ_SLICE = 32
"""Transactions that are read before other tasks get their turn."""
WAIT_MS_MAX = 9_000
"""Longest wait for finality; below the request deadline of 10 s."""

_BUSY = (Reason.QUEUE_FULL,)
"""Refusals that another moment or another validator may not repeat."""


async def send_transaction(call: Call) -> object:
    """Take one transaction in; with `wait_ms`, answer when it is final."""
    item = read_item(call.read.take("transaction"), "$", make_rollup_reader(call.queries.genesis))
    wait_ms = call.read.optional("wait_ms", lambda value, path: read_number(value, path, WAIT_MS_MAX))
    is_checked = call.read.optional("check", read_flag) or False
    call.read.finish()
    call.charge(1)
    if is_checked:
        await refuse_foretold_abort(call, item)
    (submission,) = await call.queries.submit_items((item,))
    if submission.status is SubmissionStatus.REJECTED:
        await _raise_rejected(call, submission)
    if wait_ms is None:
        return {"id": to_hex(submission.item_id), "status": submission.status.value}
    return await _wait_for_final(call, submission.item_id, wait_ms)


async def send_transactions(call: Call) -> object:
    """Take up to 1,000 transactions in; each gets its own answer, in order."""
    values = read_array(call.read.take("transactions"), "$.transactions", ITEMS_PER_CALL_MAX, 1)
    call.read.finish()
    call.charge(len(values))
    items, refused = await _read_items(call, values)
    submissions = iter(await call.queries.submit_items(items) if items else ())
    answers = [
        {"id": None, "status": "rejected", **rejection_to_json(refused[index])}
        if index in refused
        else _submission_to_json(next(submissions))
        for index in range(len(values))
    ]
    return {"results": answers}


async def _read_items(call: Call, values: Sequence[object]) -> tuple[list[bytes], dict[int, Rejection]]:
    """Return the items that can be read, and why the others cannot, by place."""
    read_rollup = make_rollup_reader(call.queries.genesis)
    items: list[bytes] = []
    refused: dict[int, Rejection] = {}
    for index, value in enumerate(values):
        try:
            items.append(read_item(value, "item", read_rollup))
        except DecodeError as error:
            refused[index] = Rejection(Reason.MALFORMED, error.path, error.reason)
        if index % READ_SLICE == 0:
            await trio.lowlevel.checkpoint()  # the node's consensus shares this thread
    return items, refused


def _submission_to_json(submission: Submission) -> dict[str, object]:
    answer: dict[str, object] = {"id": to_hex(submission.item_id), "status": submission.status.value}
    return answer if submission.rejection is None else {**answer, **rejection_to_json(submission.rejection)}


async def _raise_rejected(call: Call, submission: Submission) -> None:
    """Raise -32003; a transaction that is known already is told with its record, so that resending is safe."""
    rejection = submission.rejection
    if rejection is None:
        raise RpcError(Code.REJECTED, "rejected", {"id": to_hex(submission.item_id)})
    data = {"id": to_hex(submission.item_id), **rejection_to_json(rejection)}
    record = await call.queries.get_transaction(submission.item_id)
    if record is not None:
        data["record"] = record_to_json(record)
    message = f"{rejection.reason.value} at {data['path']}: {rejection.detail or 'rejected'}"
    raise RpcError(Code.LIMIT if rejection.reason in _BUSY else Code.REJECTED, message, data)


async def _wait_for_final(call: Call, bundle_id: Digest, wait_ms: int) -> object:
    with trio.move_on_after(wait_ms / 1_000):
        seen = 0
        while (receipt := await call.queries.get_receipt(bundle_id)) is None:
            seen = await call.queries.wait_for_news(seen)
        return await _make_receipt(call, bundle_id, receipt)
    data = {"id": to_hex(bundle_id)}
    raise RpcError(Code.NOT_FINAL, f"taken in, but not final within {wait_ms} ms", data)


async def get_receipt(call: Call) -> object:
    """Tell what became of a transaction; `proof` is there once a certificate covers it."""
    bundle_id = call.read.digest("id")
    call.read.finish()
    return await _make_receipt(call, bundle_id, await call.queries.get_receipt(bundle_id))


async def _make_receipt(call: Call, bundle_id: Digest, receipt: bytes | None) -> dict[str, object]:
    record = await call.queries.get_transaction(bundle_id)
    unknown = {"id": to_hex(bundle_id), "status": "unknown", "height": None, "index": None, "reason": None, "fee": None}
    name_rollup = make_rollup_namer(call.queries.genesis)
    return {
        **(unknown if record is None else record_to_json(record)),
        "failures": [failure_to_json(failure, name_rollup) for failure in call.queries.get_failures(bundle_id)],
        "is_final": receipt is not None,
        "legs": None if receipt is None else _legs_to_json(Receipt.from_bytes(receipt), name_rollup),
        "proof": None if receipt is None else to_hex(receipt),
    }


def _legs_to_json(receipt: Receipt, name_rollup: NameRollup) -> list[dict[str, object]]:
    """Return where each leg stands in its rollup's list of that height."""
    return [
        {
            "rollup": name_rollup(leg.inclusion.namespace),
            "leg_hash": to_hex(leg.leg_digest),
            "position": leg.inclusion.position.index,
        }
        for leg in receipt.legs
    ]


METHODS = (
    Method("seq_sendTransaction", ("transaction", "wait_ms", "check"), send_transaction),
    Method("seq_sendBundle", ("transaction", "wait_ms", "check"), send_transaction),
    Method("seq_sendTransactions", ("transactions",), send_transactions),
    Method("seq_getTransactionReceipt", ("id",), get_receipt),
)
