"""Every checker of agreement, votes and data fails on a run that breaks its rule, and only then."""

from __future__ import annotations

from sequencer.simulation.checkers.agreement import CertificateChecker, PrefixChecker
from sequencer.simulation.checkers.availability import AvailabilityChecker, HaveChecker, VoteAvailabilityChecker
from sequencer.simulation.checkers.progress import HonestyChecker, InclusionChecker, ProgressChecker
from sequencer.simulation.checkers.votes import SignatureChecker, VotingRulesChecker
from sequencer.simulation.scheduler import SECOND
from sequencer.types.block import FinalizedBlock
from sequencer.types.messages import Have, HaveEntry
from sequencer.types.primitives import Tip
from sequencer.types.records import RecordKind
from sequencer.types.vote import VoteKind
from tests.simulation.scenes import Scene, make_batch

A, B = bytes([1]) * 32, bytes([2]) * 32
NO_DELIVERED = (0, 0, 0, 0)


def test_certificate_checker_accepts_a_chain_with_a_nullified_view() -> None:
    """A block whose skipped view is nullified may be finalized."""
    scene = Scene()
    CertificateChecker(scene.ledger)
    scene.certify(VoteKind.NULLIFY, 1)
    header = scene.propose(scene.make_child(scene.genesis.header, 2))
    scene.certify(VoteKind.NOTARIZE, 2, header.digest)
    scene.certify(VoteKind.FINALIZE, 2, header.digest)
    assert scene.rules == []


def test_certificate_checker_reports_two_notarizations_in_one_view() -> None:
    """I2: two strong sets for two blocks."""
    scene = Scene()
    CertificateChecker(scene.ledger)
    scene.certify(VoteKind.NOTARIZE, 1, A)
    scene.certify(VoteKind.NOTARIZE, 1, B)
    assert scene.rules == ["I2"]


def test_certificate_checker_reports_finalized_and_nullified_view() -> None:
    """I4: F and Z of one view, in either order."""
    scene = Scene()
    CertificateChecker(scene.ledger)
    header = scene.propose(scene.make_child(scene.genesis.header, 1))
    scene.certify(VoteKind.NOTARIZE, 1, header.digest)
    scene.certify(VoteKind.FINALIZE, 1, header.digest)
    scene.certify(VoteKind.NULLIFY, 1)
    assert scene.rules == ["I4"]


def test_certificate_checker_reports_two_finalized_blocks_at_one_height() -> None:
    """I1: two chains, both finalized, part at height 1."""
    scene = Scene()
    CertificateChecker(scene.ledger)
    for view in (1, 2):
        header = scene.propose(scene.make_child(scene.genesis.header, view))
        scene.certify(VoteKind.NOTARIZE, view, header.digest)
        scene.certify(VoteKind.FINALIZE, view, header.digest)
    assert "I1" in scene.rules


def test_certificate_checker_reports_finalization_without_notarization() -> None:
    """I7: F needs N."""
    scene = Scene()
    CertificateChecker(scene.ledger)
    header = scene.propose(scene.make_child(scene.genesis.header, 1))
    scene.certify(VoteKind.FINALIZE, 1, header.digest)
    assert scene.rules == ["I7"]


def test_certificate_checker_reports_view_skipped_without_nullification() -> None:
    """I6: view 1 is neither the parent's nor nullified."""
    scene = Scene()
    CertificateChecker(scene.ledger)
    header = scene.propose(scene.make_child(scene.genesis.header, 2))
    scene.certify(VoteKind.NOTARIZE, 2, header.digest)
    scene.certify(VoteKind.FINALIZE, 2, header.digest)
    assert scene.rules == ["I6"]


def test_prefix_checker_reports_another_block_and_another_order() -> None:
    """I1, I5: what two nodes deliver at one height is the same, byte for byte."""
    scene = Scene()
    scene.observers.add(PrefixChecker(scene.ledger, 4))
    batches = (make_batch(0, 1), make_batch(1, 1))
    header = scene.make_child(scene.genesis.header, 1)
    other = scene.make_child(scene.genesis.header, 1, time_ms=2)
    orders = ((header, batches), (header, batches), (header, batches[::-1]), (other, batches))
    for node, (chosen, order) in enumerate(orders):
        scene.nodes[node].store.append(FinalizedBlock(chosen, None, order))
        scene.observers.on_durable(scene.nodes[node], *scene.nodes[node].store.sync())
    assert scene.rules == ["I5", "I1"]


