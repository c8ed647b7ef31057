"""Plant a bug for the time of a context, run seeds until a checker reports it, and run the clean core on that seed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from sequencer.simulation.faults import ALL_FAULTS, FaultKind
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import run_seed


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
    faults: tuple[FaultKind, ...] = ALL_FAULTS

    @property
    def options(self) -> SimulationOptions:
        """What the seeds of this bug share."""
        return SimulationOptions(validators=self.validators, faults=self.faults)


@dataclass(frozen=True, slots=True)
class Catch:
    """How a planted bug was found, or that it was not."""

    bug: PlantedBug
    seed: int | None
    """First seed that reports the bug; None if it survived."""
    rule: str
    """First rule that was reported broken."""
    detail: str
    is_clean_same_seed: bool
    """The unchanged product passes the very same seed."""

    @property
    def is_caught(self) -> bool:
        """Whether the right checker reported the bug, and only because of the bug."""
        return self.seed is not None and self.rule in self.bug.caught_by and self.is_clean_same_seed


def hunt(bug: PlantedBug, seeds: int) -> Catch:
    """Run seeds 0.. with the bug until one breaks a promise, then run that seed without it."""
    for seed in range(seeds):
        found = run_seed(seed, bug.options, bug.plant)
        if found.violations:
            first = found.violations[0]
            clean = run_seed(seed, bug.options)
            return Catch(bug, seed, first.rule, first.detail, not clean.violations)
    return Catch(bug, None, "", "survived", False)
