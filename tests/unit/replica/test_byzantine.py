"""One validator of four lies: it forks its lane, forges batches of others, splits its votes. # X5 L6 V6 O1 I8"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.batch import Batch, decode_payload
from sequencer.types.evidence import Statement
from sequencer.types.messages import Accusation, Batches, GetBatches, Have, HaveEntry, Message
from sequencer.types.primitives import Tip
from sequencer.types.vote import Proposal, Vote, VoteKind
from tests.unit.core_world import NOBODY, Group, name_digest, set_tip, tip
from tests.unit.replica.test_cluster import assert_no_contradiction, assert_prefixes, is_executed
from tests.unit.replica.world import Cluster, make_bundle

GROUP = Group()
LIAR = 3
HONEST = (0, 1, 2)


class Scene(Cluster):
    """Three honest replicas and a scripted validator 3, which hears everything they send to it."""

    def __init__(self) -> None:
        super().__init__(indices=HONEST)
        for index in HONEST:
            self.handle(index, events.PeerConnected(LIAR))

    def say(self, message: Message, *targets: int) -> None:
        """Let the liar send a message to some."""
        for target in targets or HONEST:
            self.handle(target, events.MessageReceived(LIAR, message))

    def asked(self, index: int) -> list[GetBatches]:
        """Return what a replica asked the liar for."""
        sends = self.find(index, out.Send)
        return [e.message for e in sends if e.peer == LIAR and isinstance(e.message, GetBatches)]

    def get_lane(self, index: int) -> list[bytes]:
        """Return the payload items of the liar's lane as executed by a replica."""
        batches = [batch for block in self.disks[index].blocks for batch in block.batches]
        return [item for b in batches if b.header.lane == LIAR for item in decode_payload(b.payload)]


def make_have(*batches: Batch) -> Have:
    return Have(tuple(HaveEntry(b.header.lane, b.header.position, b.digest) for b in batches), (0,) * 4)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_X5_forked_lane_becomes_one_lane_for_everybody(depth: int) -> None:
    """The first leader holds the fork that two hold; finality decides, and the lane goes on while nobody proves it."""
    first = next(leader for leader in map(GROUP.committee.get_leader, range(1, 9)) if leader in HONEST)
    second, third = (index for index in HONEST if index != first)
    left, right = GROUP.chain(LIAR, 4, "left"), GROUP.chain(LIAR, depth, "right")
    scene = Scene()
    scene.is_dropped = lambda source, target, message: isinstance(message, Accusation | Statement)
    for batch in left[:3]:
        scene.say(batch, first, second)
    for batch in right:
        scene.say(batch, third)
    for index in HONEST:
        scene.say(make_have(left[2]), index)
    scene.run(12_000, lambda: all(len(scene.get_lane(index)) == 3 for index in HONEST))
    scene.say(left[3])
    scene.say(make_have(left[3]))
    scene.run(24_000, lambda: all(len(scene.get_lane(index)) == 4 for index in HONEST))
    assert [scene.get_lane(index) for index in HONEST] == [[f"left3/{n}".encode() for n in range(1, 5)]] * 3
    assert_prefixes(scene)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_X5_forked_lane_that_is_proven_is_the_same_for_everybody(depth: int) -> None:
    """Whether something of it was ordered before the proof came or not, all deliver the same, and go on. # L8"""
    left, right = GROUP.chain(LIAR, 4, "left"), GROUP.chain(LIAR, depth, "right")
    scene = Scene()
    for batch in left[:3]:
        scene.say(batch, 0, 1)
    for batch in right:
        scene.say(batch, 2)
    for index in HONEST:
        scene.say(make_have(left[2]), index)
    scene.run(12_000)
    assert {evidence.kind.rule for index in HONEST for evidence in scene.replicas[index].get_evidence()} == {"X5"}
    assert min(replica.executor.height for replica in scene.replicas.values()) >= 5
    assert_prefixes(scene)


