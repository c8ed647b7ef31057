"""Keep track of what is on its way: sent, sent again, refused, final."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sequencer.cli.workload.report import Report
from sequencer.cli.workload.traffic import Shipment
from sequencer.sdk.finality import FinalBlock
from sequencer.types.outcome import Status

RESEND_SECONDS = 3.0
"""What is not final so long after it was sent, and rests with no end that answers, goes to the next one.

What a living end holds is not sent again: a crowded network would only be crowded more.
"""
SENDINGS_MAX = 4
"""Times that one transaction is sent; then only waited for."""


@dataclass(slots=True)
class Flight:
    """One transaction from the moment it is due."""

    shipment: Shipment
    end: int
    """Where it goes next."""
    sent_at: float = 0.0
    """Of the run's clock, in seconds; the last time."""
    sendings: int = 0
    is_taken: bool = False
    """Whether an end has ever taken it in; then it may still become final, however long it takes."""
    is_with_end: bool = False
    """Whether the end that it was sent to last holds it."""
    refusal: str = ""
    """Reason of the newest refusal; empty if none."""
    status: Status | None = None
    """Proven outcome; None until it is final."""
    height: int = 0
    """Height of the proven outcome; 0 until then."""


@dataclass(slots=True)
class Flights:
    """All transactions of one run, by id; time is given by the caller, in seconds from its start."""

    ends: int
    report: Report = field(default_factory=Report)
    _flights: dict[bytes, Flight] = field(default_factory=dict)
    _open: dict[bytes, Flight] = field(default_factory=dict)
    """Those that are not final yet."""
    _ordered: set[bytes] = field(default_factory=set)
    _silent_ends: set[int] = field(default_factory=set)
    """Ends that did not answer the last time they were asked."""

    def add(self, shipment: Shipment) -> Flight:
        """Count a new transaction as sent."""
        flight = Flight(shipment, shipment.end)
        self._flights[shipment.signed.id] = self._open[shipment.signed.id] = flight
        self.report.sent += 1
        return flight

    def on_sending(self, flight: Flight, now: float) -> None:
        """Note that it leaves now."""
        flight.sent_at = now
        flight.sendings += 1
        flight.is_with_end = False

    def on_refused(self, flight: Flight, reason: str) -> None:
        """Note why an end did not take it; what was sent before and is there already counts as taken."""
        is_there = reason == "DUPLICATE" or (reason == "SEQUENCE_USED" and flight.sendings > 1)
        if is_there:
            self.on_taken(flight)
        flight.refusal = "" if is_there else reason

    def on_taken(self, flight: Flight) -> None:
        """Note that its end holds it."""
        flight.is_taken = flight.is_with_end = True

    def on_end(self, end: int, *, is_answering: bool) -> None:
        """Note whether an end answers."""
        if is_answering:
            self._silent_ends.discard(end)
        else:
            self._silent_ends.add(end)

    def on_final_block(self, block: FinalBlock, now: float) -> None:
        """Count the transactions of this run that the block makes final, and copies of them."""
        for transaction in block.transactions:
            flight = self._flights.get(transaction.item_id)
            if flight is None:
                continue
            self.report.ordered += transaction.index is not None
            self._ordered.add(transaction.item_id)
            self.report.ordered_once = len(self._ordered)
            if transaction.status in (Status.COMMIT, Status.ABORT) and flight.status is None:
                flight.height = block.height
                self._on_final(flight, transaction.status, transaction.reason, now)

    def _on_final(self, flight: Flight, status: Status, reason: str, now: float) -> None:
        due = flight.shipment.due
        flight.status = status
        del self._open[flight.shipment.signed.id]
        self.report.final += 1
        self.report.latencies_ms.append((now - due.at_seconds) * 1000)
        is_committed = status is Status.COMMIT
        if due.kind.is_bundle:
            self.report.bundles_committed += is_committed
            self.report.bundles_aborted += not is_committed
        if is_committed != due.kind.must_commit:
            self.report.mismatches.append(
                f"{due.kind.value} {flight.shipment.signed.id.hex()[:12]} became {status.name} {reason}".rstrip()
            )

    def take_overdue(self, now: float) -> list[Flight]:
        """Return those that shall be sent again now, each to its next end."""
        overdue = [
            flight
            for flight in self._open.values()
            if 0 < flight.sendings < SENDINGS_MAX
            and now - flight.sent_at > RESEND_SECONDS
            and not (flight.is_with_end and flight.end not in self._silent_ends)
        ]
        for flight in overdue:
            flight.end = (flight.end + 1) % self.ends
        return overdue

    def close(self) -> None:
        """Count as rejected what no end took and every answer refused."""
        self.report.rejected = sum(1 for flight in self._open.values() if _is_refused(flight))

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way that may still become final."""
        return all(_is_refused(flight) and flight.refusal != "QUEUE_FULL" for flight in self._open.values())

    def get_bundles(self) -> Iterable[Flight]:
        """Return every bundle sent, whatever became of it."""
        return [flight for flight in self._flights.values() if flight.shipment.due.kind.is_bundle]


def _is_refused(flight: Flight) -> bool:
    return bool(flight.refusal) and not flight.is_taken
