"""Judge what a validator proposes and votes, by what it has been told. # E7 P1 P3 P4 P5 V1 V9 V12 C3 C4"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from sequencer.simulation.checkers.knowledge import DecisionMonitor, Mind
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.types.block import BlockHeader
from sequencer.types.effects import Broadcast, Effect, PersistVote
from sequencer.types.events import Event
from sequencer.types.messages import Hello, Message
from sequencer.types.primitives import View
from sequencer.types.records import RecordKind
from sequencer.types.vote import Proposal, Vote, VoteKind

if TYPE_CHECKING:
    from sequencer.simulation.node import SimulatedNode

SLOTS_PER_VALIDATOR = 16

_EXCLUSIVE = (
    (RecordKind.NULLIFY, RecordKind.NOTARIZE, "V11"),
    (RecordKind.FINALIZE, RecordKind.NULLIFY, "V11"),
    (RecordKind.NULLIFY, RecordKind.FINALIZE, "V12"),
    (RecordKind.NOTARIZE, RecordKind.NOTARIZE, "V1"),
    (RecordKind.NULLIFY, RecordKind.NULLIFY, "V11"),
    (RecordKind.FINALIZE, RecordKind.FINALIZE, "V12"),
)
"""What forbids what in one view, for ever, and by which rule."""
_DURABLE = {
    RecordKind.PROPOSAL: "P5",
    RecordKind.NOTARIZE: "V10",
    RecordKind.NULLIFY: "V11",
    RecordKind.FINALIZE: "V12",
}


class VoteMonitor(DecisionMonitor):
    """A validator votes once, in its view, above what is final, and finalizes only what it has just seen notarized."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def on_vote(self, node: SimulatedNode, mind: Mind, vote: Vote) -> None:
        """Check a new vote; what is repeated was checked when it was new."""
        if not vote.is_resend and not self._check_order(node.index, mind, vote):
            self._check_place(node.index, mind, vote)
            if vote.kind is VoteKind.NOTARIZE:
                self._check_first(node.index, mind, vote)
            if vote.kind is VoteKind.FINALIZE:
                self._check_finalize(node.index, mind, vote)

    def _check_order(self, node: int, mind: Mind, vote: Vote) -> bool:
        """Check a vote against what was said in its view before; tells whether something is wrong."""
        view, kind = vote.view, RecordKind(vote.kind)
        for before, after, rule in _EXCLUSIVE:
            if kind is after and (before, view) in mind.decided:
                detail = f"says {after.name.lower()} after {before.name.lower()}"
                is_forgotten = before is after and (before, view) in mind.logged
                self._ledger.report("R1" if is_forgotten else rule, view, node, detail)
                return True
        return False

    def _check_first(self, node: int, mind: Mind, vote: Vote) -> None:
        """The first valid proposal of a view is the one to vote for. # V2"""
        first = mind.proposals.get(vote.view)
        if first is not None and first[0].header.digest != vote.digest:
            self._ledger.report("V2", vote.view, node, "votes for another proposal than the first of the view")

    def _check_place(self, node: int, mind: Mind, vote: Vote) -> None:
        view, report = vote.view, self._ledger.report
        if view <= mind.finalized_before:
            report("C4", view, node, f"votes in a view at or below the finalized view {mind.finalized_before}")
        if view > mind.view:
            rule, why = find_cause(self._ledger, mind, view - 1)
            report(rule, view, node, f"votes though nothing led it beyond view {mind.view}: {why}")
        elif view < mind.view_before and vote.kind is not VoteKind.FINALIZE:
            report("V1", view, node, f"votes in an old view, it is in view {mind.view_before}")

    def _check_finalize(self, node: int, mind: Mind, vote: Vote) -> None:
        report, view = self._ledger.report, vote.view
        if not mind.holds(VoteKind.NOTARIZE, view, vote.digest):
            rule, why = find_cause(self._ledger, mind, view)
            report("V12" if rule == "C3" else rule, view, node, f"finalizes what it has not seen notarized: {why}")
        elif mind.held_before(VoteKind.NOTARIZE, view):
            report("V12", view, node, "finalizes later than at the moment of notarization")
        if view < mind.view_before:
            report("V12", view, node, f"finalizes a view that it has left for view {mind.view_before}")
        if mind.held_before(VoteKind.NULLIFY, view):
            report("V12", view, node, "finalizes a view whose nullification it holds")

    def on_decided(self, node: SimulatedNode, mind: Mind, event: Event | None, effects: tuple[Effect, ...]) -> None:
        """What is signed now is written down first. # P5 V10 V11 V12"""
        if event is None:
            self._check_start(node, mind)
        written: set[tuple[RecordKind, View]] = set()
        for place, effect in enumerate(effects):
            if isinstance(effect, PersistVote):
                written.add((effect.record.kind, effect.record.number))
            elif isinstance(effect, Broadcast):
                key = _get_fact(effect.message)
                if key is not None and key not in written and any(_writes(later, key) for later in effects[place:]):
                    detail = f"sends {key[0].name.lower()} before it writes it down"
                    self._ledger.report(_DURABLE[key[0]], key[1], node.index, detail)

    def _check_start(self, node: SimulatedNode, mind: Mind) -> None:
        """Who starts goes on where its log ends, no lower. # R1"""
        view = 0 if node.replica is None else node.replica.get_statistics().view
        highest = max((number for _, number in mind.logged), default=0)
        if view > mind.view:
            self._ledger.report("R1", view, node.index, f"starts in view {view}, its log leads to {mind.view}")
        if view < highest:
            self._ledger.report("R1", view, node.index, f"starts in view {view}, below {highest} of its log")

    def on_hello(self, node: SimulatedNode, mind: Mind, peer: int, hello: Hello) -> None:
        """What a validator calls final never goes back. # C4"""
        if hello.finalized_view > mind.finalized_view:
            self._ledger.report("C4", hello.finalized_view, node.index, "calls final what no finalization told it")


