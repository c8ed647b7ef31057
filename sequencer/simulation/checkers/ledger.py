"""Collect what an all-seeing observer knows, for all checkers to use.

A vote counts from the moment it is durable or sent, whichever comes first; a certificate
counts as existing as soon as votes of strong power exist, even if nobody has joined them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sequencer.crypto.signatures import Verifier
from sequencer.simulation.observer import Observer
from sequencer.simulation.scheduler import Scheduler
from sequencer.types.batch import Batch, BatchHeader
from sequencer.types.block import BlockHeader, FinalizedBlock
from sequencer.types.genesis import Genesis
from sequencer.types.messages import BlockHeaders, Hello, Message
from sequencer.types.primitives import Digest, Height, View
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode
    from sequencer.simulation.store import StoreRecord

_KIND_BY_RECORD = {
    RecordKind.NOTARIZE: VoteKind.NOTARIZE,
    RecordKind.NULLIFY: VoteKind.NULLIFY,
    RecordKind.FINALIZE: VoteKind.FINALIZE,
}

CertificateListener = Callable[[VoteKind, View, Digest, int], None]
"""Called once per certificate with its kind, view, digest and the node whose vote completed it, -1 if faulty."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that a run broke."""

    rule: str
    """Rule or invariant id, as I1 or V6."""
    number: int
    """Height, view or lane position, as the rule demands."""
    node: int
    """The validator that did it, or -1."""
    time_ms: int
    """Virtual time."""
    detail: str


