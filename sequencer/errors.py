"""Name the four kinds of error, so that every handler knows who is wrong.

    SequencerError
    ├── LocalError            our caller is wrong (usage, configuration, a duty not kept)
    ├── PeerError             a peer is wrong: its message is ignored, the peer may be banned
    │   └── DecodeError       bytes that are not one canonical value; names the field
    ├── VerificationError     a proof, receipt or certificate does not prove what it claims
    ├── StoreError            the disk failed, or holds what it must not hold
    └── InvariantViolation    we are wrong: the node stops

A client's transaction that cannot be taken in is not an exception: it is a value
(`types.outcome.Rejection`) that carries a reason and the path of the wrong field.
"""


class SequencerError(Exception):
    """Base of every error that this project raises on purpose."""


class LocalError(SequencerError):
    """The caller broke a documented duty; nothing changed."""


class PeerError(SequencerError):
    """A peer broke the protocol; the message is dropped and nothing changed."""


class DecodeError(PeerError):
    """Bytes are not the canonical encoding of a value; `path` names the wrong field."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class VerificationError(SequencerError):
    """A proof does not prove what it claims; the message says which step failed."""


class StoreError(SequencerError):
    """A durable operation failed; nothing that depended on it may be sent."""


class InvariantViolation(SequencerError):
    """Our own state contradicts a rule; the node must stop signing and stop."""
