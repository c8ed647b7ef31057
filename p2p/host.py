"""Build one libp2p host, listen, dial, and hand every authenticated connection to its owner.

What differs from libp2p's own way, and why:

* only noise, yamux and TCP are offered, so there is nothing weaker to be talked into;
* sockets are bound, accepted and dialed here: libp2p only logs a failed bind, shares busy ports
  (SO_REUSEPORT), waits 250 ms in every dial, refuses a peer for 60 s after a failed one (hazard d),
  and never gives back the slot of an inbound connection (hazard c: we never enter that path);
* connections that have not proved who they are take one of `HANDSHAKES_MAX` places; when all are
  taken the oldest is dropped;
* libp2p's connection manager, resource manager and loggers are switched off: admission is ours.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
from libp2p import new_host
from libp2p.abc import IMuxedConn, INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.host.basic_host import BasicHost
from libp2p.network.config import ConnectionConfig
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.stream.net_stream import NetStream
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

from p2p.addresses import format_address, parse_address
from p2p.connection import Connection
from p2p.errors import ListenError
from p2p.network import HostPeer, LocalHost
from p2p.quiet import quiet_libp2p
from p2p.tcp import tune_socket, wrap_socket

if TYPE_CHECKING:
    from trio_typing import TaskStatus  # the type stubs of trio that libp2p brings lack trio.TaskStatus

HANDSHAKES_MAX: Final = 64
"""Inbound connections that may be in their handshake at once."""
HANDSHAKE_SECONDS: Final = 5.0
"""Time for a peer to prove who it is."""
DIAL_SECONDS: Final = 5.0
"""Time for one dial with its handshake."""
LISTEN_BACKLOG: Final = 128
"""Connections that the system holds before they are accepted."""
OVERLOAD_CHECK_SECONDS: Final = 0.25
"""How often all connections are held to `STREAMS_MAX` and `UNREAD_BYTES_MAX`."""
_CONNECTIONS_MAX: Final = 1_000_000
"""Never met: admission is by peer id and by `HANDSHAKES_MAX`. # hazard c"""

Serve: TypeAlias = Callable[[Connection], Awaitable[bool]]
"""Called for each authenticated connection, which is closed when it returns; True if it had become usable."""


