"""Say who exists at height 0 of a devnet and what they own.

Every account has a fee deposit, and on every rollup whose machine keeps balances an
amount of each asset; pools of an `amm` are funded. Keys are public by intention:
whoever runs a devnet can spend from all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sequencer.crypto.signatures import Ed25519Signer
from sequencer.execution.machines import get_machine
from sequencer.execution.machines.amm import make_reserve_key
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.rpc.queries import DevelopmentAccount
from sequencer.types.primitives import Address, StateValue

PEOPLE = ("alice", "bob", "carol", "dave")
"""Accounts for people and examples."""
LOAD_ACCOUNTS = 16
"""Accounts `load0`… for `sequencer load`, each with 16 channels."""
HOT_ACCOUNT = "hot"
"""The account that a share of the load's bundles draws on."""
ASSETS = ("copper", "gold", "silver")
POOLS = (("gold", "silver"), ("copper", "silver"))

DEPOSIT_PERSON = 1_000_000_000
"""Fee deposit: about a million transactions."""
BALANCE_PERSON = 1_000_000
DEPOSIT_LOAD = 1_000_000_000_000
BALANCE_LOAD = 1_000_000_000_000
RESERVE = 100_000_000
"""Of each asset in a pool."""


def make_accounts(derive_seed: Callable[[str], bytes]) -> tuple[DevelopmentAccount, ...]:
    """Return all accounts of a devnet; `derive_seed` gives 32 bytes for a label."""
    names = (*PEOPLE, HOT_ACCOUNT, *(f"load{number}" for number in range(LOAD_ACCOUNTS)))
    seeds = {name: derive_seed(f"account {name}") for name in names}
    return tuple(DevelopmentAccount(name, Ed25519Signer(seed).public_key, seed) for name, seed in seeds.items())


def make_deposits(accounts: Sequence[DevelopmentAccount]) -> tuple[tuple[Address, int], ...]:
    """Return the fee deposits, ascending by address as the genesis wants them."""
    return tuple(
        sorted((account.address, DEPOSIT_PERSON if is_person(account) else DEPOSIT_LOAD) for account in accounts)
    )


def make_rollup_state(machine: str, accounts: Sequence[DevelopmentAccount]) -> tuple[tuple[str, StateValue], ...]:
    """Return a rollup's initial state, ascending by key; raises `LocalError` for an unknown machine."""
    operations = get_machine(machine)
    state: dict[str, StateValue] = {}
    if "transfer" in operations:
        state.update(_make_balances(accounts))
    if "swap" in operations:
        state.update(_make_pools())
    return tuple(sorted(state.items()))


def is_person(account: DevelopmentAccount) -> bool:
    """Tell whether the account is meant for people, not for load."""
    return account.name in PEOPLE


def _make_balances(accounts: Sequence[DevelopmentAccount]) -> Mapping[str, int]:
    return {
        make_balance_key(asset, account.address): BALANCE_PERSON if is_person(account) else BALANCE_LOAD
        for account in accounts
        for asset in ASSETS
    }


def _make_pools() -> Mapping[str, int]:
    return {make_reserve_key(*pair): RESERVE for a, b in POOLS for pair in ((a, b), (b, a))}
