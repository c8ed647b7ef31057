"""Sign scheduled commitments, collect the others' signatures, and compare. # E2 L7

Validators sign the commitment of the first block in each interval of block time. A strong
set is a certificate; commitments are chained, so it covers every height below. A certificate
that differs from what was executed here means that somebody computes wrongly: stop signing.
"""

from __future__ import annotations

from collections import OrderedDict

from sequencer.crypto.signatures import Signer, Verifier
from sequencer.errors import InvariantViolation, PeerError
from sequencer.types.commitment import CommitmentCertificate, CommitmentVote
from sequencer.types.committee import Committee
from sequencer.types.effects import (
    BanPeer,
    Broadcast,
    Effect,
    PersistVote,
    RaiseAlarm,
    Send,
    StoreCommitmentCertificate,
)
from sequencer.types.evidence import Contradiction, Statement, find_contradiction
from sequencer.types.executed import ExecutedBlock
from sequencer.types.parameters import Parameters
from sequencer.types.primitives import Bounds, Digest, Height, Signature, ValidatorIndex
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.signing import SignatureKind, compute_signing_bytes

HEIGHTS_AHEAD_MAX = 512
"""Votes are kept for heights up to this far above the newest executed one."""
OPEN_HEIGHTS_MAX = 64
"""Heights for which the votes of one signer are kept; its lowest goes first, and nobody pushes out another's."""
REMEMBERED_MAX = 2_048
"""Own commitment digests remembered for comparison."""
RESENT_MAX = 8
"""Own newest votes without a certificate that a reconnected peer is sent."""

_KIND = SignatureKind.COMMITMENT


