"""Answer the RPC server from the replica's executed state and the store.

Promises: only `submit_items` changes anything; reads of the disk run in worker threads, two
at a time; what the executor is asked, it is asked between two events, never half-way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import LocalError
from sequencer.execution.foretelling import foretell
from sequencer.execution.receipts import build_receipt
from sequencer.node.driver import Driver, TooManyRequests
from sequencer.node.reports import Reports
from sequencer.node.rollup_status import describe_rollups
from sequencer.node.stories import read_story, remember
from sequencer.rpc.queries import (
    BLOCKS_PER_QUERY_MAX,
    SEQUENCE_CHANNELS,
    AccountState,
    BlockRecord,
    DevelopmentAccount,
    HeightNotRetainedError,
    Metric,
    NodeStatus,
    NotExecutedError,
    TransactionRecord,
    UnavailableError,
)
from sequencer.rpc.stories import BundleStory
from sequencer.types.batch import decode_payload
from sequencer.types.outcome import Status
from sequencer.types.primitives import SYSTEM_NAMESPACE
from sequencer.types.receipt import CHAIN_LENGTH_MAX

if TYPE_CHECKING:
    from sequencer.execution.evaluation import Failure
    from sequencer.execution.executor import Executor
    from sequencer.execution.explanations import BundleCheck
    from sequencer.execution.history import StateListing, StateReading
    from sequencer.replica.replica import Replica
    from sequencer.store.block_reader import BlockReader
    from sequencer.types.commitment import CommitmentCertificate
    from sequencer.types.effects import Submission
    from sequencer.types.evidence import Evidence
    from sequencer.types.executed import ExecutedBlock
    from sequencer.types.genesis import Genesis
    from sequencer.types.message import Delivery
    from sequencer.types.primitives import Address, Digest, Height, RollupId

READ_THREADS = 2
"""Worker threads that read the store for clients."""
HALT_REASON = "too many commitments lack a certificate: leaders propose empty blocks until one forms"

_T = TypeVar("_T")


class MetricsSource(Protocol):
    """Who has numbers to show."""

    def __call__(self) -> tuple[Metric, ...]: ...


class NodeQueries:
    """One node's answers. Keeps the promises of `rpc.queries.Queries`."""

    def __init__(
        self,
        name: str,
        genesis: Genesis,
        replica: Replica,
        driver: Driver,
        reports: Reports,
        reader: BlockReader,
        *,
        durability: str,
        executes: RollupId | None,
        accounts: Sequence[DevelopmentAccount] | None,
        get_metrics: MetricsSource,
    ) -> None:
        self._name = name
        self._genesis = genesis
        self._replica = replica
        self._driver = driver
        self._reports = reports
        self._reader = reader
        self._durability = durability
        self._executes = executes
        self._accounts = None if accounts is None else tuple(accounts)
        self._get_metrics = get_metrics
        self._limiter = trio.CapacityLimiter(READ_THREADS)

    async def _read(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await trio.to_thread.run_sync(partial(work, *arguments), limiter=self._limiter)

    @property
    def genesis(self) -> Genesis:
        """The network."""
        return self._genesis

    async def submit_items(self, items: Sequence[bytes]) -> tuple[Submission, ...]:
        """Hand in items; returns when each is accepted, held or rejected."""
        try:
            return await self._driver.submit(items)
        except TooManyRequests:
            raise UnavailableError("too many submissions wait already") from None

    async def check_bundle(self, item: bytes, is_signed: bool) -> tuple[Height, BundleCheck]:
        """Foretell on the newest executed state."""
        await trio.lowlevel.checkpoint()
        executor, verifier = self._replica.executor, verify_ed25519 if is_signed else None
        return executor.height, foretell(executor, item, self._genesis.item_rules, verifier)

    async def get_status(self) -> NodeStatus:
        """Return how the node stands."""
        await trio.lowlevel.checkpoint()
        statistics = self._replica.get_statistics()
        oldest, newest = self._reader.get_executed_heights()
        height = self._reports.height
        return NodeStatus(
            name=self._name,
            role=statistics.role,
            observer_reason=statistics.observer_reason,
            alarm=statistics.alarm,
            view=statistics.view,
            height=height,
            commitment=self._reports.commitment,
            oldest_height=oldest if newest else height + 1,
            certified_height=min(statistics.certified_height, height),
            halt_reason=HALT_REASON if statistics.is_halted else None,
            connected=statistics.peers,
            durability=self._durability,
            gossip_published=statistics.gossip_published,
            gossip_received=statistics.gossip_received,
            gossip_included=statistics.gossip_included,
            following=statistics.following,
            sync_state=statistics.sync_state,
            snapshot_liars=statistics.snapshot_liars,
            executes=self._executes,
            rollups=describe_rollups(self._genesis, self._replica.executor, height),
        )

    async def get_transaction(self, item_id: Digest) -> TransactionRecord | None:
        """Return what is known of an id."""
        row = await self._read(self._reader.get_transaction, item_id)
        if row is not None:
            return TransactionRecord(item_id, row.height, row.result)
        return TransactionRecord(item_id, None, None) if self._replica.is_pending(item_id) else None

    async def get_story(self, bundle_id: Digest) -> BundleStory:
        """Return the course of a bundle: from the log as it is stored, else from the mempool."""
        story = await self._read(read_story, self._reader, self._genesis, bundle_id)
        return remember(story or BundleStory(bundle_id), self._replica)

    def get_failures(self, bundle_id: Digest) -> tuple[Failure, ...]:
        """Return what rollups expected and found when the bundle aborted."""
        return self._replica.executor.get_failures(bundle_id)

    async def get_receipt(self, bundle_id: Digest) -> bytes | None:
        """Return the receipt once a certificate covers the height that decided."""
        return await self._read(build_stored_receipt, self._reader, bundle_id)

    async def get_blocks(self, from_height: Height, until_height: Height) -> tuple[BlockRecord, ...]:
        """Return consecutive executed blocks."""
        until = min(until_height, from_height + BLOCKS_PER_QUERY_MAX, self._reports.height + 1)
        return await self._read(_read_blocks, self._reader, from_height, until)

    async def get_items(self, height: Height) -> tuple[bytes, ...] | None:
        """Return the items of a block."""
        if height > self._reports.height:
            await trio.lowlevel.checkpoint()
            return None
        return await self._read(_read_items, self._reader, height)

    async def get_certificate(self, from_height: Height) -> CommitmentCertificate | None:
        """Return the certificate of the lowest certified height at or above one."""
        return await self._read(self._reader.get_certificate_covering, from_height)

    async def get_state(self, rollup: RollupId, key: str, height: Height | None) -> StateReading:
        """Return what a key held, by default at the highest height that is durable too."""
        await trio.lowlevel.checkpoint()
        executor = self._get_executor_of(rollup)
        # What is executed but not durable yet would be a height that `status` does not know.
        at = min(self._reports.height, executor.height) if height is None else height
        return self._look_back(executor.read_state, at, rollup, key)

    async def list_state(self, rollup: RollupId, height: Height | None, prefix: str) -> StateListing:
        """Return every key below a prefix."""
        await trio.lowlevel.checkpoint()
        executor = self._get_executor_of(rollup)
        at = min(self._reports.height, executor.height) if height is None else height
        return self._look_back(executor.list_entries, at, rollup, prefix)

    async def get_account(self, address: Address) -> AccountState:
        """Return a payer's deposit and sequences."""
        await trio.lowlevel.checkpoint()
        executor = self._replica.executor
        sequences = tuple(executor.get_sequence(address, channel) for channel in range(SEQUENCE_CHANNELS))
        return AccountState(executor.height, executor.get_deposit(address), sequences)

    async def prove_state(self, height: Height, rollup: RollupId, key: str) -> bytes:
        """Return the claim of a key's value at `height`."""
        await trio.lowlevel.checkpoint()
        return self._look_back(self._get_executor_of(rollup).prove_state, height, rollup, key)

    async def prove_sent(self, source: RollupId, message_id: Digest, height_max: Height) -> Delivery | None:
        """Return a message with its path to the outbox root of a height."""
        await trio.lowlevel.checkpoint()
        return self._get_executor_of(source).prove_sent(source, message_id, height_max)

    async def prove_sequence(self, height: Height, payer: Address, channel: int) -> bytes:
        """Return the claim of a sequence at `height`."""
        await trio.lowlevel.checkpoint()
        return self._look_back(self._replica.executor.prove_sequence, height, payer, channel)

    async def prove_deposit(self, height: Height, payer: Address) -> bytes:
        """Return the claim of a deposit at `height`."""
        await trio.lowlevel.checkpoint()
        return self._look_back(self._replica.executor.prove_deposit, height, payer)

    def _get_executor_of(self, rollup: RollupId) -> Executor:
        """Return the executor, if it has the rollup's state; raises `NotExecutedError`."""
        executor = self._replica.executor
        if rollup != SYSTEM_NAMESPACE and rollup not in executor.runs:
            raise NotExecutedError(self._genesis.get_rollup(rollup))
        return executor

    def _look_back(self, read: Callable[..., _T], *arguments: object) -> _T:
        try:
            return read(*arguments)
        except LocalError as error:
            raise HeightNotRetainedError(str(error)) from None

    def get_evidence(self) -> tuple[Evidence, ...]:
        """Return what the replica holds against validators."""
        return self._replica.get_evidence()

    def get_development_accounts(self) -> tuple[DevelopmentAccount, ...] | None:
        """Return the accounts of a devnet."""
        return self._accounts

    def get_metrics(self) -> tuple[Metric, ...]:
        """Return every sample."""
        return self._get_metrics()

    async def wait_for_news(self, seen: int) -> int:
        """Return the number of news once it is above `seen`."""
        return await self._reports.wait_for_news(seen)


def build_stored_receipt(reader: BlockReader, bundle_id: Digest) -> bytes | None:
    """Build a receipt from what is stored; None until a certificate covers it, or when part of it is pruned."""
    row = reader.get_transaction(bundle_id)
    if row is None or row.decided_height is None or row.result.status is Status.INADMISSIBLE:
        return None
    certificate = reader.get_certificate_covering(row.decided_height)
    if certificate is None or certificate.height - row.height >= CHAIN_LENGTH_MAX:
        return None
    blocks = [reader.get_executed(height) for height in range(row.height, certificate.height + 1)]
    whole: list[ExecutedBlock] = [block for block in blocks if block is not None]
    if len(whole) < len(blocks):
        return None
    decided = whole[row.decided_height - row.height]
    if all(leaf.bundle_id != bundle_id for leaf in decided.outcomes):
        return None  # a certificate, a root or a beat: it took effect, and decided nothing of its own
    return build_receipt(whole[0], [block.commitment for block in whole[1:]], certificate, bundle_id, decided)


def _read_blocks(reader: BlockReader, from_height: Height, until_height: Height) -> tuple[BlockRecord, ...]:
    records = []
    for height in range(from_height, until_height):
        block = reader.get_executed(height)
        if block is None:
            break
        records.append(BlockRecord(block, reader.get_certificate(height)))
    return tuple(records)


def _read_items(reader: BlockReader, height: Height) -> tuple[bytes, ...] | None:
    block = reader.get_block(height)
    if block is None:
        return None
    return tuple(item for batch in block.batches for item in decode_payload(batch.payload))
