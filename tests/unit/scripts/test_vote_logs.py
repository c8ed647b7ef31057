"""The reader of vote logs and wire records finds every contradiction, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.fault_injection.vote_logs import Said, Transcript, find_contradictions, is_signed, read_wire
from sequencer.cli.cluster.blueprint import Wish, draw
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.types.records import RecordKind
from sequencer.types.signing import SignatureKind, compute_signing_bytes

A, B = "aa" * 32, "bb" * 32
HONEST = [
    Said("val0", RecordKind.PROPOSAL, 5, A),
    Said("val0", RecordKind.NOTARIZE, 5, A),
    Said("val0", RecordKind.NULLIFY, 5, "00" * 32),
    Said("val1", RecordKind.NOTARIZE, 5, A),
    Said("val1", RecordKind.FINALIZE, 5, A),
    Said("val0", RecordKind.OWN_BATCH, 5, A),
    Said("val1", RecordKind.OWN_BATCH, 5, B),
    Said("val0", RecordKind.COMMITMENT, 5, B),
]


def test_what_honest_validators_say_is_no_contradiction() -> None:
    """Notarize and nullify of one view are allowed, and everybody has a lane of their own."""
    assert find_contradictions(HONEST * 2) == []


@pytest.mark.parametrize("kind", [kind for kind in RecordKind if kind is not RecordKind.NULLIFY])
def test_second_digest_of_one_kind_is_found(kind: RecordKind) -> None:
    """Control: two proposals, votes, batches or commitments at one number."""
    said = [Said("val2", kind, 9, A), Said("val2", kind, 9, B)]
    assert find_contradictions([*HONEST, *said]) == [f"val2 said {kind.name} for two digests at 9"]


def test_finalize_beside_nullify_is_found() -> None:
    """Control: whoever gave a view up must not finalize it."""
    said = [*HONEST, Said("val0", RecordKind.FINALIZE, 5, A)]
    assert find_contradictions(said) == ["val0 finalized and nullified view 5"]


def test_wire_contradicting_a_log_is_found(tmp_path: Path) -> None:
    """Control: what others heard counts as much as what was written down; a torn last line does not."""
    entry = {"signer": 2, "kind": "FINALIZE", "epoch": 0, "number": 9, "digest": B, "signature": "00" * 64}
    (tmp_path / "wire.jsonl").write_text(json.dumps(entry) + "\n" + '{"signer": 2, "ki')
    transcript = Transcript(draw(Wish(4, "alpha", 7, None)).genesis)
    transcript.logged.add(Said("val2", RecordKind.FINALIZE, 9, A))
    transcript.add_wire(tmp_path)
    assert transcript.find_contradictions() == ["val2 said FINALIZE for two digests at 9"]
    assert transcript.find_unsigned() == [said for said, _ in read_wire(tmp_path)]


def test_signature_counts_only_for_what_it_covers() -> None:
    """A good signature is accepted, and not for another view."""
    blueprint = draw(Wish(4, "alpha", 7, None))
    vote_key = blueprint.keys[1].vote
    assert vote_key is not None
    message = compute_signing_bytes(blueprint.genesis.chain_id, 0, SignatureKind.BATCH_HEADER, 3, bytes.fromhex(A))
    signature = Ed25519Signer(vote_key).sign(message).hex()
    claims = [Said("val1", RecordKind.OWN_BATCH, number, A) for number in (3, 4)]
    assert [is_signed(claim, signature, blueprint.genesis) for claim in claims] == [True, False]
