"""An executor is a process of its own: it attests a rollup that no validator executes, and comes back to its home."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from tests.integration.devnet.running import Devnet, start_devnet

SMALL = ("--validators", "1", "--rollups", "alpha,gamma:key_value:split=1")
"""One validator and one executor: both kinds of process, and no more."""


def send_mark(devnet: Devnet, folder: Path, key: str) -> dict[str, Any]:
    """Let alice leave a mark on both rollups with one bundle, as a person would."""
    legs = [
        {"rollup": rollup, "signer": "alice", "operations": [{"name": "set", "arguments": [key, "1"]}]}
        for rollup in ("alpha", "gamma")
    ]
    (folder / "draft.json").write_text(json.dumps({"payer": "alice", "legs": legs}))
    return devnet.ask("bundle", "send", str(folder / "draft.json"))


def read_mark(devnet: Devnet, url: str, rollup: str, key: str) -> object:
    return devnet.call(url, "seq_getState", rollup=rollup, key=key)["value"]


def test_executor_attests_and_comes_back_with_its_home(tmp_path: Path) -> None:
    """A bundle over both rollups commits, before and after the devnet is resumed; what was executed is still there."""
    home = ("--home", str(tmp_path / "net"))
    with start_devnet(tmp_path, *SMALL, *home) as first:
        (entry,) = first.ready["executors"]
        assert (entry["name"], entry["rollup"], sorted(entry["p2p"])) == ("gamma-0", "gamma", ["open"])
        assert first.ask("status", "--rpc", entry["rpc"])["role"] == "executor"
        assert send_mark(first, tmp_path, "kv/first")["status"] == "committed"
        assert first.stop(signal.SIGINT) == 0
        assert first.wait_for_orphans() == []
    with start_devnet(tmp_path, *home) as second:
        (again,) = second.ready["executors"]
        assert all(again[key] == entry[key] for key in ("name", "peer_ids", "p2p", "home"))
        assert read_mark(second, again["rpc"], "gamma", "kv/first") == "1"
        assert send_mark(second, tmp_path, "kv/second")["status"] == "committed"
        second.nodes[1].kill()
        fault = second.wait_for_event("fault")
        assert "0 of 1 executors of gamma run, too few: nothing settles on gamma" in fault["text"]
        second.stop(signal.SIGINT)


def test_examples_over_a_split_rollup_keep_their_promises(tmp_path: Path) -> None:
    """A swap that is paid there, and a demand there on what two native rollups hold."""
    with start_devnet(tmp_path, "--validators", "1", "--rollups", "alpha,beta,delta:split=1") as devnet:
        executor = devnet.ready["executors"][0]["rpc"]
        swapped = devnet.ask("example", "split_swap", "--rpc", executor)
        assert (swapped["kept"], swapped["rollup"], swapped["swapped"]) == (True, "delta", "COMMIT")
        guarded = devnet.ask("example", "guard")
        assert guarded["kept"]
        assert guarded["refused"].startswith("ABORT NO:delta:BELOW_MINIMUM")
        devnet.stop(signal.SIGINT)
