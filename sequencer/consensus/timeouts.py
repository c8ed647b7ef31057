"""Compute how long a view may take. # T1"""

from __future__ import annotations

from sequencer.types.committee import Committee
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import View

_EXPONENT_MAX = 40
PROPOSAL_FACTOR = 3
"""t_prop = start + 3T. # T2"""
ADVANCE_FACTOR = 5
"""t_adv = start + 5T, and T_RETRY = 5T. # T3 T4"""


CALM_FINALIZATIONS = 32
"""Finalizations without growth after which patience falls by one step."""


def compute_growth(view: View, finalized_view: View, committee: Committee) -> int:
    """Return ⌊max(0, k-2)/(F'+1)⌋ with k = v-1-fin_view: how often F'+1 views in a row failed. # T1"""
    return max(0, view - 1 - finalized_view - 2) // (committee.leader_gap_max + 1)


def compute_view_timeout(
    view: View, finalized_view: View, committee: Committee, parameters: Parameters, patience: int = 0
) -> int:
    """Return T(v) in milliseconds: T_BASE · 1.5^(patience + growth), capped. # T1 T6

    It grows only after F'+1 failures: among that many leaders one is honest, so failure
    means that T is too small or that the network is not yet timely.
    """
    exponent = min(patience + compute_growth(view, finalized_view, committee), _EXPONENT_MAX)
    grown_ms = parameters.view_timeout_base_ms * int(3**exponent) // (1 << exponent)
    return min(grown_ms, parameters.view_timeout_max_ms)


class Patience:
    """Remembers how slow the network has shown itself, so that not every block pays for it anew. # T6

    In a network slower than T_BASE a reset at every finalization would cost F'+1 failed views
    per step of growth for each block. What was needed is kept, and given back slowly.
    """

    def __init__(self) -> None:
        self.steps = 0
        """Exponent added to every view's growth."""
        self._calm = 0

    def on_finalized(self, given_up: int, committee: Committee) -> None:
        """A view was finalized before which this validator gave up `given_up` views.

        Views that it was not there for, as in catch-up, teach it nothing.
        """
        growth = given_up // (committee.leader_gap_max + 1)
        self._calm = 0 if growth else self._calm + 1
        self.steps = min(self.steps + growth, _EXPONENT_MAX)
        if self._calm == CALM_FINALIZATIONS:
            self.steps, self._calm = max(0, self.steps - 1), 0
