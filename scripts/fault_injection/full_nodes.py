"""Use a network through its full nodes and kill what they lean on: do they tell the same, and carry transactions?

    python -m scripts.fault_injection.full_nodes

Ends with one line of JSON. Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from dataclasses import replace
from functools import partial
from typing import Any

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.lane_off import get_gossip
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet
from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import VerificationError
from sequencer.light import ReceiptView, StateProofView, verify_file
from sequencer.state.claim import StateProof
from sequencer.types.genesis import Genesis

TRANSACTIONS = 60
FINAL_SECONDS_MAX = 30.0
STEP_SECONDS_MAX = 20.0
"""A full node is in step again within this time after it, or the validator that it follows, was killed."""
PENDING_SECONDS = 12.0
"""How long transactions are watched that nothing carries."""


def main() -> int:
    """With gossip everything, without gossip the control."""
    return run("Use a network through its full nodes: do they tell the same, and carry transactions?", use)


def use(report: Report) -> None:
    """One devnet with two full nodes that is used and hurt, one without gossip that carries nothing."""
    figures: dict[str, object] = {}
    with Cluster("--full-nodes", "2") as cluster:
        wallet = Wallet(cluster)
        ids = carry(cluster, wallet, report, figures)
        compare(cluster, ids, report)
        prove(cluster, wallet, ids[0], report)
        kill_full_node(cluster, wallet, report, figures)
        kill_followed(cluster, wallet, report, figures)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")
    with Cluster("--full-nodes", "1", "--gossip", "off") as cluster:
        hold(cluster, report)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")
    report.tell(figures)


def submit(cluster: Cluster, wallet: Wallet, report: Report, name: str, count: int) -> list[str]:
    """Hand transfers to a full node, which can only hold them, and return their ids."""
    items = [wallet.sign_transfer() for _ in range(count)]
    statuses = wallet.send(name, items)
    report.claim(statuses == ["held"] * count, f"{name} answers {sorted(set(statuses))} to {count} transfers")
    return [item_id for item_id, _ in items]


def carry(cluster: Cluster, wallet: Wallet, report: Report, figures: dict[str, object]) -> list[str]:
    """What clients hand to both full nodes becomes final by gossip, each once."""
    before = {name: get_gossip(cluster, name) for name in (*cluster.names, *cluster.full_names)}
    ids = [one for name in cluster.full_names for one in submit(cluster, wallet, report, name, TRANSACTIONS // 2)]
    started = time.monotonic()
    for name in (*cluster.names, *cluster.full_names):
        wait_until(partial(wallet.is_all_final, name, ids), FINAL_SECONDS_MAX, f"all final at {name}")
    figures["seconds_until_final"] = round(time.monotonic() - started, 1)
    report.claim(True, f"{len(ids)} of {len(ids)} final at all six nodes after {figures['seconds_until_final']} s")
    after = {name: get_gossip(cluster, name) for name in before}
    published = {name: after[name]["published"] - before[name]["published"] for name in cluster.full_names}
    included = {name: after[name]["included"] - before[name]["included"] for name in cluster.names}
    report.claim(sum(published.values()) >= len(ids), f"the full nodes published {published}")
    text = f"the validators included {included}: {sum(included.values()) / len(ids):.2f} copies each"
    report.claim(sum(included.values()) >= len(ids), text)
    figures["copies"] = round(sum(included.values()) / len(ids), 2)
    return ids


def compare(cluster: Cluster, ids: list[str], report: Report) -> None:
    """Blocks, receipts, state and accounts are word by word what validators tell."""
    full, validator = cluster.full_names[0], cluster.names[1]
    height = min(cluster.get_height(full), cluster.get_height(validator))
    blocks = [[strip(block) for block in cluster.get_blocks(name, 1, height + 1)] for name in (full, validator)]
    report.claim(blocks[0] == blocks[1], f"blocks 1..{height} of {full} are those of {validator}")
    changed = [{**blocks[0][-1], "height": 0}]
    report.claim(changed != blocks[1][-1:], "control: a changed block is found")
    streams = [read_stream(cluster, name, height) for name in (full, validator)]
    text = f"the event stream of {full} tells the same {len(streams[0])} blocks as that of {validator}"
    report.claim(len(streams[0]) == height and streams[0] == streams[1], text)
    receipts = [ask_receipts(cluster, name, ids) for name in (full, validator)]
    report.claim(receipts[0] == receipts[1], f"{len(receipts[0])} receipts: the same outcome at the same place")
    address = cluster.ready["accounts"][3]["address"]
    question: dict[str, Any] = {"rollup": "alpha", "key": f"balance/gold/{address[2:]}", "height": height}
    values = [cluster.call(name, "seq_getState", **question)["value"] for name in (full, validator)]
    report.claim(values[0] == values[1], f"balance {values[0]} at height {height} at both")


def read_stream(cluster: Cluster, name: str, count: int) -> list[dict[str, Any]]:
    """Return the first blocks of a node's event stream."""
    blocks: list[dict[str, Any]] = []
    event = ""
    with urllib.request.urlopen(f"{cluster.get_url(name)}/events?from=1", timeout=FINAL_SECONDS_MAX) as stream:
        while len(blocks) < count:
            member, _, value = stream.readline().decode().partition(": ")
            event = value.strip() if member == "event" else event
            if member == "data" and event == "block":
                blocks.append(strip(json.loads(value)))
    return blocks


def strip(block: dict[str, Any]) -> dict[str, Any]:
    """Return the block without its certificate: who is among the signers differs from node to node."""
    return {name: member for name, member in block.items() if name != "certificate"}


