"""Show what a verified file proves, as the members of one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sequencer.light import (
        CertificateView,
        EvidenceView,
        FileView,
        InclusionView,
        ListView,
        MessageView,
        ReceiptView,
        StateProofView,
    )
    from sequencer.types.genesis import Genesis
    from sequencer.types.primitives import RollupId, ValidatorIndex


def view_to_json(view: FileView, genesis: Genesis) -> dict[str, object]:
    """Return the facts that a verified file proves; `proves` says of what kind they are."""
    from sequencer.light import (
        AbsenceView,
        CertificateView,
        EvidenceView,
        InclusionView,
        ListView,
        MessageView,
        ReceiptView,
    )

    if isinstance(view, EvidenceView):
        return {"proves": "evidence", **_show_evidence(view)}
    if isinstance(view, CertificateView):
        return {"proves": "certificate", **_show_certificate(view, genesis)}
    certified = {
        "certified_height": view.certified_height,
        "signers": _name_validators(view.signers, genesis),
    }
    if isinstance(view, ReceiptView):
        return {"proves": "outcome", **_show_receipt(view, genesis), **certified}
    if isinstance(view, InclusionView):
        return {"proves": "inclusion", **_show_inclusion(view, genesis), **certified}
    if isinstance(view, ListView):
        return {"proves": "list", **_show_list(view, genesis), **certified}
    if isinstance(view, AbsenceView):
        rollups = [_name_rollup(namespace, genesis) for namespace in view.namespaces]
        return {"proves": "absence", "rollups": rollups, "height": view.height, **certified}
    if isinstance(view, MessageView):
        return {"proves": "message", **_show_message(view, genesis), **certified}
    return {"proves": "state", **_show_state(view, genesis), **certified}


def _show_receipt(view: ReceiptView, genesis: Genesis) -> dict[str, object]:
    return {
        "id": "0x" + view.bundle_id.hex(),
        "outcome": view.status.name,
        "reason": view.reason,
        "height": view.height,
        "index": view.index,
        "time_ms": view.time_ms,
        "decided_height": view.decided_height,
        "rollups": _name_rollups(view.rollups, genesis),
    }


def _show_inclusion(view: InclusionView, genesis: Genesis) -> dict[str, object]:
    return {
        "id": "0x" + view.item_id.hex(),
        "kind": view.kind,
        "height": view.height,
        "index": view.index,
        "time_ms": view.time_ms,
        "rollups": _name_rollups(view.rollups, genesis),
        "leg_positions": list(view.leg_positions),
    }


def _show_list(view: ListView, genesis: Genesis) -> dict[str, object]:
    return {
        "rollup": _name_rollup(view.namespace, genesis),
        "height": view.height,
        "count": len(view.item_ids),
        "ids": ["0x" + item_id.hex() for item_id in view.item_ids],
    }


def _show_state(view: StateProofView, genesis: Genesis) -> dict[str, object]:
    return {
        "rollup": _name_rollup(view.namespace, genesis),
        "key": view.key,
        "value": f"0x{view.value.hex()}" if isinstance(view.value, bytes) else view.value and str(view.value),
        "height": view.height,
        "settled_height": view.settled_height,
    }


def _show_message(view: MessageView, genesis: Genesis) -> dict[str, object]:
    message = view.message
    return {
        "id": "0x" + message.id.hex(),
        "bundle": "0x" + message.bundle_id.hex(),
        "source": _name_rollup(message.source, genesis),
        "destination": _name_rollup(message.destination, genesis),
        "asset": message.asset,
        "sender": "0x" + message.sender.hex(),
        "to": "0x" + message.to.hex(),
        "amount": str(message.amount),
        "height": view.height,
        "settled_height": view.settled_height,
    }


def _show_certificate(view: CertificateView, genesis: Genesis) -> dict[str, object]:
    from sequencer.types.verdict import RootStatement, VerdictStatement

    statement = view.statement
    shown: dict[str, object] = {"states": statement.KIND.name, "rollup": _name_rollup(statement.rollup, genesis)}
    if isinstance(statement, VerdictStatement):
        shown |= {
            "id": "0x" + statement.bundle_id.hex(),
            "verdict": statement.verdict.name,
            "reason": statement.reason,
            "outputs": [f"legs[{leg}].{name} = {amount}" for leg, name, amount in statement.outputs],
            "assumption": "0x" + statement.assumption.hex(),
        }
    else:
        shown["height"] = statement.height
    if isinstance(statement, RootStatement):
        shown |= {"settled_height": statement.settled_height, "state_root": "0x" + statement.state_root.hex()}
    return {**shown, "executors": list(view.executors)}


def _show_evidence(view: EvidenceView) -> dict[str, object]:
    return {
        "id": "0x" + view.evidence_id.hex(),
        "rule": view.rule,
        "offence": view.offence,
        "validator": view.name,
        "epoch": view.epoch,
        view.place: view.number,
        "digests": ["0x" + digest.hex() for digest in view.digests],
    }


def _name_rollup(namespace: RollupId, genesis: Genesis) -> str:
    return "system" if namespace == 0 else genesis.get_rollup(namespace).name


def _name_rollups(namespaces: Sequence[RollupId], genesis: Genesis) -> list[str]:
    return [_name_rollup(namespace, genesis) for namespace in namespaces]


def _name_validators(signers: Sequence[ValidatorIndex], genesis: Genesis) -> list[str]:
    return [genesis.validators[index].name for index in signers]
