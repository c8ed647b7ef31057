"""Log and sign what this validator says; nothing is signed that was not logged first. # V10 V11 V12 P5"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sequencer.consensus.view_record import ViewRecord
from sequencer.crypto.signatures import Signer
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Effect, PersistVote
from sequencer.types.messages import HELLO_VOTES_MAX
from sequencer.types.primitives import Digest, Epoch, View
from sequencer.types.records import RecordKind, VoteRecord
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Vote, VoteKind

_VOTE_KINDS = (VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE)


class OwnVotes:
    """The vote key of one validator in one epoch, or of an observer, which signs nothing."""

    def __init__(
        self,
        chain_id: Digest,
        epoch: Epoch,
        signer: Signer | None,
        log: Iterable[VoteRecord],
        certificates: Iterable[Certificate] = (),
    ) -> None:
        self._chain_id = chain_id
        self._epoch = epoch
        self._signer = signer
        self.logged = tuple(
            record for record in log if record.epoch == epoch and record.kind in RecordKind and _is_view_record(record)
        )
        """What was logged before the start, in this epoch. # R1"""
        self.highest_view: View = max((record.number for record in self.logged), default=0)
        """Nothing new is signed in views below this. # R1"""
        self.logged_certificates = tuple(certificates)
        """N and Z that were logged with votes before the start; verified before they were logged. # R1"""
        self._grounded = {(certificate.view, certificate.kind) for certificate in self.logged_certificates}

    @property
    def can_sign(self) -> bool:
        """Tell whether this node is a validator in order."""
        return self._signer is not None

    def raise_floor(self, view: View) -> None:
        """Sign nothing new in views below this one: the node has been there. # C3 R2"""
        self.highest_view = max(self.highest_view, view)

    def stop(self) -> None:
        """Sign nothing more, for ever. # C2"""
        self._signer = None

    def cast(
        self,
        record: ViewRecord,
        kind: VoteKind,
        digest: Digest,
        effects: list[Effect],
        header: BlockHeader | None = None,
        grounds: tuple[Certificate, ...] = (),
    ) -> Vote:
        """Log the vote, note it in `record` and return it signed; the caller sends it afterwards.

        A notarize is logged with its `header`: should all validators restart at once, the votes
        certify the block again, and somebody must still know what it is. Every vote is logged with
        the certificates below it, `grounds`, for votes alone may not give them again. # R1
        """
        logged = RecordKind(kind)
        fresh = self._take_fresh(grounds)
        effects.append(PersistVote(VoteRecord(logged, self._epoch, record.view, digest), header, fresh))
        record.own[logged] = digest
        return self.sign_vote(record.view, kind, digest)

    def sign_vote(self, view: View, kind: VoteKind, digest: Digest) -> Vote:
        """Return the vote over what is logged already; the same inputs give the same bytes."""
        signature = self._sign(SignatureKind(kind), view, digest)
        return Vote(kind, self._epoch, view, digest, signature)

    def sign_proposal(
        self, record: ViewRecord, header: BlockHeader, effects: list[Effect], grounds: tuple[Certificate, ...]
    ) -> bytes:
        """Log the proposal and return the leader's signature. # P5"""
        logged = VoteRecord(RecordKind.PROPOSAL, self._epoch, header.view, header.digest)
        effects.append(PersistVote(logged, header, self._take_fresh(grounds)))
        record.own[RecordKind.PROPOSAL] = header.digest
        return self._sign(SignatureKind.PROPOSAL, header.view, header.digest)

    def resign(self, record: ViewRecord) -> list[Vote]:
        """Return the votes that `record` says were logged, signed again. # F5"""
        return [
            self.sign_vote(record.view, kind, record.own[RecordKind(kind)])
            for kind in _VOTE_KINDS
            if RecordKind(kind) in record.own
        ]

    def collect_hello_votes(self, records: Mapping[View, ViewRecord], finalized_view: View) -> tuple[Vote, ...]:
        """Return the newest own votes above the finalized view, ascending. # F5"""
        if not self.can_sign:
            return ()
        views = sorted(view for view in records if view > finalized_view)
        return tuple(vote for view in views for vote in self.resign(records[view]))[-HELLO_VOTES_MAX:]

    def _take_fresh(self, grounds: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
        """Return the certificates that are not in the log yet, and remember that they will be."""
        fresh = tuple(grounded for grounded in grounds if (grounded.view, grounded.kind) not in self._grounded)
        self._grounded = {(grounded.view, grounded.kind) for grounded in grounds}
        return fresh

    def _sign(self, kind: SignatureKind, view: View, digest: Digest) -> bytes:
        assert self._signer is not None  # callers ask can_sign first
        return self._signer.sign(compute_signing_bytes(self._chain_id, self._epoch, kind, view, digest))


def attach_entry(vote: Vote, entry: Certificate | None, is_resend: bool) -> Vote:
    """Return a nullify with the certificate that let its sender in. # F3 V11"""
    return Vote(vote.kind, vote.epoch, vote.view, vote.digest, vote.signature, is_resend, entry)


def _is_view_record(record: VoteRecord) -> bool:
    return record.kind in (RecordKind.PROPOSAL, RecordKind.NOTARIZE, RecordKind.NULLIFY, RecordKind.FINALIZE)
