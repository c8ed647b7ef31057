"""Wrap one libp2p connection and its streams, so that all failures look the same and a close never waits.

Promises: every failure of a stream is `ConnectionLost`; `abort` closes the socket at once, even
when a write is stuck behind a frozen peer (libp2p's own close would wait for that write).
"""

from __future__ import annotations

from typing import Final

import trio
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.host.basic_host import BasicHost
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.stream.net_stream import NetStream
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.stream_muxer.yamux.yamux import Yamux

from p2p.errors import NetworkError
from p2p.protocols import READ_BYTES, RECORD_BYTES_MAX

ARRIVALS_MAX: Final = 2
"""Streams of our protocol that a peer may open on one connection before we take them."""
STREAMS_MAX: Final = 64
"""Streams of one connection; libp2p itself sets no bound for streams that a peer opens."""
UNREAD_BYTES_MAX: Final = 4 << 20
"""Bytes of one connection that nobody has read; libp2p itself does not hold a peer to its window."""
NEGOTIATION_SECONDS: Final = 10
"""Time for the peer to agree on a stream's protocol."""
CLOSE_SECONDS: Final = 2.0
"""Time for libp2p to forget a connection whose socket is already closed."""

_STREAM_FAILURES: Final = (
    BaseLibp2pError,
    OSError,
    EOFError,
    ValueError,  # also text of a peer that is no UTF-8
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.EndOfChannel,
)


class ConnectionLost(NetworkError):
    """The connection is gone, or the peer does not speak our protocol."""


class Stream:
    """One libp2p stream, used in one direction only."""

    def __init__(self, stream: NetStream) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        """Return the next bytes, at least one."""
        try:
            data = await self._stream.read(READ_BYTES)
        except _STREAM_FAILURES as error:
            raise ConnectionLost(f"read: {error}") from error
        if not data:
            raise ConnectionLost("read: end of stream")
        return data

    async def write(self, data: bytes) -> None:
        """Write all of `data` in pieces that each fill one noise message; never cancel it but to close."""
        view = memoryview(data)
        try:
            for start in range(0, len(view), RECORD_BYTES_MAX):
                await self._stream.write(bytes(view[start : start + RECORD_BYTES_MAX]))
        except _STREAM_FAILURES as error:
            raise ConnectionLost(f"write: {error}") from error


class Connection:
    """One authenticated connection with a peer."""

    def __init__(self, host: BasicHost, conn: SwarmConn, socket: trio.SocketStream, is_dialed: bool) -> None:
        self.peer_id = str(conn.muxed_conn.peer_id)
        """Who the peer proved to be."""
        self.is_dialed = is_dialed
        """Whether this side made the connection."""
        self._host = host
        self._conn = conn
        self._socket = socket
        self._arrivals_send, self._arrivals = trio.open_memory_channel[NetStream](ARRIVALS_MAX)

    @property
    def is_closed(self) -> bool:
        """Whether libp2p has begun to close it."""
        return self._conn.event_closed.is_set()

    async def wait_closed(self) -> None:
        """Return when the connection is gone."""
        await self._conn.event_closed.wait()

    @property
    def is_overloaded(self) -> bool:
        """Whether the peer has more streams or unread bytes here than any honest one. # hazard g"""
        muxed = self._conn.muxed_conn
        if not isinstance(muxed, Yamux):
            return True
        unread = sum(len(buffer) for buffer in muxed.stream_buffers.values())
        return len(muxed.streams) > STREAMS_MAX or unread > UNREAD_BYTES_MAX

    def is_of(self, conn: object) -> bool:
        """Whether this wraps the given libp2p connection."""
        return conn is self._conn

    def offer(self, stream: NetStream) -> bool:
        """Take a stream that the peer opened; False when too many wait."""
        try:
            self._arrivals_send.send_nowait(stream)
        except trio.WouldBlock:
            return False
        return True

    async def accept_stream(self) -> Stream:
        """Return the next stream that the peer opened; raises `ConnectionLost`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._cancel_when_closed, nursery.cancel_scope)
            stream = await self._arrivals.receive()
            nursery.cancel_scope.cancel()
            return Stream(stream)
        raise ConnectionLost("accept: connection closed")

    async def open_stream(self, protocol: str) -> Stream:
        """Open a stream to the peer; raises `ConnectionLost`."""
        try:
            stream = await self._conn.new_stream()
            communicator = MultiselectCommunicator(stream)
            client = self._host.multiselect_client
            await client.select_one_of([TProtocol(protocol)], communicator, NEGOTIATION_SECONDS)
        except _STREAM_FAILURES as error:
            raise ConnectionLost(f"open {protocol}: {error}") from error
        stream.set_protocol(TProtocol(protocol))
        return Stream(stream)

    def abort(self) -> None:
        """Close the socket now; what is queued is lost. May be called again."""
        self._socket.socket.close()

    async def close(self) -> None:
        """Abort and let libp2p forget the connection."""
        self.abort()
        with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_SECONDS):
            await self._conn.close()

    async def _cancel_when_closed(self, scope: trio.CancelScope) -> None:
        await self.wait_closed()
        scope.cancel()
