"""Silence one validator's lane: does gossip carry its clients' transactions, and only gossip?

    python -m scripts.fault_injection.lane_off

Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import sys
import time

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet

VICTIM = "val3"
TRANSACTIONS = 20
FINAL_SECONDS_MAX = 30.0
PENDING_SECONDS = 12.0
"""How long they are watched without gossip."""


def main() -> int:
    """With gossip, then without."""
    return run(f"Silence the lane of {VICTIM}: does gossip, and only gossip, carry its transactions?", silence)


def silence(report: Report) -> None:
    """Submit the same number of transactions to the silent validator with gossip and without."""
    with Cluster("--lane-off", VICTIM) as cluster:
        carry(cluster, report)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")
    with Cluster("--lane-off", VICTIM, "--gossip", "off") as cluster:
        hold(cluster, report)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


def submit(cluster: Cluster, report: Report) -> tuple[Wallet, list[str]]:
    """Hand transactions to the silent validator and return their ids."""
    wallet = Wallet(cluster)
    items = [wallet.sign_transfer() for _ in range(TRANSACTIONS)]
    statuses = wallet.send(VICTIM, items)
    report.claim(statuses == ["held"] * TRANSACTIONS, f"{VICTIM} answers {sorted(set(statuses))}")
    return wallet, [item_id for item_id, _ in items]


def carry(cluster: Cluster, report: Report) -> None:
    """With gossip they become final, and the counters say by which way."""
    before = {name: get_gossip(cluster, name) for name in cluster.names}
    wallet, ids = submit(cluster, report)
    seconds = wait_until(lambda: wallet.is_all_final(VICTIM, ids), FINAL_SECONDS_MAX, "all final by gossip")
    report.claim(True, f"gossip on: {len(ids)} of {len(ids)} final after {seconds:.1f} s")
    after = {name: get_gossip(cluster, name) for name in cluster.names}
    grown = {name: {key: after[name][key] - before[name][key] for key in after[name]} for name in after}
    others = [name for name in cluster.names if name != VICTIM]
    report.claim(grown[VICTIM]["published"] >= TRANSACTIONS, f"{VICTIM} published {grown[VICTIM]['published']} items")
    received = {name: grown[name]["received"] for name in others}
    report.claim(all(received.values()), f"the others received {received}")
    included = {name: grown[name]["included"] for name in others}
    report.claim(sum(included.values()) >= TRANSACTIONS, f"and included {included} into their lanes")
    report.claim(grown[VICTIM]["included"] == 0, f"{VICTIM} included {grown[VICTIM]['included']}")


def hold(cluster: Cluster, report: Report) -> None:
    """Control: without gossip they stay pending, while others' transactions become final."""
    wallet, ids = submit(cluster, report)
    others = [wallet.sign_transfer() for _ in range(TRANSACTIONS)]
    wallet.send("val0", others)
    time.sleep(PENDING_SECONDS)
    pending = wallet.find_pending(VICTIM, ids)
    is_others_final = wallet.is_all_final("val0", [item_id for item_id, _ in others])
    text = f"control, gossip off: {len(pending)} of {len(ids)} pending after {PENDING_SECONDS:.0f} s"
    report.claim(len(pending) == len(ids) and is_others_final, f"{text}, those sent to val0 are final")


def get_gossip(cluster: Cluster, name: str) -> dict[str, int]:
    """Return the gossip counters of a validator."""
    gossip: dict[str, int] = cluster.call(name, "seq_status")["gossip"]
    return gossip


if __name__ == "__main__":
    sys.exit(main())
