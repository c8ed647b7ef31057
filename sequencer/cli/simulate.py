"""Run many replicas in one thread under one seed, and check what they promise.

Exit status 1 if a promise was broken, or if a kind of fault was on in many seeds and was hardly
ever felt; 2 if it could not run. Of a broken promise the first broken rule, the fewest faults
that break it, the last actions and the command that replays it are told.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sequencer.cli.command import CommandError, ExitStatus, add_json
from sequencer.cli.output import print_result, print_text
from sequencer.cli.simulate_latency import add_latency_arguments, run_latency
from sequencer.cli.simulate_progress import Progress

if TYPE_CHECKING:
    from sequencer.simulation.options import SimulationOptions
    from sequencer.simulation.replay import Replay
    from sequencer.simulation.runner import CampaignResult
    from sequencer.simulation.simulator import SeedResult

VALIDATORS_DEFAULT = 4
FAILURES_SHOWN_MAX = 3
"""Failed seeds that are told in full."""
REPLAY_FOLDER = Path(".sequencer") / "replays"
"""Where replays of failed seeds are written, below the current directory."""
HARNESS = "tests.simulation.planted.bugs"
"""Module of the test harness that lists the planted bugs; a checkout has it, the product does not."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seeds", metavar="A:B", default="0:20", help="seeds A..B-1 (default 0:20)")
    parser.add_argument("--validators", metavar="N", type=int, help="size of the committee (default 4)")
    parser.add_argument("--powers", metavar="P,P,…", default="", help="voting power of each validator (default 1 each)")
    parser.add_argument("--faults", metavar="all|none|LIST", help="fault kinds that seeds may suffer (default all)")
    parser.add_argument("--byzantine", metavar="K", type=int, help="Byzantine validators (default 0)")
    parser.add_argument(
        "--behaviours", metavar="all|LIST", default="all", help="what Byzantine validators may do (default all)"
    )
    parser.add_argument("--workers", metavar="N", type=int, help="processes (default: one per core)")
    parser.add_argument("--replay", metavar="FILE", type=Path, help="run the seed of a replay file again")
    parser.add_argument("--planted", metavar="NAME", help="with one bug of the test harness in (needs a checkout)")
    add_latency_arguments(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the seeds, or the replay, and report."""
    if arguments.latency:
        return run_latency(arguments, parse_seeds(arguments.seeds)[0])
    if arguments.replay is not None:
        return _run_replay(arguments.replay, arguments.json)
    bug = None if arguments.planted is None else find_planted(arguments.planted)
    if bug is not None and not bug.is_random:
        return _run_play(bug, arguments.json)
    with nullcontext() if bug is None else _plant(bug):
        return _run_campaign(arguments, bug)


def _run_campaign(arguments: argparse.Namespace, bug: Any) -> int:
    from sequencer.simulation.runner import Campaign, simulate

    first, end = parse_seeds(arguments.seeds)
    options = read_options(arguments, None if bug is None else bug.options)
    progress = Progress(end - first)
    result = simulate(Campaign(first, end, options, read_workers(arguments.workers)), progress.on_seed)
    progress.close()
    for place, failure in enumerate(result.failures[:FAILURES_SHOWN_MAX]):
        _tell_failure(failure, options, arguments.planted, is_minimised=place == 0)
    _tell_dead(result)
    print_result(result.to_json(), arguments.json)
    return ExitStatus.BROKEN if result.violations or result.get_dead() else ExitStatus.OK


def _run_play(bug: Any, is_json: bool) -> int:
    """Perform the directed play that shows the bug: no seed does."""
    outcome = bug.perform()
    rule = outcome.rules[0] if outcome.rules else None
    print_text(f"{bug.play.__name__}: {outcome.detail or 'the protocol does not come through'}")
    print_result({"play": bug.play.__name__, "rule": rule, "is_through": outcome.is_through}, is_json)
    return ExitStatus.OK if rule is None and outcome.is_through else ExitStatus.BROKEN


def _tell_failure(failure: SeedResult, options: SimulationOptions, planted: str | None, *, is_minimised: bool) -> None:
    """Print the failure, with the fewest faults if asked, and write the replay."""
    from sequencer.simulation.minimiser import minimise
    from sequencer.simulation.replay import make_replay, write_replay
    from sequencer.simulation.report import format_command, format_failure, format_violations
    from sequencer.simulation.runner import run_seed

    commit = get_commit()
    for line in format_violations(failure):
        print_text(line)
    print_text(f"commit {commit}; again with all faults: {format_command(failure.seed, options)}")
    if is_minimised:
        print_text(f"looking for the fewest of {len(failure.faults)} faults …")
        found = minimise(failure, options, run_seed)
        state = "without any one of them it passes" if found.is_minimal else "there may be fewer"
        print_text(f"{len(found.result.faults)} faults after {found.runs} runs; {state}:")
        failure = found.result
    for line in format_failure(failure, options):
        print_text(line)
    path = REPLAY_FOLDER / f"seed{failure.seed}-n{options.validators}.json"
    write_replay(make_replay(failure, options, commit, planted), path)
    print_text(f"replay: sequencer simulate --replay {path}")


def _tell_dead(result: CampaignResult) -> None:
    for kind in result.get_dead():
        felt, seeds = result.seeds_fired[kind], result.seeds_on[kind]
        print_text(f"{kind} was on in {seeds} seeds and felt in {felt} only: it tests too little")


def _run_replay(path: Path, is_json: bool) -> int:
    """Run one seed as the file says, and compare."""
    from sequencer.simulation.replay import read_replay
    from sequencer.simulation.report import format_failure
    from sequencer.simulation.runner import run_seed

    replay = read_replay(path)
    with nullcontext() if replay.planted is None else _plant(find_planted(replay.planted)):
        result = run_seed(replay.seed, replay.options)
    for line in format_failure(result, replay.options) if result.violations else ():
        print_text(line)
    for line in compare_replay(replay, result):
        print_text(line)
    value = {
        "seed": replay.seed,
        "rule": result.violations[0].rule if result.violations else None,
        "expected_rule": replay.rule,
        "trace_hash": result.trace_hash,
        "is_same_trace": result.trace_hash == replay.trace_hash,
    }
    print_result(value, is_json)
    return ExitStatus.BROKEN if result.violations else ExitStatus.OK


def compare_replay(replay: Replay, result: SeedResult) -> list[str]:
    """Return what differs from what the replay expects, or that nothing does."""
    rule = result.violations[0].rule if result.violations else ""
    if result.trace_hash == replay.trace_hash and rule == replay.rule:
        return [f"the same run: it breaks {rule}, trace hash {result.trace_hash}"]
    lines = []
    if rule != replay.rule:
        lines.append(f"it breaks {rule or 'nothing'}, and broke {replay.rule or 'nothing'} when it was written")
    if result.trace_hash != replay.trace_hash:
        here = get_commit()
        lines.append(f"another trace hash: {result.trace_hash} at {here}, {replay.trace_hash} at {replay.commit}")
    return lines


def read_options(arguments: argparse.Namespace, planted: SimulationOptions | None) -> SimulationOptions:
    """Return the options of the command line over those of a planted bug; raises `CommandError`."""
    from sequencer.simulation.options import SimulationOptions

    base = planted or SimulationOptions(VALIDATORS_DEFAULT)
    powers = tuple(_parse_integer(power, "--powers") for power in arguments.powers.split(",") if power)
    size = arguments.validators
    if size is None:
        size = len(powers) or base.validators
    options = SimulationOptions(
        validators=size,
        powers=powers or (base.powers if arguments.validators is None else ()),
        faults=base.faults if arguments.faults is None else parse_faults(arguments.faults),
        parameters=base.parameters,
        byzantine=base.byzantine if arguments.byzantine is None else arguments.byzantine,
        behaviours=parse_behaviours(arguments.behaviours) or base.behaviours,
    )
    options.verify()
    return options


def read_workers(workers: int | None) -> int:
    """Return the number of processes; raises `CommandError`."""
    if workers is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers < 1:
        raise CommandError(f"--workers must be at least 1, is {workers}", "usage")
    return workers


def parse_seeds(text: str) -> tuple[int, int]:
    """Read A:B, half open; raises `CommandError`."""
    first, colon, end = text.partition(":")
    bounds = (_parse_integer(first, "--seeds"), _parse_integer(end, "--seeds")) if colon else (0, 0)
    if not 0 <= bounds[0] < bounds[1]:
        raise CommandError(f"--seeds: must be A:B with 0 <= A < B, is {text!r}", "usage")
    return bounds


def parse_faults(text: str) -> tuple[str, ...]:
    """Read all, none or a list of kinds; raises `CommandError`."""
    from sequencer.simulation.faults.plan import ALL_FAULTS

    if text in ("all", "none"):
        return ALL_FAULTS if text == "all" else ()
    for name in text.split(","):
        if name not in ALL_FAULTS:
            raise CommandError(f"--faults: {name!r} is not one of {', '.join(ALL_FAULTS)}", "usage")
    return tuple(text.split(","))


def parse_behaviours(text: str) -> tuple[str, ...]:
    """Read all (which gives none by name) or a list of behaviours; raises `CommandError`."""
    from sequencer.simulation.byzantine.registry import BEHAVIOURS

    names = () if text == "all" else tuple(text.split(","))
    for name in names:
        if name not in BEHAVIOURS:
            raise CommandError(f"--behaviours: {name!r} is not one of {', '.join(BEHAVIOURS)}", "usage")
    return names


def find_planted(name: str) -> Any:
    """Return a planted bug of the test harness below the current directory; raises `CommandError`."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        bugs = importlib.import_module(HARNESS).BUGS
    except ModuleNotFoundError:
        raise CommandError("--planted: the test harness is not here; run it in a checkout", "usage") from None
    known = {bug.name: bug for bug in bugs}
    if name not in known:
        raise CommandError(f"--planted: {name!r} is not one of {', '.join(known)}", "usage")
    return known[name]


def _plant(bug: Any) -> AbstractContextManager[object]:
    """Return the context in which the bug is in; worker processes are forks, so they have it too."""
    context: AbstractContextManager[object] = bug.plant()
    return context


def get_commit() -> str:
    """Return the commit of the running code, or "unknown"."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def _parse_integer(text: str, option: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise CommandError(f"{option}: {text!r} is not a number", "usage") from None
