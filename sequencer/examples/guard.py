"""Pay only while two rollups together hold enough.

Alice gives Bob gold on one rollup, on the condition that what she then has there and on another adds up to a minimum.
Two legs export her balances, a leg on a third rollup demands something of their sum: a condition over several rollups
is one leg that checks exported values, on any of them, run by the validators or by others. Then the same with one
more than there is: nothing takes effect.

Run: `sequencer example guard`, or `python -m sequencer.examples.guard http://127.0.0.1:8600`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from sequencer.examples.stage import Sent, Stage, play, play_alone
from sequencer.sdk.building import operation
from sequencer.types.bundle import Reference
from sequencer.types.outcome import Status

GOLD = 10


async def run(stage: Stage) -> dict[str, object]:
    """Pay under a condition that holds, then under one that does not."""
    pair = find_pair(stage)
    total = await get_total(stage, pair) - GOLD
    stage.say(f"Alice pays {GOLD} gold if at least {total:,} are left to her on {' and '.join(pair)} together.")
    paid = await pay(stage, pair, total)
    stage.tell(paid)
    left = await get_total(stage, pair)
    stage.say(f"\nShe pays {GOLD} more if at least {total:,} are left then. They are not.")
    refused = await pay(stage, pair, total)
    stage.tell(refused)
    is_kept = paid.receipt.status is Status.COMMIT and left == total
    is_kept &= refused.receipt.status is Status.ABORT and await get_total(stage, pair) == left
    stage.say(f"\nAlice has {left:,} gold: the condition over two rollups was {'kept' if is_kept else 'BROKEN'}.")
    return {"kept": is_kept, "paid": paid.outcome, "refused": refused.outcome, "failures": refused.failures}


def find_pair(stage: Stage) -> tuple[str, str]:
    """Return two rollups with balances."""
    first = stage.find_rollup("read_balance")
    return first, stage.find_rollup("read_balance", besides=(first,))


async def get_total(stage: Stage, pair: tuple[str, str]) -> int:
    """Return Alice's gold on both rollups."""
    return sum([await stage.get_balance(rollup, "gold", stage.alice) for rollup in pair])


async def pay(stage: Stage, pair: tuple[str, str], minimum: int) -> Sent:
    """Send the bundle: pay, read both balances after it, demand the minimum of their sum."""
    alice = stage.alice
    read = operation("read_balance", "gold", alice.address)
    demand = operation("require_at_least", minimum, Reference(0, "balance"), Reference(1, "balance"))
    builder = stage.make_builder()
    builder.add_leg(pair[0], alice, [operation("transfer", "gold", stage.bob.address, GOLD), read])
    builder.add_leg(pair[1], alice, [read])
    builder.add_leg(stage.client.genesis.rollups[-1].name, alice, [demand])
    return await stage.send(builder)


def main(url: str, is_json: bool = False, executors: Mapping[str, str] | None = None) -> int:
    """Run the example; return 1 if the network did not keep its promise."""
    return play(run, url, is_json, executors)


if __name__ == "__main__":
    sys.exit(play_alone(run))
