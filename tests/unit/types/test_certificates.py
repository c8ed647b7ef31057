"""A certificate proves a strong set of distinct valid signers of the right epoch, or nothing. # C2 I7"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sequencer.codec import decode, encode
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.errors import DecodeError, PeerError
from sequencer.types.commitment import CommitmentCertificate
from sequencer.types.vote import Certificate, Proposal, Vote, VoteKind, decode_signers, encode_signers
from tests.unit.core_world import NOBODY, VERIFY, Group, name_digest

GROUP = Group()
BLOCK = name_digest("block")
NOTARIZATION = GROUP.certify(VoteKind.NOTARIZE, 3, BLOCK)
COMMITMENT = GROUP.commitment_certificate(9, BLOCK)


def reread(value: Certificate | Vote | Proposal) -> object:
    """Return the array as a receiver sees it."""
    return decode(encode(value.to_value()), "v")


def verify(certificate: Certificate | CommitmentCertificate) -> None:
    certificate.verify(GROUP.chain_id, GROUP.committee, VERIFY)


@pytest.mark.parametrize("kind", list(VoteKind))
def test_I7_right_certificate_verifies(kind: VoteKind) -> None:
    """Three of four signed it."""
    verify(GROUP.certify(kind, 3, ZERO_DIGEST if kind is VoteKind.NULLIFY else BLOCK))


def test_I7_certificate_of_all_verifies() -> None:
    """More than strong is strong."""
    verify(GROUP.certify(VoteKind.NOTARIZE, 3, BLOCK, (0, 1, 2, 3)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda c: replace(c, epoch=1), "epoch", id="epoch"),
        pytest.param(lambda c: replace(c, view=4), "wrong signature", id="view"),
        pytest.param(lambda c: replace(c, digest=name_digest("other")), "wrong signature", id="digest"),
        pytest.param(lambda c: replace(c, kind=VoteKind.FINALIZE), "wrong signature", id="relabelled"),
        pytest.param(lambda c: replace(c, signers=(0, 1)), "one signature per signer", id="signature without signer"),
        pytest.param(
            lambda c: replace(c, signers=c.signers[:2], signatures=c.signatures[:2]), "below strong", id="weak power"
        ),
        pytest.param(lambda c: replace(c, signers=(), signatures=()), "below strong", id="nobody"),
        pytest.param(lambda c: replace(c, signers=(0, 1, 1)), "ascending", id="signer twice"),
        pytest.param(lambda c: replace(c, signers=(0, 2, 1)), "ascending", id="unsorted"),
        pytest.param(lambda c: replace(c, signers=(0, 1, 4)), "of a committee of 4", id="unknown signer"),
        pytest.param(lambda c: replace(c, signers=(0, 1, 3)), "wrong signature of validator 3", id="other signer"),
        pytest.param(
            lambda c: replace(c, signatures=(*c.signatures[:2], NOBODY)), "wrong signature of validator 2", id="forged"
        ),
    ],
)
def test_C2_one_wrong_field_is_refused(change: Callable[[Certificate], Certificate], reason: str) -> None:
    """Each field of a certificate is covered."""
    with pytest.raises(PeerError, match=reason):
        verify(change(NOTARIZATION))


@pytest.mark.parametrize("field", ["height", "digest", "epoch"])
def test_E2_commitment_certificate_with_one_wrong_field_is_refused(field: str) -> None:
    """A commitment's certificate binds epoch, height and digest."""
    value = {"height": 8, "digest": name_digest("other"), "epoch": 1}[field]
    with pytest.raises(PeerError):
        verify(replace(COMMITMENT, **{field: value}))  # type: ignore[arg-type] # one of three fields, each of its type


def test_E2_commitment_certificate_verifies() -> None:
    """The control of the tests above."""
    verify(COMMITMENT)


def test_G1_certificate_counts_power_not_signers() -> None:
    """Three small validators are no strong set beside a large one."""
    group = Group(
        replace(
            GROUP.genesis,
            validators=tuple(
                replace(v, power=10 if index == 3 else 1) for index, v in enumerate(GROUP.genesis.validators)
            ),
        )
    )
    with pytest.raises(PeerError, match="below strong"):
        group.certify(VoteKind.NOTARIZE, 3, BLOCK).verify(group.chain_id, group.committee, VERIFY)


@pytest.mark.parametrize("signers", [(), (0,), (7,), (8,), (0, 9, 127), tuple(range(128))])
def test_signer_bitmap_comes_back(signers: tuple[int, ...]) -> None:
    """Every set has one bitmap."""
    assert decode_signers(encode_signers(signers), "signers") == signers


def test_signer_bitmap_with_trailing_zero_is_refused() -> None:
    """A second spelling of the same set is refused."""
    with pytest.raises(DecodeError, match="must not end with a zero byte"):
        decode_signers(b"\x07\x00", "signers")


VALUES = [
    NOTARIZATION,
    GROUP.vote(1, VoteKind.FINALIZE, 2, BLOCK),
    replace(GROUP.vote(1, VoteKind.NULLIFY, 4), is_resend=True, entry=NOTARIZATION),
    GROUP.propose(GROUP.child(GROUP.root), NOTARIZATION),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_value_comes_back_from_its_bytes(value: Certificate | Vote | Proposal) -> None:
    """Encoding loses nothing."""
    assert type(value).from_value(reread(value), "v") == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_value_with_one_element_more_or_less_is_refused(value: Certificate | Vote | Proposal) -> None:
    """The length of an array is part of its form."""
    array = value.to_value()
    for wrong in ((*array, 0), array[:-1]):
        with pytest.raises(DecodeError):
            type(value).from_value(decode(encode(wrong), "v"), "v")


@pytest.mark.parametrize("kind", [0, 1, 5, 6])
def test_vote_of_unknown_kind_is_refused(kind: int) -> None:
    """Only notarize, nullify and finalize are votes."""
    array = (kind, *GROUP.vote(0, VoteKind.NOTARIZE, 1, BLOCK).to_value()[1:])
    with pytest.raises(DecodeError, match=r"vote\.kind"):
        Vote.from_value(array, "vote")


def test_nullify_with_a_digest_is_refused() -> None:
    """A nullify names no block; otherwise one view had many of them."""
    with pytest.raises(DecodeError, match=r"vote\.digest"):
        Vote.from_value(reread(GROUP.vote(0, VoteKind.NULLIFY, 1, BLOCK)), "vote")


def test_nullification_with_a_digest_is_refused() -> None:
    """The same for its certificate."""
    with pytest.raises(DecodeError, match=r"c\.digest"):
        Certificate.from_value(reread(GROUP.certify(VoteKind.NULLIFY, 1, BLOCK)), "c")


def test_F3_entry_on_another_vote_than_nullify_is_refused() -> None:
    """Only a nullify carries the way into the view."""
    vote = replace(GROUP.vote(0, VoteKind.NOTARIZE, 1, BLOCK), entry=NOTARIZATION)
    with pytest.raises(DecodeError, match=r"vote\.entry"):
        Vote.from_value(reread(vote), "vote")
