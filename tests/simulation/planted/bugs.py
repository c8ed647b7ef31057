"""List the planted bugs: each breaks one rule of the product, in the fewest lines that do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from sequencer.consensus import core, leading, proposer, view_change, view_clock, voting, voting_rules
from sequencer.consensus.own_votes import OwnVotes
from sequencer.consensus.view_record import ViewRecord
from sequencer.execution import automaton, commitments, evaluation, executor, system_state
from sequencer.execution.machines.access import LegState
from sequencer.lanes.lane import Lane
from sequencer.lanes.lanes import Lanes
from sequencer.lanes.own_lane import OwnLane
from sequencer.ordering import delivery, total_order
from sequencer.replica import recovery
from sequencer.state.journal import Journal
from sequencer.types.batch import Batch
from sequencer.types.bundle import Bundle
from sequencer.types.commitment import Commitment
from sequencer.types.committee import Committee
from sequencer.types.effects import Effect, PersistBatch, PersistVote
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import Tip
from sequencer.types.records import RecordKind
from sequencer.types.vote import Certificate, VoteKind
from tests.simulation.planted.plant import HALT, PlantedBug, replaced
from tests.simulation.plays import (
    play_forwarding_deadlock,
    play_gap_below_tip,
    play_late_notarization,
    play_lost_push,
    play_restart_alone,
    play_restart_with_finalize,
    play_restart_with_own_batch,
)

Plant = Callable[[], AbstractContextManager[None]]


def replacing(owner: object, name: str, value: object) -> Plant:
    """Return a plant that replaces one attribute."""
    return lambda: replaced(owner, name, value)


def may_notarize_after_nullify(record: ViewRecord, view: int, finalized_view: int, highest_view: int) -> bool:
    is_open = record.view == view and record.view > finalized_view and record.view >= highest_view
    return is_open and RecordKind.NOTARIZE not in record.own


def may_finalize_after_nullify(record: ViewRecord, view: int, finalized_view: int, highest_view: int) -> bool:
    is_open = view <= record.view and record.view > finalized_view and record.view >= highest_view
    return is_open and RecordKind.FINALIZE not in record.own


def may_finalize_late(record: ViewRecord, view: int, finalized_view: int, highest_view: int) -> bool:
    has_closed = RecordKind.NULLIFY in record.own or RecordKind.FINALIZE in record.own
    return record.view > finalized_view and not has_closed and VoteKind.NULLIFY not in record.certificates


def may_nullify_after_finalize(record: ViewRecord, view: int, finalized_view: int, highest_view: int) -> bool:
    is_open = record.view == view and record.view > finalized_view and record.view >= highest_view
    return is_open and RecordKind.NULLIFY not in record.own


def forget_log(self: OwnVotes, chain_id: Any, epoch: Any, signer: Any, log: Any, certificates: Any) -> None:
    GENUINE_OWN_VOTES_INIT(self, chain_id, epoch, signer, (), ())


def forget_certificates(self: OwnVotes, chain_id: Any, epoch: Any, signer: Any, log: Any, certificates: Any) -> None:
    GENUINE_OWN_VOTES_INIT(self, chain_id, epoch, signer, log, ())


GENUINE_OWN_VOTES_INIT = OwnVotes.__init__


def without(kind: type, genuine: Callable[..., Any]) -> Callable[..., Any]:
    """Return `take_effects` without the effects of one kind."""

    def take_effects(self: object) -> list[Effect]:
        return [effect for effect in genuine(self) if not isinstance(effect, kind)]

    return take_effects


def take_effects_without_foreign_batches(self: Lanes) -> list[Effect]:
    effects = GENUINE_LANES_TAKE_EFFECTS(self)
    return [e for e in effects if not isinstance(e, PersistBatch) or e.batch.header.lane == self._own_index]


GENUINE_LANES_TAKE_EFFECTS = Lanes.take_effects


def check_parent_without_nullifications(
    header: Any, finalized_view: int, finalized_digest: bytes, get_record: Callable[[int], ViewRecord | None]
) -> voting_rules.Verdict:
    verdict = GENUINE_CHECK_PARENT(header, finalized_view, finalized_digest, get_record)
    is_skipped = isinstance(verdict, voting_rules.Wait) and verdict.missing.startswith("nullification")
    return voting_rules.Accept() if is_skipped else verdict


GENUINE_CHECK_PARENT = voting_rules.check_parent_certified


def choose_finalized_parent(
    view: int, finalized_view: int, digest: bytes, finalization: Certificate | None, get_record: Any
) -> proposer.Parent:
    """Let leaders skip notarized views, so that voters are asked to accept it."""
    return proposer.Parent(finalized_view, digest, () if finalization is None else (finalization,))


@contextmanager
def plant_skipped_nullification() -> Iterator[None]:
    with (
        replaced(voting_rules, "check_parent_certified", check_parent_without_nullifications),
        replaced(leading, "choose_parent", choose_finalized_parent),
    ):
        yield


def revert_all_but_the_first_write(self: Journal, mark: int) -> None:
    GENUINE_REVERT(self, min(mark + 1, len(self._undo)))


GENUINE_REVERT = Journal.revert


def admit_again(system: Journal, bundle: Bundle, height: int, parameters: Any) -> int | Rejection:
    fee = GENUINE_ADMIT(system, bundle, height, parameters)
    is_replay = isinstance(fee, Rejection) and fee.reason is Reason.SEQUENCE_USED
    return 0 if is_replay else fee


def admit_for_free(system: Journal, bundle: Bundle, height: int, parameters: Any) -> int | Rejection:
    key = system_state.make_deposit_key(bundle.payer)
    deposit = system_state.get_amount(system, key)
    fee = GENUINE_ADMIT(system, bundle, height, parameters)
    system.set(key, deposit)
    return fee


GENUINE_ADMIT = system_state.admit


def compute_unstable_order(*arguments: Any) -> tuple[Any, ...]:
    order = GENUINE_ORDER(*arguments)
    return order[::-1] if next(TURNS) % 7 == 0 else order


GENUINE_ORDER = total_order.compute_batch_order
TURNS = count()


@contextmanager
def plant_no_certificate_forwarding() -> Iterator[None]:
    with (
        replaced(core.Consensus, "_forward_entry", lambda self: setattr(self._state.clock, "forward_ms", None)),
        replaced(core.Consensus, "_answer_stale", lambda self, peer, view, now: None),
        replaced(core.Consensus, "get_hello_certificates", lambda self: ()),
        replaced(view_change, "attach_entry", lambda vote, entry, is_resend: vote),
        replaced(voting, "attach_entry", lambda vote, entry, is_resend: vote),
    ):
        yield


@contextmanager
def plant_no_repush() -> Iterator[None]:
    """Push each batch once per life of the owner, whatever became of the connection."""
    genuine = OwnLane.on_connected

    def on_connected(self: OwnLane, peer: int, delivered: int, held: int, now_ms: int) -> None:
        genuine(self, peer, delivered, self.top.position, now_ms)

    with (
        replaced(OwnLane, "_is_stalled", lambda *_: False),
        replaced(OwnLane, "get_repush_time", lambda self: None),
        replaced(OwnLane, "on_connected", on_connected),
    ):
        yield


def make_header_of_any_time(*arguments: Any) -> Any:
    header = GENUINE_MAKE_HEADER(*arguments)
    return replace(header, time_ms=arguments[0].time_ms - 1) if header.height % 5 == 0 else header


GENUINE_MAKE_HEADER = proposer.make_header


@contextmanager
def plant_time_goes_back() -> Iterator[None]:
    with (
        replaced(leading, "make_header", make_header_of_any_time),
        replaced(voting_rules, "check_time", lambda *_: voting_rules.Accept()),
    ):
        yield


def deliver_tips_only(*arguments: Any) -> tuple[Any, ...]:
    seed, header, lanes = arguments
    return tuple(GENUINE_ORDER(seed, header, [batches[-1:] for batches in lanes]))


@contextmanager
def plant_have_with_gap() -> Iterator[None]:
    """Put a batch on the chain whether or not its parent is held."""

    def may_extend(self: Lane, batch: Batch) -> bool:
        return batch.header.position > self.floor.position and batch.header.position not in self.chain

    def get_top(self: Lane) -> Tip:
        highest = max(self.chain, default=None)
        return self.floor if highest is None else Tip(highest, self.chain[highest])

    with replaced(Lane, "may_extend", may_extend), replaced(Lane, "top", property(get_top)):
        yield


@contextmanager
def plant_nothing_offered_again() -> Iterator[None]:
    """Offer no old votes after a restart, nor the certificates that they rest on."""
    with (
        replaced(core.Consensus, "get_hello_votes", lambda self: ()),
        replaced(OwnVotes, "__init__", forget_certificates),
    ):
        yield


@contextmanager
def plant_nullify_after_finalize() -> Iterator[None]:
    """The logged certificate would lead out of the view, so it is forgotten too."""
    with (
        replaced(voting_rules, "may_nullify", may_nullify_after_finalize),
        replaced(OwnVotes, "__init__", forget_certificates),
    ):
        yield


def is_strong_by_two_thirds(self: Committee, signers: Any) -> bool:
    return self.get_power(signers) >= 2 * self.fault_power + 1


def make_commitment_without_time(*arguments: Any) -> Commitment:
    return replace(commitments.make_commitment(*arguments), time_ms=0)


BUGS: tuple[PlantedBug, ...] = (
    PlantedBug(
        "quorum_2f_plus_1",
        "G1",
        ("I7", "V3", "E2"),
        replacing(Committee, "is_strong", is_strong_by_two_thirds),
        validators=5,
    ),
    PlantedBug(
        "weak_is_one_have", "V6", ("V6", "I8"), replacing(Committee, "is_weak", lambda self, signers: bool(signers))
    ),
    PlantedBug(
        "notarize_after_nullify",
        "V11",
        ("V11", "I9"),
        replacing(voting_rules, "may_notarize", may_notarize_after_nullify),
    ),
    PlantedBug(
        "finalize_after_nullify",
        "V12",
        ("V12", "I4", "I9"),
        replacing(voting_rules, "may_finalize", may_finalize_after_nullify),
    ),
    PlantedBug(
        "finalize_rederived",
        "V12",
        ("V12", "R1"),
        replacing(voting_rules, "may_finalize", may_finalize_late),
        play=play_late_notarization,
    ),
    PlantedBug(
        "nullify_after_finalize",
        "V11",
        ("V11", "I4", "I9"),
        plant_nullify_after_finalize,
        play=play_restart_alone,
    ),
    PlantedBug("skipped_nullification", "V3", ("V3", "I6"), plant_skipped_nullification),
    PlantedBug(
        "availability_unchecked",
        "V6",
        ("V6", "I8"),
        replacing(voting_rules, "check_availability", lambda *_: voting_rules.Accept()),
    ),
    PlantedBug(
        "wal_dropped",
        "D1",
        ("D1",),
        replacing(core.Consensus, "take_effects", without(PersistVote, core.Consensus.take_effects)),
    ),
    PlantedBug(
        "log_forgotten",
        "R1",
        ("R1", "I9", "V11", "V12"),
        replacing(OwnVotes, "__init__", forget_log),
        play=play_restart_alone,
    ),
    PlantedBug(
        "have_before_persist",
        "L4",
        ("L4", "I8"),
        replacing(Lanes, "take_effects", take_effects_without_foreign_batches),
    ),
    PlantedBug(
        "own_top_forgotten",
        "L1",
        ("I9", "L1"),
        replacing(recovery, "_find_own_top", lambda *_: (None, None)),
        play=play_restart_with_own_batch,
    ),
    PlantedBug("have_with_gap", "L4", ("L4",), plant_have_with_gap, play=play_gap_below_tip),
    PlantedBug("no_repush", "L2b", (HALT,), plant_no_repush, play=play_lost_push),
    PlantedBug(
        "no_certificate_forwarding", "F1-F5", (HALT,), plant_no_certificate_forwarding, play=play_forwarding_deadlock
    ),
    PlantedBug("votes_not_offered", "F5", (HALT,), plant_nothing_offered_again, play=play_restart_with_finalize),
    PlantedBug(
        "no_nullify",
        "T2",
        ("I12",),
        replacing(view_clock.ViewClock, "compute_deadline", lambda self, is_proposed: 10**12),
    ),
    PlantedBug(
        "unstable_order", "O3", ("O3", "I5"), replacing(delivery, "compute_batch_order", compute_unstable_order)
    ),
    PlantedBug("tips_only", "O2", ("O2",), replacing(delivery, "compute_batch_order", deliver_tips_only)),
    PlantedBug("time_goes_back", "V7", ("V7", "I10"), plant_time_goes_back),
    PlantedBug(
        "bundle_partial", "A8", ("A8", "A11", "A20"), replacing(Journal, "revert", revert_all_but_the_first_write)
    ),
    PlantedBug(
        "commitment_without_time", "E2", ("E2",), replacing(executor, "make_commitment", make_commitment_without_time)
    ),
    PlantedBug("replay_accepted", "A6", ("A6", "A8"), replacing(automaton, "admit", admit_again)),
    PlantedBug("fee_not_burned", "A17", ("A17",), replacing(automaton, "admit", admit_for_free)),
    PlantedBug(
        "deps_ignored",
        "A16",
        ("A8",),
        replacing(automaton.OutcomeWindow, "is_committed", lambda self, bundle_id: True),
    ),
    PlantedBug(
        "access_undeclared",
        "A7",
        ("A8",),
        replacing(evaluation, "make_leg_state", lambda journal, signer, access: LegState(journal, signer, None)),
    ),
)
