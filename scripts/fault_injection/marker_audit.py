"""Read every rollup of a network at one height, again and again: does each bundle stand on all its rollups or on none?

    python -m scripts.fault_injection.marker_audit                 while split_rollup hurts its network
    python -m scripts.fault_injection.marker_audit --folder DIR    one whose ready.json and markers.jsonl lie there

Shares no code with the node (`marker_picture` neither): raw JSON-RPC, sums and a decoder of its own. Native
rollups are read from a validator, split ones from an executor, a different one each round. Each marker must stand
on all rollups of its bundle or on none, and stand exactly if the blocks up to that height say COMMIT; the total of
every asset, in flight included, and deposits + held + burned must never change. At the end every kind of altered
answer must be found.

Ends with one line of JSON. Exit status: 0 all held, 1 something was violated or an alteration not found, 2 it could
not run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.fault_injection.marker_picture import (
    MARKER_PREFIX,
    Blocks,
    Marker,
    Picture,
    Reader,
    Silent,
    decode_message,
    read_blocks,
    read_markers,
)

READY_SECONDS_MAX = 120.0
PAUSE_SECONDS = 0.5
"""Between two rounds."""
DECISIONS_LOOKED_AT = 8
"""Newest heights with decisions to which every other round goes back: there most is in flight."""
VIOLATIONS_SHOWN = 10
CANNOT_RUN = 2


# --- judging ----------------------------------------------------------------------------------


def judge_markers(picture: Picture, markers: list[Marker], outcomes: dict[str, tuple[int, str]]) -> Iterator[str]:
    """Yield every marker that is not on all or none of its rollups, or not there exactly if its bundle committed."""
    known: dict[str, set[str]] = {rollup: set() for rollup in picture.rollups}
    for marker in markers:
        read = [rollup for rollup in marker.rollups if rollup in picture.rollups]
        standing = [rollup for rollup in read if marker.key in picture.rollups[rollup]]
        for rollup in read:
            known[rollup].add(marker.key)
        decided, outcome = outcomes.get(marker.id, (picture.height + 1, "open"))
        expected = read if outcome == "COMMIT" and decided <= picture.height else []
        if standing not in ([], read):
            yield f"height {picture.height}: {marker.key} stands on {standing} of {read}: partial"
        if standing != expected:
            yield f"height {picture.height}: {marker.key} stands on {standing}, the outcome is {outcome} at {decided}"
    for rollup, state in picture.rollups.items():
        for key in state:
            if key.startswith(MARKER_PREFIX) and key not in known[rollup]:
                yield f"height {picture.height}: {key} stands on {rollup}, and nobody sent it there"


def sum_assets(picture: Picture) -> Counter[str]:
    """Return the total of every asset over all rollups, what is in flight between them included."""
    totals: Counter[str] = Counter()
    for state in picture.rollups.values():
        for key, value in state.items():
            parts = key.split("/")
            if parts[0] == "balance":
                totals[parts[1]] += int(value)
            elif parts[0] == "pool":
                totals[parts[-1]] += int(value)
            elif parts[0] == "outbox":
                message = decode_message(bytes.fromhex(value[2:]))
                totals[message[2]] += message[5]
    return totals


def count_in_flight(picture: Picture) -> int:
    """Return how many messages have left a rollup and not arrived."""
    return sum(key.startswith("outbox/") for state in picture.rollups.values() for key in state)


def sum_deposits(picture: Picture) -> int:
    """Return deposits, what is held of them, and what was burned."""
    names = ("deposit", "held", "burned")
    return sum(int(value) for key, value in picture.system.items() if key.split("/")[0] in names)


@dataclass(slots=True)
class Audit:
    """What was read and what was wrong."""

    rounds: int = 0
    whole_rounds: int = 0
    """Rounds in which every rollup could be read."""
    violations: list[str] = field(default_factory=list)
    assets: Counter[str] | None = None
    deposits: int | None = None
    first_height: int = 0
    last_height: int = 0
    in_flight_max: int = 0
    """Messages between rollups that were seen in flight at once, at most."""
    markers: list[Marker] = field(default_factory=list)
    picture: Picture | None = None
    """The last whole one."""

    def judge(self, picture: Picture, markers: list[Marker], blocks: Blocks, is_whole: bool) -> list[str]:
        """Return what is wrong with a picture; a whole one also fixes, once, what the totals must stay."""
        wrong = list(judge_markers(picture, markers, blocks.outcomes))
        deposits = sum_deposits(picture)
        self.deposits = deposits if self.deposits is None else self.deposits
        if deposits != self.deposits:
            wrong.append(f"height {picture.height}: deposits + held + burned = {deposits}, was {self.deposits}")
        if is_whole:
            assets = sum_assets(picture)
            self.assets = assets if self.assets is None else self.assets
            if assets != self.assets:
                wrong.append(f"height {picture.height}: assets {dict(assets)}, were {dict(self.assets)}")
        return wrong


def choose_height(blocks: Blocks, turn: int) -> int | None:
    """Return None for the newest height, and every other time one at which something was decided lately."""
    heights = sorted({height for height, _ in blocks.outcomes.values()})[-DECISIONS_LOOKED_AT:]
    return heights[turn // 2 % len(heights)] if turn % 2 and heights else None


def audit_round(audit: Audit, reader: Reader, blocks: Blocks, markers_file: Path) -> None:
    """Read one height and judge it; a round that nobody answers is none."""
    try:
        picture, validator = reader.take_picture(choose_height(blocks, audit.rounds))
        read_blocks(blocks, validator, picture.height)
    except Silent:
        return
    except AssertionError as error:
        audit.violations.append(f"two ways of asking differ: {error}")
        return
    audit.markers = read_markers(markers_file)  # after the states: what stands there was written down before
    is_whole = len(picture.rollups) == reader.rollup_count
    audit.violations += audit.judge(picture, audit.markers, blocks, is_whole)
    audit.rounds += 1
    audit.whole_rounds += is_whole
    audit.first_height = audit.first_height or picture.height
    audit.last_height = max(audit.last_height, picture.height)
    audit.in_flight_max = max(audit.in_flight_max, count_in_flight(picture))
    audit.picture = picture if is_whole else audit.picture


# --- control ----------------------------------------------------------------------------------


def alter(picture: Picture, kind: str, marker: Marker, absent: Marker) -> Picture:
    """Return the picture as a lying node would tell it."""
    rollups = {rollup: dict(state) for rollup, state in picture.rollups.items()}
    system = dict(picture.system)
    first, last = rollups[marker.rollups[0]], rollups[marker.rollups[-1]]
    balance = next(key for key in first if key.startswith("balance/"))
    deposit = next(key for key in system if key.startswith("deposit/"))
    if kind == "marker missing on one rollup":
        del last[marker.key]
    elif kind == "marker missing on all":
        for rollup in marker.rollups:
            del rollups[rollup][marker.key]
    elif kind == "marker of an abort on all":
        for rollup in absent.rollups:
            rollups[rollup][absent.key] = "1"
    elif kind == "marker of nobody":
        last[f"{MARKER_PREFIX}nobody"] = "1"
    elif kind == "one coin more":
        first[balance] = str(int(first[balance]) + 1)
    elif kind == "one fee less":
        system[deposit] = str(int(system[deposit]) - 1)
    return Picture(picture.height, rollups, system)


ALTERATIONS = (
    "marker missing on one rollup",
    "marker missing on all",
    "marker of an abort on all",
    "marker of nobody",
    "one coin more",
    "one fee less",
)


def run_control(audit: Audit, blocks: Blocks) -> list[str]:
    """Judge the last whole picture altered in every way; return which alterations nobody noticed."""
    picture = audit.picture
    if picture is None:
        return list(ALTERATIONS)
    here = [marker for marker in audit.markers if set(marker.rollups) <= set(picture.rollups)]
    standing = next((m for m in here if m.key in picture.rollups[m.rollups[0]]), None)
    absent = next((m for m in here if m.key not in picture.rollups[m.rollups[0]]), None)
    if standing is None or absent is None:
        return ["no marker stands, or none is absent"]
    return [
        kind
        for kind in ALTERATIONS
        if not audit.judge(alter(picture, kind, standing, absent), audit.markers, blocks, is_whole=True)
    ]


# --- running ----------------------------------------------------------------------------------


def watch(folder: Path, is_over: Callable[[], bool]) -> tuple[Audit, Blocks]:
    """Audit the network that is described in the folder until it is over."""
    started = time.monotonic()
    while not (folder / "ready.json").exists():
        if is_over() or time.monotonic() - started > READY_SECONDS_MAX:
            raise Silent("no network became ready")
        time.sleep(PAUSE_SECONDS)
    audit, blocks = Audit(), Blocks()
    reader = Reader(json.loads((folder / "ready.json").read_text()))
    while not is_over():
        audit_round(audit, reader, blocks, folder / "markers.jsonl")
        time.sleep(PAUSE_SECONDS)
    return audit, blocks


def make_result(audit: Audit, blocks: Blocks, unnoticed: list[str]) -> dict[str, object]:
    """Return the line that programs read."""
    outcomes = Counter(blocks.outcomes[m.id][1] if m.id in blocks.outcomes else "open" for m in audit.markers)
    return {
        "rounds": audit.rounds,
        "rounds_whole": audit.whole_rounds,
        "heights": [audit.first_height, audit.last_height],
        "markers": len(audit.markers),
        "committed": outcomes["COMMIT"],
        "aborted": outcomes["ABORT"],
        "messages_in_flight_max": audit.in_flight_max,
        "violations": len(audit.violations),
        "assets": dict(sorted((audit.assets or {}).items())),
        "deposits_held_burned": audit.deposits,
        "alterations_found": len(ALTERATIONS) - len(unnoticed),
        "alterations": len(ALTERATIONS),
    }


def report(audit: Audit, blocks: Blocks) -> bool:
    """Print what was found; returns whether all held."""
    unnoticed = run_control(audit, blocks)
    for text in audit.violations[:VIOLATIONS_SHOWN]:
        print(f"BROKEN {text}", flush=True)
    for kind in unnoticed:
        print(f"BROKEN control: nobody noticed: {kind}", flush=True)
    rounds = f"{audit.rounds} rounds, of which {audit.whole_rounds} saw every rollup"
    if not audit.violations:
        print(f"ok     {rounds}: {len(audit.markers)} markers on all rollups or none, totals constant", flush=True)
    if not unnoticed:
        print(f"ok     control: all {len(ALTERATIONS)} kinds of altered answers are found", flush=True)
    print(json.dumps(make_result(audit, blocks, unnoticed)), flush=True)
    return not audit.violations and not unnoticed and audit.whole_rounds > 0


def main() -> int:
    """Audit a running network, or one that another script starts and hurts meanwhile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="audit until `stop` appears in this folder")
    options = parser.parse_args()
    print(f"# {__doc__.splitlines()[0]}", flush=True)
    try:
        if options.folder is not None:
            folder = options.folder
            return 0 if report(*watch(folder, (folder / "stop").exists)) else 1
        return audit_while_hurt()
    except Silent as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return CANNOT_RUN


def audit_while_hurt() -> int:
    """Let split_rollup hurt a network, in a process of its own, and audit it all the time."""
    with tempfile.TemporaryDirectory(prefix="marker-audit-") as name:
        command = [sys.executable, "-m", "scripts.fault_injection.split_rollup", "--folder", name]
        hurting = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            audit, blocks = watch(Path(name), lambda: hurting.poll() is not None)
        finally:
            hurting.terminate()
            status = hurting.wait()
    if status == CANNOT_RUN:
        return CANNOT_RUN
    is_right = report(audit, blocks)
    return 0 if is_right and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
