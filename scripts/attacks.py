"""Attack bundles through what they wait for, with the cure taken out and put back: how many honest ones still commit?

    uv run python scripts/attacks.py [--json] [--heights N] [--seed S]

misprediction   ten bundles per height on the hot account, each refused because the one before it is, by one of two
                rollups in turn: without votes that travel outside of the log (A14) each link is learnt a height later
dead_rollup     one bundle per height on the hot accounts, with a leg on a rollup whose executors are dead: without
                suspension (A13) whatever stands behind it waits until its own deadline, for ever

A cure is taken out by replacing one rule in this script. Each line is one run. Exit status 1 if a bundle shows on some
of its rollups only, or against its outcome, or if an amount is lost.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.contention import DECIDE_WITHIN, NEVER, count_decisions, format_line, make_marker, sign_item
from scripts.contention_workload import ACCOUNTS, HOT, Item, Shape, compute_ceiling_pct, draw_blocks
from scripts.split_network import ASSET, SplitNetwork, get_address, make_balance_key
from sequencer.execution import automaton
from sequencer.types.bundle import AccessMode, AtLeast, Leg, Operation
from sequencer.types.item import SignedBundle
from sequencer.types.primitives import Digest, RollupId

CHAIN = 10
"""Bundles of one misprediction chain."""
ATTACKERS = range(ACCOUNTS + 1, ACCOUNTS + 1 + CHAIN)
"""Accounts that only attackers use."""
DEAD: RollupId = 3
"""The rollup without executors."""

Run = Callable[[int, Random, bool], tuple[dict[str, object], list[str]]]
"""Attacks for so many heights, with the cure or without; returns the line and what is broken."""
Attack = Callable[[SplitNetwork], list[SignedBundle]]
"""Makes the bundles that stand before the honest ones of a height."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object per run, and nothing else")
    parser.add_argument("--heights", type=int, default=60, help="heights with bundles (default 60)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    broken: list[str] = []
    for run in (run_misprediction, run_dead_rollup):
        for is_cured in (False, True):
            line, found = run(arguments.heights, Random(arguments.seed), is_cured)
            print(format_line(line, arguments.json), flush=True)
            broken += found
    for text in broken:
        print(text, file=sys.stderr)
    return 1 if broken else 0


def run_misprediction(heights: int, random: Random, is_cured: bool) -> tuple[dict[str, object], list[str]]:
    """Chains on rollup 1; a sixth of the honest bundles stands behind them."""
    blocks = draw_blocks(Shape(heights, 0.5, 0, 10, 3), random)
    network = SplitNetwork(3, ATTACKERS.stop, is_deaf=not is_cured)
    return run("misprediction", network, blocks, make_chain, is_cured)


def run_dead_rollup(heights: int, random: Random, is_cured: bool) -> tuple[dict[str, object], list[str]]:
    """All honest bundles stand on the hot accounts of the two rollups that live."""
    blocks = draw_blocks(Shape(heights, 1.0, 0, 10, 2), random)
    network = SplitNetwork(3, ATTACKERS.stop, dead=(DEAD,))
    if is_cured:
        return run("dead_rollup", network, blocks, make_hostage, is_cured)
    with without_suspension():
        return run("dead_rollup", network, blocks, make_hostage, is_cured)


@contextmanager
def without_suspension() -> Iterator[None]:
    """Let no TIMEOUT suspend a rollup. # A13"""
    with patch.object(automaton, "list_suspended", lambda entry, height: []):
        yield


def run(
    name: str, network: SplitNetwork, blocks: Sequence[Sequence[Item]], attack: Attack, is_cured: bool
) -> tuple[dict[str, object], list[str]]:
    """Attack every height, and count what became of the honest bundles."""
    ids: dict[Digest, Item] = {}
    for items in blocks:
        hostile = attack(network)
        honest = [sign_item(network, item) for item in items]
        ids.update({bundle.id: item for bundle, item in zip(honest, items, strict=True)})
        network.run_block([*hostile, *honest])
    network.run_empty(2 * DECIDE_WITHIN)
    tally = count_decisions(network, ids)
    markers = {bundle_id: (make_marker(item), [leg.rollup for leg in item.legs]) for bundle_id, item in ids.items()}
    line: dict[str, object] = {
        "attack": name,
        "cure": is_cured,
        "committed_pct": round(100 * tally.committed / tally.bundles, 1),
        "ceiling_pct": round(compute_ceiling_pct(blocks), 1),
        "latency_heights_mean": round(sum(tally.latencies) / max(1, len(tally.latencies)), 2),
    }
    return line, network.find_broken(markers)


def make_chain(network: SplitNetwork) -> list[SignedBundle]:
    """Return bundles of which none commits, though each looks good to two of its three rollups."""
    chain = f"kv/c/{network.height}"
    return [
        network.make_bundle(
            account,
            (
                make_hot_leg(account, 1),
                make_link(account, 2, chain, place, is_judge=place % 2 == 0),
                make_link(account, 3, chain, place, is_judge=place % 2 == 1),
            ),
            DECIDE_WITHIN,
        )
        for place, account in enumerate(ATTACKERS)
    ]


def make_link(account: int, rollup: RollupId, chain: str, place: int, is_judge: bool) -> Leg:
    """Return a leg that notes the bundle, and that is refused, if it judges, unless the one before is noted."""
    own, before = f"{chain}/{place}", f"{chain}/{place - 1}" if place else NEVER
    conditions = (AtLeast(before, 1),) if is_judge else ()
    access = tuple(sorted({own: AccessMode.WRITE, before: AccessMode.READ}.items()))
    return Leg(rollup, get_address(account), conditions, (Operation("set", (own, 1)),), access)


def make_hostage(network: SplitNetwork) -> list[SignedBundle]:
    """Return a bundle that touches both hot accounts and waits for the dead."""
    account = ATTACKERS[0]
    silent = Leg(DEAD, get_address(account), (), (Operation("set", ("kv/x", 1)),), (("kv/x", AccessMode.WRITE),))
    legs = (make_hot_leg(account, 1), make_hot_leg(account, 2), silent)
    return [network.make_bundle(account, legs, DECIDE_WITHIN)]


def make_hot_leg(account: int, rollup: RollupId) -> Leg:
    """Return a payment to the rollup's hot account."""
    access = sorted((make_balance_key(number), AccessMode.WRITE) for number in (account, HOT))
    return Leg(rollup, get_address(account), (), (Operation("transfer", (ASSET, get_address(HOT), 1)),), tuple(access))


if __name__ == "__main__":
    sys.exit(main())
