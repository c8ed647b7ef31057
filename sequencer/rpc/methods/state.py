"""Tell what a state key, a sequence or a deposit is, and prove it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sequencer.errors import DecodeError
from sequencer.execution.receipts import join_state_proof
from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.errors import Code, RpcError
from sequencer.rpc.forms import make_rollup_reader, state_value_to_json
from sequencer.rpc.json_values import read_number, read_text, to_hex
from sequencer.rpc.methods.blocks import raise_not_found
from sequencer.rpc.queries import BLOCKS_PER_QUERY_MAX
from sequencer.state.claim import StateClaim
from sequencer.types.bundle import CHANNEL_MAX, read_key
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.primitives import Height


async def get_state(call: Call) -> object:
    """Return what a key holds after a height, by default the newest; null is absent."""
    rollup = call.read.read("rollup", make_rollup_reader(call.queries.genesis))
    key = call.read.read("key", read_key)
    height = call.read.optional("height", read_number)
    call.read.finish()
    if height is not None and height > (await call.queries.get_status()).height:
        await raise_not_found(call, height)
    read = await call.queries.get_state(rollup, key, height)
    return {
        "height": read.height,
        "settled_height": read.settled_height,
        "is_settled": read.settled_height == read.height,
        "value": state_value_to_json(read.value),
    }


async def get_account(call: Call) -> object:
    """Return deposit and next sequences of a payer; zeros for a stranger."""
    address = call.read.digest("address")
    call.read.finish()
    account = await call.queries.get_account(address)
    return {
        "address": to_hex(address),
        "height": account.height,
        "deposit": str(account.deposit),
        "sequences": list(account.sequences),
    }


async def get_proof(call: Call) -> object:
    """Return the proof of a state key, a sequence, a deposit or an outcome."""
    kind = call.read.read("kind", read_text)
    if kind not in _PROVERS:
        raise DecodeError("$.kind", f"must be one of {', '.join(_PROVERS)}")
    return await _PROVERS[kind](call)


async def _prove_state(call: Call) -> object:
    rollup = call.read.read("rollup", make_rollup_reader(call.queries.genesis))
    key = call.read.read("key", read_key)
    certificate, height = await _read_height(call)
    return await _make_proof(call, certificate, height, await call.queries.prove_state(height, rollup, key))


async def _prove_sequence(call: Call) -> object:
    address, channel = call.read.digest("address"), call.read.number("channel", CHANNEL_MAX)
    certificate, height = await _read_height(call)
    return await _make_proof(call, certificate, height, await call.queries.prove_sequence(height, address, channel))


async def _prove_deposit(call: Call) -> object:
    address = call.read.digest("address")
    certificate, height = await _read_height(call)
    return await _make_proof(call, certificate, height, await call.queries.prove_deposit(height, address))


async def _prove_outcome(call: Call) -> object:
    bundle_id = call.read.digest("id")
    call.read.finish()
    receipt = await call.queries.get_receipt(bundle_id)
    if receipt is None:
        raise RpcError(Code.NOT_FOUND, "no certificate covers an outcome of this id yet", {"reason": "unknown"})
    return {"proof": to_hex(receipt)}


_PROVERS: dict[str, Callable[[Call], Awaitable[object]]] = {
    "state": _prove_state,
    "sequence": _prove_sequence,
    "deposit": _prove_deposit,
    "outcome": _prove_outcome,
}


async def _read_height(call: Call) -> tuple[CommitmentCertificate, Height]:
    """Return the certificate and the height to prove at: the one asked for, else the newest certified one."""
    asked = call.read.optional("height", read_number)
    call.read.finish()
    status = await call.queries.get_status()
    height = status.certified_height if asked is None else asked
    certificate = await call.queries.get_certificate(height) if height else None
    if certificate is None:
        raise RpcError(Code.NOT_FOUND, f"no certificate covers height {height} yet", {"reason": "future"})
    return certificate, height


async def _make_proof(call: Call, certificate: CommitmentCertificate, height: Height, claim: bytes) -> object:
    """Return the claim joined with the commitments up to the certified one: a file that `verify` takes."""
    commitments: list[Commitment] = []
    while height + len(commitments) <= certificate.height:
        start = height + len(commitments)
        records = await call.queries.get_blocks(start, min(certificate.height + 1, start + BLOCKS_PER_QUERY_MAX))
        if not records:
            raise RpcError(Code.NOT_FOUND, f"the commitment of height {start} is not kept", {"reason": "pruned"})
        commitments += [record.block.commitment for record in records]
    read = StateClaim.from_bytes(claim)
    return {
        "height": height,
        "key": read.key,
        "value": state_value_to_json(read.value),
        "certified_height": certificate.height,
        "proof": to_hex(join_state_proof(claim, commitments, certificate)),
    }


METHODS = (
    Method("seq_getState", ("rollup", "key", "height"), get_state),
    Method("seq_getAccount", ("address",), get_account),
    Method("seq_getProof", ("kind", "rollup", "key", "height"), get_proof),
)
