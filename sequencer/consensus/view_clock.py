"""Keep the times of the current view: when to propose, give up, repeat, forward. # T1-T4 F1 P4"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.consensus.timeouts import ADVANCE_FACTOR, PROPOSAL_FACTOR, compute_view_timeout
from sequencer.types.committee import Committee
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import View


@dataclass(slots=True)
class ViewClock:
    """Monotonic milliseconds of one view; a new view gets a new clock."""

    entered_ms: int
    timeout_ms: int
    """T(v). # T1"""
    idle_ms: int
    """T_IDLE."""
    is_leader_silent: bool = False
    """The leader was not heard for n views: nobody waits for its proposal. # T5"""
    work_since_ms: int | None = None
    """Since when a leader could have ordered something, or has. # T2 T3"""
    propose_ms: int | None = None
    """When this leader proposes. # P4"""
    retest_ms: int | None = None
    """When the passing of time alone may make the proposal votable. # V7"""
    retry_ms: int | None = None
    """When the vote that closes the view is sent again. # T4"""
    forward_ms: int | None = None
    """When the leader is told how this node got here. # F1"""

    def start_retry(self, now_ms: int) -> None:
        """Repeat the closing vote T_RETRY from now. # T4"""
        self.retry_ms = now_ms + ADVANCE_FACTOR * self.timeout_ms

    def get_closing_time(self, is_proposed: bool) -> int:
        """Return when the vote that closes the view is due, for the first time or again. # T2 T3 T4"""
        return self.compute_deadline(is_proposed) if self.retry_ms is None else self.retry_ms

    def compute_deadline(self, is_proposed: bool) -> int:
        """Return when the view is given up: t_prop while nothing is proposed, else t_adv. # T2 T3

        Both run from the moment at which a leader could have ordered something or has proposed, and
        at the latest from T_IDLE after the entry, when it proposes an empty block.
        """
        if self.is_leader_silent and not is_proposed:
            return self.entered_ms  # T5
        latest_start_ms = self.entered_ms + self.idle_ms
        start_ms = latest_start_ms if self.work_since_ms is None else min(self.work_since_ms, latest_start_ms)
        return start_ms + (ADVANCE_FACTOR if is_proposed else PROPOSAL_FACTOR) * self.timeout_ms


def make_view_clock(
    view: View, finalized_view: View, committee: Committee, parameters: Parameters, patience: int, now_ms: int
) -> ViewClock:
    """Return the clock of a view that is entered now."""
    timeout_ms = compute_view_timeout(view, finalized_view, committee, parameters, patience)
    return ViewClock(now_ms, timeout_ms, parameters.idle_ms)
