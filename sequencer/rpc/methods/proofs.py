"""Prove to a stranger what is in the state, in the log, or attested: files that `sequencer verify` takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from sequencer.errors import DecodeError
from sequencer.execution.proofs import build_inclusion, build_list, build_message
from sequencer.execution.receipts import join_state_proof
from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.errors import Code, RpcError
from sequencer.rpc.forms import make_rollup_reader, state_value_to_json
from sequencer.rpc.json_values import read_number, read_text, to_hex
from sequencer.rpc.methods.blocks import raise_not_found
from sequencer.rpc.queries import BLOCKS_PER_QUERY_MAX, BlockRecord
from sequencer.state.claim import StateClaim
from sequencer.types.bundle import CHANNEL_MAX, DECIDE_WITHIN_MAX, read_key
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.executed import ExecutedBlock
from sequencer.types.item import ItemKind, read_certificate
from sequencer.types.leaves import get_envelope_kind
from sequencer.types.outcome import Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height, RollupId
from sequencer.types.proof_files import encode_certificate_file
from sequencer.types.verdict import ExecutorCertificate, VerdictStatement

SYSTEM_NAME = "system"
"""What namespace 0 is called where a rollup's name is read."""
ITEMS_PER_UNIT = 16
"""Items of the proven block per unit of the caller's rate: all of them are hashed, about 5 µs each."""
STORE_SECONDS_MAX = 1.0
"""How long a certificate may take to the disk; then there is none."""
VERDICT_PAGE_HEIGHTS = 10
"""Blocks that are read at once while a verdict is looked for."""


class CertifiedBlock(NamedTuple):
    """An executed block, the commitments after it, and the certificate of the last of them."""

    block: ExecutedBlock
    later: tuple[Commitment, ...]
    certificate: CommitmentCertificate


async def get_proof(call: Call) -> object:
    """Return a proof file of the kind that is asked for."""
    kind = call.read.read("kind", read_text)
    if kind not in _PROVERS:
        raise DecodeError("$.kind", f"must be one of {', '.join(_PROVERS)}")
    return await _PROVERS[kind](call)


async def _prove_state(call: Call) -> object:
    rollup = call.read.read("rollup", make_rollup_reader(call.queries.genesis))
    key = call.read.read("key", read_key)
    certificate, height = await _read_height(call)
    return await _answer_claim(call, certificate, height, await call.queries.prove_state(height, rollup, key))


async def _prove_sequence(call: Call) -> object:
    address, channel = call.read.digest("address"), call.read.number("channel", CHANNEL_MAX)
    certificate, height = await _read_height(call)
    return await _answer_claim(call, certificate, height, await call.queries.prove_sequence(height, address, channel))


async def _prove_deposit(call: Call) -> object:
    address = call.read.digest("address")
    certificate, height = await _read_height(call)
    return await _answer_claim(call, certificate, height, await call.queries.prove_deposit(height, address))


async def _prove_outcome(call: Call) -> object:
    bundle_id = call.read.digest("id")
    call.read.finish()
    receipt = await call.queries.get_receipt(bundle_id)
    if receipt is None:
        raise RpcError(Code.NOT_FOUND, "no certificate covers an outcome of this id yet", {"reason": "unknown"})
    return {"proof": to_hex(receipt)}


async def _prove_inclusion(call: Call) -> object:
    """Prove where an item stands, and all legs of a bundle; decided or not."""
    item_id = call.read.digest("id")
    call.read.finish()
    height, index = await _find_item(call, item_id)
    found = await _get_certified(call, await _get_certificate(call, height), height)
    return _answer(found, build_inclusion(*found, index))


async def _prove_list(call: Call) -> object:
    """Prove all that a height holds for a rollup, or that it holds nothing."""
    namespace = call.read.read("rollup", _make_namespace_reader(call))
    certificate, height = await _read_height(call)
    found = await _get_certified(call, certificate, height)
    return _answer(found, build_list(*found, namespace))


async def _prove_verdict(call: Call) -> object:
    """Prove what a split rollup's executors said to a bundle last: the newest certificate that took effect."""
    bundle_id = call.read.digest("id")
    rollup = call.read.read("rollup", make_rollup_reader(call.queries.genesis))
    call.read.finish()
    height, _ = await _find_item(call, bundle_id)
    newest: ExecutorCertificate | None = None
    for start in range(height, height + DECIDE_WITHIN_MAX + 1, VERDICT_PAGE_HEIGHTS):
        records = await _get_records(call, start, start + VERDICT_PAGE_HEIGHTS)
        for record in records:
            newest = await _find_verdict(call, record.block, bundle_id, rollup) or newest
        is_decided = any(leaf.bundle_id == bundle_id for record in records for leaf in record.block.outcomes)
        if is_decided or len(records) < VERDICT_PAGE_HEIGHTS:
            break
    if newest is None:
        raise RpcError(Code.NOT_FOUND, "the log holds no verdict of this rollup on it", {"reason": "unknown"})
    return {"proof": to_hex(encode_certificate_file(newest))}