def test_prefix_checker_reports_gap_and_time_that_runs_ahead() -> None:
    """I5, I10: heights follow each other; no block is later than every clock allows."""
    scene = Scene()
    scene.observers.add(PrefixChecker(scene.ledger, 4))
    first = scene.make_child(scene.genesis.header, 1)
    late = scene.make_child(first, 2, time_ms=60_000)
    scene.nodes[0].store.append(FinalizedBlock(late, None, ()))
    scene.observers.on_durable(scene.nodes[0], *scene.nodes[0].store.sync())
    assert scene.rules == ["I5", "I10"]


def test_signature_checker_reports_contradicting_votes_across_a_restart() -> None:
    """I9: a second notarize in one view is a contradiction when it is logged and when it is sent."""
    scene = Scene()
    scene.observers.add(SignatureChecker(scene.ledger, 4))
    scene.vote(0, VoteKind.NOTARIZE, 1, A)
    scene.vote(0, VoteKind.NOTARIZE, 1, A)
    assert scene.rules == []
    scene.vote(0, VoteKind.NOTARIZE, 1, B)
    assert scene.rules == ["I9", "I9"]


def test_signature_checker_reports_a_vote_that_is_not_durable() -> None:
    """D1: what is sent is on the disk."""
    scene = Scene()
    scene.observers.add(SignatureChecker(scene.ledger, 4))
    scene.vote(0, VoteKind.NULLIFY, 1, is_logged=False)
    assert scene.rules == ["D1"]


def test_signature_checker_reports_votes_in_a_forbidden_order() -> None:
    """V11, V12: after nullify neither notarize nor finalize; after finalize no nullify."""
    scene = Scene()
    scene.observers.add(SignatureChecker(scene.ledger, 4))
    scene.vote(0, VoteKind.NULLIFY, 1)
    scene.vote(0, VoteKind.NOTARIZE, 1, A)
    scene.vote(1, VoteKind.NULLIFY, 1)
    scene.vote(1, VoteKind.FINALIZE, 1, A)
    scene.vote(2, VoteKind.FINALIZE, 1, A)
    scene.vote(2, VoteKind.NULLIFY, 1)
    assert scene.rules == ["V11", "V12", "V11"]


def test_signature_checker_accepts_notarize_before_nullify() -> None:
    """Notarize, then nullify, is legal."""
    scene = Scene()
    scene.observers.add(SignatureChecker(scene.ledger, 4))
    scene.vote(0, VoteKind.NOTARIZE, 1, A)
    scene.vote(0, VoteKind.NULLIFY, 1)
    assert scene.rules == []


def test_signature_checker_reports_finalize_that_is_derived_late() -> None:
    """V12: finalize only in the view where the notarization was first obtained."""
    scene = Scene()
    scene.observers.add(SignatureChecker(scene.ledger, 4))
    scene.vote(0, VoteKind.NULLIFY, 2)
    scene.vote(0, VoteKind.FINALIZE, 1, A)
    assert scene.rules == ["V12"]


def test_signature_checker_reports_new_vote_below_the_log_after_restart() -> None:
    """R1: the highest logged view is the floor; logged votes may be sent again."""
    scene = Scene()
    scene.observers.add(SignatureChecker(scene.ledger, 4))
    scene.log_vote(0, RecordKind.NOTARIZE, 2, A)
    scene.log_vote(0, RecordKind.NULLIFY, 5)
    scene.observers.on_boot(scene.nodes[0])
    scene.vote(0, VoteKind.NOTARIZE, 2, A, is_logged=False)
    assert scene.rules == []
    scene.vote(0, VoteKind.NULLIFY, 3)
    assert scene.rules[0] == "R1"


