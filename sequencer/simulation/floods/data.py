"""Flood with what concerns the lanes: batches, claims, tips that nobody has, requests without end. # B14 L3 L6 R2"""

from __future__ import annotations

from dataclasses import replace

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.simulation.byzantine.behaviour import Behaviour, get_own_proposal
from sequencer.simulation.floods.hall import Hall
from sequencer.types.batch import Batch, encode_payload
from sequencer.types.effects import Effect, Send
from sequencer.types.events import Event, MessageReceived
from sequencer.types.messages import Batches, GetBatches, Have, HaveEntry, Sync
from sequencer.types.primitives import Digest, Tip
from sequencer.types.snapshot_messages import GetSnapshot, GetSnapshotChunk

EMPTY = encode_payload(())
FAT = encode_payload(tuple(bytes(60_000) for _ in range(4)))
"""Close to B_MAX."""


def push_a_long_lane(hall: Hall) -> None:
    """Push three hundred linked batches at once."""
    parent = ZERO_DIGEST
    for position in range(1, 301):
        batch = hall.attacker.make_batch(position, parent, EMPTY, 0)
        hall.receive(batch)
        parent = batch.digest


def push_with_gaps(hall: Hall) -> None:
    """Push batches whose parents never come."""
    for position in range(2, 60):
        hall.receive(hall.attacker.make_batch(position, hall.attacker.draw_digest(), EMPTY, 0))


def push_fat_batches(hall: Hall) -> None:
    """Push batches of the largest size, to everybody, for as long as the lane moves."""
    _push_steadily(hall, FAT, 4)


def push_empty_batches(hall: Hall) -> None:
    """Push batches without an item, to everybody: the lane moves as fast as any."""
    _push_steadily(hall, EMPTY, 0)


def _push_steadily(hall: Hall, payload: bytes, item_count: int) -> None:
    parent, position = ZERO_DIGEST, 0
    for _ in range(80):
        for _ in range(4):
            position += 1
            batch = hall.attacker.make_batch(position, parent, payload, item_count)
            hall.receive(batch)
            for node in hall.simulation.correct[1:]:
                hall.give(node, batch)
            parent = batch.digest
        hall.advance(200)


def push_fat_batches_to_one(hall: Hall) -> None:
    """Push batches of the largest size to the victim alone, so that none becomes final."""
    parent = ZERO_DIGEST
    for position in range(1, 81):
        batch = hall.attacker.make_batch(position, parent, FAT, 4)
        hall.receive(batch)
        parent = batch.digest


def claim_everything(hall: Hall) -> None:
    """Claim another tip of every lane with each HAVE."""
    for position in range(20, 220):
        entries = tuple(HaveEntry(lane, position, hall.attacker.draw_digest()) for lane in hall.lanes)
        hall.receive(Have(entries, (0,) * len(hall.lanes)))


def ask_without_end(hall: Hall) -> None:
    """Every peer asks for blocks, old batches and snapshots, again before it is answered."""
    for _ in range(20):
        for peer in (index for index in hall.lanes if index != hall.victim.index):
            hall.receive(Sync(1, 32), peer)
            hall.receive(GetBatches(peer, hall.attacker.draw_digest(), 1, 16), peer)
            hall.receive(GetSnapshot(0), peer)
            hall.receive(GetSnapshotChunk(16, 0), peer)


class FalseLeader(Behaviour):
    """Leads with cuts of its own making, shown to one peer, and serves batches for its own lane's tips."""

    name = "false_leader"
    is_serving = False
    """Whether the tips of its own lane exist: four new batches for each view."""

    def start(self) -> None:
        """Know nobody."""
        self.victim: int | None = None
        self._made: dict[Digest, Batch] = {}

    def replace(self, effect: Effect) -> tuple[Effect, ...]:
        """Show the victim alone a block with other tips."""
        proposal = get_own_proposal(effect)
        if proposal is None or self.victim is None:
            return (effect,)
        tips = tuple(Tip(tip.position + 1, self.draw_digest()) for tip in proposal.header.cut)
        if self.is_serving:
            own = self.node.index
            tips = (
                *proposal.header.cut[:own],
                self._make_fork(proposal.header.cut[own]),
                *proposal.header.cut[own + 1 :],
            )
        return (Send(self.victim, self.make_proposal(replace(proposal.header, cut=tips), proposal.justification)),)

    def see(self, event: Event) -> bool:
        """Serve what it made up."""
        if isinstance(event, MessageReceived) and isinstance(event.message, GetBatches):
            found, digest = [], event.message.tip_digest
            while digest in self._made:
                found.append(self._made[digest])
                digest = found[-1].header.parent
            if found:
                self.send(event.peer, Batches(self.node.index, tuple(found)))
        return True

    def _make_fork(self, floor: Tip) -> Tip:
        """Return the tip of four new batches above `floor`."""
        parent = floor.digest
        for step in range(1, 5):
            batch = self.make_batch(floor.position + step, parent, encode_payload((self.rng.randbytes(8),)), 1)
            self._made[batch.digest] = batch
            parent = batch.digest
        return Tip(floor.position + 4, parent)


class ForkingLeader(FalseLeader):
    """Leads with forks of its own lane, and serves them."""

    name = "forking_leader"
    is_serving = True


def name_tips_of_its_own(hall: Hall) -> None:
    """Lead for a minute with tips that only the victim is told of."""
    assert isinstance(hall.attacker, FalseLeader)
    hall.attacker.victim = hall.victim.index
    hall.advance(60_000)
