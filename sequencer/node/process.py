"""Run one node as a process of its own: signals, standard input, memory settings and the exit status.

Promises: SIGTERM, SIGINT, SIGHUP or a closed standard input (if watched) end it with status 0
and no traceback; a disk or an invariant that failed ends it with one line and status 1.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module

import trio

from sequencer.errors import InvariantViolation, StoreError
from sequencer.node.home import Home
from sequencer.node.node import MakeNetwork, NodeAddresses, find_first, make_libp2p_network, run_node

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COLLECTOR_THRESHOLDS = (100_000, 50, 1_000)
"""The state is a large tree of small objects that live long; the defaults would walk it all the time."""
SWITCH_SECONDS = 0.000_5
"""A worker thread gives the interpreter back to the loop after this long, not 5 ms: a vote must not wait for it."""


def preload() -> None:
    """Import all that a node needs, libp2p too, so that processes forked from this one share it."""
    import_module("p2p.libp2p_network")


def run_process(
    home: Home,
    announce: Callable[[NodeAddresses], None],
    *,
    is_stdin_watched: bool,
    make_network: MakeNetwork = make_libp2p_network,
) -> int:
    """Run until told to stop and return the exit status; `announce` is called once the node listens.

    Raises `LocalError` if the node cannot start.
    """
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        trio.run(_run, partial(run_node, home, make_network=make_network), announce, is_stdin_watched)
    except* (StoreError, InvariantViolation) as failures:
        print(f"sequencer: {home.settings.name} stopped: {find_first(failures)}", file=sys.stderr, flush=True)
        return_code = 1
    else:
        return_code = 0
    return return_code


async def _run(
    run: Callable[..., Awaitable[None]], announce: Callable[[NodeAddresses], None], is_stdin_watched: bool
) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(_stop_on_signal, nursery.cancel_scope)
        if is_stdin_watched:
            nursery.start_soon(_stop_on_closed_stdin, nursery.cancel_scope)
        addresses = await nursery.start(run)
        gc.collect()
        gc.freeze()
        announce(addresses)


async def _stop_on_signal(scope: trio.CancelScope, task_status: trio.TaskStatus = trio.TASK_STATUS_IGNORED) -> None:  # type: ignore[name-defined]  # the stubs that libp2p brings lack it
    """Cancel at the first signal; end the process at the second, whatever it is doing."""
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        task_status.started()
        async for _ in signals:
            if scope.cancel_called:
                os._exit(1)
            scope.cancel()


async def _stop_on_closed_stdin(scope: trio.CancelScope) -> None:
    """Cancel when whoever holds the other end of standard input is gone."""
    async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as stdin:
        while await stdin.receive_some():
            pass
    scope.cancel()
