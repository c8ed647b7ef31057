"""Swap on one rollup and be paid on another that other nodes run, in one bundle.

Alice sells gold to beta's pool and gets the silver on a split rollup, to the unit that the pool gave: what one leg
burns on beta another mints there. The validators execute beta, the split rollup's own executors vouch for theirs, and
the bundle takes effect on both or on none. Then the same with a minimum that no pool gives: nothing happens on either.

Run: `sequencer example split_swap` on `sequencer devnet --rollups alpha,beta,delta:transfer:split=3`.
"""

from __future__ import annotations

import sys

from sequencer.errors import LocalError
from sequencer.examples.stage import Sent, Stage, play, play_alone
from sequencer.execution.machines import get_machine
from sequencer.sdk.building import operation
from sequencer.sdk.errors import AnswerError
from sequencer.types.bundle import Reference
from sequencer.types.genesis import RollupKind
from sequencer.types.outcome import Status

GOLD = 1_000
SILVER_MINIMUM = 1
FALSE_MINIMUM = 10**15
"""More silver than any pool gives for it."""


async def run(stage: Stage) -> dict[str, object]:
    """Swap, then fail to swap."""
    paid_on = find_split_rollup(stage)
    before = await get_holdings(stage, paid_on)
    stage.say(f"Alice sells {GOLD} gold on beta; the silver is minted to her on {paid_on}, which other nodes run.")
    swapped = await swap(stage, paid_on, SILVER_MINIMUM)
    stage.tell(swapped)
    between = await get_holdings(stage, paid_on)
    stage.say(describe(before, between))
    stage.say(f"\nThe same, if the pool gives {FALSE_MINIMUM:,} silver. It does not.")
    refused = await swap(stage, paid_on, FALSE_MINIMUM)
    stage.tell(refused)
    after = await get_holdings(stage, paid_on)
    stage.say(describe(between, after))
    is_kept = swapped.receipt.status is Status.COMMIT and is_swapped(before, between)
    is_kept &= refused.receipt.status is Status.ABORT and after == between
    stage.say(f"\nAll or nothing over {paid_on} and beta: {'kept' if is_kept else 'BROKEN'}.")
    return {"kept": is_kept, "rollup": paid_on, "swapped": swapped.outcome, "refused": refused.outcome}


def find_split_rollup(stage: Stage) -> str:
    """Return the first split rollup that has balances; raises `LocalError` on a network without one."""
    for rollup in stage.client.genesis.rollups:
        if rollup.kind is RollupKind.SPLIT and "mint" in get_machine(rollup.machine):
            return rollup.name
    raise LocalError("no split rollup has balances: sequencer devnet --rollups alpha,beta,delta:transfer:split=3")


async def swap(stage: Stage, paid_on: str, minimum: int) -> Sent:
    """Send the bundle: swap, burn what came out, mint as much elsewhere."""
    alice, out = stage.alice, Reference(0, "out")
    builder = stage.make_builder()
    builder.add_leg("beta", alice, [operation("swap", "gold", "silver", GOLD, minimum)])
    builder.add_leg("beta", alice, [operation("burn", "silver", out)])
    builder.add_leg(paid_on, alice, [operation("mint", "silver", alice.address, out)])
    return await stage.send(builder)


async def get_holdings(stage: Stage, paid_on: str) -> tuple[int, int, int | None]:
    """Return Alice's gold and silver on beta, and her silver on the split rollup if the node executes it."""
    gold, silver = [await stage.get_balance("beta", asset, stage.alice) for asset in ("gold", "silver")]
    try:
        return gold, silver, await stage.get_balance(paid_on, "silver", stage.alice)
    except AnswerError:
        return gold, silver, None


def is_swapped(before: tuple[int, int, int | None], after: tuple[int, int, int | None]) -> bool:
    """Tell whether gold left, no silver stayed on beta, and some came where it should, as far as the node sees it."""
    is_paid = before[2] is None or after[2] is None or after[2] > before[2]
    return after[0] == before[0] - GOLD and after[1] == before[1] and is_paid


def describe(before: tuple[int, int, int | None], after: tuple[int, int, int | None]) -> str:
    """Return what changed."""
    names = ("gold on beta", "silver on beta", "silver there")
    pairs = zip(names, before, after, strict=True)
    return "\n".join(
        f"  {name:<16}{'not executed by this node' if old is None else f'{old:>12,} → {new:,}'}"
        for name, old, new in pairs
    )


def main(url: str, is_json: bool = False) -> int:
    """Run the example; return 1 if the network did not keep its promise."""
    return play(run, url, is_json)


if __name__ == "__main__":
    sys.exit(play_alone(run))
