"""What is on its way ends in exactly one count, however often it was sent, refused or ordered."""

from __future__ import annotations

import pytest

from sequencer.cli.cluster.blueprint import Wish, draw
from sequencer.cli.cluster.rollups import ROLLUPS_DEFAULT
from sequencer.cli.workload.flights import RESEND_SECONDS, SENDINGS_MAX, Flight, Flights
from sequencer.cli.workload.run import is_partial
from sequencer.cli.workload.schedule import Kind, Schedule
from sequencer.cli.workload.traffic import Traffic
from sequencer.sdk.building import Account
from sequencer.sdk.finality import FinalBlock, FinalTransaction
from sequencer.types.outcome import Status

ENDS = 3


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    drawn = draw(Wish(1, ROLLUPS_DEFAULT, 1, None))
    accounts = {account.name: Account(account.seed, account.name) for account in drawn.accounts}
    return Traffic(drawn.genesis, accounts, {name: [0] * 16 for name in accounts}, ENDS)


def launch(flights: Flights, traffic: Traffic, kind: Kind) -> Flight:
    """Send one transaction of this kind at second 0."""
    schedule = Schedule(100, 10, 1.0 if kind.is_bundle else 0.0, len(traffic.lanes))
    due = next(due for due in map(schedule.get, range(schedule.count)) if due.kind is kind)
    flight = flights.add(traffic.make(due, 1))
    flights.on_sending(flight, 0.0)
    return flight


def make_block(*transactions: tuple[Flight, Status]) -> FinalBlock:
    listed = [
        FinalTransaction(flight.shipment.signed.id, index, status, "")
        for index, (flight, status) in enumerate(transactions)
    ]
    return FinalBlock(5, 0, bytes(32), 6, tuple(listed))


@pytest.mark.parametrize(
    ("kind", "status", "is_right"),
    [
        (Kind.PLAIN, Status.COMMIT, True),
        (Kind.PLAIN, Status.ABORT, False),
        (Kind.HOT, Status.ABORT, False),
        (Kind.FALSE, Status.ABORT, True),
        (Kind.FALSE, Status.COMMIT, False),
    ],
)
def test_outcome_is_compared_with_what_had_to_become(
    traffic: Traffic, kind: Kind, status: Status, is_right: bool
) -> None:
    """A wrong outcome is a mismatch in either direction."""
    flights = Flights(ENDS)
    flights.on_final_block(make_block((launch(flights, traffic, kind), status)), 1.0)
    assert (flights.report.mismatches == []) == is_right


def test_copies_are_counted_once_as_final_and_as_duplicates(traffic: Traffic) -> None:
    """The first decision counts; further copies only show in the duplicates."""
    flights = Flights(ENDS)
    flight = launch(flights, traffic, Kind.PLAIN)
    flights.on_final_block(make_block((flight, Status.COMMIT), (flight, Status.INADMISSIBLE)), 0.5)
    assert (flights.report.final, flights.report.ordered, flights.report.ordered_once) == (1, 2, 1)


def test_inadmissible_copy_alone_is_not_final(traffic: Traffic) -> None:
    """A copy that came before its sequence may be followed by one that counts."""
    flights = Flights(ENDS)
    flight = launch(flights, traffic, Kind.PLAIN)
    flights.on_final_block(make_block((flight, Status.INADMISSIBLE)), 0.5)
    assert (flights.report.final, flights.report.unknown) == (0, 1)


def test_latency_runs_from_the_scheduled_time(traffic: Traffic) -> None:
    """A late sender does not make the network look fast."""
    flights = Flights(ENDS)
    flight = launch(flights, traffic, Kind.PLAIN)
    flights.on_sending(flight, 0.9)
    flights.on_final_block(make_block((flight, Status.COMMIT)), 1.0)
    assert flights.report.latencies_ms == [1000.0]


def test_what_is_not_final_in_time_goes_to_the_next_end(traffic: Traffic) -> None:
    """After three seconds, and a bounded number of times."""
    flights = Flights(ENDS)
    flight = launch(flights, traffic, Kind.PLAIN)
    first_end = flight.end
    assert flights.take_overdue(RESEND_SECONDS) == []
    for sending in range(1, SENDINGS_MAX):
        now = sending * (RESEND_SECONDS + 0.1)
        assert flights.take_overdue(now) == [flight]
        assert flight.end == (first_end + sending) % ENDS
        flights.on_sending(flight, now)
    assert flights.take_overdue(1_000.0) == []


@pytest.mark.parametrize(("is_answering", "is_sent_again"), [(True, False), (False, True)])
def test_what_an_end_holds_is_sent_again_only_if_that_end_is_silent(
    traffic: Traffic, is_answering: bool, is_sent_again: bool
) -> None:
    """A slow network is not crowded with copies; a dead end is replaced."""
    flights = Flights(ENDS)
    flight = launch(flights, traffic, Kind.PLAIN)
    flights.on_taken(flight)
    flights.on_end(flight.end, is_answering=is_answering)
    assert bool(flights.take_overdue(RESEND_SECONDS + 1)) is is_sent_again


@pytest.mark.parametrize(
    ("reasons", "rejected"),
    [
        (["UNFUNDED"], 1),
        (["QUEUE_FULL"], 1),
        (["SEQUENCE_USED"], 1),
        (["DUPLICATE"], 0),
        ([], 0),
    ],
)
def test_refused_by_all_is_rejected_and_held_somewhere_is_unknown(
    traffic: Traffic, reasons: list[str], rejected: int
) -> None:
    """A transaction that some node holds is never called rejected."""
    flights = Flights(ENDS)
    flight = launch(flights, traffic, Kind.PLAIN)
    for reason in reasons:
        flights.on_refused(flight, reason)
    flights.close()
    assert (flights.report.rejected, flights.report.unknown) == (rejected, 1 - rejected)


def test_sequence_used_after_resending_means_that_it_is_there(traffic: Traffic) -> None:
    """The first copy used the sequence; its block is only not seen yet."""
    flights = Flights(ENDS)
    flight = launch(flights, traffic, Kind.PLAIN)
    flights.on_sending(flight, 4.0)
    flights.on_refused(flight, "SEQUENCE_USED")
    assert not flights.is_settled


@pytest.mark.parametrize(
    ("present", "status", "expected"),
    [
        ([True, True], Status.COMMIT, False),
        ([False, False], Status.ABORT, False),
        ([False, False], None, False),
        ([True, True], None, False),
        ([True, False], Status.COMMIT, True),
        ([False, True], None, True),
        ([False, False], Status.COMMIT, True),
        ([True, True], Status.ABORT, True),
    ],
)
def test_partial_is_what_differs_between_rollups_or_from_the_outcome(
    present: list[bool], status: Status | None, expected: bool
) -> None:
    """Marks in the state decide, not what a node says about the bundle."""
    assert is_partial(present, status) is expected