class Ledger(Observer):
    """Facts of one run: headers, votes, certificates, batches and who holds them, the log."""

    sent_types = (Vote, Hello, Proposal, BlockHeaders, Batch)

    def __init__(
        self, scheduler: Scheduler, genesis: Genesis, faulty: Iterable[int] = (), verifier: Verifier | None = None
    ) -> None:
        self.genesis = genesis
        self._verifier = verifier
        self._genuine: dict[int, tuple[Certificate, bool]] = {}
        """Certificates by identity, and whether every signature is right: objects travel, bytes do not."""
        self.faulty = set(faulty)
        """Validators that no rule holds: Byzantine from the start, or from the moment that a fault made them so."""
        self._powers = [validator.power for validator in genesis.validators]
        self._fault_power = (sum(self._powers) - 1) // 3
        self._strong = sum(self._powers) - self._fault_power
        self.violations: list[Violation] = []
        self.is_broken = False
        """Whether a violation was reported that ends the run."""
        self.on_broken: Callable[[], None] | None = None
        """Told of every report once that is so; it ends the run."""
        self.is_beyond_fault_power = self._get_power(self.faulty) > self._fault_power
        """With more than F Byzantine from the start the run goes on until agreement breaks: a control of I1."""
        self.headers: dict[Digest, BlockHeader] = {genesis.header.digest: genesis.header}
        self.batches: dict[Digest, BatchHeader] = {}
        self.holders: dict[Digest, set[int]] = {}
        """Validators on whose disk a batch is durable."""
        self.votes: dict[tuple[VoteKind, View, Digest], set[int]] = {}
        self.certificates: dict[tuple[VoteKind, View], list[Digest]] = {
            (VoteKind.NOTARIZE, 0): [genesis.header.digest],
            (VoteKind.FINALIZE, 0): [genesis.header.digest],
        }
        self.log: dict[Height, FinalizedBlock] = {}
        """First durable block of each height."""
        self.chosen_leaders: tuple[int, ...] = ()
        """Leaders that a scenario puts in the place of the schedule, by view; empty: the schedule holds. # E7"""
        self._scheduler = scheduler
        self._certificate_listeners: list[CertificateListener] = []

    @property
    def now_us(self) -> int:
        """Virtual time."""
        return self._scheduler.now_us

    def report(self, rule: str, number: int, node: int, detail: str) -> None:
        """Record that `rule` was broken, unless by a validator that is not correct; -1 names nobody."""
        if node in self.faulty:
            return
        self.violations.append(Violation(rule, number, node, self._scheduler.now_us // 1_000, detail))
        self.is_broken |= rule in ("I1", "RAISED", "STOPPED") or not self.is_beyond_fault_power
        if self.is_broken and self.on_broken is not None:
            self.on_broken()

    def listen(self, listener: CertificateListener) -> None:
        """Call `listener` for every certificate that comes to exist."""
        self._certificate_listeners.append(listener)

    def has_certificate(self, kind: VoteKind, view: View, digest: Digest | None = None) -> bool:
        """Tell whether votes of strong power exist, for `digest` or for any digest."""
        digests = self.certificates.get((kind, view), ())
        return bool(digests) if digest is None else digest in digests

    def is_strong(self, validators: Iterable[int]) -> bool:
        """Tell whether distinct validators have power ≥ W-F; computed here, not by the code under test. # G1"""
        return self._get_power(validators) >= self._strong

    def is_weak(self, validators: Iterable[int]) -> bool:
        """Tell whether distinct validators have power ≥ F+1. # G1"""
        return self._get_power(validators) >= self._fault_power + 1

    def verify(self, signer: int, message: bytes, signature: bytes) -> bool:
        """Tell whether the validator signed these bytes; everything counts as signed where no verifier was given."""
        key = self.genesis.validators[signer].public_key
        return self._verifier is None or self._verifier(key, message, signature)

    def is_signed(self, signer: int, vote: Vote) -> bool:
        """Tell whether a vote that came from `signer` bears its signature; correct validators send nothing else."""
        is_correct = signer not in self.faulty
        return is_correct or self.verify(signer, vote.compute_signing_bytes(self.genesis.chain_id), vote.signature)

    def is_signed_by_anybody(self, vote: Vote) -> bool:
        """Tell whether a vote bears the signature of some validator."""
        message = vote.compute_signing_bytes(self.genesis.chain_id)
        return any(self.verify(signer, message, vote.signature) for signer in range(len(self.genesis.validators)))

    def is_genuine(self, certificate: Certificate) -> bool:
        """Tell whether a certificate has strong power and right signatures only. # C2"""
        known = self._genuine.get(id(certificate))
        if known is None:
            message = compute_signing_bytes(
                self.genesis.chain_id,
                certificate.epoch,
                SignatureKind(certificate.kind),
                certificate.view,
                certificate.digest,
            )
            pairs = zip(certificate.signers, certificate.signatures, strict=False)
            is_genuine = self.is_strong(set(certificate.signers)) and all(self.verify(s, message, t) for s, t in pairs)
            known = self._genuine[id(certificate)] = (certificate, is_genuine)
        return known[1]

    def _get_power(self, validators: Iterable[int]) -> int:
        return sum(map(self._powers.__getitem__, validators))

    def get_chain(self, tip: Digest, low: int) -> list[BatchHeader]:
        """Return the batch headers from `tip` down to position `low`, as far as anybody has shown them."""
        chain = []
        header = self.batches.get(tip)
        while header is not None and header.position >= low:
            chain.append(header)
            header = self.batches.get(header.parent)
        return chain

    def on_durable(self, node: SimulatedNode, votes: Sequence[VoteRecord], records: Sequence[StoreRecord]) -> None:
        for item in records:
            if isinstance(item, Batch):
                self._add_batch(node.index, item)
            elif isinstance(item, FinalizedBlock):
                self.headers.setdefault(item.header.digest, item.header)
                self.log.setdefault(item.header.height, item)
                for batch in item.batches:
                    self._add_batch(node.index, batch)
                self._adopt_own_votes(node.index, item)
        for record in votes:
            if record.kind in _KIND_BY_RECORD and record.epoch == self.genesis.committee.epoch:
                self._add_vote(node.index, _KIND_BY_RECORD[record.kind], record.number, record.digest)

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        if isinstance(message, Vote):
            self._add_vote(node.index, message.kind, message.view, message.digest)
        elif isinstance(message, Hello):
            for vote in message.votes:
                self._add_vote(node.index, vote.kind, vote.view, vote.digest)
        else:
            self.add_shown(message)

    def add_signed(self, node: int, kind: SignatureKind, number: int, digest: Digest) -> None:
        """A Byzantine key signed something: it exists, whether it is sent or not."""
        if kind in (SignatureKind.NOTARIZE, SignatureKind.NULLIFY, SignatureKind.FINALIZE):
            self._add_vote(node, VoteKind(kind), number, digest)

    def add_shown(self, message: Message) -> None:
        """Remember headers and batches that somebody showed; their digests name them, whoever it was."""
        if isinstance(message, Proposal):
            self.headers.setdefault(message.header.digest, message.header)
        elif isinstance(message, BlockHeaders):
            self.headers.update((header.digest, header) for header in message.headers)
        elif isinstance(message, Batch):
            self.batches.setdefault(message.digest, message.header)

    def _adopt_own_votes(self, node: int, block: FinalizedBlock) -> None:
        """Count the own votes that a stored certificate rests on, though a crash took their records.

        The block store is synced before the vote log. The certificate keeps what the records
        would have kept: nothing contradicting is ever signed at or below a finalized view.
        """
        certificate = block.finalization
        if certificate is not None and node in certificate.signers:
            self._add_vote(node, VoteKind.NOTARIZE, certificate.view, certificate.digest)
            self._add_vote(node, VoteKind.FINALIZE, certificate.view, certificate.digest)

    def _add_batch(self, node: int, batch: Batch) -> None:
        self.batches.setdefault(batch.digest, batch.header)
        self.holders.setdefault(batch.digest, set()).add(node)

    def _add_vote(self, node: int, kind: VoteKind, view: View, digest: Digest) -> None:
        signers = self.votes.setdefault((kind, view, digest), set())
        if node in signers:
            return
        before = self._get_power(signers)
        signers.add(node)
        if before < self._strong <= before + self._powers[node]:
            self.certificates.setdefault((kind, view), []).append(digest)
            for listener in self._certificate_listeners:
                listener(kind, view, digest, -1 if node in self.faulty else node)
