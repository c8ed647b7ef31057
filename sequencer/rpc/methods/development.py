"""Tell what only a devnet tells, keys of its accounts and whole states; elsewhere these methods do not exist."""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.errors import Code, RpcError
from sequencer.rpc.forms import make_rollup_reader, state_value_to_json
from sequencer.rpc.json_values import read_number, read_text, to_hex
from sequencer.rpc.methods.blocks import raise_not_found
from sequencer.rpc.queries import DevelopmentAccount
from sequencer.types.bundle import KEY_BYTES_MAX
from sequencer.types.primitives import SYSTEM_NAMESPACE, RollupId

ENTRIES_PER_QUERY_MAX = 5_000
"""Entries of a state in one answer."""
SYSTEM = "system"
"""What the system state is called beside the rollups."""


async def get_development_accounts(call: Call) -> object:
    """Return the funded accounts of a devnet with their keys."""
    call.read.finish()
    accounts = _require_devnet(call, "dev_accounts")
    return [{"name": a.name, "address": to_hex(a.address), "seed": to_hex(a.seed)} for a in accounts]


async def get_entries(call: Call) -> object:
    """Return a page of all that a rollup, or the system, holds after a height; ascending by key."""
    rollup = call.read.read("rollup", lambda value, path: _read_namespace(call, value, path))
    prefix = call.read.optional("prefix", lambda value, path: read_text(value, path, KEY_BYTES_MAX)) or ""
    after = call.read.optional("after", lambda value, path: read_text(value, path, KEY_BYTES_MAX)) or ""
    height = call.read.optional("height", read_number)
    call.read.finish()
    _require_devnet(call, "dev_getEntries")
    if height is not None and height > (await call.queries.get_status()).height:
        await raise_not_found(call, height)
    listing = await call.queries.list_state(rollup, height, prefix)
    entries = [entry for entry in listing.entries if entry[0] > after]
    page = entries[:ENTRIES_PER_QUERY_MAX]
    return {
        "height": listing.height,
        "settled_height": listing.settled_height,
        "entries": [[key, state_value_to_json(value)] for key, value in page],
        "next": page[-1][0] if len(page) < len(entries) else None,
    }


def _read_namespace(call: Call, value: object, path: str) -> RollupId:
    return SYSTEM_NAMESPACE if value == SYSTEM else make_rollup_reader(call.queries.genesis)(value, path)


def _require_devnet(call: Call, method: str) -> Sequence[DevelopmentAccount]:
    accounts = call.queries.get_development_accounts()
    if accounts is None:
        raise RpcError(Code.METHOD, f"there is no method {method!r} on this network")
    return accounts


METHODS = (
    Method("dev_accounts", (), get_development_accounts),
    Method("dev_getEntries", ("rollup", "prefix", "height", "after"), get_entries),
)
