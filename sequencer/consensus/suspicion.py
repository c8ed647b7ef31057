"""Notice what one validator says that excludes something else it said in the same view. # X1-X4 X7

Promises: nothing is verified, kept or sent here, and no vote depends on it; what is noticed waits in
`AgreementState.suspicions` until somebody verifies it. In the good case a look at two tables.
"""

from __future__ import annotations

from sequencer.consensus.state import AgreementState
from sequencer.consensus.view_record import ViewRecord
from sequencer.types.block import BlockHeader
from sequencer.types.evidence import FalseProposal, Statement, find_contradiction, make_proposal_statement
from sequencer.types.primitives import Digest, Epoch, Signature, ValidatorIndex
from sequencer.types.signing import SignatureKind
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind


def notice_vote(state: AgreementState, record: ViewRecord, signer: ValidatorIndex, vote: Vote) -> None:
    """A vote came, first or late: compare it with its signer's others and with the leader's proposal. # X1 X2 X3"""
    proposal = None if vote.kind is VoteKind.NULLIFY else record.proposal
    is_odd = proposal is not None and vote.digest != proposal.header.digest
    rivals = record.find_rivals(signer, vote.kind, vote.digest)
    if not (is_odd or rivals):
        return
    statement = make_vote_statement(vote.epoch, signer, record.view, vote.kind, vote.digest, vote.signature)
    _suspect_pairs(state, statement, _find_rivals(record, statement, vote.kind))
    if proposal is not None and not rivals:
        # Either the voter or the leader says one thing here and another there; somebody may hold the other half.
        state.suspicions += [statement, _get_leader_statement(state, proposal)]


def notice_certificate(state: AgreementState, record: ViewRecord, certificate: Certificate) -> None:
    """A verified certificate came: whoever signed it may have told this node something else. # X1 X2 X3 C2"""
    kind, digest = certificate.kind, certificate.digest
    if record.is_contested(kind, digest):
        for signer, signature in zip(certificate.signers, certificate.signatures, strict=True):
            statement = make_vote_statement(certificate.epoch, signer, record.view, kind, digest, signature)
            _suspect_pairs(state, statement, _find_rivals(record, statement, kind))
    is_about_block = kind is not VoteKind.NULLIFY and record.proposal is not None
    if is_about_block and record.proposal is not None and record.proposal.header.digest != digest:
        state.suspicions.append(_get_leader_statement(state, record.proposal))


def notice_proposal(state: AgreementState, record: ViewRecord, proposal: Proposal) -> None:
    """A leader's signed proposal came: compare it with the first one of the view, and with the votes. # X4"""
    statement = _get_leader_statement(state, proposal)
    first = record.proposal
    if first is not None and first.header.digest != proposal.header.digest:
        _suspect_pairs(state, statement, [_get_leader_statement(state, first)])
    elif record.is_contested(VoteKind.NOTARIZE, proposal.header.digest):
        state.suspicions.append(statement)


def notice_false_cut(state: AgreementState, proposal: Proposal, parent: BlockHeader) -> None:
    """A signed proposal breaks V5 on its parent, for ever. # X7"""
    leader = state.committee.get_leader(proposal.header.view)
    state.suspicions.append(FalseProposal(leader, proposal.header, proposal.signature, parent))


def find_rivals(state: AgreementState, statement: Statement) -> list[Statement]:
    """Return what this node holds of the statement's signer and view that may exclude it."""
    record = state.records.get(statement.number)
    if record is None:
        return []
    if statement.kind is SignatureKind.PROPOSAL:
        is_leader = state.committee.get_leader(record.view) == statement.signer
        return [_get_leader_statement(state, record.proposal)] if is_leader and record.proposal is not None else []
    return _find_rivals(record, statement, VoteKind(statement.kind))


def make_vote_statement(
    epoch: Epoch, signer: ValidatorIndex, view: int, kind: VoteKind, digest: Digest, signature: Signature
) -> Statement:
    """Return what a signature on a vote states."""
    return Statement(SignatureKind(kind), epoch, signer, view, digest, signature)


def _find_rivals(record: ViewRecord, statement: Statement, kind: VoteKind) -> list[Statement]:
    return [
        make_vote_statement(statement.epoch, statement.signer, record.view, *rival)
        for rival in record.find_rivals(statement.signer, kind, statement.digest)
    ]


def _suspect_pairs(state: AgreementState, statement: Statement, rivals: list[Statement]) -> None:
    found = (find_contradiction(statement, rival) for rival in rivals)
    state.suspicions.extend(pair for pair in found if pair is not None)


def _get_leader_statement(state: AgreementState, proposal: Proposal) -> Statement:
    leader = state.committee.get_leader(proposal.header.view)
    return make_proposal_statement(leader, proposal.header, proposal.signature)
