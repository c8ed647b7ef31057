"""Check every signature that is sent, over bytes that are laid out here from the rule. # G1 G2 G4 C2"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.observer import Observer
from sequencer.types.batch import Batch
from sequencer.types.commitment import CommitmentVote
from sequencer.types.messages import Hello, Message
from sequencer.types.primitives import Digest
from sequencer.types.vote import Certificate, Proposal, Vote

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode

_LAYOUT = struct.Struct(">4s32sQBQ32s")
PROPOSAL, BATCH_HEADER, COMMITMENT = 1, 5, 6


class SigningMonitor(Observer):
    """Own signatures cover the 85 bytes; certificates hold strong power of signatures by those whom they name."""

    sent_types = (Vote, Batch, CommitmentVote, Proposal, Certificate, Hello)

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._checked: set[bytes] = set()
        self._certificates: set[tuple[object, ...]] = set()

    def on_sent(self, node: SimulatedNode, peer: int | None, message: Message) -> None:
        if isinstance(message, Vote):
            self._check_vote(node.index, message)
        elif isinstance(message, Batch):
            batch = message.header
            self._check(batch.lane, batch.epoch, BATCH_HEADER, batch.position, message.digest, message.signature)
        elif isinstance(message, CommitmentVote):
            self._check(node.index, message.epoch, COMMITMENT, message.height, message.digest, message.signature)
        elif isinstance(message, Proposal):
            header = message.header
            self._check(node.index, header.epoch, PROPOSAL, header.view, header.digest, message.signature)
            self._check_certificates(node.index, message.justification)
        elif isinstance(message, Certificate):
            self._check_certificates(node.index, (message,))
        elif isinstance(message, Hello):
            for vote in message.votes:
                self._check_vote(node.index, vote)
            self._check_certificates(node.index, message.certificates)

    def _check_vote(self, node: int, vote: Vote) -> None:
        self._check(node, vote.epoch, vote.kind, vote.view, vote.digest, vote.signature)
        if vote.entry is not None:
            self._check_certificates(node, (vote.entry,))

    def _check(self, signer: int, epoch: int, kind: int, number: int, digest: Digest, signature: bytes) -> None:
        if signature in self._checked:
            return
        self._checked.add(signature)
        if not self._is_signature(signer, epoch, kind, number, digest, signature):
            self._ledger.report("G2", number, signer, "signs other bytes than the 85 that the rule lays out")

    def _is_signature(self, signer: int, epoch: int, kind: int, number: int, digest: Digest, signature: bytes) -> bool:
        message = _LAYOUT.pack(b"SSQ1", self._ledger.genesis.chain_id, epoch, kind, number, digest)
        return self._ledger.verify(signer, message, signature)

    def _check_certificates(self, node: int, certificates: tuple[Certificate, ...]) -> None:
        for certificate in certificates:
            name = (certificate.kind, certificate.view, certificate.digest, certificate.signers)
            if node not in self._ledger.faulty and name not in self._certificates:
                self._certificates.add(name)
                self._check_certificate(node, certificate)

    def _check_certificate(self, node: int, certificate: Certificate) -> None:
        report, view = self._ledger.report, certificate.view
        for signer, signature in zip(certificate.signers, certificate.signatures, strict=True):
            facts = (certificate.epoch, certificate.kind, view, certificate.digest, signature)
            if self._is_signature(signer, *facts):
                continue
            others = [
                other for other in range(len(self._ledger.genesis.validators)) if self._is_signature(other, *facts)
            ]
            if others:
                report("G4", view, node, f"counts the vote of validator {others[0]} as one of validator {signer}")
            else:
                report("C2", view, node, f"uses a certificate that validator {signer} has not signed")
            return
        if not self._ledger.is_strong(set(certificate.signers)):
            report("G1", view, node, f"holds a certificate of {len(certificate.signers)} signers to be strong")