class Host:
    """One listening libp2p host with its own identity."""

    def __init__(self, local: LocalHost, protocol: str, counters: Counter[str]) -> None:
        quiet_libp2p()
        self.libp2p_host = _build_libp2p_host(local.seed)
        self.peer_id = str(self.libp2p_host.get_id())
        self._requested_address = local.address
        self._listeners: list[trio.SocketListener] = []
        self._address = ""
        self._counters = counters
        self._handshakes: dict[trio.CancelScope, None] = {}
        self._connections: list[Connection] = []
        self._registered = trio.Event()
        self._negotiate = self._swarm.common_stream_handler
        self._swarm.set_stream_handler(self._handle_stream)
        self.libp2p_host.set_stream_handler(TProtocol(protocol), self._on_stream)  # type: ignore[arg-type]  # INetStream is always a NetStream

    @property
    def address(self) -> str:
        """The real multiaddress, once `bind` has returned."""
        return self._address

    @property
    def connections(self) -> tuple[Connection, ...]:
        """All connections that are being served."""
        return tuple(self._connections)

    async def bind(self) -> None:
        """Bind and listen; from here on the system accepts. Raises `ListenError`."""
        host, port = parse_address(self._requested_address)
        try:
            self._listeners = list(await trio.open_tcp_listeners(port, host=host, backlog=LISTEN_BACKLOG))
        except OSError as error:
            reason = "the port is busy" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
            raise ListenError(self._requested_address, reason) from error
        self._address = format_address(*self._listeners[0].socket.getsockname()[:2])

    async def close(self) -> None:
        """Close the listening sockets; `run` does so too."""
        for listener in self._listeners:
            await listener.aclose()

    async def run(self, serve: Serve, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `bind` comes first."""
        async with self.libp2p_host.run([]), trio.open_nursery() as nursery:
            await self._swarm.auto_connector.stop()
            try:
                handler = _bind_handler(self._accept, serve)
                await nursery.start(trio.serve_listeners, handler, self._listeners)
                nursery.start_soon(self._close_overloaded)
                task_status.started()
                await trio.sleep_forever()
            finally:
                for connection in self.connections:
                    connection.abort()

    async def dial(self, peer: HostPeer, serve: Serve) -> bool:
        """Connect to `peer` and serve the connection until it ends; True if it had become usable."""
        made = None
        with trio.move_on_after(DIAL_SECONDS):
            made = await self._connect(peer)
        if made is None:
            self._counters["dial_failed"] += 1
            return False
        return await self._serve(*made, True, serve)

    def close_peer(self, peer_id: str) -> None:
        """Abort every connection of one peer."""
        for connection in self.connections:
            if connection.peer_id == peer_id:
                connection.abort()

    async def _close_overloaded(self) -> None:
        while True:
            await trio.sleep(OVERLOAD_CHECK_SECONDS)
            for connection in self.connections:
                if connection.is_overloaded:
                    self._counters["overloaded"] += 1
                    connection.abort()

    async def _connect(self, peer: HostPeer) -> tuple[SwarmConn, trio.SocketStream] | None:
        swarm, peer_id = self._swarm, ID.from_string(peer.peer_id)
        swarm.unblock_peer(peer_id)  # hazard d, should libp2p ever have dialed by itself
        host, port = parse_address(peer.address)
        try:
            stream = tune_socket(await trio.open_tcp_stream(host, port))
        except OSError:
            return None
        conn = await self._upgrade(stream, swarm.upgrade_outbound_raw_conn(wrap_socket(stream, True), peer_id))
        return None if conn is None else (conn, stream)

    async def _accept(self, stream: trio.SocketStream, serve: Serve) -> None:
        conn = None
        with self._take_handshake_place() as scope:
            try:
                raw = wrap_socket(tune_socket(stream), False)
                conn = await self._upgrade(stream, self._swarm.upgrade_inbound_raw_conn(raw, Multiaddr(self._address)))
            finally:
                self._handshakes.pop(scope, None)
        if conn is None:
            self._counters["handshake_failed"] += 1
        else:
            await self._serve(conn, stream, False, serve)

    def _take_handshake_place(self) -> trio.CancelScope:
        if len(self._handshakes) >= HANDSHAKES_MAX:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.cancel()
            self._counters["handshake_evicted"] += 1
        scope = trio.CancelScope()
        self._handshakes[scope] = None
        return scope

    async def _upgrade(self, stream: trio.SocketStream, upgrade: Awaitable[SwarmConn | IMuxedConn]) -> SwarmConn | None:
        """Return the connection that the handshake gave; None, and the socket closed, when it failed."""
        conn = None
        try:
            made = await upgrade
            conn = made if isinstance(made, SwarmConn) else self._find_connection(made)
        except Exception:  # noqa: BLE001  # libp2p lets whatever a stranger's bytes provoke escape; the caller counts it
            pass
        finally:
            if conn is None:
                stream.socket.close()
        return conn

    def _find_connection(self, muxed: IMuxedConn) -> SwarmConn | None:
        for conn in self._swarm.get_connections(muxed.peer_id):
            if conn.muxed_conn is muxed and isinstance(conn, SwarmConn):
                return conn
        return None

    async def _serve(self, conn: SwarmConn, stream: trio.SocketStream, is_dialed: bool, serve: Serve) -> bool:
        connection = Connection(self.libp2p_host, conn, stream, is_dialed)
        self._connections.append(connection)
        self._registered.set()
        self._registered = trio.Event()
        try:
            return await serve(connection)
        finally:
            await connection.close()
            self._connections.remove(connection)

    async def _handle_stream(self, stream: INetStream) -> None:
        """Run libp2p's handling of a stream that the peer opened; whatever escapes would stop the whole host."""
        try:
            await self._negotiate(stream)
        except Exception:  # noqa: BLE001  # libp2p lets anything that a peer's bytes provoke escape; counted, and the peer closed
            self._counters["stream_failed"] += 1
            self.close_peer(str(stream.muxed_conn.peer_id))

    async def _on_stream(self, stream: NetStream) -> None:
        conn = stream.swarm_conn
        if conn is None:
            return
        connection = await self._wait_for_connection(conn)
        if connection is None or not connection.offer(stream):
            self._counters["stream_refused"] += 1
            await stream.reset()
            return
        # libp2p counts a stream as open while its handler runs.
        await conn.event_closed.wait()

    async def _wait_for_connection(self, conn: SwarmConn) -> Connection | None:
        # A peer may open its stream before our side of the handshake has returned.
        with trio.move_on_after(HANDSHAKE_SECONDS):
            while True:
                for connection in self._connections:
                    if connection.is_of(conn):
                        return connection
                await self._registered.wait()
        return None

    @property
    def _swarm(self) -> Swarm:
        swarm = self.libp2p_host.get_network()
        if not isinstance(swarm, Swarm):
            raise TypeError("libp2p gave a network that is no Swarm")
        return swarm


def _bind_handler(
    accept: Callable[[trio.SocketStream, Serve], Awaitable[None]], serve: Serve
) -> Callable[[trio.SocketStream], Awaitable[None]]:
    async def handle(stream: trio.SocketStream) -> None:
        await accept(stream, serve)

    return handle


def _build_libp2p_host(seed: bytes) -> BasicHost:
    key_pair = create_new_key_pair(seed)
    host = new_host(
        key_pair=key_pair,
        sec_opt={NOISE_ID: NoiseTransport(key_pair, noise_privkey=create_noise_key_pair().private_key)},
        muxer_opt={TProtocol(YAMUX_ID): Yamux},
        connection_config=ConnectionConfig(
            max_connections=_CONNECTIONS_MAX,
            min_connections=0,
            low_watermark=0,
            high_watermark=_CONNECTIONS_MAX,
            inbound_upgrade_timeout=HANDSHAKE_SECONDS,
            outbound_upgrade_timeout=HANDSHAKE_SECONDS,
        ),
    )
    if not isinstance(host, BasicHost):
        raise TypeError("libp2p gave a host that is no BasicHost")
    network = host.get_network()
    if isinstance(network, Swarm):
        network.set_resource_manager(None)
        for notifee in tuple(network.notifees):
            # It would ask each peer who it is, in a task whose failure ends the program; noise has told us.
            if type(notifee).__module__ == BasicHost.__module__:
                network.remove_notifee(notifee)
    return host
