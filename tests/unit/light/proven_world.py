"""A height with items of many kinds, and every kind of proof file about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sequencer.crypto.merkle import compute_root
from sequencer.crypto.signatures import verify_ed25519
from sequencer.execution.commitments import compute_exec_root, compute_outcome_root
from sequencer.execution.proofs import build_inclusion, build_list, build_message
from sequencer.execution.receipts import build_receipt
from sequencer.light import FileView, verify_file
from sequencer.types.bundle import AtLeast
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis
from sequencer.types.message import CrossMessage, Delivery
from sequencer.types.outcome import OutcomeLeaf, Reason, Rejection, Status
from sequencer.types.primitives import Digest
from sequencer.types.proof_files import encode_certificate_file
from sequencer.types.receipt import MerklePath
from sequencer.types.verdict import Verdict, VerdictStatement
from tests.execution_world import (
    ALICE,
    ALPHA,
    BOB,
    CAROL,
    GAMMA,
    GENESIS,
    World,
    make_leg,
    set_key,
    sign_certificate,
    transfer,
)
from tests.split_world import DELTA, SPLIT_GENESIS, sign_statement

LEG = make_leg(ALPHA, transfer(BOB, 5))
FALSE = make_leg(GAMMA, set_key("kv/m"), conditions=(AtLeast("kv/absent", 1),))
MESSAGES = tuple(CrossMessage(ALPHA, GAMMA, "USD", ALICE, BOB, amount, bytes(32), 0, amount) for amount in range(1, 6))


class Case:
    """Alpha and gamma have items at height 1, nobody at 2, alpha at 3, which is certified."""

    def __init__(self) -> None:
        world = World()
        self.committed = world.make_bundle(LEG, make_leg(GAMMA, set_key("kv/m")), LEG)
        self.aborted = world.make_bundle(LEG, FALSE)
        others = [world.check(world.make_bundle(LEG, payer=CAROL)) for _ in range(5)]
        wrong = (b"wrong", Rejection(Reason.MALFORMED, "item"))
        items = [*others, wrong, world.check(self.committed), world.check(self.aborted)]
        self.block = world.execute_items(items)
        self.world = world
        self.empty, self.alone = world.execute(), world.execute(world.make_bundle(LEG))
        self.later = world.get_commitments(2)
        self.certificate = sign_certificate(self.later[-1])

    def receipt(self, bundle_id: Digest) -> bytes:
        return build_receipt(self.block, self.later, self.certificate, bundle_id)

    def inclusion(self, index: int) -> bytes:
        return build_inclusion(self.block, self.later, self.certificate, index)

    def list(self, namespace: int) -> bytes:
        return build_list(self.block, self.later, self.certificate, namespace)


CASE = Case()


def chain_blocks(blocks: Sequence[ExecutedBlock]) -> tuple[ExecutedBlock, ...]:
    """Return the blocks with commitments to what they hold now, each the parent of the next."""
    chained: list[ExecutedBlock] = []
    for block in blocks:
        changes = {
            "outcome_root": compute_outcome_root(block.outcomes),
            "exec_root": compute_exec_root(block.rows),
            "parent": chained[-1].commitment.digest if chained else block.commitment.parent,
        }
        chained.append(replace(block, commitment=replace(block.commitment, **changes)))  # type: ignore[arg-type] # digests
    return tuple(chained)


def make_late_receipt(heights: int = 3, status: Status = Status.ABORT, reason: str = "TIMEOUT:delta") -> bytes:
    """Return the receipt of a bundle that stood open for so many heights."""
    world = World()
    bundle = world.make_bundle(LEG, make_leg(GAMMA, set_key("kv/m")))
    world.execute(bundle, world.make_bundle(LEG))
    world.execute_empty(heights + 1)
    blocks = list(world.blocks)
    result = replace(blocks[0].results[0], status=Status.PENDING)
    mine = next(leaf for leaf in blocks[0].outcomes if leaf.bundle_id == bundle.id)
    blocks[0] = replace(
        blocks[0],
        results=(result, *blocks[0].results[1:]),
        outcomes=tuple(leaf for leaf in blocks[0].outcomes if leaf != mine),
    )
    blocks[heights] = replace(blocks[heights], outcomes=(OutcomeLeaf(bundle.id, status, reason),))
    chained = chain_blocks(blocks)
    later = [block.commitment for block in chained[1:]]
    return build_receipt(chained[0], later, sign_certificate(later[-1]), bundle.id, chained[heights])


def make_message_proof(place: int = 2) -> bytes:
    """Return the proof of one of five messages in alpha's outbox."""
    leaves = tuple(message.to_bytes() for message in MESSAGES)
    rows = tuple(
        row._replace(outbox_root=compute_root(leaves)) if row.namespace == ALPHA else row for row in CASE.block.rows
    )
    (block,) = chain_blocks([replace(CASE.block, rows=rows)])
    delivery = Delivery(MESSAGES[place], block.header.height, MerklePath.build(leaves, place))
    return build_message(block, (), sign_certificate(block.commitment), delivery)


def make_verdict(signers: Sequence[int] = (0, 1)) -> bytes:
    """Return the file of a verdict that these executors of delta signed."""
    statement = VerdictStatement(DELTA, b"b" * 32, Verdict.YES, "", ((0, "amount", 5),), b"a" * 32)
    return encode_certificate_file(sign_statement(statement, signers))


FILES: dict[str, Callable[[], bytes]] = {
    "receipt": lambda: CASE.receipt(CASE.aborted.id),
    "late receipt": make_late_receipt,
    "inclusion of a bundle": lambda: CASE.inclusion(6),
    "inclusion of a wrong item": lambda: CASE.inclusion(5),
    "list of a rollup": lambda: CASE.list(ALPHA),
    "list of the system": lambda: CASE.list(0),
    "absence between": lambda: CASE.list(2),
    "absence above": lambda: build_list(CASE.alone, (), CASE.certificate, GAMMA),
    "absence in an empty block": lambda: build_list(CASE.empty, CASE.later[1:], CASE.certificate, ALPHA),
    "message": make_message_proof,
    "verdict": make_verdict,
}
"""By what they prove."""


def verify(data: bytes, genesis: Genesis | None = None) -> FileView:
    """Verify a file under the genesis that it belongs to: the split network's for what executors sign."""
    is_attested = data[2:].startswith(b"ssq-certificate")
    return verify_file(data, genesis or (SPLIT_GENESIS if is_attested else GENESIS), verify_ed25519)
