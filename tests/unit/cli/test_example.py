"""An example asks executors for what validators do not execute, and only those of its own network."""

from __future__ import annotations

from sequencer.cli.example import find_executors

READY = {
    "validators": [{"rpc": "http://127.0.0.1:1"}],
    "full_nodes": [],
    "executors": [{"rpc": "http://127.0.0.1:2", "rollup": "delta"}],
}


def test_executors_are_those_of_the_devnet_to_which_the_node_belongs() -> None:
    """Another network's executors know nothing of this one."""
    assert find_executors(READY, "http://127.0.0.1:1") == {"delta": "http://127.0.0.1:2"}
    assert find_executors(READY, "http://127.0.0.1:3") == {}
    assert find_executors({}, "http://127.0.0.1:1") == {}
