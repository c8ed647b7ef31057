"""No lane is left out for long, and nobody waits for a leader that is not there. # V8 T5"""

from __future__ import annotations

import pytest

from sequencer.consensus.activity import Activity
from sequencer.consensus.inclusion import InclusionFloor
from sequencer.types.primitives import Supported, Tip
from sequencer.types.vote import VoteKind
from tests.unit.consensus.world import (
    COMMITTEE,
    PARAMETERS,
    ROOT,
    TIP,
    F,
    N,
    Node,
    Z,
    at,
    certify,
    find_follower,
    leader_of,
    make_header,
    propose,
    sign_vote,
)

VIEW = PARAMETERS.inclusion_views + 2
"""The view in which what was supported when view 2 was entered must be included."""
EVERYBODY = frozenset(range(4))


def make_voter(holders: frozenset[int] = EVERYBODY) -> Node:
    """Return a validator in view `VIEW` that has seen lane 0 supported since view 2, and only empty blocks."""
    node = Node(find_follower(VIEW))
    node.shelf.supported = {0: Supported(1, holders)}
    parent = ROOT
    for view in range(1, VIEW):
        header = make_header(view, parent)
        node.core.on_certificate(certify(N, view, header.digest), at(view))
        node.core.on_certificate(certify(F, view, header.digest), at(view))
        node.core.add_headers((header,), at(view))
        parent = header
    node.take()
    return node


def offer(node: Node, *tips: Tip) -> list[tuple[VoteKind, int]]:
    """Let the leader of `VIEW` propose these tips of the first lanes; return kinds and views of the votes."""
    cut = (*tips, *ROOT.cut[len(tips) :])
    node.core.on_proposal(leader_of(VIEW), propose(make_header(VIEW, node.core.head, cut=cut)), at(VIEW))
    return [(kind, view) for kind, view, _ in node.take_votes()]


def test_V8_proposal_that_leaves_out_a_long_supported_lane_gets_no_vote() -> None:
    """It stays pending, is counted once, and its view is given up at t_adv."""
    node = make_voter()
    assert offer(node) == []
    node.core.recheck(at(VIEW + 1))
    assert (node.take_votes(), node.core.counters.proposals_without_lane) == ([], 1)
    node.core.on_timer(at(10_000))
    assert [(kind, view) for kind, view, _ in node.take_votes()] == [(Z, VIEW)]


def test_V8_proposal_that_includes_the_lane_gets_a_vote() -> None:
    """The control."""
    assert offer(make_voter(), TIP) == [(N, VIEW)]


def test_V8_leader_that_does_not_hold_the_lane_is_not_asked_for_it() -> None:
    """It never told HAVE for the tip, so it may not know it."""
    assert offer(make_voter(EVERYBODY - {leader_of(VIEW)})) == [(N, VIEW)]


def test_V8_lane_that_forked_is_not_asked_for() -> None:
    """What is not supported any more is no reason to refuse."""
    node = make_voter()
    node.shelf.supported = {}
    assert offer(node) == [(N, VIEW)]


def test_V8_validator_that_would_propose_nothing_itself_asks_for_nothing() -> None:
    """Safe halt and delivery lag. # O1 E2"""
    node = make_voter()
    node.core.freeze_cut(True)
    assert offer(node) == [(N, VIEW)]


def test_V8_is_not_applied_while_views_fail() -> None:
    """Two lies about HAVE must not stop the network."""
    node = Node(find_follower(VIEW))
    node.shelf.supported = {0: Supported(1, EVERYBODY)}
    for view in range(1, VIEW):
        node.core.on_certificate(certify(Z, view), at(view))
    node.take()
    assert offer(node) == [(N, VIEW)]


@pytest.mark.parametrize(("view", "position", "omitted"), [(5, 0, 0), (4, 0, None), (5, 1, None)])
def test_V8_demand_waits_for_its_views_and_asks_for_one_batch(view: int, position: int, omitted: int | None) -> None:
    """Four views after it was seen, and no more than even a slow lane may advance. # L9"""
    floor = InclusionFloor(4)
    seen = {0: Supported(3, EVERYBODY)}
    floor.on_entered(1, seen)
    cut = (Tip(position, bytes(32)), *ROOT.cut[1:])
    assert floor.find_omitted(view, 2, cut, ROOT.cut, seen) == omitted


def hear(activity: Activity, *signers: int, views: int = COMMITTEE.size + 1) -> Activity:
    """Let so many views pass in which only `signers` are heard."""
    for _ in range(views):
        activity.on_entered()
        activity.note(signers)
    return activity


def test_T5_leader_that_strong_power_outlived_is_silent() -> None:
    """After n views, not after fewer."""
    assert not hear(Activity(COMMITTEE, 0), 0, 1, 2, views=COMMITTEE.size).is_silent(3, lambda vote: True)
    assert hear(Activity(COMMITTEE, 0), 0, 1, 2).is_silent(3, lambda vote: True)


def test_T5_nobody_is_silent_to_a_validator_that_hears_too_few() -> None:
    """It may be the one that is cut off."""
    assert not hear(Activity(COMMITTEE, 0), 0, 1).is_silent(3, lambda vote: True)


@pytest.mark.parametrize("is_genuine", [True, False])
def test_T5_late_vote_shows_that_its_signer_is_there_if_it_is_genuine(is_genuine: bool) -> None:
    """Votes that come after the certificate are verified only now. # C1"""
    activity = hear(Activity(COMMITTEE, 0), 0, 1, 2)
    activity.note_unverified(3, sign_vote(3, N, 4, ROOT.digest))
    assert activity.is_silent(3, lambda vote: is_genuine) is not is_genuine


def test_T5_view_of_a_silent_leader_is_given_up_at_once() -> None:
    """Everybody else's votes made the views before; a proposal that comes anyway is not waited for."""
    node = Node(find_follower(6))
    silent = leader_of(6)
    others = [index for index in range(4) if index != silent]
    for view in range(1, 6):
        node.core.on_certificate(certify(Z, view, signers=others), at(5))
    node.take()
    due_ms = node.core.get_timer()
    node.core.on_timer(at(5))
    assert (due_ms, [(kind, view) for kind, view, _ in node.take_votes()]) == (5, [(Z, 6)])
    assert node.core.counters.leaders_skipped == 1


def test_T5_views_jumped_over_are_not_counted() -> None:
    """A validator that comes back by one certificate waits for every leader."""
    node = Node(find_follower(901))
    others = [index for index in range(4) if index != leader_of(901)]
    node.core.on_certificate(certify(Z, 900, signers=others), at(5))
    node.take()
    node.core.on_timer(at(5))
    assert node.take_votes() == []
