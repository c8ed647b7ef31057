"""After a restart the executed head may be above the newest finalization that is still known. # R1 C4

A block that became final through a descendant is stored without a finalization of its own, and certificates are soft.
"""

from __future__ import annotations

import pytest

from sequencer.consensus.finality import Anchor, Finality
from sequencer.errors import InvariantViolation
from sequencer.types.block import BlockHeader
from sequencer.types.vote import VoteKind
from tests.unit.core_world import Group
from tests.unit.replica.world import Cluster

GROUP = Group()
KNOWN = GROUP.child(GROUP.root, 1)
MIDDLE = GROUP.child(KNOWN, 3)
HEAD = GROUP.child(MIDDLE, 5)
CHILD = GROUP.child(HEAD, 6)
RIVAL = GROUP.child(MIDDLE, 5, step_ms=41)


def start() -> Finality:
    """Return what a node knows that executed HEAD, and kept a finalization of KNOWN only."""
    return Finality(Anchor(HEAD, KNOWN, GROUP.certify(VoteKind.FINALIZE, KNOWN.view, KNOWN.digest)))


def advance(finality: Finality, header: BlockHeader, *, is_held: bool = True) -> list[int]:
    """Let F of a block come, with its header; return the heights that are handed out."""
    if is_held:
        finality.tree.add(header)
    finality.advance(GROUP.certify(VoteKind.FINALIZE, header.view, header.digest))
    if not finality.is_connected:
        assert finality.connect() is None
    return [entry.header.height for entry in finality.take()]


def test_R1_head_above_the_known_finalization_is_connected() -> None:
    """Nothing is missing: what is below the head was executed."""
    finality = start()
    assert (finality.is_connected, finality.view, finality.tree.head) == (True, KNOWN.view, HEAD)


@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("header", [MIDDLE, HEAD], ids=["below the head", "of the head"])
def test_R1_finalization_up_to_the_head_moves_the_view_and_hands_out_nothing(
    header: BlockHeader, is_held: bool
) -> None:
    """Known late, whether the header is still held or not; no block is delivered twice."""
    finality = start()
    assert advance(finality, header, is_held=is_held) == []
    assert (finality.view, finality.is_connected, finality.tree.head) == (header.view, True, HEAD)


def test_R1_finalization_above_the_head_hands_out_what_is_new() -> None:
    """Only the blocks above the head."""
    finality = start()
    assert advance(finality, CHILD) == [CHILD.height]
    assert (finality.view, finality.tree.head) == (CHILD.view, CHILD)


@pytest.mark.parametrize("header", [RIVAL, GROUP.child(MIDDLE, 7), GROUP.child(RIVAL, 7)])
def test_I1_finalization_beside_the_executed_head_is_a_broken_invariant(header: BlockHeader) -> None:
    """At the head's height or above, in its view or a later one: the node stops rather than waits for ever."""
    finality = start()
    finality.tree.add(RIVAL)
    with pytest.raises(InvariantViolation):
        advance(finality, header)


def test_R1_network_goes_on_whose_validators_lost_the_finalization_of_their_heads() -> None:
    """All die and come back with a head above what they know to be final; one never returns: nothing is executed twice
    or otherwise, and the chain grows."""
    cluster = Cluster()
    cluster.run(20_000, lambda: min(replica.executor.height for replica in cluster.replicas.values()) >= 6)
    heads = {index: replica.executor.height for index, replica in cluster.replicas.items()}
    for index in sorted(cluster.replicas):
        cluster.stop(index)
    for index in (0, 1, 2):
        disk = cluster.disks[index]
        early = disk.blocks[2]
        assert early.finalization is not None
        votes = tuple(record for record in disk.votes if record.kind >= 5 or record.number > early.header.view)
        cluster.start(
            index,
            disk.recover(
                finalization=early.finalization,
                finalized_header=early.header,
                votes=votes,
                headers=tuple(header for header in disk.headers if header.view > early.header.view),
                certificates=tuple(c for c in disk.certificates if c.view > early.header.view),
            ),
        )
    assert [replica.get_statistics().finalized_view for replica in cluster.replicas.values()] != [0, 0, 0]
    cluster.run(cluster.now_ms + 20_000)
    grown = [replica.executor.height - heads[index] for index, replica in sorted(cluster.replicas.items())]
    assert min(grown) >= 3
    for index in (0, 1, 2):
        heights = [block.header.height for block in cluster.disks[index].blocks]
        assert heights == list(range(1, len(heights) + 1))
