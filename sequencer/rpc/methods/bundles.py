"""Tell the whole truth about one bundle: what became of it, who said what, and the proof."""

from __future__ import annotations

from sequencer.execution.evaluation import Failure
from sequencer.rpc.dispatch import Call, Method
from sequencer.rpc.forms import make_rollup_namer
from sequencer.rpc.json_values import to_hex
from sequencer.rpc.stories import BundleStory, OrderedCertificate
from sequencer.rpc.views import NameRollup, failure_to_json
from sequencer.types.bundle import Leg
from sequencer.types.executed import ExecutionRow, RollupVerdict
from sequencer.types.genesis import Genesis
from sequencer.types.outcome import Status
from sequencer.types.primitives import RollupId
from sequencer.types.receipt import Receipt
from sequencer.types.verdict import VerdictStatement

STORY_UNITS = 8
"""What a story costs beside the call itself: blocks are read for it."""


async def get_bundle_receipt(call: Call) -> object:
    """Tell the course of a bundle; `proof` is there once a certificate covers the height that decided it."""
    bundle_id = call.read.digest("id")
    call.read.finish()
    call.charge(STORY_UNITS)
    story = await call.queries.get_story(bundle_id)
    proof = None if story.decided_height is None else await call.queries.get_receipt(bundle_id)
    return story_to_json(story, proof, call.queries.genesis)


def story_to_json(story: BundleStory, proof: bytes | None, genesis: Genesis) -> dict[str, object]:
    """Return the story; null is what is not there yet, or not known any more."""
    name_rollup = make_rollup_namer(genesis)
    result, bundle = story.result, story.bundle
    return {
        "id": to_hex(story.bundle_id),
        "status": story.status.value,
        "ordered_at": None if result is None else {"height": story.height, "index": result.index},
        "decided_at": None if story.decided_height is None else {"height": story.decided_height},
        "deadline": story.deadline,
        "reason": None if result is None else result.reason,
        "fee": None if result is None else str(result.fee),
        "replaced_by": _get_replacement(story),
        "payer": None if bundle is None else to_hex(bundle.payer),
        "channel": None if bundle is None else bundle.channel,
        "sequence": None if bundle is None else bundle.sequence,
        "valid_until": None if bundle is None else bundle.valid_until,
        "deps": None if bundle is None else [to_hex(dep) for dep in bundle.deps],
        "legs": None if bundle is None else _Legs(story, proof, genesis).to_json(),
        "waited_for": [{"rollup": name_rollup(one.rollup), "id": to_hex(one.item_id)} for one in story.waits],
        "certificates": [certificate_to_json(one, genesis) for one in story.certificates],
        "failures": [failure_to_json(failure, name_rollup) for failure in story.failures],
        "is_final": proof is not None,
        "proof": None if proof is None else to_hex(proof),
    }


def _get_replacement(story: BundleStory) -> str | None:
    if story.departure is None or story.departure.replaced_by is None:
        return None
    return to_hex(story.departure.replaced_by)


class _Legs:
    """Puts to each leg what its rollup said and how it stood."""

    def __init__(self, story: BundleStory, proof: bytes | None, genesis: Genesis) -> None:
        self._story = story
        self._genesis = genesis
        self._name_rollup: NameRollup = make_rollup_namer(genesis)
        self._rows: dict[RollupId, ExecutionRow] = {row.namespace: row for row in story.rows}
        self._failures: dict[RollupId, Failure] = {failure.rollup: failure for failure in story.failures}
        verdicts = () if story.decision is None else story.decision.verdicts
        self._verdicts: dict[RollupId, RollupVerdict] = {verdict.rollup: verdict for verdict in verdicts}
        self._proven = () if proof is None else Receipt.from_bytes(proof).legs

    def to_json(self) -> list[dict[str, object]]:
        """Return one entry per leg, in order."""
        bundle = self._story.bundle
        return [] if bundle is None else [self._make_entry(index, leg) for index, leg in enumerate(bundle.legs)]

    def _make_entry(self, index: int, leg: Leg) -> dict[str, object]:
        is_proven = index < len(self._proven)
        row = self._rows.get(leg.rollup)
        return {
            "index": index,
            "rollup": self._name_rollup(leg.rollup),
            "signer": to_hex(leg.signer),
            "leg_hash": to_hex(leg.digest),
            "position": self._proven[index].inclusion.position.index if is_proven else None,
            **self._make_verdict(index, leg.rollup),
            "roots": None if row is None else _row_to_json(row),
            "signers": self._get_signers(leg.rollup),
        }

    def _make_verdict(self, index: int, rollup: RollupId) -> dict[str, object]:
        """Return what the rollup said; expected and found stand at the leg that made it say NO."""
        said, failure = self._verdicts.get(rollup), self._failures.get(rollup)
        is_here = failure is not None and failure.path.startswith(f"legs[{index}].")
        return {
            "verdict": None if said is None or said.verdict is None else said.verdict.name.lower(),
            "source": None if said is None or said.source is None else said.source.value,
            "reason": None if said is None else said.reason,
            "expected": failure.expected if failure is not None and is_here else None,
            "found": failure.found if failure is not None and is_here else None,
        }

    def _get_signers(self, rollup: RollupId) -> list[str] | None:
        """Return who signed the certificate that counted; None for a native rollup, or if none did."""
        said = self._verdicts.get(rollup)
        matching = (one for one in self._story.certificates if _says(one, said))
        return next((_name_signers(one, self._genesis) for one in matching), None)


def _says(one: OrderedCertificate, said: RollupVerdict | None) -> bool:
    statement = one.certificate.statement
    if said is None or not isinstance(statement, VerdictStatement):
        return False
    return (statement.rollup, statement.verdict, statement.reason) == (said.rollup, said.verdict, said.reason)


def _row_to_json(row: ExecutionRow) -> dict[str, object]:
    return {
        "settled_height": row.settled_height,
        "state_root": to_hex(row.state_root),
        "receipt_root": to_hex(row.receipt_root),
        "outbox_root": to_hex(row.outbox_root),
    }


def _name_signers(one: OrderedCertificate, genesis: Genesis) -> list[str]:
    executors = genesis.get_rollup(one.certificate.statement.rollup).executors
    return [executors[index].name for index in one.certificate.signers]


def certificate_to_json(one: OrderedCertificate, genesis: Genesis) -> dict[str, object]:
    """Return a certificate about the bundle: where it was ordered, what it says, who signed it, and its bytes."""
    statement = one.certificate.statement
    said = {}
    if isinstance(statement, VerdictStatement):
        said = {
            "verdict": statement.verdict.name.lower(),
            "reason": statement.reason,
            "assumption": to_hex(statement.assumption),
            "outputs": [[leg, name, str(amount)] for leg, name, amount in statement.outputs],
        }
    return {
        "height": one.height,
        "index": one.index,
        "id": to_hex(one.item_id),
        "rollup": make_rollup_namer(genesis)(statement.rollup),
        **said,
        "signers": _name_signers(one, genesis),
        "is_taken": one.result.status is Status.COMMIT,
        "result": one.result.reason,
        "item": to_hex(one.certificate.item_bytes),
    }


METHODS = (Method("seq_getBundleReceipt", ("id",), get_bundle_receipt),)
