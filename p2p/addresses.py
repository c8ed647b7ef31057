"""Read and write the multiaddresses of this network: one host and one TCP port."""

from __future__ import annotations

import ipaddress
from typing import Final

from p2p.errors import ConfigurationError

_NAME_PROTOCOLS: Final = ("dns", "dns4", "dns6")


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of /ip4/HOST/tcp/PORT (also ip6, dns, dns4, dns6).

    Raises `ConfigurationError` that names the address.
    """
    parts = address.split("/")
    if len(parts) != 5 or parts[0] or parts[3] != "tcp" or not parts[4].isascii() or not parts[4].isdigit():
        raise ConfigurationError(f"address {address!r}: must read as /ip4/HOST/tcp/PORT")
    protocol, host, port = parts[1], parts[2], int(parts[4])
    if port > 0xFFFF:
        raise ConfigurationError(f"address {address!r}: the port is above 65535")
    if protocol in ("ip4", "ip6"):
        _verify_ip(address, protocol, host)
    elif protocol not in _NAME_PROTOCOLS or not host:
        raise ConfigurationError(f"address {address!r}: {protocol!r} is not one of ip4, ip6, dns, dns4, dns6")
    return host, port


def format_address(host: str, port: int) -> str:
    """Return the multiaddress of an IP address and port."""
    return f"/ip{ipaddress.ip_address(host).version}/{host}/tcp/{port}"


def _verify_ip(address: str, protocol: str, host: str) -> None:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError as error:
        raise ConfigurationError(f"address {address!r}: {error}") from error
    if protocol != f"ip{version}":
        raise ConfigurationError(f"address {address!r}: {host} is not {protocol}")
