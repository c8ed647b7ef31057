"""Name every table of the lanes with its size now and its bound. # I11"""

from __future__ import annotations

from sequencer.lanes.batch_fetch import REQUESTS_PER_PEER_MAX, WANTED_MAX, BatchFetch
from sequencer.lanes.fork_watch import POSITIONS_MAX
from sequencer.lanes.held import HeldLanes
from sequencer.lanes.holdings import HEARD_PER_PEER_MAX
from sequencer.lanes.lane import FORK_BATCHES_MAX, REORDER_MAX
from sequencer.lanes.own_lane import ITEM_OVERHEAD_BYTES, WAITING_BYTES_MAX, OwnLane
from sequencer.types.parameters import ITEM_BYTES_MAX, Parameters
from sequencer.types.primitives import Bounds


def compute_bounds(
    held: HeldLanes, fetch: BatchFetch, own: OwnLane | None, parameters: Parameters, now_ms: int
) -> Bounds:
    """Return (size, bound) of every table; of tables per lane or peer that of the largest one."""
    sizes = [lane.sizes for lane in held.lanes]
    waiting_max = WAITING_BYTES_MAX + ITEM_BYTES_MAX + ITEM_OVERHEAD_BYTES
    return {
        "lane_chain": (max(size[0] for size in sizes), parameters.lane_window + parameters.lane_window_slack),
        "lane_early": (max(len(lane.early) for lane in held.lanes), REORDER_MAX),
        "lane_forks": (max(size[1] for size in sizes), FORK_BATCHES_MAX),
        "lane_pushed_bytes": (max(lane.pushed_bytes for lane in held.lanes), held.memory_bytes_max),
        "lane_retained_bytes": (max(size[2] for size in sizes), held.memory_bytes_max),
        "lane_positions_signed": (held.watch.largest, POSITIONS_MAX),
        "have_heard_per_peer": (max(holdings.most_heard for holdings in held.holdings), HEARD_PER_PEER_MAX),
        "batches_wanted": (fetch.size, WANTED_MAX),
        "batch_requests_per_peer": (max(fetch.count_requests(now_ms).values(), default=0), REQUESTS_PER_PEER_MAX),
        "own_lane_waiting_bytes": (own.waiting_bytes if own is not None else 0, waiting_max),
        "own_lane_receivers": (own.receivers if own is not None else 0, len(held) - 1),
    }
