"""Plant a bug for the time of a context, run seeds until a checker reports it, and run the clean core on that seed."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import run_seed
from tests.properties.split.case import find_broken
from tests.simulation.directed import COMES_THROUGH, Outcome, Play, perform
from tests.simulation.planted.edit import Edit, planted

HALT = "HALT"
"""Reported for a play that does not come through although no checker complains: liveness is lost."""
LIVENESS = frozenset({HALT, "I12", "I13"})
"""A bug that only these report is caught by liveness alone."""
LINES_MAX = 5
"""Lines that a bug may change."""
HARMLESS_SEEDS = 40
"""Seeds that a bug must pass where it is harmless."""


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Let `owner.name` be `value` inside the context: for what is no change of lines."""
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
    edits: tuple[Edit, ...]
    caught_by: tuple[str, ...]
    """Rules whose monitors or invariants count as having caught it."""
    options: SimulationOptions = field(default_factory=SimulationOptions)
    """What the seeds of this bug share."""
    play: Play | None = None
    """The directed play that it breaks; the play is a test of its own, and this is its control."""
    is_random: bool = True
    """Whether random seeds catch it; else only the play does."""
    also_at: tuple[int, ...] = ()
    """Further sizes of the committee at which it must be caught."""
    harmless_at: tuple[int, ...] = ()
    """Sizes at which the change changes nothing, so that no seed may report it."""
    by_cases: bool = False
    """Whether seeds are cases of bundles over split rollups (`tests/properties/split`), not whole simulations."""

    def plant(self) -> AbstractContextManager[None]:
        """Return the context in which the bug is there."""
        return planted(self.edits)

    def perform(self) -> Outcome:
        """Perform the play of a bug that has one, with the bug in."""
        assert self.play is not None  # the caller asked
        return perform(self.play, self.plant)

    def count_lines(self) -> int:
        """Return how many lines of the product differ."""
        return sum(edit.count_lines() for edit in self.edits)


@dataclass(frozen=True, slots=True)
class Catch:
    """How a planted bug was found, or that it was not."""

    bug: PlantedBug
    validators: int
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


def hunt(bug: PlantedBug, seeds: int, options: SimulationOptions | None = None) -> Catch:
    """Perform the bug's play, or run seeds 0.. until one breaks a promise; then do the same without the bug."""
    options = options or bug.options
    if bug.play is not None and not bug.is_random:
        return hunt_by_play(bug, bug.play)
    if bug.by_cases:
        return hunt_by_cases(bug, seeds)
    for seed in range(seeds):
        found = run_seed(seed, options, bug.plant)
        if found.violations:
            first = found.violations[0]
            return Catch(bug, options.validators, seed, first.rule, first.detail, is_clean(seed, options))
    return Catch(bug, options.validators, None, "", "survived", False)


def hunt_by_play(bug: PlantedBug, play: Play) -> Catch:
    """Perform the play with the bug, then without."""
    outcome = perform(play, bug.plant)
    rule = outcome.rules[0] if outcome.rules else "" if outcome.is_through else HALT
    clean = perform(play) == COMES_THROUGH
    return Catch(bug, bug.options.validators, None, rule, outcome.detail or play.__name__, clean)


def hunt_by_cases(bug: PlantedBug, seeds: int) -> Catch:
    """Play cases over split rollups until one breaks a promise; then the same case without the bug."""
    for seed in range(seeds):
        with bug.plant():
            broken = find_broken(seed)
        if broken:
            rule, _, detail = broken.partition(": ")
            return Catch(bug, bug.options.validators, seed, rule, detail, not find_broken(seed))
    return Catch(bug, bug.options.validators, None, "", "survived", False)


@dataclass(frozen=True, slots=True)
class Hunt:
    """A bug at every size of the committee that it names."""

    first: Catch
    others: tuple[Catch, ...]
    """At `also_at` it must be caught, at `harmless_at` it must not be."""
    cpu_seconds: float

    @property
    def is_caught(self) -> bool:
        """Whether everything is as the bug says."""
        also = [catch for catch in self.others if catch.validators in self.first.bug.also_at]
        harmless = [catch for catch in self.others if catch.validators in self.first.bug.harmless_at]
        return self.first.is_caught and all(c.is_caught for c in also) and not any(c.rule for c in harmless)


def hunt_at_all_sizes(bug: PlantedBug, seeds: int) -> Hunt:
    """Hunt the bug with its own options, and with every other size of the committee that it names."""
    start = time.process_time()
    first = hunt(bug, seeds)
    also = [hunt(bug, seeds, replace(bug.options, validators=size)) for size in bug.also_at]
    few = min(seeds, HARMLESS_SEEDS)
    harmless = [hunt(bug, few, replace(bug.options, validators=size)) for size in bug.harmless_at]
    return Hunt(first, (*also, *harmless), time.process_time() - start)


@cache
def is_clean(seed: int, options: SimulationOptions) -> bool:
    """Tell whether the unchanged product passes a seed."""
    return not run_seed(seed, options).violations
