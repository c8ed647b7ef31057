"""Stand in for Ed25519 with tokens that cost a microsecond; the simulator's only substitution.

A token is 64 bytes bound to key and message by a keyed hash whose secret never leaves this
module's objects: who does not hold the signer cannot make one. Keys are genuine Ed25519
public keys, so a genesis made of them passes its own check.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.crypto.signatures import SEED_BYTES, SIGNATURE_BYTES, Ed25519Signer, Verifier

_SECRET_BYTES = 32
_REMEMBERED_MAX = 4_096
"""Newest tokens that are not computed again: every peer verifies what one has signed."""


class TokenSigner:
    """Sign for one key with tokens."""

    __slots__ = ("_public_key", "_secret")

    def __init__(self, public_key: bytes, secret: bytes) -> None:
        self._public_key = public_key
        self._secret = secret

    @property
    def public_key(self) -> bytes:
        """The 32-byte public key."""
        return self._public_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte token of `message`."""
        return _compute_token(self._secret, message)


class TokenScheme:
    """Hand out signers and verify their tokens; one object per simulated network."""

    def __init__(self) -> None:
        self._secrets: dict[bytes, bytes] = {}

    def make_signer(self, name: str) -> TokenSigner:
        """Return the signer called `name`; the same name gives the same key in every scheme."""
        public_key, secret = _make_key(name)
        self._secrets[public_key] = secret
        return TokenSigner(public_key, secret)

    def make_verifier(self) -> Verifier:
        """Return a function that accepts exactly the tokens of this scheme's signers."""
        secrets = self._secrets

        def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
            secret = secrets.get(public_key)
            return secret is not None and signature == _compute_token(secret, message)

        return verify


@lru_cache(maxsize=_REMEMBERED_MAX)
def _compute_token(secret: bytes, message: bytes) -> bytes:
    return blake2b(message, digest_size=SIGNATURE_BYTES, key=secret).digest()


@lru_cache(maxsize=1_024)
def _make_key(name: str) -> tuple[bytes, bytes]:
    seed = hash_tagged(Tag.SCHEDULE, b"simulated key", name.encode())[:SEED_BYTES]
    secret = blake2b(seed, digest_size=_SECRET_BYTES, person=b"token").digest()
    return Ed25519Signer(seed).public_key, secret
