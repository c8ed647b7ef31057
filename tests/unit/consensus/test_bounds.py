"""What peers can make a validator keep, do and say is bounded; time always moves on. # C1 C2 F4 I11 R1"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest

from sequencer.consensus.core import Consensus
from sequencer.consensus.finality import Anchor
from sequencer.consensus.forwarding import ANSWERS_REMEMBERED_MAX, Forwarding
from sequencer.consensus.header_fetch import BACKOFF_MAX, QUICK_TRIES, WANTED_MAX, HeaderFetch
from sequencer.consensus.own_votes import OwnVotes
from sequencer.consensus.state import FUTURE_VIEWS_MAX
from sequencer.consensus.view_record import DIGESTS_PER_SIGNER_MAX, ViewRecord
from sequencer.errors import PeerError
from sequencer.types.effects import BanPeer, PersistVote, RaiseAlarm, Send
from sequencer.types.messages import BlockHeaders, GetCertificates
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.vote import Vote, VoteKind
from tests.unit.consensus.world import (
    FIRST,
    OTHER,
    ROOT,
    F,
    N,
    Node,
    Shelf,
    Z,
    at,
    certify,
    find_broadcast,
    find_sent,
    leader_of,
    make_follower,
    make_header,
    propose,
    sign_vote,
)
from tests.unit.core_world import VERIFY, Group, make_genesis, make_signer, name_digest
from tests.unit.core_world import at as core_at


def count_kept(record: ViewRecord) -> int:
    """Return how many digests and ballots a record keeps, empty ones too."""
    return len(record._ballots) + sum(len(ballots) for ballots in record._ballots.values())


# --- what is kept -----------------------------------------------------------------------


def test_C1_two_digests_per_signer_are_kept_and_nothing_of_a_third() -> None:
    """A signer that names a thousand blocks leaves two of them."""
    record = ViewRecord(1)
    for number in range(1_000):
        record.add_vote(3, Vote(N, 0, 1, name_digest(str(number)), bytes(64)), is_verified=False)
    assert count_kept(record) == 2 * DIGESTS_PER_SIGNER_MAX


def test_C1_a_flooder_does_not_push_out_another_signers_vote() -> None:
    """Each signer has places of its own."""
    node = make_follower()
    first, second, flooder = node.others
    for number in range(50):
        node.core.on_vote(flooder, sign_vote(flooder, N, 1, name_digest(str(number))), at(1))
    node.notarize_by((first, second), FIRST)
    node.core.on_proposal(leader_of(1), propose(FIRST), at(2))
    assert (F, 1, FIRST.digest) in node.take_votes()


@pytest.mark.parametrize("view", [FUTURE_VIEWS_MAX + 2, 2**40, 2**64 - 1])
def test_C1_votes_for_views_far_ahead_are_not_kept(view: int) -> None:
    """Strong power for a far view moves nobody by single votes, and nothing is stored."""
    node = make_follower()
    for peer in node.others:
        node.core.on_vote(peer, sign_vote(peer, Z, view), at(1))
    sent = [type(e.message) for e in node.take() if isinstance(e, Send)]
    assert (node.core.view, set(sent), node.core.get_hello_certificates()) == (1, {GetCertificates}, ())
    assert node.core.get_bounds()["view_records"][0] <= 1


def test_C1_votes_up_to_16_views_ahead_count() -> None:
    """The window of the future is open that far."""
    node = make_follower()
    for peer in node.others:
        node.core.on_vote(peer, sign_vote(peer, Z, 1 + FUTURE_VIEWS_MAX), at(1))
    assert node.core.view == 2 + FUTURE_VIEWS_MAX


def test_C2_proposal_far_ahead_is_not_kept() -> None:
    """It is no error; its leader is asked how it got there."""
    node = make_follower(1, FUTURE_VIEWS_MAX + 2)
    far = make_header(FUTURE_VIEWS_MAX + 2)
    node.core.on_proposal(leader_of(far.view), propose(far), at(1))
    assert [type(e.message) for e in node.take() if isinstance(e, Send)] == [GetCertificates]
    assert node.core.get_bounds()["view_records"][0] <= 1


def test_F4_many_stale_votes_are_answered_once_in_the_retry_time() -> None:
    """A peer that repeats itself is not an amplifier."""
    node = make_follower()
    node.core.on_certificate(certify(Z, 1), at(1))
    node.take()
    peer = node.others[0]
    for number in range(100):
        node.core.on_vote(peer, sign_vote(peer, Z, 1, is_resend=True), at(2 + number))
    assert len(find_sent(node.take(), type(certify(Z, 1)))) == 1


def test_F4_votes_of_many_finalized_views_get_one_answer() -> None:
    """The same certificate leads out of all of them."""
    node = make_follower()
    node.core.on_certificate(certify(F, 200, FIRST.digest), at(1))
    node.take()
    peer = node.others[0]
    for view in range(1, 100):
        node.core.on_vote(peer, sign_vote(peer, Z, view, is_resend=True), at(2))
    assert len(find_sent(node.take(), type(certify(Z, 1)))) == 1


def test_F4_stale_votes_of_unknown_views_leave_nothing() -> None:
    """Asking about every old view creates no record of it."""
    node = make_follower()
    node.core.on_certificate(certify(Z, 500), at(1))
    peer = node.others[0]
    before = len(node.core._state.records)
    for view in range(1, 400):
        node.core._answer_stale(peer, view, at(2))
    assert len(node.core._state.records) == before


def test_F4_remembered_answers_are_bounded() -> None:
    """The oldest is forgotten first."""
    forwarding = Forwarding()
    for view in range(ANSWERS_REMEMBERED_MAX + 1):
        forwarding.may_answer(1, view, 0, 1_000)
    assert (forwarding.may_answer(1, 0, 1, 1_000), forwarding.may_answer(1, 500, 1, 1_000)) == (True, False)


def test_C4_finalized_views_are_forgotten() -> None:
    """Records below the finalized view go, so a long run keeps no more than a short one."""
    node = make_follower()
    parent = ROOT
    for view in range(1, 200):
        header = make_header(view, parent)
        node.core.on_proposal(leader_of(view), propose(header), at(view))
        node.core.on_certificate(certify(N, view, header.digest), at(view))
        node.core.on_certificate(certify(F, view, header.digest), at(view))
        parent = header
    assert (node.core.head.height, len(node.core._state.records) < 5) == (199, True)


def test_C4_headers_wanted_are_bounded() -> None:
    """The oldest request is given up for a newer one."""
    fetch = HeaderFetch(250)
    for number in range(WANTED_MAX + 3):
        fetch.want(name_digest(str(number)), (1, 2), 0)
    assert (len(fetch.poll(0)), fetch.is_wanted(name_digest("0"))) == (2 * WANTED_MAX, False)


def test_C4_header_of_a_view_that_finality_left_behind_is_no_longer_asked_for() -> None:
    """A notarized block that was skipped may be held by nobody any more."""
    node = make_follower(1, 2, 3)
    node.core.on_certificate(certify(N, 1, name_digest("lost")), at(1))
    node.core.on_certificate(certify(Z, 1), at(1))
    header = make_header(2)
    node.core.on_proposal(leader_of(2), propose(header, certify(Z, 1)), at(2))
    node.core.on_certificate(certify(N, 2, header.digest), at(3))
    node.core.on_certificate(certify(F, 2, header.digest), at(3))
    node.take()
    node.core.recheck(at(60_000))
    assert node.take() == []


@pytest.mark.parametrize("headers", [(), (OTHER,), (FIRST, OTHER)])
def test_C4_headers_nobody_asked_for_are_ignored(headers: tuple[object, ...]) -> None:
    """An answer must start with a wanted digest."""
    node = make_follower()
    node.core.on_block_headers(BlockHeaders(headers), at(1))  # type: ignore[arg-type] # headers
    assert node.core._state.tree.get(OTHER.digest) is None


# --- alarms -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(certify(N, 1, FIRST.digest), certify(N, 1, OTHER.digest), id="two notarizations"),
        pytest.param(certify(F, 1, FIRST.digest), certify(F, 1, OTHER.digest), id="two finalizations"),
        pytest.param(certify(N, 1, FIRST.digest), certify(F, 1, OTHER.digest), id="another block final"),
        pytest.param(certify(Z, 1), certify(F, 1, FIRST.digest), id="nullified, then final"),
        pytest.param(certify(F, 1, FIRST.digest), certify(Z, 1), id="final, then nullified"),
    ],
)
def test_C2_every_contradiction_raises_the_alarm_and_silences_the_node(first: object, second: object) -> None:
    """More than F are faulty: nothing is signed any more."""
    node = make_follower()
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    node.take()
    node.core.on_certificate(first, at(2))  # type: ignore[arg-type] # certificates
    node.core.on_certificate(second, at(3))  # type: ignore[arg-type] # certificates
    alarms = [e for e in node.take() if isinstance(e, RaiseAlarm)]
    node.core.on_timer(at(60_000))
    assert (len(alarms), find_broadcast(node.take(), Vote), node.core.get_hello_votes()) == (1, [], ())


def test_C2_notarized_and_nullified_view_is_no_contradiction() -> None:
    """Both may be: honest validators notarize and later nullify."""
    node = make_follower()
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(1))
    node.core.on_certificate(certify(Z, 1), at(2))
    assert node.core.alarm is None


# --- proposals that come at the wrong time ----------------------------------------------


def test_V7_proposal_from_the_future_is_votable_when_its_time_comes() -> None:
    """It is pending, the timer says until when, and then it gets its vote."""
    node = make_follower()
    node.core.on_proposal(leader_of(1), propose(make_header(1, time_ms=ROOT.time_ms + 600)), at(1))
    early, due_ms = node.take_votes(), node.core.get_timer()
    assert due_ms is not None
    node.core.on_timer(at(due_ms))
    assert (early, due_ms, [kind for kind, _, _ in node.take_votes()]) == ([], 100, [N])


def test_V1_proposal_of_the_next_view_gets_its_vote_on_entering() -> None:
    """A leader that is ahead is not asked again."""
    node = make_follower()
    second = make_header(2)
    node.core.on_proposal(leader_of(2), propose(second), at(1))
    early = node.take_votes()
    node.core.on_certificate(certify(Z, 1), at(2))
    assert (early, node.take_votes()) == ([], [(N, 2, second.digest)])


def test_V11_leaders_nullify_that_came_early_counts_on_entering() -> None:
    """A leader that has given up already is not waited for."""
    node = make_follower()
    leader = leader_of(2)
    node.core.on_vote(leader, sign_vote(leader, Z, 2), at(1))
    node.take()
    node.core.on_certificate(certify(Z, 1), at(2))
    assert node.take_votes() == [(Z, 2, bytes(32))]


def test_V12_notarization_after_own_nullify_is_never_finalized() -> None:
    """Not at once, not later, not at a reconnect."""
    node = make_follower()
    node.core.on_timer(at(10_000))
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(10_001))
    node.core.on_timer(at(60_000))
    votes = [*node.take_votes(), *((v.kind, v.view, v.digest) for v in node.core.get_hello_votes())]
    assert (F, 1, FIRST.digest) not in votes


# --- restarts ---------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [(N,), (Z,), (N, Z), (N, F)])
def test_R1_whatever_was_logged_nothing_new_contradicts_it(kinds: tuple[VoteKind, ...]) -> None:
    """After a restart every sequence of inputs leaves at most one notarize, and never nullify with finalize."""
    log = [VoteRecord(RecordKind(k), 0, 1, bytes(32) if k is Z else FIRST.digest) for k in kinds]
    node = Node(make_follower().index, log)
    node.core.on_proposal(leader_of(1), propose(OTHER), at(1))
    node.core.on_certificate(certify(N, 1, OTHER.digest), at(2))
    node.core.on_timer(at(60_000))
    effects = node.take()
    said = {(k, bytes(32) if k is Z else FIRST.digest) for k in kinds}
    said |= {
        (VoteKind(e.record.kind), e.record.digest)
        for e in effects
        if isinstance(e, PersistVote) and e.record.number == 1
    }
    assert sum(kind is N for kind, _ in said) <= 1
    assert not ({Z, F} <= {kind for kind, _ in said})


def test_R1_records_of_another_epoch_are_ignored() -> None:
    """An old log does not bind a new epoch."""
    node = Node(make_follower().index, [VoteRecord(RecordKind.NULLIFY, 7, 1, bytes(32))])
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    assert node.take_votes() == [(N, 1, FIRST.digest)]


def test_D1_observer_follows_and_signs_nothing() -> None:
    """Without a key a node enters views and hands out what is final."""
    genesis = make_genesis()
    group = Group(genesis)
    core = Consensus(
        group.chain_id,
        group.committee,
        genesis.parameters,
        0,
        OwnVotes(group.chain_id, 0, None, ()),
        VERIFY,
        Shelf(),
        Anchor(group.root, group.root, None),
    )
    core.start(core_at(0))
    header = group.child(group.root, view=1)
    core.on_proposal(group.committee.get_leader(1), group.propose(header), core_at(1))
    core.on_certificate(group.certify(F, 1, header.digest), core_at(2))
    core.on_timer(core_at(60_000))
    assert ([f.header for f in core.take_finalized()], core.view) == ([header], 2)
    assert not [e for e in core.take_effects() if isinstance(e, PersistVote)]
    assert core.get_hello_votes() == ()


# --- small committees and clocks --------------------------------------------------------


def make_alone(log: tuple[VoteRecord, ...] = ()) -> Consensus:
    genesis = make_genesis((1,))
    own = OwnVotes(genesis.chain_id, 0, make_signer(0), log)
    anchor = Anchor(genesis.header, genesis.header, None)
    core = Consensus(genesis.chain_id, genesis.committee, genesis.parameters, 0, own, VERIFY, Shelf(), anchor)
    core.start(core_at(0))
    return core


def test_G1_one_validator_finalizes_alone() -> None:
    """A committee of one needs nobody's votes, and keeps its idle pace."""
    core = make_alone()
    for _ in range(5):
        core.on_timer(core_at(core.get_timer() or 0))
    assert core.head.height == 5


