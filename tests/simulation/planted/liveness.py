"""List the planted bugs of what keeps the protocol moving: forwarding, time, restart."""

from __future__ import annotations

from tests.simulation.planted.edit import Edit
from tests.simulation.planted.plant import HALT, PlantedBug
from tests.simulation.plays import (
    play_forwarding_deadlock,
    play_log_of_another_epoch,
    play_restart_with_finalize,
)

CLOSING_FACTOR = "(ADVANCE_FACTOR if is_proposed else PROPOSAL_FACTOR)"

FORWARDING = (
    PlantedBug(
        "no_certificate_forwarding",
        "F1",
        (
            Edit("consensus.core:Consensus._forward_entry", "if state.entry is not None and", "if False and"),
            Edit("consensus.core:Consensus._answer_stale", "if certificate is None:", "if True:"),
            Edit(
                "consensus.forwarding:collect_hello_certificates",
                "return (*anchor, *above[-(HELLO_CERTIFICATES_MAX - 1) :])",
                "return ()",
            ),
            Edit("consensus.own_votes:attach_entry", "is_resend, entry)", "is_resend, None)"),
        ),
        ("F1", "F3", "F4", HALT),
        play=play_forwarding_deadlock,
        is_random=False,
    ),
    PlantedBug(
        "entry_not_forwarded",
        "F1",
        (Edit("consensus.core:Consensus._forward_entry", "if state.entry is not None and", "if False and"),),
        ("F1",),
    ),
    PlantedBug(
        "entry_missing",
        "F3",
        (Edit("consensus.own_votes:attach_entry", "is_resend, entry)", "is_resend, None)"),),
        ("F3",),
    ),
    PlantedBug(
        "late_unanswered",
        "F4",
        (Edit("consensus.core:Consensus._answer_stale", "if certificate is None:", "if True:"),),
        ("F4",),
    ),
    PlantedBug(
        "votes_not_offered",
        "F5",
        (
            Edit("consensus.own_votes:OwnVotes.collect_hello_votes", "if not self.can_sign:", "if True:"),
            Edit("consensus.own_votes:OwnVotes.__init__", "tuple(certificates)", "()"),
        ),
        ("F5",),
        play=play_restart_with_finalize,
    ),
    PlantedBug(
        "nullification_kept",
        "F6",
        (Edit("consensus.view_change:ViewChange._try_certify", "if kind is VoteKind.NULLIFY:", "if False:"),),
        ("F6",),
    ),
)

TIME = (
    PlantedBug(
        "timeout_constant",
        "T1",
        (
            Edit(
                "consensus.timeouts:compute_view_timeout",
                "min(patience + compute_growth(view, finalized_view, committee), ",
                "min(0, ",
            ),
        ),
        ("T1",),
    ),
    PlantedBug(
        "no_nullify",
        "T2",
        (Edit("consensus.view_clock:ViewClock.compute_deadline", CLOSING_FACTOR, "10**9"),),
        ("I12",),
    ),
    PlantedBug(
        "impatient",
        "T2",
        (
            Edit(
                "consensus.view_clock:ViewClock.compute_deadline",
                CLOSING_FACTOR,
                "(ADVANCE_FACTOR if is_proposed else 1)",
            ),
        ),
        ("T2",),
    ),
    PlantedBug(
        "certificate_not_awaited",
        "T3",
        (Edit("consensus.view_clock:ViewClock.compute_deadline", CLOSING_FACTOR, "PROPOSAL_FACTOR"),),
        ("T3",),
    ),
    PlantedBug(
        "silent_too_soon",
        "T5",
        (Edit("consensus.activity:Activity._is_recent", "<= self._committee.size", "<= 1"),),
        ("T5",),
    ),
    PlantedBug(
        "repeated_too_soon",
        "T4",
        (Edit("consensus.view_clock:ViewClock.start_retry", "ADVANCE_FACTOR * self", "self"),),
        ("T4",),
    ),
)

RESTART = (
    PlantedBug(
        "wal_dropped",
        "D1",
        (
            Edit(
                "consensus.own_votes:OwnVotes.cast",
                "effects.append(PersistVote(VoteRecord(logged, self._epoch, record.view, digest), header, fresh))",
                "pass",
            ),
        ),
        ("D1",),
    ),
    PlantedBug(
        "old_epoch_wal",
        "R1",
        (Edit("consensus.own_votes:OwnVotes.__init__", "if record.epoch == epoch and", "if"),),
        ("R1",),
        play=play_log_of_another_epoch,
        is_random=False,
    ),
    PlantedBug(
        "log_forgotten",
        "R1",
        (Edit("consensus.own_votes:OwnVotes.__init__", "for record in log if", "for record in () if"),),
        ("R1",),
    ),
)

BUGS = (*FORWARDING, *TIME, *RESTART)
