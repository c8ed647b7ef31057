"""Follow messages from outbox to inbox. # A19"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sequencer.codec import U64_MAX
from sequencer.simulation.reference.legs import Rollups
from sequencer.simulation.reference.machine import OUTBOX, State
from sequencer.types.bundle import Bundle
from sequencer.types.message import CrossMessage, Delivery
from sequencer.types.primitives import Digest, Height, RollupId, StateValue
from sequencer.types.receipt import MerklePath

ROOTS_MAX = 256
"""Roots of a source that a delivery may be proven by, one per height modulo this."""
IN_FLIGHT_MAX = 1_024
"""Messages of a source that are not delivered, and sends of its undecided bundles."""


class Mail:
    """What the log alone says of messages."""

    def __init__(self, rollups: Rollups) -> None:
        self._rollups = rollups
        self.delivered: set[Digest] = set()
        self.in_flight: Counter[RollupId] = Counter()
        self.roots: dict[tuple[RollupId, int], tuple[Height, Digest]] = {}
        """By source and height modulo `ROOTS_MAX`."""
        self._newest: dict[RollupId, Digest | None] = {}

    def refuse_full(self, bundle: Bundle) -> str:
        """Return why the bundle may not send so many messages, or nothing."""
        sends = count_sends(bundle)
        full = any(self.in_flight[rollup] + count > IN_FLIGHT_MAX for rollup, count in sends.items())
        return "OUTBOX_FULL" if full else ""

    def reserve(self, bundle: Bundle) -> None:
        """Count what the bundle will send if it commits."""
        self.in_flight.update(count_sends(bundle))

    def release(self, bundle: Bundle) -> None:
        """Forget what an aborted bundle would have sent."""
        self.in_flight.subtract(count_sends(bundle))

    def refuse(self, delivery: Delivery) -> str:
        """Return why the delivery is inadmissible, or nothing."""
        if delivery.message.id in self.delivered:
            return "DELIVERED"
        source = delivery.message.source
        known = self.roots.get((source, delivery.height % ROOTS_MAX))
        if known is None or known != (delivery.height, delivery.path.compute_root(delivery.message.to_bytes())):
            return "NO_PROOF"
        return ""

    def take(self, message: CrossMessage) -> None:
        """Note that the message has arrived."""
        self.delivered.add(message.id)
        self.in_flight[message.source] -= 1

    def move(self, message: CrossMessage, destination: State) -> dict[RollupId, dict[str, StateValue]]:
        """Return what a delivery writes: away from the source's outbox, onto the receiver's balance."""
        key = f"balance/{message.asset}/{message.to.hex()}"
        balance = destination.get(key, 0)
        assert isinstance(balance, int)
        return {
            message.source: {OUTBOX + message.id.hex(): 0},
            message.destination: {key: min(balance + message.amount, U64_MAX)},
        }

    def record(self, rollup: RollupId, height: Height, root: Digest) -> None:
        """Remember a root that a delivery may be proven by."""
        self.roots[rollup, height % ROOTS_MAX] = (height, root)

    def close(self, height: Height, states: Mapping[RollupId, State]) -> None:
        """Note the outbox roots of native rollups that have changed in this block."""
        for rollup, state in states.items():
            if rollup not in self._rollups.split:
                root = compute_outbox_root(state)
                if root is not None and root != self._newest.get(rollup):
                    self.record(rollup, height, root)
                self._newest[rollup] = root


def count_sends(bundle: Bundle) -> Counter[RollupId]:
    """Return how many messages the bundle sends from each rollup."""
    return Counter(leg.rollup for leg in bundle.legs for operation in leg.operations if operation.name == "send")


def get_outbox(state: State) -> tuple[bytes, ...]:
    """Return the messages that wait in a state, ascending by id."""
    waiting = sorted(key for key in state if key.startswith(OUTBOX))
    return tuple(bytes(state[key]) for key in waiting if state[key])


def compute_outbox_root(state: State) -> Digest | None:
    """Return the root over the waiting messages; None if there are none, for then it proves nothing."""
    outbox = get_outbox(state)
    return MerklePath.build(outbox, 0).compute_root(outbox[0]) if outbox else None
