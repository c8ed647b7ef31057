"""Clone the newest commit and run the README's two commands with empty caches and no compiler: do they work?

    python -m scripts.fault_injection.fresh_clone [--skip-pytest]        (needs git and a package index)

Only the environment's settings of pip, uv and proxies reach the clone. Exit status: 0 all claims
hold, 1 one is broken, 2 git or the package index is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.fault_injection.cluster import is_running, wait_until
from scripts.fault_injection.report import CannotRun, Report, run

SECOND_READY_SECONDS_MAX = 5.0
INSTALL_SECONDS_MAX = 300.0
"""First start, downloads included."""
STOP_SECONDS_MAX = 15.0
PYTEST_SECONDS_MAX = 300.0
COMPILERS = ("cc", "gcc", "g++", "c++", "clang", "rustc", "cargo", "make")
KEPT = re.compile(r"PIP_.*|UV_(?!CACHE_DIR|PROJECT).*|SSL_CERT_.*|(https?|no)_proxy|LANG", re.IGNORECASE)


@dataclass(frozen=True)
class Stranger:
    """A person who has Python and git and nothing else."""

    folder: Path

    @property
    def clone(self) -> Path:
        """The working tree."""
        return self.folder / "clone"

    @property
    def environment(self) -> dict[str, str]:
        """Empty home, empty caches, a PATH with three programs."""
        kept = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
        homes = {"HOME": "home", "TMPDIR": "tmp", "UV_CACHE_DIR": "cache/uv", "XDG_CACHE_HOME": "cache"}
        homes |= {"XDG_CONFIG_HOME": "home/config", "XDG_DATA_HOME": "home/data", "XDG_RUNTIME_DIR": "run"}
        paths = {name: str(self.folder / place) for name, place in homes.items()}
        return {**kept, **paths, "PATH": f"{self.folder / 'tools'}:{self.folder / 'home/.uv/bin'}"}

    def prepare(self) -> None:
        """Make the folders and the PATH."""
        for name in ("home", "tmp", "cache", "run", "tools"):
            (self.folder / name).mkdir(mode=0o700)
        programs = {"python3": sys._base_executable, "git": shutil.which("git"), "sh": shutil.which("sh")}  # type: ignore[attr-defined]  # the interpreter below the virtual environment
        for name, program in programs.items():
            (self.folder / "tools" / name).symlink_to(Path(program).resolve())

    def run(self, *command: str, seconds_max: float) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone to its end."""
        return subprocess.run(
            command,
            cwd=self.clone if self.clone.exists() else self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds_max,
            check=False,
        )

    @contextlib.contextmanager
    def begin(self, *command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command in the clone, in a session of its own; whatever is left of it at the end is killed."""
        with log.open("w") as output:
            process = subprocess.Popen(
                find_program(self, command),
                cwd=self.clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> int:
    """Be the stranger."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skip-pytest", action="store_true", help="leave out the second command")
    options = parser.parse_args()
    question = "Fresh clone, empty caches, no compiler: do the README's two commands work?"
    return run(question, lambda report: try_everything(report, is_tested=not options.skip_pytest), tools=["git"])


def try_everything(report: Report, *, is_tested: bool) -> None:
    """Clone, install, start twice, test, and look what it left in the tree."""
    with tempfile.TemporaryDirectory(prefix="sequencer-script-", ignore_cleanup_errors=True) as name:
        stranger = Stranger(Path(name))
        stranger.prepare()
        install(stranger, report)
        start(stranger, report, "first start, caches empty", INSTALL_SECONDS_MAX)
        start(stranger, report, "second start", SECOND_READY_SECONDS_MAX)
        if is_tested:
            test(stranger, report)
        changed = stranger.run("git", "status", "--porcelain", seconds_max=30).stdout
        report.claim(not changed, f"git status --porcelain: {changed.splitlines()[:5] or 'empty'}")


def install(stranger: Stranger, report: Report) -> None:
    """Clone HEAD and install uv in the way that the README names for systems whose pip refuses."""
    source = subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True)
    cloned = stranger.run("git", "clone", "-q", "--no-hardlinks", source.stdout.strip(), "clone", seconds_max=60)
    report.claim(cloned.returncode == 0, f"git clone into an empty folder: exit {cloned.returncode}")
    found = [name for name in COMPILERS if shutil.which(name, path=stranger.environment["PATH"])]
    report.claim(not found, f"on PATH: git, python3, sh; compilers: {found or 'none'}")
    tools = str(stranger.folder / "home/.uv")
    for command in (["python3", "-m", "venv", tools], [f"{tools}/bin/pip", "install", "-q", "uv"]):
        done = stranger.run(*find_program(stranger, command), seconds_max=INSTALL_SECONDS_MAX)
        if done.returncode:
            raise CannotRun(f"uv cannot be installed: {done.stdout.strip()[-300:]}")


def find_program(stranger: Stranger, command: Sequence[str]) -> list[str]:
    """Return the command with its program looked up on the stranger's PATH, not on ours."""
    return [shutil.which(command[0], path=stranger.environment["PATH"]) or command[0], *command[1:]]


def start(stranger: Stranger, report: Report, name: str, seconds_max: float) -> None:
    """Run `uv run sequencer devnet` until it is ready, then press Ctrl-C."""
    log = stranger.folder / "devnet.log"
    started = time.monotonic()
    with stranger.begin("uv", "run", "sequencer", "devnet", log=log) as devnet:
        wait_until(lambda: "ready in" in log.read_text() or devnet.poll() is not None, INSTALL_SECONDS_MAX, "ready")
        seconds = time.monotonic() - started
        pids = [int(pid) for pid in re.findall(r"  pid (\d+)", log.read_text())]
        is_ready = len(pids) == 4 and seconds <= seconds_max
        report.claim(is_ready, f"uv run sequencer devnet, {name}: ready after {seconds:.1f} s, {len(pids)} processes")
        os.killpg(devnet.pid, signal.SIGINT)  # as a terminal does
        status = devnet.wait(STOP_SECONDS_MAX)
    left = [pid for pid in pids if is_running(pid)]
    is_clean = status == 0 and not left and "Traceback" not in log.read_text()
    report.claim(is_clean, f"Ctrl-C: exit {status}, {len(left)} orphans, {log.read_text().strip().splitlines()[-1]!r}")


def test(stranger: Stranger, report: Report) -> None:
    """Run `uv run pytest`."""
    log = stranger.folder / "pytest.log"
    started = time.monotonic()
    with stranger.begin("uv", "run", "pytest", log=log) as tests, contextlib.suppress(subprocess.TimeoutExpired):
        tests.wait(2 * PYTEST_SECONDS_MAX)
    seconds = time.monotonic() - started
    lines = log.read_text().strip().splitlines() or ["no output"]
    text = f"uv run pytest: exit {tests.returncode} after {seconds:.0f} s: {lines[-1].strip()}"
    report.claim(tests.returncode == 0 and seconds <= PYTEST_SECONDS_MAX, text)
    for line in [line for line in lines if line.startswith(("FAILED", "ERROR"))][:5]:
        report.note(line[:150])


if __name__ == "__main__":
    sys.exit(main())
