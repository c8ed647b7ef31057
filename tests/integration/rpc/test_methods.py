"""Each method gives what `specs/rpc.md` says, from a real executor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
import trio

from sequencer.codec import decode
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.merkle import compute_root
from sequencer.crypto.signatures import Ed25519Signer, verify_ed25519
from sequencer.errors import VerificationError
from sequencer.light import (
    AbsenceView,
    CertificateView,
    FileView,
    InclusionView,
    ListView,
    MessageView,
    verify_evidence,
    verify_file,
    verify_receipt,
    verify_state_proof,
)
from sequencer.rpc.forms import make_rollup_namer, transaction_to_json
from sequencer.rpc.json_values import to_hex
from sequencer.rpc.methods import development
from sequencer.state.claim import StateProof
from sequencer.types.bundle import AtLeast, Leg, Operation
from sequencer.types.genesis import GenesisExecutor, RollupKind
from sequencer.types.item import SignedBundle
from sequencer.types.leaves import encode_namespace_row
from sequencer.types.message import compute_message_id
from sequencer.types.outcome import OutcomeLeaf, Status
from sequencer.types.verdict import (
    ExecutorCertificate,
    Verdict,
    VerdictStatement,
    compute_assumption,
    compute_statement_signing_bytes,
)
from tests.integration.rpc.chain import ALICE, BOB, ChainNode, make_evidence, make_genesis, make_transfer
from tests.integration.rpc.conftest import Served, serve
from tests.split_world import SPLIT_GENESIS

GOLD = f"balance/gold/{ALICE.public_key.hex()}"


async def get(served: Served, method: str, **parameters: object) -> Any:
    return await served.result(method, parameters)


async def send(served: Served, *amounts: int, **options: Any) -> list[str]:
    """Submit alice's transfers and execute them; returns their ids."""
    genesis = served.node.genesis
    start = served.node.executor.get_sequence(ALICE.public_key, 0)
    signed = [make_transfer(genesis, start + index, amount, **options) for index, amount in enumerate(amounts)]
    items = [{"item": to_hex(one.item_bytes)} for one in signed]
    answer = await get(served, "seq_sendTransactions", transactions=items)
    assert [entry["status"] for entry in answer["results"]] == ["accepted"] * len(amounts)
    served.node.advance()
    return [to_hex(one.id) for one in signed]


async def test_object_and_item_form_are_the_same_transaction(served: Served) -> None:
    """The server encodes the object canonically, so both have one id."""
    signed = make_transfer(served.node.genesis, 0)
    form = transaction_to_json(signed, make_rollup_namer(served.node.genesis))
    answer = await get(served, "seq_sendBundle", transaction=form)
    assert answer == {"id": to_hex(signed.id), "status": "accepted"}
    assert served.node.pending[0][0] == signed.item_bytes


async def test_receipt_goes_from_unknown_over_pending_to_final(served: Served) -> None:
    """The proof appears with the certificate and verifies against the genesis alone."""
    signed = make_transfer(served.node.genesis, 0)
    states = []
    for step in ("nothing", "sent", "executed", "certified"):
        if step == "sent":
            await get(served, "seq_sendTransaction", transaction={"item": to_hex(signed.item_bytes)})
        elif step == "executed":
            served.node.advance(is_certified=False)
        elif step == "certified":
            served.node.certify(1)
        receipt = await get(served, "seq_getTransactionReceipt", id=to_hex(signed.id))
        states.append((receipt["status"], receipt["is_final"]))
    assert states == [("unknown", False), ("pending", False), ("committed", False), ("committed", True)]
    view = verify_receipt(bytes.fromhex(receipt["proof"][2:]), served.node.genesis, verify_ed25519)
    assert (view.status, view.height, receipt["legs"][0]["rollup"]) == (Status.COMMIT, 1, "alpha")