class ProposalMonitor(DecisionMonitor):
    """A leader proposes once, in its view, on the highest proven parent, in time, and shows why it may."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._parameters = ledger.genesis.parameters
        self._schedule = compute_schedule(ledger)

    def get_leader(self, view: View) -> int:
        """Return the leader of a view. # E7"""
        schedule = self._ledger.chosen_leaders or self._schedule
        return schedule[view % len(schedule)]

    def on_proposal(self, node: SimulatedNode, mind: Mind, proposal: Proposal) -> None:
        """Check a proposal when it is made."""
        header, report = proposal.header, self._ledger.report
        view = header.view
        if self.get_leader(view) != node.index:
            report("E7", view, node.index, f"proposes in the view of validator {self.get_leader(view)}")
        if (RecordKind.PROPOSAL, view) in mind.logged:
            report("R1", view, node.index, "proposes in a view in which its log says that it has proposed")
        elif (RecordKind.PROPOSAL, view) in mind.decided:
            report("P5", view, node.index, "proposes a second time in one view")
        if (RecordKind.NULLIFY, view) in mind.decided:
            report("P1", view, node.index, "proposes in a view that it has nullified")
        if view > mind.view:
            rule, why = find_cause(self._ledger, mind, view - 1)
            report(rule, view, node.index, f"proposes though nothing led it beyond view {mind.view}: {why}")
        parent = self._ledger.headers.get(header.parent_digest)
        self._check_parent(node.index, mind, header)
        self._check_justification(node.index, mind, proposal)
        if parent is not None:
            self._check_time(node, mind, header, parent)
            self._check_cut(node.index, header, parent)

    def _check_parent(self, node: int, mind: Mind, header: BlockHeader) -> None:
        report, view, parent_view = self._ledger.report, header.view, header.parent_view
        for between in range(view - 1, parent_view, -1):
            if mind.held_before(VoteKind.NOTARIZE, between) and between > mind.finalized_before:
                report("P1", view, node, f"builds on view {parent_view} though it holds the notarization of {between}")
                return
            if not mind.holds(VoteKind.NULLIFY, between):
                report("P1", view, node, f"skips view {between} without holding its nullification")
                return

    def _check_justification(self, node: int, mind: Mind, proposal: Proposal) -> None:
        """Who stands on a snapshot may lack the finalization of the block that it builds on; else all is shown. # P3"""
        header, report = proposal.header, self._ledger.report
        shown = {(certificate.kind, certificate.view) for certificate in proposal.justification}
        if len(shown) >= self._parameters.justification_certificates_max:
            return
        kinds = (VoteKind.NOTARIZE, VoteKind.FINALIZE)
        is_held = any(mind.held_before(kind, header.parent_view) for kind in kinds)
        if (
            is_held
            and header.parent_view > mind.installed_view
            and not any((kind, header.parent_view) in shown for kind in kinds)
        ):
            report("P3", header.view, node, f"does not show why view {header.parent_view} may be built on")
        for skipped in range(header.parent_view + 1, header.view):
            if (VoteKind.NULLIFY, skipped) not in shown:
                report("P3", header.view, node, f"does not show that view {skipped} is nullified")

    def _check_cut(self, node: int, header: BlockHeader, parent: BlockHeader) -> None:
        for lane, (new, old) in enumerate(zip(header.cut, parent.cut, strict=True)):
            if not old.position <= new.position <= old.position + self._parameters.lane_advance_max:
                detail = f"moves lane {lane} from {old.position} to {new.position}"
                self._ledger.report("V5", header.view, node, detail)

    def _check_time(self, node: SimulatedNode, mind: Mind, header: BlockHeader, parent: BlockHeader) -> None:
        report, view, now = self._ledger.report, header.view, node.get_instant()
        if header.time_ms != max(parent.time_ms + 1, now.wall_ms):
            report("P5", view, node.index, "gives the block another time than its clock and the parent demand")
        received_ms = mind.proposals[parent.view][1] if parent.view in mind.proposals else 0
        if header.cut == parent.cut:
            due_ms = mind.entered_ms + self._get_idle_ms(mind, parent)
        else:
            due_ms = max(mind.entered_ms, received_ms + self._parameters.pace_ms)
        if view == mind.view and now.mono_ms < due_ms:
            report("P4", view, node.index, f"proposes {due_ms - now.mono_ms} ms before its time")

    def _get_idle_ms(self, mind: Mind, parent: BlockHeader) -> int:
        """Return how long a leader waits for data: not for what a weak set of others holds and it lacks. # P4"""
        committee = self._ledger.genesis.committee
        for lane, before in enumerate(parent.cut):
            if committee.is_weak(peer for peer, held in mind.claims.get(lane, {}).items() if held > before.position):
                return min(self._parameters.idle_ms, self._parameters.view_timeout_base_ms)
        return self._parameters.idle_ms