def test_I8_lie_about_holding_a_batch_makes_nobody_lose_it() -> None:
    """The liar says HAVE for everything and gives nothing: what is final is with an honest validator."""
    scene = Scene()
    for number in range(6):
        scene.submit(number % 3, make_bundle(scene.genesis, number // 3, number % 3), request=number + 1)
    for _ in range(40):
        scene.run(scene.now_ms + 25)
        for index in HONEST:
            batches = [e.batch for e in scene.find(index, out.PersistBatch) if e.batch.header.lane == index]
            if batches:
                scene.say(make_have(batches[-1]))
    ids = [make_bundle(scene.genesis, number // 3, number % 3).id for number in range(6)]
    scene.run(15_000, lambda: is_executed(scene, *ids))
    assert is_executed(scene, *ids)
    assert_prefixes(scene)


def test_L6_leader_that_names_a_forged_batch_of_another_gets_no_vote() -> None:
    """An honest validator's lane cannot be overruled by a batch that it did not sign."""
    scene = Scene()
    view = GROUP.find_view(LIAR)
    scene.run(60_000, lambda: all(r.get_statistics().view >= view for r in scene.replicas.values()))
    forged = replace(GROUP.batch(0, 1, items=(b"forged",)), signature=NOBODY)
    head = scene.disks[0].blocks[-1].header if scene.disks[0].blocks else GROUP.root
    entered = scene.replicas[0].get_statistics().view
    header = GROUP.child(head, view=entered, cut=set_tip(head.cut, 0, tip(forged)))
    assert GROUP.committee.get_leader(entered) == LIAR
    nullified = [GROUP.certify(VoteKind.NULLIFY, skipped) for skipped in range(head.view + 1, entered)]
    scene.say(GROUP.propose(replace(header, time_ms=head.time_ms + 1), *nullified))
    scene.say(make_have(forged))
    scene.run(scene.now_ms + 100)
    asked = [request for index in HONEST for request in scene.asked(index)]
    scene.say(Batches(0, (forged,)))
    scene.run(scene.now_ms + 400)
    votes = [e.message for index in HONEST for e in scene.find(index, out.Broadcast) if isinstance(e.message, Vote)]
    assert [request.tip_digest for request in asked][:1] == [forged.digest]
    assert not [vote for vote in votes if vote.digest == header.digest]
    assert all(e.batch.digest != forged.digest for index in HONEST for e in scene.find(index, out.PersistBatch))


def test_I1_votes_split_between_peers_make_no_fork() -> None:
    """The liar leads two blocks of one view, one to each half, and votes for whatever it hears of."""
    scene = Scene()
    shown: dict[int, set[bytes]] = {}
    for _ in range(400):
        scene.run(scene.now_ms + 20)
        view = scene.replicas[0].get_statistics().view
        for index in HONEST:
            for effect in scene.find(index, out.Broadcast)[-6:]:
                if isinstance(effect.message, Proposal):
                    shown.setdefault(effect.message.header.view, set()).add(effect.message.header.digest)
        head = scene.disks[0].blocks[-1].header if scene.disks[0].blocks else GROUP.root
        if GROUP.committee.get_leader(view) == LIAR and view == head.view + 1 and view not in shown:
            pair = [replace(GROUP.child(head, view=view), time_ms=head.time_ms + step) for step in (1, 2)]
            shown[view] = {header.digest for header in pair}
            scene.say(GROUP.propose(pair[0]), 0)
            scene.say(GROUP.propose(pair[1]), 1, 2)
        for digest in sorted(shown.get(view, ())):
            for kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
                scene.say(GROUP.vote(LIAR, kind, view, digest), *HONEST[view % 3 :])
        scene.say(GROUP.vote(LIAR, VoteKind.NULLIFY, view), HONEST[view % 3])
        if min(scene.heights) >= 8:
            break
    assert min(scene.heights) >= 4
    assert any(len(digests) == 2 for digests in shown.values())  # it did lead two blocks of one view
    assert_prefixes(scene)
    assert_no_contradiction(scene)
    assert all(replica.get_statistics().alarm is None for replica in scene.replicas.values())


@pytest.mark.parametrize("is_known", [True, False], ids=["held elsewhere", "unknown"])
def test_L6_tip_that_can_never_be_whole_is_not_asked_for(is_known: bool) -> None:
    """A cut that names a held batch at a wrong position costs no fetch; an unknown one is the control."""
    scene = Scene()
    chain = GROUP.chain(LIAR, 2)
    for batch in chain:
        scene.say(batch)
    scene.run(60_000, lambda: GROUP.committee.get_leader(scene.replicas[0].get_statistics().view) == LIAR)
    view = scene.replicas[0].get_statistics().view
    head = scene.disks[0].blocks[-1].header if scene.disks[0].blocks else GROUP.root
    named = Tip(3, chain[1].digest if is_known else name_digest("unknown"))
    skipped = [GROUP.certify(VoteKind.NULLIFY, v) for v in range(head.view + 1, view)]
    scene.say(GROUP.propose(GROUP.child(head, view=view, cut=set_tip(head.cut, LIAR, named)), *skipped))
    scene.run(scene.now_ms + 700)
    assert ([index for index in HONEST if scene.asked(index)] == []) is is_known
