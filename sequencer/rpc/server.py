"""Serve RPC on one TCP port, bound to the loopback address unless the operator says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from sequencer.errors import LocalError
from sequencer.rpc.application import Application
from sequencer.rpc.connections import Connections
from sequencer.rpc.dispatch import Dispatcher
from sequencer.rpc.guard import Guard
from sequencer.rpc.limits import RpcLimits
from sequencer.rpc.methods import METHODS
from sequencer.rpc.queries import Queries

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus

LISTEN_BACKLOG = 1_024


@dataclass(frozen=True, slots=True)
class RpcAddress:
    """Where to listen."""

    host: str = "127.0.0.1"
    """IP address of the interface. There is no authentication: other than loopback only behind a proxy."""
    port: int = 0
    """0..65,535; 0 lets the system choose, `serve_rpc` reports the choice."""
    names: Sequence[str] = field(default=())
    """Further values of the Host header that are served, without port."""


async def serve_rpc(
    queries: Queries,
    address: RpcAddress,
    limits: RpcLimits | None = None,
    *,
    task_status: TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; reports the port once it listens.

    Raises `LocalError` if the port cannot be bound, `InvariantViolation` if an answer met one.
    """
    limits = limits or RpcLimits()
    dispatcher = Dispatcher(queries, METHODS, limits)
    guard = Guard((*address.names, f"[{address.host}]" if ":" in address.host else address.host))
    application = Application(queries, dispatcher, guard, limits)
    try:
        listeners = await trio.open_tcp_listeners(address.port, host=address.host, backlog=LISTEN_BACKLOG)
    except OSError as error:
        raise LocalError(f"cannot listen on {address.host} port {address.port}: {error.strerror or error}") from None
    connections = Connections(application.asgi, limits)
    application.get_connection_metrics = connections.get_metrics
    async with trio.open_nursery() as nursery:
        nursery.start_soon(dispatcher.watch)
        nursery.start_soon(connections.serve, listeners)
        task_status.started(int(listeners[0].socket.getsockname()[1]))
