"""Name every table of a replica with its size now and its bound. # I11"""

from __future__ import annotations

from sequencer.replica.adoption import MESSAGES_WAITING_MAX
from sequencer.replica.parts import Parts
from sequencer.types.primitives import Bounds


def collect_bounds(parts: Parts, now_ms: int) -> Bounds:
    """Return (size, bound) of every table; of tables per validator, lane or peer that of the largest one.

    No size is ever above its bound. Some bounds move with the view; both numbers are of now.
    """
    peers = parts.config.genesis.committee.size - (parts.config.index is not None)
    return {
        **parts.consensus.get_bounds(),
        **parts.lanes.get_bounds(now_ms),
        **parts.mempool.get_bounds(),
        **parts.relay.get_bounds(),
        **parts.commitments.get_bounds(),
        **parts.checks.get_bounds(),
        **parts.evidence.get_bounds(),
        "peers": (len(parts.peers), peers),
        "sync_requests_open": (parts.server.syncs_open, peers),
        "stored_fetches_open": (parts.server.fetches_open, peers),
        **parts.verdicts.get_bounds(),
        "messages_held_back": (parts.adoption.messages_waiting, MESSAGES_WAITING_MAX),
        "snapshot_requests_open": (parts.snapshot_server.requests_open, 2 * peers),
    }
