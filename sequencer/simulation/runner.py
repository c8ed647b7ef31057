"""Run many seeds over worker processes and add up what they gave.

The aggregate is made in the order of seeds, so it does not depend on the number of workers.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from hashlib import sha256
from statistics import median

from sequencer.simulation.checkers.ledger import Violation
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.simulator import SeedResult, Simulation

Plant = Callable[[], AbstractContextManager[object]]
"""Makes a context in which one rule of the product is broken; only the test harness has such things."""


SEEDS_ON_MIN = 200
"""Seeds that a kind must have been on in before it can be called dead."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which seeds to run, and how."""

    first_seed: int
    end_seed: int
    """The first seed that is not run."""
    options: SimulationOptions
    workers: int = 1
    """Processes; 1 runs everything in this one."""


@dataclass(slots=True)
class CampaignResult:
    """The sum over all seeds of a campaign."""

    seeds: int = 0
    simulated_seconds: float = 0.0
    heights: list[int] = field(default_factory=list)
    transactions_final: int = 0
    bundles_committed: int = 0
    bundles_aborted: int = 0
    restarts: int = 0
    evidence: int = 0
    """Offences that correct validators could prove."""
    seeds_with_evidence: int = 0
    event_count: int = 0
    cpu_seconds: float = 0.0
    """CPU time of the seeds themselves, over all workers."""
    violations: list[tuple[int, Violation]] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    seeds_on: Counter[str] = field(default_factory=Counter)
    """Seeds in which each kind of fault or behaviour was on."""
    seeds_fired: Counter[str] = field(default_factory=Counter)
    """Those of them in which it was felt by a correct validator."""
    failures: list[SeedResult] = field(default_factory=list)
    """Results of the seeds that broke a promise."""
    _hashes: list[str] = field(default_factory=list)

    def add(self, result: SeedResult, cpu_seconds: float) -> None:
        """Add one seed's result; seeds come in order."""
        self.seeds += 1
        self.simulated_seconds += result.simulated_seconds
        self.heights.append(result.heights)
        self.transactions_final += result.transactions_final
        self.bundles_committed += result.bundles_committed
        self.bundles_aborted += result.bundles_aborted
        self.restarts += result.restarts
        self.evidence += result.evidence
        self.seeds_with_evidence += result.evidence > 0
        self.event_count += result.event_count
        self.cpu_seconds += cpu_seconds
        self.violations.extend((result.seed, violation) for violation in result.violations)
        self.fired.update(result.fired)
        self.seeds_on.update(result.on)
        self.seeds_fired.update(kind for kind in result.on if result.fired.get(kind))
        self._hashes.append(result.trace_hash)
        if result.violations:
            self.failures.append(result)

    def get_trace_hash(self) -> str:
        """Return the hash over all seeds' trace hashes, in the order of seeds."""
        return sha256("".join(self._hashes).encode()).hexdigest()

    def get_dead(self) -> list[str]:
        """Return the kinds that were on often and fired in fewer than half of those seeds: they test nothing."""
        return [
            kind
            for kind, count in sorted(self.seeds_on.items())
            if count >= SEEDS_ON_MIN and 2 * self.seeds_fired[kind] < count
        ]

    def to_json(self) -> dict[str, object]:
        """Return the fields of `simulate --json`; seeds_per_minute counts CPU minutes."""
        return {
            "seeds": self.seeds,
            "simulated_seconds": round(self.simulated_seconds, 3),
            "heights": sum(self.heights),
            "median_heights": median(self.heights) if self.heights else 0,
            "transactions_final": self.transactions_final,
            "bundles_committed": self.bundles_committed,
            "bundles_aborted": self.bundles_aborted,
            "restarts": self.restarts,
            "evidence": self.evidence,
            "seeds_with_evidence": self.seeds_with_evidence,
            "cpu_seconds": round(self.cpu_seconds, 3),
            "seeds_per_minute": round(60 * self.seeds / self.cpu_seconds, 1) if self.cpu_seconds else 0,
            "violations": [
                {"seed": seed, "rule": violation.rule, "height": violation.number}
                for seed, violation in self.violations
            ],
            "fired": dict(sorted(self.fired.items())),
            "seeds_on": dict(sorted(self.seeds_on.items())),
            "seeds_fired": dict(sorted(self.seeds_fired.items())),
            "dead": self.get_dead(),
            "trace_hash": self.get_trace_hash(),
        }


def run_seed(seed: int, options: SimulationOptions, plant: Plant | None = None) -> SeedResult:
    """Run one seed, with one rule broken if `plant` says so. An exception becomes a violation."""
    with collecting_at_the_end(), plant() if plant is not None else nullcontext():
        return _run(Simulation(seed, options))


def _run(simulation: Simulation) -> SeedResult:
    try:
        return simulation.run()
    except Exception as error:  # noqa: BLE001 - the edge that records: a replica that raises fails its seed
        last = traceback.extract_tb(error.__traceback__)[-1]
        detail = f"{type(error).__name__}: {error} at {last.name}, line {last.lineno} of {last.filename}"
        return simulation.stop("RAISED", detail)


@contextmanager
def collecting_at_the_end() -> Iterator[None]:
    """Collect garbage once, after the context, and only what was made in it.

    A seed lets go of little before its end, and `EVENT_COUNT_MAX` bounds it; looking at what lives costs far more.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def simulate(campaign: Campaign, on_seed: Callable[[SeedResult], None] | None = None) -> CampaignResult:
    """Run all seeds of `campaign`; `on_seed` sees each result in the order of seeds."""
    total = CampaignResult()
    for result, cpu_seconds in _run_all(campaign):
        total.add(result, cpu_seconds)
        if on_seed is not None:
            on_seed(result)
    return total


def _run_all(campaign: Campaign) -> Iterator[tuple[SeedResult, float]]:
    seeds: Sequence[int] = range(campaign.first_seed, campaign.end_seed)
    if campaign.workers <= 1 or len(seeds) <= 1:
        yield from (_run_timed(seed, campaign.options) for seed in seeds)
        return
    with ProcessPoolExecutor(campaign.workers) as pool:
        yield from pool.map(_run_timed, seeds, [campaign.options] * len(seeds), chunksize=4)


def _run_timed(seed: int, options: SimulationOptions) -> tuple[SeedResult, float]:
    start = time.process_time()
    result = run_seed(seed, options)
    return result, time.process_time() - start
