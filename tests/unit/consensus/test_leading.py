"""A leader among scripted peers: when it proposes, on what, and what it writes down first. # P1-P5"""

from __future__ import annotations

import pytest

from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.vote import Proposal
from tests.unit.consensus.world import (
    FIRST,
    PARAMETERS,
    ROOT,
    TIP,
    ZERO,
    N,
    Node,
    Z,
    at,
    certify,
    find_broadcast,
    find_logged,
    leader_of,
    propose,
)


def test_P4_leader_with_data_proposes_once_the_pace_allows() -> None:
    """Not sooner after its parent, and not later."""
    node = Node(leader_of(1))
    node.shelf.offer = (TIP, *ROOT.cut[1:])
    node.core.recheck(at(PARAMETERS.pace_ms - 1))
    assert find_broadcast(node.take(), Proposal) == []
    node.core.recheck(at(PARAMETERS.pace_ms))
    (proposal,) = find_broadcast(node.take(), Proposal)
    assert proposal.header.cut[0] == TIP


def test_P4_leader_without_data_proposes_an_empty_block_after_the_idle_time() -> None:
    """Not before."""
    node = Node(leader_of(1))
    node.core.on_timer(at(PARAMETERS.idle_ms - 1))
    assert find_broadcast(node.take(), Proposal) == []
    node.core.on_timer(at(PARAMETERS.idle_ms))
    (proposal,) = find_broadcast(node.take(), Proposal)
    assert proposal.header.cut == ROOT.cut


def test_P5_proposal_is_logged_before_it_is_sent() -> None:
    """A crash between the two leaves a record without a message, never the reverse."""
    node = Node(leader_of(1))
    node.core.on_timer(at(PARAMETERS.idle_ms))
    effects = node.take()
    assert find_logged(effects[:1]) == [(RecordKind.PROPOSAL, 1)]
    assert find_broadcast(effects[:2], Proposal) != []


@pytest.mark.parametrize("kind", [RecordKind.PROPOSAL, RecordKind.NULLIFY])
def test_P1_leader_that_spoke_before_a_crash_does_not_propose_again(kind: RecordKind) -> None:
    """One proposal per view, and none after giving it up, across restarts. # P1 X4"""
    node = Node(leader_of(1), [VoteRecord(kind, 0, 1, ZERO)])
    node.core.on_timer(at(PARAMETERS.idle_ms))
    assert find_broadcast(node.take(), Proposal) == []


def test_P1_P3_leader_builds_on_the_highest_notarized_view_and_justifies_it() -> None:
    """N(1) and Z(2) carry a proposal of view 3 on the block of view 1."""
    node = Node(leader_of(3))
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(2))
    node.core.on_certificate(certify(Z, 2), at(3))
    node.core.on_timer(at(3 + PARAMETERS.idle_ms))
    (proposal,) = find_broadcast(node.take(), Proposal)
    assert (proposal.header.parent_view, proposal.header.parent_digest) == (1, FIRST.digest)
    assert [(held.kind, held.view) for held in proposal.justification] == [(N, 1), (Z, 2)]


def test_O1_leader_with_a_frozen_cut_proposes_no_data() -> None:
    """Safe halt and delivery lag: blocks go on, empty. # O1 E2"""
    node = Node(leader_of(1))
    node.core.freeze_cut(True)
    node.shelf.offer = (TIP, *ROOT.cut[1:])
    node.core.on_timer(at(PARAMETERS.idle_ms))
    (proposal,) = find_broadcast(node.take(), Proposal)
    assert proposal.header.cut == ROOT.cut


@pytest.mark.parametrize(("view", "is_calm"), [(3, True), (4, False)])
def test_P2_leader_is_careful_while_views_fail(view: int, is_calm: bool) -> None:
    """Up to three views above the finalized one it may propose what is not supported."""
    node = Node(leader_of(view))
    for failed in range(1, view):
        node.core.on_certificate(certify(Z, failed), at(1))
    node.core.recheck(at(2))
    assert node.shelf.asked[-1][1] is is_calm


def test_P4_leader_that_cannot_lead_to_what_others_hold_proposes_in_time_for_them() -> None:
    """They give it up 3 T after they saw work; it proposes what it has after T."""
    node = Node(leader_of(1))
    node.shelf.is_more_elsewhere = True
    node.core.on_timer(at(PARAMETERS.view_timeout_base_ms - 1))
    assert find_broadcast(node.take(), Proposal) == []
    node.core.on_timer(at(PARAMETERS.view_timeout_base_ms))
    (proposal,) = find_broadcast(node.take(), Proposal)
    assert proposal.header.cut == ROOT.cut


def test_L9_leader_leads_no_lane_far_while_views_fail() -> None:
    """What advances by one batch is votable for everybody."""
    node = Node(leader_of(5))
    for failed in range(1, 5):
        node.core.on_certificate(certify(Z, failed), at(1))
    node.core.recheck(at(2))
    assert node.shelf.asked[-1] == ((1, 1, 1, 1), False)
