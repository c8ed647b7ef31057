"""Fit TCP sockets to libp2p: room for the whole credit, and few large reads instead of many small ones."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

import trio
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection

SOCKET_BUFFER_BYTES: Final = 512 << 10
"""Send buffer asked for, above `CREDIT_BYTES`: what credit allows fits without the reader's help. # hazard e"""
SOCKET_READ_BYTES: Final = 128 << 10
"""Bytes that one read of a socket asks for."""


def tune_socket(stream: trio.SocketStream) -> trio.SocketStream:
    """Let the socket take the whole credit without the reader's help; returns the same stream. # hazard e"""
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    with contextlib.suppress(AttributeError):
        # trio asks for 16 KiB, at which a writer waits whatever the buffer; 0 is the system's default, no such bound.
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 0)
    return stream


class _BufferedTcpStream(TrioTCPStream):
    """Read the socket in large pieces: libp2p asks for two bytes, then for a few, then for one."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__(stream)
        self._data = b""
        self._position = 0

    async def read(self, n: int | None = None) -> bytes:
        if self._position >= len(self._data):
            self._data, self._position = await super().read(SOCKET_READ_BYTES), 0
        end = len(self._data) if n is None else self._position + n
        found = self._data[self._position : end]
        self._position += len(found)
        return found


def wrap_socket(stream: trio.SocketStream, is_initiator: bool) -> RawConnection:
    """Return the socket as libp2p's handshake wants it."""
    return RawConnection(_BufferedTcpStream(stream), is_initiator)
