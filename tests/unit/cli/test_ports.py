"""Free ports are below the ephemeral range and really free."""

from __future__ import annotations

import os
import socket

import pytest

from sequencer.cli.cluster import ports
from sequencer.errors import LocalError


def listen(port: int = 0) -> socket.socket:
    listener = socket.socket()
    listener.bind((ports.HOST, port))
    listener.listen()
    return listener


def test_port_that_somebody_listens_on_is_not_free() -> None:
    """The probe sees a listener, and sees when it is gone."""
    with listen() as listener:
        port = listener.getsockname()[1]
        assert not ports.is_port_free(port)
    assert ports.is_port_free(port)


def test_free_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    """Ports of a network do not collide with each other or with outgoing connections."""
    found = ports.find_free_ports(20, os.getpid() * 97)
    assert len(set(found)) == 20
    assert all(ports.PORT_MIN <= port <= ports.PORT_MAX for port in found)


def test_search_steps_over_a_port_in_use() -> None:
    """A busy port is passed over, the next free one is taken."""
    first, second = ports.find_free_ports(2, os.getpid() * 89)
    with listen(first):
        assert ports.find_free_ports(1, first - ports.PORT_MIN)[0] == second


def test_search_without_enough_free_ports_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing is free the caller gets a clear error."""
    monkeypatch.setattr(ports, "is_port_free", lambda _: False)
    with pytest.raises(LocalError, match="fewer than 3"):
        ports.find_free_ports(3, 0)


def test_owner_of_a_port_is_named() -> None:
    """A person reads who holds the port."""
    with listen() as listener:
        assert f"pid {os.getpid()}" in ports.describe_owner(listener.getsockname()[1])
