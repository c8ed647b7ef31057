"""Run one of the small programs that show what this is for, against the newest devnet."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from sequencer.cli.ask import get_url
from sequencer.cli.cluster.ready import read_published
from sequencer.cli.command import CommandError, add_rpc

EXAMPLES = {
    "swap": "an atomic exchange over two rollups, then one that must abort",
    "guard": "a payment on a condition over two rollups together",
    "message": "an amount sent to another rollup, which arrives once",
    "split_swap": "a swap that is paid on a rollup which other nodes run",
}
"""Name → what it shows; the module is `sequencer.examples.<name>`, a program of its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `example`."""
    text = "; ".join(f"{name}: {what}" for name, what in EXAMPLES.items())
    parser.add_argument("name", metavar="NAME", help=text)
    add_rpc(parser)


def run(options: argparse.Namespace) -> int:
    """Run the example in this process; it prints its own story."""
    from importlib import import_module

    if options.name not in EXAMPLES:
        raise CommandError(f"no example is called {options.name!r}; there are {', '.join(EXAMPLES)}", "usage")
    example = import_module(f"sequencer.examples.{options.name}")
    url = get_url(options)
    return int(example.main(url, options.json, find_executors(read_published() or {}, url)))


def find_executors(ready: Mapping[str, Any], url: str) -> dict[str, str]:
    """Return the URL of an executor per split rollup, if the node at `url` belongs to the devnet that is described."""
    executors = ready.get("executors", ())
    nodes = (*ready.get("validators", ()), *ready.get("full_nodes", ()), *executors)
    is_of_this = any(node["rpc"] == url for node in nodes)
    return {entry["rollup"]: entry["rpc"] for entry in executors} if is_of_this else {}
