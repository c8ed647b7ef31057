"""Deliver messages exactly once, by roots that every node remembers alike. # A19

All of it is in the system state, so that it is a function of the log and part of every snapshot:

outbox_root/<rollup>/<height mod 256>   height (8 bytes) ‖ outbox root of that rollup at that height
outbox_root/<rollup>                    the newest height recorded
inbox/<hex message id>                  the height of the delivery, for ever
in_flight/<rollup>                      messages that its bundles may have sent and that are not delivered
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeAlias

from sequencer.codec import U64_MAX
from sequencer.crypto.merkle import compute_root
from sequencer.execution.machines.access import make_outbox_key
from sequencer.execution.machines.sending import SEND
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.state.journal import Journal
from sequencer.types.bundle import Bundle
from sequencer.types.message import CrossMessage, Delivery
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import Digest, Height, RollupId, StateValue

ROOTS_REMEMBERED = 256
"""Outbox roots remembered per rollup; a newer one takes the place of the one 256·n heights before."""
IN_FLIGHT_MAX = 1_024
"""Messages of one source that may be in flight; bundles that might send more are OUTBOX_FULL."""
EMPTY_OUTBOX_ROOT = compute_root(())
NO_SENDS: Mapping[RollupId, int] = {}

ReadSystem: TypeAlias = Callable[[str], StateValue | None]
"""Read a key of the system state."""


def make_inbox_key(message_id: Digest) -> str:
    """Return inbox/<hex id>."""
    return f"inbox/{message_id.hex()}"


def make_newest_root_key(rollup: RollupId) -> str:
    """Return the key of the newest recorded height."""
    return f"outbox_root/{rollup}"


def make_root_key(rollup: RollupId, height: Height) -> str:
    """Return the key of the slot in which a root of `height` stands."""
    return f"outbox_root/{rollup}/{height % ROOTS_REMEMBERED}"


def record_outbox_root(system: Journal, rollup: RollupId, height: Height, root: Digest) -> None:
    """Remember a root by which messages can be delivered; an empty outbox proves none and is not remembered."""
    if root == EMPTY_OUTBOX_ROOT:
        return
    system.set(make_root_key(rollup, height), height.to_bytes(8, "big") + root)
    system.set(make_newest_root_key(rollup), height)


def get_outbox_root(read: ReadSystem, rollup: RollupId, height: Height) -> Digest | None:
    """Return the rollup's outbox root at `height`, or None if it is not remembered."""
    recorded = read(make_root_key(rollup, height))
    if not isinstance(recorded, bytes) or recorded[:8] != height.to_bytes(8, "big"):
        return None
    return recorded[8:]


def get_newest_root_height(read: ReadSystem, rollup: RollupId) -> Height | None:
    """Return the newest height whose outbox root is remembered, or None if none ever was."""
    height = read(make_newest_root_key(rollup))
    return height if isinstance(height, int) else None


def check_delivery(read: ReadSystem, delivery: Delivery) -> Rejection | None:
    """Return why the delivery has no effect, or None. # A19"""
    message = delivery.message
    if read(make_inbox_key(message.id)) is not None:
        return Rejection(Reason.DELIVERED, "item.body.message", "was delivered before")
    root = get_outbox_root(read, message.source, delivery.height)
    if root is None:
        detail = f"no outbox root of rollup {message.source} at height {delivery.height} is remembered"
        return Rejection(Reason.NO_PROOF, "item.body.height", detail)
    if delivery.path.compute_root(message.to_bytes()) != root:
        return Rejection(Reason.NO_PROOF, "item.body.path", "does not lead to the outbox root")
    return None


def take_in(system: Journal, message: CrossMessage, height: Height) -> None:
    """Note, for good, that the message was delivered at this position."""
    system.set(make_inbox_key(message.id), height)
    _change_in_flight(system, message.source, -1)


def apply_delivery(journals: Mapping[RollupId, Journal], message: CrossMessage) -> None:
    """Take the message out of its source's outbox and credit it, where these rollups are run; cannot fail.

    Balances stay below 2^64 because the genesis gave no more. Only executors of the source that lied, more than f of
    them, could send more: then the balance stays at the largest amount.
    """
    source, destination = journals.get(message.source), journals.get(message.destination)
    if source is not None:
        source.set(make_outbox_key(message.id), None)
    if destination is not None:
        key = make_credit_key(message)
        before = destination.get(key)
        destination.set(key, min((before if isinstance(before, int) else 0) + message.amount, U64_MAX))


def make_credit_key(message: CrossMessage) -> str:
    """Return the key of the destination that a delivery writes: its whole access set."""
    return make_balance_key(message.asset, message.to)


def count_sends(bundle: Bundle) -> Mapping[RollupId, int]:
    """Return how many messages a bundle sends from each rollup if it commits: one per `send`."""
    if not any(operation.name == SEND for leg in bundle.legs for operation in leg.operations):
        return NO_SENDS
    return Counter([leg.rollup for leg in bundle.legs for operation in leg.operations if operation.name == SEND])


def check_sends(read: ReadSystem, sends: Mapping[RollupId, int]) -> Rejection | None:
    """Return why a bundle that may send so much is not taken in, or None."""
    for rollup, count in sorted(sends.items()):
        in_flight = _get_in_flight(read, rollup)
        if in_flight + count > IN_FLIGHT_MAX:
            detail = f"rollup {rollup} has {in_flight} messages in flight, at most {IN_FLIGHT_MAX} are allowed"
            return Rejection(Reason.OUTBOX_FULL, "item.body.legs", detail)
    return None


def reserve_sends(system: Journal, sends: Mapping[RollupId, int]) -> None:
    """A bundle committed, or may: count what it sends as in flight."""
    for rollup, count in sorted(sends.items()):
        _change_in_flight(system, rollup, count)


def release_sends(system: Journal, sends: Mapping[RollupId, int]) -> None:
    """A bundle aborted after all: what was reserved for it is not sent."""
    for rollup, count in sorted(sends.items()):
        _change_in_flight(system, rollup, -count)


def make_in_flight_key(rollup: RollupId) -> str:
    """Return the key of the count of messages in flight."""
    return f"in_flight/{rollup}"


def _get_in_flight(read: ReadSystem, rollup: RollupId) -> int:
    value = read(make_in_flight_key(rollup))
    return value if isinstance(value, int) else 0


def _change_in_flight(system: Journal, rollup: RollupId, change: int) -> None:
    """Count up or down; not below 0, where only lying executors could bring it."""
    system.set(make_in_flight_key(rollup), max(_get_in_flight(system.get, rollup) + change, 0))
