"""Tell how the node and its network stand."""

from __future__ import annotations

from sequencer.light import describe_evidence
from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.errors import Code, RpcError
from sequencer.rpc.json_values import read_number, to_hex
from sequencer.rpc.views import evidence_to_json, status_to_json, validator_to_json
from sequencer.types.evidence import encode_evidence

EVIDENCE_PER_QUERY_MAX = 100
"""Pieces of evidence in one answer; fewer where their bytes would make it too large."""
_EVIDENCE_OVERHEAD_BYTES = 1_024
"""At most what the JSON of one piece holds beside its bytes."""


async def get_status(call: Call) -> object:
    """Return how the node stands."""
    call.read.finish()
    return status_to_json(await call.queries.get_status(), call.queries.genesis)


async def get_validators(call: Call) -> object:
    """Return the committee as the genesis lists it."""
    call.read.finish()
    genesis = call.queries.genesis
    committee = genesis.committee
    return {
        "epoch": committee.epoch,
        "total_power": committee.total_power,
        "strong_power": committee.total_power - committee.fault_power,
        "validators_hash": to_hex(committee.digest),
        "validators": [validator_to_json(index, validator) for index, validator in enumerate(genesis.validators)],
    }


async def get_rollups(call: Call) -> object:
    """Return the rollups."""
    call.read.finish()
    rollups = call.queries.genesis.rollups
    return [{"id": r.id, "name": r.name, "machine": r.machine, "kind": r.kind.value} for r in rollups]


async def get_genesis(call: Call) -> object:
    """Return the canonical bytes of the genesis; a client that trusts nobody has them from elsewhere."""
    call.read.finish()
    data = call.queries.genesis.to_bytes()
    if 2 * len(data) > call.limits.answer_bytes_max:
        raise RpcError(Code.LIMIT, f"the genesis has {len(data)} bytes: copy the file", {"limit": "answer_bytes_max"})
    return {"chain_id": to_hex(call.queries.genesis.chain_id), "genesis": to_hex(data)}


async def get_evidence(call: Call) -> object:
    """Return evidence from a place on, oldest first; each piece with the bytes that prove it."""
    start = call.read.optional("from", read_number) or 0
    limit = call.read.optional("limit", lambda value, path: read_number(value, path, EVIDENCE_PER_QUERY_MAX, 1))
    call.read.finish()
    limit = EVIDENCE_PER_QUERY_MAX if limit is None else limit
    page: list[object] = []
    size = 0
    for index, evidence in enumerate(call.queries.get_evidence()[start : start + limit], start):
        data = encode_evidence(evidence)
        size += 2 * len(data) + _EVIDENCE_OVERHEAD_BYTES
        if page and size > call.limits.answer_bytes_max:
            break
        page.append(evidence_to_json(index, describe_evidence(evidence, call.queries.genesis), data))
    return page


async def subscribe(call: Call) -> object:
    """Say where the stream is; JSON-RPC over plain HTTP has no subscriptions."""
    message = "subscribe by GET /events?from=HEIGHT (server-sent events)"
    raise RpcError(Code.UNSUPPORTED, message, {"path": "/events", "query": "from"})


METHODS = (
    Method("seq_status", (), get_status),
    Method("seq_validators", (), get_validators),
    Method("seq_rollups", (), get_rollups),
    Method("seq_genesis", (), get_genesis),
    Method("seq_getEvidence", ("from", "limit"), get_evidence),
    Method("seq_subscribe", ("topic",), subscribe),
)
