"""Keep the newest executed heights and prove what their keys held; versions share their unchanged parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from pyrsistent import PMap

from sequencer.errors import DecodeError, LocalError
from sequencer.execution.pending import PendingBundle
from sequencer.state.claim import StateClaim
from sequencer.state.proof import prove
from sequencer.state.state_tree import StateTree
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import read_key
from sequencer.types.commitment import Commitment
from sequencer.types.executed import ExecutionRow
from sequencer.types.outcome import Status
from sequencer.types.primitives import Digest, Height, RollupId, StateValue
from sequencer.types.receipt import MerklePath

PROOF_HEIGHTS = 256
"""Newest heights for which proofs can be made; older versions are dropped."""


@dataclass(frozen=True)
class Version:
    """One executed height: what proofs are made from."""

    header: BlockHeader
    commitment: Commitment
    rows: tuple[ExecutionRow, ...]
    states: PMap[RollupId, StateTree]
    """Namespace → state; 0 is the system. Only of rollups that are executed here."""
    pending: tuple[PendingBundle, ...]
    """What is not settled, in log order; of past versions as much as tells what was settled."""
    own_rows: Mapping[RollupId, ExecutionRow]
    """Of split rollups that are executed here: what their executors may certify. # A11"""

    @cached_property
    def pending_by_id(self) -> Mapping[Digest, PendingBundle]:
        """What is not settled, by id."""
        return {entry.id: entry for entry in self.pending}

    def get_settled_height(self, namespace: RollupId) -> Height:
        """Return the highest height at or below which no item of the rollup is undecided. # A11"""
        heights = [entry.height - 1 for entry in self.pending if entry.is_undecided_on(namespace)]
        return min(heights, default=self.header.height)

    def make_past(self) -> Version:
        """Return the version as it is kept below a newer one: with the oldest undecided item of each rollup only."""
        oldest: dict[RollupId, PendingBundle] = {}
        for entry in self.pending:
            if entry.status is Status.PENDING:
                for place in entry.places:
                    oldest.setdefault(place.rollup, entry)
        return replace(self, pending=tuple({entry.id: entry for entry in oldest.values()}.values()))

    def get_state(self, namespace: RollupId) -> StateTree:
        """Return a namespace's state; raises `LocalError` if there is none."""
        state = self.states.get(namespace)
        if state is None:
            raise LocalError(f"rollup {namespace} is not executed here")
        return state

    def get_committed_row(self, namespace: RollupId) -> ExecutionRow:
        """Return the row under the exec root; of a split rollup it is the one that was certified last."""
        return next(row for row in self.rows if row.namespace == namespace)


class StateReading(NamedTuple):
    """What a key held after a height."""

    height: Height
    settled_height: Height
    """Highest height at or below which nothing of the rollup was undecided after `height`. # A11"""
    value: StateValue | None
    """None: absent."""


class StateListing(NamedTuple):
    """Every key below a prefix and what it held after a height."""

    height: Height
    settled_height: Height
    entries: tuple[tuple[str, StateValue], ...]
    """Ascending by key."""


class VersionHistory:
    """Consecutive executed heights, the newest 256."""

    def __init__(self, oldest: Version) -> None:
        self._versions = deque([oldest], PROOF_HEIGHTS)

    @property
    def newest(self) -> Version:
        """The version that queries read."""
        return self._versions[-1]

    def append(self, version: Version) -> None:
        """Add the next height; the oldest goes when there are more than 256."""
        if self.newest.pending:
            self._versions[-1] = self.newest.make_past()
        self._versions.append(version)

    def get(self, height: Height) -> Version:
        """Return the version of `height`; raises `LocalError` if it is not held."""
        oldest, newest = self._versions[0].header.height, self.newest.header.height
        if not oldest <= height <= newest:
            raise LocalError(f"height {height} is not among those that can be proven, {oldest}..{newest}")
        return self._versions[height - oldest]

    def iterate_back(self, height_max: Height) -> Iterator[Version]:
        """Yield the versions that are held up to a height, the newest first."""
        return (version for version in reversed(self._versions) if version.header.height <= height_max)

    def read(self, height: Height, namespace: RollupId, key: str) -> StateReading:
        """Return what the key held after `height`; raises `LocalError` if height or namespace cannot be."""
        version = self.get(height)
        value = version.get_state(namespace).get(key)
        return StateReading(height, version.get_settled_height(namespace), value)

    def list_entries(self, height: Height, namespace: RollupId, prefix: str) -> StateListing:
        """Return all keys that begin with `prefix`, in time that grows with the whole state; raises as `read`."""
        version = self.get(height)
        entries = sorted(entry for entry in version.get_state(namespace).get_entries() if entry[0].startswith(prefix))
        return StateListing(height, version.get_settled_height(namespace), tuple(entries))

    def prove(self, height: Height, namespace: RollupId, key: str) -> bytes:
        """Return the claim of what the key held; raises `LocalError` if height, namespace or key cannot be.

        Of a split rollup it is about the state that its executors certified last by `height`.
        """
        try:
            read_key(key, "key")
        except DecodeError as error:
            raise LocalError(str(error)) from None
        version = self.get(height)
        row = version.get_committed_row(namespace)
        tree = prove(self._find_state(version, row), key)
        path = MerklePath.build(tuple(other.to_bytes() for other in version.rows), version.rows.index(row))
        roots = (row.settled_height, row.receipt_root, row.outbox_root)
        return StateClaim(namespace, key, tree.get_value(key), tree, *roots, path).to_bytes()

    def _find_state(self, version: Version, row: ExecutionRow) -> StateTree:
        """Return the state that the row commits to: of the height itself, or of an earlier one if it is split. # A11"""
        if version.get_state(row.namespace).root == row.state_root:
            return version.get_state(row.namespace)
        for held in self.iterate_back(version.header.height):
            state = held.states.get(row.namespace)
            if state is not None and state.root == row.state_root:
                return state
        raise LocalError(
            f"what the executors of rollup {row.namespace} certified last is older than {PROOF_HEIGHTS} heights"
        )
