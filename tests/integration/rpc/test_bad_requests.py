"""Every kind of bad request gets its documented answer and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import trio

from sequencer.rpc.forms import make_rollup_namer, transaction_to_json
from sequencer.rpc.json_values import to_hex
from sequencer.types.bundle import AtLeast
from sequencer.types.item import SignedBundle
from tests.integration.rpc.chain import ALICE, ChainNode, make_genesis, make_signer, make_transfer
from tests.integration.rpc.conftest import Served, serve

STATUS = '"jsonrpc":"2.0","id":1,"method":"seq_status"'

UNREADABLE = {
    "empty body": b"",
    "malformed JSON": b'{"jsonrpc":',
    "two values": b"{}{}",
    "not UTF-8": b'{"a":"\xff"}',
    "not a number": b'{"jsonrpc":"2.0","id":NaN,"method":"seq_status"}',
    "duplicate key": b'{"id":1,' + STATUS.encode() + b"}",
    "arrays 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "objects 10,000 deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "33 deep": b"[" * 33 + b"]" * 33,
    "too many elements": b"[" + b"0," * 20_001 + b"0]",
    "an integer of 5,000 digits": b'{"jsonrpc":"2.0","id":' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_body_that_is_not_strict_json_gets_a_parse_error(served: Served, kind: str) -> None:
    """-32700, whatever is wrong with the text."""
    answer = (await served.post(UNREADABLE[kind])).json()
    assert (answer["id"], answer["error"]["code"]) == (None, -32700)


NO_REQUESTS: dict[str, object] = {
    "a number": 5,
    "an empty batch": [],
    "a batch of 101": [{"jsonrpc": "2.0", "id": 1, "method": "seq_status"}] * 101,
    "no version": {"id": 1, "method": "seq_status"},
    "version 1.0": {"jsonrpc": "1.0", "id": 1, "method": "seq_status"},
    "no method": {"jsonrpc": "2.0", "id": 1},
    "method not text": {"jsonrpc": "2.0", "id": 1, "method": 5},
    "id an object": {"jsonrpc": "2.0", "id": {}, "method": "seq_status"},
    "id a float": {"jsonrpc": "2.0", "id": 1.5, "method": "seq_status"},
    "id too long": {"jsonrpc": "2.0", "id": "x" * 129, "method": "seq_status"},
    "unknown member": {"jsonrpc": "2.0", "id": 1, "method": "seq_status", "extra": 1},
}


@pytest.mark.parametrize("kind", NO_REQUESTS)
async def test_json_that_is_no_request_gets_an_invalid_request_error(served: Served, kind: str) -> None:
    """-32600, for the whole batch if the batch is at fault."""
    answer = (await served.post(json.dumps(NO_REQUESTS[kind]).encode())).json()
    assert answer["error"]["code"] == -32600


async def test_unknown_method_is_told(served: Served) -> None:
    """-32601."""
    assert (await served.error("seq_doesNotExist"))["code"] == -32601


async def test_dev_methods_do_not_exist_off_a_devnet(nursery: trio.Nursery) -> None:
    """-32601, as if the method had never been there."""
    served = await serve(nursery, ChainNode(is_devnet=False))
    assert (await served.error("dev_accounts"))["code"] == -32601
    assert (await served.error("dev_getEntries", {"rollup": "alpha"}))["code"] == -32601


PARAMETERS: dict[str, tuple[str, object, str]] = {
    "unknown parameter": ("seq_status", {"x": 1}, "$.x"),
    "too many parameters": ("seq_getBlock", [1, False, 3], "$"),
    "parameters not a structure": ("seq_getBlock", "1", "$"),
    "missing": ("seq_getTransactionReceipt", {}, "$.id"),
    "upper-case hex": ("seq_getTransactionReceipt", {"id": "0x" + "AB" * 32}, "$.id"),
    "short id": ("seq_getTransactionReceipt", {"id": "0x00"}, "$.id"),
    "float height": ("seq_getBlock", {"height": 1.0}, "$.height"),
    "true is no height": ("seq_getBlock", {"height": True}, "$.height"),
    "height 0": ("seq_getBlock", {"height": 0}, "$.height"),
    "from height 0": ("seq_getBlocks", {"from": 0}, "$.from"),
    "negative height": ("seq_getBlocks", {"from": -1}, "$.from"),
    "huge height": ("seq_getBlocks", {"from": 2**70}, "$.from"),
    "unknown rollup": ("seq_getState", {"rollup": "delta", "key": "a"}, "$.rollup"),
    "bad key": ("seq_getState", {"rollup": "alpha", "key": "a b"}, "$.key"),
    "lone surrogate": ("seq_getState", {"rollup": "\ud800", "key": "a"}, "$.rollup"),
    "unknown kind of proof": ("seq_getProof", {"kind": "magic"}, "$.kind"),
    "bad channel": ("seq_getProof", {"kind": "sequence", "address": "0x" + "00" * 32, "channel": 16}, "$.channel"),
    "no transactions": ("seq_sendTransactions", {"transactions": []}, "$.transactions"),
    "1,001 transactions": ("seq_sendTransactions", {"transactions": [{}] * 1_001}, "$.transactions"),
}


@pytest.mark.parametrize("kind", PARAMETERS)
async def test_wrong_parameter_is_named_by_its_path(served: Served, kind: str) -> None:
    """-32602 with the path of the wrong field."""
    method, parameters, path = PARAMETERS[kind]
    error = await served.error(method, parameters)
    data = error["data"]
    assert isinstance(data, dict)
    assert (error["code"], data["path"]) == (-32602, path)


Change = Callable[[dict[str, object]], None]


def _set(*path: str | int, value: object) -> Change:
    def change(form: dict[str, object]) -> None:
        target: object = form
        for step in path[:-1]:
            target = target[step]  # type: ignore[index] # a form is dicts and lists all the way down
        target[path[-1]] = value  # type: ignore[index] # as above

    return change


MISSHAPEN: dict[str, tuple[Change, str]] = {
    "unknown field": (_set("bloc", value=1), "$.bloc"),
    "unknown field in a leg": (_set("legs", 0, "gas", value=1), "$.legs[0].gas"),
    "unknown field in a condition": (_set("legs", 0, "conditions", 0, "x", value=1), "$.legs[0].conditions[0].x"),
    "condition of unknown kind": (
        _set("legs", 0, "conditions", 0, "kind", value="magic"),
        "$.legs[0].conditions[0].kind",
    ),
    "bad key": (_set("legs", 0, "conditions", 0, "key", value="a b"), "$.legs[0].conditions[0].key"),
    "amount as number": (_set("legs", 0, "conditions", 0, "low", value=5), "$.legs[0].conditions[0].low"),
    "amount above u64": (
        _set("legs", 0, "operations", 0, "arguments", 2, value=str(2**64)),
        "$.legs[0].operations[0].arguments[2]",
    ),
    "leading zero": (
        _set("legs", 0, "operations", 0, "arguments", 2, value="01"),
        "$.legs[0].operations[0].arguments[2]",
    ),
    "unknown rollup": (_set("legs", 0, "rollup", value="delta"), "$.legs[0].rollup"),
    "no legs": (_set("legs", value=[]), "$.legs"),
    "17 legs": (_set("legs", value=[None] * 17), "$.legs"),
    "channel 16": (_set("channel", value=16), "$.channel"),
    "short signature": (_set("signatures", 0, value="0x00"), "$.signatures[0]"),
    "both forms": (_set("item", value="0x00"), "$.chain_id"),
}


@pytest.mark.parametrize("kind", MISSHAPEN)
async def test_misshapen_transaction_is_named_by_path_and_not_submitted(served: Served, kind: str) -> None:
    """-32602 with the path inside the transaction; the node never sees it."""
    change, path = MISSHAPEN[kind]
    genesis = served.node.genesis
    signed = make_transfer(genesis, 0, conditions=(AtLeast("balance/gold/x", 1),))
    form = transaction_to_json(signed, make_rollup_namer(genesis))
    change(form)
    error = await served.error("seq_sendTransaction", {"transaction": form})
    data = error["data"]
    assert isinstance(data, dict)
    assert (error["code"], data["path"], served.node.submissions) == (-32602, path, 0)


def _resign(signed: SignedBundle, **changes: Any) -> SignedBundle:
    bundle = replace(signed.bundle, **changes)
    return SignedBundle(bundle, (ALICE.sign(bundle.signing_bytes),))


GENESIS = make_genesis()
GOOD = make_transfer(GENESIS, 0)
POOR = make_signer("poor")

REJECTED: dict[str, tuple[bytes, str, str]] = {
    "not an item": (b"\x00", "MALFORMED", "$"),
    "trailing byte": (GOOD.item_bytes + b"\x00", "MALFORMED", "$"),
    "wrong signature": (SignedBundle(GOOD.bundle, (bytes(64),)).item_bytes, "BAD_SIGNATURE", "$.signatures[0]"),
    "signature of another": (
        SignedBundle(GOOD.bundle, (POOR.sign(GOOD.bundle.signing_bytes),)).item_bytes,
        "BAD_SIGNATURE",
        "$.signatures[0]",
    ),
    "a signature too many": (
        SignedBundle(GOOD.bundle, GOOD.signatures * 2).item_bytes,
        "BAD_SIGNATURE",
        "$.signatures",
    ),
    "another network": (_resign(GOOD, chain_id=bytes(32)).item_bytes, "WRONG_CHAIN", "$.chain_id"),
    "unknown kind": (b"\x93\x09\x90\x90", "UNKNOWN_KIND", "$.kind"),
    "sequence used": (make_transfer(GENESIS, 0, 2, channel=1).item_bytes, "SEQUENCE_USED", "$.sequence"),
    "sequence gap": (make_transfer(GENESIS, 9).item_bytes, "SEQUENCE_GAP", "$.sequence"),
    "expired": (_resign(GOOD, valid_until=0).item_bytes, "EXPIRED", "$.valid_until"),
    "not yet valid": (_resign(GOOD, valid_from=99).item_bytes, "NOT_YET_VALID", "$.valid_from"),
    "window upside down": (_resign(GOOD, valid_from=9, valid_until=8).item_bytes, "BAD_WINDOW", "$.valid_from"),
    "decide_within of a native bundle": (
        _resign(GOOD, decide_within=64).item_bytes,
        "BAD_DECIDE_WITHIN",
        "$.decide_within",
    ),
    "unfunded": (make_transfer(GENESIS, 0, signer=POOR).item_bytes, "UNFUNDED", "$.payer"),
}


@pytest.mark.parametrize("kind", REJECTED)
async def test_inadmissible_transaction_is_rejected_with_reason_and_path(served: Served, kind: str) -> None:
    """-32003 with the protocol's reason and the path of the wrong field; nothing is ordered, no root moves."""
    item, reason, path = REJECTED[kind]
    await served.node.submit_items((make_transfer(GENESIS, 0, channel=1).item_bytes,))
    before = served.node.advance().block.rows
    error = await served.error("seq_sendTransaction", {"transaction": {"item": to_hex(item)}})
    data = error["data"]
    assert isinstance(data, dict)
    assert (error["code"], data["reason"], data["path"]) == (-32003, reason, path)
    after = served.node.advance().block
    assert after.results == ()
    assert [row.state_root for row in after.rows] == [row.state_root for row in before]