class Commitments:
    """Signatures on commitments of one epoch."""

    def __init__(
        self,
        chain_id: Digest,
        committee: Committee,
        parameters: Parameters,
        own_index: ValidatorIndex | None,
        signer: Signer | None,
        verifier: Verifier,
        certificate: CommitmentCertificate | None,
        logged: dict[Height, Digest],
    ) -> None:
        self._chain_id = chain_id
        self._committee = committee
        self._parameters = parameters
        self._own_index = own_index
        self._signer = signer
        self._verifier = verifier
        self.certificate = certificate
        """Newest certificate."""
        self._logged = logged
        self._own: OrderedDict[Height, Digest] = OrderedDict()
        self._uncertified: list[Height] = []
        self._votes: list[dict[Height, tuple[Digest, Signature]]] = [{} for _ in committee.validators]
        self._ahead: dict[Height, CommitmentCertificate] = {}
        self._executed: Height = 0
        self.votes_evicted = 0
        """Votes on commitments given up for newer ones of their signer; for the statistics."""
        self._effects: list[Effect] = []
        self._suspicions: list[Contradiction | Statement] = []
        self.alarm: str | None = None

    @property
    def certified_height(self) -> Height:
        """Return the newest certified height, 0 before the first."""
        return 0 if self.certificate is None else self.certificate.height

    @property
    def is_halted(self) -> bool:
        """Tell whether too many scheduled heights lack a certificate: leaders propose empty blocks. # E2"""
        return len(self._uncertified) >= self._parameters.uncertified_commitments_max

    def get_certifiers(self) -> tuple[tuple[ValidatorIndex, ...], Height]:
        """Return who signed the newest certificate, and its height; 0 before the first."""
        return ((), 0) if self.certificate is None else (self.certificate.signers, self.certificate.height)

    def take_effects(self) -> list[Effect]:
        """Return what is to be done, once, in order."""
        effects, self._effects = self._effects, []
        return effects

    def stop(self) -> None:
        """Sign nothing more."""
        self._signer = None

    def on_replayed(self, executed: ExecutedBlock) -> None:
        """A stored block was executed again; it must give what was signed. # D1"""
        height, digest = executed.header.height, executed.commitment.digest
        logged = self._logged.get(height)
        if logged is not None and logged != digest:
            raise InvariantViolation(f"executing block {height} again gives another commitment than the one signed")
        self._remember(executed)

    def on_restored(self, height: Height, digest: Digest) -> None:
        """Execution stands on a snapshot: what was signed and certified must agree with it. # D1 R2"""
        if self._logged.get(height, digest) != digest:
            raise InvariantViolation(f"the snapshot of height {height} has another commitment than the one signed")
        self._executed = height
        self._own[height] = digest
        if self.certificate is not None and self.certificate.height > height:
            self._ahead[self.certificate.height] = self.certificate

    def start(self) -> None:
        """Sign what is not certified yet; signed again it is the same bytes. # R1"""
        for height in self._uncertified[-RESENT_MAX:]:
            self._vote(height, self._own[height])

    def on_executed(self, executed: ExecutedBlock) -> None:
        """A block was executed and is durable before whatever follows: sign its commitment if scheduled."""
        self._remember(executed)
        height, digest = executed.header.height, executed.commitment.digest
        ahead = self._ahead.pop(height, None)
        if ahead is not None:
            self._compare(ahead)
        if executed.is_scheduled and height > self.certified_height:
            self._vote(height, digest)

    def on_vote(self, peer: ValidatorIndex, vote: CommitmentVote) -> bool:
        """A validator signed a commitment; its channel says who it is. Tell whether anything follows from it. # G4"""
        if vote.epoch != self._committee.epoch:
            raise PeerError(f"commitment vote is of epoch {vote.epoch}, not {self._committee.epoch}")
        if not self.certified_height <= vote.height <= self._executed + HEIGHTS_AHEAD_MAX:
            return False
        known = self._votes[peer].get(vote.height) or (self._own.get(vote.height),)
        if vote.height == self.certified_height or known[0] not in (None, vote.digest):
            self._notice(Statement(_KIND, vote.epoch, peer, vote.height, vote.digest, vote.signature))
        if vote.height > self.certified_height:
            self._count(peer, vote.height, vote.digest, vote.signature)
        return bool(self._effects or self._suspicions)

    def on_certificate(self, certificate: CommitmentCertificate) -> None:
        """A peer handed in a certificate; raises `PeerError` if it is wrong."""
        if certificate.height <= self.certified_height:
            return
        certificate.verify(self._chain_id, self._committee, self._verifier)
        self._accept(certificate)

    def send_recent(self, peer: ValidatorIndex) -> None:
        """A peer reconnected and may have missed votes: send the newest certificate and own open votes. # F5"""
        if self.certificate is not None:
            self._effects.append(Send(peer, self.certificate))
        if self._signer is None:
            return
        for height in self._uncertified[-RESENT_MAX:]:
            if self._logged.get(height) == self._own.get(height):
                self._effects.append(Send(peer, self._sign(height, self._own[height])))

    def get_bounds(self) -> Bounds:
        """Return (size, bound) of every table; of the votes those of the signer with most. # I11"""
        return {
            "commitment_votes_per_signer": (max(map(len, self._votes)), OPEN_HEIGHTS_MAX),
            "commitments_ahead": (len(self._ahead), OPEN_HEIGHTS_MAX),
            "commitments_remembered": (len(self._own), REMEMBERED_MAX),
        }

    def take_suspicions(self) -> list[Contradiction | Statement]:
        """Return what was noticed and nobody has verified, once. # X6"""
        suspicions, self._suspicions = self._suspicions, []
        return suspicions

    def find_rivals(self, statement: Statement) -> list[Statement]:
        """Return the signer's other signatures on the commitment of that height, verified or not. # X6"""
        signer, height, rivals = statement.signer, statement.number, []
        if signer < len(self._votes) and height in self._votes[signer]:
            rivals.append(Statement(_KIND, statement.epoch, signer, height, *self._votes[signer][height]))
        held = self.certificate
        if held is not None and held.height == height and signer in held.signers:
            signature = held.signatures[held.signers.index(signer)]
            rivals.append(Statement(_KIND, held.epoch, signer, height, held.digest, signature))
        return [rival for rival in rivals if rival.digest != statement.digest]

    def _notice(self, statement: Statement) -> None:
        """Compare a signature with its signer's others of that height; show one that is odd to everybody. # X6"""
        rivals = self.find_rivals(statement)
        found = (find_contradiction(statement, rival) for rival in rivals)
        self._suspicions.extend(pair for pair in found if pair is not None)
        if not rivals and self._own.get(statement.number, statement.digest) != statement.digest:
            self._suspicions.append(statement)

    def _remember(self, executed: ExecutedBlock) -> None:
        self._executed = executed.header.height
        self._own[self._executed] = executed.commitment.digest
        if executed.is_scheduled and self._executed > self.certified_height:
            self._uncertified.append(self._executed)
            # Certificates are cumulative: one on a newer height serves for what is let go here. # E2
            del self._uncertified[: -self._parameters.uncertified_commitments_max]
        if len(self._own) > REMEMBERED_MAX:
            self._own.popitem(last=False)

    def _vote(self, height: Height, digest: Digest) -> None:
        """Log, sign, send and count the own signature."""
        if self._signer is None or self._own_index is None:
            return
        if self._logged.get(height, digest) != digest:
            raise InvariantViolation(f"block {height} gives another commitment than the one signed before")  # X6
        if height not in self._logged:
            record = VoteRecord(RecordKind.COMMITMENT, self._committee.epoch, height, digest)
            self._effects.append(PersistVote(record))
            self._logged[height] = digest
        vote = self._sign(height, digest)
        self._effects.append(Broadcast(vote))
        self._count(self._own_index, height, digest, vote.signature)

    def _sign(self, height: Height, digest: Digest) -> CommitmentVote:
        assert self._signer is not None  # callers ask first
        message = compute_signing_bytes(self._chain_id, self._committee.epoch, SignatureKind.COMMITMENT, height, digest)
        return CommitmentVote(self._committee.epoch, height, digest, self._signer.sign(message))

    def _count(self, signer: ValidatorIndex, height: Height, digest: Digest, signature: Signature) -> None:
        votes = self._votes[signer]
        if height in votes:
            return
        votes[height] = (digest, signature)
        if len(votes) > OPEN_HEIGHTS_MAX:
            self.votes_evicted += 1
            del votes[min(votes)]
        self._assemble(height, digest)

    def _assemble(self, height: Height, digest: Digest) -> None:
        held = {signer: votes[height] for signer, votes in enumerate(self._votes) if height in votes}
        signers = [signer for signer, (voted, _) in held.items() if voted == digest]
        if not self._committee.is_strong(signers):
            return
        message = compute_signing_bytes(self._chain_id, self._committee.epoch, SignatureKind.COMMITMENT, height, digest)
        right = []
        for signer in signers:
            if self._verifier(self._committee.validators[signer].public_key, message, held[signer][1]):
                right.append(signer)
            else:
                del self._votes[signer][height]
                self._effects.append(BanPeer(signer, f"wrong signature on the commitment of height {height}"))
        if self._committee.is_strong(right):
            signatures = tuple(held[signer][1] for signer in right)
            self._accept(CommitmentCertificate(self._committee.epoch, height, digest, tuple(right), signatures))

    def _accept(self, certificate: CommitmentCertificate) -> None:
        if certificate.height <= self._executed:
            self._compare(certificate)
        elif len(self._ahead) < OPEN_HEIGHTS_MAX:
            self._ahead[certificate.height] = certificate
        for signer, signature in zip(certificate.signers, certificate.signatures, strict=True):
            vote = self._votes[signer].get(certificate.height)
            if vote is not None and vote[0] != certificate.digest:
                self._notice(
                    Statement(_KIND, certificate.epoch, signer, certificate.height, certificate.digest, signature)
                )
        if self.alarm is not None:
            return
        self.certificate = certificate
        self._effects.append(StoreCommitmentCertificate(certificate))
        self._uncertified = [height for height in self._uncertified if height > certificate.height]
        for votes in self._votes:
            for height in [height for height in votes if height <= certificate.height]:
                del votes[height]
        for height in [height for height in self._logged if height < certificate.height]:
            del self._logged[height]

    def _compare(self, certificate: CommitmentCertificate) -> None:
        """A strong set computed another commitment than this node: stop and say so. # E2"""
        own = self._own.get(certificate.height)
        if own is not None and own != certificate.digest:
            self.alarm = f"a strong set certified another commitment at height {certificate.height}"
            self.stop()
            self._effects.append(RaiseAlarm(self.alarm))
