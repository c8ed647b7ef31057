"""Remember what became of transactions that left this mempool without having been ordered. # A18

Kept in memory only, for the newest: whoever asks later learns from the log what took their place.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import NamedTuple

from sequencer.types.primitives import Digest, Height

DEPARTURES_MAX = 8_192
"""Departures remembered; the oldest is forgotten first."""


class Fate(enum.Enum):
    """Why a transaction left."""

    REPLACED = "replaced"
    """Another one of the same payer, channel and sequence took its place."""
    EXPIRED = "expired"
    """Its window passed."""


class Departure(NamedTuple):
    """How and when a transaction left."""

    fate: Fate
    height: Height
    """Newest executed height then."""
    replaced_by: Digest | None
    """What took its place."""


class Departures:
    """The newest departures by bundle id."""

    def __init__(self) -> None:
        self._departures: OrderedDict[Digest, Departure] = OrderedDict()

    def add(self, bundle_id: Digest, departure: Departure) -> None:
        """Remember it; a later one takes over."""
        self._departures.pop(bundle_id, None)
        self._departures[bundle_id] = departure
        if len(self._departures) > DEPARTURES_MAX:
            self._departures.popitem(last=False)

    def get(self, bundle_id: Digest) -> Departure | None:
        """Return it; None for what never left like that, or is forgotten."""
        return self._departures.get(bundle_id)

    @property
    def size(self) -> int:
        """Return how many are remembered."""
        return len(self._departures)
