"""Name what can go wrong between peers, so that a caller can tell its own fault from a peer's.

NetworkError
├── ConfigurationError    our caller gave values that contradict each other or a bound
├── ListenError           an address that we must listen on cannot be had; names it
└── ProtocolViolation     a peer broke the framing; its connection is closed
"""


class NetworkError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigurationError(NetworkError):
    """The configuration contradicts itself or a bound; nothing was started."""


class ListenError(NetworkError):
    """A listen address is busy or does not exist; nothing keeps running."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")
        self.address = address
        self.reason = reason


class ProtocolViolation(NetworkError):
    """A peer broke the framing or a limit; the connection that it used is closed."""
