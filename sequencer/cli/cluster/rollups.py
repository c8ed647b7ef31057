"""Read what a person says of rollups: `name[:machine][:split=N]`, separated by commas.

A rollup without `split=N` is native: every validator executes it. With it, N executors of its own do, and attest.
"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.errors import LocalError
from sequencer.types.genesis import EXECUTORS_MAX, NAME

ROLLUPS_MAX = 64
ROLLUPS_DEFAULT = "alpha,beta,gamma"
MACHINE_BY_NAME = {"alpha": "transfer", "beta": "amm", "gamma": "key_value"}
MACHINE_DEFAULT = "transfer"
"""Machine of a rollup whose name says nothing else."""
EXECUTORS_TOTAL_MAX = 32
"""Executor processes that one machine is asked to run."""
_SPLIT = "split="


@dataclass(frozen=True, slots=True)
class RollupWish:
    """One rollup as asked for."""

    name: str
    machine: str
    executors: int = 0
    """Executors of a split rollup, 1..16; 0 for a native one."""


def parse_rollups(text: str) -> tuple[RollupWish, ...]:
    """Return every rollup of the list; raises `LocalError` naming the wrong part."""
    rollups = tuple(_parse_rollup(part) for part in text.split(","))
    if len({rollup.name for rollup in rollups}) != len(rollups):
        raise LocalError(f"--rollups {text}: names must be distinct")
    if len(rollups) > ROLLUPS_MAX:
        raise LocalError(f"--rollups: at most {ROLLUPS_MAX}, got {len(rollups)}")
    if sum(rollup.executors for rollup in rollups) > EXECUTORS_TOTAL_MAX:
        raise LocalError(f"--rollups: at most {EXECUTORS_TOTAL_MAX} executors in all")
    return rollups


def _parse_rollup(part: str) -> RollupWish:
    name, *options = part.split(":")
    if not NAME.match(name):
        raise LocalError(f"--rollups {part}: the name must be 1..32 characters a-z 0-9 - starting with a letter")
    executors = _parse_split(part, options.pop()) if options and options[-1].startswith("split") else 0
    if len(options) > 1:
        raise LocalError(f"--rollups {part}: must be name, name:machine or name:machine:split=N")
    return RollupWish(name, options[0] if options else MACHINE_BY_NAME.get(name, MACHINE_DEFAULT), executors)


def _parse_split(part: str, option: str) -> int:
    count = option.removeprefix(_SPLIT)
    if not count.isdecimal() or not 1 <= int(count) <= EXECUTORS_MAX:
        raise LocalError(f"--rollups {part}: must be split=N with N of 1..{EXECUTORS_MAX} executors")
    return int(count)
