"""Give transactions their JSON form and read it back; server and SDK share it.

A transaction is either `{"item": "0x…"}`, its canonical bytes, or an object with the
bundle's fields and its signatures. Rollups go by name. In an operation's arguments a
decimal string is an amount, `0x…` is bytes, other strings are text; a text that starts
with a digit is written `{"text": "7"}`, a reference `{"leg": 0, "output": "bought"}`.
"""

from __future__ import annotations

from collections.abc import Callable

from sequencer.codec import U64_MAX
from sequencer.errors import DecodeError, LocalError
from sequencer.rpc.conditional import read_conditional, verify_count
from sequencer.rpc.json_values import (
    Members,
    read_amount,
    read_digest,
    read_hex,
    read_text,
    to_hex,
)
from sequencer.types import bundle as bundles
from sequencer.types.bundle import (
    AccessMode,
    Argument,
    AtLeast,
    Bundle,
    Condition,
    Equals,
    HeightWindow,
    InRange,
    Leg,
    NonceIs,
    Operation,
    Reference,
    TimeWindow,
)
from sequencer.types.genesis import Genesis
from sequencer.types.item import SignedBundle
from sequencer.types.parameters import ITEM_BYTES_MAX, LEGS_MAX
from sequencer.types.primitives import RollupId, StateValue

ReadRollup = Callable[[object, str], RollupId]


def state_value_to_json(value: StateValue | None) -> str | None:
    """Return a decimal string, `0x…`, or null for an absent key."""
    if value is None:
        return None
    return str(value) if isinstance(value, int) else to_hex(value)


def read_state_value(value: object, path: str) -> StateValue:
    """Read a decimal string (1..2^64-1) or `0x…` (1..1,024 bytes)."""
    if type(value) is str and value.startswith("0x"):
        return read_hex(value, path, bundles.VALUE_BYTES_MAX, 1)
    amount = read_amount(value, path)
    if amount == 0:
        raise DecodeError(path, "must not be 0: an absent value is null")
    return amount


def _read_state_key(value: object, path: str) -> str:
    return bundles.read_key(value, path)


def argument_to_json(argument: Argument) -> object:
    """Return the argument's JSON form."""
    match argument:
        case Reference(leg, name):
            return {"leg": leg, "output": name}
        case int():
            return str(argument)
        case bytes():
            return to_hex(argument)
        case str():
            return {"text": argument} if argument[:1].isascii() and argument[:1].isdigit() else argument


def read_argument(value: object, path: str) -> Argument:
    """Read an argument; raises `DecodeError`."""
    if isinstance(value, dict):
        read = Members(value, path)
        if read.has("text"):
            argument: Argument = read.read("text", lambda text, at: read_text(text, at, bundles.KEY_BYTES_MAX))
        else:
            argument = Reference(read.number("leg", LEGS_MAX - 1), read.read("output", bundles.read_name))
        read.finish()
        return argument
    if type(value) is not str:
        raise DecodeError(path, 'must be a string, {"text": …} or {"leg": …, "output": …}')
    if value.startswith("0x"):
        return read_hex(value, path, bundles.VALUE_BYTES_MAX)
    if value[:1].isascii() and value[:1].isdigit():
        return read_amount(value, path)
    return read_text(value, path, bundles.KEY_BYTES_MAX)


def operation_to_json(operation: Operation) -> dict[str, object]:
    """Return the operation's JSON form."""
    return {"name": operation.name, "arguments": [argument_to_json(argument) for argument in operation.arguments]}


def read_operation(value: object, path: str) -> Operation:
    """Read an operation; raises `DecodeError` naming the field."""
    read = Members(value, path)
    operation = Operation(
        read.read("name", bundles.read_name),
        read.array("arguments", bundles.ARGUMENTS_PER_OPERATION_MAX, read_argument),
    )
    read.finish()
    return operation


