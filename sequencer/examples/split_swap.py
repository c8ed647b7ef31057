"""Swap on one rollup and be paid on another that other nodes run, in one bundle.

Alice sells gold to beta's pool and gets the silver on a split rollup, to the unit that the pool gave: what one leg
burns on beta another mints there. The validators execute beta, the split rollup's own executors vouch for theirs, and
the bundle takes effect on both or on none. Then the same with a minimum that no pool gives: nothing happens on either.

Run: `sequencer example split_swap` on `sequencer devnet --rollups alpha,beta,delta:transfer:split=3`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from sequencer.examples.stage import Sent, Stage, play, play_alone
from sequencer.sdk.building import operation
from sequencer.sdk.errors import AnswerError
from sequencer.types.bundle import Reference
from sequencer.types.genesis import RollupKind
from sequencer.types.outcome import Status

GOLD = 1_000
SILVER_MINIMUM = 1
FALSE_MINIMUM = 10**15
"""More silver than any pool gives for it."""

Holdings: TypeAlias = tuple[int, int, int | None]
"""Gold and silver where the pool is, silver where it is paid."""


class Route(NamedTuple):
    """Where the gold is sold, and where the silver is paid."""

    pool: str
    paid_on: str


async def run(stage: Stage) -> dict[str, object]:
    """Swap, then fail to swap."""
    route = Route(stage.find_rollup("swap"), stage.find_rollup("mint", RollupKind.SPLIT))
    before = await get_holdings(stage, route)
    stage.say(f"Alice sells {GOLD} gold on {route.pool}; the silver is minted to her on {route.paid_on},")
    stage.say("which other nodes run.\n")
    swapped = await swap(stage, route, SILVER_MINIMUM)
    stage.tell(swapped)
    between = await get_holdings(stage, route)
    stage.say(describe(route, before, between))
    stage.say(f"\nThe same, if the pool gives {FALSE_MINIMUM:,} silver. It does not.")
    refused = await swap(stage, route, FALSE_MINIMUM)
    stage.tell(refused)
    after = await get_holdings(stage, route)
    stage.say(describe(route, between, after))
    is_kept = swapped.receipt.status is Status.COMMIT and is_swapped(before, between)
    is_kept &= refused.receipt.status is Status.ABORT and after == between
    stage.say(f"\nAll or nothing over {route.pool} and {route.paid_on}: {'kept' if is_kept else 'BROKEN'}.")
    return {"kept": is_kept, "rollup": route.paid_on, "swapped": swapped.outcome, "refused": refused.outcome}


async def swap(stage: Stage, route: Route, minimum: int) -> Sent:
    """Send the bundle: swap, burn what came out, mint as much elsewhere."""
    alice, out = stage.alice, Reference(0, "out")
    builder = stage.make_builder()
    builder.add_leg(route.pool, alice, [operation("swap", "gold", "silver", GOLD, minimum)])
    builder.add_leg(route.pool, alice, [operation("burn", "silver", out)])
    builder.add_leg(route.paid_on, alice, [operation("mint", "silver", alice.address, out)])
    return await stage.send(builder)


async def get_holdings(stage: Stage, route: Route) -> Holdings:
    """Return what Alice has; her silver on the split rollup only if a node is known that executes it."""
    gold, silver = [await stage.get_balance(route.pool, asset, stage.alice) for asset in ("gold", "silver")]
    try:
        return gold, silver, await stage.get_balance(route.paid_on, "silver", stage.alice)
    except AnswerError:
        return gold, silver, None


def is_swapped(before: Holdings, after: Holdings) -> bool:
    """Tell whether gold left, no silver stayed on beta, and some came where it should, as far as the node sees it."""
    is_paid = before[2] is None or after[2] is None or after[2] > before[2]
    return after[0] == before[0] - GOLD and after[1] == before[1] and is_paid


def describe(route: Route, before: Holdings, after: Holdings) -> str:
    """Return what changed, as far as it is known."""
    names = (f"gold on {route.pool}", f"silver on {route.pool}", f"silver on {route.paid_on}")
    pairs = zip(names, before, after, strict=True)
    known = [(name, old, new) for name, old, new in pairs if old is not None and new is not None]
    return "\n".join(f"  {name:<24}{old:>12,} → {new:,}" for name, old, new in known)


def main(url: str, is_json: bool = False, executors: Mapping[str, str] | None = None) -> int:
    """Run the example; return 1 if the network did not keep its promise."""
    return play(run, url, is_json, executors)


if __name__ == "__main__":
    sys.exit(play_alone(run))