async def test_aborted_bundle_says_why_and_proves_it(served: Served) -> None:
    """The reason is under the outcome root; what was expected and found stands beside it."""
    (bundle_id,) = await send(served, 1, conditions=(AtLeast(GOLD, 5_000),))
    receipt = await get(served, "seq_getTransactionReceipt", id=bundle_id)
    proof = (await get(served, "seq_getProof", kind="outcome", id=bundle_id))["proof"]
    view = verify_receipt(bytes.fromhex(proof[2:]), served.node.genesis, verify_ed25519)
    assert receipt["status"] == "aborted"
    assert receipt["reason"] == view.reason
    assert view.reason.startswith("NO:alpha:")
    assert receipt["failures"][0]["path"] == "$.legs[0].conditions[0]"


async def test_waiting_send_answers_when_final(served: Served, nursery: trio.Nursery) -> None:
    """With `wait_ms` the answer is the receipt."""
    signed = make_transfer(served.node.genesis, 0)

    async def execute_when_sent() -> None:
        while not served.node.pending:
            await trio.lowlevel.checkpoint()
        served.node.advance()

    nursery.start_soon(execute_when_sent)
    receipt = await get(served, "seq_sendTransaction", transaction={"item": to_hex(signed.item_bytes)}, wait_ms=5_000)
    assert (receipt["status"], receipt["is_final"]) == ("committed", True)


async def test_waiting_send_that_is_not_final_in_time_gives_the_id(served: Served) -> None:
    """Code 4: taken in, ask for the id later."""
    signed = make_transfer(served.node.genesis, 0)
    parameters = {"transaction": {"item": to_hex(signed.item_bytes)}, "wait_ms": 50}
    error = await served.error("seq_sendTransaction", parameters)
    assert (error["code"], error["data"]) == (4, {"id": to_hex(signed.id)})


async def test_transaction_sent_again_is_told_with_its_record(served: Served) -> None:
    """A client that resends learns that the first copy counts."""
    (bundle_id,) = await send(served, 1)
    signed = make_transfer(served.node.genesis, 0, 1)
    error: Any = await served.error("seq_sendTransaction", [{"item": to_hex(signed.item_bytes)}])
    assert (error["code"], error["data"]["reason"], error["data"]["record"]["id"]) == (
        -32003,
        "SEQUENCE_USED",
        bundle_id,
    )


async def test_listed_leaves_give_the_roots_of_the_commitment(served: Served) -> None:
    """What `seq_getBlock` shows is enough to recompute block digest, batch root and outcome root."""
    await send(served, 1, 2, 3)
    block = await get(served, "seq_getBlock", height=1, items=True)
    rows = [
        encode_namespace_row(entry["id"], len(leaves), compute_root(leaves))
        for entry in block["rollups"]
        if (leaves := [bytes.fromhex(leaf[2:]) for leaf in entry["leaves"]])
    ]
    outcomes = [
        OutcomeLeaf(bytes.fromhex(one["id"][2:]), Status[one["outcome"]], one["reason"]).to_bytes()
        for one in block["outcomes"]
    ]
    commitment = block["commitment"]
    assert to_hex(compute_root(rows)) == commitment["batch_root"]
    assert to_hex(compute_root(outcomes)) == commitment["outcome_root"]
    assert to_hex(hash_tagged(Tag.COMMITMENT, bytes.fromhex(commitment["bytes"][2:]))) == commitment["digest"]
    assert to_hex(hash_tagged(Tag.BLOCK, bytes.fromhex(block["header"][2:]))) == block["digest"]
    assert [result["index"] for result in block["results"]] == [0, 1, 2]
    assert len(block["items"]) == 3


async def test_blocks_come_in_pages_that_say_where_to_go_on(served: Served) -> None:
    """`until` is exclusive, a page has at most 100, the head is an empty page."""
    for _ in range(105):
        served.node.advance()
    first = await get(served, "seq_getBlocks", **{"from": 1})
    short = await get(served, "seq_getBlocks", **{"from": 101, "until": 103})
    head = await get(served, "seq_getBlocks", **{"from": 106})
    assert (len(first["blocks"]), first["next"]) == (100, 101)
    assert [block["height"] for block in short["blocks"]] == [101, 102]
    assert (head["blocks"], head["next"], head["certificate"]["height"]) == ([], 106, 105)


