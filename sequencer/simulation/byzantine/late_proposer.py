"""Replace P4, when to propose: each peer gets the proposal just before or after it gives the view up. # B3"""

from __future__ import annotations

from sequencer.simulation.byzantine.behaviour import Behaviour, get_own_proposal
from sequencer.simulation.scheduler import MILLISECOND
from sequencer.types.effects import Effect

PATIENCE_FACTORS = (2.0, 2.8, 3.0, 3.2, 4.8, 5.2)
"""Delays in units of T_BASE around t_prop = 3 T and t_adv = 5 T. # T2 T3"""


class LateProposer(Behaviour):
    """Splits the others into those who notarize and those who nullify."""

    name = "late_proposer"

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Send the proposal to each peer at a time of its own."""
        proposal = get_own_proposal(effect)
        if proposal is None:
            return (effect,)
        base_us = self.node.config.genesis.parameters.view_timeout_base_ms * MILLISECOND
        for peer in self.peers:
            delay_us = int(self.rng.choice(PATIENCE_FACTORS) * base_us) + self.rng.randint(-20, 20) * MILLISECOND
            self.send(peer, proposal, delay_us)
        return ()
