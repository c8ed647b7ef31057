"""Join the monitors that judge what validators decide, each by the rule that it guards."""

from __future__ import annotations

from sequencer.simulation.checkers.availability import SupportMonitor, VoteAvailabilityChecker
from sequencer.simulation.checkers.decisions import ProposalMonitor, VoteMonitor
from sequencer.simulation.checkers.forwarding import ForwardingMonitor
from sequencer.simulation.checkers.knowledge import Knowledge
from sequencer.simulation.checkers.ledger import Ledger
from sequencer.simulation.checkers.pushing import PushMonitor
from sequencer.simulation.checkers.signing import SigningMonitor
from sequencer.simulation.checkers.timing import TimeMonitor
from sequencer.simulation.observer import Observer


def make_monitors(ledger: Ledger, validators: int) -> tuple[Observer, ...]:
    """Return observers that ask every monitor of decisions."""
    heard = VoteAvailabilityChecker(ledger, validators)
    knowledge = Knowledge(ledger, validators)
    support = SupportMonitor(ledger, heard, validators)
    for monitor in (
        VoteMonitor(ledger),
        ProposalMonitor(ledger),
        support,
        TimeMonitor(ledger, validators),
        ForwardingMonitor(ledger, validators),
        PushMonitor(ledger, validators),
    ):
        knowledge.ask(monitor)
    return (heard, support, knowledge, SigningMonitor(ledger))
