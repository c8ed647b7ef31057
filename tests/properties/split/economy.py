"""Set up three rollups, native or split, with three executors each, and make bundles for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from sequencer.simulation.tokens import TokenScheme, TokenSigner
from sequencer.simulation.workload import ASSETS, Mix, Workload
from sequencer.types.bundle import AccessMode, AccessSet, Bundle, Leg, NonceIs, Operation, Reference
from sequencer.types.genesis import Genesis, GenesisExecutor, Rollup, RollupKind
from sequencer.types.item import SignedBundle
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Address, Digest, Height, RollupId, StateValue
from tests.execution_world import GENESIS

ALPHA, BETA, GAMMA = 1, 2, 3
ROLLUPS = ((ALPHA, "alpha", "transfer"), (BETA, "beta", "amm"), (GAMMA, "gamma", "transfer"))
SPENDING = ("transfer", "burn", "send", "swap", "add_liquidity")
"""Operations that touch the signer's balances."""
EXECUTORS = 3
DECIDE_WITHIN_MIN = 6
"""F + 5 of four validators. # A21"""
BALANCE = 100_000_000
RESERVE = 1_000_000_000
DEPOSIT = 10**9
PARAMETERS = replace(Parameters(), pending_per_rollup_max=10, waiting_per_rollup_max=14)
"""Small caps, so that they are reached."""

SCHEME = TokenScheme()
SIGNERS: dict[Address, TokenSigner] = {
    signer.public_key: signer for signer in (SCHEME.make_signer(f"account{number}") for number in range(7))
}
ACCOUNTS = tuple(SIGNERS)
"""The last one has no deposit."""
EXECUTOR_SIGNERS = {
    (rollup, index): SCHEME.make_signer(f"{name}{index}") for rollup, name, _ in ROLLUPS for index in range(EXECUTORS)
}
VERIFIER = SCHEME.make_verifier()


def make_genesis(split: frozenset[RollupId]) -> Genesis:
    """Return the network in which these rollups are split and the others native."""
    rollups = []
    for rollup, name, machine in ROLLUPS:
        executors = tuple(
            GenesisExecutor(f"{name}{index}", EXECUTOR_SIGNERS[rollup, index].public_key) for index in range(EXECUTORS)
        )
        kind = RollupKind.SPLIT if rollup in split else RollupKind.NATIVE
        state = tuple(sorted(_make_state(machine)))
        rollups.append(Rollup(rollup, name, machine, kind, state, executors if rollup in split else ()))
    deposits = tuple(sorted((account, DEPOSIT) for account in ACCOUNTS[:-1]))
    return replace(GENESIS, name="split", rollups=tuple(rollups), deposits=deposits, parameters=PARAMETERS)


def _make_state(machine: str) -> list[tuple[str, StateValue]]:
    state: list[tuple[str, StateValue]] = [
        (f"balance/{asset}/{account.hex()}", BALANCE) for asset in ASSETS for account in ACCOUNTS
    ]
    return state + [(f"pool/{'-'.join(ASSETS)}/{asset}", RESERVE) for asset in ASSETS if machine == "amm"]