def test_R1_one_validator_goes_on_after_a_restart_with_a_logged_finalize() -> None:
    """Its own votes make the certificates again; nobody else will send any."""
    core = make_alone()
    core.on_timer(core_at(core.get_timer() or 0))
    records = [e for e in core.take_effects() if isinstance(e, PersistVote)]
    headers = tuple(e.header for e in records if e.header is not None)
    genesis = make_genesis((1,))
    own = OwnVotes(genesis.chain_id, 0, make_signer(0), [e.record for e in records])
    anchor = Anchor(genesis.header, genesis.header, None, headers)
    again = Consensus(genesis.chain_id, genesis.committee, genesis.parameters, 0, own, VERIFY, Shelf(), anchor)
    again.start(core_at(0))
    again.on_timer(core_at(again.get_timer() or 0))
    assert again.head.height == 2


def random_inputs(rng: random.Random, node: Node) -> Iterator[None]:
    """Feed a node right, wrong, early and late messages of a few views."""
    headers = {view: make_header(view, time_ms=ROOT.time_ms + rng.randrange(1, 900)) for view in range(1, 6)}
    now = 0
    while True:
        now += rng.choice((0, 1, 7, 50, 300))
        view, peer = rng.randrange(1, 6), rng.choice(node.others)
        digest = headers[view].digest
        kind = rng.choice(list(VoteKind))
        try:
            match rng.randrange(5):
                case 0:
                    node.core.on_vote(peer, sign_vote(peer, kind, view, bytes(32) if kind is Z else digest), at(now))
                case 1:
                    node.core.on_proposal(leader_of(view), propose(headers[view], certify(Z, view - 1)), at(now))
                case 2:
                    kind = rng.choice((N, Z))
                    node.core.on_certificate(certify(kind, view, bytes(32) if kind is Z else digest), at(now))
                case 3:
                    node.core.on_disconnected(peer)
                case _:
                    now = max(now, node.core.get_timer() or now)
                    node.core.on_timer(at(now))
        except PeerError:
            node.core.recheck(at(now))
        timer = node.core.get_timer()
        if timer is not None and timer <= now:
            node.core.on_timer(at(now))
        timer = node.core.get_timer()
        assert timer is None or timer > now, f"timer {timer} is not after {now}"
        yield


