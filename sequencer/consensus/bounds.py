"""Name every table of the agreement with its size now and its bound. # I11"""

from __future__ import annotations

from collections import Counter

from sequencer.consensus.block_tree import FINALIZED_HEADERS_MAX, OPEN_HEADERS_MAX
from sequencer.consensus.forwarding import ANSWERS_REMEMBERED_MAX
from sequencer.consensus.header_fetch import WANTED_MAX
from sequencer.consensus.state import FUTURE_VIEWS_MAX, AgreementState
from sequencer.consensus.view_record import DIGESTS_PER_SIGNER_MAX
from sequencer.types.primitives import Bounds, ValidatorIndex

FUTURE_VOTES_PER_SIGNER_MAX = FUTURE_VIEWS_MAX * (2 * DIGESTS_PER_SIGNER_MAX + 1)
"""In each view of the window notarizes and finalizes for two digests each, and one nullify."""


def compute_bounds(state: AgreementState) -> Bounds:
    """Return (size, bound) of every table; of tables per validator that of the largest one."""
    open_views = state.view - state.finalized_view + 1
    headers, finalized = state.tree.sizes
    return {
        "future_votes_per_signer": (_count_future_votes(state), FUTURE_VOTES_PER_SIGNER_MAX),
        "future_proposals_per_leader": _count_future_proposals(state),
        "peer_views": (state.forwarding.peers_known, state.committee.size - (state.own_index is not None)),
        "view_records": (len(state.records), open_views + FUTURE_VIEWS_MAX),
        "certificates": (sum(len(record.certificates) for record in state.records.values()), 3 * open_views),
        "answers_remembered": (state.forwarding.answers_remembered, ANSWERS_REMEMBERED_MAX),
        "headers_open": (headers, OPEN_HEADERS_MAX),
        "headers_finalized": (finalized, FINALIZED_HEADERS_MAX),
        "headers_wanted": (state.fetch.size, WANTED_MAX),
    }


def _count_future_votes(state: AgreementState) -> int:
    """Return the votes kept for views above the current one, of the signer that has most there."""
    counts: Counter[ValidatorIndex] = Counter()
    for view, record in state.records.items():
        if view > state.view:
            counts.update(record.count_votes())
    return max((count for signer, count in counts.items() if signer != state.own_index), default=0)


def _count_future_proposals(state: AgreementState) -> tuple[int, int]:
    """Return proposals kept for views above the current one, and views led there, of the leader with most."""
    kept: Counter[ValidatorIndex] = Counter()
    led: Counter[ValidatorIndex] = Counter()
    for view in range(state.view + 1, state.view + 1 + FUTURE_VIEWS_MAX):
        record = state.records.get(view)
        led[state.committee.get_leader(view)] += 1
        kept[state.committee.get_leader(view)] += record is not None and record.proposal is not None
    return max(kept.values()), max(led.values())
