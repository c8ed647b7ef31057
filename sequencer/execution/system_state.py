"""Own sequences and fees: the system state decides who is taken in, and what it costs. # A3 A4 A6 A17

It lives under namespace 0 of the exec root, in the same tree as any rollup's state:
sequence/<hex payer>/<channel>, deposit/<hex payer>, held, burned, and of split rollups
suspended/<id> and certified/<id>.
"""

from __future__ import annotations

from sequencer.codec import U64_MAX
from sequencer.errors import LocalError
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Address, Height, RollupId, StateValue

BURNED_KEY = "burned"
HELD_KEY = "held"


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


def compute_fee(bundle: Bundle, parameters: Parameters, heights_pending: int = 0) -> int:
    """Return base + operations + rollups × heights pending, of which native bundles pay none. # A17"""
    fee = parameters.fee_base + parameters.fee_per_operation * bundle.operation_count
    if heights_pending and bundle.decide_within:
        fee += parameters.fee_per_rollup_height * len(bundle.rollups) * min(heights_pending, bundle.decide_within)
    return fee


def compute_hold(bundle: Bundle, parameters: Parameters) -> int:
    """Return what is kept of the deposit until the decision: the most that it can cost. # A17"""
    return compute_fee(bundle, parameters, bundle.decide_within)


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


def admit(system: Journal, bundle: Bundle, height: Height, fee: int) -> Rejection | None:
    """Consume the sequence and burn the fee of a bundle that is decided at once; or change nothing and say why. # A6"""
    sequence_key, deposit_key = make_sequence_key(bundle.payer, bundle.channel), make_deposit_key(bundle.payer)
    deposit = get_amount(system, deposit_key)
    rejection = check_admission(bundle, height, get_amount(system, sequence_key), deposit, fee)
    if rejection is None:
        system.set(sequence_key, bundle.sequence + 1)
        system.set(deposit_key, deposit - fee)
        system.set(BURNED_KEY, get_amount(system, BURNED_KEY) + fee)
    return rejection


def check(system: Journal, bundle: Bundle, height: Height, hold: int) -> Rejection | None:
    """Return why the bundle is not taken in at this position, or None; changes nothing. # A3"""
    sequence = get_amount(system, make_sequence_key(bundle.payer, bundle.channel))
    return check_admission(bundle, height, sequence, get_amount(system, make_deposit_key(bundle.payer)), hold)


def consume_sequence(system: Journal, bundle: Bundle) -> None:
    """Take the bundle in: its sequence is used, whatever the outcome. # A6"""
    system.set(make_sequence_key(bundle.payer, bundle.channel), bundle.sequence + 1)


def hold(system: Journal, payer: Address, amount: int) -> None:
    """Keep an amount of the deposit until the decision. # A17"""
    _add(system, make_deposit_key(payer), -amount)
    _add(system, HELD_KEY, amount)


def burn(system: Journal, payer: Address, fee: int, held: int) -> None:
    """Burn the fee of a decided bundle and give back the rest of what was held. # A17"""
    if held:
        _add(system, HELD_KEY, -held)
    _add(system, make_deposit_key(payer), held - fee)
    _add(system, BURNED_KEY, fee)


def _add(system: Journal, key: str, amount: int) -> None:
    system.set(key, get_amount(system, key) + amount)


def get_suspension(system: Journal, rollup: RollupId) -> Height:
    """Return the height at which a split rollup was suspended; 0 if it is not. # A13"""
    return get_amount(system, make_suspended_key(rollup))


def set_suspension(system: Journal, rollup: RollupId, height: Height) -> None:
    """Suspend a rollup at a height; 0 lifts it. # A13"""
    system.set(make_suspended_key(rollup), height)


def make_suspended_key(rollup: RollupId) -> str:
    """Return the key of the height at which a split rollup was suspended."""
    return f"suspended/{rollup}"


def get_certified_height(system: Journal, rollup: RollupId) -> Height:
    """Return the height of the newest certified row of a split rollup; 0 is the genesis. # A11"""
    return get_amount(system, make_certified_key(rollup))


def set_certified_height(system: Journal, rollup: RollupId, height: Height) -> None:
    """Note the height of a row that the log has certified."""
    system.set(make_certified_key(rollup), height)


def make_certified_key(rollup: RollupId) -> str:
    """Return the key of the height of a split rollup's newest certified row."""
    return f"certified/{rollup}"


def get_amount(system: Journal, key: str) -> int:
    """Return the amount under a key of the system state, which holds nothing else."""
    value = system.get(key)
    return value if isinstance(value, int) else 0
