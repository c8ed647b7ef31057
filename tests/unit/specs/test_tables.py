"""Every table of the specifications that lists what the code defines lists exactly that."""

from __future__ import annotations

import dataclasses
import importlib

import pytest

from sequencer.crypto.hashing import Tag
from sequencer.store.encoding import FrameKind
from sequencer.types import (
    batch,
    block,
    bundle,
    commitment,
    evidence,
    message,
    messages,
    outcome,
    snapshot,
    snapshot_messages,
    verdict,
    vote,
)
from sequencer.types.item import ItemKind
from sequencer.types.parameters import Parameters
from sequencer.types.records import RecordKind
from sequencer.types.signing import SignatureKind
from tests.unit.core_world import at
from tests.unit.replica.world import Cluster
from tests.unit.specs.markdown import get_section, read_document, read_tables, split_sections, strip_code

OBJECTS = {
    kind.__name__: kind
    for kind in (
        bundle.Bundle,
        bundle.Leg,
        bundle.Operation,
        batch.BatchHeader,
        batch.Batch,
        block.BlockHeader,
        block.FinalizedBlock,
        vote.Certificate,
        vote.Vote,
        vote.Proposal,
        commitment.Commitment,
        commitment.CommitmentVote,
        commitment.CommitmentCertificate,
        outcome.OutcomeLeaf,
        verdict.VerdictStatement,
        verdict.BeatStatement,
        verdict.RootStatement,
        verdict.ExecutorVote,
        message.CrossMessage,
        message.Delivery,
        evidence.Statement,
        messages.Hello,
        messages.Have,
        messages.GetBlocks,
        messages.GetCertificates,
        messages.BlockHeaders,
        messages.GetBatches,
        messages.Batches,
        messages.Sync,
        messages.SyncBlocks,
        snapshot_messages.GetSnapshot,
        snapshot_messages.SnapshotOffer,
        snapshot.SnapshotClaim,
        snapshot_messages.GetSnapshotChunk,
        snapshot_messages.SnapshotChunk,
    )
}
CONDITIONS = (
    bundle.Equals,
    bundle.AtLeast,
    bundle.InRange,
    bundle.NonceIs,
    bundle.HeightWindow,
    bundle.TimeWindow,
)


def get_field_names(kind: type) -> list[str]:
    """Return the names of a dataclass's fields, in the order of its bytes."""
    return [field.name for field in dataclasses.fields(kind)]


def read_field_tables(document: str) -> dict[str, list[str]]:
    """Return title → first column, for every section named after an object."""
    return {
        section.title: [strip_code(row[0]) for row in read_tables(section)[0]]
        for section in split_sections(read_document(document))
        if section.title in OBJECTS
    }


def read_parameters(text: str) -> list[tuple[str, int]]:
    """Return name and default of every parameter, in the order of the table."""
    (rows,) = read_tables(get_section(text, "Parameters"))
    return [(strip_code(row[1]), int(row[2])) for row in rows]


DEFAULTS = [(field.name, field.default) for field in dataclasses.fields(Parameters)]


def test_parameters_in_ordering_equal_the_code() -> None:
    """Names, order and defaults of the parameters are those that the genesis hashes."""
    assert read_parameters(read_document("specs/ordering.md")) == DEFAULTS


@pytest.mark.parametrize(("true", "planted"), [("| 100 | ms |", "| 101 | ms |"), ("`pace_ms` |", "`pace_s` |")])
def test_planted_wrong_parameter_is_found(true: str, planted: str) -> None:
    """Control: a wrong default and a wrong name are seen."""
    text = read_document("specs/ordering.md")
    assert true in text
    assert read_parameters(text.replace(true, planted, 1)) != DEFAULTS