@pytest.mark.parametrize(("height", "reason"), [(1, "pruned"), (9, "future")])
async def test_block_that_is_not_there_says_why(served: Served, height: int, reason: str) -> None:
    """-32001 with `pruned` or `future`."""
    for _ in range(4):
        served.node.advance()
    served.node.oldest_height = 3
    error: Any = await served.error("seq_getBlock", {"height": height})
    assert (error["code"], error["data"]["reason"]) == (-32001, reason)


async def test_state_of_a_future_height_says_so(served: Served) -> None:
    """-32001 `future`, not `pruned`."""
    error: Any = await served.error("seq_getState", {"rollup": "alpha", "key": GOLD, "height": 9})
    assert (error["code"], error["data"]["reason"]) == (-32001, "future")


async def test_state_of_a_split_rollup_that_is_not_executed_names_who_does(nursery: trio.Nursery) -> None:
    """-32006, never a value; a native rollup of the same network is told."""
    served = await serve(nursery, ChainNode(SPLIT_GENESIS))
    error: Any = await served.error("seq_getState", {"rollup": "delta", "key": "kv/a"})
    native = await get(served, "seq_getState", rollup="alpha", key="kv/a")
    assert (error["code"], error["data"]) == (
        -32006,
        {"reason": "not_executed", "rollup": "delta", "executors": ["executor-0", "executor-1", "executor-2"]},
    )
    assert native["value"] is None


async def test_state_of_an_earlier_height_is_told(served: Served) -> None:
    """Each height that is kept has its own value."""
    await send(served, 40)
    await send(served, 10)
    values = [(await get(served, "seq_getState", rollup="alpha", key=GOLD, height=at))["value"] for at in range(3)]
    assert values == ["1000", "960", "950"]


async def test_pruned_start_of_a_range_is_told(served: Served) -> None:
    """A follower learns that it has missed blocks, instead of waiting for them."""
    for _ in range(4):
        served.node.advance()
    served.node.oldest_height = 3
    error: Any = await served.error("seq_getBlocks", {"from": 1})
    assert (error["code"], error["data"]["oldest_height"]) == (-32001, 3)


async def test_state_and_account_are_those_after_the_newest_height(served: Served) -> None:
    """Amounts are decimal strings, an absent key is null."""
    await send(served, 40)
    state = await get(served, "seq_getState", rollup="alpha", key=GOLD)
    absent = await get(served, "seq_getState", rollup="alpha", key="nothing")
    account = await get(served, "seq_getAccount", address=to_hex(ALICE.public_key))
    assert state == {"height": 1, "settled_height": 1, "is_settled": True, "value": "960"}
    assert absent == {"height": 1, "settled_height": 1, "is_settled": True, "value": None}
    assert (account["deposit"], account["sequences"]) == ("9998999", [1] + [0] * 15)


PROOFS: dict[str, dict[str, object]] = {
    "state": {"rollup": "alpha", "key": GOLD},
    "sequence": {"address": to_hex(ALICE.public_key), "channel": 0},
    "deposit": {"address": to_hex(ALICE.public_key)},
    "absence": {"rollup": "beta", "key": "nothing"},
}


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("state", GOLD, 960),
        ("sequence", f"sequence/{ALICE.public_key.hex()}/0", 1),
        ("deposit", f"deposit/{ALICE.public_key.hex()}", 9_998_999),
        ("absence", "nothing", None),
    ],
)
async def test_proof_verifies_against_the_genesis_and_another_value_does_not(
    served: Served, kind: str, key: str, value: int | None
) -> None:
    """The same file with the value one higher proves nothing."""
    await send(served, 40)
    answer = await get(served, "seq_getProof", kind="state" if kind == "absence" else kind, **PROOFS[kind])
    data = bytes.fromhex(answer["proof"][2:])
    view = verify_state_proof(data, served.node.genesis, verify_ed25519)
    assert (view.key, view.value, view.height) == (key, value, 1)
    forged = StateProof.from_bytes(data)
    object.__setattr__(forged.claim, "value", (value or 0) + 1)
    with pytest.raises(VerificationError):
        verify_state_proof(forged.to_bytes(), served.node.genesis, verify_ed25519)


