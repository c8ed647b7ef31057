"""A small network for tests of execution: three rollups, eight funded accounts, four validators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import SCHEME, Ed25519Signer
from sequencer.execution.executor import Executor
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import AccessSet, Bundle, Condition, Leg, Operation
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress, Rollup, RollupKind
from sequencer.types.item import CheckedItem, SignedBundle, check_item
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Address, Digest, Signature, StateValue
from sequencer.types.signing import SignatureKind, compute_signing_bytes

ALPHA, BETA, GAMMA = 1, 2, 3
"""Rollups with the machines transfer, amm and key_value."""
BALANCE = 100_000
RESERVE = 1_000_000
DEPOSIT = 10**9

SIGNERS = tuple(Ed25519Signer(bytes([number]) * 32) for number in range(1, 13))
VALIDATORS = SIGNERS[8:12]
ACCOUNTS: tuple[Address, ...] = tuple(signer.public_key for signer in SIGNERS[:8])
ALICE, BOB, CAROL = ACCOUNTS[:3]
POOR: Address = Ed25519Signer(bytes(32)).public_key
"""Has balances on no rollup and no deposit."""


def make_genesis(accounts: Sequence[Address] = ACCOUNTS, name: str = "test", deposit: int = DEPOSIT) -> Genesis:
    """Return the network; every account holds `BALANCE` of ETH and USD on alpha and beta."""
    host = HostAddress("peer", "/ip4/127.0.0.1/tcp/1")
    balances: list[tuple[str, StateValue]] = [
        (f"balance/{asset}/{account.hex()}", BALANCE) for asset in ("ETH", "USD") for account in accounts
    ]
    pool: list[tuple[str, StateValue]] = [(f"pool/ETH-USD/{asset}", RESERVE) for asset in ("ETH", "USD")]
    return Genesis(
        name=name,
        time_ms=1_000_000,
        scheme=SCHEME,
        validators=tuple(
            GenesisValidator(f"val{index}", signer.public_key, 1, host, host, host)
            for index, signer in enumerate(VALIDATORS)
        ),
        rollups=(
            Rollup(ALPHA, "alpha", "transfer", RollupKind.NATIVE, tuple(sorted(balances))),
            Rollup(BETA, "beta", "amm", RollupKind.NATIVE, tuple(sorted(balances + pool))),
            Rollup(GAMMA, "gamma", "key_value", RollupKind.NATIVE, ()),
        ),
        deposits=tuple(sorted((account, deposit) for account in accounts)),
        parameters=Parameters(),
    )


GENESIS = make_genesis()


def sign_token(address: Address, message: bytes) -> Signature:
    """Return a stand-in for a signature: cheap, and bound to key and message."""
    return hash_tagged(Tag.RANK, address, message) * 2


def verify_token(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify a stand-in."""
    return signature == sign_token(public_key, message)


def make_child(parent: BlockHeader, step_ms: int = 40) -> BlockHeader:
    """Return a header that follows `parent`."""
    return BlockHeader(
        parent.epoch,
        parent.view + 1,
        parent.height + 1,
        parent.view,
        parent.digest,
        parent.time_ms + step_ms,
        0,
        parent.cut,
    )


def make_leg(
    rollup: int,
    *operations: Operation,
    signer: Address = ALICE,
    conditions: tuple[Condition, ...] = (),
    access: AccessSet | None = None,
) -> Leg:
    """Return a leg."""
    return Leg(rollup, signer, conditions, operations, access)


def transfer(to: Address, amount: int, asset: str = "USD") -> Operation:
    """Return a transfer."""
    return Operation("transfer", (asset, to, amount))


def set_key(key: str, value: int | bytes = 1) -> Operation:
    """Return a set under kv/."""
    return Operation("set", (key, value))


def sign_certificate(
    commitment: Commitment, signers: Sequence[int] = (0, 1, 2), genesis: Genesis = GENESIS
) -> CommitmentCertificate:
    """Return the certificate that these validators sign, with real Ed25519 signatures."""
    message = compute_signing_bytes(genesis.chain_id, 0, SignatureKind.COMMITMENT, commitment.height, commitment.digest)
    signatures = tuple(VALIDATORS[index].sign(message) for index in signers)
    return CommitmentCertificate(0, commitment.height, commitment.digest, tuple(signers), signatures)


@dataclass
class World:
    """An executor with the blocks it executed, and the next sequence of each payer."""

    genesis: Genesis = GENESIS
    executor: Executor = field(init=False)
    blocks: list[ExecutedBlock] = field(default_factory=list)
    sequences: dict[tuple[Address, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.executor = Executor(self.genesis)

    def make_bundle(
        self,
        *legs: Leg,
        payer: Address = ALICE,
        channel: int = 0,
        sequence: int | None = None,
        valid_from: int = 0,
        valid_until: int = 2**40,
        deps: tuple[Digest, ...] = (),
    ) -> Bundle:
        """Return a bundle, by default with the payer's next sequence, which is then used."""
        if sequence is None:
            sequence = self.sequences.get((payer, channel), 0)
            self.sequences[payer, channel] = sequence + 1
        return Bundle(self.genesis.chain_id, payer, channel, sequence, valid_from, valid_until, 0, deps, legs)

    def check(self, bundle: Bundle) -> tuple[bytes, CheckedItem]:
        """Return the bundle's item with what the stateless checks make of it."""
        message = bundle.signing_bytes
        signed = SignedBundle(bundle, tuple(sign_token(signer, message) for signer in bundle.signers))
        return signed.item_bytes, check_item(signed.item_bytes, self.genesis.item_rules, verify_token)

    def execute(self, *bundles: Bundle, step_ms: int = 40) -> ExecutedBlock:
        """Execute one block of these bundles."""
        return self.execute_items([self.check(bundle) for bundle in bundles], step_ms=step_ms)

    def execute_items(
        self, items: Sequence[tuple[bytes, CheckedItem]], slice_size: int = 256, step_ms: int = 40
    ) -> ExecutedBlock:
        """Execute one block of checked items."""
        self.executor.begin(make_child(self.executor.header, step_ms), items)
        while not self.executor.step(slice_size):
            pass
        self.blocks.append(self.executor.finish())
        return self.blocks[-1]

    def get(self, rollup: int, key: str) -> StateValue | None:
        """Return what a key holds now."""
        return self.executor.get_state_value(rollup, key)

    def get_balance(self, rollup: int, account: Address, asset: str = "USD") -> StateValue | None:
        """Return an account's balance now."""
        return self.get(rollup, f"balance/{asset}/{account.hex()}")

    def get_commitments(self, height: int) -> tuple[Commitment, ...]:
        """Return the commitments from `height` to the newest."""
        return tuple(block.commitment for block in self.blocks if block.header.height >= height)

    def execute_empty(self, count: int) -> None:
        """Execute so many empty blocks."""
        for _ in range(count):
            self.execute()


def get_reason(world: World, *legs: Leg) -> str:
    """Execute one bundle of ALICE's alone and return its reason; empty means that it committed."""
    return world.execute(world.make_bundle(*legs)).results[0].reason


def get_root(block: ExecutedBlock, namespace: int) -> Digest:
    """Return a namespace's state root after a block."""
    return next(row.state_root for row in block.rows if row.namespace == namespace)
