"""Name what the RPC server asks of a node.

The server calls from its own tasks in the node's trio thread. Every method may be
cancelled at any await (request deadline 10 s) and must then leave nothing behind.
What is not there is None; a node that cannot answer now raises `UnavailableError`.
Nothing here changes state but `submit_items`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sequencer.errors import LocalError
from sequencer.execution.evaluation import Failure
from sequencer.execution.explanations import BundleCheck
from sequencer.execution.history import StateListing, StateReading
from sequencer.rpc.stories import BundleStory
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.effects import Submission
from sequencer.types.evidence import Evidence
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis, Rollup
from sequencer.types.message import Delivery
from sequencer.types.outcome import ItemResult
from sequencer.types.primitives import Address, Digest, Height, RollupId, ValidatorIndex, View

BLOCKS_PER_QUERY_MAX = 100
"""Blocks that one `get_blocks` is asked for."""
SEQUENCE_CHANNELS = 16
"""Channels per payer."""


class UnavailableError(LocalError):
    """The node cannot answer now (it stops, catches up, or has too much waiting); asking later may help."""


class HeightNotRetainedError(LocalError):
    """State of the height asked for is no longer (or not yet) held; the message says which heights are."""


class NotExecutedError(LocalError):
    """The node does not execute a split rollup, or has no state of it that it may show: ask one of its executors."""

    def __init__(self, rollup: Rollup) -> None:
        self.executors = tuple(executor.name for executor in rollup.executors)
        who = ", ".join(self.executors)
        super().__init__(f"this node has no state of the split rollup {rollup.name}: ask an executor of it ({who})")
        self.rollup = rollup.name


@dataclass(frozen=True, slots=True)
class RollupStatus:
    """How one rollup stands, as this node sees it."""

    rollup: RollupId
    is_executed: bool
    """Whether this node executes it: a native one always does."""
    settled_height: Height | None
    """Highest height at or below which nothing of it is undecided; None where it is not executed. # A11"""
    certified_settled_height: Height | None
    """The same, as its executors certified it last; None for a native one."""
    is_suspended: bool
    """Whether bundles that touch it abort where they stand, until its executors are back. # A13"""
    is_frozen: bool
    """Whether this node, its executor, found NO where the log says COMMIT, and shows nothing more of it. # A12"""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """How the node stands, all read at one moment."""

    name: str
    """`val0`, `full0`, …; empty if it has none."""
    role: str
    """`validator`, `observer` (has a key, does not sign), `executor` (a full node that attests a rollup) or `full`."""
    observer_reason: str | None
    """Why an observer does not sign."""
    alarm: str | None
    """The broken rule after which the node stopped signing; None as long as all is well."""
    view: View
    height: Height
    """Highest height that is finalized, executed and durable here."""
    commitment: Digest
    """Commitment digest of `height`, as computed by this node."""
    oldest_height: Height
    """Lowest height ≥ 1 whose block is still kept; `height` + 1 if none is."""
    certified_height: Height
    """Highest height with a commitment certificate known here; 0 if none."""
    halt_reason: str | None
    """Why leaders propose empty blocks now (safe halt); None normally."""
    connected: tuple[ValidatorIndex, ...]
    """Validators with both channels open, ascending; without this one."""
    durability: str
    """`fsync` or `os`."""
    gossip_published: int
    """Items published by gossip since start."""
    gossip_received: int
    gossip_included: int
    """Items that came by gossip and that this node put into its lane."""
    following: ValidatorIndex | None
    """Validator from which a full node takes blocks now; None on any other node, and while nobody is there."""
    sync_state: str | None
    """What state sync does, or why it refused last; None if there is nothing to say."""
    snapshot_liars: Mapping[ValidatorIndex, str]
    """Validators that served a wrong snapshot since the start, and what was wrong."""
    executes: RollupId | None
    """The split rollup that an executor attests; None on any other node."""
    rollups: tuple[RollupStatus, ...]
    """All of the network, ascending by id."""


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """What the node knows of a bundle id (or of the id of an item that is no bundle).

    If the id was ordered more than once, this is the occurrence that COMMITted or ABORTed;
    without one, the first inadmissible one.
    """

    item_id: Digest
    height: Height | None
    """Height at which it was ordered; None while this node only holds it (mempool or lane)."""
    result: ItemResult | None
    """What it came to; None exactly while `height` is."""


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """An executed block, with the certificate of its own commitment if validators signed that height."""

    block: ExecutedBlock
    certificate: CommitmentCertificate | None


