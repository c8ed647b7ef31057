"""Take in what executors certify: verdicts, beats and rows. # A9 A11 A13

Signatures were checked before the block was ordered; what is asked here depends on the position:
whether anybody waits for the certificate, and whether it is new.
"""

from __future__ import annotations

from sequencer.execution import system_state
from sequencer.execution.deliveries import record_outbox_root
from sequencer.execution.entries import Entry
from sequencer.execution.pending import CERTIFICATES_PER_PLACE_MAX
from sequencer.execution.pending_table import PendingTable
from sequencer.state.journal import Journal
from sequencer.types.executed import ExecutionRow
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.primitives import Height
from sequencer.types.verdict import BeatStatement, ExecutorStatement, RootStatement, VerdictStatement


def check(statement: ExecutorStatement, table: PendingTable, system: Journal, height: Height) -> Rejection | None:
    """Return why a certificate of the statement has no effect at this position, or None."""
    match statement:
        case VerdictStatement():
            return _check_verdict(statement, table)
        case BeatStatement(rollup, at):
            suspension = system_state.get_suspension(system, rollup)
            if not (suspension and suspension < at < height):
                return _make_stale("height", "lifts no suspension")
        case RootStatement(rollup, at):
            if not system_state.get_certified_height(system, rollup) < at < height:
                return _make_stale("height", "is not newer than the certified row, or not executed yet")
    return None


def _check_verdict(statement: VerdictStatement, table: PendingTable) -> Rejection | None:
    entry = table.get_undecided(statement.bundle_id)
    place = None if entry is None or entry.bundle is None else entry.places.get(statement.rollup)
    if place is None:
        return _make_stale("bundle_id", "is no undecided bundle of this rollup")
    if statement.assumption in place.certificates:
        return Rejection(Reason.DUPLICATE, "item.body.statement", "is certified already under this assumption")
    if place.expected is not None:
        if statement.assumption != place.expected:
            return _make_stale("assumption", "is not what came true")
    elif len(place.certificates) >= CERTIFICATES_PER_PLACE_MAX:
        detail = f"{CERTIFICATES_PER_PLACE_MAX} assumptions are certified already"
        return Rejection(Reason.PENDING_FULL, "item.body.statement.assumption", detail)
    return None


def _make_stale(field: str, detail: str) -> Rejection:
    return Rejection(Reason.STALE, f"item.body.statement.{field}", detail)


def keep_verdict(statement: VerdictStatement, table: PendingTable) -> Entry:
    """Keep a verdict that `check` let pass; return the bundle that it is about. # A9"""
    entry = table.entries[statement.bundle_id]
    entry.places[statement.rollup].certificates[statement.assumption] = statement
    entry.touch()
    return entry


def certify_row(statement: RootStatement, system: Journal) -> ExecutionRow:
    """Note that the log has certified a row, and the outbox root in it; return the row. # A11 A19"""
    record_outbox_root(system, statement.rollup, statement.height, statement.outbox_root)
    system_state.set_certified_height(system, statement.rollup, statement.height)
    return ExecutionRow(
        statement.rollup,
        statement.settled_height,
        statement.state_root,
        statement.receipt_root,
        statement.outbox_root,
    )
