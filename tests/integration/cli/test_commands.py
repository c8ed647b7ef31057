"""Every command against one node: what it prints, and with which status it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from sequencer.cli.bundle import EXAMPLE
from sequencer.cli.cluster.blueprint import Wish, draw
from sequencer.cli.cluster.rollups import ROLLUPS_DEFAULT
from sequencer.rpc.server import RpcAddress, serve_rpc
from tests.integration.cli.conftest import Done, EagerNode, Shell

TRANSFER = ("tx", "send", "--from", "alice", "--to", "bob", "--amount", "5")


async def send_transfer(shell: Shell) -> Done:
    return await shell.ask(*TRANSFER)


async def send_bundle(shell: Shell, conditions: list[object]) -> Done:
    """Alice and bob swap gold for silver by a file that leaves out all it can."""
    path = shell.folder / "bundle.json"
    path.write_text(
        json.dumps(
            {
                "payer": "alice",
                "legs": [
                    {
                        "rollup": "alpha",
                        "signer": "alice",
                        "operations": [{"name": "transfer", "arguments": ["gold", {"account": "bob"}, "7"]}],
                    },
                    {
                        "rollup": "beta",
                        "signer": "bob",
                        "conditions": conditions,
                        "operations": [{"name": "transfer", "arguments": ["silver", {"account": "alice"}, "9"]}],
                    },
                ],
            }
        )
    )
    return await shell.ask("bundle", "send", str(path))


async def test_draft_names_accounts_rollups_and_outputs(shell: Shell) -> None:
    """Burn on alpha, mint on beta, send from beta, and demand something of what a leg read."""
    burn = {"name": "burn", "arguments": ["gold", "5"]}
    mint = {"name": "mint", "arguments": ["gold", {"account": "bob"}, "5"]}
    send = {"name": "send", "arguments": [{"rollup": "alpha"}, "gold", {"account": "alice"}, "1"]}
    read = {"name": "read_balance", "arguments": ["gold", {"account": "bob"}]}
    demand = {"name": "require_at_least", "arguments": ["1", {"leg": 1, "output": "balance"}]}
    legs = [
        {"rollup": "alpha", "signer": "alice", "operations": [burn]},
        {"rollup": "beta", "signer": "bob", "operations": [mint, send, read]},
        {"rollup": "gamma", "signer": "alice", "operations": [demand]},
    ]
    path = shell.folder / "bundle.json"
    path.write_text(json.dumps({"payer": "alice", "legs": legs}))
    done = await shell.ask("bundle", "send", str(path))
    assert (done.status, done.result["status"]) == (0, "committed"), done.err


FALSE_CONDITION = {"kind": "at_least", "key": "balance/silver/ff", "low": "1"}


async def test_status_has_the_frozen_fields(shell: Shell) -> None:
    """Programs rely on these names."""
    done = await shell.ask("status")
    assert done.status == 0
    frozen = {"height", "commitment", "certified_height", "view", "peers", "chain_id", "role", "durability", "gossip"}
    assert frozen <= done.result.keys()
    assert done.result["gossip"].keys() == {"published", "received", "included"}


async def test_status_of_a_height_is_its_commitment(shell: Shell) -> None:
    """`--height` gives height and commitment, nothing else."""
    done = await shell.ask("status", "--height", "1")
    commitment = shell.node.records[0].block.commitment.digest
    assert (done.status, done.result) == (0, {"height": 1, "commitment": f"0x{commitment.hex()}"})


@pytest.mark.parametrize(("height", "oldest", "reason"), [("99", 1, "future"), ("1", 2, "pruned")])
async def test_status_of_a_height_that_is_not_there_exits_2_with_the_reason(
    shell: Shell, height: str, oldest: int, reason: str
) -> None:
    """A program tells `future` from `pruned`."""
    shell.node.oldest_height = oldest
    done = await shell.ask("status", "--height", height)
    assert (done.status, done.result["error"]) == (2, reason)


async def test_validators_are_listed(shell: Shell) -> None:
    """All of the committee with their powers."""
    done = await shell.ask("validators")
    assert [entry["name"] for entry in done.result["validators"]] == ["val0", "val1", "val2", "val3"]


async def test_transfer_is_sent_and_becomes_final(shell: Shell) -> None:
    """The result names id, height and outcome."""
    done = await send_transfer(shell)
    assert (done.status, done.result["status"], done.result["height"]) == (0, "committed", 2)


async def test_transfer_of_an_account_with_a_key_file_is_signed_by_it(shell: Shell) -> None:
    """Outside a devnet the key comes from a file."""
    alice = next(account for account in shell.node.drawn.accounts if account.name == "alice")
    key = shell.folder / "my.key"
    key.write_text(alice.seed.hex() + "\n")
    done = await shell.ask("tx", "send", "--from", str(key), "--to", "bob", "--amount", "1")
    assert done.result["status"] == "committed"


async def test_transfer_without_waiting_returns_when_it_is_taken_in(shell: Shell) -> None:
    """`--no-wait` gives the id only."""
    shell.node.is_ordering = False
    done = await shell.ask(*TRANSFER, "--no-wait")
    assert (done.status, done.result["status"]) == (0, "accepted")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("tx", "send", "--from", "zoe", "--to", "bob", "--amount", "1"), "neither a key file nor an account"),
        (("tx", "send", "--from", "alice", "--to", "zoe", "--amount", "1"), "no account known here"),
        (("tx", "send", "--from", "alice", "--to", "bob", "--amount", "-1"), "amount"),
        (("tx", "send", "--from", "alice", "--to", "bob", "--amount", "1", "--rollup", "omega"), "omega|rollup"),
        (("bundle", "send", "nowhere.json"), "nowhere.json cannot be read"),
        (("bundle", "why", "0x" + "00" * 32), "unknown"),
        (("bundle", "why", "zzz"), "id"),
        (("rpc", "seq_nothing"), "seq_nothing"),
        (("rpc", "seq_status", "{"), "no JSON"),
        (("rpc", "seq_status", "7"), "object or array"),
        (("receipt", "0x" + "00" * 32, "--out", "x"), "unknown"),
        (("proof", "inclusion", "--out", "x"), "needs --id"),
        (("proof", "list", "--rollup", "alpha", "--key", "a", "--out", "x"), "takes no --key"),
        (("proof", "outcome", "--id", "0x" + "00" * 32, "--out", "x"), "no certificate covers"),
        (("example", "dance"), "no example is called"),
    ],
)
async def test_wrong_input_exits_2_with_the_reason(shell: Shell, words: tuple[str, ...], text: str) -> None:
    """A person reads what is wrong, without a traceback."""
    done = await shell.ask(*words)
    assert done.status == 2
    assert any(part in done.result["message"] for part in text.split("|")), done.result
    assert "Traceback" not in done.err


async def test_no_node_at_the_address_exits_2(shell: Shell) -> None:
    """A dead address is told as such."""
    done = await shell.run("status", "--rpc", "http://127.0.0.1:1", "--json")
    assert done.status == 2
    assert "127.0.0.1:1" in done.err


async def test_bundle_from_a_file_commits(shell: Shell) -> None:
    """Names sign, and what is left out is filled in."""
    done = await send_bundle(shell, [])
    assert (done.status, done.result["status"]) == (0, "committed")


async def test_bundle_check_foretells_and_sends_nothing(shell: Shell) -> None:
    """True: commit; false: the condition with what it expected and found."""
    path = shell.folder / "checked.json"
    draft = json.loads(EXAMPLE.partition("\n")[2])
    answers = []
    for low in ("1", str(2**63)):
        draft["legs"][1]["conditions"][0]["low"] = low
        path.write_text(json.dumps(draft))
        answers.append((await shell.ask("bundle", "check", str(path))).result)
    assert [answer["would"] for answer in answers] == ["commit", "abort"]
    assert answers[1]["failures"][0]["expected"] == f"at least {2**63}"
    assert shell.node.submissions == 0


async def test_bundle_send_with_check_sends_nothing_that_would_abort(shell: Shell) -> None:
    """Exit 2 with the reason, and the sequence is not spent; what is true goes through."""
    path = shell.folder / "checked.json"
    draft = json.loads(EXAMPLE.partition("\n")[2])
    done = []
    for low in (str(2**63), "1"):
        draft["legs"][1]["conditions"][0]["low"] = low
        path.write_text(json.dumps(draft))
        done.append(await shell.ask("bundle", "send", str(path), "--check"))
    assert [one.status for one in done] == [2, 0]
    assert "TOO_LOW" in done[0].result["message"]
    assert shell.node.submissions == 1


async def test_bundle_cancel_takes_the_place_of_what_is_held(shell: Shell) -> None:
    """The cancellation commits with the sequence of the bundle and costs the base fee only."""
    path = shell.folder / "held.json"
    path.write_text(EXAMPLE.partition("\n")[2])
    shell.node.is_ordering = False
    held = (await shell.ask("bundle", "send", str(path), "--no-wait")).result
    before = (await shell.ask("bundle", "why", held["id"])).result
    shell.node.pending.clear()  # what is held here is replaced, not ordered: this node has no mempool
    shell.node.is_ordering = True
    words = ("--payer", "alice", "--sequence", str(before["sequence"]))
    done = await shell.ask("bundle", "cancel", *words)
    assert (before["status"], done.status, done.result["status"]) == ("pending", 0, "committed")
    assert done.result["fee"] == str(shell.node.genesis.parameters.fee_base)


async def test_bundle_cancel_of_what_is_ordered_is_refused(shell: Shell) -> None:
    """After inclusion there is no cancel (A18)."""
    sent = await send_bundle(shell, [])
    done = await shell.ask("bundle", "cancel", sent.result["id"])
    assert (done.status, done.result["error"]) == (2, "not-held")


async def test_bundle_of_the_help_text_commits(shell: Shell) -> None:
    """What the help shows works as it stands."""
    path = shell.folder / "example.json"
    path.write_text(EXAMPLE.partition("\n")[2])
    done = await shell.ask("bundle", "send", str(path))
    assert (done.status, done.result["status"]) == (0, "committed")


async def test_bundle_with_a_false_condition_aborts_and_why_says_it(shell: Shell) -> None:
    """An abort is an answer, not an error; `why` says which rollup expected what."""
    done = await send_bundle(shell, [FALSE_CONDITION])
    why = await shell.ask("bundle", "why", done.result["id"])
    assert (done.status, done.result["status"], why.status) == (0, "aborted", 0)
    assert why.result["because"].startswith("beta said no: TOO_LOW at legs[1].conditions[0]")
    assert why.result["failures"][0]["expected"] == "at least 1"


async def test_why_for_people_names_expected_and_found(shell: Shell) -> None:
    """Without --json the same is told in lines."""
    sent = await send_bundle(shell, [FALSE_CONDITION])
    done = await shell.run("bundle", "why", sent.result["id"], "--rpc", shell.url)
    assert "expected at least 1, found 0" in done.out


async def test_rpc_calls_any_method(shell: Shell) -> None:
    """The result of the method is the result of the command."""
    done = await shell.ask("rpc", "seq_getBlock", '{"height": 1}')
    assert (done.status, done.result["height"]) == (0, 1)


async def save_receipt(shell: Shell, bundle_id: str) -> Path:
    path = shell.folder / "receipt.bin"
    assert (await shell.ask("receipt", bundle_id, "--out", str(path))).status == 0
    return path


async def test_receipt_is_verified_without_the_node(shell: Shell) -> None:
    """What `receipt` saves, `verify` accepts with nothing but the genesis."""
    path = await save_receipt(shell, (await send_bundle(shell, [FALSE_CONDITION])).result["id"])
    done = await shell.run("verify", str(path), "--genesis", shell.write_genesis(), "--json")
    first = json.loads(done.out.splitlines()[0])
    assert (done.status, done.result) == (0, {"verified": 1, "refused": 0})
    assert (first["valid"], first["outcome"], first["rollups"]) == (True, "ABORT", ["alpha", "beta"])


async def test_receipt_with_one_byte_flipped_is_refused_with_status_1(shell: Shell) -> None:
    """A damaged receipt proves nothing."""
    path = await save_receipt(shell, (await send_transfer(shell)).result["id"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    done = await shell.run("verify", str(path), "--genesis", shell.write_genesis())
    assert done.status == 1
    assert "INVALID" in done.err


async def test_list_is_verified_without_the_node_and_asked_for_an_absent_id(shell: Shell) -> None:
    """What `proof` saves, `verify` accepts; `--absent` refuses it for an id that it names, and accepts any other."""
    sent = await send_transfer(shell)
    path = shell.folder / "alpha.list"
    height = sent.result["height"]
    saved = await shell.ask("proof", "list", "--rollup", "alpha", "--height", str(height), "--out", str(path))
    assert (saved.status, saved.result["height"]) == (0, height)
    genesis = shell.write_genesis()
    statuses = []
    for absent in ((), ("--absent", "0x" + "00" * 32), ("--absent", sent.result["id"])):
        done = await shell.run("verify", str(path), "--genesis", genesis, *absent, "--json")
        statuses.append(done.status)
    first = json.loads(done.out.splitlines()[0])
    assert statuses == [0, 0, 1]
    assert first["reason"] == f"absent: {sent.result['id']} stands at index 0 of namespace 1 at height {height}"


async def test_absent_needs_a_list(shell: Shell) -> None:
    """A receipt says nothing about other items."""
    path = await save_receipt(shell, (await send_transfer(shell)).result["id"])
    arguments = (str(path), "--genesis", shell.write_genesis(), "--absent", "0x" + "00" * 32)
    assert (await shell.run("verify", *arguments)).status == 1


@pytest.mark.parametrize("missing", ["receipt", "genesis"])
async def test_verify_without_its_files_exits_2(shell: Shell, missing: str) -> None:
    """A missing file is no broken promise."""
    genesis = str(shell.folder / "no.bin") if missing == "genesis" else shell.write_genesis()
    done = await shell.run("verify", str(shell.folder / "no.receipt"), "--genesis", genesis)
    assert done.status == 2


async def test_verify_with_something_else_than_a_genesis_exits_2(shell: Shell) -> None:
    """The file is named with what is wrong in it."""
    path = shell.folder / "wrong.bin"
    path.write_bytes(b"\x93")
    done = await shell.run("verify", str(path), "--genesis", str(path))
    assert done.status == 2
    assert "is no genesis" in done.err


async def test_example_swap_keeps_all_or_nothing(shell: Shell) -> None:
    """The exchange commits; with a false condition nothing of it takes effect."""
    done = await shell.ask("example", "swap")
    assert (done.status, done.result["kept"]) == (0, True), done.err
    assert done.result["refused"]["before"] == done.result["refused"]["after"]


async def test_example_swap_tells_its_story(shell: Shell) -> None:
    """A person reads balances, the receipt, and why the second one aborted."""
    done = await shell.run("example", "swap", "--rpc", shell.url)
    assert done.status == 0
    for text in ("COMMIT at height", "ABORT NO:beta:TOO_LOW", "found", "All or nothing: kept."):
        assert text in done.out, done.out


async def test_example_guard_pays_only_while_both_rollups_hold_enough(shell: Shell) -> None:
    """The sum that was found is one payment short of what was demanded."""
    done = await shell.ask("example", "guard")
    assert (done.status, done.result["kept"]) == (0, True), done.err
    assert done.result["refused"].startswith("ABORT NO:gamma:BELOW_MINIMUM")
    assert done.result["failures"] == ["gamma: expected a sum of at least 1999990, found 1999980"]


async def test_example_split_swap_names_what_it_misses(shell: Shell) -> None:
    """A network without a split rollup is told how to get one."""
    done = await shell.run("example", "split_swap", "--rpc", shell.url)
    assert done.status != 0
    assert "delta:transfer:split=3" in done.err


async def test_load_counts_add_up_and_every_outcome_is_right(shell: Shell) -> None:
    """A short run with bundles: all final, false ones aborted, nothing partial."""
    done = await shell.ask("load", "--rate", "100", "--seconds", "2", "--bundles", "0.2")
    result = done.result
    assert done.status == 0, (result, done.err)
    assert (result["sent"], result["final"], result["unknown"], result["bundles_partial"]) == (200, 200, 0, 0)
    assert (result["bundles_committed"], result["bundles_aborted"]) == (36, 4)
    assert result["duplicates_pct"] == 0


async def test_load_that_is_not_ordered_is_unknown_and_exits_1(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: accepted is not final, and the run says so."""
    monkeypatch.setattr("sequencer.cli.workload.run.STRAGGLER_SECONDS_MAX", 0.2)
    shell.node.is_ordering = False
    done = await shell.ask("load", "--rate", "20", "--seconds", "1")
    assert (done.status, done.result["unknown"], done.result["final"]) == (1, 20, 0)


async def test_load_over_ends_of_two_networks_is_refused(shell: Shell, nursery: trio.Nursery) -> None:
    """Half of it could only be rejected; nothing is sent."""
    other = EagerNode(draw(Wish(4, ROLLUPS_DEFAULT, 6, None)))
    port = await nursery.start(serve_rpc, other, RpcAddress())
    ends = ("--rpc", shell.url, "--rpc", f"http://127.0.0.1:{port}")
    done = await shell.run("load", "--rate", "20", "--seconds", "1", *ends)
    assert done.status == 2
    assert f"127.0.0.1:{port} is of another network" in done.err
