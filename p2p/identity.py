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

_MULTIHASH_CODES: Final = (0x00, 0x12)
"""`identity` and `sha2-256`."""
_PEER_ID_LENGTH_MAX: Final = 64
"""Characters; an id of Ed25519 has 52, one of another key 46."""


def compute_peer_id(seed: bytes) -> str:
    """Return the base58 peer id of the Ed25519 key of `seed` (32 bytes)."""
    key = bytes(SigningKey(seed).verify_key)
    return encode_base58(_IDENTITY_MULTIHASH_PREFIX + _ED25519_KEY_PREFIX + key)


def is_peer_id(text: object) -> bool:
    """Tell whether `text` is the base58 of an identity or SHA-256 multihash, as every peer id is."""
    if not isinstance(text, str) or not 0 < len(text) <= _PEER_ID_LENGTH_MAX or set(text) - set(_ALPHABET):
        return False
    number = 0
    for character in text:
        number = number * 58 + _ALPHABET.index(character)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    data = bytes(len(text) - len(text.lstrip(_ALPHABET[0]))) + data
    return len(data) > 2 and data[0] in _MULTIHASH_CODES and data[1] == len(data) - 2


def encode_base58(data: bytes) -> str:
    """Return `data` in the Bitcoin base58 alphabet."""
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _ALPHABET[digit] + digits
    return _ALPHABET[0] * (len(data) - len(data.lstrip(b"\x00"))) + digits
