"""Let the executors of a split rollup speak: what they sign, one by one and together. # A9 A13

A statement names its rollup and its subject, so a signature counts nowhere else. Which executor
sent it does not matter: the signature does.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import ClassVar, TypeAlias

from sequencer.codec import U32_MAX, U64_MAX, Fields, encode
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, LocalError, PeerError
from sequencer.types.bundle import OPERATIONS_PER_LEG_MAX, read_name
from sequencer.types.genesis import EXECUTORS_MAX, Genesis
from sequencer.types.outcome import Status
from sequencer.types.parameters import LEGS_MAX
from sequencer.types.primitives import Digest, Epoch, Height, RollupId, Signature
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import encode_signers

VERDICT_REASON_BYTES_MAX = 128
"""Bytes of the reason of one rollup's NO."""
OUTPUTS_MAX = LEGS_MAX * OPERATIONS_PER_LEG_MAX
"""Outputs that one verdict states at most; an operation exports one."""
EXECUTOR_EPOCH: Epoch = 0
"""Executor sets are those of the genesis."""

_REASON = re.compile(r"[A-Z][A-Z0-9_]*@[a-z0-9_.\[\]]+\Z")

Output: TypeAlias = tuple[int, str, int]
"""Leg, name and amount of an exported value. # A15"""
Link: TypeAlias = tuple[Digest, Status, Digest]
"""A direct ancestor on the same rollup: its id, COMMIT or ABORT, and its own assumption there. # A9"""


class StatementKind(enum.IntEnum):
    """What executors state; the number is that of the item that certifies it."""

    VERDICT = 2
    BEAT = 3
    ROOT = 4


class Verdict(enum.IntEnum):
    """What a rollup says to a bundle at its position. # A8"""

    YES = 1
    NO = 2


class _Statement:
    """What all statements share: the digest that executors sign."""

    KIND: ClassVar[StatementKind]

    @cached_property
    def digest(self) -> Digest:
        """H(STATEMENT ‖ statement): what executors sign."""
        return hash_tagged(Tag.STATEMENT, encode(self.to_value()))

    def to_fields(self) -> tuple[object, ...]:
        """Return the array without the kind."""
        return tuple([getattr(self, name) for name in self.__match_args__])  # type: ignore[attr-defined] # of a dataclass

    def to_value(self) -> tuple[object, ...]:
        """Return the array, its kind first."""
        return (self.KIND, *self.to_fields())


@dataclass(frozen=True)
class VerdictStatement(_Statement):
    """One rollup's verdict on a bundle, if its ancestors came out and foreign values were as assumed. # A9"""

    rollup: RollupId
    bundle_id: Digest
    verdict: Verdict
    reason: str
    """Empty for YES; `<code>@<path>` for NO, at most 128 bytes."""
    outputs: tuple[Output, ...]
    """What legs of other rollups refer to, ascending; empty for NO. # A15"""
    assumption: Digest
    """`compute_assumption` of the direct ancestors on this rollup and of the foreign values referred to."""
    KIND = StatementKind.VERDICT

    @property
    def number(self) -> int:
        """0: the digest says which bundle."""
        return 0


@dataclass(frozen=True)
class BeatStatement(_Statement):
    """A suspended rollup's executors are back at `height`. # A13"""

    rollup: RollupId
    height: Height
    KIND = StatementKind.BEAT

    @property
    def number(self) -> int:
        """The height."""
        return self.height


@dataclass(frozen=True)
class RootStatement(_Statement):
    """A split rollup's row at `height`: what its members can prove against once it is certified. # A11 A19"""

    rollup: RollupId
    height: Height
    settled_height: Height
    """Highest height at or below which no item of the rollup is undecided at `height`."""
    state_root: Digest
    receipt_root: Digest
    outbox_root: Digest
    KIND = StatementKind.ROOT

    @property
    def number(self) -> int:
        """The height."""
        return self.height


ExecutorStatement: TypeAlias = VerdictStatement | BeatStatement | RootStatement


def read_statement(kind: int, read: Fields, path: str) -> ExecutorStatement:
    """Read the fields that follow the kind; raises `DecodeError` naming the field."""
    statement: ExecutorStatement
    rollup = read.uint("rollup", U32_MAX)
    if kind == StatementKind.VERDICT:
        statement = _read_verdict(rollup, read, path)
    elif kind == StatementKind.BEAT:
        statement = BeatStatement(rollup, read.uint("height"))
    elif kind == StatementKind.ROOT:
        statement = _read_root(rollup, read, path)
    else:
        raise DecodeError(f"{path}.kind", f"must be 2, 3 or 4, is {kind}")
    read.finish()
    return statement


