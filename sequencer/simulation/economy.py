"""Set up the accounts, rollups and pools that a simulated network starts with."""

from __future__ import annotations

import random
from collections.abc import Iterator

from sequencer.simulation.tokens import TokenScheme, TokenSigner
from sequencer.simulation.workload import ASSETS, Mix, Workload
from sequencer.types.genesis import Genesis, GenesisExecutor, Rollup, RollupKind
from sequencer.types.primitives import Address, RollupId, Signature

ACCOUNTS = 8
"""Accounts that act; the last one has no deposit."""
DEPOSIT = 10**9
BALANCE = 10**9
"""Of every asset, on every rollup that knows balances."""
RESERVE = 10**10
"""Of every asset, in the pool."""
MIX = Mix(bundles=40, broken=10, aborting=8, hot=10)
"""Few legs are made to abort: a bundle has several, and one is enough."""
SPLIT: RollupId = 4
"""The rollup that executors run, if there are any."""
ROLLUPS = ((1, "alpha", "transfer"), (2, "beta", "amm"), (3, "gamma", "key_value"))


class Economy:
    """The clients' keys, and what the genesis gives them."""

    def __init__(self, scheme: TokenScheme, accounts: int = ACCOUNTS, executors: int = 0) -> None:
        signers = [scheme.make_signer(f"account{index}") for index in range(accounts)]
        self._signers: dict[Address, TokenSigner] = {signer.public_key: signer for signer in signers}
        self.accounts: tuple[Address, ...] = tuple(self._signers)
        self.deposits = tuple(sorted((account, DEPOSIT) for account in self.accounts[:-1]))
        self.rollups = tuple(
            Rollup(rollup, name, machine, RollupKind.NATIVE, tuple(sorted(self._make_state(machine))))
            for rollup, name, machine in ROLLUPS
        )
        if executors:
            members = tuple(
                GenesisExecutor(f"delta-{index}", scheme.make_signer(f"executor{index}").public_key)
                for index in range(executors)
            )
            self.rollups += (Rollup(SPLIT, "delta", "key_value", RollupKind.SPLIT, (), members),)

    def make_workload(self, genesis: Genesis, rng: random.Random) -> Workload:
        """Return the source of items for this economy."""
        return Workload(genesis, self.accounts, self._sign, rng, MIX)

    def get_conserved(self) -> list[tuple[RollupId, str, tuple[str, ...], int]]:
        """Return (rollup, asset, keys, sum): what these keys hold together never changes. # A20"""
        return [
            (rollup.id, asset, keys, total)
            for rollup in self.rollups
            for asset in ASSETS
            for keys, total in [self._sum_asset(rollup, asset)]
            if keys
        ]

    def _sign(self, address: Address, message: bytes) -> Signature:
        return self._signers[address].sign(message)

    def _make_state(self, machine: str) -> Iterator[tuple[str, int]]:
        if machine in ("transfer", "amm"):
            for account in self.accounts:
                yield from ((f"balance/{asset}/{account.hex()}", BALANCE) for asset in ASSETS)
        if machine == "amm":
            yield from ((f"pool/{'-'.join(sorted(ASSETS))}/{asset}", RESERVE) for asset in ASSETS)

    def _sum_asset(self, rollup: Rollup, asset: str) -> tuple[tuple[str, ...], int]:
        entries = [
            (key, value)
            for key, value in rollup.state
            if isinstance(value, int) and (key.startswith(f"balance/{asset}/") or key.endswith(f"/{asset}"))
        ]
        return tuple(key for key, _ in entries), sum(value for _, value in entries)
