"""The worked examples of `specs/objects.md` are what the code computes."""

from __future__ import annotations

import re
from dataclasses import replace

from sequencer.codec import encode
from sequencer.crypto.merkle import compute_root
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.state.proof import prove
from sequencer.state.state_tree import build_tree
from sequencer.types.block import BlockHeader
from sequencer.types.bundle import AtLeast, Bundle, Leg, Operation
from sequencer.types.commitment import Commitment
from sequencer.types.outcome import Status
from sequencer.types.primitives import Tip
from sequencer.types.receipt import MerklePath
from sequencer.types.signing import SIGNING_BYTES, SignatureKind, compute_client_signing_bytes, compute_signing_bytes
from sequencer.types.verdict import Verdict, VerdictStatement, compute_assumption, compute_statement_signing_bytes
from sequencer.types.vote import encode_signers
from tests.unit.specs.markdown import get_section, read_document, read_hex, read_tables

OBJECTS = read_document("specs/objects.md")


def fill(byte: int) -> bytes:
    """Return 32 times one byte."""
    return bytes([byte]) * 32


BUNDLE = Bundle(
    chain_id=fill(0x11),
    payer=fill(0x44),
    channel=0,
    sequence=0,
    valid_from=1,
    valid_until=100,
    decide_within=0,
    deps=(),
    legs=(
        Leg(
            rollup=1,
            signer=fill(0x44),
            conditions=(AtLeast("alice/usd", 5),),
            operations=(Operation("transfer", ("usd", fill(0x55), 5)),),
            access=None,
        ),
    ),
)


def test_signing_bytes_are_those_of_the_worked_example() -> None:
    """G2: the 85 bytes are pinned; a change of any is a change of the protocol."""
    signed = compute_signing_bytes(fill(0x11), 0, SignatureKind.NOTARIZE, 7, fill(0x22))
    assert (len(signed), signed) == (SIGNING_BYTES, read_hex(OBJECTS, "signing-bytes"))


def test_client_signing_bytes_are_those_of_the_worked_example() -> None:
    """A1: what a client signs can never be what a validator signs."""
    assert compute_client_signing_bytes(fill(0x33)) == read_hex(OBJECTS, "client-signing-bytes")


def test_bundle_body_leg_digest_and_id_are_those_of_the_worked_example() -> None:
    """A1: a client in another language can check its encoding and its id."""
    assert [encode(BUNDLE.to_value()), BUNDLE.legs[0].digest, BUNDLE.id] == [
        read_hex(OBJECTS, "bundle-body"),
        read_hex(OBJECTS, "leg-digest"),
        read_hex(OBJECTS, "bundle-id"),
    ]


def test_block_header_and_digest_are_those_of_the_worked_example() -> None:
    """G2: the digest that every vote names is the hash of these bytes."""
    tips = (Tip(1, fill(0x22)), Tip(0, fill(0)))
    header = BlockHeader(0, 1, 1, 0, fill(0x11), 1_700_000_000_000, 0, tips)
    assert [encode(header.to_value()), header.digest] == [
        read_hex(OBJECTS, "block-header"),
        read_hex(OBJECTS, "block-digest"),
    ]


def test_merkle_roots_are_those_of_the_table() -> None:
    """The roots of lists of none to three elements are as stated."""
    (rows,) = read_tables(get_section(OBJECTS, "Merkle lists"))
    stated = {tuple(re.findall(r"`(.)`", row[0])): bytes.fromhex(row[1].strip("`")) for row in rows}
    assert stated == {
        elements: compute_root([element.encode() for element in elements])
        for elements in ((), ("a",), ("a", "b"), ("a", "b", "c"))
    }


def test_merkle_path_is_that_of_the_worked_example() -> None:
    """Levels where a node has no sibling are left out of its path."""
    path = MerklePath.build((b"a", b"b", b"c"), 2)
    assert encode(path.to_value()) == read_hex(OBJECTS, "merkle-path")


def test_signed_item_is_that_of_the_worked_example() -> None:
    """A client in another language can check its signature and the whole item that it sends."""
    signer = Ed25519Signer(fill(0x66))
    leg = replace(BUNDLE.legs[0], signer=signer.public_key)
    bundle = replace(BUNDLE, payer=signer.public_key, legs=(leg,))
    item = encode((1, bundle.to_value(), (signer.sign(compute_client_signing_bytes(bundle.id)),)))
    assert [signer.public_key, bundle.id, item] == [
        read_hex(OBJECTS, "item-payer"),
        read_hex(OBJECTS, "item-bundle-id"),
        read_hex(OBJECTS, "item"),
    ]


def test_commitment_digest_is_that_of_the_worked_example() -> None:
    """E2: what a certificate signs is the hash of these eleven fields."""
    roots = tuple(fill(byte) for byte in (0x33, 0x44, 0x55, 0x66, 0x77, 0x88))
    commitment = Commitment(fill(0x11), 0, 5, fill(0x22), 1_700_000_000_000, *roots)
    assert commitment.digest == read_hex(OBJECTS, "commitment-digest")


def test_statement_of_executors_is_that_of_the_worked_example() -> None:
    """A9: an executor in another language can check what it signs."""
    assumption = compute_assumption([(fill(0x33), Status.COMMIT, compute_assumption((), ()))], [(0, "amount", 5)])
    statement = VerdictStatement(3, fill(0x22), Verdict.NO, "TOO_LOW@legs[1].conditions[0]", (), assumption)
    assert [
        assumption,
        encode(statement.to_value()),
        statement.digest,
        compute_statement_signing_bytes(fill(0x11), statement),
    ] == [
        read_hex(OBJECTS, "assumption"),
        read_hex(OBJECTS, "statement"),
        read_hex(OBJECTS, "statement-digest"),
        read_hex(OBJECTS, "statement-signing-bytes"),
    ]


def test_state_root_of_one_bucket_is_that_of_the_worked_example() -> None:
    """A small state is one bucket: text keys ascending, amounts as integers, bytes as bytes."""
    entries = (("kv/color", b"blue"), ("kv/n", 7))
    assert [encode(entries), build_tree(entries).root] == [
        read_hex(OBJECTS, "state-bucket"),
        read_hex(OBJECTS, "state-root"),
    ]


def test_tree_proof_is_that_of_the_worked_example() -> None:
    """Nine entries make a branch; the proof names the siblings that are not empty."""
    tree = build_tree([(f"kv/{number}", number + 1) for number in range(9)])
    assert [encode(prove(tree, "kv/0").to_value()), tree.root] == [
        read_hex(OBJECTS, "tree-proof"),
        read_hex(OBJECTS, "state-root-of-nine"),
    ]


def test_signer_bitmap_is_that_of_the_example() -> None:
    """Signers 0, 1 and 3 are one byte, least significant bit first."""
    assert encode_signers((0, 1, 3)) == b"\x0b"
