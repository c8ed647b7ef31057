"""A voter among scripted peers: what it signs, and what nobody can make it sign. # V1-V12 R1"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.errors import PeerError
from sequencer.types.effects import BanPeer, PersistVote
from sequencer.types.primitives import Instant, LaneLimits, Tip
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.vote import Proposal, Vote, VoteKind
from tests.unit.consensus.world import (
    FIRST,
    OTHER,
    PARAMETERS,
    ROOT,
    T_PROP,
    T_RETRY,
    TIP,
    ZERO,
    F,
    N,
    Node,
    Z,
    at,
    certify,
    find_broadcast,
    find_follower,
    find_logged,
    leader_of,
    make_follower,
    make_header,
    propose,
    sign_vote,
)


def test_V10_valid_proposal_is_notarized_after_it_is_logged() -> None:
    """Log, then send."""
    node = make_follower()
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    effects = node.take()
    assert find_logged(effects) == [(RecordKind.NOTARIZE, 1)]
    assert [(vote.kind, vote.digest) for vote in find_broadcast(effects, Vote)] == [(N, FIRST.digest)]
    assert isinstance(effects[0], PersistVote)


def test_V2_second_proposal_of_a_view_changes_nothing() -> None:
    """An equivocating leader gets one vote from each validator. # V2 X1 X4"""
    node = make_follower()
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    node.core.on_proposal(leader_of(1), propose(OTHER), at(2))
    assert node.take_votes() == [(N, 1, FIRST.digest)]


@pytest.mark.parametrize(
    "proposal",
    [
        propose(FIRST, signer=(leader_of(1) + 1) % 4),
        propose(replace(FIRST, cut=ROOT.cut[:3])),
        propose(replace(FIRST, epoch=1)),
        replace(propose(FIRST), justification=(certify(N, 1, FIRST.digest, (0, 1)),)),
    ],
    ids=["another hand", "too few lanes", "another epoch", "justified by weak power"],
)
def test_V2_malformed_proposal_is_the_peers_error_and_gets_no_vote(proposal: Proposal) -> None:
    """Whoever sends it is named."""
    node = make_follower()
    with pytest.raises(PeerError):
        node.core.on_proposal(leader_of(1), proposal, at(1))
    assert node.take_votes() == []


def test_V2_proposal_from_another_than_the_leader_is_the_peers_error() -> None:
    """The channel says who speaks."""
    node = make_follower()
    with pytest.raises(PeerError):
        node.core.on_proposal((leader_of(1) + 1) % 4, propose(FIRST), at(1))


def test_V6_proposal_waits_for_its_data_and_asks_owner_and_leader() -> None:
    """No vote before the lanes say that it is there; then one. # V6 L6"""
    node = make_follower()
    node.shelf.is_full = False
    lane = next(index for index in range(4) if index not in (node.index, leader_of(1)))
    cut = tuple(TIP if index == lane else tip for index, tip in enumerate(ROOT.cut))
    header = make_header(1, cut=cut)
    node.core.on_proposal(leader_of(1), propose(header), at(1))
    assert node.take_votes() == []
    assert node.shelf.fetched == [(lane, (lane, leader_of(1)))]
    node.shelf.is_full = True
    node.core.recheck(at(2))
    assert node.take_votes() == [(N, 1, header.digest)]


def test_V5_proposal_that_can_never_be_valid_makes_its_receiver_give_the_view_up() -> None:
    """Waiting would be waste."""
    node = make_follower()
    cut = (Tip(PARAMETERS.lane_advance_max + 1, ZERO), *ROOT.cut[1:])
    node.core.on_proposal(leader_of(1), propose(make_header(1, cut=cut)), at(1))
    assert node.take_votes() == [(Z, 1, ZERO)]


def test_T3_proposal_that_nobody_can_notarize_is_given_up_5_T_after_it_came() -> None:
    """Also in an idle view: with a proposal nobody waits for work any more."""
    node = make_follower()
    node.shelf.is_full = False
    cut = tuple(TIP if lane == leader_of(1) else tip for lane, tip in enumerate(ROOT.cut))
    node.core.on_proposal(leader_of(1), propose(make_header(1, cut=cut)), at(3))
    node.core.on_timer(at(3 + 5 * PARAMETERS.view_timeout_base_ms - 1))
    assert node.take_votes() == []
    node.core.on_timer(at(3 + 5 * PARAMETERS.view_timeout_base_ms))
    assert node.take_votes() == [(Z, 1, ZERO)]


def test_T2_view_without_a_proposal_is_given_up() -> None:
    """After the idle time and 3 T, not before."""
    node = make_follower()
    node.core.on_timer(at(T_PROP - 1))
    assert node.take_votes() == []
    assert node.core.get_timer() == T_PROP
    node.core.on_timer(at(T_PROP))
    assert node.take_votes() == [(Z, 1, ZERO)]


def test_V11_nullified_view_gets_neither_notarize_nor_finalize() -> None:
    """Not even when proposal and notarization come right after. # V11 V12 X3"""
    node = make_follower()
    node.core.on_timer(at(T_PROP))
    node.take()
    node.core.on_proposal(leader_of(1), propose(FIRST), at(T_PROP + 1))
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(T_PROP + 2))
    assert node.take_votes() == []


