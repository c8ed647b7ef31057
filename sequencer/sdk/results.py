"""Read a node's answers into frozen values; what a client relies on is checked, new members are ignored."""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.rpc.json_values import Members, read_amount, read_digest, read_hex, read_number, read_text
from sequencer.types.evidence import EVIDENCE_BYTES_MAX
from sequencer.types.parameters import LEGS_MAX
from sequencer.types.primitives import Digest, Height
from sequencer.types.receipt import PROOF_FILE_BYTES_MAX

_TEXT_BYTES_MAX = 4_096
EVIDENCE_PER_ANSWER_MAX = 100
"""Pieces of evidence in one answer."""
_ITEMS_MAX = 1 << 22
"""Elements of one list in an answer."""


@dataclass(frozen=True, slots=True)
class SubmissionAnswer:
    """What a node did with one transaction."""

    bundle_id: Digest | None
    """None if it could not be read."""
    status: str
    """`accepted` (durable there and sent on), `held` (waits) or `rejected`."""
    reason: str
    """Empty unless rejected."""
    path: str

    @classmethod
    def from_json(cls, value: object, path: str = "$") -> SubmissionAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, path)
        return cls(
            read.optional("id", read_digest),
            read.read("status", read_text),
            read.optional("reason", read_text) or "",
            read.optional("path", _read_long_text) or "",
        )


@dataclass(frozen=True, slots=True)
class ReceiptAnswer:
    """What one node says about a transaction; only `proof` proves anything."""

    bundle_id: Digest
    status: str
    """`pending`, `committed`, `aborted`, `inadmissible` or `unknown`."""
    height: Height | None
    index: int | None
    reason: str
    fee: int
    proof: bytes | None
    """Receipt bytes, once a certificate covers the outcome."""

    @classmethod
    def from_json(cls, value: object) -> ReceiptAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, "$")
        return cls(
            read.digest("id"),
            read.read("status", read_text),
            read.optional("height", read_number),
            read.optional("index", read_number),
            read.optional("reason", _read_long_text) or "",
            read.optional("fee", read_amount) or 0,
            read.optional("proof", lambda text, path: read_hex(text, path, PROOF_FILE_BYTES_MAX)),
        )


@dataclass(frozen=True, slots=True)
class FailureAnswer:
    """Why a rollup says NO, as one node says."""

    rollup: str
    code: str
    path: str
    """From `$`, the transaction."""
    expected: str
    found: str

    @classmethod
    def from_json(cls, value: object, path: str) -> FailureAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, path)
        names = ("rollup", "code", "path", "expected", "found")
        return cls(*(read.read(name, _read_long_text) for name in names))


@dataclass(frozen=True, slots=True)
class CheckAnswer:
    """What a bundle would come to as the only one of the next block, as one node says; a prediction, no promise."""

    would: str
    """`commit`, `abort`, `inadmissible` or `unknown`."""
    height: Height
    """The state that was asked."""
    reason: str
    fee: int
    failures: tuple[FailureAnswer, ...]
    unjudged: tuple[str, ...]
    """Split rollups that this node cannot judge."""

    @classmethod
    def from_json(cls, value: object) -> CheckAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, "$")
        return cls(
            read.read("would", read_text),
            read.number("height"),
            read.read("reason", _read_long_text),
            read.read("fee", read_amount),
            read.array("failures", LEGS_MAX, FailureAnswer.from_json),
            read.array("unjudged", LEGS_MAX, read_text),
        )


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """How a node says it stands."""

    name: str
    chain_id: Digest
    role: str
    height: Height
    commitment: Digest | None
    """None while nothing is final there."""
    oldest_height: Height
    certified_height: Height
    view: int
    peers: int

    @classmethod
    def from_json(cls, value: object) -> StatusAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, "$")
        return cls(
            read.read("name", read_text),
            read.digest("chain_id"),
            read.read("role", read_text),
            read.number("height"),
            read.optional("commitment", lambda text, path: read_hex(text, path, 32, 32)),
            read.number("oldest_height"),
            read.number("certified_height"),
            read.number("view"),
            read.number("peers"),
        )


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """A payer in the system state, as one node says."""

    height: Height
    deposit: int
    sequences: tuple[int, ...]
    """Next sequence of channels 0..15."""

    @classmethod
    def from_json(cls, value: object) -> AccountAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, "$")
        return cls(read.number("height"), read.read("deposit", read_amount), read.array("sequences", 16, read_number))


@dataclass(frozen=True, slots=True)
class BlockAnswer:
    """One block as a node lists it; `finality` turns it into something proven."""

    commitment: bytes
    """Canonical bytes."""
    leaves: tuple[tuple[int, tuple[bytes, ...]], ...]
    """(namespace, leaves) of every namespace with items, ascending."""
    outcomes: tuple[tuple[Digest, str, str], ...]
    """(bundle id, COMMIT or ABORT, reason), ascending by id."""
    results: tuple[tuple[Digest, str, str], ...]
    """(item id, status, reason) of every item, in order."""
    certificate: bytes | None
    """Canonical bytes of the certificate of this very commitment, if the node had one."""

    @classmethod
    def from_json(cls, value: object, path: str) -> BlockAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, path)
        commitment = Members(read.take("commitment"), f"{path}.commitment")
        namespaces = read.array("rollups", 1_024, _read_namespace)
        return cls(
            commitment.read("bytes", lambda text, at: read_hex(text, at, 1_024)),
            tuple(entry for entry in namespaces if entry[1]),
            read.array("outcomes", _ITEMS_MAX, lambda entry, at: _read_result(entry, at, "outcome")),
            read.array("results", _ITEMS_MAX, lambda entry, at: _read_result(entry, at, "status")),
            read.optional("certificate", _read_certificate),
        )


def _read_namespace(value: object, path: str) -> tuple[int, tuple[bytes, ...]]:
    read = Members(value, path)
    return read.number("id"), read.array("leaves", _ITEMS_MAX, lambda text, at: read_hex(text, at, 1_024))


def _read_result(value: object, path: str, status: str) -> tuple[Digest, str, str]:
    read = Members(value, path)
    return read.digest("id"), read.read(status, read_text), read.read("reason", _read_long_text)


def _read_long_text(value: object, path: str) -> str:
    return read_text(value, path, _TEXT_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class BlocksAnswer:
    """A run of blocks and the newest certificate."""

    blocks: tuple[BlockAnswer, ...]
    next_height: Height
    certificate: bytes | None
    """Canonical bytes of the newest certificate that the node knows."""

    @classmethod
    def from_json(cls, value: object) -> BlocksAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, "$")
        return cls(
            read.array("blocks", 100, BlockAnswer.from_json),
            read.number("next"),
            read.optional("certificate", _read_certificate),
        )


def _read_certificate(value: object, path: str) -> bytes:
    return Members(value, path).read("bytes", lambda text, at: read_hex(text, at, 65_536))


@dataclass(frozen=True, slots=True)
class DevelopmentAccountAnswer:
    """A funded account of a devnet."""

    name: str
    seed: bytes

    @classmethod
    def from_json(cls, value: object, path: str) -> DevelopmentAccountAnswer:
        """Read it; raises `DecodeError`."""
        read = Members(value, path)
        return cls(read.read("name", read_text), read.digest("seed"))


def read_evidence_bytes(value: object, path: str) -> bytes:
    """Read the bytes of one piece of evidence; they alone say what it proves. Raises `DecodeError`."""
    return Members(value, path).read("bytes", lambda text, at: read_hex(text, at, EVIDENCE_BYTES_MAX))
