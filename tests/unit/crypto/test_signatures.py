"""Signatures are accepted exactly as libsodium accepts them, and tags keep domains apart. # G2 G3"""

from __future__ import annotations

import pytest

from sequencer.crypto.hashing import DIGEST_BYTES, Tag, hash_tagged
from sequencer.crypto.signatures import Ed25519Signer, is_valid_public_key, verify_ed25519

SIGNER = Ed25519Signer(bytes(range(32)))
MESSAGE = b"message"
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def test_G3_right_signature_is_accepted() -> None:
    """A signature of the key over the message verifies."""
    assert verify_ed25519(SIGNER.public_key, MESSAGE, SIGNER.sign(MESSAGE))


def test_G3_the_same_message_gives_the_same_bytes() -> None:
    """Signing is deterministic, so signing again after a restart contradicts nothing."""
    assert SIGNER.sign(MESSAGE) == Ed25519Signer(bytes(range(32))).sign(MESSAGE)


@pytest.mark.parametrize("bit", [0, 255, 256, 511])
def test_G3_flipped_bit_is_refused(bit: int) -> None:
    """No bit of R or S is free."""
    signature = bytearray(SIGNER.sign(MESSAGE))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify_ed25519(SIGNER.public_key, MESSAGE, bytes(signature))


def test_G3_malleated_scalar_is_refused() -> None:
    """S + L is another spelling of S and is not accepted."""
    signature = SIGNER.sign(MESSAGE)
    scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    assert not verify_ed25519(SIGNER.public_key, MESSAGE, signature[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize(("key_bytes", "signature_bytes"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_G3_wrong_lengths_are_refused_without_raising(key_bytes: int, signature_bytes: int) -> None:
    """The verifier answers False to whatever it is given."""
    assert not verify_ed25519(bytes(key_bytes), MESSAGE, bytes(signature_bytes))


KEY_OF_66 = bytes.fromhex("34b4d9043156cb6dcf0beb0a2949b7559c940d2bcb6dbe8c53a9b30278e3a746")
"""Public key of the seed 32 x 66; the signatures below are of `msg` under it."""


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(
            "6a84d583f06569edb3f5ed77df65544b27d6948b4f0b2cb76f33dd8413b20719"
            "d7733492a2c67e0846c717e052d5a0b02fe8f0c89840b9095576ddbfb636ba04",
            id="R has a part of order 8: only a cofactored verifier takes it",
        ),
        pytest.param(
            "0100000000000000000000000000000000000000000000000000000000000000"
            "39cd3aa40e2bb6faf4dc36ef028f14b37545e1159b7893e3dc6e4b500f791c05",
            id="R is the neutral point: OpenSSL takes it",
        ),
        pytest.param(
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
            "c2bb3821f43a7949e1989c337d5549d0e989831cf7644c95b5730b40d5bc020f",
            id="R is the neutral point, spelt with y = p + 1",
        ),
    ],
)
def test_G3_signature_that_only_other_libraries_accept_is_refused(signature: str) -> None:
    """A new libsodium that took one of these would split light clients from validators."""
    assert not verify_ed25519(KEY_OF_66, b"msg", bytes.fromhex(signature))


def test_G3_ordinary_signature_of_the_same_key_is_accepted() -> None:
    """Control: the key and the message of the signatures above are right."""
    ordinary = (
        "7767a3242dc9b58bbc68488c1265cc6cc5f26c6f3c88a5d55e901b0734dca572"
        "fe2a2bdbae91a78b87ca0bf0faba88c205b234643203c34bb83583840d61e106"
    )
    assert verify_ed25519(KEY_OF_66, b"msg", bytes.fromhex(ordinary))


SMALL_ORDER = [
    bytes(32),
    bytes([1]) + bytes(31),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


@pytest.mark.parametrize("key", SMALL_ORDER)
def test_G3_small_order_key_is_refused_at_registration(key: bytes) -> None:
    """A key of small order would verify what nobody signed."""
    assert not is_valid_public_key(key)


@pytest.mark.parametrize("key", SMALL_ORDER)
def test_G3_small_order_key_verifies_nothing(key: bytes) -> None:
    """The all-zero forgery under a small-order key is refused."""
    forged = bytes([1]) + bytes(63)
    assert not verify_ed25519(key, MESSAGE, forged)


def test_G3_ordinary_key_is_valid_and_a_short_one_is_not() -> None:
    """Registration takes 32-byte points of the prime-order group."""
    assert (is_valid_public_key(SIGNER.public_key), is_valid_public_key(SIGNER.public_key[:31])) == (True, False)


def test_tags_are_distinct_and_8_bytes_wide() -> None:
    """A fixed width keeps tag and content apart; distinct tags keep domains apart."""
    assert {len(tag.value) for tag in Tag} == {8}
    assert len({tag.value for tag in Tag}) == len(Tag.__members__)


def test_hash_tagged_depends_on_its_tag() -> None:
    """The same bytes have another digest in another domain."""
    digests = {hash_tagged(tag, b"same") for tag in Tag}
    assert len(digests) == len(Tag)
    assert {len(digest) for digest in digests} == {DIGEST_BYTES}