def condition_to_json(condition: Condition) -> dict[str, object]:
    """Return the condition's JSON form."""
    match condition:
        case Equals(key, value):
            return {"kind": "equals", "key": key, "value": state_value_to_json(value)}
        case AtLeast(key, low):
            return {"kind": "at_least", "key": key, "low": str(low)}
        case InRange(key, low, high):
            return {"kind": "in_range", "key": key, "low": str(low), "high": str(high)}
        case NonceIs(account, nonce):
            return {"kind": "nonce_is", "account": to_hex(account), "nonce": nonce}
        case HeightWindow(low, high):
            return {"kind": "height_window", "low": low, "high": high}
        case TimeWindow(low_ms, high_ms):
            return {"kind": "time_window", "low_ms": low_ms, "high_ms": high_ms}


def _read_equals(read: Members) -> Condition:
    key, value = read.read("key", _read_state_key), read.take("value")
    return Equals(key, None if value is None else read_state_value(value, read.path("value")))


_CONDITIONS: dict[str, Callable[[Members], Condition]] = {
    "equals": _read_equals,
    "at_least": lambda read: AtLeast(read.read("key", _read_state_key), read.read("low", read_amount)),
    "in_range": lambda read: InRange(
        read.read("key", _read_state_key), read.read("low", read_amount), read.read("high", read_amount)
    ),
    "nonce_is": lambda read: NonceIs(read.digest("account"), read.number("nonce", U64_MAX - 1)),
    "height_window": lambda read: HeightWindow(read.number("low"), read.number("high")),
    "time_window": lambda read: TimeWindow(read.number("low_ms"), read.number("high_ms")),
}


def read_condition(value: object, path: str) -> Condition:
    """Read a condition; raises `DecodeError` naming the field."""
    read = Members(value, path)
    kind = read.read("kind", read_text)
    if kind not in _CONDITIONS:
        raise DecodeError(f"{path}.kind", f"must be one of {', '.join(_CONDITIONS)}")
    condition = _CONDITIONS[kind](read)
    read.finish()
    return condition


def _read_access_entry(value: object, path: str) -> tuple[str, AccessMode]:
    read = Members(value, path)
    key, mode = read.read("key", _read_state_key), read.read("mode", read_text)
    read.finish()
    if mode not in ("read", "write"):
        raise DecodeError(f"{path}.mode", "must be read or write")
    return key, AccessMode[mode.upper()]


def _read_access(read: Members) -> bundles.AccessSet | None:
    value = read.take("access")
    if value is None:
        return None
    wrapper = Members({"access": value}, read.path("access").rpartition(".")[0])
    entries = wrapper.array("access", bundles.ACCESS_KEYS_PER_LEG_MAX, _read_access_entry)
    if [key for key, _ in entries] != sorted({key for key, _ in entries}):
        raise DecodeError(read.path("access"), "must have its keys strictly ascending")
    return entries


def leg_to_json(leg: Leg, name_rollup: Callable[[RollupId], str]) -> dict[str, object]:
    """Return the leg's JSON form."""
    return {
        "rollup": name_rollup(leg.rollup),
        "signer": to_hex(leg.signer),
        "conditions": [condition_to_json(condition) for condition in leg.conditions],
        "operations": [operation_to_json(operation) for operation in leg.operations],
        "access": None if leg.access is None else [{"key": key, "mode": mode.name.lower()} for key, mode in leg.access],
    }


def read_leg(value: object, path: str, read_rollup: ReadRollup) -> Leg:
    """Read a leg; raises `DecodeError` naming the field."""
    read = Members(value, path)
    leg = Leg(
        read.read("rollup", read_rollup),
        read.digest("signer"),
        _read_conditions(read),
        read.array("operations", bundles.OPERATIONS_PER_LEG_MAX, read_operation),
        _read_access(read),
    )
    read.finish()
    return leg


