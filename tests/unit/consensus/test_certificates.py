"""Counting votes, trusting certificates, entering views, finalizing. # C1-C4 G4"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.errors import PeerError
from sequencer.types.effects import BanPeer, RaiseAlarm
from sequencer.types.messages import BlockHeaders, GetBlocks
from sequencer.types.vote import Certificate
from tests.unit.consensus.world import (
    FIRST,
    OTHER,
    F,
    N,
    Z,
    at,
    certify,
    find_sent,
    leader_of,
    make_follower,
    make_header,
    propose,
    sign_vote,
)


def test_C1_strong_power_makes_a_certificate_and_weak_power_does_not() -> None:
    """Three of four; the third moves the view. # C1 C3"""
    node = make_follower()
    first, second, third = node.others
    node.notarize_by((first, second), FIRST)
    assert node.core.view == 1
    node.notarize_by((third,), FIRST)
    assert node.core.view == 2


def test_C1_wrong_signature_is_found_when_it_would_count_and_bans_its_sender() -> None:
    """Three votes, one forged: no certificate, one ban."""
    node = make_follower()
    first, second, third = node.others
    node.notarize_by((first, second), FIRST)
    node.core.on_vote(third, replace(sign_vote(third, N, 1, FIRST.digest), signature=bytes(64)), at(1))
    assert [e.peer for e in node.take() if isinstance(e, BanPeer)] == [third]
    assert node.core.view == 1


def test_C1_votes_for_two_blocks_do_not_add_up() -> None:
    """Three voters, two digests: nothing."""
    node = make_follower()
    first, second, third = node.others
    node.notarize_by((first, second), FIRST)
    node.notarize_by((third,), OTHER)
    assert node.core.view == 1


@pytest.mark.parametrize(
    "certificate",
    [
        certify(N, 1, FIRST.digest, (0, 1)),
        replace(certify(N, 1, FIRST.digest), signers=(0, 1, 1)),
        replace(certify(N, 1, FIRST.digest), signers=(1, 0, 2)),
        replace(certify(N, 1, FIRST.digest), epoch=1),
        replace(certify(N, 1, FIRST.digest), view=2),
        replace(certify(N, 1, FIRST.digest), kind=F),
        replace(certify(N, 1, FIRST.digest), digest=OTHER.digest),
        replace(certify(N, 1, FIRST.digest), signers=(0, 1, 7)),
    ],
    ids=["weak", "signer twice", "unsorted", "epoch", "view", "kind", "digest", "no member"],
)
def test_C2_certificate_with_anything_wrong_is_the_peers_error(certificate: Certificate) -> None:
    """Strong power of distinct members over exactly these bytes, or nothing. # C2 G1 G2 I7"""
    node = make_follower()
    with pytest.raises(PeerError):
        node.core.on_certificate(certificate, at(1))
    assert node.core.view == 1


def test_C2_contradicting_certificates_stop_all_signing() -> None:
    """Two notarizations of one view: more than F is faulty. # C2 I2"""
    node = make_follower()
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(1))
    node.take()
    node.core.on_certificate(certify(N, 1, OTHER.digest, (1, 2, 3)), at(2))
    assert [e for e in node.take() if isinstance(e, RaiseAlarm)] != []
    node.core.on_timer(at(10_000))
    assert node.take_votes() == []


def test_C2_header_that_a_certificate_names_is_fetched_from_its_signers() -> None:
    """A validator that got another proposal, or none, learns the certified one. # C2 C4"""
    node = make_follower()
    signers = tuple(node.others)
    node.core.on_certificate(certify(F, 1, FIRST.digest, signers), at(1))
    asked = find_sent(node.take(), GetBlocks)
    assert asked != []
    assert {peer for peer, _ in asked} <= set(signers)
    assert node.core.take_finalized() == []
    node.core.on_block_headers(BlockHeaders((FIRST,)), at(2))
    assert [entry.header for entry in node.core.take_finalized()] == [FIRST]


def test_C4_finalization_hands_out_the_block_and_its_ancestors_by_height() -> None:
    """F(3) makes the blocks of views 1 and 3 final, in order."""
    node = make_follower(1, 2, 3)
    child = make_header(3, FIRST)
    node.core.on_proposal(leader_of(1), propose(FIRST), at(1))
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(2))
    node.core.on_certificate(certify(Z, 2), at(3))
    node.core.on_proposal(leader_of(3), propose(child), at(4))
    node.core.on_certificate(certify(F, 3, child.digest), at(5))
    assert [entry.header.height for entry in node.core.take_finalized()] == [1, 2]


def test_C3_certificate_of_a_later_view_carries_forward_and_none_carries_back() -> None:
    """Views may be jumped; they never go back."""
    node = make_follower()
    node.core.on_certificate(certify(Z, 9), at(1))
    assert node.core.view == 10
    node.core.on_certificate(certify(Z, 4), at(2))
    assert node.core.view == 10
