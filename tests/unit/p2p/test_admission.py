"""Known peers are served always, strangers up to a bound, and the banned not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from p2p.admission import Admission
from p2p.budget import OriginBudget
from p2p.errors import ConfigurationError
from p2p.network import HostPeer, LocalHost, NetworkConfiguration, RemotePeer
from p2p.protocols import BAD_ITEMS_MAX, BANS_MAX, GOSSIP_MESSAGE_COST_BYTES

ADDRESS = "/ip4/127.0.0.1/tcp/1"
PEER = RemotePeer("b", HostPeer("b-votes", ADDRESS), HostPeer("b-data", ADDRESS), HostPeer("b-open", ADDRESS))
LOCAL = LocalHost(bytes(32), ADDRESS)
CONFIGURATION = NetworkConfiguration("a", b"network1", LOCAL, LOCAL, LOCAL, (PEER,), frozenset({"friend"}), 2)


def test_peer_is_known_only_on_its_own_channel() -> None:
    """An open peer id is a stranger on the votes host."""
    admission = Admission(CONFIGURATION)
    assert admission.get_name("votes", "b-votes") == "b"
    assert admission.get_name("votes", "b-open") is None


def test_strangers_above_the_bound_are_refused_and_allowed_ids_are_not_counted() -> None:
    """The extra allowed ids take no stranger's place and always find one."""
    admission = Admission(CONFIGURATION)
    assert admission.is_stranger_admitted("x", ["y", "friend"])
    assert not admission.is_stranger_admitted("x", ["y", "z"])
    assert admission.is_stranger_admitted("friend", ["y", "z"])


def test_third_bad_item_bans_for_a_minute() -> None:
    """Two are forgiven; the ban ends."""
    admission = Admission(CONFIGURATION)
    assert [admission.report_bad_item("x", 10.0) for _ in range(BAD_ITEMS_MAX)] == [False, False, True]
    assert admission.is_banned("x", 69.9)
    assert not admission.is_banned("x", 70.0)


def test_table_of_bans_is_bounded() -> None:
    """Above the bound the ban that ends first goes."""
    admission = Admission(CONFIGURATION)
    for number in range(BANS_MAX + 1):
        admission.ban(f"peer{number}", 100.0 + number)
    assert not admission.is_banned("peer0", 50.0)
    assert admission.is_banned("peer1", 50.0)


def test_name_stands_for_all_peer_ids_of_a_peer() -> None:
    """A ban by name closes all three hosts; anything else is a peer id."""
    admission = Admission(CONFIGURATION)
    assert admission.get_peer_ids("b") == ("b-votes", "b-data", "b-open")
    assert admission.get_peer_ids("x") == ("x",)


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("name", "b", "peers"),
        ("peers", (PEER, PEER), "peers"),
        ("network_id", b"short", "network_id"),
        ("data", None, "votes, data"),
        ("open", LocalHost(b"x", ADDRESS), "open.seed"),
        ("silence_seconds", 1.5, "silence_seconds"),
        ("dial_delay_seconds_min", 6.0, "dial_delay_seconds_min"),
    ],
)
def test_contradictory_configuration_is_refused_by_field(field: str, value: object, match: str) -> None:
    """The error names the field."""
    changed: dict[str, object] = {field: value}
    with pytest.raises(ConfigurationError, match=match):
        replace(CONFIGURATION, **changed)  # type: ignore[arg-type]  # the table holds values of many types


def test_origin_above_its_budget_waits_for_time() -> None:
    """A burst passes, the next message does not, and a second later it does."""
    cost = GOSSIP_MESSAGE_COST_BYTES + 100
    budget = OriginBudget(bytes_per_second=cost, burst_bytes=2 * cost)
    assert [budget.take("x", 100, 0.0) for _ in range(3)] == [True, True, False]
    assert budget.take("y", 100, 0.0)
    assert budget.take("x", 100, 1.0)
