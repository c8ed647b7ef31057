"""Derive a host's libp2p peer id from its seed.

Promises: the same id as libp2p gives, without importing it (libp2p takes half a second to import).
"""

from __future__ import annotations

from typing import Final

from nacl.signing import SigningKey

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519_KEY_PREFIX: Final = b"\x08\x01\x12\x20"
"""Protobuf of libp2p's PublicKey before the 32 key bytes: type Ed25519, data of 32 bytes."""
_IDENTITY_MULTIHASH_PREFIX: Final = b"\x00\x24"
"""Multihash `identity` of 36 bytes: keys this short are their own id."""


def compute_peer_id(seed: bytes) -> str:
    """Return the base58 peer id of the Ed25519 key of `seed` (32 bytes)."""
    key = bytes(SigningKey(seed).verify_key)
    return encode_base58(_IDENTITY_MULTIHASH_PREFIX + _ED25519_KEY_PREFIX + key)


def encode_base58(data: bytes) -> str:
    """Return `data` in the Bitcoin base58 alphabet."""
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _ALPHABET[digit] + digits
    return _ALPHABET[0] * (len(data) - len(data.lstrip(b"\x00"))) + digits
