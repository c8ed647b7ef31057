"""Start a devnet as a person would, and kill, restart and ask its nodes.

Speaks raw JSON-RPC over urllib, so that what a script reads does not pass through the code
that it judges. Everything started here is stopped by its id; the homes lie in a temporary folder.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

READY_SECONDS_MAX = 60.0
"""A devnet that is not ready by then has failed."""
STOP_SECONDS_MAX = 15.0
"""A process that has not ended by then after SIGINT is killed, and the script fails."""


class Cluster:
    """One devnet in a temporary folder; use it as a context manager."""

    def __init__(self, *arguments: str, prefix: Sequence[str] = ()) -> None:
        """`arguments` go to `sequencer devnet`; `prefix` is a command that wraps it, such as `strace`."""
        self._folder = tempfile.TemporaryDirectory(prefix="sequencer-script-")
        self.folder = Path(self._folder.name)
        self._arguments = arguments
        self._prefix = prefix
        self._devnet: subprocess.Popen[bytes] | None = None
        self._restarted: dict[str, subprocess.Popen[bytes]] = {}
        self._added: list[dict[str, Any]] = []
        self.ready: dict[str, Any] = {}
        self.exit_status: int | None = None
        """Exit status of the devnet command, after the end."""

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def names(self) -> list[str]:
        """Names of the validators, by index."""
        return [validator["name"] for validator in self.ready["validators"]]

    @property
    def full_names(self) -> list[str]:
        """Names of the full nodes."""
        return [node["name"] for node in self.ready["full_nodes"]]

    @property
    def executor_names(self) -> list[str]:
        """Names of the executors of all split rollups."""
        return [node["name"] for node in self.ready["executors"]]

    def get_node(self, name: str) -> dict[str, Any]:
        """Return the ready file's entry of a node; of one that was added, the same members."""
        nodes = (*self.ready["validators"], *self.ready["executors"], *self.ready["full_nodes"], *self._added)
        return dict(next(node for node in nodes if node["name"] == name))

    def get_url(self, name: str) -> str:
        """Return the RPC URL of a node."""
        return str(self.get_node(name)["rpc"])

    def get_home(self, name: str) -> Path:
        """Return the home of a node."""
        return Path(self.get_node(name)["home"])

    def get_pid(self, name: str) -> int:
        """Return the id of the process that runs the node now."""
        process = self._restarted.get(name)
        return process.pid if process is not None else int(self.get_node(name)["pid"])

    # --- asking -------------------------------------------------------------------------

    def call(self, name: str, method: str, seconds_max: float = 5.0, **parameters: object) -> Any:
        """Return the result of one JSON-RPC call; raises `OSError` if the node does not answer."""
        return self.call_many(name, method, [parameters], seconds_max)[0]

    def call_many(
        self, name: str, method: str, parameters: Sequence[Mapping[str, object]], seconds_max: float = 5.0
    ) -> list[Any]:
        """Return the results of up to 100 calls in one request; raises `OSError`, or `RuntimeError` for an error."""
        calls = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": one} for number, one in enumerate(parameters)
        ]
        replies = self._post(name, calls, seconds_max)
        for reply in replies:
            if "error" in reply:
                raise RuntimeError(f"{method} on {name}: {reply['error']}")
        return [reply["result"] for reply in sorted(replies, key=lambda reply: int(reply["id"]))]

    def _post(self, name: str, calls: list[dict[str, object]], seconds_max: float) -> list[dict[str, Any]]:
        body = json.dumps(calls).encode()
        request = urllib.request.Request(self.get_url(name), body, {"content-type": "application/json"}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=seconds_max) as answer:
                replies = json.load(answer)
        except urllib.error.HTTPError as error:
            replies = json.load(error)
        except (http.client.HTTPException, json.JSONDecodeError) as error:
            raise ConnectionError(f"{name}: the answer broke off: {error}") from error
        return replies if isinstance(replies, list) else [replies]

    def get_metrics(self, name: str) -> list[str]:
        """Return the lines of a node's metrics."""
        with urllib.request.urlopen(f"{self.get_url(name)}/metrics", timeout=5.0) as answer:
            return str(answer.read().decode()).splitlines()

    def get_height(self, name: str) -> int:
        """Return the validator's height."""
        return int(self.call(name, "seq_status")["height"])

    def get_commitment(self, name: str, height: int) -> str:
        """Return the digest that the validator computed at a height."""
        return str(self.call(name, "seq_getBlock", height=height)["commitment"]["digest"])

    def is_answering(self, name: str) -> bool:
        """Tell whether the validator answers."""
        try:
            self.call(name, "seq_status", seconds_max=1.0)
        except OSError:
            return False
        return True

    def is_in_step(self, name: str, others: Sequence[str], lag_max: int = 3) -> bool:
        """Tell whether the validator is at most `lag_max` heights behind the others and computes what they do."""
        if not self.is_answering(name):
            return False
        heights = {validator: self.get_height(validator) for validator in (name, *others)}
        if heights[name] + lag_max < max(heights.values()):
            return False
        return len({self.get_commitment(validator, min(heights.values())) for validator in heights}) == 1

    def get_blocks(self, name: str, first: int, end: int) -> list[dict[str, Any]]:
        """Return the blocks `first`..`end` - 1 as the validator tells them."""
        blocks: list[dict[str, Any]] = []
        while first < end:
            answer = self.call(name, "seq_getBlocks", **{"from": first, "until": min(end, first + 100)})
            if not answer["blocks"]:
                raise RuntimeError(f"{name} has no block {first}")
            blocks += answer["blocks"]
            first = answer["next"]
        return blocks

    def describe(self, name: str) -> str:
        """Say how the validator stands, or how its log ends, for people."""
        if self.is_answering(name):
            status = self.call(name, "seq_status")
            return f"{name}: " + ", ".join(
                f"{key} {status[key]}" for key in ("role", "view", "height", "peers", "alarm")
            )
        log = self.folder / f"{name}-restarted.log"
        lines = log.read_text(errors="replace").strip().splitlines()[-3:] if log.exists() else []
        return f"{name} does not answer: {' | '.join(lines)}"

    # --- hurting ------------------------------------------------------------------------

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the process that runs the validator; after SIGKILL it is gone on return."""
        pid = self.get_pid(name)
        os.kill(pid, number)
        process = self._restarted.get(name)
        if number is signal.SIGKILL and process is not None:
            process.wait(STOP_SECONDS_MAX)
            del self._restarted[name]
        elif number is signal.SIGKILL:
            wait_until(lambda: not is_running(pid), STOP_SECONDS_MAX, f"{name} is gone")

    def restart(self, name: str, prefix: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start the node of a killed validator again; it does not wait until it answers."""
        log = (self.folder / f"{name}-restarted.log").open("ab")
        command = [*prefix, sys.executable, "-m", "sequencer", "node", "--home", str(self.get_home(name))]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self._restarted[name] = process
        return process

    def add_full_node(self, name: str, port: int, *, is_started: bool = True) -> None:
        """Make an empty full node with `sequencer init --full-node`, as on another machine, and start it."""
        home = self.folder / name
        command = [sys.executable, "-m", "sequencer", "init", "--full-node", "--genesis", str(self.ready["genesis"])]
        command += ["--home", str(home), "--name", name, "--rpc", f"127.0.0.1:{port}"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        self._added.append({"name": name, "rpc": f"http://127.0.0.1:{port}", "home": str(home)})
        if is_started:
            self.restart(name)

    def change_settings(self, name: str, **members: object) -> None:
        """Change members of the validator's `node.json`; the node reads it at its next start."""
        path = self.get_home(name) / "node.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **members}))

    # --- inside -------------------------------------------------------------------------

    def _start(self) -> None:
        ready_file = self.folder / "ready.json"
        log = (self.folder / "devnet.log").open("wb")
        command = [sys.executable, "-m", "sequencer", "devnet", "--port", "0"]
        command += ["--home", str(self.folder / "home"), "--ready-file", str(ready_file), *self._arguments]
        self._devnet = subprocess.Popen(
            [*self._prefix, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        wait_until(lambda: ready_file.exists() or self._has_ended(), READY_SECONDS_MAX, "the devnet is ready")
        if not ready_file.exists():
            raise RuntimeError(f"the devnet did not start:\n{(self.folder / 'devnet.log').read_text()[-2000:]}")
        self.ready = json.loads(ready_file.read_text())

    def _has_ended(self) -> bool:
        return self._devnet is not None and self._devnet.poll() is not None

    def _stop(self) -> None:
        for process in self._restarted.values():
            _end(process)
        if self._devnet is not None:
            self.exit_status = _end(self._devnet)
        self._folder.cleanup()


def _end(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return -signal.SIGKILL


def is_running(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], seconds_max: float, what: str) -> float:
    """Wait for a condition and return how many seconds it took; raises `TimeoutError` naming it."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds_max:
            raise TimeoutError(f"not within {seconds_max} s: {what}")
        time.sleep(0.05)
    return time.monotonic() - started
