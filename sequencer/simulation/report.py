"""Tell a person what a failed seed did: the broken rule, the faults, the last actions."""

from __future__ import annotations

from collections.abc import Iterable

from sequencer.simulation.faults.fault import Fault
from sequencer.simulation.faults.plan import ALL_FAULTS
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.simulator import SeedResult

VIOLATIONS_SHOWN_MAX = 5


def format_failure(result: SeedResult, options: SimulationOptions) -> list[str]:
    """Return what a person needs to know of a failed seed, the first broken rule first."""
    actions = [f"  {line}" for line in result.last_actions]
    return [*format_violations(result), *format_faults(result.faults), "last actions:", *actions]


def format_violations(result: SeedResult) -> list[str]:
    """Return a line for each of the first violations."""
    return [
        f"seed {result.seed} broke {violation.rule} at {violation.number}: validator {violation.node}, "
        f"{violation.time_ms / 1_000:.3f} s: {violation.detail}"
        for violation in result.violations[:VIOLATIONS_SHOWN_MAX]
    ]


def format_faults(faults: Iterable[Fault]) -> list[str]:
    """Return a line for each fault, by start."""
    return [
        f"  fault {fault.kind} {fault.number}: {fault.start_us / 1e6:.3f}..{fault.end_us / 1e6:.3f} s, "
        f"validators {_join(fault.nodes)}{f' to {_join(fault.targets)}' if fault.targets else ''}"
        f"{f', size {fault.size}' if fault.size else ''}"
        for fault in faults
    ]


def format_command(seed: int, options: SimulationOptions) -> str:
    """Return the command that runs a seed again with the faults that are drawn for it."""
    faults = "all" if options.faults == ALL_FAULTS else ",".join(options.faults) or "none"
    powers = f" --powers {_join(options.powers)}" if options.powers else ""
    byzantine = f" --byzantine {options.byzantine}" if options.byzantine else ""
    behaviours = f" --behaviours {','.join(options.behaviours)}" if options.behaviours else ""
    seeds = f"--seeds {seed}:{seed + 1} --validators {options.validators}{powers}"
    return f"sequencer simulate {seeds} --faults {faults}{byzantine}{behaviours}"


def _join(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))
