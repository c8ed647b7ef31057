"""Build bundles and sign them where the keys are; nothing here talks to a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sequencer.crypto.signatures import Ed25519Signer
from sequencer.errors import LocalError
from sequencer.rpc.conditional import read_conditional
from sequencer.types.bundle import AccessSet, Argument, Bundle, Condition, Leg, Operation
from sequencer.types.genesis import Genesis, RollupKind
from sequencer.types.item import SignedBundle
from sequencer.types.primitives import Address, Digest, Height

VALID_HEIGHTS = 1_000
"""Heights for which a bundle is valid unless the caller says otherwise."""
DECIDE_WITHIN = 64
"""Heights to the timeout of a bundle that touches a split rollup."""


class Account:
    """A key pair; the public key is the address."""

    def __init__(self, seed: bytes, name: str = "") -> None:
        """`seed` has 32 bytes; raises `LocalError` otherwise."""
        if len(seed) != 32:
            raise LocalError(f"an account's seed has 32 bytes, not {len(seed)}")
        self._signer = Ed25519Signer(seed)
        self.name = name

    @property
    def address(self) -> Address:
        """The 32-byte public key."""
        return self._signer.public_key

    def sign(self, bundle: Bundle) -> bytes:
        """Return this account's signature of the whole bundle."""
        return self._signer.sign(bundle.signing_bytes)


def operation(name: str, *arguments: Argument) -> Operation:
    """Return one operation: `operation("transfer", "gold", bob.address, 5)`."""
    return Operation(name, arguments)


def conditional(fields: Mapping[str, object]) -> tuple[Condition, ...]:
    """Return the conditions of a leg that ERC-7796's fields ask for; raises `DecodeError` for what cannot be kept."""
    return read_conditional(dict(fields), "conditional")


class BundleBuilder:
    """Collects legs; `build` gives the bundle that all of them stand in."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self._legs: list[Leg] = []
        self._deps: list[Digest] = []

    def add_leg(
        self,
        rollup: str,
        signer: Account | Address,
        operations: Iterable[Operation],
        conditions: Iterable[Condition] = (),
        access: AccessSet | None = None,
    ) -> BundleBuilder:
        """Append a leg on the rollup called `rollup`; raises `LocalError` if there is none."""
        address = signer.address if isinstance(signer, Account) else signer
        rollup_id = self._genesis.get_rollup_by_name(rollup).id
        self._legs.append(Leg(rollup_id, address, tuple(conditions), tuple(operations), access))
        return self

    def after(self, bundle_id: Digest) -> BundleBuilder:
        """Demand that an earlier bundle has committed. # A16"""
        self._deps.append(bundle_id)
        return self

    def build(
        self,
        payer: Account | Address,
        sequence: int,
        valid_from: Height,
        *,
        channel: int = 0,
        valid_until: Height | None = None,
        decide_within: int | None = None,
    ) -> Bundle:
        """Return the bundle; by default valid for 1,000 heights, and decided at once if no rollup is split."""
        kinds = {self._genesis.get_rollup(leg.rollup).kind for leg in self._legs}
        heights = DECIDE_WITHIN if RollupKind.SPLIT in kinds else 0
        return Bundle(
            chain_id=self._genesis.chain_id,
            payer=payer.address if isinstance(payer, Account) else payer,
            channel=channel,
            sequence=sequence,
            valid_from=valid_from,
            valid_until=valid_from + VALID_HEIGHTS if valid_until is None else valid_until,
            decide_within=heights if decide_within is None else decide_within,
            deps=tuple(self._deps),
            legs=tuple(self._legs),
        )


def sign_bundle(bundle: Bundle, accounts: Sequence[Account]) -> SignedBundle:
    """Return the bundle with the signatures of payer and legs' signers; raises `LocalError` if a key is missing."""
    by_address = {account.address: account for account in accounts}
    missing = [signer.hex() for signer in bundle.signers if signer not in by_address]
    if missing:
        raise LocalError(f"no key given for {', '.join(missing)}")
    return SignedBundle(bundle, tuple(by_address[signer].sign(bundle) for signer in bundle.signers))