def test_voting_rules_checker_reports_unjustified_parent() -> None:
    """V3: the parent is notarized and every skipped view nullified."""
    scene = Scene()
    scene.observers.add(VotingRulesChecker(scene.ledger))
    good = scene.propose(scene.make_child(scene.genesis.header, 1))
    scene.vote(0, VoteKind.NOTARIZE, 1, good.digest)
    assert scene.rules == []
    skipping = scene.propose(scene.make_child(scene.genesis.header, 3))
    scene.vote(0, VoteKind.NOTARIZE, 3, skipping.digest)
    orphan = scene.propose(scene.make_child(skipping, 4))
    scene.vote(0, VoteKind.NOTARIZE, 4, orphan.digest)
    assert scene.rules == ["V3", "V3", "V3"]


def test_voting_rules_checker_reports_cut_and_time_out_of_bounds() -> None:
    """V5, V7: a lane advances by at most W_ADV; time lies above the parent's and within the drift."""
    scene = Scene()
    scene.observers.add(VotingRulesChecker(scene.ledger))
    far = scene.propose(scene.make_child(scene.genesis.header, 1, {0: Tip(5, A)}))
    scene.vote(0, VoteKind.NOTARIZE, 1, far.digest)
    early = scene.propose(scene.make_child(scene.genesis.header, 1, time_ms=501))
    scene.vote(1, VoteKind.NOTARIZE, 1, early.digest)
    assert scene.rules == ["V5", "V7"]


def test_voting_rules_checker_excuses_a_vote_by_the_clock_that_the_voter_saw() -> None:
    """V7: a vote that a slow disk delays is right if it was so when it was decided; the clock may jump."""
    scene = Scene()
    scene.observers.add(VotingRulesChecker(scene.ledger))
    header = scene.propose(scene.make_child(scene.genesis.header, 1, time_ms=10_500))
    scene.nodes[0].clock.set_shift(10_000)
    scene.decide_vote(0, RecordKind.NOTARIZE, 1, header.digest)
    for shift_ms in (0, -10_000):
        scene.nodes[0].clock.set_shift(shift_ms)
    scene.scheduler.run_until(1 * SECOND)
    scene.vote(0, VoteKind.NOTARIZE, 1, header.digest)
    assert scene.rules == []


def test_voting_rules_checker_reports_a_vote_that_only_another_clock_excuses() -> None:
    """V7: what the voter's clock showed before it decided, or shows when the vote is sent, is no excuse."""
    scene = Scene()
    scene.observers.add(VotingRulesChecker(scene.ledger))
    header = scene.propose(scene.make_child(scene.genesis.header, 1, time_ms=501))
    for shift_ms in (10_000, 0):
        scene.nodes[0].clock.set_shift(shift_ms)
    for node in (0, 1):
        scene.decide_vote(node, RecordKind.NOTARIZE, 1, header.digest)
    scene.nodes[1].clock.set_shift(10_000)
    scene.scheduler.run_until(1 * SECOND)
    for node in (0, 1):
        scene.vote(node, VoteKind.NOTARIZE, 1, header.digest)
    assert scene.rules == ["V7", "V7"]


def test_availability_checker_reports_notarized_batch_that_nobody_holds() -> None:
    """I8: shown is not enough, one honest disk must hold it."""
    scene = Scene()
    AvailabilityChecker(scene.ledger)
    held, shown = make_batch(0, 1), make_batch(1, 1)
    scene.store_batch(3, held)
    scene.observers.on_sent(scene.nodes[1], None, shown)
    header = scene.propose(scene.make_child(scene.genesis.header, 1, {0: Tip(1, held.digest)}))
    scene.certify(VoteKind.NOTARIZE, 1, header.digest)
    assert scene.rules == []
    header = scene.propose(scene.make_child(header, 2, {1: Tip(1, shown.digest)}))
    scene.certify(VoteKind.NOTARIZE, 2, header.digest)
    assert scene.rules == ["I8"]


