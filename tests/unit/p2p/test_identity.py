"""Peer ids, addresses and protocol ids read as libp2p reads them."""

from __future__ import annotations

import pytest
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID

from p2p.addresses import format_address, parse_address
from p2p.errors import ConfigurationError
from p2p.identity import compute_peer_id, encode_base58
from p2p.protocols import get_protocol_id


@pytest.mark.parametrize("seed", [bytes(32), bytes(range(32)), b"\xff" * 32])
def test_peer_id_is_the_one_of_libp2p(seed: bytes) -> None:
    """The id is derived without importing libp2p and is the same."""
    assert compute_peer_id(seed) == str(ID.from_pubkey(create_new_key_pair(seed).public_key))


def test_base58_keeps_leading_zeros() -> None:
    """Each leading zero byte is a 1."""
    assert encode_base58(b"\x00\x00\x01") == "112"


@pytest.mark.parametrize(
    ("address", "pair"),
    [
        ("/ip4/127.0.0.1/tcp/0", ("127.0.0.1", 0)),
        ("/ip6/::1/tcp/65535", ("::1", 65535)),
        ("/dns4/node.example/tcp/9", ("node.example", 9)),
    ],
)
def test_address_gives_host_and_port(address: str, pair: tuple[str, int]) -> None:
    """The forms that a genesis may hold."""
    assert parse_address(address) == pair


@pytest.mark.parametrize(
    "address",
    ["", "127.0.0.1:80", "/ip4/::1/tcp/1", "/ip4/x/tcp/1", "/ip4/127.0.0.1/udp/1", "/ip4/127.0.0.1/tcp/65536"],
)
def test_wrong_address_is_named(address: str) -> None:
    """The error quotes what was given."""
    with pytest.raises(ConfigurationError, match="address"):
        parse_address(address)


def test_format_address_is_read_back() -> None:
    """Both directions agree."""
    assert parse_address(format_address("::1", 7)) == ("::1", 7)


def test_protocol_id_shows_the_network() -> None:
    """Two networks share no protocol."""
    assert get_protocol_id("votes", bytes(range(16))) == "/sequencer/votes/1/0001020304050607"
