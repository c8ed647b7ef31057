"""Show blocks, with all that a client needs to check that they are final."""

from __future__ import annotations

from typing import NoReturn

from sequencer.codec import U64_MAX
from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.errors import Code, RpcError
from sequencer.rpc.forms import make_rollup_namer
from sequencer.rpc.json_values import read_flag, read_number, to_hex
from sequencer.rpc.queries import BLOCKS_PER_QUERY_MAX, BlockRecord
from sequencer.rpc.views import NameRollup, block_to_json, certificate_to_json
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.primitives import Height


async def get_block(call: Call) -> object:
    """Return one block; with `items`, the bytes of each item too. Without a height, the newest."""
    height = call.read.optional("height", _read_block_height)
    with_items = call.read.optional("items", read_flag) or False
    call.read.finish()
    if height is None:
        height = (await call.queries.get_status()).height
    records = await call.queries.get_blocks(height, height + 1)
    if not records:
        await raise_not_found(call, height)
    block = block_to_json(records[0], make_rollup_namer(call.queries.genesis))
    if with_items:
        items = await call.queries.get_items(height)
        block["items"] = None if items is None else [to_hex(item) for item in items]
    return block


def _read_block_height(value: object, path: str) -> Height:
    return read_number(value, path, U64_MAX - 1, 1)


async def get_blocks(call: Call) -> object:
    """Return blocks of from ≤ height < until, where to go on, and the newest certificate."""
    start = call.read.number("from", U64_MAX - BLOCKS_PER_QUERY_MAX, 1)
    until = call.read.optional("until", read_number)
    call.read.finish()
    until = start + BLOCKS_PER_QUERY_MAX if until is None else min(until, start + BLOCKS_PER_QUERY_MAX)
    blocks = await _collect(call, start, until)
    if not blocks and (await call.queries.get_status()).oldest_height > start:
        await raise_not_found(call, start)
    certificate = await get_newest_certificate(call)
    return {"blocks": blocks, "next": start + len(blocks), "certificate": certificate_to_json(certificate)}


async def _collect(call: Call, start: Height, until: Height) -> list[dict[str, object]]:
    """Return consecutive blocks until `until`, the end of what is there, or a full answer."""
    name_rollup: NameRollup = make_rollup_namer(call.queries.genesis)
    blocks: list[dict[str, object]] = []
    size = 0
    for height in range(start, until, 10):
        records = await call.queries.get_blocks(height, min(height + 10, until))
        for record in records:
            blocks.append(block_to_json(record, name_rollup))
            size += _estimate_size(record)
            if size > call.limits.answer_bytes_max:
                return blocks
        if len(records) < min(height + 10, until) - height:
            break
    return blocks


def _estimate_size(record: BlockRecord) -> int:
    """Bound the bytes of a block's JSON without building it."""
    leaves = sum(64 + 2 * len(leaf) for entry in record.block.namespaces for leaf in entry.leaves)
    return 4_096 + leaves + 320 * len(record.block.results) + 320 * len(record.block.outcomes)


async def get_newest_certificate(call: Call) -> CommitmentCertificate | None:
    """Return the certificate of the highest certified height."""
    status = await call.queries.get_status()
    return await call.queries.get_certificate(status.certified_height) if status.certified_height else None


async def raise_not_found(call: Call, height: Height) -> NoReturn:
    """Raise -32001 with the reason `pruned` or `future`."""
    status = await call.queries.get_status()
    reason = "future" if height > status.height else "pruned"
    data = {"reason": reason, "oldest_height": status.oldest_height, "height": status.height}
    raise RpcError(Code.NOT_FOUND, f"height {height} is {reason}", data)


METHODS = (
    Method("seq_getBlock", ("height", "items"), get_block),
    Method("seq_getBlocks", ("from", "until"), get_blocks),
)
