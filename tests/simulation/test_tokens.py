"""Tokens are as hard to fake inside the simulator as signatures are outside."""

from sequencer.crypto.signatures import SIGNATURE_BYTES, is_valid_public_key
from sequencer.simulation.tokens import TokenScheme


def test_token_of_signer_is_accepted_for_its_message_only() -> None:
    """A token is bound to its key and to its message."""
    scheme = TokenScheme()
    signer, other = scheme.make_signer("val0"), scheme.make_signer("val1")
    verify = scheme.make_verifier()
    token = signer.sign(b"message")
    assert len(token) == SIGNATURE_BYTES
    assert verify(signer.public_key, b"message", token)
    assert not verify(signer.public_key, b"another", token)
    assert not verify(other.public_key, b"message", token)
    assert not verify(bytes(32), b"message", token)


def test_token_keys_are_valid_points_and_equal_by_name() -> None:
    """A genesis made of token keys passes its own check, and every run has the same keys."""
    key = TokenScheme().make_signer("val0").public_key
    assert is_valid_public_key(key)
    assert key == TokenScheme().make_signer("val0").public_key
