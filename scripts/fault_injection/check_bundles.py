"""Foretell 100 bundles on a quiet chain, half of them false, then send them: is each foretold as it ends?

    python -m scripts.fault_injection.check_bundles [--bundles N] [--seed S]

What a condition expected and found is compared with what the script itself reads from the state.
Exit status: 0 all claims hold, 1 one is broken, 2 it could not run.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from scripts.fault_injection.bundle_cases import Case, CaseMaker
from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet

FINAL_SECONDS_MAX = 60.0
ROUND = 10
"""Bundles that are foretold together, then sent together; they touch nothing in common."""
ENDS = {"commit": "committed", "abort": "aborted", "inadmissible": "inadmissible"}
BLOCK_KINDS = {"height_window": "height", "time_window": "time_ms"}
"""Kinds of condition that look at the block itself, and at what of it: found is known once it is ordered."""


def main() -> int:
    """Foretell, send, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    question = f"Foretell {options.bundles} bundles, half of them false: does each end as foretold?"
    return run(question, partial(foretell, options=options))


def foretell(report: Report, options: argparse.Namespace) -> None:
    """Ask for each bundle what it would come to, then let it come to that."""
    told: list[dict[str, Any]] = []
    with Cluster() as cluster:
        wallet = Wallet(cluster)
        maker = CaseMaker(cluster, wallet, random.Random(options.seed))
        while len(told) < options.bundles:
            count = min(ROUND, options.bundles - len(told))
            told += play_round(cluster, [maker.make(len(told) + number) for number in range(count)])
            maker.remember(told[-count:])
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")
    judge(report, told)


def play_round(cluster: Cluster, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return per case what was foretold, and the receipt once it is decided everywhere that is asked."""
    foretold = cluster.call_many("val0", "seq_checkBundle", [{"transaction": {"item": case.item}} for case in cases])
    for case in cases:
        cluster.call("val0", "seq_sendBundle", transaction={"item": case.item})
    questions = [{"id": case.bundle_id} for case in cases]

    def is_final() -> bool:
        return all(one["is_final"] for one in cluster.call_many("val0", "seq_getBundleReceipt", questions))

    wait_until(is_final, FINAL_SECONDS_MAX, f"{len(cases)} bundles are final")
    receipts = cluster.call_many("val0", "seq_getBundleReceipt", questions)
    others = cluster.call_many("val1", "seq_getBundleReceipt", questions)
    return [
        {"case": case, "foretold": one, "receipt": receipt, "other": other, "block": get_block(cluster, receipt)}
        for case, one, receipt, other in zip(cases, foretold, receipts, others, strict=True)
    ]


def get_block(cluster: Cluster, receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the block that ordered the bundle."""
    return dict(cluster.call("val0", "seq_getBlock", height=receipt["ordered_at"]["height"]))


def judge(report: Report, told: Sequence[Mapping[str, Any]]) -> None:
    """Every outcome, reason and fee as foretold; expected and found as the script read them, before and after."""
    wrong = [text for one in told for text in list_differences(one)]
    for text in wrong[:10]:
        report.note(text)
    kinds = Counter(one["case"].kind for one in told)
    false = [one for one in told if one["foretold"]["would"] != "commit"]
    report.claim(not wrong, f"{len(told)} bundles foretold, {len(told) - len(wrong)} without any difference")
    report.claim(len(false) == len(told) // 2, f"{len(false)} of them false: {describe(false)}")
    report.claim(len(kinds) >= 12, f"{len(kinds)} kinds: {', '.join(sorted(kinds))}")
    control = corrupt(false[0]) if false else {}
    report.claim(bool(control and list_differences(control)), "control: another found value is a difference")
    report.tell({"bundles": len(told), "false": len(false), "differences": len(wrong), "kinds": dict(kinds)})


def describe(false: Sequence[Mapping[str, Any]]) -> str:
    """Return how often each code was the reason."""
    codes = Counter(one["case"].code or "DEP" for one in false)
    return ", ".join(f"{code} {count}" for code, count in sorted(codes.items()))


def corrupt(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return the case with another found value in what was foretold."""
    foretold = json.loads(json.dumps(one["foretold"]))
    for failure in foretold["failures"]:
        failure["found"] += "7"
    foretold["reason"] += "7"
    return {**one, "foretold": foretold}


def list_differences(one: Mapping[str, Any]) -> list[str]:
    """Return at most one sentence: the first thing that is not as foretold, or not as the script knows it."""
    case, foretold, receipt = one["case"], one["foretold"], one["receipt"]
    pairs = {
        "outcome": (ENDS.get(foretold["would"]), receipt["status"]),
        "outcome at val1": (receipt["status"], one["other"]["status"]),
        "truth": (case.is_true, receipt["status"] == "committed"),
        "reason": (foretold["reason"], receipt["reason"]),
        "reason at val1": (receipt["reason"], one["other"]["reason"]),
        "fee": (foretold["fee"], receipt["fee"]),
        "failures": (shape(foretold, case), shape(receipt, case)),
        "known failure": (make_known(case, None), [known(failure, case) for failure in foretold["failures"]]),
        "known failure at the position": (make_known(case, one["block"]), list(map(complete, receipt["failures"]))),
    }
    found = [
        f"{case.kind}: {what}: {left!r} is not {right!r}" for what, (left, right) in pairs.items() if left != right
    ]
    return found[:1]


def shape(answer: Mapping[str, Any], case: Case) -> list[dict[str, Any]]:
    """Return the failures, without what the block itself decides."""
    return [known(failure, case) for failure in answer["failures"]]


def known(failure: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """Return a failure; of a condition on the block what was found is left out: that block is not there yet."""
    whole = complete(failure)
    return {**whole, "found": None} if case.kind.removeprefix("not_") in BLOCK_KINDS else whole


def complete(failure: Mapping[str, Any]) -> dict[str, Any]:
    """Return code, path, expected and found."""
    return {name: failure[name] for name in ("code", "path", "expected", "found")}


def make_known(case: Case, block: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return what the script itself says must be told of a false case; empty for a true one."""
    if case.is_true or case.code is None:
        return []
    kind = case.kind.removeprefix("not_")
    found: str | None = case.found
    if kind in BLOCK_KINDS:
        found = None if block is None else str(block[BLOCK_KINDS[kind]])
    return [{"code": case.code, "path": case.path, "expected": case.expected, "found": found}]


if __name__ == "__main__":
    sys.exit(main())
