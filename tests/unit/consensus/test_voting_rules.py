"""May a validator vote: each rule alone, with the value that keeps it and the nearest that breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.consensus.view_record import ViewRecord
from sequencer.consensus.voting_rules import (
    Accept,
    Refuse,
    Verdict,
    Wait,
    check_against_parent,
    check_cut,
    check_parent_certified,
    check_time,
    may_finalize,
    may_notarize,
    may_nullify,
)
from sequencer.types.block import FLAG_OPTIMISTIC
from sequencer.types.primitives import Tip, View
from sequencer.types.records import RecordKind
from sequencer.types.vote import Certificate
from tests.unit.consensus.world import PARAMETERS, ROOT, N, Shelf, Z, at, certify, make_header

DIGEST = b"\x07" * 32


def make_record(
    view: View = 5, own: tuple[RecordKind, ...] = (), certificates: tuple[Certificate, ...] = ()
) -> ViewRecord:
    """Return what is known of a view."""
    record = ViewRecord(view)
    record.own.update(dict.fromkeys(own, DIGEST))
    record.certificates.update({certificate.kind: certificate for certificate in certificates})
    return record


def test_V1_validator_that_said_nothing_may_notarize_its_current_view() -> None:
    """In the current view, above the finalized one and the log, with clean hands."""
    assert may_notarize(make_record(5), current_view=5, finalized_view=4, highest_logged_view=5)


@pytest.mark.parametrize(
    ("record", "current", "finalized", "logged"),
    [
        (make_record(5), 6, 4, 0),
        (make_record(5), 5, 5, 0),
        (make_record(5), 5, 4, 6),
        (make_record(5, (RecordKind.NOTARIZE,)), 5, 4, 5),
        (make_record(5, (RecordKind.NULLIFY,)), 5, 4, 5),
    ],
    ids=["view is past", "view is finalized", "log is ahead", "notarized already", "nullified already"],
)
def test_V1_validator_with_any_reason_against_it_may_not_notarize(
    record: ViewRecord, current: View, finalized: View, logged: View
) -> None:
    """Each condition alone forbids the vote. # V1 R1"""
    assert not may_notarize(record, current, finalized, logged)


@pytest.mark.parametrize(
    ("own", "allowed"),
    [((), True), ((RecordKind.NOTARIZE,), True), ((RecordKind.NULLIFY,), False), ((RecordKind.FINALIZE,), False)],
)
def test_V11_nullify_excludes_finalize_but_not_notarize(own: tuple[RecordKind, ...], allowed: bool) -> None:
    """Notarize then nullify is legal; finalize forbids nullify for ever."""
    assert may_nullify(make_record(5, own), current_view=5, finalized_view=4, highest_logged_view=5) is allowed


@pytest.mark.parametrize(
    ("record", "current", "finalized", "logged", "allowed"),
    [
        (make_record(5), 5, 4, 0, True),
        (make_record(5), 3, 2, 0, True),
        (make_record(5), 6, 4, 0, False),
        (make_record(5), 5, 5, 0, False),
        (make_record(5), 5, 4, 6, False),
        (make_record(5, (RecordKind.NULLIFY,)), 5, 4, 5, False),
        (make_record(5, (RecordKind.FINALIZE,)), 5, 4, 5, False),
        (make_record(5, (), (certify(Z, 5),)), 5, 4, 5, False),
    ],
    ids=["now", "jump", "view left", "finalized", "log ahead", "nullified", "finalized before", "Z held"],
)
def test_V12_finalize_is_for_the_moment_of_notarization_only(
    record: ViewRecord, current: View, finalized: View, logged: View, allowed: bool
) -> None:
    """Never after the view was left, nullified, or finalized. # V12 R1"""
    assert may_finalize(record, current, finalized, logged) is allowed


PARENT = make_header(3, replace(ROOT, view=2))
RECORDS = {
    3: make_record(3, (), (certify(N, 3, PARENT.digest),)),
    4: make_record(4, (), (certify(Z, 4),)),
    5: make_record(5, (), (certify(Z, 5),)),
}


