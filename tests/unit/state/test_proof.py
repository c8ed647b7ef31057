"""Tree proofs: presence and absence verify, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.codec import decode, encode
from sequencer.errors import DecodeError, VerificationError
from sequencer.state.proof import TreeLevel, TreeProof, prove
from sequencer.state.state_tree import StateTree, build_tree

TREE = build_tree((f"kv/{number}", number + 1) for number in range(500))


@pytest.mark.parametrize("size", [0, 1, 8, 9, 100, 500])
def test_proof_of_a_present_and_of_an_absent_key_leads_to_the_root(size: int) -> None:
    """Both kinds verify at every size of state."""
    tree = build_tree((f"kv/{number}", number + 1) for number in range(size))
    for key in ("kv/0", "kv/7", "kv/absent"):
        proof = prove(tree, key)
        number = int(key[3:]) if key != "kv/absent" else size
        assert proof.compute_root(key) == tree.root
        assert proof.get_value(key) == (number + 1 if number < size else None)


def test_proof_bytes_are_read_back_equal() -> None:
    """Encoding and decoding are inverse."""
    proof = prove(TREE, "kv/3")
    assert TreeProof.from_value(decode(encode(proof.to_value()), "proof"), "proof") == proof


def test_proof_with_another_value_leads_elsewhere() -> None:
    """A changed amount changes the root."""
    proof = prove(TREE, "kv/3")
    lie = tuple((key, value + 1 if key == "kv/3" else value) for key, value in proof.entries)  # type: ignore[operator] # all values here are amounts
    assert replace(proof, entries=lie).compute_root("kv/3") != TREE.root


def test_proof_that_hides_the_key_leads_elsewhere() -> None:
    """Absence cannot be claimed by leaving an entry out."""
    proof = prove(TREE, "kv/3")
    lie = tuple(entry for entry in proof.entries if entry[0] != "kv/3")
    assert replace(proof, entries=lie).compute_root("kv/3") != TREE.root


def test_proof_of_another_place_is_refused() -> None:
    """The path is the key's own: an empty place elsewhere proves no absence."""
    with pytest.raises(VerificationError, match="own place"):
        prove(TREE, "kv/elsewhere").compute_root("kv/3")


def test_proof_with_a_sibling_in_its_own_place_is_refused() -> None:
    """The bitmap may not name the child that is being proven."""
    proof = prove(TREE, "kv/3")
    full = TreeLevel(2**16 - 1, (bytes(32),) * 16)
    with pytest.raises(VerificationError, match="own place"):
        replace(proof, levels=(full, *proof.levels[1:])).compute_root("kv/3")


def test_proof_with_a_bucket_too_large_for_its_depth_is_refused() -> None:
    """Nine entries at depth 0 cannot be a bucket."""
    proof = TreeProof(tuple((f"kv/{number}", 1) for number in range(9)), ())
    with pytest.raises(VerificationError, match="too large"):
        proof.compute_root("kv/1")


def test_proof_with_unsorted_entries_is_not_read() -> None:
    """One bucket has one spelling."""
    with pytest.raises(DecodeError, match="ascending"):
        TreeProof.from_value(((("b", 1), ("a", 1)), ()), "proof")


def test_proof_of_the_empty_state_is_empty() -> None:
    """Everything is absent from an empty state."""
    assert prove(StateTree(), "kv/1") == TreeProof((), ())
