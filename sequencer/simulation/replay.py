"""Write down a failed seed so that anybody can run it again, and read it back.

A replay holds the seed, every option, the explicit list of faults, and what is expected: the
first broken rule and the trace hash, with the commit that gave them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from sequencer.errors import LocalError
from sequencer.simulation.faults.fault import fault_from_value, fault_to_value
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.simulator import SeedResult
from sequencer.types.parameters import Parameters

FORMAT = 1
"""Version of the file."""
BYTES_MAX = 1 << 20
"""A larger file is no replay."""


@dataclass(frozen=True, slots=True)
class Replay:
    """One failed seed, and what running it again must give."""

    seed: int
    options: SimulationOptions
    """With its plan of faults."""
    rule: str
    """First rule that was broken; empty if none was."""
    trace_hash: str
    commit: str
    """Of the code that gave it, or "unknown"."""
    planted: str | None = None
    """Name of the planted bug that was in, or None."""


def make_replay(result: SeedResult, options: SimulationOptions, commit: str, planted: str | None = None) -> Replay:
    """Return the replay of a result, with the faults that were carried out."""
    rule = result.violations[0].rule if result.violations else ""
    return Replay(result.seed, replace(options, plan=result.faults), rule, result.trace_hash, commit, planted)


def write_replay(replay: Replay, path: Path) -> None:
    """Write the file, and the folder that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(replay_to_value(replay), indent=1) + "\n", encoding="utf-8")


def read_replay(path: Path) -> Replay:
    """Read the file; raises `LocalError` that names what is wrong with it."""
    if path.stat().st_size > BYTES_MAX:
        raise LocalError(f"{path}: is larger than {BYTES_MAX} bytes")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LocalError(f"{path}: is not JSON: {error}") from error
    return replay_from_value(value, str(path))


def replay_to_value(replay: Replay) -> dict[str, object]:
    """Return the replay as JSON values."""
    return {
        "format": FORMAT,
        "commit": replay.commit,
        "seed": replay.seed,
        "rule": replay.rule,
        "trace_hash": replay.trace_hash,
        "planted": replay.planted,
        "options": options_to_value(replay.options),
    }


def replay_from_value(value: object, path: str) -> Replay:
    """Read a replay; raises `LocalError` that names the wrong field."""
    fields_ = _read_object(value, path)
    if fields_.get("format") != FORMAT:
        raise LocalError(f"{path}.format: must be {FORMAT}, is {fields_.get('format')!r}")
    seed = fields_.get("seed")
    if not isinstance(seed, int):
        raise LocalError(f"{path}.seed: must be a number")
    texts = {name: fields_.get(name) for name in ("rule", "trace_hash", "commit")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise LocalError(f"{path}.{name}: must be text")
    planted = fields_.get("planted")
    return Replay(
        seed=seed,
        options=options_from_value(fields_.get("options"), f"{path}.options"),
        planted=planted if isinstance(planted, str) else None,
        **{name: str(text) for name, text in texts.items()},
    )


def options_to_value(options: SimulationOptions) -> dict[str, object]:
    """Return all options as JSON values."""
    value: dict[str, object] = {field.name: getattr(options, field.name) for field in fields(options)}
    value["parameters"] = None if options.parameters is None else asdict(options.parameters)
    value["plan"] = None if options.plan is None else [fault_to_value(fault) for fault in options.plan]
    return {name: list(entry) if isinstance(entry, tuple) else entry for name, entry in value.items()}


def options_from_value(value: object, path: str) -> SimulationOptions:
    """Read options and check them; raises `LocalError` that names the wrong field."""
    given = _read_object(value, path)
    known = {field.name for field in fields(SimulationOptions)}
    if unknown := sorted(set(given) - known):
        raise LocalError(f"{path}.{unknown[0]}: is not known")
    read: dict[str, object] = {
        name: tuple(entry) if isinstance(entry, list) else entry for name, entry in given.items()
    }
    plan, parameters = given.get("plan"), given.get("parameters")
    if isinstance(plan, list):
        read["plan"] = tuple(fault_from_value(fault, f"{path}.plan[{place}]") for place, fault in enumerate(plan))
    try:
        if isinstance(parameters, dict):
            read["parameters"] = Parameters(**parameters)
        options = SimulationOptions(**read)  # type: ignore[arg-type] # `verify` checks what came from outside
        options.verify()
    except (TypeError, ValueError) as error:
        raise LocalError(f"{path}: {error}") from error
    return options


def _read_object(value: object, path: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise LocalError(f"{path}: must be an object")
    return value
