"""Keep sequences, deposits and fees: who is taken in, and what it costs. # A3 A6 A17"""

from __future__ import annotations

from sequencer.types.bundle import Bundle
from sequencer.types.genesis import Genesis
from sequencer.types.primitives import Address, Height


class Accounts:
    """deposits + held + burned never change in sum."""

    def __init__(self, genesis: Genesis) -> None:
        self.deposits = dict(genesis.deposits)
        self.sequences: dict[tuple[Address, int], int] = {}
        self.held = 0
        self.burned = 0
        self._base = genesis.parameters.fee_base
        self._per_operation = genesis.parameters.fee_per_operation
        self._per_rollup_height = genesis.parameters.fee_per_rollup_height

    def compute_hold(self, bundle: Bundle) -> int:
        """Return the most that the bundle can cost: it waits to its deadline."""
        return self._compute_fee(bundle, bundle.decide_within)

    def _compute_fee(self, bundle: Bundle, heights: int) -> int:
        operations = sum(len(leg.operations) for leg in bundle.legs)
        rent = self._per_rollup_height * len(bundle.rollups) * heights
        return self._base + self._per_operation * operations + rent

    def refuse(self, bundle: Bundle, height: Height, hold: int) -> str:
        """Return why the bundle is inadmissible, or nothing. # A3"""
        expected = self.sequences.get((bundle.payer, bundle.channel), 0)
        if bundle.sequence != expected:
            return "SEQUENCE_USED" if bundle.sequence < expected else "SEQUENCE_GAP"
        if not bundle.valid_from <= height <= bundle.valid_until:
            return "NOT_YET_VALID" if height < bundle.valid_from else "EXPIRED"
        return "" if self.deposits.get(bundle.payer, 0) >= hold else "UNFUNDED"

    def admit(self, bundle: Bundle, hold: int) -> None:
        """Consume the sequence and hold the fee. # A6"""
        self.sequences[bundle.payer, bundle.channel] = bundle.sequence + 1
        self.deposits[bundle.payer] -= hold
        self.held += hold

    def settle(self, bundle: Bundle, hold: int, reason: str, heights: int) -> int:
        """Burn what the bundle cost, give the rest back, and return what was burned."""
        fee = self._compute_fee(bundle, heights if bundle.decide_within else 0)
        if reason.startswith(("TIMEOUT:", "SUSPENDED:")):
            fee = self._base  # the payer is not to blame
        self.held -= hold
        self.burned += fee
        self.deposits[bundle.payer] += hold - fee
        return fee
