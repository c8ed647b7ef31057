"""`seq_getBundleReceipt` tells the whole course of a bundle, from held to proven."""

from __future__ import annotations

from typing import Any

from sequencer.crypto.signatures import verify_ed25519
from sequencer.light import verify_receipt
from sequencer.rpc.json_values import to_hex
from sequencer.rpc.methods.bundles import story_to_json
from sequencer.rpc.stories import BundleStory, OrderedCertificate
from sequencer.types.bundle import AtLeast, Bundle, Leg
from sequencer.types.executed import Decision, RollupVerdict, VerdictSource
from sequencer.types.item import SignedBundle
from sequencer.types.outcome import ItemResult, Status
from sequencer.types.verdict import Verdict, VerdictStatement
from tests.execution_world import ALICE as PAYER
from tests.execution_world import ALPHA
from tests.integration.rpc.chain import ALICE, make_transfer
from tests.integration.rpc.conftest import Served
from tests.split_world import DELTA, SPLIT_GENESIS, sign_statement

GOLD = f"balance/gold/{ALICE.public_key.hex()}"


async def ask(served: Served, signed: SignedBundle) -> Any:
    return await served.result("seq_getBundleReceipt", {"id": to_hex(signed.id)})


async def submit(served: Served, signed: SignedBundle) -> None:
    await served.result("seq_sendBundle", {"transaction": {"item": to_hex(signed.item_bytes)}})


async def test_bundle_goes_from_unknown_over_pending_to_committed_and_proven(served: Served) -> None:
    """Each step adds what is known by then."""
    signed = make_transfer(served.node.genesis, 0)
    answers = [await ask(served, signed)]
    await submit(served, signed)
    answers.append(await ask(served, signed))
    served.node.advance(is_certified=False)
    answers.append(await ask(served, signed))
    served.node.certify(1)
    answers.append(await ask(served, signed))
    assert [one["status"] for one in answers] == ["unknown", "pending", "committed", "committed"]
    assert [one["ordered_at"] for one in answers] == [None, None] + [{"height": 1, "index": 0}] * 2
    assert [one["decided_at"] for one in answers] == [None, None] + [{"height": 1}] * 2
    assert [one["is_final"] for one in answers] == [False, False, False, True]
    assert [one["sequence"] for one in answers] == [None, 0, 0, 0]
    view = verify_receipt(bytes.fromhex(answers[3]["proof"][2:]), served.node.genesis, verify_ed25519)
    (leg,) = answers[3]["legs"]
    assert (view.status, view.bundle_id, leg["position"]) == (Status.COMMIT, signed.id, 0)
    assert leg["roots"]["settled_height"] == 1


async def test_aborted_bundle_has_expected_and_found_at_the_leg(served: Served) -> None:
    """The reason is that of the outcome proof."""
    signed = make_transfer(served.node.genesis, 0, conditions=(AtLeast(GOLD, 5_000),))
    await submit(served, signed)
    served.node.advance()
    answer = await ask(served, signed)
    (leg,) = answer["legs"]
    assert (answer["status"], answer["reason"]) == ("aborted", "NO:alpha:TOO_LOW@legs[0].conditions[0]")
    assert (leg["expected"], leg["found"]) == ("at least 5000", "1000")


def make_split_story() -> BundleStory:
    """Delta says no by a certificate of two executors, after one that came too early; alpha says yes."""
    legs = (Leg(ALPHA, PAYER, (), (), None), Leg(DELTA, PAYER, (), (), None))
    bundle = Bundle(SPLIT_GENESIS.chain_id, PAYER, 0, 0, 0, 99, 64, (), legs)
    yes = VerdictStatement(DELTA, bundle.id, Verdict.YES, "", (), bytes(32))
    no = VerdictStatement(DELTA, bundle.id, Verdict.NO, "TOO_LOW@legs[1].conditions[0]", (), bytes(31) + b"\x01")
    reason = f"NO:delta:{no.reason}"
    verdicts = (
        RollupVerdict(ALPHA, Verdict.YES, "", VerdictSource.NATIVE),
        RollupVerdict(DELTA, Verdict.NO, no.reason, VerdictSource.CERTIFICATE),
    )
    taken = ItemResult(4, bytes(32), Status.COMMIT, "", 0)
    return BundleStory(
        bundle.id,
        bundle,
        7,
        ItemResult(2, bundle.id, Status.ABORT, reason, 12),
        9,
        decision=Decision(bundle.id, 7, 2, Status.ABORT, reason, 12, verdicts),
        certificates=(
            OrderedCertificate(8, 4, bytes(32), sign_statement(yes, (0, 1)), taken),
            OrderedCertificate(9, 4, bytes(32), sign_statement(no, (0, 2)), taken),
        ),
    )


def test_verdict_of_a_split_rollup_names_the_signers_of_the_certificate_that_counted() -> None:
    """Both certificates are listed, the counted one stands at the leg."""
    answer: Any = story_to_json(make_split_story(), None, SPLIT_GENESIS)
    alpha, delta = answer["legs"]
    assert (alpha["verdict"], alpha["source"], alpha["signers"]) == ("yes", "native", None)
    assert (delta["verdict"], delta["source"], delta["signers"]) == ("no", "certificate", ["executor-0", "executor-2"])
    assert [(one["height"], one["verdict"]) for one in answer["certificates"]] == [(8, "yes"), (9, "no")]
    assert (answer["ordered_at"], answer["decided_at"]) == ({"height": 7, "index": 2}, {"height": 9})
