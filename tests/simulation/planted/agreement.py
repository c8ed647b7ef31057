"""List the planted bugs of agreement: ground rules, proposals, votes and certificates."""

from __future__ import annotations

from sequencer.simulation.options import SimulationOptions
from tests.simulation.planted.edit import Edit
from tests.simulation.planted.plant import PlantedBug
from tests.simulation.plays import (
    play_late_notarization,
    play_relayed_vote,
    play_restart_alone,
    play_skipped_view,
)

NO_NULLIFY = "        and RecordKind.NULLIFY not in record.own\n"
BLOCK_TIME = "max(parent_header.time_ms + 1, now.wall_ms)"

GROUND = (
    PlantedBug(
        "relayed_vote_accepted",
        "G4",
        (
            Edit(
                "consensus.view_record:ViewRecord.assemble",
                "verifier(committee.validators[signer].public_key, message, ballot.signature)",
                "any(verifier(v.public_key, message, ballot.signature) for v in committee.validators)",
            ),
        ),
        ("G4",),
        play=play_relayed_vote,
        is_random=False,
    ),
    PlantedBug(
        "quorum_2f_plus_1",
        "G1",
        (
            Edit(
                "types.committee:Committee.is_strong", "self.total_power - self.fault_power", "2 * self.fault_power + 1"
            ),
        ),
        ("G1",),
        SimulationOptions(validators=5),
        also_at=(6,),
        harmless_at=(4,),
    ),
    PlantedBug(
        "epoch_unsigned",
        "G2",
        (Edit("types.signing:compute_signing_bytes", "chain_id, epoch, kind", "chain_id, 2**64 - 1, kind"),),
        ("G2",),
    ),
    PlantedBug(
        "leader_by_turns",
        "E7",
        (
            Edit(
                "types.committee:Committee.get_leader", "self._schedule[view % len(self._schedule)]", "view % self.size"
            ),
        ),
        ("E7",),
    ),
)

PROPOSALS = (
    PlantedBug(
        "parent_too_low",
        "P1",
        (
            Edit(
                "consensus.proposer:choose_parent",
                "record.get_certificate(VoteKind.NOTARIZE) if record else None",
                "record.get_certificate(VoteKind.NOTARIZE) if record and len(record.certificates) == 1 else None",
            ),
        ),
        ("P1",),
    ),
    PlantedBug(
        "unsupported_tip",
        "P2",
        (
            Edit(
                "lanes.tips:Tips._get_proposable_position",
                "self._is_optimistic and is_calm and",
                "self._is_optimistic and",
            ),
        ),
        ("P2",),
    ),
    PlantedBug(
        "forked_lane_ordered",
        "L8",
        (Edit("lanes.standing:Standing.is_clean", " and not self._lanes[lane].is_frozen", ""),),
        ("L8",),
        SimulationOptions(byzantine=1, behaviours=("forking_lane",)),
    ),
    PlantedBug(
        "proposal_unjustified",
        "P3",
        (Edit("consensus.leading:Leading._propose", "Proposal(header, justification,", "Proposal(header, (),"),),
        ("P3",),
    ),
    PlantedBug(
        "pace_ignored",
        "P4",
        (Edit("consensus.proposer:compute_proposal_time", "parent_received_ms + parameters.pace_ms", "0"),),
        ("P4",),
    ),
    PlantedBug(
        "second_proposal",
        "R1",
        (Edit("consensus.voting_rules:may_propose", "        and RecordKind.PROPOSAL not in record.own\n", ""),),
        ("R1", "I9"),
    ),
    PlantedBug(
        "block_time_invented",
        "P5",
        (Edit("consensus.proposer:make_header", BLOCK_TIME, "parent_header.time_ms + 1"),),
        ("P5",),
    ),
)

