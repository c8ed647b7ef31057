"""Replace L4, HAVE says what is held: each peer hears a claim of all, of nothing, or of what does not exist. # B10"""

from __future__ import annotations

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.types.effects import Broadcast, Effect, Send
from sequencer.types.messages import Have, HaveEntry
from sequencer.types.primitives import ValidatorIndex

POSITION_LEAD_MAX = 6
"""How far above the truth a claim goes, at most."""


class LyingHave(Behaviour):
    """Alternates digests for one position, and claims lanes that it never saw."""

    name = "lying_have"

    def start(self) -> None:
        """No true claim was made yet."""
        self._newest: dict[ValidatorIndex, HaveEntry] = {}

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Tell each peer something else."""
        if not isinstance(effect, Broadcast) or not isinstance(effect.message, Have):
            return (effect,)
        have = effect.message
        self._newest.update((entry.lane, entry) for entry in have.entries)
        return tuple(Send(peer, self.mark(self._make_claim(have))) for peer in self.peers)

    def _make_claim(self, have: Have) -> Have:
        choice = self.rng.randrange(4)
        if choice == 0:
            return Have((), have.delivered)
        if choice == 1:  # everything that was ever true, and the same positions under other digests
            return Have(tuple(self._newest.values()) + self._alternate(), have.delivered)
        if choice == 2:  # lanes far above what anybody has
            lanes = range(self.committee.size)
            entries = tuple(
                HaveEntry(lane, have.delivered[lane] + self._draw_lead(), self.draw_digest()) for lane in lanes
            )
            return Have(entries, tuple(position + self._draw_lead() for position in have.delivered))
        return Have(self._alternate(), (0,) * self.committee.size)

    def _alternate(self) -> tuple[HaveEntry, ...]:
        return tuple(HaveEntry(entry.lane, entry.position, self.draw_digest()) for entry in self._newest.values())

    def _draw_lead(self) -> int:
        return self.rng.randint(1, POSITION_LEAD_MAX)
