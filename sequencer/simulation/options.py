"""Say what one simulated seed consists of."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from sequencer.errors import LocalError
from sequencer.simulation.faults.fault import Fault
from sequencer.simulation.faults.plan import ALL_FAULTS, CATALOGUE
from sequencer.types.parameters import COMMITTEE_SIZE_MAX, Parameters

SIMULATED_SECONDS = 60
"""Virtual length of one seed; faults take the first half."""

SIMULATION_PARAMETERS = Parameters(
    view_timeout_base_ms=400,
    view_timeout_max_ms=600,
    pace_ms=600,
    idle_ms=1_200,
    batch_delay_ms_max=100,
    have_interval_ms=150,
    snapshot_interval_heights=16,
    commitment_interval_ms=2_000,
)
"""A slow network's times: few events per second, and snapshots often enough to restart from them."""


def draw_parameters(rng: random.Random, faulty_max: int = 1) -> Parameters:
    """Return the times of one seed: some are too short for the network, so that views fail without a fault.

    After the healing up to `faulty_max` leaders may follow each other whose views each last T_IDLE + 5 T, after
    one that the faults spoilt, before the three heights that I12 demands: both times shrink with it.
    """
    timeout_max_ms = 1_440 // (2 + faulty_max)
    timeout_ms = min(rng.choice((80, 250, 400)), timeout_max_ms)
    retain_heights = rng.choice((6, 12, 10_000))  # who was away for long must join by snapshot
    return replace(
        SIMULATION_PARAMETERS,
        view_timeout_base_ms=timeout_ms,
        view_timeout_max_ms=timeout_max_ms,
        pace_ms=min(rng.choice((400, 800, 1_000)), 2 * timeout_ms),  # above 3 T every leader is given up in vain
        idle_ms=rng.choice((1_300, 1_600, 1_800)) * 3 // (2 + faulty_max),
        lane_advance_max=rng.choice((4, 8)),
        retain_heights=retain_heights,
        snapshot_interval_heights=min(retain_heights, 16),
    )


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What all seeds of a campaign share."""

    validators: int = 4
    """Size of the committee, 2..128."""
    powers: tuple[int, ...] = ()
    """Voting power of each validator; empty means 1 each."""
    faults: tuple[str, ...] = ALL_FAULTS
    """Fault kinds that seeds may suffer; each is on or off per seed."""
    parameters: Parameters | None = None
    """The protocol's times and limits; None draws them per seed."""
    byzantine: int = 0
    """Byzantine validators per seed; which ones is drawn, of power at most F unless the number does not allow it."""
    behaviours: tuple[str, ...] = ()
    """Names of the behaviours that Byzantine validators draw from; empty means every behaviour there is."""

    plan: tuple[Fault, ...] | None = None
    """Exactly these faults instead of drawn ones; None draws them per seed."""

    def get_powers(self) -> tuple[int, ...]:
        """Return the voting power of each validator."""
        return self.powers or (1,) * self.validators

    def count_faulty_max(self) -> int:
        """Return how many validators can be faulty together, with power at most F; at least 1."""
        powers = self.get_powers()
        left, count = (sum(powers) - 1) // 3, 0
        for power in sorted(powers):
            left -= power
            count += left >= 0
        return max(1, count)

    def verify(self) -> None:
        """Refuse what cannot run; raises `LocalError` naming the option."""
        if not 2 <= self.validators <= COMMITTEE_SIZE_MAX:
            raise LocalError(f"validators: must be 2..{COMMITTEE_SIZE_MAX}, is {self.validators}")
        if self.powers and len(self.powers) != self.validators:
            raise LocalError(f"powers: must be {self.validators} numbers, are {len(self.powers)}")
        if any(power < 1 for power in self.powers):
            raise LocalError("powers: must each be at least 1")
        for name in (*self.faults, *(fault.kind for fault in self.plan or ())):
            if name not in CATALOGUE:
                raise LocalError(f"faults: {name!r} is not one of {', '.join(CATALOGUE)}")
        if not 0 <= self.byzantine <= self.validators:
            raise LocalError(f"byzantine: must be 0..{self.validators}, is {self.byzantine}")
