"""Asking a peer for certificates: long justifications and peers far ahead. # P3 C2"""

from __future__ import annotations

from sequencer.consensus.state import FUTURE_VIEWS_MAX
from sequencer.types.messages import CERTIFICATES_PER_ANSWER_MAX, GetCertificates
from sequencer.types.vote import Certificate
from tests.unit.consensus.world import (
    FIRST,
    PARAMETERS,
    T_RETRY,
    F,
    N,
    Node,
    Z,
    at,
    certify,
    find_follower,
    find_sent,
    leader_of,
    make_header,
    propose,
    sign_vote,
)

LONG = PARAMETERS.justification_certificates_max + 8
"""Views that failed before the proposal."""


def make_node_after(*views: int) -> Node:
    """Return a validator that leads neither view 1 nor the one after the failed ones, and holds Z of `views`."""
    node = Node(find_follower(1, LONG + 1))
    for view in views:
        node.core.on_certificate(certify(Z, view), at(1))
    node.take()
    return node


def test_P3_C2_proposal_that_carries_only_part_of_its_grounds_is_asked_about() -> None:
    """The voter names what it lacks, and votes once that has come."""
    node = make_node_after(LONG)
    header = make_header(LONG + 1)
    grounds = [certify(Z, view) for view in range(LONG, LONG - PARAMETERS.justification_certificates_max, -1)]
    node.core.on_proposal(leader_of(LONG + 1), propose(header, *grounds), at(2))
    effects = node.take()
    assert find_sent(effects, GetCertificates) == [(leader_of(LONG + 1), GetCertificates(1, LONG))]
    for view in range(1, LONG - PARAMETERS.justification_certificates_max + 1):
        node.core.on_certificate(certify(Z, view), at(3))
    assert (N, LONG + 1, header.digest) in node.take_votes()


def test_P3_certificates_of_a_range_are_answered_with_what_is_held() -> None:
    """Lowest first, at most 64, and to one peer once per T_RETRY."""
    node = make_node_after(*range(1, 80))
    for now_ms in (10, 11, 10 + T_RETRY):
        node.core.on_get_certificates(2, GetCertificates(3, 79), at(now_ms))
    views = [certificate.view for _, certificate in find_sent(node.take(), Certificate)]
    assert views == 2 * list(range(3, 3 + CERTIFICATES_PER_ANSWER_MAX))


def test_P3_peer_behind_finality_is_answered_with_the_finalization_first() -> None:
    """What it asks for below is not needed any more."""
    node = make_node_after()
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    node.core.on_certificate(certify(F, 1, FIRST.digest), at(2))
    node.core.on_certificate(certify(Z, 2), at(3))
    node.take()
    node.core.on_get_certificates(3, GetCertificates(1, 2), at(4))
    assert [(c.kind, c.view) for _, c in find_sent(node.take(), Certificate)] == [(F, 1), (Z, 2)]


def test_C2_peer_beyond_the_window_is_asked_how_it_got_there() -> None:
    """Its vote is not kept; it is asked once per T_RETRY for what leads up to its view."""
    node = make_node_after()
    far = 2 + FUTURE_VIEWS_MAX
    for now_ms in (1, 2, 1 + T_RETRY):
        node.core.on_vote(2, sign_vote(2, Z, far), at(now_ms))
    asked = find_sent(node.take(), GetCertificates)
    assert (asked, node.core.counters.votes_beyond_window) == ([(2, GetCertificates(1, far))] * 2, 3)
    assert node.core.get_bounds()["future_votes_per_signer"][0] == 0
