"""Send the same 200 signed transactions to all four validators: does each take effect once, at one place?

    python -m scripts.fault_injection.send_to_all

Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet

TRANSACTIONS = 200
FINAL_SECONDS_MAX = 60.0
QUIET_HEIGHTS = 10
"""Heights watched after the last effect, for copies that come late."""
Place = tuple[int, int]
"""Height and index."""


def main() -> int:
    """Send, wait, and compare what every validator tells."""
    return run(f"Send the same {TRANSACTIONS} transactions to all validators: once, at one place?", send)


def send(report: Report) -> None:
    """Send everything to everybody at the same time, each account on its own channels."""
    with Cluster() as cluster:
        wallet = Wallet(cluster)
        items = [wallet.sign_transfer() for _ in range(TRANSACTIONS)]
        ids = [item_id for item_id, _ in items]
        before = {name: get_balance(cluster, wallet, name) for name in cluster.names}
        with ThreadPoolExecutor(len(cluster.names)) as pool:
            answers = list(pool.map(lambda name: Counter(wallet.send(name, items)), cluster.names))
        report.note(f"answers: {', '.join(str(dict(answer)) for answer in answers)}")
        for name in cluster.names:
            wait_until(partial(wallet.is_all_final, name, ids), FINAL_SECONDS_MAX, f"all final at {name}")
        height = cluster.get_height("val0") + QUIET_HEIGHTS
        wait_until(lambda: min(map(cluster.get_height, cluster.names)) >= height, FINAL_SECONDS_MAX, "later heights")
        check_places(cluster, ids, report, height)
        check_balances(cluster, wallet, report, before)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


def check_places(cluster: Cluster, ids: Sequence[str], report: Report, height: int) -> None:
    """Read the blocks of all validators raw: each id took effect exactly once, everywhere at the same place."""
    effects = {name: find_effects(cluster.get_blocks(name, 1, height + 1)) for name in cluster.names}
    for name, found in effects.items():
        once = sum(len(found.get(item_id, ())) == 1 for item_id in ids)
        report.claim(once == len(ids) and not find_doubles(found), f"{name}: {once}/{len(ids)} took effect once")
    is_same = all(found == effects["val0"] for found in effects.values())
    places = [place for item_id in ids for place in effects["val0"].get(item_id, ())]
    text = f"heights {min(places)[0]}..{max(places)[0]}" if places else "nowhere"
    report.claim(is_same, f"same (height, index) at all {len(effects)} validators, {text}")
    doubled = {**effects["val0"], ids[0]: effects["val0"][ids[0]] * 2}
    report.claim(find_doubles(doubled) == [ids[0]], "control: an effect told twice is found")


def find_effects(blocks: Iterable[Mapping[str, Any]]) -> dict[str, list[Place]]:
    """Return where each id was committed or aborted; copies without effect do not count."""
    effects: dict[str, list[Place]] = {}
    for block in blocks:
        for result in block["results"]:
            if result["status"] in ("committed", "aborted"):
                effects.setdefault(result["id"], []).append((block["height"], result["index"]))
    return effects


def find_doubles(effects: Mapping[str, Sequence[Place]]) -> list[str]:
    """Return the ids that took effect more than once."""
    return [item_id for item_id, places in effects.items() if len(places) > 1]


def get_balance(cluster: Cluster, wallet: Wallet, name: str) -> int:
    """Return the receiver's gold on alpha."""
    key = f"balance/gold/{wallet.accounts['dave'].address.hex()}"
    return int(cluster.call(name, "seq_getState", rollup="alpha", key=key)["value"])


def check_balances(cluster: Cluster, wallet: Wallet, report: Report, before: Mapping[str, int]) -> None:
    """The receiver has exactly one unit more per transaction."""
    gained = {name: get_balance(cluster, wallet, name) - before[name] for name in cluster.names}
    report.claim(set(gained.values()) == {TRANSACTIONS}, f"the receiver gained {gained}")


if __name__ == "__main__":
    sys.exit(main())