def check_parent(
    parent_view: View, parent_digest: bytes, missing: View | None = None, finalized_view: View = 2
) -> Verdict:
    """Apply V3 to a proposal of view 6."""
    header = replace(make_header(6, PARENT), parent_view=parent_view, parent_digest=parent_digest)
    records = {view: record for view, record in RECORDS.items() if view != missing}
    return check_parent_certified(header, finalized_view, ROOT.digest, records.get)


def test_V3_notarized_parent_over_nullified_views_is_accepted() -> None:
    """N(3) and Z(4), Z(5) carry a proposal of view 6."""
    assert isinstance(check_parent(3, PARENT.digest), Accept)


@pytest.mark.parametrize("missing", [3, 4, 5])
def test_V3_any_missing_certificate_makes_the_voter_wait(missing: View) -> None:
    """Not a single skipped view may lack its nullification."""
    assert isinstance(check_parent(3, PARENT.digest, missing), Wait)


def test_V3_other_block_of_the_notarized_view_is_not_accepted() -> None:
    """The notarization is of one digest."""
    assert not isinstance(check_parent(3, DIGEST), Accept)


def test_V3_other_block_of_the_finalized_view_is_refused_for_ever() -> None:
    """Nothing builds beside the finalized block."""
    assert check_parent(2, DIGEST) == Refuse("V3")


def test_V3_parent_below_the_finalized_view_is_not_accepted() -> None:
    """The finalized view cannot be skipped."""
    assert not isinstance(check_parent(3, PARENT.digest, finalized_view=4), Accept)


BEFORE = (Tip(3, b"\x03" * 32), Tip(0, bytes(32)))


@pytest.mark.parametrize(
    ("tip", "allowed"),
    [
        (Tip(3, b"\x03" * 32), True),
        (Tip(7, DIGEST), True),
        (Tip(2, DIGEST), False),
        (Tip(3, DIGEST), False),
        (Tip(8, DIGEST), False),
    ],
    ids=["unchanged", "advanced by 4", "back", "another digest in place", "advanced by 5"],
)
def test_V5_lane_only_grows_and_not_too_far(tip: Tip, allowed: bool) -> None:
    """A lane stays, or advances by at most W_ADV."""
    assert isinstance(check_cut((tip, BEFORE[1]), BEFORE, 4), Accept) is allowed


@pytest.mark.parametrize(
    ("time_ms", "expected"),
    [
        (ROOT.time_ms, Refuse("V7")),
        (ROOT.time_ms + 1, Accept()),
        (ROOT.time_ms + 600, Accept()),
        (ROOT.time_ms + 601, Wait("its time", 101)),
    ],
    ids=["not after the parent", "just after", "at the drift", "beyond the drift"],
)
def test_V7_time_is_after_the_parent_and_within_the_drift(time_ms: int, expected: Verdict) -> None:
    """Too early is pending until a known moment, not after the parent is wrong for ever."""
    assert check_time(make_header(1, time_ms=time_ms), ROOT, 500, at(100)) == expected


def test_V4_wrong_height_is_refused() -> None:
    """Heights count one by one."""
    header = replace(make_header(1), height=2)
    assert check_against_parent(header, ROOT, PARAMETERS, Shelf(), at(10)) == Refuse("V4")


def test_V9_header_with_a_flag_is_refused() -> None:
    """This version has no flags."""
    header = replace(make_header(1), flags=FLAG_OPTIMISTIC)
    assert check_parent_certified(header, 0, ROOT.digest, lambda view: None) == Refuse("V9")


def test_V6_block_with_unavailable_batches_waits_and_names_the_lanes() -> None:
    """Only lanes that advance are asked for."""
    shelf = Shelf()
    shelf.is_full = False
    header = make_header(1, cut=(ROOT.cut[0], Tip(1, DIGEST), *ROOT.cut[2:]))
    assert check_against_parent(header, ROOT, PARAMETERS, shelf, at(10)) == Wait(
        "batches", missing_batches=((1, ROOT.cut[1]),)
    )