async def _prove_message(call: Call) -> object:
    """Prove that a message left its source, delivered since or not."""
    source = call.read.read("rollup", make_rollup_reader(call.queries.genesis))
    message_id = call.read.digest("id")
    call.read.finish()
    _, newest = await _await_newest(call)
    delivery = await call.queries.prove_sent(source, message_id, newest)
    if delivery is None:
        raise RpcError(Code.NOT_FOUND, "no certified height proves this message here", {"reason": "unknown"})
    certificate = await _get_certificate(call, delivery.height)
    found = await _get_certified(call, certificate, delivery.height)
    return _answer(found, build_message(*found, delivery))


_PROVERS: dict[str, Callable[[Call], Awaitable[object]]] = {
    "state": _prove_state,
    "sequence": _prove_sequence,
    "deposit": _prove_deposit,
    "outcome": _prove_outcome,
    "inclusion": _prove_inclusion,
    "list": _prove_list,
    "message": _prove_message,
    "verdict": _prove_verdict,
}


def _make_namespace_reader(call: Call) -> Callable[[object, str], RollupId]:
    read_rollup = make_rollup_reader(call.queries.genesis)
    return lambda value, path: SYSTEM_NAMESPACE if value == SYSTEM_NAME else read_rollup(value, path)


async def _find_item(call: Call, item_id: Digest) -> tuple[Height, int]:
    """Return height and index of an ordered item; raises `RpcError` if the node knows none."""
    record = await call.queries.get_transaction(item_id)
    if record is None or record.height is None or record.result is None:
        reason = "unknown" if record is None else "future"
        raise RpcError(Code.NOT_FOUND, "no item of this id is ordered here", {"reason": reason})
    return record.height, record.result.index


async def _read_height(call: Call) -> tuple[CommitmentCertificate, Height]:
    """Return the certificate and the height to prove at: the one asked for, else the newest certified one."""
    asked = call.read.optional("height", read_number)
    call.read.finish()
    if asked is not None:
        return await _get_certificate(call, asked), asked
    return await _await_newest(call)


async def _await_newest(call: Call) -> tuple[CommitmentCertificate, Height]:
    """Return the newest certificate and its height; the replica may know it an instant before it is on disk."""
    height, seen = (await call.queries.get_status()).certified_height, 0
    with trio.move_on_after(STORE_SECONDS_MAX):
        while height and await call.queries.get_certificate(height) is None:
            seen = await call.queries.wait_for_news(seen)
    return await _get_certificate(call, height), height


async def _get_certificate(call: Call, height: Height) -> CommitmentCertificate:
    certificate = await call.queries.get_certificate(height) if height else None
    if certificate is None:
        raise RpcError(Code.NOT_FOUND, f"no certificate covers height {height} yet", {"reason": "future"})
    return certificate


async def _get_records(call: Call, start: Height, until: Height) -> list[BlockRecord]:
    """Return the executed blocks of start ≤ height < until, as far as they are there."""
    records: list[BlockRecord] = []
    while start + len(records) < until:
        first = start + len(records)
        page = await call.queries.get_blocks(first, min(until, first + BLOCKS_PER_QUERY_MAX))
        if not page:
            break
        records += page
    return records


async def _get_certified(call: Call, certificate: CommitmentCertificate, height: Height) -> CertifiedBlock:
    records = await _get_records(call, height, certificate.height + 1)
    if height + len(records) <= certificate.height:
        await raise_not_found(call, height + len(records))
    call.charge(len(records[0].block.results) // ITEMS_PER_UNIT)
    commitments = tuple(record.block.commitment for record in records[1:])
    return CertifiedBlock(records[0].block, commitments, certificate)


async def _find_verdict(
    call: Call, block: ExecutedBlock, bundle_id: Digest, rollup: RollupId
) -> ExecutorCertificate | None:
    """Return the last certified verdict of the rollup on the bundle that took effect in the block."""
    envelopes = block.namespaces[0].leaves if block.namespaces else ()
    places = [
        result.index
        for result in block.results
        if result.status is Status.COMMIT and get_envelope_kind(envelopes[result.index]) == ItemKind.VERDICTS
    ]
    items = await call.queries.get_items(block.header.height) if places else None
    if items is None:
        return None
    for index in reversed(places):
        certificate = read_certificate(items[index])
        statement = certificate.statement
        if isinstance(statement, VerdictStatement) and statement.bundle_id == bundle_id and statement.rollup == rollup:
            return certificate
    return None


def _answer(found: CertifiedBlock, proof: bytes) -> dict[str, object]:
    return {
        "height": found.block.header.height,
        "certified_height": found.certificate.height,
        "proof": to_hex(proof),
    }


async def _answer_claim(call: Call, certificate: CommitmentCertificate, height: Height, claim: bytes) -> object:
    """Return the claim joined with the commitments up to the certified one."""
    found = await _get_certified(call, certificate, height)
    read = StateClaim.from_bytes(claim)
    proof = join_state_proof(claim, (found.block.commitment, *found.later), certificate)
    return {**_answer(found, proof), "key": read.key, "value": state_value_to_json(read.value)}


METHODS = (Method("seq_getProof", ("kind", "rollup", "key", "height"), get_proof),)
