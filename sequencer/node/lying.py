"""Make up what a lying executor says: of every statement that it would sign, the opposite. For devnets only. # A9 A12

With at most f_r such executors among a rollup's set no lie is ever certified: outcomes are as without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sequencer.replica.configuration import ExecutorIdentity
from sequencer.types.primitives import Digest
from sequencer.types.verdict import (
    ExecutorStatement,
    ExecutorVote,
    RootStatement,
    Verdict,
    VerdictStatement,
    compute_statement_signing_bytes,
)

MADE_UP_REASON = "FALSE@legs[0].conditions[0]"
"""Of a NO to what the executor found to be true."""


def make_lies(chain_id: Digest, identity: ExecutorIdentity, votes: Sequence[ExecutorVote]) -> tuple[ExecutorVote, ...]:
    """Return a vote for the opposite of each statement, properly signed."""
    return tuple(_sign(chain_id, identity, turn_around(vote.statement)) for vote in votes)


def turn_around(statement: ExecutorStatement) -> ExecutorStatement:
    """Return YES for NO, NO for YES, another state for a root, and a height that is not yet for a beat."""
    if isinstance(statement, VerdictStatement):
        if statement.verdict is Verdict.YES:
            return replace(statement, verdict=Verdict.NO, reason=MADE_UP_REASON, outputs=())
        return replace(statement, verdict=Verdict.YES, reason="")
    if isinstance(statement, RootStatement):
        return replace(statement, state_root=bytes(byte ^ 0xFF for byte in statement.state_root))
    return replace(statement, height=statement.height + 1_000)


def _sign(chain_id: Digest, identity: ExecutorIdentity, statement: ExecutorStatement) -> ExecutorVote:
    signature = identity.signer.sign(compute_statement_signing_bytes(chain_id, statement))
    return ExecutorVote(statement, identity.index, signature)
