"""Nothing leaves before what it rests on is durable, and the same events give the same effects. # G5 V10 L1 L4"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pytest

from sequencer.errors import LocalError
from sequencer.replica.configuration import ReplicaConfig
from sequencer.replica.replica import Replica
from sequencer.types import effects as out
from sequencer.types import events
from sequencer.types.batch import Batch, decode_payload
from sequencer.types.commitment import CommitmentVote
from sequencer.types.item import SignedBundle, check_item
from sequencer.types.messages import Batches, BlockHeaders, GetCertificates, Have, HaveEntry, Hello, Message
from sequencer.types.primitives import Digest
from sequencer.types.records import RecordKind
from sequencer.types.vote import Proposal, Vote, VoteKind
from tests.unit.core_world import NOBODY, VERIFY, Group, at, make_genesis, make_signer, name_digest
from tests.unit.replica.world import Cluster, Turn, make_bundle

GROUP = Group()
GENESIS = make_genesis()


def run_scene(until_ms: int = 2_500) -> Cluster:
    """Return four validators after a while with traffic, a death and a restart."""
    cluster = Cluster()
    for number in range(8):
        cluster.submit(number % 4, make_bundle(GENESIS, number // 4, number % 4), request=number + 1)
        cluster.run(cluster.now_ms + 60)
    cluster.restart(2)
    cluster.run(until_ms)
    return cluster


@pytest.fixture(scope="module")
def scene() -> Cluster:
    return run_scene()


# --- what must be durable first ---------------------------------------------------------


class Ledger:
    """What one validator has made durable and pushed so far."""

    def __init__(self) -> None:
        self.records: set[tuple[RecordKind, int, Digest]] = set()
        self.batches: set[Digest] = set()
        self.items: set[Digest] = set()
        self.height = 0

    def add(self, effect: out.Effect) -> None:
        match effect:
            case out.PersistVote(record):
                self.records.add((record.kind, record.number, record.digest))
            case out.PersistBatch(batch):
                self.batches.add(batch.digest)
                self.items |= set(read_ids(batch))
            case out.PersistBlock(block):
                self.height = block.header.height


def read_ids(batch: Batch) -> Iterator[Digest]:
    for item in decode_payload(batch.payload):
        checked = check_item(item, GENESIS.item_rules, VERIFY)
        if isinstance(checked, SignedBundle):
            yield checked.id


def find_early(ledger: Ledger, message: Message) -> Iterator[str]:
    """Yield what a message says that is not durable."""
    match message:
        case Vote() if (RecordKind(message.kind), message.view, message.digest) not in ledger.records:
            yield f"{message.kind.name} of view {message.view}"
        case Proposal(header) if (RecordKind.PROPOSAL, header.view, header.digest) not in ledger.records:
            yield f"proposal of view {header.view}"
        case Batch(header) if not (
            header.digest in ledger.batches and (RecordKind.OWN_BATCH, header.position, header.digest) in ledger.records
        ):
            yield f"own batch {header.position}"
        case CommitmentVote(_, height, digest):
            if (RecordKind.COMMITMENT, height, digest) not in ledger.records or ledger.height < height:
                yield f"commitment of height {height}"
        case Have(entries):
            yield from (f"HAVE of {e.position} in {e.lane}" for e in entries if e.digest not in ledger.batches)
        case Hello():
            yield from find_early(ledger, message.have)
            for vote in message.votes:
                yield from find_early(ledger, vote)
        case _:
            pass


def find_violations(turns: Iterable[Turn]) -> list[str]:
    """Return everything that left some validator before what it rests on."""
    ledgers: dict[int, Ledger] = {}
    found: list[str] = []
    for turn in turns:
        ledger = ledgers.setdefault(turn.replica, Ledger())
        for effect in turn.effects:
            ledger.add(effect)
            if isinstance(effect, out.Send | out.Broadcast):
                found.extend(find_early(ledger, effect.message))
            if isinstance(effect, out.Answer):
                accepted = [s for s in effect.submissions if s.status is out.SubmissionStatus.ACCEPTED]
                found.extend("accepted" for s in accepted if s.item_id not in ledger.items)
    return found


def test_G5_nothing_leaves_before_what_it_rests_on(scene: Cluster) -> None:
    """Votes, proposals, batches, HAVEs, commitments and answers all follow their records."""
    assert find_violations(scene.turns) == []


def test_G5_the_check_finds_effects_in_the_wrong_order(scene: Cluster) -> None:
    """The control: with the effects of each turn reversed nearly everything is early."""
    reversed_turns = [turn._replace(effects=turn.effects[::-1]) for turn in scene.turns]
    found = " ".join(find_violations(reversed_turns))
    assert all(word in found for word in ("NOTARIZE", "FINALIZE", "proposal", "own batch", "HAVE", "commitment"))


def test_accepted_comes_behind_the_push(scene: Cluster) -> None:
    """A client hears `accepted` after the batch was sent to everybody connected."""
    for turn in scene.turns:
        if any(isinstance(e, out.Answer) for e in turn.effects):
            kinds = [type(e.message) if isinstance(e, out.Send) else type(e) for e in turn.effects]
            assert Batch not in kinds[kinds.index(out.Answer) :]


def test_every_request_is_answered_once(scene: Cluster) -> None:
    """Eight requests, eight answers, all accepted."""
    answers = [e for index in range(4) for e in scene.find(index, out.Answer)]
    assert sorted(answer.request for answer in answers) == list(range(1, 9))
    assert {s.status for answer in answers for s in answer.submissions} == {out.SubmissionStatus.ACCEPTED}


def test_L3_every_pushed_batch_goes_to_each_peer_in_order(scene: Cluster) -> None:
    """A receiver's reorder buffer is for losses, not for our disorder."""
    for index in range(4):
        for peer in range(4):
            positions = [
                e.message.header.position
                for e in scene.find(index, out.Send)
                if e.peer == peer and isinstance(e.message, Batch)
            ]
            assert positions == sorted(positions) or index == 2 or peer == 2  # 2 restarted and is pushed to again


