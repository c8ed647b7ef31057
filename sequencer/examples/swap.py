"""Exchange gold on one rollup for silver on another, all or nothing.

Alice gives Bob 100 gold on alpha; Bob gives Alice 250 silver on beta. Both sign one bundle with two
legs, so neither has to go first. Then the same bundle is sent with a condition that does
not hold: no leg takes effect, and the receipt proves it with the reason.

Run: `sequencer example swap`, or `python -m sequencer.examples.swap http://127.0.0.1:8600`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass

from sequencer.examples.stage import Stage, play, play_alone
from sequencer.execution.conditions import make_nonce_key
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.light import ReceiptView
from sequencer.sdk.building import BundleBuilder, operation
from sequencer.types.bundle import AtLeast, NonceIs
from sequencer.types.outcome import Status

GOLD, SILVER = 100, 250
FALSE_MINIMUM = 10**15
"""More silver than Bob has: the condition that does not hold."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the exchange is about."""

    alice_gold: int
    alice_silver: int
    bob_gold: int
    bob_silver: int
    alice_nonce: int
    """Her nonce where she gives gold, which a condition names and a COMMIT advances."""

    def after_swap(self) -> Holdings:
        """Return what must be there when the exchange took effect."""
        return Holdings(
            self.alice_gold - GOLD,
            self.alice_silver + SILVER,
            self.bob_gold + GOLD,
            self.bob_silver - SILVER,
            self.alice_nonce + 1,
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """Alice, Bob, and two rollups with balances."""

    stage: Stage
    golden: str
    """Where gold changes hands; alpha on a devnet that was not told otherwise."""
    silvery: str
    """Where silver does; beta."""

    async def make_bundle(self, silver_minimum: int) -> BundleBuilder:
        """Return the two legs; the second demands that Bob has at least `silver_minimum`."""
        alice, bob = self.stage.alice, self.stage.bob
        nonce = (await self.get_holdings()).alice_nonce
        builder = self.stage.make_builder()
        builder.add_leg(
            self.golden, alice, [operation("transfer", "gold", bob.address, GOLD)], [NonceIs(alice.address, nonce)]
        )
        builder.add_leg(
            self.silvery,
            bob,
            [operation("transfer", "silver", alice.address, SILVER)],
            [AtLeast(make_balance_key("silver", bob.address), silver_minimum)],
        )
        return builder

    async def get_holdings(self) -> Holdings:
        """Return what both have on both rollups."""
        stage = self.stage
        return Holdings(
            await stage.get_balance(self.golden, "gold", stage.alice),
            await stage.get_balance(self.silvery, "silver", stage.alice),
            await stage.get_balance(self.golden, "gold", stage.bob),
            await stage.get_balance(self.silvery, "silver", stage.bob),
            await stage.get(self.golden, make_nonce_key(stage.alice.address)),
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One bundle from before to after, with its verified receipt."""

    receipt: ReceiptView
    failures: tuple[str, ...]
    """What each rollup that refused expected and found, as the node says it."""
    before: Holdings
    after: Holdings
    fee: int
    sequences_used: int


async def attempt(exchange: Exchange, silver_minimum: int) -> Attempt:
    """Send one bundle, wait for its verified receipt, and look at everything before and after."""
    stage = exchange.stage
    before, account_before = await exchange.get_holdings(), await stage.client.get_account(stage.alice.address)
    sent = await stage.send(await exchange.make_bundle(silver_minimum), [stage.bob])
    after, account_after = await exchange.get_holdings(), await stage.client.get_account(stage.alice.address)
    return Attempt(
        sent.receipt,
        sent.failures,
        before,
        after,
        account_before.deposit - account_after.deposit,
        account_after.sequences[0] - account_before.sequences[0],
    )


def is_swapped(made: Attempt) -> bool:
    """Tell whether all of the bundle took effect."""
    return made.receipt.status is Status.COMMIT and made.after == made.before.after_swap()


def is_untouched(made: Attempt) -> bool:
    """Tell whether nothing of the bundle took effect but the payer's fee and sequence."""
    return made.receipt.status is Status.ABORT and made.after == made.before and made.sequences_used == 1


def main(url: str, is_json: bool = False, executors: Mapping[str, str] | None = None) -> int:
    """Run the example; return 1 if the network did not keep its promise."""
    return play(run, url, is_json, executors)


async def run(stage: Stage) -> dict[str, object]:
    """Exchange, then fail to exchange; both must go as they must."""
    golden = stage.find_rollup("transfer")
    silvery = stage.find_rollup("transfer", besides=(golden,))
    exchange = Exchange(stage, golden, silvery)
    stage.say(f"Alice gives {GOLD} gold on {golden}, Bob gives {SILVER} silver on {silvery}: one bundle, both sign.\n")
    swapped = await attempt(exchange, SILVER)
    stage.say(describe(swapped))
    stage.say(f"\nThe same bundle, on the condition that Bob has {FALSE_MINIMUM:,} silver. He has not.\n")
    refused = await attempt(exchange, FALSE_MINIMUM)
    stage.say(describe(refused))
    is_kept = is_swapped(swapped) and is_untouched(refused)
    stage.say(f"\nBalances and nonces did not move; the fee ({refused.fee}) and one sequence are spent.")
    stage.say(f"All or nothing: {'kept' if is_kept else 'BROKEN'}.")
    return {"kept": is_kept, "swapped": to_json(swapped), "refused": to_json(refused)}


def describe(made: Attempt) -> str:
    """Return balances before and after, and what the receipt proves."""
    rows: list[tuple[str, ...]] = [("", "alice gold", "alice silver", "bob gold", "bob silver", "alice's nonce")]
    rows += [
        (name, *map(str, astuple(holdings))) for name, holdings in (("before", made.before), ("after", made.after))
    ]
    receipt = made.receipt
    outcome = f"{receipt.status.name} {receipt.reason}".rstrip()
    return "\n".join(
        [
            *(
                "  " + "".join(f"{cell:>14}" if column else f"{cell:<8}" for column, cell in enumerate(row))
                for row in rows
            ),
            f"  receipt of {receipt.bundle_id.hex()[:16]}…: {outcome} at height {receipt.height}, verified against",
            f"  {len(receipt.signers)} validators' signatures on the commitment of height {receipt.certified_height}",
            *(f"  {failure}" for failure in made.failures),
        ]
    )


def to_json(made: Attempt) -> dict[str, object]:
    """Return an attempt for programs."""
    return {
        "id": "0x" + made.receipt.bundle_id.hex(),
        "outcome": made.receipt.status.name,
        "reason": made.receipt.reason,
        "height": made.receipt.height,
        "before": asdict(made.before),
        "after": asdict(made.after),
        "fee": made.fee,
        "sequences_used": made.sequences_used,
    }


if __name__ == "__main__":
    sys.exit(play_alone(run))