def test_T4_nullify_is_sent_again_marked_until_the_view_is_left() -> None:
    """Whoever has moved on answers a marked vote. # T4 V11"""
    node = make_follower()
    node.core.on_timer(at(T_PROP))
    node.take()
    node.core.on_timer(at(T_PROP + T_RETRY))
    (vote,) = find_broadcast(node.take(), Vote)
    assert (vote.kind, vote.is_resend) == (Z, True)


def test_V11_nullify_of_the_leader_itself_ends_the_wait() -> None:
    """Nobody waits for a leader that says it cannot. # V11 P6"""
    node = make_follower()
    node.core.on_vote(leader_of(1), sign_vote(leader_of(1), Z, 1), at(1))
    assert node.take_votes() == [(Z, 1, ZERO)]


def test_V11_forged_nullify_of_the_leader_bans_and_changes_nothing() -> None:
    """It is verified before it is believed."""
    node = make_follower()
    forged = replace(sign_vote(leader_of(1), Z, 1), signature=bytes(64))
    node.core.on_vote(leader_of(1), forged, at(1))
    effects = node.take()
    assert [e.peer for e in effects if isinstance(e, BanPeer)] == [leader_of(1)]
    assert find_broadcast(effects, Vote) == []


def test_V12_notarization_is_finalized_at_once_even_without_an_own_notarize() -> None:
    """And the finalize is logged first."""
    node = make_follower()
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(1))
    effects = node.take()
    assert find_logged(effects) == [(RecordKind.FINALIZE, 1)]
    assert [vote.kind for vote in find_broadcast(effects, Vote)] == [F]


def test_V12_notarization_of_a_view_that_was_left_is_not_finalized() -> None:
    """Z(1) moved this validator on; N(1) then is for building only. # V12 X3"""
    node = make_follower()
    node.core.on_certificate(certify(Z, 1), at(1))
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(2))
    assert node.take_votes() == []


def test_R1_logged_finalize_forbids_nullify_after_a_restart_and_is_repeated() -> None:
    """The view is still the logged one; what was said stays said. # R1 V11 X3"""
    node = Node(find_follower(1), [VoteRecord(RecordKind.FINALIZE, 0, 1, FIRST.digest)])
    node.core.on_timer(at(T_PROP + T_RETRY))
    votes = find_broadcast(node.take(), Vote)
    assert {(vote.kind, vote.digest, vote.is_resend) for vote in votes} == {(F, FIRST.digest, True)}


def test_R1_nothing_new_is_signed_below_the_highest_logged_view() -> None:
    """The log says that view 7 was reached; view 1 to 6 are over for this validator. # R1 X1 X2"""
    node = Node(find_follower(1, 7), [VoteRecord(RecordKind.NULLIFY, 0, 7, ZERO)])
    assert node.core.view == 7
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(2))
    assert find_logged(node.take()) == []


def test_L8_lane_that_delays_the_vote_by_T_LATE_is_noted_once() -> None:
    """Not before half of T_BASE, and not again in the same view; the timer sees to it."""
    node = make_follower(1)
    node.shelf.is_full = False
    node.core.on_proposal(leader_of(1), propose(make_header(1, cut=(TIP, *ROOT.cut[1:]))), at(1))
    due_ms = 1 + PARAMETERS.view_timeout_base_ms // 2
    assert (node.core.get_timer(), node.shelf.late) == (due_ms, [])
    for now_ms in (due_ms - 1, due_ms, due_ms + 1):
        node.core.on_timer(at(now_ms))
    assert node.shelf.late == [0]


@pytest.mark.parametrize(
    ("position", "voting", "votes"),
    [(2, (2, 4, 4, 4), [N]), (2, (1, 4, 4, 4), [Z]), (2, None, []), (1, None, [N]), (1, (1, 4, 4, 4), [N])],
)
def test_L9_slow_lane_advances_by_one_batch(
    position: int, voting: tuple[int, ...] | None, votes: list[VoteKind]
) -> None:
    """More is refused for ever; what cannot be judged yet waits, unless no lane advances by more than one."""
    node = make_follower(1)
    node.shelf.limits = LaneLimits((1,) * 4, voting)
    cut = (Tip(position, b"\x01" * 32), *ROOT.cut[1:])
    node.core.on_proposal(leader_of(1), propose(make_header(1, cut=cut)), at(1))
    assert [kind for kind, _, _ in node.take_votes()] == votes
    assert node.core.take_suspicions() == []


def test_V7_early_proposal_is_tested_again_at_any_vote_once_the_wall_clock_has_jumped() -> None:
    """Its time may come before the monotonic clock says so: the wall clock was set right."""
    node = make_follower()
    early = replace(FIRST, time_ms=ROOT.time_ms + 60_000)
    node.core.on_proposal(leader_of(1), propose(early), at(1))
    assert node.take_votes() == []
    assert node.core.is_due(at(1))
    jumped = Instant(2, ROOT.time_ms + 60_000)
    peer = next(index for index in range(4) if index not in (node.index, leader_of(1)))
    assert node.core.on_vote(peer, sign_vote(peer, N, 1, OTHER.digest), jumped)
    assert node.take_votes() == [(N, 1, early.digest)]
