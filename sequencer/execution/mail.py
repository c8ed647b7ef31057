"""Know which messages are under way from the rollups executed here, and prove them. # A19

Follows the writes of the block that is being executed; answers as of the newest finished one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sequencer.execution.deliveries import (
    ReadSystem,
    check_delivery,
    get_newest_root_height,
    get_outbox_root,
    make_inbox_key,
    record_outbox_root,
)
from sequencer.execution.outbox import OutboxBook
from sequencer.state.journal import Journal
from sequencer.state.state_tree import StateTree
from sequencer.types.message import Delivery
from sequencer.types.outcome import Rejection
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height, RollupId, StateValue


class Mail:
    """Outboxes and remembered roots, seen from one node."""

    def __init__(
        self,
        states: Mapping[RollupId, StateTree],
        is_split: Mapping[RollupId, bool],
        height: Height,
        read_system: ReadSystem,
    ) -> None:
        """`states` are those after `height`; `read_system` reads the newest finished system state."""
        rollups = {rollup: state for rollup, state in states.items() if rollup != SYSTEM_NAMESPACE}
        self._book = OutboxBook(rollups)
        self._is_split = is_split
        self._read = read_system
        self.height = height
        """Newest finished height."""

    # --- while a block is executed --------------------------------------------------------

    def apply_writes(self, namespace: RollupId, writes: Mapping[str, StateValue | None]) -> None:
        """Follow writes that take effect."""
        if namespace != SYSTEM_NAMESPACE:
            self._book.apply_writes(namespace, writes)

    def close_height(self, height: Height, system: Journal) -> None:
        """End a block: remember the outbox roots of native rollups that are new."""
        self.height = height
        for rollup in self._book.close_height():
            if not self._is_split[rollup]:
                record_outbox_root(system, rollup, height, self._book.get_root(rollup))

    def get_root(self, rollup: RollupId) -> Digest:
        """Return the outbox root of a rollup that is executed here, as of the last closed height."""
        return self._book.get_root(rollup)

    # --- as of the newest finished block --------------------------------------------------

    def get_undelivered(self) -> Mapping[RollupId, Sequence[Digest]]:
        """Return the ids of messages that no delivery brings yet, by source, the oldest first as far as is known here.

        A delivery that waits for its balance is not brought again, though its message still stands in the outbox.
        """
        found = {
            source: [one for one in ids if self._is_awaited(one)] for source, ids in self._book.message_ids.items()
        }
        return {source: ids for source, ids in found.items() if ids}

    def _is_awaited(self, message_id: Digest) -> bool:
        return self._read(make_inbox_key(message_id)) is None

    def prove_message(self, source: RollupId, message_id: Digest) -> Delivery | None:
        """Return the delivery by the newest remembered root; None if that does not prove it, or it was taken in."""
        if not self._is_awaited(message_id):
            return None
        height = get_newest_root_height(self._read, source)
        root = None if height is None else get_outbox_root(self._read, source, height)
        if height is None or root is None:
            return None
        return self.prove_under(source, message_id, height, root)

    def prove_under(self, source: RollupId, message_id: Digest, height: Height, root: Digest) -> Delivery | None:
        """Return the delivery by the outbox root of a height; None if the root or the message is not known here."""
        proven = self._book.prove(source, message_id, root)
        return None if proven is None else Delivery(proven[0], height, proven[1])

    def check_delivery(self, delivery: Delivery) -> Rejection | None:
        """Return why the delivery would have no effect as the next item, or None."""
        return check_delivery(self._read, delivery)
