"""Run one of the small programs that show what this is for, against the newest devnet."""

from __future__ import annotations

import argparse

from sequencer.cli.ask import get_url
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
    return int(example.main(get_url(options), options.json))
