"""The SDK against the real server: what it returns is proven, and a bad node only costs time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from hashlib import sha256

import pytest
import trio

from sequencer.errors import LocalError, VerificationError
from sequencer.rpc.queries import BlockRecord
from sequencer.sdk import client as client_module
from sequencer.sdk.building import Account, BundleBuilder, conditional, operation, sign_bundle
from sequencer.sdk.client import Client
from sequencer.sdk.errors import AnswerError, NotFinalError, RejectedError, UnreachableError
from sequencer.types.bundle import AtLeast
from sequencer.types.item import SignedBundle
from sequencer.types.outcome import Status
from tests.integration.rpc.chain import (
    ALICE,
    BOB,
    ChainNode,
    make_evidence,
    make_genesis,
    make_transfer,
    sign_commitment,
)
from tests.integration.rpc.conftest import Served, serve

DEAD_URL = "http://127.0.0.1:1"


@pytest.fixture
async def served(nursery: trio.Nursery) -> Served:
    return await serve(nursery, ChainNode())


@asynccontextmanager
async def running(node: ChainNode) -> AsyncIterator[None]:
    """Execute whatever is submitted, one block each time."""

    async def run() -> None:
        while True:
            if node.pending:
                node.advance()
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        yield
        nursery.cancel_scope.cancel()


def build_swap(node: ChainNode, price: int) -> SignedBundle:
    """Alice gives gold on alpha, bob gives silver on beta; alice demands that bob has `price`."""
    alice, bob = Account(sha256(b"alice").digest()), Account(sha256(b"bob").digest())
    bundle = (
        BundleBuilder(node.genesis)
        .add_leg("alpha", alice, [operation("transfer", "gold", bob.address, 10)])
        .add_leg(
            "beta",
            bob,
            [operation("transfer", "silver", alice.address, 20)],
            [AtLeast(f"balance/silver/{bob.address.hex()}", price)],
        )
        .build(alice, sequence=0, valid_from=node.executor.height)
    )
    return sign_bundle(bundle, (alice, bob))


@pytest.mark.parametrize(("price", "status", "moved"), [(20, Status.COMMIT, 10), (5_000, Status.ABORT, 0)])
async def test_swap_is_proven_whole_or_proven_aborted(served: Served, price: int, status: Status, moved: int) -> None:
    """Both legs took effect, or a false condition on one rollup stopped the other too."""
    async with Client(served.url, served.node.genesis) as client, running(served.node):
        outcome = await client.send_and_wait(build_swap(served.node, price))
        gold = await client.get_proof("state", rollup="alpha", key=f"balance/gold/{BOB.public_key.hex()}")
    assert (outcome.status, outcome.rollups) == (status, (1, 2))
    assert gold.value == 1_000 + moved


async def test_missing_key_is_named_before_anything_is_sent(served: Served) -> None:
    """All signers must sign."""
    alice = Account(sha256(b"alice").digest())
    with pytest.raises(LocalError, match=BOB.public_key.hex()):
        sign_bundle(build_swap(served.node, 1).bundle, (alice,))


async def test_dead_node_is_passed_over(served: Served) -> None:
    """The next URL answers."""
    async with Client([DEAD_URL, served.url]) as client:
        assert (await client.get_status()).height == 0


async def test_all_nodes_dead_is_told() -> None:
    """No endless waiting."""
    async with Client([DEAD_URL, DEAD_URL]) as client:
        with pytest.raises(UnreachableError):
            await client.get_status()


@pytest.mark.parametrize("kind", ["censors", "hangs"])
async def test_bad_node_is_left_for_another_with_the_same_bytes(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The first node takes the transaction and does nothing with it, or does not even answer."""
    monkeypatch.setattr(client_module, "RESEND_SECONDS", 0.2)
    bad, good = ChainNode(), ChainNode()
    bad.is_stuck = kind == "hangs"
    urls = [(await serve(nursery, node)).url for node in (bad, good)]
    async with Client(urls, good.genesis) as client, running(good):
        outcome = await client.send_and_wait(make_transfer(good.genesis, 0))
    assert (outcome.status, bad.submissions, good.submissions) == (Status.COMMIT, 1, 1)


async def test_not_final_in_time_keeps_the_id(served: Served) -> None:
    """The caller can go on waiting."""
    signed = make_transfer(served.node.genesis, 0)
    async with Client(served.url, served.node.genesis) as client:
        with pytest.raises(NotFinalError) as caught:
            await client.send_and_wait(signed, seconds=0.2)
        served.node.advance()
        assert (await client.wait_for_final(caught.value.bundle_id)).status is Status.COMMIT


async def test_rejection_carries_reason_and_path(served: Served) -> None:
    """As the node told it."""
    async with Client(served.url, served.node.genesis) as client:
        with pytest.raises(RejectedError) as caught:
            await client.send_and_wait(make_transfer(served.node.genesis, 5))
    assert (caught.value.reason, caught.value.path) == ("SEQUENCE_GAP", "$.sequence")