def _read_conditions(read: Members) -> tuple[Condition, ...]:
    """Return the leg's own conditions, then those that its `conditional` says in the words of ERC-7796."""
    own = read.array("conditions", bundles.CONDITIONS_PER_LEG_MAX, read_condition)
    mapped = read.optional("conditional", read_conditional) or ()
    verify_count(len(own) + len(mapped), read.path("conditional"))
    return own + mapped


def make_rollup_namer(genesis: Genesis) -> Callable[[RollupId], str]:
    """Return id → name; 0 is `system`, an id that the genesis lacks is shown as `#id`."""
    names = {0: "system", **{rollup.id: rollup.name for rollup in genesis.rollups}}
    return lambda rollup: names.get(rollup, f"#{rollup}")


def make_rollup_reader(genesis: Genesis) -> ReadRollup:
    """Return the reader of a rollup's name; it raises `DecodeError` for one that does not exist."""

    def read_rollup(value: object, path: str) -> RollupId:
        try:
            return genesis.get_rollup_by_name(read_text(value, path, 32)).id
        except LocalError:
            known = ", ".join(rollup.name for rollup in genesis.rollups)
            raise DecodeError(path, f"is not the name of a rollup here ({known})") from None

    return read_rollup


def bundle_to_json(bundle: Bundle, name_rollup: Callable[[RollupId], str]) -> dict[str, object]:
    """Return the bundle's fields; the form that `read_bundle` takes."""
    return {
        "chain_id": to_hex(bundle.chain_id),
        "payer": to_hex(bundle.payer),
        "channel": bundle.channel,
        "sequence": bundle.sequence,
        "valid_from": bundle.valid_from,
        "valid_until": bundle.valid_until,
        "decide_within": bundle.decide_within,
        "deps": [to_hex(dep) for dep in bundle.deps],
        "legs": [leg_to_json(leg, name_rollup) for leg in bundle.legs],
    }


def read_bundle(read: Members, read_rollup: ReadRollup) -> Bundle:
    """Read the bundle's fields from the members of a transaction; the caller finishes."""
    return Bundle(
        read.digest("chain_id"),
        read.digest("payer"),
        read.number("channel", bundles.CHANNEL_MAX),
        read.number("sequence", U64_MAX - 1),
        read.number("valid_from"),
        read.number("valid_until"),
        read.number("decide_within", bundles.DECIDE_WITHIN_MAX),
        read.array("deps", bundles.DEPS_MAX, read_digest),
        read.array("legs", LEGS_MAX, lambda leg, path: read_leg(leg, path, read_rollup), 1),
    )


def transaction_to_json(signed: SignedBundle, name_rollup: Callable[[RollupId], str]) -> dict[str, object]:
    """Return the object form of a signed transaction."""
    signatures = [to_hex(signature) for signature in signed.signatures]
    return {**bundle_to_json(signed.bundle, name_rollup), "signatures": signatures}


def read_item(value: object, path: str, read_rollup: ReadRollup) -> bytes:
    """Return the canonical bytes of a transaction in either form; raises `DecodeError` naming the field."""
    item, is_signed = read_draft(value, path, read_rollup)
    if not is_signed:
        raise DecodeError(f"{path}.signatures", "is missing")
    return item


def read_draft(value: object, path: str, read_rollup: ReadRollup) -> tuple[bytes, bool]:
    """Return (canonical bytes, is it signed); an object without `signatures` gets zeros in their place."""
    read = Members(value, path)
    if read.has("item"):
        item = read.read("item", lambda text, at: read_hex(text, at, ITEM_BYTES_MAX, 1))
        read.finish()
        return item, True
    bundle = read_bundle(read, read_rollup)
    is_signed = read.has("signatures")
    signatures = (
        read.array("signatures", LEGS_MAX + 1, lambda text, at: read_hex(text, at, 64, 64), 1)
        if is_signed
        else (bytes(64),) * len(bundle.signers)
    )
    read.finish()
    return SignedBundle(bundle, signatures).item_bytes, is_signed
