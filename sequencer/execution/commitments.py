"""Compute the roots of a height and chain its commitment to the one before.

batch root      rollup table over one tree per namespace: every item, in order
pending root    undecided items by id
outcome root    items decided at this height, by id
exec root       one row per namespace: state, receipts, outbox; row 0 is the system state, that of
                a split rollup is the one which the log certified last
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sequencer.codec import encode
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.merkle import RootBuilder, compute_root
from sequencer.execution.decisions import Decided
from sequencer.execution.pending import PendingBundle
from sequencer.state.state_tree import StateTree
from sequencer.types.block import BlockHeader
from sequencer.types.commitment import Commitment
from sequencer.types.executed import ExecutionRow, NamespaceList
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem, SignedBundle, get_item_kind
from sequencer.types.leaves import encode_envelope_leaf, encode_namespace_row, encode_pending_leaf
from sequencer.types.message import Delivery
from sequencer.types.outcome import OutcomeLeaf
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height, RollupId

EMPTY_ROOT = compute_root(())


class BlockLeaves:
    """Collects the leaves of one block, item by item, hashing as it goes. # A2"""

    def __init__(self) -> None:
        self._namespaces: defaultdict[RollupId, list[bytes]] = defaultdict(list)
        self._roots: defaultdict[RollupId, RootBuilder] = defaultdict(RootBuilder)
        self._receipts: defaultdict[RollupId, RootBuilder] = defaultdict(RootBuilder)
        self._outcomes: list[OutcomeLeaf] = []

    def add(self, checked: CheckedItem, item_id: Digest) -> None:
        """Append the leaves of an ordered item; an inadmissible one is listed too."""
        self._append(SYSTEM_NAMESPACE, encode_envelope_leaf(get_item_kind(checked), item_id))
        if isinstance(checked, SignedBundle):
            for leg, leaf in zip(checked.bundle.legs, checked.bundle.leg_leaves, strict=True):
                self._append(leg.rollup, leaf)
        elif isinstance(checked, Delivery):
            for rollup, leaf in checked.leg_leaves:
                self._append(rollup, leaf)

    def _append(self, namespace: RollupId, leaf: bytes) -> None:
        self._namespaces[namespace].append(leaf)
        self._roots[namespace].append(leaf)

    def add_decided(self, decided: Decided) -> None:
        """Append outcome and receipts of an item that is decided in this block, wherever it was ordered."""
        item_id, _, _, status, reason, _, _ = decided.decision
        self._outcomes.append(OutcomeLeaf(item_id, status, reason))
        for index, leg in enumerate(decided.bundle.legs if decided.bundle is not None else ()):
            outputs = decided.get_outputs(index)
            leaf = encode((item_id, index, status, tuple(sorted(outputs.items()))))
            self._receipts[leg.rollup].append(leaf)

    def get_namespaces(self) -> tuple[NamespaceList, ...]:
        """Return the lists that have items, ascending by namespace."""
        return tuple(NamespaceList(namespace, tuple(leaves)) for namespace, leaves in sorted(self._namespaces.items()))

    def get_outcomes(self) -> tuple[OutcomeLeaf, ...]:
        """Return the outcomes, ascending by bundle id; a bundle is decided once, so ids are distinct."""
        return tuple(sorted(self._outcomes, key=lambda leaf: leaf.bundle_id))

    def compute_receipt_root(self, namespace: RollupId) -> Digest:
        """Return the root over [bundle id, leg index, status, outputs] of this rollup's decided legs."""
        return self._receipts[namespace].compute_root() if namespace in self._receipts else EMPTY_ROOT

    def compute_batch_root(self) -> Digest:
        """Return the root of the rollup table."""
        return compute_root(
            [
                encode_namespace_row(namespace, len(leaves), self._roots[namespace].compute_root())
                for namespace, leaves in sorted(self._namespaces.items())
            ]
        )


def compute_namespace_rows(namespaces: Iterable[NamespaceList]) -> tuple[bytes, ...]:
    """Return the rows of the rollup table, computed anew: the leaves of the batch root."""
    return tuple(encode_namespace_row(n.namespace, len(n.leaves), compute_root(n.leaves)) for n in namespaces)


def compute_pending_root(pending: Iterable[PendingBundle]) -> Digest:
    """Return the root over what is undecided, or decided with others resting on it; ascending by id."""
    leaves = sorted((entry.id, entry.leaf_deadline, entry.digest) for entry in pending)
    return compute_root([encode_pending_leaf(*leaf) for leaf in leaves]) if leaves else EMPTY_ROOT


def compute_outcome_root(outcomes: Sequence[OutcomeLeaf]) -> Digest:
    """Return the root over outcomes, which are ascending by bundle id."""
    return compute_root([leaf.to_bytes() for leaf in outcomes]) if outcomes else EMPTY_ROOT


def compute_exec_root(rows: Sequence[ExecutionRow]) -> Digest:
    """Return the root over rows, which are ascending by namespace."""
    return compute_root([row.to_bytes() for row in rows])


def make_row(
    namespace: RollupId, settled_height: Height, state: StateTree, leaves: BlockLeaves, outbox_root: Digest = EMPTY_ROOT
) -> ExecutionRow:
    """Return the row of a namespace that is executed here."""
    return ExecutionRow(namespace, settled_height, state.root, leaves.compute_receipt_root(namespace), outbox_root)


def make_commitment(
    genesis: Genesis,
    header: BlockHeader,
    parent: Digest,
    batch_root: Digest,
    pending: Iterable[PendingBundle],
    outcomes: Sequence[OutcomeLeaf],
    rows: Sequence[ExecutionRow],
) -> Commitment:
    """Return the commitment of `header`'s height."""
    return Commitment(
        chain_id=genesis.chain_id,
        epoch=header.epoch,
        height=header.height,
        block_digest=header.digest,
        time_ms=header.time_ms,
        parent=parent,
        validators_hash=genesis.committee.digest,
        batch_root=batch_root,
        pending_root=compute_pending_root(pending),
        outcome_root=compute_outcome_root(outcomes),
        exec_root=compute_exec_root(rows),
    )


def make_genesis_rows(states: Mapping[RollupId, StateTree]) -> tuple[ExecutionRow, ...]:
    """Return the rows of height 0 from the states of the system and of every rollup, split ones too."""
    return tuple(make_row(namespace, 0, state, BlockLeaves()) for namespace, state in sorted(states.items()))


def make_genesis_commitment(genesis: Genesis, rows: Sequence[ExecutionRow]) -> Commitment:
    """Return the commitment of height 0; its parent is the zero digest."""
    return make_commitment(genesis, genesis.header, ZERO_DIGEST, EMPTY_ROOT, (), (), rows)
