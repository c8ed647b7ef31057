"""Prove which transactions are final, block by block, with one certificate for many blocks.

The tracker takes blocks in order of height. It recomputes each block's batch root and
outcome root from the listed leaves, links each commitment to the one before, and calls
everything up to a certified commitment final once that certificate is verified against
the genesis. It does no IO and trusts no node.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sequencer.codec import Fields, decode
from sequencer.crypto.merkle import compute_root
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, PeerError, VerificationError
from sequencer.sdk.results import BlockAnswer
from sequencer.types.bundle import DECIDE_WITHIN_MAX
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.genesis import Genesis
from sequencer.types.item import ItemKind
from sequencer.types.leaves import encode_namespace_row
from sequencer.types.outcome import OutcomeLeaf, Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height

_UNDECIDED = {"pending": Status.PENDING, "inadmissible": Status.INADMISSIBLE}
"""What RPC says of an item that has no outcome in its block."""
_WITHOUT_OUTCOME = (ItemKind.VERDICTS, ItemKind.BEAT, ItemKind.ROOT)
"""Kinds of items that take effect without an outcome of their own."""
UNPROVEN_BLOCKS_MAX = 4_096
"""Blocks that wait for a certificate; a node that lists more without one is refused."""


@dataclass(frozen=True, slots=True)
class FinalTransaction:
    """One item of a final block."""

    item_id: Digest
    index: int | None
    """Place among the block's items; None for a bundle that was ordered before and is decided here."""
    status: Status
    """COMMIT and ABORT of bundles and deliveries are proven; PENDING, INADMISSIBLE: listed and not decided here."""
    reason: str
    """Proven for ABORT; of an inadmissible item it is only what the node says."""


@dataclass(frozen=True, slots=True)
class FinalBlock:
    """A block whose commitment is covered by a verified certificate."""

    height: Height
    time_ms: int
    commitment: Digest
    certified_height: Height
    transactions: tuple[FinalTransaction, ...]
    """Items in order, then what was ordered before and is decided here; what was ordered twice appears twice."""


@dataclass(frozen=True, slots=True)
class _Unproven:
    commitment: Commitment
    transactions: tuple[FinalTransaction, ...]

    @property
    def opened(self) -> set[Digest]:
        """What waits from here on."""
        return {one.item_id for one in self.transactions if one.status is Status.PENDING}

    @property
    def closed(self) -> set[Digest]:
        """What waited until here."""
        return {one.item_id for one in self.transactions if one.index is None}


class FinalityTracker:
    """Turns what one node (or several in turn) lists into what the committee signed."""

    def __init__(self, genesis: Genesis, verifier: Verifier, next_height: Height = 1) -> None:
        """Blocks are expected from `next_height` ≥ 1 on; nothing before it is looked at."""
        self._genesis = genesis
        self._verifier = verifier
        self._unproven: deque[_Unproven] = deque()
        self._parent: Commitment | None = None
        self._proven: Commitment | None = None
        self._waiting: set[Digest] = set()
        """Bundles that were ordered and not decided, as far as they were ordered from the first height on."""
        self._first_height = next_height
        self.next_height = next_height

    def reset(self) -> None:
        """Forget blocks that wait for a certificate, to take them from another node."""
        self.next_height -= len(self._unproven)
        for unproven in reversed(self._unproven):
            self._waiting = (self._waiting | unproven.closed) - unproven.opened
        self._unproven.clear()
        self._parent = self._proven

    def add_block(self, block: BlockAnswer) -> None:
        """Take the block of `next_height`; raises `VerificationError` if it contradicts itself or its parent."""
        commitment = _read_commitment(block.commitment)
        self._verify_place(commitment)
        _verify_roots(block, commitment)
        if len(self._unproven) >= UNPROVEN_BLOCKS_MAX:
            raise VerificationError(f"finality: {UNPROVEN_BLOCKS_MAX} blocks without a certificate")
        unproven = _Unproven(commitment, _list_transactions(block, commitment.height))
        self._verify_late(unproven)
        self._unproven.append(unproven)
        self._waiting = (self._waiting | unproven.opened) - unproven.closed
        self._parent = commitment
        self.next_height += 1

    def add_certificate(self, data: bytes) -> tuple[FinalBlock, ...]:
        """Return what becomes final by this certificate; one that covers nothing new is not looked at further."""
        certificate = _read_certificate(data)
        if not self._unproven or certificate.height < self._unproven[0].commitment.height:
            return ()
        if certificate.height >= self.next_height:
            return ()
        covered = certificate.height - self._unproven[0].commitment.height
        if self._unproven[covered].commitment.digest != certificate.digest:
            raise VerificationError(f"certificate: names another commitment than that of height {certificate.height}")
        try:
            certificate.verify(self._genesis.chain_id, self._genesis.committee, self._verifier)
        except PeerError as error:
            raise VerificationError(f"certificate: {error}") from None
        self._proven = self._unproven[covered].commitment
        return tuple(_make_final(self._unproven.popleft(), certificate.height) for _ in range(covered + 1))

    def _verify_place(self, commitment: Commitment) -> None:
        committee = self._genesis.committee
        if commitment.height != self.next_height:
            raise VerificationError(f"chain: height {commitment.height} instead of {self.next_height}")
        if commitment.chain_id != self._genesis.chain_id:
            raise VerificationError(f"chain: height {commitment.height} is of another network")
        if (commitment.epoch, commitment.validators_hash) != (committee.epoch, committee.digest):
            raise VerificationError(f"chain: height {commitment.height} names another committee")
        if self._parent is not None and commitment.parent != self._parent.digest:
            raise VerificationError(f"chain: height {commitment.height} does not follow the one before")

    def _verify_late(self, unproven: _Unproven) -> None:
        """Refuse an outcome of what was never ordered; of what came before the first height nothing is known. # A21"""
        height = unproven.commitment.height
        if self._first_height > 1 and height <= self._first_height + DECIDE_WITHIN_MAX:
            return
        if not unproven.closed <= self._waiting:
            raise VerificationError(f"outcome: height {height} decides an item that was not ordered")