async def test_proof_of_an_older_height_chains_up_to_the_next_certificate(served: Served) -> None:
    """Height 1 is not certified itself; the certificate of height 3 covers it."""
    await send(served, 40)
    served.node.records[0] = type(served.node.records[0])(served.node.records[0].block, None)
    served.node.advance(is_certified=False)
    served.node.advance()
    answer = await get(served, "seq_getProof", kind="deposit", address=to_hex(BOB.public_key), height=1)
    view = verify_state_proof(bytes.fromhex(answer["proof"][2:]), served.node.genesis, verify_ed25519)
    assert (view.height, view.certified_height) == (1, 3)


async def test_proof_without_a_certificate_is_told(served: Served) -> None:
    """-32001 until validators have signed."""
    served.node.advance(is_certified=False)
    error: Any = await served.error("seq_getProof", {"kind": "deposit", "address": to_hex(BOB.public_key)})
    assert (error["code"], error["data"]["reason"]) == (-32001, "future")


async def get_file(served: Served, **question: object) -> FileView:
    """Return what the proof file that answers a question proves."""
    answer = await get(served, "seq_getProof", **question)
    return verify_file(bytes.fromhex(answer["proof"][2:]), served.node.genesis, verify_ed25519)


async def test_inclusion_is_proven_by_the_id(served: Served) -> None:
    """The second of three transfers, of any outcome."""
    ids = await send(served, 40, 41, 42)
    view = await get_file(served, kind="inclusion", id=ids[1])
    assert isinstance(view, InclusionView)
    assert (to_hex(view.item_id), view.height, view.index, view.rollups) == (ids[1], 1, 1, (1,))


@pytest.mark.parametrize("rollup", ["alpha", "system"])
async def test_list_of_a_height_is_proven_whole(served: Served, rollup: str) -> None:
    """All three, in order, under alpha and among all items."""
    ids = await send(served, 40, 41, 42)
    view = await get_file(served, kind="list", rollup=rollup)
    assert isinstance(view, ListView)
    assert [to_hex(item_id) for item_id in view.item_ids] == ids


async def test_list_of_a_rollup_without_items_is_proven_absence(served: Served) -> None:
    """Neither beta nor gamma has anything at height 1, which the certificate of height 2 covers."""
    await send(served, 40)
    served.node.records[0] = type(served.node.records[0])(served.node.records[0].block, None)
    served.node.advance()
    view = await get_file(served, kind="list", rollup="beta", height=1)
    assert isinstance(view, AbsenceView)
    assert (view.namespaces, view.height, view.certified_height) == ((2, 3), 1, 2)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"kind": "inclusion", "id": "0x" + "00" * 32}, "unknown"),
        ({"kind": "verdict", "id": "0x" + "00" * 32, "rollup": "alpha"}, "unknown"),
        ({"kind": "list", "rollup": "alpha", "height": 9}, "future"),
        ({"kind": "message", "rollup": "alpha", "id": "0x" + "00" * 32}, "unknown"),
    ],
)
async def test_proof_of_what_is_not_there_is_refused(served: Served, question: dict[str, object], reason: str) -> None:
    """An unknown id, and a height that does not exist yet."""
    await send(served, 40)
    error: Any = await served.error("seq_getProof", question)
    assert (error["code"], error["data"]["reason"]) == (-32001, reason)