def test_bounds_in_ordering_name_the_tables_of_a_replica() -> None:
    """Each table that others can fill stands in the specification, and no other."""
    (table,) = read_tables(get_section(read_document("specs/ordering.md"), "Bounds"))
    named = [strip_code(row[0]) for row in table]
    assert named == list(Cluster().replicas[0].get_bounds(at(0)))


def test_tags_in_objects_equal_the_code() -> None:
    """Every domain tag is listed with its bytes."""
    (rows,) = read_tables(get_section(read_document("specs/objects.md"), "Hashes"))
    assert [(row[0], strip_code(row[1]).encode()) for row in rows] == [(tag.name, tag.value) for tag in Tag]


def test_signature_kinds_in_objects_equal_the_code() -> None:
    """Every kind of protocol signature is listed with its number."""
    _, rows = read_tables(get_section(read_document("specs/objects.md"), "Protocol signatures: 85 bytes (G2)"))
    assert [(int(row[0]), row[1]) for row in rows] == [(int(kind), kind.name) for kind in SignatureKind]


def test_item_kinds_in_objects_equal_the_code() -> None:
    """Every kind of item is listed with its number."""
    (rows,) = read_tables(get_section(read_document("specs/objects.md"), "Item"))
    assert [(int(row[0]), row[1]) for row in rows] == [(int(kind), kind.name) for kind in ItemKind]


def test_conditions_in_objects_equal_the_code() -> None:
    """Every condition is listed with its number and its fields in order."""
    (rows,) = read_tables(get_section(read_document("specs/objects.md"), "Condition"))
    stated = [(int(row[0]), row[1], row[2].replace("?", "").split(", ")) for row in rows]
    assert stated == [(kind.CODE, kind.__name__, get_field_names(kind)) for kind in CONDITIONS]


@pytest.mark.parametrize("document", ["specs/objects.md", "specs/messages.md"])
def test_fields_of_objects_equal_the_code(document: str) -> None:
    """Each object's table names its fields in the order of its bytes."""
    tables = read_field_tables(document)
    assert tables == {title: get_field_names(OBJECTS[title]) for title in tables}


def test_every_object_has_a_table_of_fields() -> None:
    """No object of the protocol is left without its layout."""
    assert {*read_field_tables("specs/objects.md"), *read_field_tables("specs/messages.md")} == set(OBJECTS)


def test_messages_equal_the_code() -> None:
    """Numbers, names, channels and fields of all messages are those that the decoder knows."""
    _, rows = read_tables(split_sections(read_document("specs/messages.md"))[1])
    stated = [(int(row[0]), row[1], row[2], row[3].split(", ")) for row in rows]
    assert stated == [
        (number, kind.__name__, channel.value, get_field_names(kind)) for number, kind, channel, _ in messages._TABLE
    ]


def test_message_limits_per_channel_equal_the_code() -> None:
    """The largest message of each channel is the decoder's."""
    rows, _ = read_tables(split_sections(read_document("specs/messages.md"))[1])
    stated = {row[0]: int(row[2].removesuffix(" bytes").replace(",", "")) for row in rows}
    assert stated == {"votes": messages.VOTES_MESSAGE_BYTES_MAX, "data": messages.MESSAGE_BYTES_MAX}


@pytest.mark.parametrize("document", ["specs/objects.md", "specs/messages.md"])
def test_limits_equal_the_code(document: str) -> None:
    """Every limit is the value of the constant that it names."""
    (rows,) = read_tables(get_section(read_document(document), "Limits"))
    stated = {(strip_code(row[1]), strip_code(row[0])): int(row[2]) for row in rows}
    assert stated == {place: getattr(importlib.import_module(place[0]), place[1]) for place in stated}


def test_frames_in_store_equal_the_code() -> None:
    """Every kind of frame on disk is listed with its number."""
    (rows,) = read_tables(get_section(read_document("specs/store.md"), "Frames (D1)"))
    assert [(int(row[0]), row[1]) for row in rows] == [(int(kind), kind.name) for kind in (*RecordKind, *FrameKind)]
