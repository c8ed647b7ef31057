"""`seq_checkBundle` foretells what the next block makes of a transaction, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from sequencer.rpc.forms import make_rollup_namer, transaction_to_json
from sequencer.rpc.json_values import to_hex
from sequencer.types.bundle import AtLeast, Condition, Equals, HeightWindow, InRange, NonceIs, TimeWindow
from sequencer.types.item import SignedBundle
from tests.integration.rpc.chain import ALICE, BLOCK_INTERVAL_MS, BOB, GENESIS_TIME_MS, make_transfer
from tests.integration.rpc.conftest import Served

GOLD = f"balance/gold/{ALICE.public_key.hex()}"
TIME_MS = GENESIS_TIME_MS + BLOCK_INTERVAL_MS

TRUE_CONDITIONS = (
    Equals(GOLD, 1_000),
    Equals("kv/none", None),
    AtLeast(GOLD, 1_000),
    InRange(GOLD, 1_000, 1_000),
    NonceIs(ALICE.public_key, 0),
    HeightWindow(1, 1),
    TimeWindow(GENESIS_TIME_MS, TIME_MS),
)
FALSE_CONDITIONS = (
    (Equals(GOLD, 7), "NOT_EQUAL", "7", "1000"),
    (Equals(GOLD, None), "NOT_EQUAL", "null", "1000"),
    (AtLeast(GOLD, 1_001), "TOO_LOW", "at least 1001", "1000"),
    (InRange(GOLD, 1_001, 2_000), "OUT_OF_RANGE", "1001..2000", "1000"),
    (NonceIs(ALICE.public_key, 3), "WRONG_NONCE", "3", "0"),
    (NonceIs(BOB.public_key, 0), "NOT_SIGNER", f"the leg's signer {ALICE.public_key.hex()}", BOB.public_key.hex()),
    (HeightWindow(5, 9), "OUTSIDE_HEIGHTS", "5..9", "1"),
    (TimeWindow(0, 9), "OUTSIDE_TIMES", "0..9", str(GENESIS_TIME_MS + 1)),
)


async def check(served: Served, signed: SignedBundle) -> Any:
    return await served.result("seq_checkBundle", {"transaction": {"item": to_hex(signed.item_bytes)}})


async def execute(served: Served, signed: SignedBundle) -> Any:
    """Submit and execute; returns the receipt."""
    await served.result("seq_sendTransaction", {"transaction": {"item": to_hex(signed.item_bytes)}})
    served.node.advance()
    return await served.result("seq_getTransactionReceipt", {"id": to_hex(signed.id)})


@pytest.mark.parametrize("condition", TRUE_CONDITIONS, ids=str)
async def test_check_of_true_condition_foretells_the_commit(served: Served, condition: Condition) -> None:
    """Each kind of condition, then the real thing."""
    signed = make_transfer(served.node.genesis, 0, conditions=(condition,))
    foretold, receipt = await check(served, signed), await execute(served, signed)
    assert (foretold["would"], foretold["failures"], receipt["status"]) == ("commit", [], "committed")
    assert foretold["fee"] == receipt["fee"]


@pytest.mark.parametrize(("condition", "code", "expected", "found"), FALSE_CONDITIONS, ids=str)
async def test_check_of_false_condition_names_it_with_expected_and_found(
    served: Served, condition: Condition, code: str, expected: str, found: str
) -> None:
    """The first true condition passes, the second is named; reason and fee are those of the receipt."""
    signed = make_transfer(served.node.genesis, 0, conditions=(Equals(GOLD, 1_000), condition))
    foretold, receipt = await check(served, signed), await execute(served, signed)
    path = "$.legs[0].conditions[1]"
    assert foretold["failures"] == [
        {"rollup": "alpha", "code": code, "path": path, "expected": expected, "found": found}
    ]
    assert (foretold["would"], receipt["status"]) == ("abort", "aborted")
    assert (foretold["reason"], foretold["fee"]) == (receipt["reason"], receipt["fee"])


async def test_check_of_draft_without_signatures_is_about_the_rest(served: Served) -> None:
    """The same object with a wrong signature is refused for it, without signatures it would commit."""
    signed = make_transfer(served.node.genesis, 0)
    draft = transaction_to_json(signed, make_rollup_namer(served.node.genesis))
    wrong: Any = await served.result("seq_checkBundle", {"transaction": {**draft, "signatures": ["0x" + "11" * 64]}})
    del draft["signatures"]
    right: Any = await served.result("seq_checkBundle", {"transaction": draft})
    assert (wrong["would"], wrong["rejection"]["reason"]) == ("inadmissible", "BAD_SIGNATURE")
    assert (right["would"], right["rejection"], right["height"]) == ("commit", None, 0)


async def test_check_of_inadmissible_transaction_names_the_field(served: Served) -> None:
    """A sequence that is not the next."""
    foretold = await check(served, make_transfer(served.node.genesis, 4))
    assert (foretold["would"], foretold["reason"], foretold["fee"]) == ("inadmissible", "SEQUENCE_GAP", "0")
    assert foretold["rejection"]["path"] == "$.sequence"


async def test_check_changes_nothing(served: Served) -> None:
    """State, sequence and deposit are as before."""
    before = served.node.executor.take_snapshot()
    await check(served, make_transfer(served.node.genesis, 0))
    assert served.node.executor.take_snapshot() == before


async def test_checked_sending_refuses_what_would_abort_with_the_condition(served: Served) -> None:
    """-32003 with path, expected and found, and nothing is taken in; unchecked the same is taken in."""
    signed = make_transfer(served.node.genesis, 0, conditions=(AtLeast(GOLD, 1_001),))
    transaction = {"item": to_hex(signed.item_bytes)}
    error: Any = await served.error("seq_sendBundle", {"transaction": transaction, "check": True})
    shown = {name: error["data"][name] for name in ("path", "expected", "found", "rollup", "code")}
    assert error["code"] == -32003
    assert shown == {
        "path": "$.legs[0].conditions[0]",
        "expected": "at least 1001",
        "found": "1000",
        "rollup": "alpha",
        "code": "TOO_LOW",
    }
    assert served.node.pending == []
    answer: Any = await served.result("seq_sendBundle", {"transaction": transaction})
    assert answer["status"] == "accepted"


async def test_checked_sending_takes_what_would_commit(served: Served) -> None:
    """Control of the refusal."""
    transaction = {"item": to_hex(make_transfer(served.node.genesis, 0).item_bytes)}
    answer: Any = await served.result("seq_sendBundle", {"transaction": transaction, "check": True})
    assert answer["status"] == "accepted"


async def test_draft_in_the_words_of_erc_7796_is_checked(served: Served) -> None:
    """A false slot is found at the place behind the leg's own conditions; too many slots are a limit."""
    draft = transaction_to_json(make_transfer(served.node.genesis, 0), make_rollup_namer(served.node.genesis))
    del draft["signatures"]
    legs: Any = draft["legs"]
    account = to_hex(BOB.public_key)
    legs[0]["conditional"] = {"knownAccounts": {account: {"balance": {"gold": "0x1"}}}, "blockNumberMax": 9}
    foretold: Any = await served.result("seq_checkBundle", {"transaction": draft})
    assert [(one["path"], one["found"]) for one in foretold["failures"]] == [("$.legs[0].conditions[0]", "1000")]
    legs[0]["conditional"] = {"knownAccounts": {account: {f"kv/{number}": "1" for number in range(65)}}}
    error: Any = await served.error("seq_checkBundle", {"transaction": draft})
    assert (error["code"], error["data"]["limit"]) == (-32005, "conditions")
