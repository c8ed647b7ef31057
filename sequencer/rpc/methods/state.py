"""Tell what a state key, a sequence or a deposit is."""

from __future__ import annotations

from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.forms import make_rollup_reader, state_value_to_json
from sequencer.rpc.json_values import read_number, to_hex
from sequencer.rpc.methods.blocks import raise_not_found
from sequencer.types.bundle import read_key


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


METHODS = (
    Method("seq_getState", ("rollup", "key", "height"), get_state),
    Method("seq_getAccount", ("address",), get_account),
)