# --- determinism ------------------------------------------------------------------------


def test_I15_same_events_give_the_same_effects() -> None:
    """Two runs of one scene agree byte for byte."""
    assert repr(run_scene(1_000).turns) == repr(run_scene(1_000).turns)


def test_I15_recording_replayed_into_a_fresh_replica_gives_the_same_effects(scene: Cluster) -> None:
    """All that a replica does follows from its events and their times."""
    replica = Replica(ReplicaConfig(GENESIS, 0, make_signer(0), VERIFY))
    for turn in (turn for turn in scene.turns if turn.replica == 0):
        now = at(turn.now_ms)
        effects = replica.start(now) if turn.event is None else replica.handle(turn.event, now)
        assert effects == turn.effects


# --- wrong messages ---------------------------------------------------------------------


def make_wrong_messages() -> list[tuple[str, Message]]:
    """Return one message of each kind that a right peer never sends."""
    header = GROUP.child(GROUP.root, view=GROUP.find_view(1))
    forged = replace(GROUP.certify(VoteKind.NULLIFY, 90), signatures=(NOBODY,) * 3)
    have = Have((), (0,) * 4)
    hello = Hello(2, GROUP.chain_id, 0, 1, 0, 0, GROUP.root.digest, (), (), have)
    return [
        ("vote of another epoch", replace(GROUP.vote(1, VoteKind.NULLIFY, 1), epoch=1)),
        ("nullify with a forged entry", replace(GROUP.vote(1, VoteKind.NULLIFY, 91), entry=forged)),
        ("proposal of another leader", GROUP.propose(GROUP.child(GROUP.root, view=GROUP.find_view(2)))),
        ("proposal without signature", replace(GROUP.propose(header), signature=NOBODY)),
        ("proposal with a forged certificate", GROUP.propose(replace(header, view=header.view), forged)),
        ("forged certificate", forged),
        ("weak certificate", GROUP.certify(VoteKind.NULLIFY, 90, signers=(0, 1))),
        ("batch of another lane", GROUP.batch(2, 1)),
        ("batch without signature", replace(GROUP.batch(1, 1), signature=NOBODY)),
        ("have of an unknown lane", Have((HaveEntry(9, 1, name_digest("x")),), (0,) * 4)),
        ("late lane that does not exist", Have((), (0,) * 4, (9,))),
        ("have of another committee", Have((), (0,) * 5)),
        ("hello of another chain", replace(hello, chain_id=name_digest("other"))),
        ("hello of another version", replace(hello, version=1)),
        ("hello with a forged certificate", replace(hello, certificates=(forged,))),
        ("commitment vote of another epoch", replace(GROUP.commitment_vote(1, 5, name_digest("c")), epoch=1)),
        ("weak commitment certificate", GROUP.commitment_certificate(5, name_digest("c"), (0, 1))),
    ]


