"""Make bundles of which it is known whether they are true, and if not, what they expect and will find."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.fault_injection.cluster import Cluster
from scripts.fault_injection.wallet import VALID_UNTIL, Wallet
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.types.bundle import (
    AccessMode,
    AccessSet,
    AtLeast,
    Condition,
    Equals,
    HeightWindow,
    InRange,
    NonceIs,
    Operation,
    TimeWindow,
)
from sequencer.types.primitives import Digest

FAR = 10**6
"""Heights, and milliseconds, that a run does not reach."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A leg and what is known of it."""

    rollup: str
    conditions: tuple[Condition, ...] = ()
    operations: tuple[Operation, ...] = ()
    access: AccessSet | None = None
    code: str | None = None
    """With which it fails; None if it does not."""
    path: str = ""
    """Below the leg."""
    expected: str = ""
    found: str = ""
    deps: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A signed bundle and what is known of it."""

    kind: str
    is_true: bool
    bundle_id: str
    item: str
    code: str | None
    path: str
    expected: str
    found: str


class CaseMaker:
    """Makes one case after the other, each kind in turn, true and false; each account pays for every 16th."""

    def __init__(self, cluster: Cluster, wallet: Wallet, choice: random.Random) -> None:
        self._cluster = cluster
        self._wallet = wallet
        self._choice = choice
        self._payers = [account for name, account in wallet.accounts.items() if name.startswith("load")]
        self._sequences = dict.fromkeys((payer.address for payer in self._payers), 0)
        self._committed: list[Digest] = []

    def make(self, number: int) -> Case:
        """Return the case; every second one is false."""
        payer = self._payers[number % len(self._payers)]
        is_true = number % 2 == 0
        kinds = KINDS[number // 2 % len(KINDS)]
        draft = getattr(self, f"_make_{kinds}")(payer, number, is_true)
        return self._sign(kinds if is_true else f"not_{kinds}", payer, number, draft)

    def remember(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Note which bundles committed: later ones may depend on them."""
        for one in told:
            if one["receipt"]["status"] == "committed":
                self._committed.append(bytes.fromhex(one["case"].bundle_id[2:]))

    def _sign(self, kind: str, payer: Account, number: int, draft: Draft) -> Case:
        """Put the leg behind one that is true by itself, as often as not, so that paths differ."""
        builder, index = BundleBuilder(self._wallet.genesis), 0
        if self._choice.random() < 0.5:
            other = "gamma" if draft.rollup != "gamma" else "alpha"
            builder.add_leg(other, payer, [operation("set", f"kv/first{number}", 1)])
            index = 1
        builder.add_leg(draft.rollup, payer, draft.operations, draft.conditions, draft.access)
        for dep in draft.deps:
            builder.after(dep)
        sequence = self._sequences[payer.address]
        self._sequences[payer.address] = sequence + 1
        signed = sign_bundle(builder.build(payer, sequence, 0, valid_until=VALID_UNTIL), [payer])
        is_true = not kind.startswith("not_")
        return Case(
            kind,
            is_true,
            "0x" + signed.id.hex(),
            "0x" + signed.item_bytes.hex(),
            draft.code,
            f"$.legs[{index}].{draft.path}",
            draft.expected,
            draft.found,
        )

    def _read(self, rollup: str, key: str) -> str | None:
        """Return what a key holds, as the node tells it."""
        value = self._cluster.call("val1", "seq_getState", rollup=rollup, key=key)["value"]
        return None if value is None else str(value)

    def _get_gold(self, payer: Account) -> tuple[str, int]:
        key = f"balance/gold/{payer.address.hex()}"
        return key, int(self._read("alpha", key) or 0)

    # One method per kind: a true leg, or a false one with what is known of it.

    def _make_equals(self, payer: Account, number: int, is_true: bool) -> Draft:
        key, gold = self._get_gold(payer)
        if is_true:
            return Draft("alpha", (Equals(key, gold),))
        return Draft("alpha", (Equals(key, gold), Equals(key, gold + 1)), **fail("NOT_EQUAL", 1, gold + 1, gold))

    def _make_absent(self, payer: Account, number: int, is_true: bool) -> Draft:
        if is_true:
            return Draft("gamma", (Equals(f"kv/nothing{number}", None),))
        key, gold = self._get_gold(payer)
        return Draft("alpha", (Equals(key, None),), **fail("NOT_EQUAL", 0, "null", gold))

    def _make_bytes(self, payer: Account, number: int, is_true: bool) -> Draft:
        key = f"kv/nothing{number}"
        if is_true:
            return Draft("gamma", (Equals(key, None),), (operation("set", key, b"blue"),))
        return Draft("gamma", (Equals(key, b"blue"),), **fail("NOT_EQUAL", 0, "0x" + b"blue".hex(), "null"))

    def _make_at_least(self, payer: Account, number: int, is_true: bool) -> Draft:
        key, gold = self._get_gold(payer)
        if is_true:
            return Draft("alpha", (AtLeast(key, gold),))
        return Draft("alpha", (AtLeast(key, gold + 1),), **fail("TOO_LOW", 0, f"at least {gold + 1}", gold))

    def _make_in_range(self, payer: Account, number: int, is_true: bool) -> Draft:
        key, gold = self._get_gold(payer)
        if is_true:
            return Draft("alpha", (InRange(key, gold, gold),))
        return Draft("alpha", (InRange(key, 1, gold - 1),), **fail("OUT_OF_RANGE", 0, f"1..{gold - 1}", gold))

    def _make_nonce_is(self, payer: Account, number: int, is_true: bool) -> Draft:
        nonce = int(self._read("gamma", f"nonce/{payer.address.hex()}") or 0)
        if is_true:
            return Draft("gamma", (NonceIs(payer.address, nonce),))
        return Draft("gamma", (NonceIs(payer.address, nonce + 3),), **fail("WRONG_NONCE", 0, nonce + 3, nonce))

    def _make_signer(self, payer: Account, number: int, is_true: bool) -> Draft:
        if is_true:
            return self._make_nonce_is(payer, number, is_true=True)
        dave = self._wallet.accounts["dave"].address
        known = fail("NOT_SIGNER", 0, f"the leg's signer {payer.address.hex()}", dave.hex())
        return Draft("gamma", (NonceIs(dave, 0),), **known)

    def _make_height_window(self, payer: Account, number: int, is_true: bool) -> Draft:
        low, high = (1, FAR) if is_true else (FAR, FAR + 1)
        return Draft(
            "gamma", (HeightWindow(low, high),), **({} if is_true else fail("OUTSIDE_HEIGHTS", 0, f"{low}..{high}", ""))
        )

    def _make_time_window(self, payer: Account, number: int, is_true: bool) -> Draft:
        low, high = (0, 2**62) if is_true else (0, FAR)
        return Draft(
            "gamma", (TimeWindow(low, high),), **({} if is_true else fail("OUTSIDE_TIMES", 0, f"{low}..{high}", ""))
        )

    def _make_transfer(self, payer: Account, number: int, is_true: bool) -> Draft:
        key, gold = self._get_gold(payer)
        amount = 5 if is_true else gold + 1
        transfer = operation("transfer", "gold", self._wallet.accounts["dave"].address, amount)
        known = {} if is_true else fail("INSUFFICIENT", 0, f"{key} at least {amount}", gold, place="operations")
        return Draft("alpha", (), (transfer,), **known)

    def _make_access(self, payer: Account, number: int, is_true: bool) -> Draft:
        key = f"kv/declared{number}"
        access = ((key, AccessMode.WRITE if is_true else AccessMode.READ),)
        known = (
            {}
            if is_true
            else fail("ACCESS", 0, f"{key} declared for writing", "undeclared or read only", place="operations")
        )
        return Draft("gamma", (), (operation("set", key, 1),), access, **known)

    def _make_dep(self, payer: Account, number: int, is_true: bool) -> Draft:
        if is_true:
            return Draft("gamma", deps=(self._choice.choice(self._committed),))
        return Draft("gamma", deps=(self._choice.randbytes(32),))

    def _make_guard(self, payer: Account, number: int, is_true: bool) -> Draft:
        minimum = 5 if is_true else 6
        known = {} if is_true else fail("BELOW_MINIMUM", 0, "a sum of at least 6", 5, place="operations")
        return Draft("gamma", (), (operation("require_at_least", minimum, 2, 3),), **known)


def fail(code: str, index: int, expected: object, found: object, place: str = "conditions") -> dict[str, Any]:
    """Return what is known of a leg that fails at its condition or operation `index`."""
    return {"code": code, "path": f"{place}[{index}]", "expected": str(expected), "found": str(found)}


KINDS: tuple[str, ...] = (
    "equals",
    "absent",
    "bytes",
    "at_least",
    "in_range",
    "nonce_is",
    "signer",
    "height_window",
    "time_window",
    "transfer",
    "access",
    "dep",
    "guard",
)
"""One method of `CaseMaker` each; `dep` comes late, for it needs a bundle that has committed."""