def ask_receipts(cluster: Cluster, name: str, ids: list[str]) -> list[tuple[object, ...]]:
    """Return id, height and outcome of each as the node tells it."""
    receipts = cluster.call_many(name, "seq_getTransactionReceipt", [{"id": one} for one in ids])
    return [tuple(receipt[key] for key in ("id", "status", "height", "reason")) for receipt in receipts]


def prove(cluster: Cluster, wallet: Wallet, item_id: str, report: Report) -> None:
    """Proofs of a full node need the genesis only; a changed one is refused."""
    full = cluster.full_names[0]
    wait_until(lambda: bool(wallet.get_receipt(full, item_id)["is_final"]), FINAL_SECONDS_MAX, "a certificate")
    receipt = ask_proof(cluster, full, kind="outcome", id=item_id)
    view = verify_file(receipt, wallet.genesis, verify_ed25519)
    report.claim(isinstance(view, ReceiptView), f"receipt of {full}: verified offline, {len(receipt)} bytes")
    key = f"balance/gold/{wallet.accounts['dave'].address.hex()}"
    data = ask_proof(cluster, full, kind="state", rollup="alpha", key=key)
    proof = verify_file(data, wallet.genesis, verify_ed25519)
    is_proven = isinstance(proof, StateProofView) and isinstance(proof.value, int)
    report.claim(is_proven, f"state proof of {full}: verified offline, {len(data)} bytes")
    claim = StateProof.from_bytes(data)
    assert isinstance(claim.claim.value, int)
    forged = replace(claim, claim=replace(claim.claim, value=claim.claim.value + 1)).to_bytes()
    report.claim(is_refused(forged, wallet.genesis), "control: the same proof of one coin more is refused")


def ask_proof(cluster: Cluster, name: str, **question: Any) -> bytes:
    """Return a proof file."""
    return bytes.fromhex(cluster.call(name, "seq_getProof", **question)["proof"][2:])


def is_refused(data: bytes, genesis: Genesis) -> bool:
    """Tell whether a file proves nothing."""
    try:
        verify_file(data, genesis, verify_ed25519)
    except VerificationError:
        return True
    return False


def kill_full_node(cluster: Cluster, wallet: Wallet, report: Report, figures: dict[str, object]) -> None:
    """Kill -9 of a full node: the network does not notice, and the node is in step soon after it is back."""
    victim = cluster.full_names[0]
    cluster.kill(victim)
    ids = submit(cluster, wallet, report, cluster.full_names[1], 10)
    wait_until(partial(wallet.is_all_final, "val0", ids), FINAL_SECONDS_MAX, "final without it")
    report.claim(True, f"kill -9 of {victim}: what the other one carries becomes final")
    cluster.restart(victim)
    seconds = wait_until(partial(cluster.is_in_step, victim, cluster.names), STEP_SECONDS_MAX, f"{victim} in step")
    figures["full_node_back_seconds"] = round(seconds, 1)
    # In step leaves room for the newest heights, and the transfers may lie in one of them.
    wait_until(partial(wallet.is_all_final, victim, ids), STEP_SECONDS_MAX, f"{victim} knows what it missed")
    report.claim(True, f"started again: in step after {seconds:.1f} s, and knows all of it")


def kill_followed(cluster: Cluster, wallet: Wallet, report: Report, figures: dict[str, object]) -> None:
    """Kill -9 of the validator that a full node follows: it follows another one, and still carries transactions."""
    full = cluster.full_names[0]
    wait_until(lambda: get_followed(cluster, full) is not None, STEP_SECONDS_MAX, f"{full} follows")
    followed = str(get_followed(cluster, full))
    others = [name for name in cluster.names if name != followed]
    cluster.kill(followed)
    ids = submit(cluster, wallet, report, full, 10)
    seconds = wait_until(partial(wallet.is_all_final, full, ids), FINAL_SECONDS_MAX, f"final at {full}")
    figures["without_followed_seconds"] = round(seconds, 1)
    report.claim(
        get_followed(cluster, full) != followed,
        f"kill -9 of {followed}, which {full} followed: it follows another, 10 transfers final after {seconds:.1f} s",
    )
    is_same = wait_until(partial(cluster.is_in_step, full, others), STEP_SECONDS_MAX, f"{full} in step") >= 0
    report.claim(is_same, f"{full} is in step with {', '.join(others)}, with the same commitments")
    cluster.restart(followed)
    wait_until(partial(cluster.is_in_step, followed, [*others, full]), STEP_SECONDS_MAX, f"{followed} in step")
    report.claim(True, f"{followed} started again: all in step")


def get_followed(cluster: Cluster, name: str) -> str | None:
    """Return whom a full node follows now."""
    followed: str | None = cluster.call(name, "seq_status")["following"]
    return followed


def hold(cluster: Cluster, report: Report) -> None:
    """Control: without gossip a full node follows as ever, and what its clients send stays where it is."""
    wallet, full = Wallet(cluster), cluster.full_names[0]
    ids = submit(cluster, wallet, report, full, 10)
    others = [wallet.sign_transfer() for _ in range(10)]
    wallet.send("val0", others)
    wait_until(partial(wallet.is_all_final, full, [one for one, _ in others]), FINAL_SECONDS_MAX, "val0's final")
    time.sleep(PENDING_SECONDS)
    pending = wallet.find_pending(full, ids)
    text = f"control, gossip off: {len(pending)} of {len(ids)} pending after {PENDING_SECONDS:.0f} s"
    report.claim(len(pending) == len(ids), f"{text}; those sent to val0 are final at {full}, too")


if __name__ == "__main__":
    sys.exit(main())
