"""Bundles over split rollups are ordered in one block and decided in a later one; the tracker follows both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.crypto.signatures import Ed25519Signer, verify_ed25519
from sequencer.errors import VerificationError
from sequencer.rpc.forms import make_rollup_namer
from sequencer.rpc.views import block_to_json
from sequencer.sdk.finality import FinalityTracker
from sequencer.sdk.results import BlockAnswer
from sequencer.types.bundle import Bundle, Leg, Operation
from sequencer.types.genesis import GenesisExecutor, Rollup, RollupKind
from sequencer.types.item import SignedBundle
from sequencer.types.outcome import Status
from sequencer.types.verdict import (
    ExecutorVote,
    RootStatement,
    compute_statement_signing_bytes,
    make_certificate,
)
from tests.integration.rpc.chain import ALICE, ChainNode, make_genesis, make_transfer
from tests.unit.sdk.test_finality import certify

DELTA = 4
WITHIN = 6
"""Heights to the TIMEOUT that decides the bundle, for no executor ever speaks."""
EXECUTOR = Ed25519Signer(b"executor".ljust(32))
_SET = (GenesisExecutor("delta-0", EXECUTOR.public_key),)
GENESIS = replace(
    make_genesis(),
    rollups=(*make_genesis().rollups, Rollup(DELTA, "delta", "key_value", RollupKind.SPLIT, (), _SET)),
)


def make_split_bundle() -> SignedBundle:
    """Set a key on the split rollup."""
    leg = Leg(DELTA, ALICE.public_key, (), (Operation("set", ("kv/x", 1)),), None)
    bundle = Bundle(GENESIS.chain_id, ALICE.public_key, 0, 0, 0, 1_000, WITHIN, (), (leg,))
    return SignedBundle(bundle, (ALICE.sign(bundle.signing_bytes),))


async def make_chain() -> tuple[ChainNode, bytes]:
    """Block 1 orders a bundle and a transfer, block 3 certifies a root, block 7 decides; returns the bundle's id."""
    node, waiting = ChainNode(GENESIS), make_split_bundle()
    await node.submit_items([waiting.item_bytes, make_transfer(GENESIS, 1).item_bytes])
    for height in range(1, 2 + WITHIN):
        if height == 3:
            root = RootStatement(DELTA, 2, 0, bytes(32), bytes(32), bytes(32))
            signature = EXECUTOR.sign(compute_statement_signing_bytes(GENESIS.chain_id, root))
            certificate = make_certificate([ExecutorVote(root, 0, signature)])
            node.pending = [(certificate.item_bytes, certificate)]
        node.advance(is_certified=False)
    return node, waiting.id


def list_blocks(node: ChainNode) -> list[BlockAnswer]:
    """Return the blocks as the RPC lists them."""
    namer = make_rollup_namer(GENESIS)
    return [BlockAnswer.from_json(block_to_json(record, namer), "$") for record in node.records]


async def test_bundle_is_pending_where_it_is_ordered_and_final_where_it_is_decided() -> None:
    """A certificate of executors takes effect without an outcome of its own."""
    node, waiting_id = await make_chain()
    tracker = FinalityTracker(GENESIS, verify_ed25519)
    for block in list_blocks(node):
        tracker.add_block(block)
    final = tracker.add_certificate(certify_of(node))
    assert [one.status for one in final[0].transactions] == [Status.PENDING, Status.COMMIT]
    assert [one.status for one in final[2].transactions] == [Status.COMMIT]
    (late,) = final[WITHIN].transactions
    assert (late.item_id, late.index, late.status) == (waiting_id, None, Status.ABORT)
    assert late.reason == "TIMEOUT:delta"


async def test_outcome_of_what_was_never_ordered_is_refused() -> None:
    """The block that ordered it is told without it being pending; a tracker that begins later cannot know."""
    node, waiting_id = await make_chain()
    blocks = list_blocks(node)
    told = tuple((one, "inadmissible" if one == waiting_id else status, "") for one, status, _ in blocks[0].results)
    tracker = FinalityTracker(GENESIS, verify_ed25519)
    for block in (replace(blocks[0], results=told), *blocks[1:WITHIN]):
        tracker.add_block(block)
    with pytest.raises(VerificationError, match="decides an item that was not ordered"):
        tracker.add_block(blocks[WITHIN])
    late = FinalityTracker(GENESIS, verify_ed25519, WITHIN + 1)
    late.add_block(blocks[WITHIN])
    assert late.next_height == WITHIN + 2


async def test_blocks_taken_again_from_another_node_still_know_what_waits() -> None:
    """Forgetting unproven blocks forgets what they opened and closed."""
    node, waiting_id = await make_chain()
    tracker = FinalityTracker(GENESIS, verify_ed25519)
    for _ in range(2):
        for block in list_blocks(node)[tracker.next_height - 1 :]:
            tracker.add_block(block)
        tracker.reset()
    for block in list_blocks(node):
        tracker.add_block(block)
    final = tracker.add_certificate(certify_of(node))
    assert [one.item_id for one in final[WITHIN].transactions] == [waiting_id]


def certify_of(node: ChainNode) -> bytes:
    """Return a certificate of the newest block."""
    return certify(node, WITHIN + 1, genesis=GENESIS)