async def test_message_is_proven_by_the_id(served: Served) -> None:
    """Alice sends 5 gold from alpha to bob on beta."""
    genesis = served.node.genesis
    leg = Leg(1, ALICE.public_key, (), (Operation("send", (2, "gold", BOB.public_key, 5)),), None)
    bundle = replace(make_transfer(genesis, 0).bundle, legs=(leg,))
    signed = SignedBundle(bundle, (ALICE.sign(bundle.signing_bytes),))
    await get(served, "seq_sendTransaction", transaction={"item": to_hex(signed.item_bytes)})
    served.node.advance()
    message_id = compute_message_id(1, bundle.id, 0, 0)
    view = await get_file(served, kind="message", rollup="alpha", id=to_hex(message_id))
    assert isinstance(view, MessageView)
    assert (view.message.id, view.message.amount, view.height) == (message_id, 5, 1)


EXECUTOR = Ed25519Signer(bytes([77]) * 32)


async def test_verdict_in_the_log_is_proven(nursery: trio.Nursery) -> None:
    """Gamma is split here: its only executor's certificate takes effect at height 2, and says YES."""
    alpha, beta, gamma = make_genesis().rollups
    executors = (GenesisExecutor("gamma-0", EXECUTOR.public_key),)
    split = replace(gamma, kind=RollupKind.SPLIT, executors=executors)
    node = ChainNode(replace(make_genesis(), rollups=(alpha, beta, split)))
    served = await serve(nursery, node)
    leg = Leg(3, ALICE.public_key, (), (Operation("set", ("kv/a", 1)),), None)
    bundle = replace(make_transfer(node.genesis, 0).bundle, legs=(leg,), decide_within=9)
    node.pending.append((b"", SignedBundle(bundle, (bytes(64),))))
    node.advance()
    statement = VerdictStatement(3, bundle.id, Verdict.YES, "", (), compute_assumption((), ()))
    signature = EXECUTOR.sign(compute_statement_signing_bytes(node.genesis.chain_id, statement))
    certificate = ExecutorCertificate(statement, (0,), (signature,))
    node.pending.append((certificate.item_bytes, certificate))
    node.advance()
    view = await get_file(served, kind="verdict", id=to_hex(bundle.id), rollup="gamma")
    assert isinstance(view, CertificateView)
    assert (view.statement, view.executors) == (statement, ("gamma-0",))


async def test_verdict_of_a_native_rollup_is_not_in_the_log(served: Served) -> None:
    """Every validator executed it, so nobody certified anything."""
    (bundle_id,) = await send(served, 40)
    error: Any = await served.error("seq_getProof", {"kind": "verdict", "id": bundle_id, "rollup": "alpha"})
    assert "no verdict of this rollup" in error["message"]


async def test_network_methods_tell_the_genesis(served: Served) -> None:
    """Validators, rollups, accounts and the genesis' own bytes."""
    genesis = served.node.genesis
    validators = await get(served, "seq_validators")
    rollups = await get(served, "seq_rollups")
    fetched = await get(served, "seq_genesis")
    accounts = await get(served, "dev_accounts")
    assert [entry["name"] for entry in validators["validators"]] == ["val0", "val1", "val2", "val3"]
    assert (validators["total_power"], validators["strong_power"]) == (4, 3)
    assert [entry["name"] for entry in rollups] == ["alpha", "beta", "gamma"]
    assert to_hex(hash_tagged(Tag.GENESIS, bytes.fromhex(fetched["genesis"][2:]))) == to_hex(genesis.chain_id)
    assert accounts[0]["address"] == to_hex(ALICE.public_key)
    assert await get(served, "seq_getEvidence") == []


