"""Make the signed transactions of a load run, each in the next sequence of its lane.

A lane is one channel of one account, pinned to one RPC end, so sequences do not depend on
each other across nodes. Every leg of a bundle leaves a mark that nothing else
writes: an amount at an address of its own, or a key of its own. So whether a leg took effect can
be read from the state of its rollup, without believing anybody's outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sequencer.cli.workload.schedule import Due, Kind
from sequencer.errors import LocalError
from sequencer.execution.machines import get_machine
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.types.bundle import CHANNEL_MAX, AtLeast, Operation
from sequencer.types.genesis import Genesis, Rollup
from sequencer.types.item import SignedBundle
from sequencer.types.primitives import Height

ASSET = "gold"
ASSET_OTHER = "silver"
SWAP_AMOUNT = 1_000
ROLLUPS_PER_BUNDLE_MAX = 3
VALID_HEIGHTS = 10_000


@dataclass(slots=True)
class Lane:
    """One channel of one account."""

    account: Account
    channel: int
    sequence: int
    """Of its next transaction."""
    end: int
    """Index of the RPC end that its transactions go to."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What one leg of a bundle leaves behind if it takes effect, and nothing else does."""

    rollup: str
    key: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Shipment:
    """One transaction, ready to be sent."""

    due: Due
    signed: SignedBundle
    end: int
    marks: tuple[Mark, ...]
    """One per leg of a bundle; none for a plain transaction."""


class Traffic:
    """Turns a schedule into transactions."""

    def __init__(
        self, genesis: Genesis, accounts: Mapping[str, Account], sequences: Mapping[str, Sequence[int]], ends: int
    ) -> None:
        """`accounts` are the devnet's by name; `sequences` the next ones per channel of each `load…` account."""
        self._genesis = genesis
        self._hot = accounts.get("hot")
        payers = [account for name, account in sorted(accounts.items()) if name.startswith("load")]
        if not payers or self._hot is None:
            raise LocalError("this network has no accounts for load; `sequencer devnet` makes them")
        channels = range(CHANNEL_MAX + 1)
        pairs = [(account, channel) for channel in channels for account in payers]
        self.lanes = [
            Lane(account, channel, sequences[account.name][channel], number % ends)
            for number, (account, channel) in enumerate(pairs)
        ]
        self._payers = payers
        self._run = hashlib.sha256(
            b"".join(s.to_bytes(8, "big") for n in sorted(sequences) for s in sequences[n])
        ).digest()

    def make(self, due: Due, height: Height) -> Shipment:
        """Return the transaction, valid from `height` on, and take the sequence of its lane."""
        lane = self.lanes[due.lane]
        builder = BundleBuilder(self._genesis)
        marks = self._add_bundle(builder, due, lane) if due.kind.is_bundle else self._add_plain(builder, due, lane)
        bundle = builder.build(
            lane.account, lane.sequence, height, channel=lane.channel, valid_until=height + VALID_HEIGHTS
        )
        lane.sequence += 1
        signers = [lane.account, self._hot] if due.kind is Kind.HOT and self._hot is not None else [lane.account]
        return Shipment(due, sign_bundle(bundle, signers), lane.end, marks)

    def _add_plain(self, builder: BundleBuilder, due: Due, lane: Lane) -> tuple[Mark, ...]:
        rollup = self._genesis.rollups[due.number % len(self._genesis.rollups)]
        operations = get_machine(rollup.machine)
        if "swap" in operations:
            pair = (ASSET, ASSET_OTHER) if due.number // len(self._genesis.rollups) % 2 else (ASSET_OTHER, ASSET)
            done = operation("swap", *pair, SWAP_AMOUNT, 1)
        elif "transfer" in operations:
            done = operation("transfer", ASSET, self._payers[due.number % len(self._payers)].address, 1)
        else:
            done = operation("set", f"kv/load/{due.lane}", due.number + 1)
        builder.add_leg(rollup.name, lane.account, [done])
        return ()

    def _add_bundle(self, builder: BundleBuilder, due: Due, lane: Lane) -> tuple[Mark, ...]:
        marks = tuple(self._make_mark(rollup, due) for rollup in self._choose_rollups(due))
        is_hot_placed = False
        for position, mark in enumerate(marks):
            signer = lane.account
            if due.kind is Kind.HOT and not is_hot_placed and self._hot is not None:
                signer, is_hot_placed = self._hot, True
            is_false = due.kind is Kind.FALSE and position == len(marks) - 1
            conditions = [AtLeast(mark.key, 1)] if is_false else []  # the mark is absent, so it holds 0
            builder.add_leg(mark.rollup, signer, [mark.operation], conditions)
        return marks

    def _choose_rollups(self, due: Due) -> list[Rollup]:
        """Return two or three neighbours, those with balances first: the hot account draws on the first."""
        rollups = self._genesis.rollups
        spread = self._derive(due)[0]
        count = min(len(rollups), 2 + spread % (ROLLUPS_PER_BUNDLE_MAX - 1))
        chosen = [rollups[(spread // 2 + step) % len(rollups)] for step in range(max(2, count))]
        return sorted(chosen, key=lambda rollup: "transfer" not in get_machine(rollup.machine))

    def _make_mark(self, rollup: Rollup, due: Due) -> Mark:
        address = self._derive(due)
        if "transfer" in get_machine(rollup.machine):
            return Mark(rollup.name, make_balance_key(ASSET, address), operation("transfer", ASSET, address, 1))
        key = f"kv/load/{address.hex()}"
        return Mark(rollup.name, key, operation("set", key, 1))

    def _derive(self, due: Due) -> bytes:
        """Return 32 bytes that belong to this transaction of this run."""
        return hashlib.sha256(self._run + due.number.to_bytes(8, "big")).digest()
