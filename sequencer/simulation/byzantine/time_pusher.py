"""Replace P5, the block's time is the leader's clock: it runs ahead, within the limit and beyond, or stands. # B17"""

from __future__ import annotations

from dataclasses import replace

from sequencer.simulation.byzantine.behaviour import Behaviour, get_own_proposal
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Effect
from sequencer.types.events import Event, MessageReceived
from sequencer.types.primitives import Digest
from sequencer.types.vote import Proposal


class TimePusher(Behaviour):
    """Pushes the chain's clock to its limits."""

    name = "time_pusher"

    def start(self) -> None:
        """Only the genesis block's time is known."""
        genesis = self.node.config.genesis
        self._times_ms: dict[Digest, int] = {genesis.header.digest: genesis.time_ms}

    def see(self, event: Event) -> bool:
        """Remember the times of proposed blocks."""
        if isinstance(event, MessageReceived) and isinstance(event.message, Proposal):
            header = event.message.header
            self._times_ms[header.digest] = header.time_ms
        return True

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Propose the same block at another time."""
        proposal = get_own_proposal(effect)
        if proposal is None:
            return self.follow_swap(effect)
        header = replace(proposal.header, time_ms=self._draw_time(proposal.header))
        self._times_ms[header.digest] = header.time_ms
        return self.propose_instead(proposal, header)

    def _draw_time(self, header: BlockHeader) -> int:
        limit_ms = self.now.wall_ms + self.node.config.genesis.parameters.clock_drift_ms_max
        parent_ms = self._times_ms.get(header.parent_digest, header.time_ms - 1)
        return self.rng.choice((limit_ms, limit_ms + self.rng.randint(1, 2_000), parent_ms + 1, parent_ms))
