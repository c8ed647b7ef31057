"""Foretell what would become of a transaction, without sending it."""

from __future__ import annotations

from sequencer.execution.explanations import BundleCheck
from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.errors import Code, RpcError
from sequencer.rpc.forms import make_rollup_namer, make_rollup_reader, read_draft
from sequencer.rpc.views import NameRollup, failure_to_json, rejection_to_json
from sequencer.types.outcome import Status
from sequencer.types.primitives import Height

_WOULD = {
    Status.COMMIT: "commit",
    Status.ABORT: "abort",
    Status.INADMISSIBLE: "inadmissible",
    Status.PENDING: "unknown",
}


async def check_bundle(call: Call) -> object:
    """Say what the transaction would come to as the only one of the next block; nothing is sent."""
    item, is_signed = read_draft(call.read.take("transaction"), "$", make_rollup_reader(call.queries.genesis))
    call.read.finish()
    call.charge(1)
    height, check = await call.queries.check_bundle(item, is_signed)
    return check_to_json(height, check, make_rollup_namer(call.queries.genesis))


async def refuse_foretold_abort(call: Call, item: bytes) -> None:
    """Raise -32003 with the condition, expected and found, if the item would abort now; the rest is admission's."""
    _, check = await call.queries.check_bundle(item, is_signed=True)
    if check.status is not Status.ABORT:
        return
    data: dict[str, object] = {"reason": check.reason, "path": "$", "detail": "it would abort now"}
    if check.failures:
        first, *others = [failure_to_json(one, make_rollup_namer(call.queries.genesis)) for one in check.failures]
        data = {**data, **first, "others": others}
    raise RpcError(Code.REJECTED, f"it would abort now: {check.reason}", data)


def check_to_json(height: Height, check: BundleCheck, name_rollup: NameRollup) -> dict[str, object]:
    """Return the prediction; `unknown` if nobody here says NO but a rollup or a dep cannot be judged here."""
    return {
        "would": _WOULD[check.status],
        "height": height,
        "reason": check.reason,
        "fee": str(check.fee),
        "rejection": None if check.rejection is None else rejection_to_json(check.rejection),
        "failures": [failure_to_json(failure, name_rollup) for failure in check.failures],
        "unjudged": [name_rollup(rollup) for rollup in check.unjudged],
    }


METHODS = (Method("seq_checkBundle", ("transaction",), check_bundle),)
