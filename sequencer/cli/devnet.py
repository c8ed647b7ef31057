"""Start a local network: one process per node, a page to read, then one line per block with content."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from sequencer.cli.cluster.temporary import lend_directory
from sequencer.cli.command import ExitStatus, add_json, find_cause
from sequencer.cli.signals import Remembered, remember_signals, run_until_signal
from sequencer.errors import LocalError

STARTS_MAX = 3
"""Starts with other ports when somebody takes one between our choice and the node's bind."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `devnet`."""
    add = parser.add_argument
    add("--validators", type=int, default=4, metavar="N", help="validators, one process each (default 4)")
    add(
        "--rollups",
        default="alpha,beta,gamma",
        metavar="NAME[:MACHINE][:split=N],…",
        help="default alpha,beta,gamma; split=N: run by N executors of its own",
    )
    add("--full-nodes", type=int, default=0, metavar="N", help="nodes that follow and serve without voting (default 0)")
    add("--home", type=Path, metavar="DIR", help="keep the network here, or resume it; default: thrown away at the end")
    add("--port", type=int, metavar="P", help="RPC port of the first node, the others follow; 0 takes free ones")
    add("--ready-file", type=Path, metavar="F", help="write a JSON description when every node answers")
    add("--durability", choices=("fsync", "os"), default="fsync", help="what a write survives (default fsync)")
    add("--gossip", choices=("on", "off"), default="on", help="carry transactions by gossip (default on)")
    add("--lane-off", action="append", default=[], metavar="NAME", help="this validator fills no lane of its own")
    add("--retain", type=int, metavar="HEIGHTS", help="heights for which blocks are kept")
    add("--allow-peer", action="append", default=[], metavar="PEER_ID", help="always serve this peer")
    add("--behave", action="append", default=[], metavar="NAME=lying-executor", help="this executor lies")
    add("--seed", type=int, metavar="N", help="make all keys from N; the chain id also depends on the ports")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM; both are the normal end."""
    started_at = time.monotonic()
    with remember_signals() as signals:
        if options.home is not None:
            _run_in(options.home.absolute(), options, started_at, signals)
            return ExitStatus.OK
        with lend_directory() as directory:
            _run_in(directory, options, started_at, signals)
    return ExitStatus.OK


def _run_in(directory: Path, options: argparse.Namespace, started_at: float, signals: Remembered) -> None:
    """Run the devnet of this directory; a new one is drawn again when a port that it chose was taken meanwhile."""
    from sequencer.cli.cluster.directory import is_devnet

    is_new = not is_devnet(directory)
    for start in range(1, STARTS_MAX + 1):
        try:
            _run_once(directory, options, started_at, signals)
        except (LocalError, ExceptionGroup) as error:
            is_port_taken = getattr(find_cause(error), "reason", "") == "port_busy"
            if start == STARTS_MAX or not (is_new and is_port_taken and not options.port):
                raise
            for entry in directory.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        else:
            return


def _run_once(directory: Path, options: argparse.Namespace, started_at: float, signals: Remembered) -> None:
    import trio

    from sequencer.cli.cluster.blueprint import Wish
    from sequencer.cli.cluster.children import fork_child
    from sequencer.cli.cluster.directory import Running, create, is_devnet, resume
    from sequencer.cli.cluster.supervisor import Devnet
    from sequencer.cli.cluster.teller import PersonTeller, ProgramTeller
    from sequencer.node.process import preload

    running = Running(
        options.port,
        options.durability,
        options.gossip == "on",
        tuple(options.lane_off),
        tuple(options.allow_peer),
        options.full_nodes,
        tuple(options.behave),
    )
    wish = Wish(options.validators, options.rollups, options.seed, options.retain)
    is_resumed = is_devnet(directory)
    homes = resume(directory, running) if is_resumed else create(directory, wish, running)
    origin = "resumed" if is_resumed else "fresh keys" if options.seed is None else f"seed {options.seed}"
    teller = ProgramTeller() if options.json else PersonTeller(str(directory), origin)
    preload()  # once here instead of once in each child
    if signals.is_set:
        return
    children = [fork_child(home.settings.name, home.path) for home in homes]
    devnet = Devnet(directory, homes, children, teller, options.ready_file, started_at, is_resumed)
    trio.run(run_until_signal, devnet.run, devnet.kill, signals)
