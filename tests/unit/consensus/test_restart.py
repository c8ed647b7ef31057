"""All validators die at once and not all come back: what was certified is there again. # R1 F5"""

from __future__ import annotations

from sequencer.types.effects import PersistVote
from tests.unit.consensus.world import (
    FIRST,
    T_PROP,
    F,
    N,
    Node,
    Z,
    at,
    certify,
    find_logged,
    leader_of,
    sign_vote,
)


def restart(node: Node) -> Node:
    """Return the validator as it starts from what it made durable."""
    logged = [effect for effect in node.take() if isinstance(effect, PersistVote)]
    certificates = [certificate for effect in logged for certificate in effect.certificates]
    return Node(node.index, [effect.record for effect in logged], certificates)


def connect_all(nodes: list[Node]) -> None:
    """Let every validator say to every other what a HELLO says."""
    for node in nodes:
        for other in nodes:
            if other is not node:
                for certificate in other.core.get_hello_certificates():
                    node.core.on_certificate(certificate, at(1))
                for vote in other.core.get_hello_votes():
                    node.core.on_vote(other.index, vote, at(1))


def test_R1_nullification_survives_though_one_of_its_voters_never_comes_back() -> None:
    """Z(1) came from validators 0, 2 and 3; 1 went on by it; all die; 3 is gone for good. # R1 V3"""
    nodes = [Node(0), Node(1), Node(2)]
    for node, peer in ((nodes[0], 2), (nodes[2], 0)):
        node.core.on_timer(at(T_PROP))
        node.core.on_vote(peer, sign_vote(peer, Z, 1), at(T_PROP))
        node.core.on_vote(3, sign_vote(3, Z, 1), at(T_PROP))
    nodes[1].core.on_certificate(certify(Z, 1, signers=(0, 2, 3)), at(T_PROP))
    for node in nodes:
        node.core.on_timer(at(2 * T_PROP))  # nobody proposes in view 2
    restarted = [restart(node) for node in nodes]
    connect_all(restarted)
    held = [[(c.kind, c.view) for c in node.core.get_hello_certificates()] for node in restarted]
    assert held == [[(Z, 1), (Z, 2)]] * 3


def test_R1_V12_logged_notarization_is_there_again_and_is_not_finalized_late() -> None:
    """It carries the next proposals; the moment for a finalize has passed unless it was logged."""
    node = Node(next(index for index in range(4) if index not in (leader_of(1), leader_of(2))))
    node.core.on_timer(at(T_PROP))  # nullify(1) forbids finalize(1)
    node.core.on_certificate(certify(N, 1, FIRST.digest), at(T_PROP))
    node.core.on_timer(at(3 * T_PROP))  # nullify(2) rests on N(1)
    again = restart(node)
    assert [(c.kind, c.view) for c in again.core.get_hello_certificates()] == [(N, 1)]
    assert [kind for kind, _ in find_logged(again.take())] == []


def test_R1_finalize_that_was_logged_still_counts_after_the_restart() -> None:
    """Three logged finalize votes make the block final again."""
    nodes = [Node(index) for index in range(3)]
    for node in nodes:
        node.core.on_certificate(certify(N, 1, FIRST.digest), at(1))
    restarted = [restart(node) for node in nodes]
    connect_all(restarted)
    assert [node.core.finalized_view for node in restarted] == [1, 1, 1]
    assert all(node.core.finalization is not None and node.core.finalization.kind is F for node in restarted)