@pytest.mark.parametrize("seed", range(25))
def test_timers_always_move_forward_over_random_inputs(seed: int) -> None:
    """After the work of a timer the next one is strictly later, whatever came before."""
    inputs = random_inputs(random.Random(seed), make_follower())
    for _ in range(60):
        next(inputs)


@pytest.mark.parametrize("seed", range(25))
def test_V11_V12_random_inputs_never_make_a_contradiction(seed: int) -> None:
    """Over random inputs a validator notarizes once per view and never both nullifies and finalizes."""
    node = make_follower()
    inputs = random_inputs(random.Random(1_000 + seed), node)
    said: list[tuple[RecordKind, int, bytes]] = []
    for _ in range(60):
        next(inputs)
        said.extend(
            (e.record.kind, e.record.number, e.record.digest) for e in node.take() if isinstance(e, PersistVote)
        )
    once = [(kind, view) for kind, view, _ in said]
    assert len(once) == len(set(once))
    views = {view for kind, view in once if kind is RecordKind.NULLIFY}
    assert not views & {view for kind, view in once if kind is RecordKind.FINALIZE}


def test_G4_wrong_vote_signature_bans_only_its_sender() -> None:
    """The channel says who voted; nobody can make another be banned."""
    node = make_follower()
    first, second, third = node.others
    node.core.on_vote(first, sign_vote(second, N, 1, FIRST.digest), at(1))
    node.notarize_by((second, third), FIRST)
    assert {e.peer for e in node.take() if isinstance(e, BanPeer)} == {first}


