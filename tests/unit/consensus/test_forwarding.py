"""Certificates reach whoever is stuck, and nobody is flooded. # F1-F6"""

from __future__ import annotations

import pytest

from sequencer.types.effects import BanPeer
from sequencer.types.vote import Certificate, Vote, VoteKind
from tests.unit.consensus.world import (
    CHAIN,
    FIRST,
    PARAMETERS,
    T_PROP,
    T_RETRY,
    ZERO,
    F,
    N,
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


def test_F1_entry_certificate_goes_to_a_leader_that_shows_no_sign_of_it() -> None:
    """Half a view time after entering."""
    node = make_follower()
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(1))
    node.take()
    node.core.on_timer(at(1 + PARAMETERS.view_timeout_base_ms // 2))
    assert [(peer, sent.kind) for peer, sent in find_sent(node.take(), Certificate)] == [(leader_of(2), N)]


def test_F2_certificates_in_a_proposal_count_as_if_sent_alone() -> None:
    """A validator in view 1 follows the leader of view 2."""
    node = make_follower()
    node.core.on_proposal(leader_of(2), propose(make_header(2), certify(Z, 1)), at(1))
    assert node.core.view == 2
    assert node.take_votes() == [(N, 2, make_header(2).digest)]


def test_F3_nullify_carries_the_certificate_by_which_its_sender_came() -> None:
    """And a receiver in an older view follows it."""
    sender, receiver = make_follower(1, 2, 3), make_follower(1, 2)
    sender.core.on_certificate(certify(Z, 1), at(0))
    sender.take()
    sender.core.on_timer(at(T_PROP))
    (vote,) = find_broadcast(sender.take(), Vote)
    assert vote.entry == certify(Z, 1)
    receiver.core.on_vote((receiver.index + 1) % 4, sign_vote((receiver.index + 1) % 4, Z, 2, entry=vote.entry), at(1))
    assert receiver.core.view == 2


@pytest.mark.parametrize(("kind", "is_resend", "is_answered"), [(Z, False, True), (N, True, True), (N, False, False)])
def test_F4_vote_that_shows_somebody_stuck_is_answered_with_the_way_out(
    kind: VoteKind, is_resend: bool, is_answered: bool
) -> None:
    """A nullify or a repeated vote of an old view; ordinary late votes are normal."""
    node = make_follower()
    peer = node.others[0]
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(1))
    node.take()
    vote = sign_vote(peer, kind, 1, ZERO if kind is Z else FIRST.digest, is_resend=is_resend)
    node.core.on_vote(peer, vote, at(2))
    answers = find_sent(node.take(), Certificate)
    assert [(to, sent.kind, sent.view) for to, sent in answers] == ([(peer, N, 1)] if is_answered else [])


def test_F4_answer_is_given_once_in_the_retry_time() -> None:
    """Nobody is flooded, and nobody is forgotten."""
    node = make_follower()
    peer = node.others[0]
    node.core.on_certificate(certify(Z, 1), at(1))
    vote = sign_vote(peer, Z, 1)
    answers = []
    for ms in (2, 3, 2 + T_RETRY):
        node.take()
        node.core.on_vote(peer, vote, at(ms))
        answers.append(len(find_sent(node.take(), Certificate)))
    assert answers == [1, 0, 1]


def test_F5_hello_brings_own_logged_votes_and_held_certificates() -> None:
    """What a broken connection may have lost."""
    node = make_follower()
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(2))
    assert [(vote.kind, vote.view) for vote in node.core.get_hello_votes()] == [(N, 1), (F, 1)]
    assert node.core.get_hello_certificates() == (certify(N, 1, FIRST.digest),)


def test_F6_assembled_nullification_is_broadcast_and_a_notarization_is_not() -> None:
    """Nullifications are rare and speed recovery."""
    node = make_follower()
    for peer in node.others:
        node.core.on_vote(peer, sign_vote(peer, Z, 1), at(1))
    assert [(sent.kind, sent.view) for sent in find_broadcast(node.take(), Certificate)] == [(Z, 1)]
    node.notarize_by(node.others, make_header(2), ms=2)
    assert find_broadcast(node.take(), Certificate) == []


def test_G4_vote_is_counted_for_its_channel_only() -> None:
    """A relayed vote is a forged vote: its signature does not fit the channel's peer."""
    node = make_follower()
    first, second, third = node.others
    node.notarize_by((first, second), FIRST)
    node.core.on_vote(third, sign_vote(first, N, 1, FIRST.digest), at(1))
    assert [e.peer for e in node.take() if isinstance(e, BanPeer)] == [third]
    assert node.core.view == 1


def test_G2_vote_of_another_chain_does_not_count() -> None:
    """The 85 bytes name the chain."""
    assert sign_vote(0, N, 1, FIRST.digest).compute_signing_bytes(CHAIN) != sign_vote(
        0, N, 1, FIRST.digest
    ).compute_signing_bytes(ZERO)
