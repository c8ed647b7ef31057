"""The small network of `tests.execution_world` with a fourth rollup that three executors run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sequencer.crypto.signatures import Ed25519Signer, Verifier, verify_ed25519
from sequencer.types.bundle import Bundle, Leg, Operation, Reference
from sequencer.types.genesis import GenesisExecutor, Rollup, RollupKind
from sequencer.types.item import CheckedItem, SignedBundle, check_item
from sequencer.types.verdict import (
    ExecutorCertificate,
    ExecutorStatement,
    ExecutorVote,
    compute_statement_signing_bytes,
    make_certificate,
)
from tests.execution_world import ALICE, GENESIS, sign_token, verify_token

DELTA, EPSILON = 4, 5
"""Split rollups with the machine transfer; delta has three executors, epsilon one."""
EXECUTOR_SIGNERS = tuple(Ed25519Signer(bytes([number]) * 32) for number in range(50, 54))
"""Three of delta, then the one of epsilon."""
_EXECUTORS = tuple(GenesisExecutor(f"executor-{i}", signer.public_key) for i, signer in enumerate(EXECUTOR_SIGNERS))
SPLIT_GENESIS = replace(
    GENESIS,
    rollups=(
        *GENESIS.rollups,
        Rollup(DELTA, "delta", "transfer", RollupKind.SPLIT, GENESIS.rollups[0].state, _EXECUTORS[:3]),
        Rollup(EPSILON, "epsilon", "transfer", RollupKind.SPLIT, GENESIS.rollups[0].state, _EXECUTORS[3:]),
    ),
)


def sign_statement(statement: ExecutorStatement, signers: Sequence[int] = (0, 1)) -> ExecutorCertificate:
    """Return delta's certificate of a statement."""
    message = compute_statement_signing_bytes(SPLIT_GENESIS.chain_id, statement)
    return make_certificate(ExecutorVote(statement, i, EXECUTOR_SIGNERS[i].sign(message)) for i in signers)


def check(item: bytes, verifier: Verifier = verify_ed25519) -> CheckedItem:
    """Apply the stateless checks of the split network."""
    return check_item(item, SPLIT_GENESIS.item_rules, verifier)


def check_legs(*legs: Leg, decide_within: int = 0) -> CheckedItem:
    """Apply the stateless checks to a bundle of ALICE's with these legs."""
    bundle = Bundle(SPLIT_GENESIS.chain_id, ALICE, 0, 0, 0, 9, decide_within, (), legs)
    signatures = tuple(sign_token(signer, bundle.signing_bytes) for signer in bundle.signers)
    return check(SignedBundle(bundle, signatures).item_bytes, verify_token)


def burn(amount: int | Reference, asset: str = "USD") -> Operation:
    """Return a burn."""
    return Operation("burn", (asset, amount))


def mint(amount: int | Reference, asset: str = "USD") -> Operation:
    """Return a mint to ALICE."""
    return Operation("mint", (asset, ALICE, amount))
