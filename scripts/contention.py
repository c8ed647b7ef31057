"""Let bundles contend for one hot account per rollup: how many does each design commit, how late, at whose expense?

    uv run python scripts/contention.py [--json] [--hot P] [--lag N] [--plain N] [--bundles N] [--rollups N]
        [--heights N] [--seed S]

`ours` is the product's automaton and its executors, driven height by height with certificates that they sign; the
others are the models of contention_designs.py. Each line is one design. Exit status 1 if a bundle shows on some of its
rollups only, or against its outcome, or if an amount is lost: the figures are for people to judge.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.contention_designs import COMPARATORS, Tally, run_design
from scripts.contention_workload import ACCOUNTS, Item, Shape, compute_ceiling_pct, draw_blocks
from scripts.split_network import ASSET, SplitNetwork, get_address, make_balance_key
from sequencer.types.bundle import AccessMode, AtLeast, Leg, Operation
from sequencer.types.item import SignedBundle
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest

DECIDE_WITHIN = 8
NEVER = "kv/never"
"""A key that nobody writes: a condition on it must fail."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one design made of the workload."""

    design: str
    tally: Tally
    broken: Sequence[str] = ()

    def to_json(self, ceiling_pct: float) -> dict[str, object]:
        """Return the line."""
        tally, latencies = self.tally, sorted(self.tally.latencies) or [0]
        return {
            "design": self.design,
            "committed_pct": round(100 * tally.committed / tally.bundles, 1),
            "ceiling_pct": round(ceiling_pct, 1),
            "latency_heights_mean": round(sum(latencies) / len(latencies), 2),
            "latency_heights_p95": latencies[(95 * len(latencies) - 1) // 100],
            "plain_failed_pct": round(100 * tally.plain_failed / tally.plain, 1) if tally.plain else 0.0,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object per design, and nothing else")
    parser.add_argument("--hot", type=float, default=0.5, help="share that goes to the hot account (default 0.5)")
    parser.add_argument("--lag", type=int, default=1, help="heights until executors vote: 0..3 (default 1)")
    parser.add_argument("--plain", type=int, default=30, help="transactions of one rollup per height (default 30)")
    parser.add_argument("--bundles", type=int, default=10, help="bundles of two rollups per height (default 10)")
    parser.add_argument("--rollups", type=int, default=3, help="2 at least (default 3)")
    parser.add_argument("--heights", type=int, default=40, help="heights with transactions (default 40)")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn transactions (default 0)")
    arguments = parser.parse_args()
    if arguments.rollups < 2 or arguments.bundles < 1 or arguments.heights < 1 or not 0 <= arguments.lag <= 3:
        parser.error("wants 2 rollups, 1 bundle and 1 height at least, and a lag of 0..3")
    shape = Shape(arguments.heights, arguments.hot, arguments.plain, arguments.bundles, arguments.rollups)
    blocks = draw_blocks(shape, Random(arguments.seed))
    outcomes = [run_ours(blocks, arguments.lag, arguments.rollups)]
    outcomes += [Outcome(name, run_design(name, blocks, arguments.lag, DECIDE_WITHIN)) for name in COMPARATORS]
    for outcome in outcomes:
        print(format_line(outcome.to_json(compute_ceiling_pct(blocks)), arguments.json))
    for line in outcomes[0].broken:
        print(line, file=sys.stderr)
    return 1 if outcomes[0].broken else 0


def format_line(line: dict[str, object], is_json: bool) -> str:
    return json.dumps(line) if is_json else "  ".join(f"{name} {value}" for name, value in line.items())


def run_ours(blocks: Sequence[Sequence[Item]], lag: int, rollups: int) -> Outcome:
    """Run the blocks through the product, and empty ones until everything is decided."""
    network = SplitNetwork(rollups, ACCOUNTS + 1, lag)
    ids: dict[Digest, Item] = {}
    for items in blocks:
        signed = [sign_item(network, item) for item in items]
        ids.update({bundle.id: item for bundle, item in zip(signed, items, strict=True)})
        network.run_block(signed)
    network.run_empty(2 * DECIDE_WITHIN)
    markers = {bundle_id: (make_marker(item), [leg.rollup for leg in item.legs]) for bundle_id, item in ids.items()}
    return Outcome("ours", count_decisions(network, ids), network.find_broken(markers))


def sign_item(network: SplitNetwork, item: Item) -> SignedBundle:
    """Return the item as a bundle: each leg pays, and leaves the item's marker on its rollup."""
    return network.make_bundle(item.signer, [make_leg(item, place) for place in range(len(item.legs))], DECIDE_WITHIN)


def make_leg(item: Item, place: int) -> Leg:
    drawn, marker = item.legs[place], make_marker(item)
    access = dict.fromkeys((make_balance_key(item.signer), make_balance_key(drawn.receiver), marker), AccessMode.WRITE)
    if drawn.is_refused:
        access[NEVER] = AccessMode.READ
    return Leg(
        drawn.rollup,
        get_address(item.signer),
        (AtLeast(NEVER, 1),) if drawn.is_refused else (),
        (Operation("transfer", (ASSET, get_address(drawn.receiver), 1)), Operation("set", (marker, 1))),
        tuple(sorted(access.items())),
    )


def make_marker(item: Item) -> str:
    """Return the key that the item writes on each of its rollups."""
    return f"kv/m/{item.number}"


def count_decisions(network: SplitNetwork, ids: dict[Digest, Item]) -> Tally:
    """Return what became of bundles and of plain transactions, apart."""
    tally = Tally()
    for bundle_id, item in ids.items():
        found = network.decisions.get(bundle_id)
        is_committed = found is not None and found[1].status is Status.COMMIT
        if not item.is_bundle:
            tally.plain += 1
            tally.plain_failed += not is_committed
            continue
        tally.bundles += 1
        if found is not None and is_committed:
            tally.committed += 1
            tally.latencies.append(found[0] - found[1].ordered_height)
    return tally


if __name__ == "__main__":
    sys.exit(main())
