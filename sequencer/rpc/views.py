"""Show blocks, results and certificates as JSON; bytes that a client hashes are given in full."""

from __future__ import annotations

from collections.abc import Callable

from sequencer.codec import encode
from sequencer.execution.evaluation import Failure
from sequencer.light import EvidenceView
from sequencer.rpc.json_values import to_hex
from sequencer.rpc.queries import BlockRecord, NodeStatus, RollupStatus, TransactionRecord
from sequencer.types.commitment import Commitment, CommitmentCertificate
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis, GenesisValidator, HostAddress, Rollup
from sequencer.types.outcome import ItemResult, Rejection, Status
from sequencer.types.primitives import RollupId

NameRollup = Callable[[RollupId], str]

STATUS_NAMES = {
    Status.COMMIT: "committed",
    Status.ABORT: "aborted",
    Status.INADMISSIBLE: "inadmissible",
    Status.PENDING: "pending",
}
"""What an ordered item came to, as RPC says it."""


def commitment_to_json(commitment: Commitment) -> dict[str, object]:
    """Return digest, roots and the bytes under the digest."""
    return {
        "digest": to_hex(commitment.digest),
        "bytes": to_hex(encode(commitment.to_value())),
        "parent": to_hex(commitment.parent),
        "validators_hash": to_hex(commitment.validators_hash),
        "batch_root": to_hex(commitment.batch_root),
        "pending_root": to_hex(commitment.pending_root),
        "outcome_root": to_hex(commitment.outcome_root),
        "exec_root": to_hex(commitment.exec_root),
    }


def certificate_to_json(certificate: CommitmentCertificate | None) -> dict[str, object] | None:
    """Return height, digest and signers with the certificate's bytes."""
    if certificate is None:
        return None
    return {
        "height": certificate.height,
        "digest": to_hex(certificate.digest),
        "signers": list(certificate.signers),
        "bytes": to_hex(encode(certificate.to_value())),
    }


def result_to_json(result: ItemResult) -> dict[str, object]:
    """Return what became of one item."""
    return {
        "index": result.index,
        "id": to_hex(result.item_id),
        "status": STATUS_NAMES[result.status],
        "reason": result.reason,
        "fee": str(result.fee),
    }


def block_to_json(record: BlockRecord, name_rollup: NameRollup) -> dict[str, object]:
    """Return a block with all that is needed to recompute its block digest, batch root and outcome root."""
    block = record.block
    header = block.header
    return {
        "height": header.height,
        "view": header.view,
        "epoch": header.epoch,
        "digest": to_hex(header.digest),
        "parent_digest": to_hex(header.parent_digest),
        "time_ms": header.time_ms,
        "header": to_hex(encode(header.to_value())),
        "commitment": commitment_to_json(block.commitment),
        "is_scheduled": block.is_scheduled,
        "certificate": certificate_to_json(record.certificate),
        "rollups": _namespaces_to_json(block, name_rollup),
        "results": [result_to_json(result) for result in block.results],
        "outcomes": [
            {"id": to_hex(leaf.bundle_id), "outcome": leaf.status.name, "reason": leaf.reason}
            for leaf in block.outcomes
        ],
    }


def _namespaces_to_json(block: ExecutedBlock, name_rollup: NameRollup) -> list[dict[str, object]]:
    """Return one entry per namespace with items or with an execution row, ascending by id."""
    leaves = {entry.namespace: entry.leaves for entry in block.namespaces}
    rows = {row.namespace: row for row in block.rows}
    entries = []
    for namespace in sorted(leaves.keys() | rows.keys()):
        row = rows.get(namespace)
        entries.append(
            {
                "id": namespace,
                "rollup": name_rollup(namespace),
                "leaves": [to_hex(leaf) for leaf in leaves.get(namespace, ())],
                "settled_height": None if row is None else row.settled_height,
                "state_root": None if row is None else to_hex(row.state_root),
                "receipt_root": None if row is None else to_hex(row.receipt_root),
                "outbox_root": None if row is None else to_hex(row.outbox_root),
            }
        )
    return entries


