"""A network with rollups that executors run: gamma by three, delta by one; alpha is native."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sequencer.execution.executor import Executor
from sequencer.simulation.tokens import TokenSigner
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import AccessMode, Bundle, Condition, Leg, Operation
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis, GenesisExecutor, Rollup, RollupKind
from sequencer.types.item import CheckedItem, SignedBundle, check_item
from sequencer.types.primitives import Digest, RollupId
from sequencer.types.verdict import (
    ExecutorStatement,
    ExecutorVote,
    Verdict,
    VerdictStatement,
    compute_assumption,
    compute_statement_signing_bytes,
    make_certificate,
)
from tests.unit.core_world import SCHEME_TOKENS, VERIFY, make_genesis, make_payer, name_digest

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


def make_leg(rollup: RollupId, *operations: Operation, conditions: tuple[Condition, ...] = ()) -> Leg:
    """Return a leg of payer 0 that declares the keys of its operations for writing, those of its conditions to read."""
    access = {str(getattr(condition, "key", "kv/none")): AccessMode.READ for condition in conditions}
    access.update({str(operation.arguments[0]): AccessMode.WRITE for operation in operations})
    return Leg(rollup, make_payer(0), conditions, operations, tuple(sorted(access.items())))


def put(rollup: RollupId, key: str, *conditions: Condition) -> Leg:
    """Return a leg that sets a key if its conditions hold."""
    return make_leg(rollup, Operation("set", (f"kv/{key}", 1)), conditions=conditions)


class Chain:
    """Blocks of bundles of one payer, executed by any number of nodes."""

    def __init__(self, *nodes: Executor, genesis: Genesis = GENESIS) -> None:
        self.genesis = genesis
        self.nodes = nodes
        self._sequence = 0
        self.items: list[CheckedItem] = []
        """Of the newest block."""

    def sign(self, *legs: Leg, decide_within: int = 8, deps: tuple[Digest, ...] = ()) -> SignedBundle:
        """Return the payer's next bundle."""
        signer = SCHEME_TOKENS.make_signer("payer 0")
        within = decide_within if any(leg.rollup in EXECUTORS for leg in legs) else 0
        bundle = Bundle(self.genesis.chain_id, signer.public_key, 0, self._sequence, 0, 2**40, within, deps, legs)
        self._sequence += 1
        return SignedBundle(bundle, (signer.sign(bundle.signing_bytes),))

    def add(self, *items: bytes, step_ms: int = 40) -> ExecutedBlock:
        """Execute one block at every node; return what it gave at the first."""
        checked = [(item, check_item(item, self.genesis.item_rules, VERIFY)) for item in items]
        self.items = [item for _, item in checked]
        header = make_child(self.nodes[0].header, step_ms)
        blocks = []
        for node in self.nodes:
            node.begin(header, checked)
            while not node.step(max(1, len(checked))):
                pass
            blocks.append(node.finish())
        return blocks[0]

    def order(self, *bundles: SignedBundle) -> ExecutedBlock:
        """Execute a block of bundles."""
        return self.add(*[bundle.item_bytes for bundle in bundles])

    def certify(self, *statements: ExecutorStatement) -> ExecutedBlock:
        """Execute a block of certificates, each signed by just enough executors."""
        thresholds = [self.genesis.item_rules.executor_sets[statement.rollup].threshold for statement in statements]
        votes = [sign_votes(s, range(count), self.genesis) for s, count in zip(statements, thresholds, strict=True)]
        return self.add(*[make_certificate(signed).item_bytes for signed in votes])


def make_child(parent: BlockHeader, step_ms: int) -> BlockHeader:
    """Return a header that follows `parent`."""
    time_ms = parent.time_ms + step_ms
    return BlockHeader(
        parent.epoch, parent.view + 1, parent.height + 1, parent.view, parent.digest, time_ms, 0, parent.cut
    )
