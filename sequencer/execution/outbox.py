"""Follow the outboxes of the rollups that this node runs, and prove what stands in them. # A19

A message stands in its source's state from the bundle that sent it to the delivery that takes effect, so every root in
between proves it. An outbox root is over those messages, ascending by id.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sequencer.codec import decode
from sequencer.crypto.merkle import ListTree, compute_root
from sequencer.execution.machines.access import OUTBOX_PREFIX
from sequencer.state.state_tree import StateTree
from sequencer.types.message import CrossMessage
from sequencer.types.primitives import Digest, RollupId, StateValue
from sequencer.types.receipt import MerklePath

PROVABLE_CHANGES = 256
"""Newest contents of each outbox against which messages can be proven here."""


class _Contents(NamedTuple):
    """What an outbox held while its root was `root`."""

    root: Digest
    ids: tuple[Digest, ...]
    """Ascending."""
    messages: tuple[bytes, ...]
    """In the order of their ids."""

    def find(self, message_id: Digest) -> int | None:
        """Return the index of a message, or None if it is not there."""
        index = bisect_left(self.ids, message_id)
        return index if index < len(self.ids) and self.ids[index] == message_id else None


class Outbox:
    """The messages of one rollup that are not delivered yet."""

    def __init__(self, messages: Iterable[tuple[Digest, bytes]]) -> None:
        """Begin with what the rollup's state holds."""
        self._messages = dict(messages)
        self._history: deque[_Contents] = deque(maxlen=PROVABLE_CHANGES)
        self._tree: tuple[Digest, ListTree] | None = None
        self._is_changed = False
        self._remember()

    @property
    def root(self) -> Digest:
        """The root as of the last closed height."""
        return self._history[-1].root

    @property
    def message_ids(self) -> tuple[Digest, ...]:
        """Ids of the messages, the oldest first as far as this process knows."""
        return tuple(self._messages)

    def put(self, message_id: Digest, message: bytes | None) -> None:
        """Add a message, or take it out."""
        if message is None:
            self._messages.pop(message_id, None)
        else:
            self._messages[message_id] = message
        self._is_changed = True

    def close(self) -> bool:
        """End a height; returns whether the root is a new one."""
        before = self.root
        if self._is_changed:
            self._is_changed = False
            self._remember()
        return self.root != before

    def _remember(self) -> None:
        ids = tuple(sorted(self._messages))
        messages = tuple([self._messages[message_id] for message_id in ids])
        self._history.append(_Contents(compute_root(messages), ids, messages))

    def prove(self, message_id: Digest, root: Digest) -> tuple[CrossMessage, MerklePath] | None:
        """Return the message with its path to `root`, delivered since or not; None if that root is not known here."""
        contents = next((entry for entry in reversed(self._history) if entry.root == root), None)
        index = None if contents is None else contents.find(message_id)
        if contents is None or index is None:
            return None
        if self._tree is None or self._tree[0] != root:
            self._tree = (root, ListTree(contents.messages))
        path = MerklePath(index, len(contents.messages), self._tree[1].get_path(index))
        return CrossMessage.from_value(decode(contents.messages[index], "message"), "message"), path


class OutboxBook:
    """One outbox per rollup that this node runs; says which roots are new at the end of a height."""

    def __init__(self, states: Mapping[RollupId, StateTree]) -> None:
        """Read the outboxes from whole states: once, when execution starts."""
        self._outboxes = {rollup: Outbox(_find_messages(state)) for rollup, state in sorted(states.items())}

    def apply_writes(self, rollup: RollupId, writes: Mapping[str, StateValue | None]) -> None:
        """Follow writes that take effect on the rollup."""
        for key, value in writes.items():
            if key.startswith(OUTBOX_PREFIX):
                self._outboxes[rollup].put(_read_id(key), value if isinstance(value, bytes) else None)

    def close_height(self) -> tuple[RollupId, ...]:
        """End a height; returns the rollups whose outbox root is a new one, ascending."""
        return tuple(rollup for rollup, outbox in self._outboxes.items() if outbox.close())

    def get_root(self, rollup: RollupId) -> Digest:
        """Return the root as of the last closed height."""
        return self._outboxes[rollup].root

    @property
    def message_ids(self) -> Mapping[RollupId, tuple[Digest, ...]]:
        """The messages that are not delivered yet, by source; sources without any are left out."""
        return {rollup: outbox.message_ids for rollup, outbox in self._outboxes.items() if outbox.message_ids}

    def prove(self, rollup: RollupId, message_id: Digest, root: Digest) -> tuple[CrossMessage, MerklePath] | None:
        """Return a message with its path to the rollup's outbox root, or None if it cannot be proven here."""
        outbox = self._outboxes.get(rollup)
        return None if outbox is None else outbox.prove(message_id, root)


def _find_messages(state: StateTree) -> Iterable[tuple[Digest, bytes]]:
    for key, value in state.get_entries():
        if key.startswith(OUTBOX_PREFIX) and isinstance(value, bytes):
            yield _read_id(key), value


def _read_id(key: str) -> Digest:
    return bytes.fromhex(key[len(OUTBOX_PREFIX) :])
