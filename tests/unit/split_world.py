"""A network with rollups that executors run: gamma by three, delta by one; alpha is native."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sequencer.simulation.tokens import TokenSigner
from sequencer.types.genesis import Genesis, GenesisExecutor, Rollup, RollupKind
from sequencer.types.primitives import Digest
from sequencer.types.verdict import (
    ExecutorStatement,
    ExecutorVote,
    Verdict,
    VerdictStatement,
    compute_assumption,
    compute_statement_signing_bytes,
)
from tests.unit.core_world import SCHEME_TOKENS, make_genesis, name_digest

ALPHA, GAMMA, DELTA = 1, 3, 4
EXECUTORS = {GAMMA: 3, DELTA: 1}
"""Split rollup → how many executors it has."""
ASSUMING_NOTHING = compute_assumption((), ())


def make_executor_signer(rollup: int, index: int) -> TokenSigner:
    """Return the key of an executor."""
    return SCHEME_TOKENS.make_signer(f"executor {rollup} {index}")


def make_executors(rollup: int) -> tuple[GenesisExecutor, ...]:
    """Return a rollup's executor set."""
    return tuple(
        GenesisExecutor(f"executor{rollup}-{index}", make_executor_signer(rollup, index).public_key)
        for index in range(EXECUTORS[rollup])
    )


def make_split_genesis() -> Genesis:
    """Return the network; all rollups have the machine key_value."""
    split = [
        Rollup(rollup, name, "key_value", RollupKind.SPLIT, (), make_executors(rollup))
        for rollup, name in ((GAMMA, "gamma"), (DELTA, "delta"))
    ]
    genesis = make_genesis()
    return replace(genesis, rollups=(*genesis.rollups, *split))


GENESIS = make_split_genesis()


def make_verdict(
    name: str,
    rollup: int = GAMMA,
    verdict: Verdict = Verdict.YES,
    assumption: Digest = ASSUMING_NOTHING,
) -> VerdictStatement:
    """Return a verdict on the bundle that `name` stands for."""
    reason = "" if verdict is Verdict.YES else "TOO_LOW@legs[0].conditions[0]"
    return VerdictStatement(rollup, name_digest(name), verdict, reason, (), assumption)


def sign_vote(statement: ExecutorStatement, index: int, genesis: Genesis = GENESIS) -> ExecutorVote:
    """Return what executor `index` of the statement's rollup says."""
    signer = make_executor_signer(statement.rollup, index)
    return ExecutorVote(statement, index, signer.sign(compute_statement_signing_bytes(genesis.chain_id, statement)))


def sign_votes(statement: ExecutorStatement, indices: Iterable[int], genesis: Genesis = GENESIS) -> list[ExecutorVote]:
    """Return what several executors say."""
    return [sign_vote(statement, index, genesis) for index in indices]
