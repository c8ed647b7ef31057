"""Write the executor's whole state as bytes, and believe such bytes only as far as they hash. # R1

A snapshot holds the digest of its newest commitment, the newest 1,024 commitments with their outcomes
(deps look back so far), every namespace's row with the entries of those that all nodes execute, and what is
undecided. What is read must be a linked chain up to that digest, each outcome root must come out of its
outcomes, the last exec root out of the rows and entries, and the last pending root out of what is
undecided: then nothing in it was changed.

The states of split rollups that the node itself executes come last: no root of the log covers them, so they
are believed only by the node that wrote them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sequencer.codec import ARRAY_LENGTH_MAX, U32_MAX, Fields, decode, encode, read_digest
from sequencer.errors import DecodeError, StoreError
from sequencer.execution.commitments import compute_exec_root, compute_outcome_root, compute_pending_root
from sequencer.execution.outcome_window import DEPENDENCY_HEIGHTS, DecidedHeight
from sequencer.execution.pending import PendingBundle
from sequencer.state.state_tree import StateTree, build_tree
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import read_key, read_state_value
from sequencer.types.commitment import Commitment
from sequencer.types.executed import ExecutionRow
from sequencer.types.genesis import Genesis, RollupKind
from sequencer.types.outcome import OutcomeLeaf
from sequencer.types.primitives import RollupId, StateValue

SNAPSHOT_FORMAT = "ssq-snapshot-2"
CHUNK_LENGTH = 4_096
"""Elements per array; lists longer than the codec's bound are split."""
NAMESPACES_MAX = 257
"""256 rollups and the system."""


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """One namespace: its row under the exec root, and its whole state."""

    row: ExecutionRow
    state: StateTree | None
    """None for a split rollup, whose row may be older than what is settled."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an executor continues from."""

    decided: tuple[DecidedHeight, ...]
    """The newest heights, consecutive, at most 1,024."""
    namespaces: tuple[SnapshotRow, ...]
    """Ascending by namespace."""
    pending: tuple[PendingBundle, ...] = ()
    """In log order."""
    own_states: tuple[tuple[RollupId, StateTree], ...] = ()
    """Of split rollups that the writing node executes, ascending."""

    def to_bytes(self) -> bytes:
        """Return the canonical bytes; entries are in the order of their tree."""
        decided = tuple(
            (height.commitment.to_value(), _split([_outcome_to_value(leaf) for leaf in height.outcomes]))
            for height in self.decided
        )
        namespaces = tuple(_row_to_value(namespace) for namespace in self.namespaces)
        pending = _split([entry.to_value() for entry in self.pending])
        own_states = tuple((rollup, state.root, _state_to_value(state)) for rollup, state in self.own_states)
        digest = self.decided[-1].commitment.digest
        return encode((SNAPSHOT_FORMAT, digest, decided, namespaces, pending, own_states))

    @classmethod
    def from_bytes(cls, data: bytes) -> Snapshot:
        """Read a snapshot, computing every root anew; raises `DecodeError` naming the field."""
        read = Fields(decode(data, "snapshot"), "snapshot")
        if read.text("format", 32) != SNAPSHOT_FORMAT:
            raise DecodeError("snapshot.format", f"must be {SNAPSHOT_FORMAT!r}")
        digest = read.digest("commitment_digest")
        snapshot = cls(
            read.array("decided", DEPENDENCY_HEIGHTS, _read_decided, 1),
            read.array("namespaces", NAMESPACES_MAX, _read_row, 1),
            tuple(entry for chunk in read.array("pending", ARRAY_LENGTH_MAX, _read_pending) for entry in chunk),
            read.array("own_states", NAMESPACES_MAX, _read_own_state),
        )
        read.finish()
        if snapshot.decided[-1].commitment.digest != digest:
            raise DecodeError("snapshot.commitment_digest", "is not that of the newest commitment")
        return snapshot


def read_snapshot(data: bytes, header: BlockHeader, genesis: Genesis) -> Snapshot:
    """Read the state after `header`; raises `StoreError` if the bytes do not hash to what they claim."""
    try:
        snapshot = Snapshot.from_bytes(data)
    except DecodeError as error:
        raise StoreError(f"snapshot of height {header.height}: {error}") from None
    problem = _find_problem(snapshot, header, genesis)
    if problem is not None:
        raise StoreError(f"snapshot of height {header.height}: {problem}")
    return snapshot


