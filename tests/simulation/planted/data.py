"""List the planted bugs of lanes, order and delivery."""

from __future__ import annotations

from sequencer.simulation.options import SimulationOptions
from tests.simulation.planted.edit import Edit
from tests.simulation.planted.plant import HALT, PlantedBug
from tests.simulation.plays import (
    play_fork_above_finality,
    play_gap_below_tip,
    play_lost_push,
    play_restart_with_own_batch,
)

LANES = (
    PlantedBug(
        "own_top_forgotten",
        "L1",
        (
            Edit(
                "replica.recovery:_find_own_top",
                "return (Tip(top, tips[top]), None) if top >",
                "return (None, None) if top >",
            ),
        ),
        ("I9", "L1"),
        play=play_restart_with_own_batch,
        is_random=False,
    ),
    PlantedBug(
        "pushed_newest_first",
        "L2",
        (
            Edit(
                "lanes.own_lane:OwnLane.take_pushes",
                "range(receiver.pushed + 1, last + 1))",
                "range(last, receiver.pushed, -1))",
            ),
        ),
        ("L2",),
    ),
    PlantedBug(
        "no_repush",
        "L2b",
        (
            Edit(
                "lanes.own_lane:OwnLane.on_connected",
                "max(held, delivered), max(held, delivered), now_ms)",
                "max(held, delivered), self.top.position, now_ms)",
            ),
            Edit("lanes.own_lane:OwnLane._compute_repush_ms", "return receiver.progress_ms", "return 10**12"),
        ),
        ("L2b", HALT),
        play=play_lost_push,
    ),
    PlantedBug(
        "have_before_persist",
        "L4",
        (Edit("lanes.lanes:Lanes.flush_have", "effects.append(Broadcast(", "effects.insert(0, Broadcast("),),
        ("L4", "I8"),
    ),
    PlantedBug(
        "have_with_gap",
        "L4",
        (
            Edit(
                "lanes.lane:Lane.may_extend",
                "if header.position != self.top.position + 1:\n        return False",
                "if header.position > self.floor.position:\n        return header.position not in self.chain",
            ),
            Edit("lanes.lane:Lane._note_change", "self.floor.position + len(self.chain)", "max(self.chain, default=0)"),
        ),
        ("L4",),
        play=play_gap_below_tip,
    ),
    PlantedBug(
        "have_choice_forgotten",
        "L4",
        (Edit("lanes.lane:Lane.restore", "{**self._first, **choices}", "dict(choices)"),),
        ("L4",),
        play=play_fork_above_finality,
        is_random=False,
    ),
    PlantedBug(
        "fetch_on_have",
        "L6",
        (
            Edit(
                "lanes.lanes:Lanes.on_have",
                "    tip = Tip(entry.position, entry.digest)\n",
                "    tip = Tip(entry.position, entry.digest)\n"
                "            self.fetch(entry.lane, tip, self._held[entry.lane].floor, (peer,), now.mono_ms)\n",
            ),
        ),
        ("L6",),
    ),
    PlantedBug(
        "gc_feeds_ordering",
        "O2",
        (
            Edit(
                "ordering.delivery:Delivery._get_lane",
                "self._cut[lane].position)",
                "self._cut[lane].position + (self.lag > 1 and tip.position > self._cut[lane].position))",
            ),
        ),
        ("O2", "I5"),
    ),
)

LIMITS = (
    PlantedBug(
        "bound_removed",
        "I11",
        (Edit("consensus.core:Consensus.on_vote", "< vote.view <= self.view + FUTURE_VIEWS_MAX", "< vote.view"),),
        ("I11",),
        SimulationOptions(byzantine=1, behaviours=("flooding_peer",)),
    ),
    PlantedBug(
        "header_asked_without_pause",
        "I14",
        (
            Edit(
                "consensus.header_fetch:HeaderFetch.poll",
                "wanted.due_ms = now_ms + ",
                "wanted.due_ms = now_ms + 1 + 0 * ",
            ),
        ),
        ("I14",),
        SimulationOptions(byzantine=1, behaviours=("flooding_peer",)),
    ),
)

SYNC = (
    PlantedBug(
        "liar_asked_again",
        "I14",
        (Edit("sync.catch_up:CatchUp.verify_answer", "self._heights.pop(peer, None)", "pass"),),
        ("I14",),
        SimulationOptions(byzantine=1, behaviours=("forging_server",)),
    ),
)

ORDER = (
    PlantedBug(
        "delivered_with_holes",
        "O1",
        (
            Edit(
                "ordering.delivery:Delivery.take",
                "whole = [batches for batches in lanes if batches is not None]",
                "whole = [batches or [] for batches in lanes]",
            ),
        ),
        ("O1", "O2"),
    ),
    PlantedBug(
        "tips_only",
        "O2",
        (
            Edit(
                "ordering.total_order:compute_batch_order",
                "    longest",
                "    lanes = [batches[-1:] for batches in lanes]\n    longest",
            ),
        ),
        ("O2",),
    ),
    PlantedBug(
        "order_without_seed",
        "O3",
        (Edit("ordering.total_order:compute_lane_order", "height, header.parent_digest, lane", "height, lane"),),
        ("O3",),
    ),
)

BUGS = (*LANES, *LIMITS, *SYNC, *ORDER)