async def test_oversize_item_is_refused_before_it_is_read(served: Served) -> None:
    """An item has at most 65,536 bytes."""
    error = await served.error("seq_sendTransaction", {"transaction": {"item": "0x" + "00" * 65_537}})
    assert error["code"] == -32602


async def test_batch_answers_each_call_on_its_own(served: Served) -> None:
    """One wrong call does not spoil the others, and a notification gets no answer."""
    body = f'[{{{STATUS}}},5,{{"jsonrpc":"2.0","method":"seq_status"}},{{"jsonrpc":"2.0","id":2,"method":"x"}}]'
    answers = (await served.post(body.encode())).json()
    assert [answer["id"] for answer in answers] == [1, None, 2]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, -32600, -32601]


async def test_notification_alone_gets_no_content(served: Served) -> None:
    """JSON-RPC demands that a notification is not answered."""
    response = await served.post(b'{"jsonrpc":"2.0","method":"seq_status"}')
    assert (response.status_code, response.content) == (204, b"")


async def test_mixed_submission_is_answered_item_by_item(served: Served) -> None:
    """Good, unreadable, misshapen and wrongly signed side by side; only the good one is taken."""
    genesis = served.node.genesis
    bad_form = transaction_to_json(GOOD, make_rollup_namer(genesis))
    bad_form["channel"] = 99
    transactions: list[object] = [
        {"item": to_hex(GOOD.item_bytes)},
        {"item": "0x00"},
        bad_form,
        {"item": to_hex(SignedBundle(GOOD.bundle, (bytes(64),)).item_bytes)},
    ]
    result = await served.result("seq_sendTransactions", {"transactions": transactions})
    assert isinstance(result, dict)
    assert [entry["status"] for entry in result["results"]] == ["accepted", "rejected", "rejected", "rejected"]
    assert [entry.get("path") for entry in result["results"]] == [None, "$", "$.channel", "$.signatures[0]"]
