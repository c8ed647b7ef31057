"""The state tree over random writes: one content, one root; every key provable."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.errors import VerificationError
from sequencer.state.proof import TreeProof, prove
from sequencer.state.state_tree import StateTree, build_tree
from sequencer.types.primitives import Digest, StateValue

KEYS = st.integers(0, 200).map(lambda number: f"kv/{number}")
VALUES = st.none() | st.integers(1, 2**64 - 1) | st.binary(min_size=1, max_size=5)
WRITES = st.lists(st.dictionaries(KEYS, VALUES, max_size=60), max_size=6)


def apply_all(batches: list[dict[str, StateValue | None]]) -> tuple[StateTree, dict[str, StateValue]]:
    tree, state = StateTree(), dict[str, StateValue | None]()
    for batch in batches:
        tree = tree.update(batch)
        state.update(batch)
    return tree, {key: value for key, value in state.items() if value is not None}


@settings(max_examples=150, derandomize=True, deadline=None)
@given(WRITES, st.randoms(use_true_random=False))
def test_root_depends_on_the_content_alone(batches: list[dict[str, StateValue | None]], random: Random) -> None:
    """Any history, one by one or at once, in any order, ends at the same root."""
    tree, state = apply_all(batches)
    entries = list(state.items())
    random.shuffle(entries)
    one_by_one = StateTree()
    for key, value in entries:
        one_by_one = one_by_one.update({key: value})
    assert tree.root == build_tree(entries).root == one_by_one.root


@settings(max_examples=60, derandomize=True, deadline=None)
@given(WRITES)
def test_every_key_is_provable_present_or_absent(batches: list[dict[str, StateValue | None]]) -> None:
    """Proofs give what the state holds, under the root."""
    tree, state = apply_all(batches)
    for key in (f"kv/{number}" for number in range(0, 220, 7)):
        proof = prove(tree, key)
        assert proof.get_value(key) == state.get(key)
        assert proof.compute_root(key) == tree.root


@settings(max_examples=60, derandomize=True, deadline=None)
@given(WRITES, st.integers(0, 219), st.integers(1, 2**64 - 1))
def test_no_proof_shows_another_value(batches: list[dict[str, StateValue | None]], number: int, lie: int) -> None:
    """Control: whatever is put into the bucket instead, the root is another."""
    tree, state = apply_all(batches)
    key = f"kv/{number}"
    if state.get(key) == lie:
        return
    proof = prove(tree, key)
    entries = dict(proof.entries) | {key: lie}
    forged = replace(proof, entries=tuple(sorted(entries.items())))
    assert try_root(forged, key) != tree.root


def try_root(proof: TreeProof, key: str) -> Digest | None:
    """Return the root, or None if the proof is refused."""
    try:
        return proof.compute_root(key)
    except VerificationError:
        return None