VOTES = (
    PlantedBug(
        "notarize_twice",
        "V1",
        (Edit("consensus.voting_rules:may_notarize", "        and RecordKind.NOTARIZE not in record.own\n", ""),),
        ("V1",),
    ),
    PlantedBug(
        "skipped_nullification",
        "V3",
        (
            Edit(
                "consensus.voting_rules:check_parent_certified",
                "if record is None or record.get_certificate(VoteKind.NULLIFY) is None:",
                "if False:",
            ),
        ),
        ("V3",),
        play=play_skipped_view,
        is_random=False,
    ),
    PlantedBug(
        "height_skipped",
        "V4",
        (
            Edit("consensus.voting_rules:check_against_parent", "header.height != parent.height + 1", "False"),
            Edit("consensus.proposer:make_header", "parent_header.height + 1,", "parent_header.height + 2,"),
        ),
        ("V4",),
    ),
    PlantedBug(
        "lane_leaps",
        "V5",
        (
            Edit("lanes.tips:Tips._cut_off", "before.position + limit", "before.position + 2 * limit"),
            Edit("consensus.voting_rules:check_cut", "<= before.position + advance_max", ""),
        ),
        ("V5",),
    ),
    PlantedBug(
        "availability_unchecked",
        "V6",
        (Edit("consensus.voting_rules:check_availability", "if missing else Accept()", "if False else Accept()"),),
        ("V6", "I8"),
    ),
    PlantedBug(
        "weak_is_one_have",
        "V6",
        (Edit("types.committee:Committee.is_weak", "self.fault_power + 1", "1"),),
        ("V6", "I8"),
    ),
    PlantedBug(
        "early_block_accepted",
        "V7",
        (Edit("consensus.voting_rules:check_time", "if early_ms > 0:", "if False:"),),
        ("V7",),
        SimulationOptions(byzantine=1, behaviours=("time_pusher",)),
    ),
    PlantedBug(
        "vote_sent_first",
        "V10",
        (
            Edit(
                "consensus.view_change:ViewChange.cast",
                "state.effects.append(Broadcast(sent))",
                "state.effects.insert(-1, Broadcast(sent))",
            ),
        ),
        ("V10",),
    ),
    PlantedBug(
        "notarize_after_nullify",
        "V11",
        (Edit("consensus.voting_rules:may_notarize", NO_NULLIFY, ""),),
        ("V11", "I9"),
    ),
    PlantedBug(
        "nullify_after_finalize",
        "V11",
        (
            Edit("consensus.voting_rules:may_nullify", "        and RecordKind.FINALIZE not in record.own\n", ""),
            # The logged certificate would lead out of the view, so it is forgotten too.
            Edit("consensus.own_votes:OwnVotes.__init__", "tuple(certificates)", "()"),
        ),
        ("V11", "I4", "I9"),
        play=play_restart_alone,
        is_random=False,
    ),
    PlantedBug(
        "finalize_after_nullify",
        "V12",
        (Edit("consensus.voting_rules:may_finalize", NO_NULLIFY, ""),),
        ("V12", "I4", "I9"),
    ),
    PlantedBug(
        "finalize_rederived",
        "V12",
        (
            Edit(
                "consensus.voting_rules:may_finalize", "        current_view <= record.view\n        and ", "        "
            ),
            Edit("consensus.voting_rules:may_finalize", "        and record.view >= highest_logged_view\n", ""),
        ),
        ("V12",),
        play=play_late_notarization,
        is_random=False,
    ),
)

CERTIFICATES = (
    PlantedBug(
        "certificate_unverified",
        "C2",
        (
            Edit(
                "consensus.view_change:ViewChange.accept",
                "certificate.verify(state.chain_id, state.committee, state.verifier)",
                "pass",
            ),
        ),
        ("C2",),
        SimulationOptions(byzantine=1, behaviours=("forging_certifier",)),
    ),
    PlantedBug(
        "view_skipped",
        "C3",
        (
            Edit(
                "consensus.view_change:ViewChange.apply",
                "certificate.view + 1, certificate",
                "certificate.view + 2, certificate",
            ),
        ),
        ("C3",),
    ),
)

BUGS = (*GROUND, *PROPOSALS, *VOTES, *CERTIFICATES)
