"""Sign and verify with Ed25519 as libsodium accepts it: `ed25519-libsodium-1`.

The acceptance set is part of the protocol: canonical A and R, neither of small order,
S < L, cofactorless equation. Two verifiers with different sets would split
certificates, so every node, SDK and light client uses this one. # G3
"""

from __future__ import annotations

from typing import Protocol

from nacl import bindings
from nacl.exceptions import BadSignatureError

SCHEME = "ed25519-libsodium-1"
"""Name of the acceptance set, written in the genesis."""

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
SEED_BYTES = 32


class Signer(Protocol):
    """Signs for one key. The same message always gives the same 64 bytes."""

    @property
    def public_key(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class Verifier(Protocol):
    """Tells whether `signature` is acceptable for `message` under `public_key`; never raises."""

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool: ...


class Ed25519Signer:
    """Signs with a private key that was expanded once from its 32-byte seed."""

    __slots__ = ("_public_key", "_secret_key")

    def __init__(self, seed: bytes) -> None:
        self._public_key, self._secret_key = bindings.crypto_sign_seed_keypair(seed)

    @property
    def public_key(self) -> bytes:
        """The 32-byte public key."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        return bindings.crypto_sign(message, self._secret_key)[:SIGNATURE_BYTES]


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether libsodium accepts the signature; releases the GIL while it works. # G3"""
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def is_valid_public_key(public_key: bytes) -> bool:
    """Tell whether the key is a canonical point of the prime-order group (registration check). # G3"""
    return len(public_key) == PUBLIC_KEY_BYTES and bool(bindings.crypto_core_ed25519_is_valid_point(public_key))
