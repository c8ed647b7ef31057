"""Replace C1 and L6, say and ask what is needed: it sends whatever costs others memory or work, without end. # B14"""

from __future__ import annotations

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.scheduler import MILLISECOND
from sequencer.types.commitment import CommitmentVote
from sequencer.types.messages import GetBatches, GetBlocks, Have, HaveEntry, Message, Sync
from sequencer.types.signing import SignatureKind
from sequencer.types.vote import VoteKind

INTERVAL_US = 200 * MILLISECOND
BURST_MAX = 4
"""Messages to one peer at once, at most."""


class FloodingPeer(Behaviour):
    """Votes for views that nobody is in, asks for blocks that do not exist, claims tips that nobody has."""

    name = "flooding_peer"

    def start(self) -> None:
        """Begin to flood."""
        self.repeat(INTERVAL_US, self._flood)

    def _flood(self) -> None:
        peer = self.rng.choice(self.peers)
        for _ in range(self.rng.randint(1, BURST_MAX)):
            self.send(peer, self._make())

    def _make(self) -> Message:
        choice = self.rng.randrange(6)
        if choice == 0:
            return self._make_future_vote()
        if choice == 1:
            return GetBlocks(self.draw_digest(), 64)
        if choice == 2:
            low = self.rng.randint(1, 1_000)
            return GetBatches(self.rng.randrange(self.committee.size), self.draw_digest(), low, low + 15)
        if choice == 3:
            return Sync(self.rng.choice((1, 10, 2**40)), 32)
        if choice == 4:
            entries = tuple(
                HaveEntry(lane, self.rng.randint(1, 200), self.draw_digest()) for lane in range(self.committee.size)
            )
            return Have(entries, (0,) * self.committee.size)
        return self._make_commitment_vote()

    def _make_future_vote(self) -> Message:
        replica = self.node.replica
        view = 1 if replica is None else replica.get_statistics().view
        far = self.rng.choice((self.rng.randint(1, 16), self.rng.randint(17, 1_000), 2**60))
        kind = self.rng.choice((VoteKind.NOTARIZE, VoteKind.FINALIZE))
        return self.make_vote(kind, view + far, self.draw_digest())

    def _make_commitment_vote(self) -> Message:
        height, digest = self.rng.choice((1, 100, 500, 2**40)), self.draw_digest()
        signature = self.sign(SignatureKind.COMMITMENT, height, digest)
        return CommitmentVote(self.committee.epoch, height, digest, signature)
