"""Remember who holds what of one lane, from HAVE messages. # L4 L5"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from sequencer.lanes.lane import Lane
from sequencer.types.committee import Committee
from sequencer.types.primitives import Digest, Position, Tip, ValidatorIndex

HEARD_PER_PEER_MAX = 4
"""Newest HAVE entries kept per lane and peer: a proposal may name a tip that the newest one has passed."""


class Holdings:
    """What the other validators said they hold of one lane."""

    def __init__(self, committee: Committee) -> None:
        self._committee = committee
        self._heard: dict[ValidatorIndex, deque[Tip]] = {}
        self._supported: tuple[int, Position] | None = None
        """Version of the lane for which it was computed, and the result; None since the last HAVE."""

    def note(self, peer: ValidatorIndex, tip: Tip) -> bool:
        """The peer said HAVE(tip), cumulative: it covers the chain below the tip. Tell whether that is new."""
        heard = self._heard.setdefault(peer, deque(maxlen=HEARD_PER_PEER_MAX))
        if tip in heard:
            return False
        heard.append(tip)
        self._supported = None
        return True

    @property
    def most_heard(self) -> int:
        """Return how many words of one peer are remembered at most."""
        return max(map(len, self._heard.values()), default=0)

    def forget(self, position: Position) -> None:
        """Forget tips at or below the finalized position; they say nothing any more."""
        for peer in sorted(self._heard):
            kept = [tip for tip in self._heard[peer] if tip.position > position]
            self._heard[peer] = deque(kept, maxlen=HEARD_PER_PEER_MAX)
        self._supported = None

    def get_supported_position(self, lane: Lane, own_index: ValidatorIndex | None) -> Position:
        """Return the highest position of the held chain that strong power holds too, or the floor's. # L5

        A HAVE for a descendant counts for its ancestors only where the chain between is held here.
        """
        if self._supported is None or self._supported[0] != lane.version:
            self._supported = (lane.version, self._compute_supported_position(lane, own_index))
        return self._supported[1]

    def _compute_supported_position(self, lane: Lane, own_index: ValidatorIndex | None) -> Position:
        power = 0 if own_index is None else self._committee.get_power((own_index,))
        strong = self._committee.total_power - self._committee.fault_power
        if power >= strong:
            return lane.top.position
        for position, peer in sorted(self._iterate_on_chain(lane), reverse=True):
            power += self._committee.get_power((peer,))
            if power >= strong:
                return position
        return lane.floor.position

    def is_weakly_held(self, lane: Lane, position: Position, digest: Digest) -> bool:
        """Tell whether weak power of others said HAVE for exactly this batch, or for a held descendant. # L5"""
        is_held = lane.is_on_chain(position, digest)
        holders = [
            peer
            for peer in sorted(self._heard)
            if any(
                tip == (position, digest) or (is_held and tip.position > position and lane.is_on_chain(*tip))
                for tip in self._heard[peer]
            )
        ]
        return self._committee.is_weak(holders)

    def find_holders(self, lane: Lane, position: Position) -> frozenset[ValidatorIndex]:
        """Return the peers that said HAVE for the held chain up to `position`. # V8"""
        return frozenset(peer for best, peer in self._iterate_on_chain(lane) if best >= position)

    def is_weakly_above(self, position: Position) -> bool:
        """Tell whether weak power of others said HAVE for anything above `position`."""
        holders = (peer for peer, heard in self._heard.items() if any(tip.position > position for tip in heard))
        return self._committee.is_weak(holders)

    def _iterate_on_chain(self, lane: Lane) -> Iterator[tuple[Position, ValidatorIndex]]:
        for peer, heard in self._heard.items():
            best = max((tip.position for tip in heard if lane.is_on_chain(*tip)), default=None)
            if best is not None:
                yield best, peer
