"""Find free TCP ports below the ephemeral range, so that no outgoing connection takes them between two starts.

A port counts as free when it can be bound now. Somebody else may take it before its node does;
the node then says so and the caller chooses again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

from sequencer.errors import LocalError

PORT_MIN = 10_000
PORT_MAX = 32_767
"""Linux hands out ports from 32,768 to clients."""
HOST = "127.0.0.1"


def is_port_free(port: int) -> bool:
    """Tell whether `port` can be bound on the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def find_free_ports(count: int, start: int) -> tuple[int, ...]:
    """Return `count` distinct free ports, searching upward from `start` and around.

    `start` is any number: two networks that start at different places rarely meet.
    Raises `LocalError` when there are not enough.
    """
    found: list[int] = []
    for port in _iterate_from(start):
        if len(found) == count:
            return tuple(found)
        if is_port_free(port):
            found.append(port)
    raise LocalError(f"fewer than {count} TCP ports of {PORT_MIN}..{PORT_MAX} are free")


def _iterate_from(start: int) -> Iterator[int]:
    span = PORT_MAX - PORT_MIN + 1
    first = start % span
    return (PORT_MIN + (first + step) % span for step in range(span))


def describe_owner(port: int) -> str:
    """Return ` by pid 4711 (python)` for the process that listens on `port`, or nothing if it cannot be seen."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        return ""
    return ""