def test_I11_flood_of_future_votes_fills_its_table_and_no_more() -> None:
    """Two digests for notarize and finalize and one nullify in each of sixteen views; the rest is counted."""
    node = make_follower(1)
    for view in range(2, 40):
        for number in range(3):
            for kind in (N, F):
                node.core.on_vote(3, sign_vote(3, kind, view, name_digest(str(number))), at(1))
        node.core.on_vote(3, sign_vote(3, Z, view), at(1))
    seen, bound = node.core.get_bounds()["future_votes_per_signer"]
    assert (seen, bound) == (bound, FUTURE_VIEWS_MAX * 5)
    assert (node.core.counters.votes_surplus, node.core.counters.votes_beyond_window) == (FUTURE_VIEWS_MAX * 2, 22 * 7)


def test_I11_flood_of_future_proposals_fills_the_views_that_its_sender_leads() -> None:
    """One proposal per view; a second is counted."""
    node = make_follower(1)
    flooder = leader_of(5)
    views = [view for view in range(2, 60) if leader_of(view) == flooder]
    for view in views:
        for step in (1, 2):
            node.core.on_proposal(flooder, propose(make_header(view, time_ms=ROOT.time_ms + step)), at(1))
    seen, bound = node.core.get_bounds()["future_proposals_per_leader"]
    inside = sum(view <= 1 + FUTURE_VIEWS_MAX for view in views)
    assert (seen, bound) == (inside, inside)
    assert node.core.counters.proposals_surplus == inside
    assert node.core.counters.proposals_beyond_window == 2 * (len(views) - inside)


def test_I14_header_that_nobody_keeps_is_asked_for_less_and_less() -> None:
    """Quickly at first, for it may be on its way; then 2 s apart, for ever."""
    fetch = HeaderFetch(250)
    fetch.want(name_digest("gone"), (1, 2, 3), 0)
    times = []
    for now_ms in range(0, 30_000, 50):
        if fetch.poll(now_ms):
            times.append(now_ms)
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert gaps[: QUICK_TRIES - 1] == [250] * (QUICK_TRIES - 1)
    assert set(gaps[QUICK_TRIES + BACKOFF_MAX :]) == {250 << BACKOFF_MAX}
