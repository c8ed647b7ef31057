"""Exchange gold on one rollup for silver on another, all or nothing.

Alice gives Bob 100 gold on alpha; Bob gives Alice 250 silver on beta. Both sign one bundle with two
legs, so neither has to go first. Then the same bundle is sent with a condition that does
not hold: no leg takes effect, and the receipt proves it with the reason.

Run: `sequencer example swap`, or `python -m sequencer.examples.swap http://127.0.0.1:8600`.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, astuple, dataclass

from sequencer.examples.stage import Stage, play, play_alone
from sequencer.execution.conditions import make_nonce_key
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.light import ReceiptView
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.sdk.client import Client
from sequencer.types.bundle import AtLeast, NonceIs
from sequencer.types.item import SignedBundle
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
    """Her nonce on alpha, which a condition names and a COMMIT advances."""

    def after_swap(self) -> Holdings:
        """Return what must be there when the exchange took effect."""
        return Holdings(
            self.alice_gold - GOLD,
            self.alice_silver + SILVER,
            self.bob_gold + GOLD,
            self.bob_silver - SILVER,
            self.alice_nonce + 1,
        )


@dataclass(slots=True)
class Exchange:
    """Alice, Bob, and the network between them."""

    client: Client
    alice: Account
    bob: Account

    async def make_bundle(self, silver_minimum: int) -> SignedBundle:
        """Return the signed bundle; its second leg demands that Bob has at least `silver_minimum`."""
        alice, bob = self.alice, self.bob
        nonce = (await self.get_holdings()).alice_nonce
        builder = BundleBuilder(self.client.genesis)
        builder.add_leg(
            "alpha", alice, [operation("transfer", "gold", bob.address, GOLD)], [NonceIs(alice.address, nonce)]
        )
        builder.add_leg(
            "beta",
            bob,
            [operation("transfer", "silver", alice.address, SILVER)],
            [AtLeast(make_balance_key("silver", bob.address), silver_minimum)],
        )
        account = await self.client.get_account(alice.address)
        bundle = builder.build(alice, account.sequences[0], account.height)
        return sign_bundle(bundle, [alice, bob])

    async def get_holdings(self) -> Holdings:
        """Return what both have on both rollups."""
        return Holdings(
            await self._get("alpha", make_balance_key("gold", self.alice.address)),
            await self._get("beta", make_balance_key("silver", self.alice.address)),
            await self._get("alpha", make_balance_key("gold", self.bob.address)),
            await self._get("beta", make_balance_key("silver", self.bob.address)),
            await self._get("alpha", make_nonce_key(self.alice.address)),
        )

    async def _get(self, rollup: str, key: str) -> int:
        return int((await self.client.call("seq_getState", {"rollup": rollup, "key": key}))["value"] or 0)


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
    client, payer = exchange.client, exchange.alice.address
    before, account_before = await exchange.get_holdings(), await client.get_account(payer)
    receipt = await client.send_and_wait(await exchange.make_bundle(silver_minimum))
    answer = await client.call("seq_getBundleReceipt", {"id": f"0x{receipt.bundle_id.hex()}"})
    after, account_after = await exchange.get_holdings(), await client.get_account(payer)
    return Attempt(
        receipt,
        tuple(f"{f['rollup']}: expected {f['expected']}, found {f['found']}" for f in answer["failures"]),
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


def main(url: str, is_json: bool = False) -> int:
    """Run the example; return 1 if the network did not keep its promise."""
    return play(run, url, is_json)


async def run(stage: Stage) -> dict[str, object]:
    """Exchange, then fail to exchange; both must go as they must."""
    exchange = Exchange(stage.client, stage.alice, stage.bob)
    stage.say(f"Alice gives {GOLD} gold on alpha, Bob gives {SILVER} silver on beta: one bundle, both sign.\n")
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