def test_have_checker_reports_hole_and_batch_that_is_not_durable() -> None:
    """L4: HAVE promises the whole chain down to what is delivered, on disk."""
    scene = Scene()
    scene.observers.add(HaveChecker(scene.ledger, 4))
    first = make_batch(0, 1)
    second = make_batch(0, 2, first.digest)
    for batch in (first, second):
        scene.observers.on_sent(scene.nodes[0], None, batch)
    scene.store_batch(1, second)
    have = Have((HaveEntry(0, 2, second.digest),), NO_DELIVERED)
    scene.observers.on_sent(scene.nodes[1], None, have)
    assert scene.rules == ["L4"]
    scene.store_batch(2, first)
    scene.store_batch(2, second)
    scene.observers.on_sent(scene.nodes[2], None, have)
    assert scene.rules == ["L4"]


def test_have_checker_reports_two_batches_in_one_place() -> None:
    """L4: never HAVE of two digests for one position."""
    scene = Scene()
    scene.observers.add(HaveChecker(scene.ledger, 4))
    for payload in (b"\x90", b"\x91\xc4\x00"):
        batch = make_batch(0, 1, payload=payload)
        scene.store_batch(1, batch)
        scene.observers.on_sent(scene.nodes[1], None, Have((HaveEntry(0, 1, batch.digest),), NO_DELIVERED))
    assert scene.rules == ["L4"]


def test_vote_availability_checker_wants_the_chain_or_weak_power() -> None:
    """V6: one voice is not enough at n = 4, two are, and so is the chain itself."""
    scene = Scene()
    scene.observers.add(VoteAvailabilityChecker(scene.ledger, 4))
    batch = make_batch(0, 1)
    scene.observers.on_sent(scene.nodes[0], None, batch)
    header = scene.propose(scene.make_child(scene.genesis.header, 1, {0: Tip(1, batch.digest)}))
    have = Have((HaveEntry(0, 1, batch.digest),), NO_DELIVERED)
    for peer in (0, 3):
        scene.observers.on_received(scene.nodes[2], peer, have)
    scene.store_batch(3, batch)
    for voter in (2, 3):
        scene.vote(voter, VoteKind.NOTARIZE, 1, header.digest)
    assert scene.rules == []
    scene.observers.on_received(scene.nodes[1], 0, have)
    scene.vote(1, VoteKind.NOTARIZE, 1, header.digest)
    assert scene.rules == ["V6"]


def test_progress_checker_reports_a_validator_that_stands_still() -> None:
    """I12: three new heights after the healing, on everyone."""
    scene = Scene()
    progress = ProgressChecker(scene.ledger)
    progress.note_heal()
    header = scene.genesis.header
    for view in range(1, 4):
        header = scene.make_child(header, view)
        for node in scene.nodes[:3]:
            node.store.append(FinalizedBlock(header, None, ()))
            scene.observers.on_durable(node, *node.store.sync())
    progress.check_after_heal(scene.nodes[:3])
    assert scene.rules == []
    progress.check_after_heal(scene.nodes)
    assert scene.rules == ["I12"]


def test_inclusion_checker_reports_a_lane_that_was_left_behind() -> None:
    """I13: an own batch that was durable in time is in the newest cut."""
    scene = Scene()
    inclusion = InclusionChecker(scene.ledger, 1_000)
    scene.observers.add(inclusion)
    batch = make_batch(0, 1)
    scene.log_vote(0, RecordKind.OWN_BATCH, 1, batch.digest)
    scene.store_batch(0, batch)
    header = scene.make_child(scene.genesis.header, 1)
    for tips, expected in (({}, ["I13"]), ({0: Tip(1, batch.digest)}, ["I13"])):
        header = scene.make_child(header, header.view + 1, tips)
        scene.nodes[1].store.append(FinalizedBlock(header, None, ()))
        scene.observers.on_durable(scene.nodes[1], *scene.nodes[1].store.sync())
        inclusion.check_end(scene.nodes)
        assert scene.rules == expected


def test_honesty_checker_reports_ban_and_alarm() -> None:
    """C1, C2: among honest validators there is neither."""
    scene = Scene()
    scene.observers.add(HonestyChecker(scene.ledger))
    scene.observers.on_banned(scene.nodes[0], 1, "reason")
    scene.observers.on_alarm(scene.nodes[0], "reason")
    assert scene.rules == ["C1", "C2"]
