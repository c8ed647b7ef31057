"""The tracker calls final what the committee signed, and nothing that a node adds, drops or changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sequencer.codec import encode
from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import VerificationError
from sequencer.rpc.forms import make_rollup_namer
from sequencer.rpc.views import block_to_json
from sequencer.sdk.finality import FinalityTracker
from sequencer.sdk.results import BlockAnswer
from sequencer.types.bundle import AtLeast
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import Status
from tests.integration.rpc.chain import ALICE, ChainNode, make_genesis, make_transfer, sign_commitment

GENESIS = make_genesis()


async def make_chain() -> ChainNode:
    """Block 1 commits two transfers and aborts one, block 2 repeats one of them, block 3 is empty."""
    node = ChainNode(GENESIS)
    false = AtLeast(f"balance/gold/{ALICE.public_key.hex()}", 5_000)
    signed = [make_transfer(GENESIS, 0), make_transfer(GENESIS, 1), make_transfer(GENESIS, 2, conditions=(false,))]
    await node.submit_items([one.item_bytes for one in signed])
    node.advance(is_certified=False)
    node.pending = [(signed[0].item_bytes, signed[0])]
    node.advance(is_certified=False)
    node.advance(is_certified=False)
    return node


def list_blocks(node: ChainNode) -> list[BlockAnswer]:
    """Return the blocks as the RPC lists them."""
    namer = make_rollup_namer(GENESIS)
    return [BlockAnswer.from_json(block_to_json(record, namer), "$") for record in node.records]


def certify(node: ChainNode, height: int, signers: tuple[int, ...] = (0, 1, 2), genesis: Genesis = GENESIS) -> bytes:
    """Return a certificate's bytes."""
    return encode(sign_commitment(genesis, node.records[height - 1].block.commitment, signers).to_value())


def make_tracker() -> FinalityTracker:
    return FinalityTracker(GENESIS, verify_ed25519)


async def test_one_certificate_makes_all_blocks_below_final() -> None:
    """Outcomes are joined to the order of the items; a repeated bundle is inadmissible where it is repeated."""
    node, tracker = await make_chain(), make_tracker()
    for block in list_blocks(node):
        tracker.add_block(block)
    final = tracker.add_certificate(certify(node, 3))
    assert [block.height for block in final] == [1, 2, 3]
    assert [one.status for one in final[0].transactions] == [Status.COMMIT, Status.COMMIT, Status.ABORT]
    assert [one.status for one in final[1].transactions] == [Status.INADMISSIBLE]
    assert final[0].transactions[2].reason.startswith("NO:alpha:")


async def test_nothing_is_final_before_a_certificate_or_above_it() -> None:
    """A certificate at height 2 leaves height 3 open."""
    node, tracker = await make_chain(), make_tracker()
    for block in list_blocks(node):
        tracker.add_block(block)
    assert [block.height for block in tracker.add_certificate(certify(node, 2))] == [1, 2]
    assert tracker.add_certificate(certify(node, 2)) == ()
    assert [block.height for block in tracker.add_certificate(certify(node, 3))] == [3]


def _flip(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


TAMPERINGS: dict[str, Any] = {
    "outcome turned": lambda b: replace(b, outcomes=((b.outcomes[0][0], "ABORT", "x"), *b.outcomes[1:])),
    "outcome dropped": lambda b: replace(b, outcomes=b.outcomes[1:]),
    "outcome unknown": lambda b: replace(b, outcomes=((b.outcomes[0][0], "MAYBE", ""), *b.outcomes[1:])),
    "leaf changed": lambda b: replace(b, leaves=((0, (_flip(b.leaves[0][1][0]), *b.leaves[0][1][1:])), *b.leaves[1:])),
    "leaf dropped": lambda b: replace(b, leaves=((0, b.leaves[0][1][1:]), *b.leaves[1:])),
    "items swapped": lambda b: replace(b, leaves=((0, b.leaves[0][1][::-1]), *b.leaves[1:])),
    "namespace dropped": lambda b: replace(b, leaves=b.leaves[:1]),
    "results swapped": lambda b: replace(b, results=b.results[::-1]),
    "result dropped": lambda b: replace(b, results=b.results[1:]),
    "committed said to be inadmissible": lambda b: replace(
        b, results=((b.results[0][0], "inadmissible", ""), *b.results[1:])
    ),
    "commitment garbled": lambda b: replace(b, commitment=b.commitment + b"\x00"),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
async def test_tampered_block_is_refused(kind: str) -> None:
    """Whatever a node changes in what it lists no longer fits the commitment's roots."""
    block = list_blocks(await make_chain())[0]
    with pytest.raises(VerificationError):
        make_tracker().add_block(TAMPERINGS[kind](block))


async def test_inadmissible_copy_cannot_be_passed_off_as_decided() -> None:
    """Block 2 repeats a bundle of block 1; saying that it committed there needs an outcome there."""
    first, second, _ = list_blocks(await make_chain())
    tracker = make_tracker()
    tracker.add_block(first)
    with pytest.raises(VerificationError, match="outcome"):
        tracker.add_block(replace(second, results=((second.results[0][0], "committed", ""),)))


async def test_changed_commitment_fits_no_certificate() -> None:
    """A block that is consistent in itself but was never signed stays unproven."""
    node, tracker = await make_chain(), make_tracker()
    other = ChainNode(GENESIS)
    for _ in range(3):
        other.advance(is_certified=False)
    for block in list_blocks(other):
        tracker.add_block(block)
    with pytest.raises(VerificationError, match="another commitment"):
        tracker.add_certificate(certify(node, 3))


@pytest.mark.parametrize("signers", [(), (0, 1), (0, 0, 1), (0, 2, 1)])
async def test_certificate_without_a_strong_set_is_refused(signers: tuple[int, ...]) -> None:
    """Too few, one twice, out of order."""
    node, tracker = await make_chain(), make_tracker()
    tracker.add_block(list_blocks(node)[0])
    with pytest.raises(VerificationError):
        tracker.add_certificate(certify(node, 1, signers))


async def test_gap_and_foreign_network_are_refused() -> None:
    """Blocks come one after the other, of the network of the genesis."""
    first, _, third = list_blocks(await make_chain())
    tracker = make_tracker()
    tracker.add_block(first)
    with pytest.raises(VerificationError, match="instead of 2"):
        tracker.add_block(third)
    with pytest.raises(VerificationError, match="another network"):
        FinalityTracker(make_genesis(name="other"), verify_ed25519).add_block(first)


async def test_block_that_does_not_follow_its_parent_is_refused() -> None:
    """Two histories cannot be spliced."""
    other = ChainNode(GENESIS)
    other.advance(is_certified=False)
    other.advance(is_certified=False)
    tracker = make_tracker()
    tracker.add_block(list_blocks(await make_chain())[0])
    with pytest.raises(VerificationError, match="does not follow"):
        tracker.add_block(list_blocks(other)[1])


async def test_reset_keeps_what_is_proven() -> None:
    """After leaving a node, the next one continues at the first unproven height, linked to the last proven one."""
    node, tracker = await make_chain(), make_tracker()
    blocks = list_blocks(node)
    for block in blocks:
        tracker.add_block(block)
    tracker.add_certificate(certify(node, 1))
    tracker.reset()
    assert tracker.next_height == 2
    other = ChainNode(GENESIS)
    other.advance(is_certified=False)
    other.advance(is_certified=False)
    with pytest.raises(VerificationError, match="does not follow"):
        tracker.add_block(list_blocks(other)[1])
    tracker.add_block(blocks[1])
