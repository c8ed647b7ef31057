"""List every flood with the tables that it fills, and run one or all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.checkers.ledger import Violation
from sequencer.simulation.floods import clients, data, votes
from sequencer.simulation.floods.hall import PARAMETERS, Hall
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Bounds

FULL_SHARE = 0.9
"""An attacked table is filled to this share of its bound at least, so that the bound is what stopped it."""
QUICK = replace(PARAMETERS, view_timeout_base_ms=60, pace_ms=10, idle_ms=60)
"""Views that fail in a fifth of a second, and blocks without a pause."""

SLOW_LANE = replace(PARAMETERS, batch_delay_ms_max=2_000, batch_target_bytes=1 << 30)
"""Batches that wait for more."""


@dataclass(frozen=True, slots=True)
class Flood:
    """One attack on memory."""

    run: Callable[[Hall], None]
    tables: tuple[str, ...]
    """Tables that it fills."""
    behaviour: type[Behaviour] = Behaviour
    parameters: Parameters = PARAMETERS


FLOODS: dict[str, Flood] = {
    flood.run.__name__ + ("" if flood.behaviour is not data.ForkingLeader else "_and_serve_them"): flood
    for flood in (
        Flood(votes.vote_for_far_views, ("future_votes_per_signer", "view_records")),
        Flood(votes.propose_in_far_views, ("future_proposals_per_leader",)),
        Flood(votes.sign_every_commitment, ("commitment_votes_per_signer",)),
        Flood(votes.accuse_without_end, ("evidence_per_signer",)),
        Flood(votes.grow_old, ("headers_finalized", "commitments_remembered"), parameters=QUICK),
        Flood(votes.vote_on_what_nobody_ordered, ("votes_per_executor", "votes_per_bundle_and_executor")),
        Flood(data.push_a_long_lane, ("lane_chain",)),
        Flood(data.push_with_gaps, ("lane_early",)),
        Flood(data.push_fat_batches, ("lane_retained_bytes",)),
        Flood(data.push_empty_batches, ("lane_positions_signed",)),
        Flood(data.push_fat_batches_to_one, ("lane_pushed_bytes",)),
        Flood(data.claim_everything, ("have_heard_per_peer",)),
        Flood(
            data.ask_without_end,
            ("sync_requests_open", "stored_fetches_open", "snapshot_requests_open", "peers", "peer_views"),
        ),
        Flood(data.name_tips_of_its_own, ("batches_wanted", "batch_requests_per_peer"), data.FalseLeader, QUICK),
        # Fills nothing: once its first fork is proven nothing more is fetched of its lane. # L6 X5
        Flood(data.name_tips_of_its_own, (), data.ForkingLeader, QUICK),
        Flood(clients.submit_at_once, ("submissions_checked",)),
        Flood(clients.submit_successors, ("mempool_sequences_per_channel", "mempool_entries")),
        Flood(clients.submit_requests_that_wait, ("requests_waiting",), parameters=SLOW_LANE),
        Flood(clients.submit_fat_transactions, ("mempool_bytes", "own_lane_waiting_bytes")),
        Flood(clients.gossip_at_once, ("gossip_checked",)),
    )
}
"""Every flood by its name."""


@dataclass(slots=True)
class FloodReport:
    """How full the tables were."""

    violations: list[Violation] = field(default_factory=list)
    largest: Bounds = field(default_factory=dict)
    """By table: the fullest that any flood made it, and its bound at that moment."""
    not_filled: list[str] = field(default_factory=list)
    """Attacked tables that stayed below `FULL_SHARE`: something else stopped the flood."""


def is_full(seen: tuple[int, int]) -> bool:
    """Tell whether a table is filled to `FULL_SHARE` of its bound."""
    return seen[0] >= FULL_SHARE * seen[1]


def run_floods(
    names: tuple[str, ...] = tuple(FLOODS), on_done: Callable[[str, Bounds], None] | None = None
) -> FloodReport:
    """Run floods one after the other; `on_done` sees what each did to the tables that it attacks."""
    report = FloodReport()
    for name in names:
        flood = FLOODS[name]
        hall = Hall(flood.behaviour, flood.parameters)
        flood.run(hall)
        seen = hall.checker.largest
        report.violations.extend(hall.simulation.ledger.violations)
        for table, (size, bound) in seen.items():
            before, limit = report.largest.get(table, (0, 1))
            if size * limit >= before * bound:
                report.largest[table] = (size, bound)
        report.not_filled.extend(table for table in flood.tables if not is_full(seen[table]))
        if on_done is not None:
            on_done(name, {table: seen[table] for table in flood.tables})
    return report