def _read_commitment(data: bytes) -> Commitment:
    try:
        return Commitment.from_value(decode(data, "commitment"), "commitment")
    except DecodeError as error:
        raise VerificationError(f"chain: {error}") from None


def _read_certificate(data: bytes) -> CommitmentCertificate:
    try:
        return CommitmentCertificate.from_value(decode(data, "certificate"), "certificate")
    except DecodeError as error:
        raise VerificationError(f"certificate: {error}") from None


def _verify_roots(block: BlockAnswer, commitment: Commitment) -> None:
    """Recompute batch root and outcome root from what is listed."""
    rows = [encode_namespace_row(namespace, len(leaves), compute_root(leaves)) for namespace, leaves in block.leaves]
    if compute_root(rows) != commitment.batch_root:
        raise VerificationError(f"batch: the leaves of height {commitment.height} do not give its batch root")
    try:
        outcomes = [OutcomeLeaf(item, Status[name], reason).to_bytes() for item, name, reason in block.outcomes]
    except KeyError as error:
        raise VerificationError(f"outcome: {error} is no outcome") from None
    if compute_root(outcomes) != commitment.outcome_root:
        raise VerificationError(f"outcome: the outcomes of height {commitment.height} do not give its outcome root")


def _list_transactions(block: BlockAnswer, height: Height) -> tuple[FinalTransaction, ...]:
    """Join the envelopes, which fix the order, with the outcomes; the results only say which copy was taken in."""
    envelopes = dict(block.leaves).get(SYSTEM_NAMESPACE, ())
    if len(envelopes) != len(block.results):
        raise VerificationError(f"batch: height {height} lists {len(block.results)} results of {len(envelopes)} items")
    outcomes = {item_id: (Status[name], reason) for item_id, name, reason in block.outcomes}
    transactions = []
    for index, (leaf, (item_id, status, reason)) in enumerate(zip(envelopes, block.results, strict=True)):
        kind, listed_id = _read_envelope(leaf)
        if listed_id != item_id:
            raise VerificationError(f"batch: result {index} of height {height} is of another item")
        if status in _UNDECIDED:
            told = (_UNDECIDED[status], reason)
        elif kind in _WITHOUT_OUTCOME:
            told = (Status.COMMIT, reason)
        elif item_id in outcomes:
            told = outcomes.pop(item_id)
        else:
            raise VerificationError(f"outcome: result {index} of height {height} has no outcome")
        transactions.append(FinalTransaction(item_id, index, *told))
    late = [FinalTransaction(item_id, None, *told) for item_id, told in outcomes.items()]
    return (*transactions, *late)


def _read_envelope(leaf: bytes) -> tuple[int, Digest]:
    """Return the item's kind and id."""
    try:
        read = Fields(decode(leaf, "envelope"), "envelope")
        return read.uint("kind"), read.digest("item_id")
    except DecodeError as error:
        raise VerificationError(f"batch: {error}") from None


def _make_final(unproven: _Unproven, certified_height: Height) -> FinalBlock:
    commitment = unproven.commitment
    return FinalBlock(commitment.height, commitment.time_ms, commitment.digest, certified_height, unproven.transactions)