def evidence_to_json(index: int, view: EvidenceView, data: bytes) -> dict[str, object]:
    """Return who did what, where, with the bytes that prove it; `index` is the place among the node's evidence."""
    return {
        "index": index,
        "id": to_hex(view.evidence_id),
        "rule": view.rule,
        "offence": view.offence,
        "validator": view.name,
        "signer": view.signer,
        "epoch": view.epoch,
        view.place: view.number,
        "digests": [to_hex(digest) for digest in view.digests],
        "bytes": to_hex(data),
    }


def rejection_to_json(rejection: Rejection) -> dict[str, object]:
    """Return reason, path and detail; paths start at `$`, the transaction."""
    return {"reason": rejection.reason.value, "path": _make_client_path(rejection.path), "detail": rejection.detail}


def _make_client_path(path: str) -> str:
    """Return the core's path of a field as a client sees it: `item.body.legs[0]` is `$.legs[0]`."""
    for prefix in ("item.body", "item"):
        if path == prefix or path.startswith((f"{prefix}.", f"{prefix}[")):
            return "$" + path[len(prefix) :]
    return f"$.{path}" if path else "$"


def record_to_json(record: TransactionRecord) -> dict[str, object]:
    """Return status, place, reason and fee of a transaction; null where it is not ordered yet."""
    result = record.result
    return {
        "id": to_hex(record.item_id),
        "status": "pending" if result is None else STATUS_NAMES[result.status],
        "height": record.height,
        "index": None if result is None else result.index,
        "reason": None if result is None else result.reason,
        "fee": None if result is None else str(result.fee),
    }


def failure_to_json(failure: Failure, name_rollup: NameRollup) -> dict[str, object]:
    """Return why a rollup said NO; `expected` and `found` are for people and not proven."""
    return {
        "rollup": name_rollup(failure.rollup),
        "code": failure.code,
        "path": f"$.{failure.path}",
        "expected": failure.expected,
        "found": failure.found,
    }


def status_to_json(status: NodeStatus, genesis: Genesis) -> dict[str, object]:
    """Return how the node stands."""
    validators = genesis.validators
    return {
        "name": status.name,
        "chain_id": to_hex(genesis.chain_id),
        "network": genesis.name,
        "role": status.role,
        "observer_reason": status.observer_reason,
        "alarm": status.alarm,
        "halt_reason": status.halt_reason,
        "view": status.view,
        "height": status.height,
        "commitment": to_hex(status.commitment) if status.height else None,
        "oldest_height": status.oldest_height,
        "certified_height": status.certified_height,
        "peers": len(status.connected),
        "connected": [validators[index].name for index in status.connected],
        "following": None if status.following is None else validators[status.following].name,
        "sync": status.sync_state,
        "liars": {validators[index].name: reason for index, reason in status.snapshot_liars.items()},
        "executes": None if status.executes is None else genesis.get_rollup(status.executes).name,
        "rollups": [_rollup_status_to_json(one, genesis.get_rollup(one.rollup)) for one in status.rollups],
        "durability": status.durability,
        "gossip": {
            "published": status.gossip_published,
            "received": status.gossip_received,
            "included": status.gossip_included,
        },
    }


def _rollup_status_to_json(status: RollupStatus, rollup: Rollup) -> dict[str, object]:
    return {
        "name": rollup.name,
        "kind": rollup.kind.value,
        "is_executed": status.is_executed,
        "settled_height": status.settled_height,
        "certified_settled_height": status.certified_settled_height,
        "is_suspended": status.is_suspended,
        "is_frozen": status.is_frozen,
    }


def validator_to_json(index: int, validator: GenesisValidator) -> dict[str, object]:
    """Return a validator as the genesis lists it."""
    return {
        "index": index,
        "name": validator.name,
        "public_key": to_hex(validator.public_key),
        "power": validator.power,
        "votes": _host_to_json(validator.votes),
        "data": _host_to_json(validator.data),
        "open": _host_to_json(validator.open),
    }


def _host_to_json(host: HostAddress) -> dict[str, object]:
    return {"peer_id": host.peer_id, "address": host.address}
