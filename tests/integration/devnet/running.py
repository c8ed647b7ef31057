"""Start a devnet as a person does, read what it tells, and never leave it behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

STOP_SECONDS_MAX = 15
COMMAND_SECONDS_MAX = 90


class Devnet:
    """One `sequencer devnet --json` process; reading its lines waits for them."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder), "NO_COLOR": "1"}
        self.ready_file = folder / "ready.json"
        self.errors = (folder / "stderr.txt").open("w+")
        options = ("--json", "--port", "0", "--durability", "os", "--ready-file", str(self.ready_file), *words)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sequencer", "devnet", *options],
            stdout=subprocess.PIPE,
            stderr=self.errors,
            stdin=subprocess.DEVNULL,
            env=self.environment,
            start_new_session=True,
            text=True,
        )
        self.ready = self.wait_for_event("ready")
        entries = (*self.ready["validators"], *self.ready["executors"], *self.ready["full_nodes"])
        self.nodes = [psutil.Process(entry["pid"]) for entry in entries]

    def wait_for_event(self, name: str) -> dict[str, Any]:
        """Read lines until one has this event."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = dict(json.loads(line))
            if event["event"] == name:
                return event
        raise AssertionError(f"ended without {name!r}: {self.read_errors()}")

    def read_errors(self) -> str:
        """Return all that was written for people."""
        self.errors.flush()
        return Path(self.errors.name).read_text()

    def stop(self, number: signal.Signals) -> int:
        """Send a signal to the parent only; return its exit status once it is gone."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS_MAX)

    def wait_for_orphans(self) -> list[psutil.Process]:
        """Return the nodes that still run after a while; empty at once if none does."""
        _, alive = psutil.wait_procs(self.nodes, timeout=STOP_SECONDS_MAX)
        return list(alive)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command; without --rpc it finds this devnet."""
        return subprocess.run(
            [sys.executable, "-m", "sequencer", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )

    def ask(self, *words: str) -> dict[str, Any]:
        """Run a command with --json and return its result."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return dict(json.loads(done.stdout.splitlines()[-1]))

    @staticmethod
    def call(url: str, method: str, **parameters: object) -> Any:
        """Return the result of one RPC method, without the SDK."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=COMMAND_SECONDS_MAX) as answer:
            return json.load(answer)["result"]

    def close(self) -> None:
        """End whatever still runs, by the ids that this devnet told."""
        self.process.kill()
        self.process.wait()
        for node in getattr(self, "nodes", []):
            if node.is_running():
                node.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.errors.close()


@contextmanager
def start_devnet(folder: Path, *words: str) -> Iterator[Devnet]:
    """Start a devnet and end it with the block, however that ends."""
    devnet = Devnet(folder, *words)
    try:
        yield devnet
    finally:
        devnet.close()
