"""Make random bundles, good and bad: all that the atomic-batch rules speak of occurs.

Pure but for the `random.Random` it is given: the same seed makes the same bytes. Every leg
writes the bundle's own marker key, so that all-or-nothing can be read off the states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeAlias

from sequencer.types.bundle import (
    AccessMode,
    AccessSet,
    Argument,
    AtLeast,
    Bundle,
    Condition,
    Equals,
    HeightWindow,
    InRange,
    Leg,
    NonceIs,
    Operation,
    Reference,
    TimeWindow,
)
from sequencer.types.genesis import Genesis, Rollup
from sequencer.types.item import SignedBundle
from sequencer.types.primitives import Address, Digest, Height, Signature

Sign: TypeAlias = Callable[[Address, bytes], Signature]
"""Returns the signature of an address over a message."""

FOREVER = 2**40
ASSETS = ("ETH", "USD")
"""What the workload trades; the genesis of a test should hold balances and a pool of both."""
RECENT_MAX = 64
"""Newest items that duplicates and deps are drawn from."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Chances in percent."""

    bundles: int = 40
    """Of items with two or more legs; the others are plain transactions."""
    broken: int = 10
    """Of items that the rules refuse: garbage, duplicate, wrong sequence, window or signature, no deposit."""
    aborting: int = 8
    """Of legs that must abort: a false condition, a revert, an undeclared key, a wrong reference."""
    hot: int = 10
    """Of transfers that draw on the first account's address."""


DEFAULT_MIX = Mix()


def make_marker_key(bundle: Bundle) -> str:
    """Return the key that every leg of a workload's bundle sets to 1."""
    return _make_marker_key(bundle.payer, bundle.channel, bundle.sequence)


def _make_marker_key(payer: Address, channel: int, sequence: int) -> str:
    return f"kv/mark/{payer.hex()[:16]}.{channel}.{sequence}"