async def test_sending_what_is_final_already_gives_the_first_outcome(served: Served) -> None:
    """Exactly once, however often it is sent."""
    signed = make_transfer(served.node.genesis, 0)
    async with Client(served.url, served.node.genesis) as client, running(served.node):
        first = await client.send_and_wait(signed)
        second = await client.send_and_wait(signed)
    assert first == second


async def test_many_are_answered_in_order(served: Served) -> None:
    """One refused transaction does not spoil the others."""
    genesis = served.node.genesis
    async with Client(served.url, genesis) as client:
        answers = await client.send_many([make_transfer(genesis, sequence) for sequence in (0, 1, 7)])
    assert [answer.status for answer in answers] == ["accepted", "accepted", "rejected"]
    assert answers[2].reason == "SEQUENCE_GAP"


async def test_genesis_of_another_chain_is_refused(served: Served) -> None:
    """A node cannot pass its network off as the one that the caller knows."""
    async with Client(served.url) as client:
        with pytest.raises(VerificationError):
            await client.fetch_genesis(make_genesis(name="other").chain_id)
        assert (await client.fetch_genesis(served.node.genesis.chain_id)) == served.node.genesis


async def test_accounts_of_a_devnet_can_sign(served: Served) -> None:
    """The listed seed is that of the funded address."""
    async with Client(served.url) as client:
        (account,) = await client.get_development_accounts()
        state = await client.get_account(Account(account.seed).address)
    assert (Account(account.seed).address, state.deposit) == (ALICE.public_key, 10_000_000)


async def collect(client: Client, start: int, count: int) -> list[int]:
    """Return the heights of the first proven blocks."""
    heights: list[int] = []
    async with aclosing(client.follow_final(start, poll_seconds=0.01)) as blocks:
        async for block in blocks:
            heights.append(block.height)
            if len(heights) == count:
                break
    return heights


async def test_follower_proves_every_block_with_few_certificates(served: Served) -> None:
    """One certificate at height 5 proves 1..5."""
    for _ in range(4):
        served.node.advance(is_certified=False)
    served.node.advance()
    async with Client(served.url, served.node.genesis) as client:
        with trio.fail_after(10):
            assert await collect(client, 1, 5) == [1, 2, 3, 4, 5]


async def test_follower_goes_on_at_the_next_node_when_one_dies(nursery: trio.Nursery, served: Served) -> None:
    """The chain of commitments is one, whoever lists it."""
    served.node.advance()
    async with Client([DEAD_URL, served.url], served.node.genesis) as client:
        with trio.fail_after(10):
            assert await collect(client, 1, 1) == [1]


async def test_follower_leaves_a_node_whose_certificate_is_too_weak(nursery: trio.Nursery, served: Served) -> None:
    """Two of four signatures prove nothing; the honest node's three do."""
    liar = ChainNode()
    block = liar.advance(is_certified=False).block
    liar.records[0] = BlockRecord(block, sign_commitment(liar.genesis, block.commitment, (0, 1)))
    served.node.advance()
    lying = await serve(nursery, liar)
    async with Client([lying.url, served.url], served.node.genesis) as client:
        with trio.fail_after(10):
            assert await collect(client, 1, 1) == [1]
    async with Client(lying.url, served.node.genesis) as client:
        with pytest.raises(VerificationError, match="power"):
            await collect(client, 1, 1)


async def test_follower_tells_that_blocks_are_pruned(served: Served) -> None:
    """It does not wait for what will never come."""
    for _ in range(4):
        served.node.advance()
    served.node.oldest_height = 3
    async with Client(served.url, served.node.genesis) as client:
        with pytest.raises(AnswerError):
            await collect(client, 1, 1)


async def test_client_gets_evidence_verified(served: Served) -> None:
    """Who is accused is what the bytes prove."""
    served.node.evidence = tuple(make_evidence(served.node.genesis, view) for view in (3, 5))
    async with Client(served.url, served.node.genesis) as client:
        assert [(view.name, view.number) for view in await client.get_evidence(1)] == [("val1", 5)]


async def test_client_refuses_evidence_that_proves_nothing(served: Served) -> None:
    """A node cannot make its client believe that an honest validator is faulty."""
    foreign = make_evidence(make_genesis(name="other"), 3)
    served.node.evidence = (foreign,)
    async with Client(served.url, served.node.genesis) as client:
        with pytest.raises(VerificationError, match="first signature"):
            await client.get_evidence()


async def test_check_tells_what_a_bundle_would_come_to_before_anybody_signs_it(served: Served) -> None:
    """The condition that fails, with what it expected and found; conditions in the words of ERC-7796 too."""
    alice = Account(sha256(b"alice").digest())
    account = {f"0x{alice.address.hex()}": {"balance": {"gold": "0x1"}}}
    async with Client(served.url, served.node.genesis) as client:
        checks = [
            await client.check(
                BundleBuilder(client.genesis)
                .add_leg("alpha", alice, [operation("transfer", "gold", BOB.public_key, 1)], conditions)
                .build(alice, 0, 1)
            )
            for conditions in ((), conditional({"knownAccounts": account}))
        ]
    assert [check.would for check in checks] == ["commit", "abort"]
    assert [(one.code, one.expected, one.found) for one in checks[1].failures] == [("NOT_EQUAL", "1", "1000")]