@dataclass(frozen=True, slots=True)
class AccountState:
    """One payer in the system state after `height`."""

    height: Height
    deposit: int
    """Fee balance."""
    sequences: tuple[int, ...]
    """Next expected sequence of channels 0..15."""


@dataclass(frozen=True, slots=True)
class DevelopmentAccount:
    """A funded account of a devnet; its key is public by intention."""

    name: str
    address: Address
    seed: bytes
    """32-byte Ed25519 seed."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One sample for `GET /metrics`, in Prometheus' terms."""

    name: str
    """Full name, unit last: `sequencer_height`, `sequencer_store_sync_seconds`."""
    kind: str
    """`gauge` or `counter`."""
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Queries(Protocol):
    """What a node answers. Digests, keys and addresses have 32 bytes; heights start at 1."""

    @property
    def genesis(self) -> Genesis:
        """The network; never changes."""

    async def submit_items(self, items: Sequence[bytes]) -> tuple[Submission, ...]:
        """Hand in 1..1,000 items (each ≤ 64 KB); one submission per item, in order.

        Returns when every item is accepted (durable and pushed), held or rejected. When the
        caller cancels, items may still become final: the same bytes may be sent again.
        Raises `UnavailableError` when too many requests wait already.
        """

    async def check_bundle(self, item: bytes, is_signed: bool) -> tuple[Height, BundleCheck]:
        """Return (newest executed height, what the item would come to as the only one of the next block).

        Signatures are checked only if it `is_signed`.
        """

    async def get_status(self) -> NodeStatus: ...

    async def get_transaction(self, item_id: Digest) -> TransactionRecord | None:
        """Return the record, or None if the id was never seen here or is pruned."""

    async def get_story(self, bundle_id: Digest) -> BundleStory:
        """Return all that is known of the bundle; an empty story if that is nothing."""

    def get_failures(self, bundle_id: Digest) -> tuple[Failure, ...]:
        """Return what rollups expected and found when the bundle aborted; only the newest are known, unproven."""

    async def get_receipt(self, bundle_id: Digest) -> bytes | None:
        """Return the canonical receipt, or None until a certificate covers the height that decided."""

    async def get_blocks(self, from_height: Height, until_height: Height) -> tuple[BlockRecord, ...]:
        """Return the executed blocks of from ≤ height < until that are kept, consecutive, ascending.

        At most 100; stops (perhaps at once) where a height is not executed yet or pruned.
        """

    async def get_items(self, height: Height) -> tuple[bytes, ...] | None:
        """Return the bytes of every item of the block, by index; None if pruned or not executed."""

    async def get_certificate(self, from_height: Height) -> CommitmentCertificate | None:
        """Return the certificate of the lowest certified height ≥ `from_height`."""

    async def get_state(self, rollup: RollupId, key: str, height: Height | None) -> StateReading:
        """Return what the key held after `height`, or after the newest executed height if it is None.

        Raises `HeightNotRetainedError` outside the newest 256 heights, `NotExecutedError` for a rollup
        that this node does not execute.
        """

    async def list_state(self, rollup: RollupId, height: Height | None, prefix: str) -> StateListing:
        """Return every key of a rollup (0: the system) below a prefix; bounds and errors as `get_state`.

        Visits the whole state: for devnets.
        """

    async def get_account(self, address: Address) -> AccountState:
        """Return deposit and sequences after the newest executed height; zeros for a stranger."""

    async def prove_state(self, height: Height, rollup: RollupId, key: str) -> bytes:
        """Return the claim of value or absence at `height`, as `Executor.prove_state` does; bound as `get_state`."""

    async def prove_sent(self, source: RollupId, message_id: Digest, height_max: Height) -> Delivery | None:
        """Return a message with its path to the outbox root of the newest height up to `height_max` that proves it.

        None if none of the newest 256 does. Raises as `prove_state` if the source is not executed here.
        """

    async def prove_sequence(self, height: Height, payer: Address, channel: int) -> bytes: ...

    async def prove_deposit(self, height: Height, payer: Address) -> bytes: ...

    def get_evidence(self) -> tuple[Evidence, ...]:
        """Return all evidence that the node holds, verified, oldest first; a piece never changes its place."""

    def get_development_accounts(self) -> tuple[DevelopmentAccount, ...] | None:
        """Return the accounts of a devnet; None on any other network, where `dev_*` does not exist."""

    def get_metrics(self) -> tuple[Metric, ...]:
        """Return every sample; samples of one name stand together."""

    async def wait_for_news(self, seen: int) -> int:
        """Return the number of blocks executed and certificates stored since start, once it is above `seen`.

        So a stream reads the store at its own pace: nothing is queued for a slow reader.
        """