async def test_all_entries_of_a_state_are_told_in_pages(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix narrows them; one page says behind which key the next one begins. The system has a name too."""
    monkeypatch.setattr(development, "ENTRIES_PER_QUERY_MAX", 1)
    first = await get(served, "dev_getEntries", rollup="alpha", prefix="balance/gold/")
    assert len(first["entries"]) == 1
    second = await get(served, "dev_getEntries", rollup="alpha", prefix="balance/gold/", after=first["next"])
    keys = [key for page in (first, second) for key, _ in page["entries"]]
    assert len(keys) == 2
    assert keys == sorted(set(keys))
    key, value = first["entries"][0]
    assert (await get(served, "seq_getState", rollup="alpha", key=key))["value"] == value
    system = await get(served, "dev_getEntries", rollup="system", prefix="deposit/")
    assert system["entries"][0][0].startswith("deposit/")
    assert (await served.error("dev_getEntries", {"rollup": "omega"}))["code"] == -32602
    assert (await served.error("dev_getEntries", {"rollup": "alpha", "height": 10_000}))["code"] == -32001


async def test_status_says_how_every_rollup_stands(served: Served) -> None:
    """Native ones are executed here and settle at once."""
    await send(served, 5)
    status = await get(served, "seq_status")
    assert (status["role"], status["executes"]) == ("validator", None)
    assert [row["name"] for row in status["rollups"]] == ["alpha", "beta", "gamma"]
    rows = [{**row, "name": ""} for row in status["rollups"]]
    assert rows == 3 * [
        {
            "name": "",
            "kind": "native",
            "is_executed": True,
            "settled_height": status["height"],
            "certified_settled_height": None,
            "is_suspended": False,
            "is_frozen": False,
        }
    ]


async def test_evidence_is_given_in_pages_with_the_bytes_that_prove_it(served: Served) -> None:
    """`index` is where a piece stands for ever; the next page starts above the last one."""
    genesis = served.node.genesis
    served.node.evidence = tuple(make_evidence(genesis, view) for view in (3, 5, 7))
    pages = [await get(served, "seq_getEvidence", **{"from": start, "limit": 2}) for start in (0, 2, 3)]
    told = [[(one["index"], one["rule"], one["validator"], one["view"]) for one in page] for page in pages]
    assert told == [[(0, "X1", "val1", 3), (1, "X1", "val1", 5)], [(2, "X1", "val1", 7)], []]
    view = verify_evidence(bytes.fromhex(pages[0][0]["bytes"][2:]), genesis, verify_ed25519)
    assert (to_hex(view.evidence_id), view.number) == (pages[0][0]["id"], 3)


@pytest.mark.parametrize(
    ("parameters", "path"), [({"from": -1}, "$.from"), ({"limit": 0}, "$.limit"), ({"limit": 101}, "$.limit")]
)
async def test_page_of_evidence_that_cannot_be_is_refused(
    served: Served, parameters: dict[str, int], path: str
) -> None:
    """The wrong parameter is named."""
    error: Any = await served.error("seq_getEvidence", parameters)
    assert (error["code"], error["data"]["path"]) == (-32602, path)


async def test_subscription_says_where_the_stream_is(served: Served) -> None:
    """-32004."""
    assert (await served.error("seq_subscribe"))["code"] == -32004


async def test_health_tells_illness(served: Served) -> None:
    """503 before the first block, 200 after it."""
    async with httpx.AsyncClient(trust_env=False) as http:
        before = await http.get(served.url + "health")
        served.node.advance()
        after = await http.get(served.url + "health")
    assert (before.status_code, after.status_code) == (503, 200)
    assert (before.json()["reason"], after.json()["reason"]) == ("no block yet", None)


async def test_metrics_are_in_prometheus_format(served: Served) -> None:
    """Each name has HELP and TYPE once; calls are counted by method."""
    await get(served, "seq_status")
    async with httpx.AsyncClient(trust_env=False) as http:
        lines = (await http.get(served.url + "metrics")).text.splitlines()
    assert 'sequencer_height{name="val0"} 0' in lines
    assert 'sequencer_rpc_calls_total{method="seq_status"} 1' in lines
    assert lines.count("# TYPE sequencer_rpc_calls_total counter") == 1


async def test_other_network_has_another_chain_id(served: Served) -> None:
    """Control for every check against the genesis: the name alone changes it."""
    assert make_genesis(name="other").chain_id != served.node.genesis.chain_id
    assert decode(ChainNode().genesis.to_bytes(), "genesis")