@dataclass(slots=True)
class SplitWorkload(Workload):
    """Bundles as the simulator's clients make them, with deadlines, values that move between rollups, and messages."""

    undeclared: int = 20
    """Legs in percent that may touch their whole rollup."""
    peek: Callable[[RollupId, str], int] = lambda rollup, key: 0
    """Tells what an amount is now: what demands a value that others may change by then is decided by them."""
    signed: dict[Digest, tuple[Leg, ...]] = field(default_factory=dict)
    """All that clients have ever signed."""

    def sign_bundle(self, bundle: Bundle) -> SignedBundle:
        """Return the bundle with the signatures of all its signers, and remember that they gave them."""
        self.signed[bundle.id] = bundle.legs
        return Workload.sign_bundle(self, bundle)

    def make_bundle(self, height: Height) -> Bundle:
        """Return an admissible bundle; see `Workload.make_bundle`."""
        bundle = Workload.make_bundle(self, height)  # the dataclass with slots has no cell for super()
        legs = tuple(self._declare(leg) for leg in (*bundle.legs, *self._make_moves(len(bundle.legs), bundle.payer)))
        split = {rollup.id for rollup in self.genesis.rollups if rollup.kind is RollupKind.SPLIT}
        within = DECIDE_WITHIN_MIN + self.random.randrange(4) if split.intersection(leg.rollup for leg in legs) else 0
        return replace(bundle, legs=legs, decide_within=within)

    def _make_moves(self, start: int, payer: Address) -> list[Leg]:
        """Return legs that burn here and mint there, or send a message, or nothing."""
        first, second = self.random.sample([rollup.id for rollup in self.genesis.rollups], 2)
        asset, amount = self.random.choice(ASSETS), self.random.choice((1, 50, 900))
        to = self.random.choice(ACCOUNTS)
        kind = self.random.randrange(6)
        if kind == 0:
            mint = Operation("mint", (asset, to, amount))
            return [
                Leg(first, payer, (), (Operation("burn", (asset, amount)),), None),
                Leg(second, payer, (), (mint,), None),
            ]
        if kind in (1, 3):
            to = self.random.choice((ACCOUNTS[0], ACCOUNTS[0], to))
            bound = self.peek(first, f"balance/{asset}/{to.hex()}") + self.random.choice((-1, 0, 1))
            name = self.random.choice(("require_at_least", "require_at_least", "require_at_most"))
            read = Operation("read_balance", (asset, to))
            demand = Operation(name, (max(bound, 0), Reference(start, "balance")))
            return [Leg(first, payer, (), (read,), None), Leg(second, payer, (), (demand,), None)]
        if kind == 2:
            return [Leg(first, payer, (), (Operation("send", (second, asset, to, amount)),), None)]
        return []

    def _declare(self, leg: Leg) -> Leg:
        """Let the leg declare what it touches, unless it shall have its whole rollup."""
        is_whole = self.random.randrange(100) < self.undeclared
        return leg if leg.access is not None or is_whole else replace(leg, access=declare(leg))


def declare(leg: Leg) -> AccessSet:
    """Return all keys that a workload's leg may touch."""
    reads, writes = {"kv/never", f"balance/USD/{leg.signer.hex()}"}, set[str]()
    if any(isinstance(condition, NonceIs) for condition in leg.conditions):
        writes.add(f"nonce/{leg.signer.hex()}")
    for operation in leg.operations:
        match operation.name, operation.arguments:
            case "set" | "add" | "delete", (str(key), *_):
                writes.add(key)
            case "read_balance", (str(asset), bytes(to)):
                reads.add(f"balance/{asset}/{to.hex()}")
            case "transfer" | "mint", (str(asset), bytes(to), _):
                writes.add(f"balance/{asset}/{to.hex()}")
            case "swap" | "add_liquidity", _:
                writes.update(f"pool/{'-'.join(ASSETS)}/{asset}" for asset in ASSETS)
        if operation.name in SPENDING:
            writes.update(f"balance/{asset}/{leg.signer.hex()}" for asset in ASSETS)
    modes = dict.fromkeys(reads, AccessMode.READ) | dict.fromkeys(writes, AccessMode.WRITE)
    return tuple(sorted(modes.items()))


def make_workload(genesis: Genesis, random: Random, undeclared: int) -> SplitWorkload:
    """Return a source of bundles, most of which can commit."""
    mix = Mix(bundles=50, broken=6, aborting=5, hot=20)
    return SplitWorkload(genesis, ACCOUNTS, _sign, random, mix, undeclared=undeclared)


def _sign(address: Address, message: bytes) -> bytes:
    return SIGNERS[address].sign(message)
