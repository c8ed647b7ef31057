"""Build the files that prove what a height holds: an item, a whole list, nothing, a message, a certificate.

As receipts, they join what execution gave with a certificate of the height or of a later one.
`later` always means the commitments of the heights after `executed` up to the certified one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sequencer.codec import Fields, decode
from sequencer.errors import LocalError
from sequencer.execution.commitments import compute_namespace_rows
from sequencer.execution.receipts import build_places, make_certified_chain
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.executed import ExecutedBlock
from sequencer.types.leaves import get_envelope_kind
from sequencer.types.message import Delivery
from sequencer.types.primitives import SYSTEM_NAMESPACE, RollupId
from sequencer.types.proof_files import AbsenceProof, InclusionProof, ListProof, MessageProof, NamespaceRow
from sequencer.types.receipt import PROOF_FILE_BYTES_MAX, MerklePath


def build_inclusion(
    executed: ExecutedBlock, later: Sequence[Commitment], certificate: CommitmentCertificate, index: int
) -> bytes:
    """Return the file that the item at `index` stands in the block; raises `LocalError` if there is none."""
    if not 0 <= index < len(executed.results):
        raise LocalError(f"height {executed.header.height} has {len(executed.results)} items, none at {index}")
    envelope, legs = build_places(executed, index)
    kind = get_envelope_kind(executed.namespaces[0].leaves[index])
    chain = make_certified_chain((executed.commitment, *later), certificate)
    return InclusionProof(chain, kind, executed.results[index].item_id, envelope, legs).to_bytes()


def build_list(
    executed: ExecutedBlock, later: Sequence[Commitment], certificate: CommitmentCertificate, namespace: RollupId
) -> bytes:
    """Return the file with all that the block holds for the namespace, or that it holds nothing.

    Raises `LocalError` if the list is too long for a file.
    """
    chain = make_certified_chain((executed.commitment, *later), certificate)
    rows = compute_namespace_rows(executed.namespaces)
    listed = [entry.namespace for entry in executed.namespaces]
    if namespace in listed:
        place = listed.index(namespace)
        leaves = executed.namespaces[place].leaves
        data = ListProof(chain, namespace, leaves, MerklePath.build(rows, place)).to_bytes()
        if len(data) > PROOF_FILE_BYTES_MAX:
            raise LocalError(f"the list has {len(data)} bytes, a file at most {PROOF_FILE_BYTES_MAX}")
        return data
    after = sum(other < namespace for other in listed)
    neighbours = (_make_row(rows, place) if 0 <= place < len(rows) else None for place in (after - 1, after))
    return AbsenceProof(chain, *neighbours).to_bytes()


def _make_row(rows: tuple[bytes, ...], place: int) -> NamespaceRow:
    read = Fields(decode(rows[place], "row"), "row")
    return NamespaceRow(read.uint("namespace"), read.uint("count"), read.digest("root"), MerklePath.build(rows, place))


def build_message(
    executed: ExecutedBlock, later: Sequence[Commitment], certificate: CommitmentCertificate, delivery: Delivery
) -> bytes:
    """Return the file that the message is in its source's outbox as the row after `executed` commits to it.

    Raises `LocalError` if the delivery's path does not lead to that row's outbox root.
    """
    message, leaves = delivery.message, tuple(row.to_bytes() for row in executed.rows)
    outbox_root = delivery.path.compute_root(message.to_bytes())
    for place, row in enumerate(executed.rows):
        if row.namespace == message.source and row.namespace != SYSTEM_NAMESPACE and row.outbox_root == outbox_root:
            return MessageProof(
                make_certified_chain((executed.commitment, *later), certificate),
                message,
                delivery.path,
                row.settled_height,
                row.state_root,
                row.receipt_root,
                MerklePath.build(leaves, place),
            ).to_bytes()
    raise LocalError(f"height {executed.header.height} has no row with this outbox root")