def _read_verdict(rollup: RollupId, read: Fields, path: str) -> VerdictStatement:
    bundle_id, code = read.digest("bundle_id"), read.uint("verdict", Verdict.NO)
    reason = read.text("reason", VERDICT_REASON_BYTES_MAX)
    outputs = read.array("outputs", OUTPUTS_MAX, _read_output)
    if code == 0:
        raise DecodeError(f"{path}.verdict", "must be 1 (YES) or 2 (NO)")
    verdict = Verdict(code)
    if (verdict is Verdict.YES) != (reason == "") or (reason and not _REASON.match(reason)):
        raise DecodeError(f"{path}.reason", "must be empty for YES and <code>@<path> for NO")
    if any(left[:2] >= right[:2] for left, right in pairwise(outputs)):
        raise DecodeError(f"{path}.outputs", "must be strictly ascending by leg and name")
    if outputs and verdict is Verdict.NO:
        raise DecodeError(f"{path}.outputs", "must be empty for NO")
    return VerdictStatement(rollup, bundle_id, verdict, reason, outputs, read.digest("assumption"))


def _read_output(value: object, path: str) -> Output:
    read = Fields(value, path)
    output = (
        read.uint("leg", LEGS_MAX - 1),
        read_name(read.take("name"), f"{path}.name"),
        read.uint("amount", U64_MAX),
    )
    read.finish()
    return output


def _read_root(rollup: RollupId, read: Fields, path: str) -> RootStatement:
    height = read.uint("height")
    settled = read.uint("settled_height", height)
    return RootStatement(
        rollup, height, settled, read.digest("state_root"), read.digest("receipt_root"), read.digest("outbox_root")
    )


def compute_statement_signing_bytes(chain_id: Digest, statement: ExecutorStatement) -> bytes:
    """Return the 85 bytes that an executor signs. # G2 A9"""
    return compute_signing_bytes(chain_id, EXECUTOR_EPOCH, SignatureKind.EXECUTOR, statement.number, statement.digest)


@dataclass(frozen=True, slots=True)
class ExecutorVote:
    """One executor's signature on a statement, as it travels by gossip. # A14"""

    statement: ExecutorStatement
    executor: int
    """Index in the rollup's executor set."""
    signature: Signature

    def to_value(self) -> tuple[object, ...]:
        """Return the array."""
        return (self.statement.to_value(), self.executor, self.signature)

    @classmethod
    def from_value(cls, value: object, path: str) -> ExecutorVote:
        """Read the array; raises `DecodeError` naming the field."""
        read = Fields(value, path)
        stated = Fields(read.take("statement"), f"{path}.statement")
        statement = read_statement(stated.uint("kind", StatementKind.ROOT), stated, f"{path}.statement")
        vote = cls(statement, read.uint("executor", EXECUTORS_MAX - 1), read.signature("signature"))
        read.finish()
        return vote

    def verify(self, genesis: Genesis, verifier: Verifier) -> None:
        """Check that a member of the rollup's executor set signed; raises `PeerError`. # A9"""
        executors = genesis.item_rules.executor_sets.get(self.statement.rollup)
        if executors is None:
            raise PeerError(f"vote: rollup {self.statement.rollup} has no executor set")
        if self.executor >= len(executors.public_keys):
            raise PeerError(f"vote: rollup {self.statement.rollup} has no executor {self.executor}")
        message = compute_statement_signing_bytes(genesis.chain_id, self.statement)
        if not verifier(executors.public_keys[self.executor], message, self.signature):
            raise PeerError(f"vote: carries a wrong signature of executor {self.executor}")


@dataclass(frozen=True)
class ExecutorCertificate:
    """One statement signed by at least f_r + 1 executors: an item of the log. # A9"""

    statement: ExecutorStatement
    signers: tuple[int, ...]
    """Indices in the rollup's executor set, strictly ascending."""
    signatures: tuple[Signature, ...]
    """One per signer, in the same order."""

    @cached_property
    def item_bytes(self) -> bytes:
        """The item as a batch carries it: [kind, [statement without its kind, signers], signatures]."""
        body = (self.statement.to_fields(), encode_signers(self.signers))
        return encode((self.statement.KIND, body, self.signatures))


def make_certificate(votes: Iterable[ExecutorVote]) -> ExecutorCertificate:
    """Join votes of distinct executors on one statement; raises `LocalError` if they are of two, or none."""
    ordered = sorted(votes, key=lambda vote: vote.executor)
    if len({vote.statement.digest for vote in ordered}) != 1:
        raise LocalError("a certificate needs votes on one statement")
    signers, signatures = tuple(vote.executor for vote in ordered), tuple(vote.signature for vote in ordered)
    return ExecutorCertificate(ordered[0].statement, signers, signatures)


def compute_assumption(links: Iterable[Link], inputs: Iterable[Output]) -> Digest:
    """Return what a verdict rests on: how its direct ancestors came out, and values of other rollups. # A9 A15

    A link carries what its ancestor rested on in turn, so the digest binds everything behind it: an
    ancestor that committed with another value than was foreseen is another link. Both are sorted here.
    """
    return hash_tagged(Tag.ASSUMPTION, encode((tuple(sorted(links)), tuple(sorted(inputs)))))