def find_cause(ledger: Ledger, mind: Mind, view: View) -> tuple[str, str]:
    """Return the rule by which a certificate of `view` was believed in that nobody has, and why. # G1 G4 C1 C2 C3"""
    if view in mind.missigned:
        return mind.missigned[view], "it counts a vote that the peer it came from has not signed"
    if view in mind.forged:
        return "C2", "it believes a certificate that not everybody signed whom it names"
    counts = [len(voters) for key, voters in mind.votes.items() if key[1] == view and ledger.is_weak(voters)]
    if counts:
        return "G1", f"it takes {max(counts)} votes for a strong set"
    return "C3", "there is no certificate of the view before"


def _get_fact(message: Message) -> tuple[RecordKind, View] | None:
    if isinstance(message, Vote) and not message.is_resend:
        return RecordKind(message.kind), message.view
    return (RecordKind.PROPOSAL, message.header.view) if isinstance(message, Proposal) else None


def _writes(effect: Effect, key: tuple[RecordKind, View]) -> bool:
    return isinstance(effect, PersistVote) and (effect.record.kind, effect.record.number) == key


def compute_schedule(ledger: Ledger) -> list[int]:
    """Return the table of leaders, computed here from the rule. # E7"""
    powers = [validator.power for validator in ledger.genesis.validators]
    keys = [sha256(b"ssq-schd" + ledger.genesis.chain_id + index.to_bytes(8, "big")) for index in range(len(powers))]
    order = sorted(range(len(powers)), key=lambda index: keys[index].digest())
    credits, table = [0] * len(powers), []
    for _ in range(SLOTS_PER_VALIDATOR * len(powers)):
        credits = [credit + power for credit, power in zip(credits, powers, strict=True)]
        leader = max(order, key=lambda index: (credits[index], -order.index(index)))
        credits[leader] -= sum(powers)
        table.append(leader)
    return table
