"""Plant a bug for the time of a context, run seeds until a checker reports it, and run the clean core on that seed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache

from sequencer.simulation.faults.plan import ALL_FAULTS
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import run_seed
from tests.simulation.directed import COMES_THROUGH, Play, perform

HALT = "HALT"
"""Reported for a play that does not come through although no checker complains: liveness is lost."""


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Let `owner.name` be `value` inside the context."""
    genuine = inspect.getattr_static(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, genuine)


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """One rule of the product, broken."""

    name: str
    rule: str
    """The rule that is broken."""
    caught_by: tuple[str, ...]
    """Rules whose monitors or invariants count as having caught it."""
    plant: Callable[[], AbstractContextManager[None]]
    validators: int = 4
    faults: tuple[str, ...] = ALL_FAULTS
    play: Play | None = None
    """The directed play that catches it; None: random seeds do."""

    @property
    def options(self) -> SimulationOptions:
        """What the seeds of this bug share."""
        return SimulationOptions(validators=self.validators, faults=self.faults)


@dataclass(frozen=True, slots=True)
class Catch:
    """How a planted bug was found, or that it was not."""

    bug: PlantedBug
    seed: int | None
    """First seed that reports the bug; None if it survived or was caught by a play."""
    rule: str
    """First rule that was reported broken; HALT if a play does not come through; empty if the bug survived."""
    detail: str
    is_clean_same_seed: bool
    """The unchanged product passes the very same seed."""

    @property
    def is_caught(self) -> bool:
        """Whether the right checker reported the bug, and only because of the bug."""
        return self.rule in self.bug.caught_by and self.is_clean_same_seed


def hunt(bug: PlantedBug, seeds: int) -> Catch:
    """Perform the bug's play, or run seeds 0.. until one breaks a promise; then do the same without the bug."""
    if bug.play is not None:
        outcome = perform(bug.play, bug.plant)
        rule = outcome.rules[0] if outcome.rules else "" if outcome.is_through else HALT
        return Catch(bug, None, rule, bug.play.__name__, perform(bug.play) == COMES_THROUGH)
    for seed in range(seeds):
        found = run_seed(seed, bug.options, bug.plant)
        if found.violations:
            first = found.violations[0]
            return Catch(bug, seed, first.rule, first.detail, is_clean(seed, bug.options))
    return Catch(bug, None, "", "survived", False)


@cache
def is_clean(seed: int, options: SimulationOptions) -> bool:
    """Tell whether the unchanged product passes a seed."""
    return not run_seed(seed, options).violations