def _find_problem(snapshot: Snapshot, header: BlockHeader, genesis: Genesis) -> str | None:
    commitments = [decided.commitment for decided in snapshot.decided]
    newest = commitments[-1]
    if (newest.chain_id, newest.height, newest.block_digest) != (genesis.chain_id, header.height, header.digest):
        return "is of another block"
    if len(commitments) != min(header.height + 1, DEPENDENCY_HEIGHTS):
        return f"holds {len(commitments)} commitments"
    if any(child.parent != parent.digest for parent, child in pairwise(commitments)):
        return "has a gap between its commitments"
    if any(compute_outcome_root(decided.outcomes) != decided.commitment.outcome_root for decided in snapshot.decided):
        return "has outcomes that are not under their root"
    if compute_exec_root([namespace.row for namespace in snapshot.namespaces]) != newest.exec_root:
        return "has a state that is not under its root"
    if compute_pending_root(snapshot.pending) != newest.pending_root:
        return "has open bundles that are not under their root"
    if any(earlier.position >= later.position for earlier, later in pairwise(snapshot.pending)):
        return "has open bundles that are not in log order"
    if _list_bare(snapshot) != [rollup.id for rollup in genesis.rollups if rollup.kind is RollupKind.SPLIT]:
        return "has not the state of every native rollup, and of these alone"
    return None


def _list_bare(snapshot: Snapshot) -> list[RollupId]:
    """Return the namespaces that come without their state."""
    return [namespace.row.namespace for namespace in snapshot.namespaces if namespace.state is None]


def _split(elements: Sequence[object]) -> tuple[tuple[object, ...], ...]:
    return tuple(tuple(elements[i : i + CHUNK_LENGTH]) for i in range(0, len(elements), CHUNK_LENGTH))


def _outcome_to_value(leaf: OutcomeLeaf) -> tuple[object, ...]:
    return (leaf.bundle_id, leaf.status, leaf.reason)


def _row_to_value(namespace: SnapshotRow) -> tuple[object, ...]:
    """The state root follows from the entries; where there are none it stands in their place."""
    row, state = namespace.row, namespace.state
    content = row.state_root if state is None else _state_to_value(state)
    return (row.namespace, row.settled_height, row.receipt_root, row.outbox_root, content)


def _state_to_value(state: StateTree) -> tuple[object, ...]:
    return _split(list(state.get_entries()))


def _read_decided(value: object, path: str) -> DecidedHeight:
    read = Fields(value, path)
    commitment = Commitment.from_value(read.take("commitment"), f"{path}.commitment")
    chunks = read.array("outcomes", ARRAY_LENGTH_MAX, _read_outcomes)
    read.finish()
    return DecidedHeight(commitment, tuple(leaf for chunk in chunks for leaf in chunk))


def _read_outcomes(value: object, path: str) -> tuple[OutcomeLeaf, ...]:
    return Fields((value,), path).array("chunk", CHUNK_LENGTH, OutcomeLeaf.from_value, 1)


def _read_pending(value: object, path: str) -> tuple[PendingBundle, ...]:
    return Fields((value,), path).array("chunk", CHUNK_LENGTH, PendingBundle.from_value, 1)


def _read_row(value: object, path: str) -> SnapshotRow:
    read = Fields(value, path)
    namespace, height = read.uint("namespace", U32_MAX), read.uint("settled_height")
    receipt_root, outbox_root = read.digest("receipt_root"), read.digest("outbox_root")
    content = read.take("state")
    read.finish()
    if isinstance(content, bytes):
        root = read_digest(content, f"{path}.state")
        return SnapshotRow(ExecutionRow(namespace, height, root, receipt_root, outbox_root), None)
    state = _read_state(content, f"{path}.state")
    return SnapshotRow(ExecutionRow(namespace, height, state.root, receipt_root, outbox_root), state)


def _read_own_state(value: object, path: str) -> tuple[RollupId, StateTree]:
    """Read a state with its root, which tells damage; whoever wrote both is believed."""
    read = Fields(value, path)
    rollup, root, content = read.uint("rollup", U32_MAX), read.digest("root"), read.take("state")
    read.finish()
    state = _read_state(content, f"{path}.state")
    if state.root != root:
        raise DecodeError(f"{path}.root", "is not that of the entries")
    return rollup, state


def _read_state(value: object, path: str) -> StateTree:
    chunks = Fields((value,), path).array("entries", ARRAY_LENGTH_MAX, _read_entries)
    return build_tree(entry for chunk in chunks for entry in chunk)


def _read_entries(value: object, path: str) -> tuple[tuple[str, StateValue], ...]:
    return Fields((value,), path).array("chunk", CHUNK_LENGTH, _read_entry, 1)


def _read_entry(value: object, path: str) -> tuple[str, StateValue]:
    read = Fields(value, path)
    entry = (read_key(read.take("key"), f"{path}.key"), read_state_value(read.take("value"), f"{path}.value"))
    read.finish()
    return entry
