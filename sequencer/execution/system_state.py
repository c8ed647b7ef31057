"""Own sequences and fees: the system state decides who is taken in, and what it costs. # A3 A4 A6 A17

It lives under namespace 0 of the exec root, in the same tree as any rollup's state:
sequence/<hex payer>/<channel>, deposit/<hex payer>, burned.
"""

from __future__ import annotations

from sequencer.codec import U64_MAX
from sequencer.errors import LocalError
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Address, Height, StateValue

BURNED_KEY = "burned"


def make_sequence_key(payer: Address, channel: int) -> str:
    """Return the key of the next expected sequence of a payer's channel."""
    return f"sequence/{payer.hex()}/{channel}"


def make_deposit_key(payer: Address) -> str:
    """Return the key of a payer's deposit."""
    return f"deposit/{payer.hex()}"


def make_genesis_entries(genesis: Genesis) -> list[tuple[str, StateValue]]:
    """Return the system state at height 0; raises `LocalError` if all deposits together exceed u64."""
    total = sum(amount for _, amount in genesis.deposits)
    if total > U64_MAX:
        raise LocalError(f"genesis.deposits: add up to {total}, at most {U64_MAX} can ever be burned")
    return [(make_deposit_key(address), amount) for address, amount in genesis.deposits if amount > 0]


def compute_fee(bundle: Bundle, parameters: Parameters) -> int:
    """Return base + operations + rollups × heights pending, of which native bundles have none. # A17"""
    return parameters.fee_base + parameters.fee_per_operation * bundle.operation_count


def check_admission(bundle: Bundle, height: Height, expected_sequence: int, deposit: int, fee: int) -> Rejection | None:
    """Return why the bundle is not taken in at `height`, or None. # A3"""
    if bundle.sequence < expected_sequence:
        return Rejection(Reason.SEQUENCE_USED, "item.body.sequence", f"is used, the next is {expected_sequence}")
    if bundle.sequence > expected_sequence:
        return Rejection(Reason.SEQUENCE_GAP, "item.body.sequence", f"the next is {expected_sequence}")
    if height < bundle.valid_from:
        return Rejection(Reason.NOT_YET_VALID, "item.body.valid_from", f"is above height {height}")
    if height > bundle.valid_until:
        return Rejection(Reason.EXPIRED, "item.body.valid_until", f"is below height {height}")
    if deposit < fee:
        return Rejection(Reason.UNFUNDED, "item.body.payer", f"has a deposit of {deposit}, the fee is {fee}")
    return None


def admit(system: Journal, bundle: Bundle, height: Height, parameters: Parameters) -> int | Rejection:
    """Consume the sequence and burn the fee, which is returned; or change nothing and say why. # A4 A6"""
    sequence_key, deposit_key = make_sequence_key(bundle.payer, bundle.channel), make_deposit_key(bundle.payer)
    deposit, fee = get_amount(system, deposit_key), compute_fee(bundle, parameters)
    rejection = check_admission(bundle, height, get_amount(system, sequence_key), deposit, fee)
    if rejection is not None:
        return rejection
    system.set(sequence_key, bundle.sequence + 1)
    system.set(deposit_key, deposit - fee)
    system.set(BURNED_KEY, get_amount(system, BURNED_KEY) + fee)
    return fee


def get_amount(system: Journal, key: str) -> int:
    """Return the amount under a key of the system state, which holds nothing else."""
    value = system.get(key)
    return value if isinstance(value, int) else 0
