"""Join what execution gave with a certificate into proofs that a stranger can check offline.

`light` verifies what is built here and shares no code with it but the formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sequencer.errors import LocalError
from sequencer.execution.commitments import compute_namespace_rows
from sequencer.state.claim import StateClaim, StateProof
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.executed import ExecutedBlock
from sequencer.types.leaves import decode_leg_leaf, get_envelope_kind
from sequencer.types.outcome import Status
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, RollupId
from sequencer.types.receipt import CertifiedChain, LegInclusion, MerklePath, NamespaceInclusion, Receipt


def build_receipt(
    executed: ExecutedBlock,
    later: Sequence[Commitment],
    certificate: CommitmentCertificate,
    bundle_id: Digest,
    decided: ExecutedBlock | None = None,
) -> bytes:
    """Return the canonical receipt of a bundle that was admitted in `executed` and decided there or in `decided`.

    `later` holds the commitments of the heights after `executed` up to the certified one. Raises
    `LocalError` if the bundle was not admitted or not decided there, or the certificate does not fit.
    """
    index = _find_admitted(executed, bundle_id)
    decided = decided or executed
    outcome_index = _find_outcome(decided, bundle_id)
    envelope, legs = build_places(executed, index)
    return Receipt(
        make_certified_chain((executed.commitment, *later), certificate),
        decided.header.height - executed.header.height,
        get_envelope_kind(executed.namespaces[0].leaves[index]),
        decided.outcomes[outcome_index],
        MerklePath.build(tuple(leaf.to_bytes() for leaf in decided.outcomes), outcome_index),
        envelope,
        legs,
    ).to_bytes()


def join_state_proof(claim: bytes, commitments: Sequence[Commitment], certificate: CommitmentCertificate) -> bytes:
    """Return the canonical state proof file of a claim from `Executor.prove_*`.

    `commitments` are those of the claim's height up to the certified one.
    """
    chain = make_certified_chain(commitments, certificate)
    return StateProof(chain, StateClaim.from_bytes(claim)).to_bytes()


def make_certified_chain(commitments: Sequence[Commitment], certificate: CommitmentCertificate) -> CertifiedChain:
    """Return the chain; raises `LocalError` unless it is linked and ends at the certified commitment."""
    for parent, child in pairwise(commitments):
        if child.parent != parent.digest:
            raise LocalError(f"commitment of height {child.height} is no child of height {parent.height}")
    if not commitments or commitments[-1].digest != certificate.digest:
        raise LocalError(f"the commitments do not end at the certified height {certificate.height}")
    return CertifiedChain(tuple(commitments), certificate)


def _find_admitted(executed: ExecutedBlock, bundle_id: Digest) -> int:
    """Return the index of the item that took the bundle in; other copies of it are inadmissible."""
    for result in executed.results:
        if result.item_id == bundle_id and result.status is not Status.INADMISSIBLE:
            return result.index
    raise LocalError(f"bundle {bundle_id.hex()} was not taken in at height {executed.header.height}")


def _find_outcome(decided: ExecutedBlock, bundle_id: Digest) -> int:
    for index, leaf in enumerate(decided.outcomes):
        if leaf.bundle_id == bundle_id:
            return index
    raise LocalError(f"bundle {bundle_id.hex()} was not decided at height {decided.header.height}")


def build_places(executed: ExecutedBlock, index: int) -> tuple[NamespaceInclusion, tuple[LegInclusion, ...]]:
    """Return where the item at `index` of the block stands: among all items, and its legs in their rollups."""
    rows = compute_namespace_rows(executed.namespaces)
    item_id = executed.results[index].item_id
    copies_before = sum(result.item_id == item_id for result in executed.results[:index])
    return _include(executed, rows, SYSTEM_NAMESPACE, index), _include_legs(executed, rows, item_id, copies_before)


def _include_legs(
    executed: ExecutedBlock, rows: tuple[bytes, ...], bundle_id: Digest, copies_before: int
) -> tuple[LegInclusion, ...]:
    """Find each leg's leaf, skipping those of earlier inadmissible copies of the bundle. # A2"""
    found: dict[int, LegInclusion] = {}
    for namespace in executed.namespaces:
        seen: dict[int, int] = {}
        for place, leaf in enumerate(namespace.leaves if namespace.namespace != SYSTEM_NAMESPACE else ()):
            leaf_bundle, leg_index, _, leg_digest = decode_leg_leaf(leaf)
            if leaf_bundle != bundle_id:
                continue
            seen[leg_index] = seen.get(leg_index, 0) + 1
            if seen[leg_index] == copies_before + 1:
                found[leg_index] = LegInclusion(leg_digest, _include(executed, rows, namespace.namespace, place))
    return tuple(found[index] for index in sorted(found))


def _include(executed: ExecutedBlock, rows: tuple[bytes, ...], namespace: RollupId, place: int) -> NamespaceInclusion:
    row = next(i for i, listed in enumerate(executed.namespaces) if listed.namespace == namespace)
    leaves = executed.namespaces[row].leaves
    return NamespaceInclusion(namespace, MerklePath.build(leaves, place), MerklePath.build(rows, row))