@dataclass(slots=True)
class Workload:
    """Makes one item after another for the accounts given."""

    genesis: Genesis
    accounts: Sequence[Address]
    """Who pays and signs; those without a deposit in the genesis are used for UNFUNDED only."""
    sign: Sign
    random: Random
    mix: Mix = DEFAULT_MIX
    sequences: dict[tuple[Address, int], int] = field(default_factory=dict)
    """Next sequence per payer and channel, as if all good items were admitted; the caller may correct it."""
    _recent: list[tuple[Digest, bytes]] = field(default_factory=list)
    _funded: list[Address] = field(init=False)

    def __post_init__(self) -> None:
        deposits = dict(self.genesis.deposits)
        self._funded = [address for address in self.accounts if deposits.get(address, 0) > 0]

    def make_item(self, height: Height) -> bytes:
        """Return the next item, made for inclusion near `height`."""
        if self._is(self.mix.broken):
            return self._make_broken_item(height)
        bundle = self.make_bundle(height)
        self.sequences[bundle.payer, bundle.channel] = bundle.sequence + 1
        return self._remember(self.sign_bundle(bundle))

    def make_bundle(self, height: Height) -> Bundle:
        """Return an admissible bundle with the next sequence of a random payer; it may abort."""
        payer, channel = self.random.choice(self._funded), self.random.randrange(2)
        sequence = self.sequences.get((payer, channel), 0)
        count = self.random.randint(2, 4) if self._is(self.mix.bundles) else 1
        marker = _make_marker_key(payer, channel, sequence)
        legs = tuple(self._make_leg(index, payer, marker, height) for index in range(count))
        return Bundle(
            self.genesis.chain_id, payer, channel, sequence, 0, height + FOREVER, 0, self._choose_deps(), legs
        )

    def sign_bundle(self, bundle: Bundle) -> SignedBundle:
        """Return the bundle with the signatures of all its signers."""
        message = bundle.signing_bytes
        return SignedBundle(bundle, tuple(self.sign(signer, message) for signer in bundle.signers))

    def _remember(self, signed: SignedBundle) -> bytes:
        self._recent.append((signed.id, signed.item_bytes))
        del self._recent[:-RECENT_MAX]
        return signed.item_bytes

    def _is(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def _choose_deps(self) -> tuple[Digest, ...]:
        if not self._recent or not self._is(15):
            return ()
        return (self.random.randbytes(32) if self._is(20) else self.random.choice(self._recent)[0],)

    def _make_broken_item(self, height: Height) -> bytes:
        """Return an item that must change nothing."""
        bundle = self.make_bundle(height)
        choices = [
            replace(bundle, sequence=bundle.sequence + self.random.randint(1, 3)),
            replace(bundle, valid_until=max(0, height - self.random.randint(1, 50))),
            replace(bundle, valid_from=height + 1_000),
            replace(bundle, chain_id=self.random.randbytes(32)),
            replace(bundle, decide_within=7),
        ]
        if bundle.sequence > 0:
            choices.append(replace(bundle, sequence=bundle.sequence - 1))
        poor = [address for address in self.accounts if address not in self._funded]
        if poor:
            choices.append(replace(bundle, payer=self.random.choice(poor), sequence=0))
        broken = self.random.choice([*choices, None, None])
        if broken is None:
            return self._make_wreck(bundle)
        return self.sign_bundle(broken).item_bytes

    def _make_wreck(self, bundle: Bundle) -> bytes:
        """Return a duplicate, garbage, a truncated item, a flipped byte or a wrong signature."""
        item = bytearray(self.sign_bundle(bundle).item_bytes)
        place = self.random.randrange(len(item))
        flipped = bytes(item[:place]) + bytes((item[place] ^ self.random.randint(1, 255),)) + bytes(item[place + 1 :])
        duplicate = self.random.choice(self._recent)[1] if self._recent else b""
        garbage = self.random.randbytes(self.random.randrange(200))
        swapped = SignedBundle(bundle, (self.random.randbytes(64),) * len(bundle.signers)).item_bytes
        return self.random.choice((duplicate, duplicate, garbage, bytes(item[:place]), flipped, swapped))

    def _make_leg(self, index: int, payer: Address, marker: str, height: Height) -> Leg:
        rollup = self.random.choice(self.genesis.rollups)
        signer = payer if self._is(80) else self.random.choice(self.accounts)
        conditions = [self._make_condition(signer, height)] if self._is(40) else []
        operations = [Operation("set", (marker, 1)), *self._make_operations(index, rollup)]
        access = _declare(operations, signer) if self._is(40) else None
        leg = Leg(rollup.id, signer, tuple(conditions), tuple(operations), access)
        return self._make_aborting(leg, marker) if self._is(self.mix.aborting) else leg

    def _make_condition(self, signer: Address, height: Height) -> Condition:
        """Return a condition that often holds."""
        key = f"balance/USD/{signer.hex()}"
        return self.random.choice(
            (
                AtLeast(key, 0),
                InRange(key, 0, FOREVER),
                Equals("kv/never", None),
                HeightWindow(0, height + FOREVER),
                TimeWindow(0, 2**60),
                NonceIs(signer, self.random.randrange(3) if self._is(50) else 0),
            )
        )

    def _make_operations(self, index: int, rollup: Rollup) -> list[Operation]:
        operations = [self._make_key_value_operation(index)]
        if rollup.machine in ("transfer", "amm"):
            to = self.accounts[0] if self._is(self.mix.hot) else self.random.choice(self.accounts)
            operations.append(Operation("transfer", (self.random.choice(ASSETS), to, self._choose_amount())))
        if rollup.machine == "amm" and self._is(60):
            sold, bought = self.random.sample(ASSETS, 2)
            floor = self.random.choice((0, 1, 1_000))
            operations.append(Operation("swap", (sold, bought, self._choose_amount(), floor)))
        if rollup.machine == "amm" and self._is(10):
            operations.append(Operation("add_liquidity", (*ASSETS, self._choose_amount(), self._choose_amount())))
        return operations

    def _make_key_value_operation(self, index: int) -> Operation:
        key = f"kv/{self.random.randrange(20)}"
        if index > 0 and self._is(30):
            producer, name = self.random.randrange(index), self.random.choice(("amount", "out", "value", "nothing"))
            return Operation("add", (key, Reference(producer, name)))
        choices: tuple[tuple[str, tuple[Argument, ...]], ...] = (
            ("set", (key, self.random.randrange(5))),
            ("set", (key, self.random.randbytes(self.random.randrange(3)))),
            ("add", (key, self.random.choice((1, 2**64 - 1)))),
            ("delete", (key,)),
        )
        return Operation(*self.random.choice(choices))

    def _choose_amount(self) -> int:
        return self.random.choice((1, 7, 100, 1_000, 10_000, 10**7))

    def _make_aborting(self, leg: Leg, marker: str) -> Leg:
        """Return the leg made so that its rollup says NO."""
        false: tuple[Condition, ...] = (
            AtLeast(marker, 1),
            Equals(marker, 1),
            InRange(marker, 1, FOREVER),
            NonceIs(leg.signer, 2**63),
            NonceIs(self.random.randbytes(32), 0),
            HeightWindow(FOREVER, FOREVER),
            TimeWindow(0, 1),
        )
        wrong = (
            Operation("transfer", ("USD", leg.signer, 2**63)),
            Operation("set", ("outside", 1)),
            Operation("explode", ()),
            Operation("swap", ("ETH", "NOPE", 1, 0)),
            Operation("transfer", ("USD", "me")),
        )
        return self.random.choice(
            (
                replace(leg, conditions=(*leg.conditions, self.random.choice(false))),
                replace(leg, operations=(*leg.operations, self.random.choice(wrong))),
                replace(leg, access=((marker, AccessMode.READ),)),
            )
        )


def _declare(operations: Sequence[Operation], signer: Address) -> AccessSet:
    """Return all keys that the workload's conditions and operations touch, for writing."""
    keys = {f"balance/{asset}/{signer.hex()}" for asset in ASSETS}
    keys |= {f"pool/{ASSETS[0]}-{ASSETS[1]}/{asset}" for asset in ASSETS} | {f"nonce/{signer.hex()}", "kv/never"}
    for operation in operations:
        match operation.name, operation.arguments:
            case "set" | "add" | "delete", (str(key), *_):
                keys.add(key)
            case "transfer", (str(asset), bytes(to), _):
                keys.add(f"balance/{asset}/{to.hex()}")
    return tuple((key, AccessMode.WRITE) for key in sorted(keys))
