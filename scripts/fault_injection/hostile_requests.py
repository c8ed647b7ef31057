"""Send every kind of bad request to a running node: is each answered as documented, and does nothing change?

    python -m scripts.fault_injection.hostile_requests

Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet
from sequencer.rpc.forms import make_rollup_namer, transaction_to_json
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.types.item import SignedBundle

FINAL_SECONDS_MAX = 30.0
LATER_HEIGHTS = 5
"""Heights after the last bad request until the state is looked at again."""


@dataclass(frozen=True)
class Bad:
    """One bad request and what `specs/rpc.md` says about it."""

    body: bytes
    code: int
    where: str = ""
    """Path of the wrong field, with the reason before it if there is one."""
    status: int = 200
    """Of HTTP."""
    headers: Mapping[str, str] = field(default_factory=dict)
    verb: str = "POST"
    route: str = "/"


def main() -> int:
    """Send all of them to one node."""
    return run("Send bad requests: is each answered as documented, and does nothing change?", attack)


def attack(report: Report) -> None:
    """Compare roots, sequences and deposit before and after all bad requests."""
    with Cluster() as cluster:
        wallet = Wallet(cluster)
        item_id, item = wallet.sign_transfer("alice")
        wallet.send("val0", [(item_id, item)])
        wait_until(lambda: wallet.is_all_final("val0", [item_id]), FINAL_SECONDS_MAX, "a good one is final")
        before = get_state(cluster, wallet)
        for name, bad in {**make_unreadable(), **make_calls(), **make_transactions(wallet)}.items():
            answer = send(cluster.get_url("val0"), bad)
            report.claim(
                answer == (bad.status, bad.code, bad.where),
                f"{name}: HTTP {answer[0]}, {answer[1]} {answer[2]}".rstrip(),
            )
        height = cluster.get_height("val0") + LATER_HEIGHTS
        wait_until(lambda: cluster.get_height("val0") >= height, FINAL_SECONDS_MAX, "later heights")
        report.claim(get_state(cluster, wallet) == before, "all roots, sequences and the deposit are as before")
        wallet.send("val0", [wallet.sign_transfer("alice")])
        wait_until(lambda: get_state(cluster, wallet) != before, FINAL_SECONDS_MAX, "control")
        report.claim(True, "control: a good transaction changes them")
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


def get_state(cluster: Cluster, wallet: Wallet) -> object:
    """Return what no bad request may change."""
    rows = cluster.call("val0", "seq_getBlock")["rollups"]
    account = cluster.call("val0", "seq_getAccount", address="0x" + wallet.accounts["alice"].address.hex())
    return [row["state_root"] for row in rows], account["sequences"], account["deposit"]


def send(url: str, bad: Bad) -> tuple[int, int, str]:
    """Return HTTP status, error code, and reason with path; code 0 if the answer has no body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(bad.verb, bad.route, bad.body, {"content-type": "application/json", **bad.headers})
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    error: dict[str, Any] = json.loads(text)["error"] if text else {"code": 0}
    data = error.get("data") or {}
    return response.status, error["code"], " ".join(str(data[key]) for key in ("reason", "path") if key in data)


def make_unreadable() -> dict[str, Bad]:
    """What is refused before a call is read."""
    status = b'{"jsonrpc":"2.0","id":1,"method":"seq_status"}'
    return {
        "malformed JSON": Bad(b'{"jsonrpc":', -32700),
        "10,000 arrays deep": Bad(b"[" * 10_000 + b"]" * 10_000, -32700),
        "duplicate key": Bad(b'{"id":1,' + status[1:], -32700),
        "NaN": Bad(b'{"jsonrpc":"2.0","id":NaN,"method":"seq_status"}', -32700),
        "body above 1 MiB": Bad(b" " * (1 << 20) + status, -32600, "", 413),
        "another content type": Bad(status, -32600, "", 415, {"content-type": "text/plain"}),
        "foreign Host": Bad(status, -32600, "", 403, {"host": "evil.example"}),
        "foreign Origin": Bad(status, -32600, "", 403, {"origin": "http://evil.example"}),
        "wrong verb": Bad(b"", -32600, "", 405, verb="DELETE"),
        "unknown route": Bad(status, -32600, "", 404, route="/admin"),
    }


def make_calls() -> dict[str, Bad]:
    """JSON that is no good call."""
    return {
        "empty batch": Bad(b"[]", -32600),
        "unknown method": Bad(encode("seq_stopNode", {}), -32601),
        "unknown parameter": Bad(encode("seq_status", {"x": 1}), -32602, "$.x"),
        "height as float": Bad(encode("seq_getBlock", {"height": 1.0}), -32602, "$.height"),
        "unknown rollup asked": Bad(encode("seq_getState", {"rollup": "delta", "key": "a"}), -32602, "$.rollup"),
    }


def make_transactions(wallet: Wallet) -> dict[str, Bad]:
    """Transactions that are misshapen (-32602) or not admissible (-32003), each with the path of the wrong field."""
    alice, poor = wallet.accounts["alice"], Account(b"poor" * 8)
    good = make(wallet, alice)
    form: dict[str, Any] = transaction_to_json(good, make_rollup_namer(wallet.genesis))
    leg = form["legs"][0]
    other_chain = replace(good.bundle, chain_id=bytes(32))
    return {
        "unknown field": refuse_form({**form, "bloc": 1}, "$.bloc"),
        "unknown rollup": refuse_form({**form, "legs": [{**leg, "rollup": "delta"}]}, "$.legs[0].rollup"),
        "oversize item": refuse_form({"item": "0x" + "00" * 65_537}, "$.item"),
        "trailing byte": refuse(good.item_bytes + b"\0", "MALFORMED $"),
        "another network": refuse(sign_bundle(other_chain, [alice]).item_bytes, "WRONG_CHAIN $.chain_id"),
        "wrong signature": refuse(SignedBundle(good.bundle, (bytes(64),)).item_bytes, "BAD_SIGNATURE $.signatures[0]"),
        "sequence used": refuse(make(wallet, alice, sequence=0).item_bytes, "SEQUENCE_USED $.sequence"),
        "sequence far ahead": replace(
            refuse(make(wallet, alice, sequence=40).item_bytes, "QUEUE_FULL $.sequence"), code=-32005
        ),
        "expired": refuse(make(wallet, alice, valid_until=1).item_bytes, "EXPIRED $.valid_until"),
        "unfunded": refuse(make(wallet, poor, sequence=0).item_bytes, "UNFUNDED $.payer"),
    }


def make(wallet: Wallet, payer: Account, *, sequence: int = 1, valid_until: int = 100_000) -> SignedBundle:
    """Sign a transfer; with sequence 1 it would be alice's next."""
    operations = [operation("transfer", "gold", wallet.accounts["bob"].address, 1)]
    builder = BundleBuilder(wallet.genesis).add_leg("alpha", payer, operations)
    return sign_bundle(builder.build(payer, sequence, 0, valid_until=valid_until), [payer])


def refuse(item: bytes, where: str) -> Bad:
    return Bad(encode("seq_sendTransaction", {"transaction": {"item": "0x" + item.hex()}}), -32003, where)


def refuse_form(form: Mapping[str, Any], where: str) -> Bad:
    return Bad(encode("seq_sendTransaction", {"transaction": form}), -32602, where)


def encode(method: str, parameters: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()


if __name__ == "__main__":
    sys.exit(main())
