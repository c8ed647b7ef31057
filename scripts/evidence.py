"""Run every script that shows what is promised, and keep its raw output under specs/evidence.

    python -m scripts.evidence [--skip-pytest] [NAME … | real | simulated]

Runs one after the other: the real ones in less than 30 minutes, the simulated ones in about two hours. Wants a quiet
machine; the real ones also root, nft and strace.
Exit status: 0 all held, 1 a promise was broken, 2 a script could not run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from scripts.fault_injection.report import describe_commit

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "specs" / "evidence"
REAL = {
    "fresh_clone": 900,
    "block_p2p_ports": 120,
    "check_load": 180,
    "send_to_all": 120,
    "prove_state": 90,
    "check_bundles": 180,
    "verify_receipts": 120,
    "hostile_proofs": 240,
    "kill_validators": 480,
    "count_syncs": 180,
    "lane_off": 120,
    "double_vote": 120,
    "full_nodes": 180,
    "split_rollup": 420,
    "marker_audit": 480,
    "state_sync": 900,
    "hostile_requests": 90,
    "hostile_bundles": 300,
    "slow_connections": 90,
}
"""Name of a script of `scripts/fault_injection` → seconds after which it is told to stop; in the order of running."""
SIMULATED = {
    "automaton_rate": (("--json",), 600),
    "contention": (("--json",), 300),
    "attacks": (("--json",), 600),
    "atomicity_properties": (("--workers", "2", "--json"), 7_200),
    "simulation_speed": (("--seeds", "0:200", "--json"), 600),
    "latency": (("--json",), 1_800),
    "determinism": (("--json",), 1_800),
    "planted_bugs": (("--workers", "2", "--json"), 3_600),
    "byzantine": (("--workers", "2", "--json"), 3_600),
    "bounds": (("--json",), 1_200),
    "twins": (("--workers", "2", "--json"), 3_600),
}
"""Name of a script of `scripts` → its arguments, and seconds after which it is told to stop."""
GROUPS = {"real": tuple(REAL), "simulated": tuple(SIMULATED)}
LINES_MAX = 60
"""What a reader looks through."""
VERDICTS = {0: "held", 1: "BROKEN", 2: "could not run"}


def main() -> int:
    """Run the named scripts, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = (*REAL, *SIMULATED)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"real, simulated, or of {', '.join(known)}; default: all"
    )
    parser.add_argument("--skip-pytest", action="store_true", help="leave the tests out of the fresh clone")
    options = parser.parse_args()
    names = [name for chosen in options.names or GROUPS for name in GROUPS.get(chosen, (chosen,))]
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"there is no script {', '.join(unknown)}")
    FOLDER.mkdir(exist_ok=True)
    statuses = []
    for name in names:
        started = time.monotonic()
        status, text = run(name, ["--skip-pytest"] if name == "fresh_clone" and options.skip_pytest else [])
        keep(name, status, text)
        statuses.append(status)
        print(f"{VERDICTS.get(status, f'exit {status}'):<14}{name:<20}{time.monotonic() - started:>5.0f} s", flush=True)
    return decide(statuses)


def run(name: str, arguments: list[str]) -> tuple[int, str]:
    """Return exit status and everything that the script printed."""
    if name in REAL:
        command, seconds_max = [f"scripts.fault_injection.{name}", *arguments], REAL[name]
    else:
        given, seconds_max = SIMULATED[name]
        command = [f"scripts.{name}", *given, *arguments]
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        text, _ = process.communicate(timeout=seconds_max)
    except subprocess.TimeoutExpired:
        process.terminate()  # which lets it stop what it started
        text, _ = process.communicate()
        return 1, f"{text}# stopped after {seconds_max} s\n"
    if name in SIMULATED:
        text = f"# command: python -m {' '.join(command)}\n# commit: {describe_commit()}   date: {now()}\n{text}"
    return process.returncode, text


def now() -> str:
    """Return the minute in which a script ended."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def keep(name: str, status: int, text: str) -> None:
    """Write the output, without the place of this working tree; what is too long keeps its two ends."""
    lines = text.replace(str(ROOT), ".").splitlines()
    if len(lines) > LINES_MAX:
        half = LINES_MAX // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} lines left out …", *lines[-half:]]
    (FOLDER / f"{name}.txt").write_text("\n".join([*(line.rstrip() for line in lines), f"# exit status {status}", ""]))


def decide(statuses: list[int]) -> int:
    """Return 1 if any promise was broken, else 2 if any script could not run, else 0."""
    if any(status not in (0, 2) for status in statuses):
        return 1
    return 2 if 2 in statuses else 0


if __name__ == "__main__":
    sys.exit(main())
