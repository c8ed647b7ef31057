"""Reduce the faults of a failing seed until removing any one of them makes it pass.

Delta debugging over the plan: halves, quarters, … single faults are left out, and stay out
if the seed still breaks a promise. Deterministic; the number of runs is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sequencer.simulation.faults.fault import Fault
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.simulator import SeedResult

RUNS_MAX = 400
"""Runs after which the list is given as it is."""

Run = Callable[[int, SimulationOptions], SeedResult]


@dataclass(frozen=True, slots=True)
class Minimised:
    """A failing seed with as few faults as it needs."""

    options: SimulationOptions
    """With the plan that is left."""
    result: SeedResult
    """What that plan gives; it breaks a promise."""
    is_minimal: bool
    """Each fault was left out once and the seed passed; False if `RUNS_MAX` came first."""
    runs: int


def minimise(failure: SeedResult, options: SimulationOptions, run: Run) -> Minimised:
    """Return the smallest plan found that still breaks a promise, and what it gives."""
    search = _Search(failure, options, run)
    search.reduce()
    return Minimised(replace(options, plan=search.plan), search.result, search.runs < RUNS_MAX, search.runs)


class _Search:
    def __init__(self, failure: SeedResult, options: SimulationOptions, run: Run) -> None:
        self.plan = failure.faults
        self.result = failure
        self.runs = 0
        self._options = options
        self._run = run

    def reduce(self) -> None:
        if self._fails(()):
            return
        parts = 2
        while len(self.plan) > 1 and self.runs < RUNS_MAX:
            if self._drop_one_part(parts):
                parts = max(2, parts - 1)
            elif parts >= len(self.plan):
                return
            else:
                parts = min(len(self.plan), 2 * parts)

    def _drop_one_part(self, parts: int) -> bool:
        """Leave out one of `parts` equal parts for good, if the seed fails without it."""
        size, plan = len(self.plan), self.plan
        bounds = [size * part // parts for part in range(parts + 1)]
        return any(self._fails(plan[:low] + plan[high:]) for low, high in pairwise(bounds))

    def _fails(self, plan: Sequence[Fault]) -> bool:
        """Run the plan; keep it if it breaks a promise."""
        if self.runs >= RUNS_MAX:
            return False
        self.runs += 1
        result = self._run(self.result.seed, replace(self._options, plan=tuple(plan)))
        if not result.violations:
            return False
        self.plan, self.result = tuple(plan), result
        return True
