"""Record what is known of one view: the proposal, votes, certificates and own acts. # C1

Votes are kept unverified, at most two digests per signer and kind; they are verified when
their power reaches strong. A certificate ends the counting of its kind.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sequencer.crypto.signatures import Verifier
from sequencer.types.committee import Committee
from sequencer.types.primitives import Digest, Signature, ValidatorIndex, View
from sequencer.types.records import RecordKind
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind

DIGESTS_PER_SIGNER_MAX = 2
"""Digests kept per signer and kind: two prove an equivocation, more prove nothing new."""


@dataclass(slots=True)
class _Ballot:
    """One signer's vote for one digest."""

    signature: Signature
    is_verified: bool


@dataclass(slots=True)
class ViewRecord:
    """One view, from the first message about it until it is pruned."""

    view: View
    proposal: Proposal | None = None
    """First valid proposal of the leader. # V2"""
    proposal_received_ms: int = 0
    own: dict[RecordKind, Digest] = field(default_factory=dict)
    """What this validator has logged in this view. # V1 V11 V12"""
    certificates: dict[VoteKind, Certificate] = field(default_factory=dict)
    missing_since_ms: int | None = None
    """Since when the vote waits for batches. # V6 L8"""
    omitted_lane: ValidatorIndex | None = None
    """Lane that the proposal should include. # V8"""
    late_lanes: set[ValidatorIndex] = field(default_factory=set)
    """Lanes that were noted as late in this view. # L8"""
    _ballots: dict[tuple[VoteKind, Digest], dict[ValidatorIndex, _Ballot]] = field(default_factory=dict)

    def get_certificate(self, kind: VoteKind) -> Certificate | None:
        """Return N, Z or F of this view, if held."""
        return self.certificates.get(kind)

    @property
    def is_decided(self) -> bool:
        """Tell whether the view is known to be notarized or nullified."""
        return bool(self.certificates)

    def count_votes(self) -> Counter[ValidatorIndex]:
        """Return how many votes of each signer are kept."""
        return Counter(signer for ballots in self._ballots.values() for signer in ballots)

    def holds(self, certificate: Certificate) -> bool:
        """Tell whether the same kind is certified for the same block already."""
        held = self.certificates.get(certificate.kind)
        return held is not None and held.digest == certificate.digest

    def add_vote(self, signer: ValidatorIndex, vote: Vote, is_verified: bool) -> bool:
        """Keep a vote; return False if it adds nothing."""
        named = [digest for (kind, digest), others in self._ballots.items() if kind is vote.kind and signer in others]
        if vote.digest in named or len(named) >= DIGESTS_PER_SIGNER_MAX:
            return False
        self._ballots.setdefault((vote.kind, vote.digest), {})[signer] = _Ballot(vote.signature, is_verified)
        return True

    def has_vote(self, signer: ValidatorIndex, kind: VoteKind, digest: Digest) -> bool:
        """Tell whether this vote is kept, verified or not."""
        return signer in self._ballots.get((kind, digest), {})

    def find_rivals(
        self, signer: ValidatorIndex, kind: VoteKind, digest: Digest
    ) -> list[tuple[VoteKind, Digest, Signature]]:
        """Return the signer's votes here that exclude the given one. # X1 X2 X3

        Kept votes may be unverified; those in certificates are good.
        """
        rivals = [
            (held_kind, held_digest, ballots[signer].signature)
            for (held_kind, held_digest), ballots in self._ballots.items()
            if signer in ballots and _is_exclusive(kind, digest, held_kind, held_digest)
        ]
        for held in self.certificates.values():
            if _is_exclusive(kind, digest, held.kind, held.digest) and signer in held.signers:
                rivals.append((held.kind, held.digest, held.signatures[held.signers.index(signer)]))
        return rivals

    def is_contested(self, kind: VoteKind, digest: Digest) -> bool:
        """Tell whether anybody's vote or certificate here excludes the given one. # X1 X2 X3"""
        held = [*self._ballots, *((certificate.kind, certificate.digest) for certificate in self.certificates.values())]
        return any(_is_exclusive(kind, digest, *other) for other in held)

    def verify_vote(
        self,
        signer: ValidatorIndex,
        kind: VoteKind,
        digest: Digest,
        chain_id: Digest,
        committee: Committee,
        verifier: Verifier,
    ) -> bool:
        """Verify one kept vote now; forget it if it is wrong."""
        ballot = self._ballots.get((kind, digest), {}).get(signer)
        if ballot is None:
            return False
        if not ballot.is_verified:
            key = committee.validators[signer].public_key
            message = compute_signing_bytes(chain_id, committee.epoch, SignatureKind(kind), self.view, digest)
            ballot.is_verified = verifier(key, message, ballot.signature)
        if not ballot.is_verified:
            del self._ballots[(kind, digest)][signer]
        return ballot.is_verified

    def assemble(
        self, kind: VoteKind, digest: Digest, chain_id: Digest, committee: Committee, verifier: Verifier
    ) -> tuple[Certificate | None, tuple[ValidatorIndex, ...]]:
        """Return a certificate if strong power voted, and the signers whose signatures proved wrong. # C1"""
        ballots = self._ballots.get((kind, digest), {})
        if not committee.is_strong(ballots):
            return None, ()
        message = compute_signing_bytes(chain_id, committee.epoch, SignatureKind(kind), self.view, digest)
        wrong = []
        for signer in sorted(ballots):
            ballot = ballots[signer]
            if not ballot.is_verified:
                ballot.is_verified = verifier(committee.validators[signer].public_key, message, ballot.signature)
                if not ballot.is_verified:
                    wrong.append(signer)
        for signer in wrong:
            del ballots[signer]
        if not committee.is_strong(ballots):
            return None, tuple(wrong)
        signers = tuple(sorted(ballots))
        signatures = tuple(ballots[signer].signature for signer in signers)
        return Certificate(kind, committee.epoch, self.view, digest, signers, signatures), tuple(wrong)


def _is_exclusive(one: VoteKind, digest: Digest, other: VoteKind, other_digest: Digest) -> bool:
    """Tell whether no correct validator sends both votes in one view. # X1 X2 X3"""
    if one is other:
        return digest != other_digest
    return VoteKind.NOTARIZE not in (one, other)


def find_contradiction(record: ViewRecord, certificate: Certificate) -> str | None:
    """Name two certificates that cannot both exist with at most F faulty power. # C2 I2 I3 I4"""
    notarization = record.get_certificate(VoteKind.NOTARIZE)
    finalization = record.get_certificate(VoteKind.FINALIZE)
    nullification = record.get_certificate(VoteKind.NULLIFY)
    digests = {held.digest for held in (notarization, finalization) if held is not None}
    if certificate.kind is VoteKind.NULLIFY:
        return f"view {record.view} is finalized and nullified" if finalization is not None else None
    if digests and certificate.digest not in digests:
        return f"view {record.view} certifies two blocks"
    if certificate.kind is VoteKind.FINALIZE and nullification is not None:
        return f"view {record.view} is nullified and finalized"
    return None