@pytest.mark.parametrize(
    ("name", "message"), make_wrong_messages(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_wrong_message_bans_its_sender_and_changes_nothing(name: str, message: Message) -> None:
    """The replica's only effect is the ban, and all it does afterwards is what it would have done."""
    disturbed, control = Cluster(), Cluster()
    effects = disturbed.handle(0, events.MessageReceived(1, message))
    for cluster in (disturbed, control):
        cluster.run(1_200)
    assert [type(effect) for effect in effects] == [out.BanPeer], name
    assert [turn for turn in disturbed.turns if turn.effects != effects] == control.turns


def test_wrong_message_is_counted_and_its_reason_told() -> None:
    """The statistics say how many, the effect says why."""
    cluster = Cluster()
    (ban,) = cluster.handle(0, events.MessageReceived(1, GROUP.batch(2, 1)))
    assert isinstance(ban, out.BanPeer)
    assert (ban.peer, "lane 2" in ban.reason) == (1, True)
    assert cluster.replicas[0].get_statistics().counters["messages_refused"] == 1


UNASKED: Sequence[Message] = [
    Batches(1, (GROUP.batch(1, 1),)),
    BlockHeaders((GROUP.child(GROUP.root),)),
    GROUP.commitment_vote(1, 2**63, name_digest("c")),
]


@pytest.mark.parametrize("message", UNASKED, ids=lambda message: type(message).__name__)
def test_message_that_nobody_needs_changes_nothing(message: Message) -> None:
    """Answers to nothing and votes for the far future are no errors, and leave no trace."""
    assert Cluster().handle(0, events.MessageReceived(1, message)) == ()


def test_vote_for_the_far_future_only_makes_its_sender_be_asked() -> None:
    """How it got there would be news; the vote is not kept. # C2"""
    effects = Cluster().handle(0, events.MessageReceived(1, GROUP.vote(1, VoteKind.NULLIFY, 2**63)))
    assert effects == (out.Send(1, GetCertificates(1, 2**63)),)


# --- duties -----------------------------------------------------------------------------


def test_event_before_the_start_is_the_callers_error() -> None:
    """Nothing is handled before `start`."""
    replica = Replica(ReplicaConfig(GENESIS, 0, make_signer(0), VERIFY))
    with pytest.raises(LocalError, match="was not started"):
        replica.handle(events.TimerFired(), at(0))


def test_second_start_is_the_callers_error() -> None:
    """A replica starts once."""
    replica = Replica(ReplicaConfig(GENESIS, 0, make_signer(0), VERIFY))
    replica.start(at(0))
    with pytest.raises(LocalError, match="started already"):
        replica.start(at(0))


def test_timer_fired_too_early_changes_nothing() -> None:
    """A spurious timer is harmless."""
    assert Cluster().handle(0, events.TimerFired()) == ()


def test_answers_that_nobody_waits_for_are_ignored() -> None:
    """A check or a load that was not asked for has no effect."""
    cluster = Cluster()
    effects = [
        cluster.handle(0, events.ItemsChecked(99, ())),
        cluster.handle(0, events.BlocksLoaded(99, (), None)),
        cluster.handle(0, events.Continued()),
    ]
    assert effects == [(), (), ()]


def test_lane_off_holds_and_gossips() -> None:
    """What clients submit travels by gossip and is executed through another's lane."""
    cluster = Cluster(indices=(1, 2, 3))
    cluster.start(0, is_lane_enabled=False)
    bundle = make_bundle(GENESIS, 0)
    cluster.submit(0, bundle)
    cluster.run(10_000, lambda: cluster.replicas[3].executor.get_sequence(bundle.bundle.payer, 0) == 1)
    answers = [s.status for answer in cluster.find(0, out.Answer) for s in answer.submissions]
    assert (answers, cluster.replicas[3].executor.get_sequence(bundle.bundle.payer, 0)) == (
        [out.SubmissionStatus.HELD],
        1,
    )


def test_gossip_off_publishes_nothing() -> None:
    """Not even what stays behind."""
    cluster = Cluster(indices=(1,))
    cluster.start(0, is_gossip_enabled=False)
    cluster.submit(0, make_bundle(GENESIS, 0))
    cluster.run(10_000)
    assert cluster.find(0, out.PublishItems) == []
