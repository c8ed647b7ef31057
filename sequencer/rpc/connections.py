"""Accept connections for hypercorn, at most so many, none of them slow for long.

Hypercorn speaks HTTP; this keeps the table of connections and their time. What it leaves open
is closed here: the number of connections; a write to a client that does not read (hypercorn
shields it from cancellation); HTTP/2, and requests sent ahead, after which it watches no idle
time. So its own idle timer is off, and every connection has a deadline here.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from typing import TypeAlias, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H2CProtocolRequiredError, H2ProtocolAssumedError, H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework
from starlette.types import ASGIApp, Receive, Scope, Send

from sequencer.rpc.limits import RpcLimits
from sequencer.rpc.queries import Metric

_LOG = logging.getLogger(__name__)

EVENTS_PATH = "/events"
"""The only route whose answer may last."""

ClientAddress: TypeAlias = tuple[str, int]


class BoundedStream:
    """A socket stream whose writes end in time; what hypercorn's `TCPServer` asks of a stream."""

    def __init__(self, stream: trio.SocketStream, write_seconds_max: float) -> None:
        self._stream = stream
        self._write_seconds_max = write_seconds_max
        self.socket = stream.socket

    async def receive_some(self, max_bytes: int) -> bytes:
        """Return what came, empty at the end."""
        return bytes(await self._stream.receive_some(max_bytes))

    async def send_all(self, data: bytes) -> None:
        """Send all, or close and raise `BrokenResourceError` when the client does not read in time."""
        with trio.move_on_after(self._write_seconds_max):
            await self._stream.send_all(data)
            return
        self.close()
        raise trio.BrokenResourceError("client does not read")

    async def send_eof(self) -> None:
        """Do nothing: hypercorn closes right after, and two tasks may get here at once."""
        await trio.lowlevel.cancel_shielded_checkpoint()

    def close(self) -> None:
        """Close at once; a pending read ends with `ClosedResourceError`."""
        self._stream.socket.close()

    async def aclose(self) -> None:
        """Close."""
        self.close()
        await trio.lowlevel.cancel_shielded_checkpoint()


class Http1Server(TCPServer):
    """Hypercorn's connection without its switch to HTTP/2, which knows no idle limit."""

    @property  # type: ignore[override] # an H11Protocol takes the same calls as its wrapper
    def protocol(self) -> H11Protocol:
        """What reads the bytes: HTTP/1.1, whatever the client asks for."""
        return self._protocol

    @protocol.setter
    def protocol(self, wrapper: ProtocolWrapper) -> None:
        self._protocol = cast(H11Protocol, wrapper.protocol)


class Connection:
    """One open connection: its socket, and the time at which it ends unless something happens."""

    def __init__(self, stream: BoundedStream, seconds: float) -> None:
        self.stream = stream
        self.scope = trio.CancelScope()
        self.extend(seconds)

    def extend(self, seconds: float) -> None:
        """Let it live for so long from now."""
        self.scope.deadline = trio.current_time() + seconds


class Connections:
    """The open connections, those that were idle longest first."""

    def __init__(self, app: ASGIApp, limits: RpcLimits) -> None:
        self._app = ASGIWrapper(cast(ASGIFramework, self._track))
        self._inner = app
        self._limits = limits
        self._config = make_config(limits)
        self._context = WorkerContext(None)
        self._idle: OrderedDict[ClientAddress, Connection] = OrderedDict()
        self._busy: dict[ClientAddress, Connection] = {}
        self.dropped = 0
        """Connections closed or refused because the table was full, or because they asked for HTTP/2."""
        self.broken = 0
        """Connections that an error in the HTTP library ended; clients can provoke some, so they are not logged."""

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    def get_metrics(self) -> tuple[Metric, ...]:
        """Return what was counted."""
        prefix = "sequencer_rpc_connections"
        return (
            Metric(prefix, "gauge", "Open HTTP connections.", len(self)),
            Metric(f"{prefix}_dropped_total", "counter", "Connections dropped at a limit.", self.dropped),
            Metric(
                f"{prefix}_broken_total", "counter", "Connections ended by an error in the HTTP library.", self.broken
            ),
        )

    async def serve(self, listeners: list[trio.SocketListener]) -> None:
        """Accept and serve until cancelled; then every connection is closed."""
        await trio.serve_listeners(self._handle, listeners)

    async def _handle(self, raw: trio.SocketStream) -> None:
        stream = BoundedStream(raw, self._limits.write_seconds_max)
        client = _get_client(raw)
        if client is None or not self._make_room():
            stream.close()
            return
        connection = self._idle[client] = Connection(stream, self._limits.idle_seconds_max)
        try:
            with connection.scope:
                await self._speak_http1(stream)
        except Exception:  # noqa: BLE001 # edge of one connection: counted and closed; the others go on
            self.broken += 1
            _LOG.debug("connection ended by an error in the HTTP library", exc_info=True)
        finally:
            self._idle.pop(client, None)
            self._busy.pop(client, None)
            stream.close()

    async def _speak_http1(self, stream: BoundedStream) -> None:
        try:
            await Http1Server(self._app, self._config, self._context, {}, stream)  # type: ignore[arg-type] # duck-typed
        except* (H2CProtocolRequiredError, H2ProtocolAssumedError):
            self.dropped += 1

    def _make_room(self) -> bool:
        """End the connection that was idle longest if the table is full; tell whether there is room."""
        if len(self) < self._limits.connections_max:
            return True
        self.dropped += 1
        if not self._idle:
            return False
        _, oldest = self._idle.popitem(last=False)
        oldest.scope.cancel()
        return True

    async def _track(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; its connection is not idle meanwhile."""
        client = scope["client"]
        connection = self._idle.pop(client, None)
        if connection is None:  # dropped in this very moment
            return
        self._busy[client] = connection
        connection.extend(self._get_busy_seconds(scope))
        try:
            await self._inner(scope, receive, send)
        finally:
            connection.extend(self._limits.idle_seconds_max)
            if self._busy.pop(client, None) is not None:
                self._idle[client] = connection

    def _get_busy_seconds(self, scope: Scope) -> float:
        """Return the most that a request may take: its body, its answer, writing it; a stream has no end."""
        if scope.get("path") == EVENTS_PATH:
            return math.inf
        return 2 * self._limits.request_seconds_max + 2 * self._limits.write_seconds_max


def make_config(limits: RpcLimits) -> Config:
    """Return hypercorn's settings: quiet, no server header, no timer of its own."""
    config = Config()
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = math.inf
    config.keep_alive_max_requests = 1_000_000
    config.h11_max_incomplete_size = limits.header_bytes_max
    config.max_app_queue_size = 2
    config.wsgi_max_body_size = limits.body_bytes_max
    return config


def _get_client(stream: trio.SocketStream) -> ClientAddress | None:
    """Return who is at the other end, as hypercorn names it in the scope; None if they left already."""
    try:
        address = stream.socket.getpeername()
    except OSError:
        return None
    return (str(address[0]), int(address[1]))
