"""Compute how long a view may take. # T1"""

from __future__ import annotations

from sequencer.types.committee import Committee
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import View

_EXPONENT_MAX = 40
PROPOSAL_FACTOR = 3
"""t_prop = start + 3T. # T2"""
ADVANCE_FACTOR = 5
"""t_adv = entry + 5T, and T_RETRY = 5T. # T3 T4"""


def compute_view_timeout(view: View, finalized_view: View, committee: Committee, parameters: Parameters) -> int:
    """Return T(v) in milliseconds: T_BASE · 1.5^⌊max(0, k-2)/(F'+1)⌋ with k = v-1-fin_view, capped. # T1 T6

    It grows only after F'+1 failures: among that many leaders one is honest, so failure
    means that T is too small or that the network is not yet timely.
    """
    failures = max(0, view - 1 - finalized_view - 2)
    exponent = min(failures // (committee.leader_gap_max + 1), _EXPONENT_MAX)
    grown_ms = parameters.view_timeout_base_ms * int(3**exponent) // (1 << exponent)
    return min(grown_ms, parameters.view_timeout_max_ms)
