"""The 85 bytes that every protocol signature covers are pinned. # G2"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.types.signing import (
    SIGNING_BYTES,
    SignatureKind,
    compute_client_signing_bytes,
    compute_signing_bytes,
)
from sequencer.types.vote import Vote, VoteKind
from tests.unit.core_world import Group

CHAIN = bytes(range(32))
DIGEST = bytes(range(32, 64))


def test_G2_signing_bytes_are_pinned() -> None:
    """Magic, chain, epoch, kind, number and digest lie where the specification says, big endian."""
    expected = (
        "53535131"
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "0000000000000007"
        "04"
        "0000000000000102"
        "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    )
    assert compute_signing_bytes(CHAIN, 7, SignatureKind.FINALIZE, 258, DIGEST).hex() == expected


def test_G2_signing_bytes_are_85() -> None:
    """The layout has one width."""
    assert SIGNING_BYTES == len(compute_signing_bytes(CHAIN, 0, SignatureKind.PROPOSAL, 0, DIGEST)) == 85


def test_G2_every_field_changes_the_signing_bytes() -> None:
    """No two statements share their bytes."""
    base = (CHAIN, 1, SignatureKind.NOTARIZE, 2, DIGEST)
    others = [
        (DIGEST, *base[1:]),
        (CHAIN, 2, *base[2:]),
        *((CHAIN, 1, kind, 2, DIGEST) for kind in SignatureKind if kind is not SignatureKind.NOTARIZE),
        (*base[:3], 3, DIGEST),
        (*base[:4], CHAIN),
    ]
    assert len({compute_signing_bytes(*case) for case in [base, *others]}) == len(others) + 1


def test_G2_vote_flags_are_not_signed() -> None:
    """A resend is the same vote: its signature stays valid."""
    vote = Group().vote(0, VoteKind.NULLIFY, 3)
    assert replace(vote, is_resend=True).compute_signing_bytes(CHAIN) == vote.compute_signing_bytes(CHAIN)


@pytest.mark.parametrize("kind", list(VoteKind))
def test_G2_vote_signs_under_its_own_kind(kind: VoteKind) -> None:
    """Notarize, nullify and finalize of one view and digest are three statements."""
    vote = Vote(kind, 1, 2, DIGEST, bytes(64))
    assert vote.compute_signing_bytes(CHAIN) == compute_signing_bytes(CHAIN, 1, SignatureKind(kind), 2, DIGEST)


def test_A1_client_signature_is_never_a_protocol_signature() -> None:
    """A client signs 36 bytes with a magic of their own."""
    assert compute_client_signing_bytes(DIGEST) == b"SSQT" + DIGEST
