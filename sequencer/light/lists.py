"""Verify that a list of a namespace's items at a height is whole, or that there is none. # A2"""

from __future__ import annotations

from dataclasses import dataclass

from sequencer.codec import Fields, decode
from sequencer.crypto.merkle import compute_root
from sequencer.crypto.signatures import Verifier
from sequencer.errors import DecodeError, VerificationError
from sequencer.light.chain import verify_chain
from sequencer.types.commitment import Commitment
from sequencer.types.genesis import Genesis
from sequencer.types.leaves import decode_leg_leaf
from sequencer.types.primitives import SYSTEM_NAMESPACE, Digest, Height, RollupId, ValidatorIndex
from sequencer.types.proof_files import AbsenceProof, ListProof, NamespaceRow


@dataclass(frozen=True, slots=True)
class ListView:
    """What a verified list proves: this is all, in this order."""

    namespace: RollupId
    """0 lists every item of the block, a rollup each leg addressed to it."""
    height: Height
    time_ms: int
    item_ids: tuple[Digest, ...]
    """Bundle id of each leg; in namespace 0 the id of each item."""
    leaves: tuple[bytes, ...]
    certified_height: Height
    signers: tuple[ValidatorIndex, ...]


@dataclass(frozen=True, slots=True)
class AbsenceView:
    """What a verified absence proves: the height holds nothing for these."""

    namespaces: tuple[RollupId, ...]
    """All rollups of the genesis in the gap, ascending; 0 before them if the height has no item at all."""
    height: Height
    time_ms: int
    certified_height: Height
    signers: tuple[ValidatorIndex, ...]


def verify_list(data: bytes, genesis: Genesis, verifier: Verifier) -> ListView:
    """Return the whole list; raises `VerificationError` naming the step that failed."""
    try:
        proof = ListProof.from_bytes(data)
    except DecodeError as error:
        raise VerificationError(f"decode: {error}") from None
    if proof.to_bytes() != data:
        raise VerificationError("decode: the list is not in canonical form")
    commitment = verify_chain(proof.chain, genesis, verifier)
    if proof.compute_batch_root() != commitment.batch_root:
        detail = f"{len(proof.leaves)} items do not give the row of namespace {proof.namespace}"
        raise VerificationError(f"list: {detail} under the batch root of height {commitment.height}")
    item_ids = tuple(_read_item_id(leaf, proof.namespace) for leaf in proof.leaves)
    height, time_ms, certificate = commitment.height, commitment.time_ms, proof.chain.certificate
    return ListView(proof.namespace, height, time_ms, item_ids, proof.leaves, certificate.height, certificate.signers)


def verify_unlisted(view: ListView, item_id: Digest) -> None:
    """Raise `VerificationError` if the whole list, verified before, names the id."""
    if item_id in view.item_ids:
        place = f"index {view.item_ids.index(item_id)} of namespace {view.namespace} at height {view.height}"
        raise VerificationError(f"absent: 0x{item_id.hex()} stands at {place}")


def _read_item_id(leaf: bytes, namespace: RollupId) -> Digest:
    """Return whom a leaf names; raises `VerificationError` if the validators certified one that names nobody."""
    try:
        if namespace != SYSTEM_NAMESPACE:
            return decode_leg_leaf(leaf)[0]
        read = Fields(decode(leaf, "leaf"), "leaf")
        read.uint("kind")
        item_id = read.digest("item_id")
        read.finish()
    except DecodeError as error:
        raise VerificationError(f"list: {error}") from None
    return item_id


def verify_absence(data: bytes, genesis: Genesis, verifier: Verifier) -> AbsenceView:
    """Return where nothing is; raises `VerificationError` naming the step that failed."""
    try:
        proof = AbsenceProof.from_bytes(data)
    except DecodeError as error:
        raise VerificationError(f"decode: {error}") from None
    if proof.to_bytes() != data:
        raise VerificationError("decode: the absence is not in canonical form")
    commitment = verify_chain(proof.chain, genesis, verifier)
    for name, row in (("before", proof.before), ("after", proof.after)):
        if row is not None and row.compute_batch_root() != commitment.batch_root:
            raise VerificationError(f"{name}: is not under the batch root of height {commitment.height}")
    _verify_neighbours(proof, commitment)
    absent = tuple(namespace for namespace in _list_namespaces(genesis) if _is_between(namespace, proof))
    if not absent:
        raise VerificationError("absence: no rollup of this network lies between the rows that are shown")
    certificate = proof.chain.certificate
    return AbsenceView(absent, commitment.height, commitment.time_ms, certificate.height, certificate.signers)


def _list_namespaces(genesis: Genesis) -> tuple[RollupId, ...]:
    return (SYSTEM_NAMESPACE, *(rollup.id for rollup in genesis.rollups))


def _is_between(namespace: RollupId, proof: AbsenceProof) -> bool:
    """The table is ascending, so whatever lies between neighbours is not in it."""
    is_above = proof.before is None or proof.before.namespace < namespace
    return is_above and (proof.after is None or namespace < proof.after.namespace)


def _verify_neighbours(proof: AbsenceProof, commitment: Commitment) -> None:
    """The rows stand side by side in the table, or one of them at its end; without any it is empty."""
    before, after = proof.before, proof.after
    if before is None and after is None and commitment.batch_root != compute_root(()):
        raise VerificationError(f"absence: height {commitment.height} has items, and no row is shown")
    if _get_end(before) != _get_start(before, after):
        raise VerificationError("absence: rows stand between those that are shown")


def _get_end(before: NamespaceRow | None) -> int:
    """Return the place after the row before the gap."""
    return 0 if before is None else before.path.index + 1


def _get_start(before: NamespaceRow | None, after: NamespaceRow | None) -> int:
    """Return the place of the row after the gap; without one, the end of the table."""
    if after is not None:
        return after.path.index
    return 0 if before is None else before.path.count
