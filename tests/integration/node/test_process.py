"""A node's process ends when it is told to, by any way, without a word or a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sequencer.cli.cluster.blueprint import Wish, build, draw
from sequencer.node.home import NodeSettings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    blueprint = draw(Wish(1, "alpha", None, None))
    build(blueprint, tmp_path, [NodeSettings("val0", "127.0.0.1:0")])
    return tmp_path / "val0"


PROGRAM = """
import sys
from pathlib import Path
from p2p.memory import MemoryHub
from sequencer.node.home import read_home
from sequencer.node.process import run_process
home, hub = read_home(Path(sys.argv[1])), MemoryHub()
announce = lambda addresses: print(addresses.rpc, flush=True)
sys.exit(run_process(home, announce, is_stdin_watched=True, make_network=hub.create))
"""
"""A node without libp2p, which takes seconds to import."""


@pytest.fixture
def process(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A node that listens."""
    with start(home, [sys.executable, "-c", PROGRAM, str(home)]) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        assert b"http" in line, line
        yield running
        running.kill()


def start(home: Path, command: list[str] | None = None) -> subprocess.Popen[bytes]:
    command = command or [sys.executable, "-m", "sequencer", "node", "--home", str(home), "--json"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_signal_ends_the_node_clean(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Exit status 0 within 5 s, and nothing on standard error."""
    os.kill(process.pid, number)
    assert process.wait(5) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_closed_standard_input_ends_the_node_clean(process: subprocess.Popen[bytes]) -> None:
    """A node whose parent was killed does not stay behind."""
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(5) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_second_process_on_one_home_exits_2(process: subprocess.Popen[bytes], home: Path) -> None:
    """It says who holds the home; the first goes on."""
    second = start(home)
    output, errors = second.communicate(timeout=30)
    assert second.returncode == 2
    assert b"in use by process %d" % process.pid in errors
    assert json.loads(output)["error"] == "failed"
    assert process.poll() is None


def test_real_node_says_where_it_listens_and_ends_clean(home: Path) -> None:
    """The command as a person or a supervisor runs it, libp2p and all."""
    with start(home) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["rpc"].startswith("http://127.0.0.1:")
        os.kill(running.pid, signal.SIGTERM)
        assert running.wait(10) == 0


def test_node_with_a_foreign_key_does_not_start(home: Path) -> None:
    """A home whose keys are not those of its genesis is refused, naming the file."""
    (home / "keys" / "vote.key").write_text("11" * 32 + "\n")
    refused = start(home)
    _, errors = refused.communicate(timeout=30)
    assert refused.returncode == 2
    assert b"keys/vote.key is not the key that the genesis names for val0" in errors


def test_node_without_vote_log_says_on_stderr_that_it_signs_nothing(home: Path) -> None:
    """An operator must not learn it from a missing vote. # D1"""
    for segment in (home / "votes").iterdir():
        segment.unlink()
    with start(home) as running:
        assert running.stdout is not None
        running.stdout.readline()
        os.kill(running.pid, signal.SIGTERM)
        _, errors = running.communicate(timeout=20)
    assert b"is an observer and signs nothing: vote log is missing" in errors
