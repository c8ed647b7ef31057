"""However a devnet ends, nothing of it stays behind; a home can be resumed."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.integration.devnet.running import start_devnet

SMALL = ("--validators", "2")
"""Two validators stop like four, and start in half the time."""


def test_sigterm_stops_all_of_it_clean(tmp_path: Path) -> None:
    """Status 0, the result as last line, no traceback, no process left; Ctrl-C is tested beside."""
    with start_devnet(tmp_path, *SMALL) as devnet:
        assert devnet.stop(signal.SIGTERM) == 0
        assert devnet.wait_for_event("stopped").keys() >= {"height", "committed", "aborted"}
        assert devnet.wait_for_orphans() == []
        assert devnet.read_errors() == ""


def test_killed_parent_leaves_no_orphan(tmp_path: Path) -> None:
    """Nodes stop by themselves when the pipe from the parent closes."""
    with start_devnet(tmp_path, *SMALL) as devnet:
        devnet.stop(signal.SIGKILL)
        assert devnet.wait_for_orphans() == []


def test_killed_node_is_told_and_not_restarted(tmp_path: Path) -> None:
    """A dead node gets a line that says what that means."""
    with start_devnet(tmp_path, *SMALL) as devnet:
        devnet.nodes[1].kill()
        fault = devnet.wait_for_event("fault")
        assert fault["name"] == "val1"
        assert "killed by SIGKILL" in fault["text"]
        assert "nothing new becomes final" in fault["text"]
        assert devnet.stop(signal.SIGINT) == 0


def test_home_is_resumed_with_the_same_chain_and_ports(tmp_path: Path) -> None:
    """Stopping keeps everything: the chain goes on where it was."""
    home = ("--home", str(tmp_path / "net"))
    with start_devnet(tmp_path, *SMALL, *home) as first:
        height = first.ask("status")["height"]
        first.stop(signal.SIGINT)
    with start_devnet(tmp_path, *home) as second:
        assert second.ready["chain_id"] == first.ready["chain_id"]
        ports = [[validator["p2p"] for validator in run.ready["validators"]] for run in (first, second)]
        assert ports[0] == ports[1]
        assert second.ask("status")["height"] >= height
        second.stop(signal.SIGINT)


def test_busy_port_that_was_asked_for_is_named_with_its_owner(tmp_path: Path) -> None:
    """A person reads who holds the port and what to try."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "sequencer", "devnet", "--port", str(port), "--home", str(tmp_path / "net")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert f"port {port} is used by pid" in done.stderr
    assert "Traceback" not in done.stderr
