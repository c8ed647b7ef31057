"""A node for RPC tests: the real executor and real signatures over a log that the test advances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

import trio

from sequencer.crypto.signatures import Ed25519Signer, verify_ed25519
from sequencer.errors import LocalError
from sequencer.execution.evaluation import Failure
from sequencer.execution.executor import Executor
from sequencer.execution.explanations import BundleCheck
from sequencer.execution.foretelling import foretell
from sequencer.execution.history import StateListing, StateReading
from sequencer.execution.receipts import build_receipt
from sequencer.node.rollup_status import describe_rollups
from sequencer.rpc.queries import (
    AccountState,
    BlockRecord,
    DevelopmentAccount,
    HeightNotRetainedError,
    Metric,
    NodeStatus,
    NotExecutedError,
    TransactionRecord,
)
from sequencer.rpc.stories import BundleStory
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import Bundle, Condition, Leg, Operation
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.effects import Submission, SubmissionStatus
from sequencer.types.evidence import Evidence, Statement, find_contradiction
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress, Rollup, RollupKind
from sequencer.types.item import CheckedItem, SignedBundle, check_items, compute_item_id
from sequencer.types.message import Delivery
from sequencer.types.outcome import Reason, Rejection, Status
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import StateValue
from sequencer.types.signing import SignatureKind, compute_signing_bytes

GENESIS_TIME_MS = 1_780_000_000_000
BLOCK_INTERVAL_MS = 200


def make_signer(name: str) -> Ed25519Signer:
    return Ed25519Signer(sha256(name.encode()).digest())


ALICE, BOB = make_signer("alice"), make_signer("bob")
VALIDATORS = tuple(make_signer(f"val{index}") for index in range(4))


def make_genesis(validators: int = 4, name: str = "test") -> Genesis:
    """Four validators, two transfer rollups and a key-value one; alice and bob are rich."""

    def balances(*assets: str) -> tuple[tuple[str, StateValue], ...]:
        owners = (ALICE.public_key, BOB.public_key)
        return tuple(sorted((f"balance/{asset}/{owner.hex()}", 1_000) for asset in assets for owner in owners))

    def host(role: str, index: int) -> HostAddress:
        return HostAddress(f"12D3{role}{index}", f"/ip4/127.0.0.1/tcp/{21_000 + index}")

    deposits = sorted((signer.public_key, 10_000_000) for signer in (ALICE, BOB))
    return Genesis(
        name=name,
        time_ms=GENESIS_TIME_MS,
        scheme="ed25519-libsodium-1",
        validators=tuple(
            GenesisValidator(
                f"val{index}", signer.public_key, 1, host("votes", index), host("data", index), host("open", index)
            )
            for index, signer in enumerate(VALIDATORS[:validators])
        ),
        rollups=(
            Rollup(1, "alpha", "transfer", RollupKind.NATIVE, balances("gold")),
            Rollup(2, "beta", "transfer", RollupKind.NATIVE, balances("silver")),
            Rollup(3, "gamma", "key_value", RollupKind.NATIVE, ()),
        ),
        deposits=tuple(deposits),
        parameters=Parameters(),
    )


def make_transfer(
    genesis: Genesis,
    sequence: int,
    amount: int = 1,
    *,
    signer: Ed25519Signer = ALICE,
    channel: int = 0,
    conditions: tuple[Condition, ...] = (),
    rollup: int = 1,
) -> SignedBundle:
    """A transfer of gold to bob on alpha."""
    asset = {1: "gold", 2: "silver"}[rollup]
    operation = Operation("transfer", (asset, BOB.public_key, amount))
    leg = Leg(rollup, signer.public_key, conditions, (operation,), None)
    bundle = Bundle(genesis.chain_id, signer.public_key, channel, sequence, 0, 1_000_000, 0, (), (leg,))
    return SignedBundle(bundle, (signer.sign(bundle.signing_bytes),))


def make_evidence(genesis: Genesis, view: int, signer: int = 1) -> Evidence:
    """Return evidence that `signer` notarized two blocks in `view`."""
    kind = SignatureKind.NOTARIZE
    digests = [bytes(31) + bytes([name]) for name in (1, 2)]
    first, second = (
        Statement(
            kind,
            0,
            signer,
            view,
            digest,
            VALIDATORS[signer].sign(compute_signing_bytes(genesis.chain_id, 0, kind, view, digest)),
        )
        for digest in digests
    )
    found = find_contradiction(first, second)
    assert found is not None
    return found


class ChainNode:
    """Fulfils `Queries`; `advance` orders what was submitted and executes one block."""

    def __init__(self, genesis: Genesis | None = None, is_devnet: bool = True) -> None:
        self._genesis = genesis or make_genesis()
        self.executor = Executor(self._genesis)
        self.pending: list[tuple[bytes, CheckedItem]] = []
        self.records: list[BlockRecord] = []
        self.items: list[tuple[bytes, ...]] = []
        self.evidence: tuple[Evidence, ...] = ()
        self.submissions = 0
        self.oldest_height = 1
        self.is_stuck = False
        self._is_devnet = is_devnet
        self._news = 0
        self._wake = trio.Event()

    @property
    def genesis(self) -> Genesis:
        return self._genesis

    # what the test does

    def advance(self, *, is_certified: bool = True) -> BlockRecord:
        """Order and execute what was submitted; sign the commitment unless told otherwise."""
        parent = self.executor.header
        header = BlockHeader(
            0,
            parent.view + 1,
            parent.height + 1,
            parent.view,
            parent.digest,
            parent.time_ms + BLOCK_INTERVAL_MS,
            0,
            parent.cut,
        )
        items, self.pending = self.pending, []
        self.executor.begin(header, items)
        while not self.executor.step(256):
            pass
        block = self.executor.finish()
        self.items.append(tuple(item for item, _ in items))
        self.records.append(BlockRecord(block, None))
        if is_certified:
            self.certify(header.height)
        self._tell()
        return self.records[-1]

    def certify(self, height: int, signers: Sequence[int] = (0, 1, 3)) -> None:
        """Keep a certificate of the commitment of `height`."""
        record = self.records[height - 1]
        certificate = sign_commitment(self._genesis, record.block.commitment, signers)
        self.records[height - 1] = BlockRecord(record.block, certificate)
        self._tell()

    def _tell(self) -> None:
        self._news += 1
        self._wake.set()
        self._wake = trio.Event()

    # what the server asks

    async def submit_items(self, items: Sequence[bytes]) -> tuple[Submission, ...]:
        self.submissions += len(items)
        if self.is_stuck:
            await trio.sleep_forever()
        checked = check_items(items, self._genesis.item_rules, verify_ed25519)
        return tuple(self._admit(item, result) for item, result in zip(items, checked, strict=True))

    def _admit(self, item: bytes, checked: CheckedItem) -> Submission:
        item_id = compute_item_id(item, checked)
        if isinstance(checked, Rejection):
            return Submission(SubmissionStatus.REJECTED, item_id, checked)
        assert isinstance(checked, SignedBundle)
        if any(compute_item_id(*entry) == item_id for entry in self.pending):
            rejection: Rejection | None = Rejection(Reason.DUPLICATE, "item", "is held already")
        else:
            ahead = sum(self._is_same_channel(checked, other) for _, other in self.pending)
            rejection = self.executor.check_admission(checked.bundle, self.executor.height + 1, ahead, 0)
        if rejection is not None:
            return Submission(SubmissionStatus.REJECTED, item_id, rejection)
        self.pending.append((item, checked))
        return Submission(SubmissionStatus.ACCEPTED, item_id)

    @staticmethod
    def _is_same_channel(bundle: SignedBundle, other: CheckedItem) -> bool:
        mine = bundle.bundle
        return isinstance(other, SignedBundle) and (mine.payer, mine.channel) == (
            other.bundle.payer,
            other.bundle.channel,
        )

    async def check_bundle(self, item: bytes, is_signed: bool) -> tuple[int, BundleCheck]:
        verifier = verify_ed25519 if is_signed else None
        return self.executor.height, foretell(self.executor, item, self._genesis.item_rules, verifier)

    async def get_status(self) -> NodeStatus:
        certified = max((r.block.header.height for r in self.records if r.certificate), default=0)
        return NodeStatus(
            name="val0",
            role="validator",
            observer_reason=None,
            alarm=None,
            view=self.executor.header.view,
            height=self.executor.height,
            commitment=self.executor.commitment.digest,
            oldest_height=self.oldest_height,
            certified_height=certified,
            halt_reason=None,
            connected=(1, 2, 3),
            durability="fsync",
            gossip_published=0,
            gossip_received=0,
            gossip_included=0,
            following=None,
            sync_state=None,
            snapshot_liars={},
            executes=None,
            rollups=describe_rollups(self.genesis, self.executor, self.executor.height),
        )

    async def get_transaction(self, item_id: bytes) -> TransactionRecord | None:
        first: TransactionRecord | None = None
        for record in self.records:
            for result in record.block.results:
                if result.item_id == item_id:
                    found = TransactionRecord(item_id, record.block.header.height, result)
                    if result.status is not Status.INADMISSIBLE:
                        return found
                    first = first or found
        if first is None and any(compute_item_id(*entry) == item_id for entry in self.pending):
            return TransactionRecord(item_id, None, None)
        return first

    async def get_story(self, bundle_id: bytes) -> BundleStory:
        record = await self.get_transaction(bundle_id)
        held = [checked for _, checked in self.pending if isinstance(checked, SignedBundle)]
        bundle = next((one.bundle for one in held if one.id == bundle_id), None)
        story = BundleStory(bundle_id, bundle, failures=self.get_failures(bundle_id))
        if record is None or record.height is None or record.result is None:
            return story
        item = self.items[record.height - 1][record.result.index]
        checked = check_items((item,), self._genesis.item_rules, verify_ed25519)[0]
        block = self.records[record.height - 1].block
        return replace(
            story,
            bundle=checked.bundle if isinstance(checked, SignedBundle) else None,
            height=record.height,
            result=record.result,
            decided_height=record.height,
            decision=next((one for one in block.decisions if one.item_id == bundle_id), None),
            rows=block.rows[1:],
        )

    def get_failures(self, bundle_id: bytes) -> tuple[Failure, ...]:
        return self.executor.get_failures(bundle_id)

    async def get_receipt(self, bundle_id: bytes) -> bytes | None:
        record = await self.get_transaction(bundle_id)
        if record is None or record.height is None or record.result is None:
            return None
        certificate = await self.get_certificate(record.height)
        if record.result.status is Status.INADMISSIBLE or certificate is None:
            return None
        later = [r.block.commitment for r in self.records[record.height : certificate.height]]
        return build_receipt(self.records[record.height - 1].block, later, certificate, bundle_id)

    async def get_blocks(self, from_height: int, until_height: int) -> tuple[BlockRecord, ...]:
        if from_height < self.oldest_height:
            return ()
        return tuple(self.records[from_height - 1 : until_height - 1])

    async def get_items(self, height: int) -> tuple[bytes, ...] | None:
        return self.items[height - 1] if self.oldest_height <= height <= len(self.items) else None

    async def get_certificate(self, from_height: int) -> CommitmentCertificate | None:
        certificates = (r.certificate for r in self.records[max(0, from_height - 1) :])
        return next((certificate for certificate in certificates if certificate is not None), None)

    async def get_state(self, rollup: int, key: str, height: int | None) -> StateReading:
        if rollup not in self.executor.runs:
            raise NotExecutedError(self._genesis.get_rollup(rollup))
        try:
            return self.executor.read_state(self.executor.height if height is None else height, rollup, key)
        except LocalError as error:
            raise HeightNotRetainedError(str(error)) from None

    async def list_state(self, rollup: int, height: int | None, prefix: str) -> StateListing:
        try:
            return self.executor.list_entries(self.executor.height if height is None else height, rollup, prefix)
        except LocalError as error:
            raise HeightNotRetainedError(str(error)) from None

    async def get_account(self, address: bytes) -> AccountState:
        sequences = tuple(self.executor.get_sequence(address, channel) for channel in range(16))
        return AccountState(self.executor.height, self.executor.get_deposit(address), sequences)

    async def prove_state(self, height: int, rollup: int, key: str) -> bytes:
        return self.executor.prove_state(height, rollup, key)

    async def prove_sent(self, source: int, message_id: bytes, height_max: int) -> Delivery | None:
        return self.executor.prove_sent(source, message_id, height_max)

    async def prove_sequence(self, height: int, payer: bytes, channel: int) -> bytes:
        return self.executor.prove_sequence(height, payer, channel)

    async def prove_deposit(self, height: int, payer: bytes) -> bytes:
        return self.executor.prove_deposit(height, payer)

    def get_evidence(self) -> tuple[Evidence, ...]:
        return self.evidence

    def get_development_accounts(self) -> tuple[DevelopmentAccount, ...] | None:
        if not self._is_devnet:
            return None
        seed = sha256(b"alice").digest()
        return (DevelopmentAccount("alice", ALICE.public_key, seed),)

    def get_metrics(self) -> tuple[Metric, ...]:
        labels: Mapping[str, str] = {"name": "val0"}
        return (Metric("sequencer_height", "gauge", "Executed height.", self.executor.height, labels),)

    async def wait_for_news(self, seen: int) -> int:
        while self._news <= seen:
            await self._wake.wait()
        return self._news


def sign_commitment(genesis: Genesis, commitment: Commitment, signers: Sequence[int]) -> CommitmentCertificate:
    """Return the certificate that these validators give."""
    message = compute_signing_bytes(
        genesis.chain_id, commitment.epoch, SignatureKind.COMMITMENT, commitment.height, commitment.digest
    )
    signatures = tuple(VALIDATORS[index].sign(message) for index in signers)
    return CommitmentCertificate(commitment.epoch, commitment.height, commitment.digest, tuple(signers), signatures)
