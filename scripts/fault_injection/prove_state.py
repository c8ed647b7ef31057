"""Change one rollup and prove what is in the state: do roots and proofs say so, and nothing else?

    python -m scripts.fault_injection.prove_state

Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet
from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import VerificationError
from sequencer.light import ReceiptView, verify_file, verify_state_proof
from sequencer.state.claim import StateProof
from sequencer.types.bundle import AtLeast
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import Status
from sequencer.types.receipt import Receipt

FINAL_SECONDS_MAX = 30.0


def main() -> int:
    """Look at roots, then at proofs."""
    return run("Prove the state: does a transfer change its rollup's root only, and do proofs hold?", prove)


def prove(report: Report) -> None:
    """One transfer that commits, one bundle that aborts, four kinds of proof."""
    with Cluster() as cluster:
        wallet = Wallet(cluster)
        check_roots(cluster, wallet, report)
        alice = wallet.accounts["alice"].address.hex()
        key = f"balance/gold/{alice}"
        balance = cluster.call("val0", "seq_getState", rollup="alpha", key=key)["value"]
        account = cluster.call("val0", "seq_getAccount", address=f"0x{alice}")
        expected: dict[str, tuple[int, dict[str, Any]]] = {
            "balance": (int(balance), {"kind": "state", "rollup": "alpha", "key": key}),
            "sequence": (account["sequences"][0], {"kind": "sequence", "address": f"0x{alice}", "channel": 0}),
            "deposit": (int(account["deposit"]), {"kind": "deposit", "address": f"0x{alice}"}),
        }
        for name, (value, question) in expected.items():
            check_value(cluster, wallet.genesis, report, name, value, question)
        check_outcome(cluster, wallet, report)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


def send_and_wait(cluster: Cluster, wallet: Wallet, item: tuple[str, str]) -> dict[str, Any]:
    """Hand one item in and return its receipt once a certificate covers it."""
    wallet.send("val0", [item])
    what = f"{item[0][:10]} is final"
    wait_until(lambda: bool(wallet.get_receipt("val0", item[0])["is_final"]), FINAL_SECONDS_MAX, what)
    return wallet.get_receipt("val0", item[0])


def check_roots(cluster: Cluster, wallet: Wallet, report: Report) -> None:
    """A transfer on alpha changes the root of alpha and of the system state, and no other."""
    receipt = send_and_wait(cluster, wallet, wallet.sign_transfer("alice", amount=5))
    height = receipt["height"]
    roots = [get_roots(cluster, number) for number in (height - 1, height)]
    changed = [name for name in roots[0] if roots[0][name] != roots[1][name]]
    report.claim(changed == ["system", "alpha"], f"transfer on alpha at height {height}: changed {', '.join(changed)}")
    report.note(f"unchanged: {', '.join(name for name in roots[0] if name not in changed)}")


def get_roots(cluster: Cluster, height: int) -> dict[str, str]:
    """Return every state root after a height, by name."""
    block = cluster.call("val1", "seq_getBlock", height=height)
    return {row["rollup"]: row["state_root"] for row in block["rollups"]}


def check_value(
    cluster: Cluster, genesis: Genesis, report: Report, name: str, value: int, question: dict[str, Any]
) -> None:
    """The proof verifies with the value that the node tells; with value ± 1 it does not."""
    proof = bytes.fromhex(cluster.call("val2", "seq_getProof", **question)["proof"][2:])
    view = verify_state_proof(proof, genesis, verify_ed25519)
    is_right = view.value == value
    report.claim(is_right, f"{name} {value}: proven, {len(proof)} bytes, {len(view.signers)} signers")
    forged = [data for step in (-1, 1) for data in forge_value(StateProof.from_bytes(proof), step)]
    refused = [get_refusal(data, genesis) for data in forged]
    report.claim(all(refused), f"{name} ± 1: {sum(map(bool, refused))} of {len(forged)} refused: {refused[-1]}")


def forge_value(proof: StateProof, step: int) -> Iterator[bytes]:
    """Yield the proof with another value: in the claim only, and in the claim and the tree."""
    claim = proof.claim
    assert isinstance(claim.value, int)
    value = claim.value + step
    entries = tuple((key, value if key == claim.key else held) for key, held in claim.tree.entries)
    yield replace(proof, claim=replace(claim, value=value)).to_bytes()
    yield replace(proof, claim=replace(claim, value=value, tree=replace(claim.tree, entries=entries))).to_bytes()


def check_outcome(cluster: Cluster, wallet: Wallet, report: Report) -> None:
    """The abort of a bundle with a false condition is proven; another outcome, reason or place is not."""
    condition = AtLeast(f"balance/gold/{wallet.accounts['alice'].address.hex()}", 10**15)
    item = wallet.sign_transfer("alice", conditions=[condition])
    send_and_wait(cluster, wallet, item)
    data = bytes.fromhex(cluster.call("val3", "seq_getProof", kind="outcome", id=item[0])["proof"][2:])
    view = verify_file(data, wallet.genesis, verify_ed25519)
    is_right = isinstance(view, ReceiptView) and view.status is Status.ABORT and view.bundle_id.hex() == item[0][2:]
    report.claim(is_right, f"aborted bundle: proven, {getattr(view, 'reason', '')}")
    receipt = Receipt.from_bytes(data)
    forged = [
        replace(receipt, outcome=replace(receipt.outcome, status=Status.COMMIT, reason="")),
        replace(receipt, outcome=replace(receipt.outcome, reason="NO:beta:TOO_LOW@legs[0].conditions[0]")),
        replace(receipt, outcome_path=replace(receipt.outcome_path, count=receipt.outcome_path.count + 1)),
        replace(
            receipt,
            envelope=replace(
                receipt.envelope,
                position=replace(receipt.envelope.position, index=receipt.envelope.position.index + 1),
            ),
        ),
    ]
    refused = [get_refusal(one.to_bytes(), wallet.genesis) for one in forged]
    report.claim(all(refused), f"COMMIT, another reason, count or index: {sum(map(bool, refused))} of 4 refused")


def get_refusal(data: bytes, genesis: Genesis) -> str:
    """Return why a file proves nothing; empty if it is accepted."""
    try:
        verify_file(data, genesis, verify_ed25519)
    except VerificationError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.exit(main())
