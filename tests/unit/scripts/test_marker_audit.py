"""The audit of markers finds what is wrong in what it read, and shares no code with the node."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from scripts.fault_injection import marker_audit, marker_picture
from scripts.fault_injection.marker_audit import (
    ALTERATIONS,
    Audit,
    choose_height,
    judge_markers,
    run_control,
    sum_assets,
)
from scripts.fault_injection.marker_picture import Blocks, Marker, Picture, decode_message, read_markers
from sequencer.types.message import CrossMessage

ALL, NATIVE = ("alpha", "beta", "gamma"), ("alpha", "beta")
MARKERS = [
    Marker("0x01", "kv/m/1", ALL),
    Marker("0x02", "kv/m/2", ALL),
    Marker("0x03", "kv/m/3", NATIVE),
    Marker("0x04", "kv/m/4", ALL),
]
OUTCOMES = {"0x01": (5, "COMMIT"), "0x02": (6, "ABORT"), "0x03": (5, "COMMIT"), "0x04": (9, "COMMIT")}
"""Marker 4 is decided above the height that is looked at."""


def make_picture() -> Picture:
    """What honest nodes tell of height 8."""
    rollups = {
        "alpha": {"kv/m/1": "1", "kv/m/3": "1", "balance/gold/aa": "7"},
        "beta": {"kv/m/1": "1", "kv/m/3": "1", "pool/gold-silver/gold": "2"},
        "gamma": {"kv/m/1": "1", "balance/gold/aa": "3"},
    }
    return Picture(8, rollups, {"deposit/aa": "90", "held": "6", "burned": "4", "sequence/aa/0": "1"})


def find_wrong(picture: Picture) -> list[str]:
    return list(judge_markers(picture, MARKERS, OUTCOMES))


def test_picture_of_honest_nodes_is_right() -> None:
    """Control of all below: committed ones stand everywhere, an abort and a later decision nowhere."""
    assert find_wrong(make_picture()) == []


@pytest.mark.parametrize(
    ("rollup", "key", "is_there", "word"),
    [
        ("gamma", "kv/m/1", False, "partial"),
        ("alpha", "kv/m/2", True, "partial"),
        ("beta", "kv/m/3", False, "partial"),
        ("gamma", "kv/m/4", True, "partial"),
        ("gamma", "kv/m/3", True, "nobody sent it there"),
        ("alpha", "kv/m/9", True, "nobody sent it there"),
    ],
)
def test_marker_on_some_of_its_rollups_is_found(rollup: str, key: str, is_there: bool, word: str) -> None:
    """One rollup differs: whichever it is."""
    picture = make_picture()
    if is_there:
        picture.rollups[rollup][key] = "1"
    else:
        del picture.rollups[rollup][key]
    assert any(word in text for text in find_wrong(picture))


def test_marker_that_stands_everywhere_without_a_commit_is_found() -> None:
    """All or none is not enough: it must be what the log decided."""
    picture = make_picture()
    for state in picture.rollups.values():
        state["kv/m/2"] = "1"
    assert [text for text in find_wrong(picture) if "the outcome is ABORT" in text]


def test_rollup_that_nobody_tells_of_is_left_out() -> None:
    """While all executors are dead the native rollups are judged alone."""
    picture = make_picture()
    del picture.rollups["gamma"]
    assert find_wrong(picture) == []
    del picture.rollups["beta"]["kv/m/1"]
    assert find_wrong(picture) != []


def test_message_in_flight_counts_as_an_asset() -> None:
    """Its bytes are read without the node's decoder."""
    message = CrossMessage(3, 1, "gold", b"s" * 32, b"t" * 32, 70_000, b"i" * 32, 0, 0)
    assert decode_message(message.to_bytes()) == [3, 1, "gold", b"s" * 32, b"t" * 32, 70_000, b"i" * 32, 0, 0]
    picture = make_picture()
    picture.rollups["gamma"]["outbox/" + "69" * 32] = "0x" + message.to_bytes().hex()
    assert sum_assets(picture) == {"gold": 7 + 2 + 3 + 70_000}


def test_every_alteration_is_noticed() -> None:
    """By an audit that has seen the totals before; one that sees nothing says so."""
    picture, blocks = make_picture(), Blocks(8, OUTCOMES)
    audit = Audit(markers=MARKERS, picture=picture)
    assert audit.judge(picture, MARKERS, blocks, is_whole=True) == []
    assert run_control(audit, blocks) == []
    assert run_control(Audit(markers=MARKERS), blocks) == list(ALTERATIONS)


def test_audit_that_looks_away_is_told_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the control."""
    picture, blocks = make_picture(), Blocks(8, OUTCOMES)
    audit = Audit(markers=MARKERS, picture=picture)
    monkeypatch.setattr(marker_audit, "sum_deposits", lambda _: 0)
    assert audit.judge(picture, MARKERS, blocks, is_whole=True) == []
    assert run_control(audit, blocks) == ["one fee less"]


def test_every_other_round_goes_back_to_a_decision() -> None:
    """Right after a decision a message is in flight, and the newest height rarely shows it."""
    blocks = Blocks(40, {f"0x{height:02}": (height, "COMMIT") for height in range(3, 20)})
    chosen = [choose_height(blocks, turn) for turn in range(20)]
    assert chosen[::2] == [None] * 10
    assert set(chosen[1::2]) == set(range(12, 20))
    assert choose_height(Blocks(), 1) is None


def test_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    """The sender may be in the middle of it."""
    path = tmp_path / "markers.jsonl"
    path.write_text('{"id": "0x01", "key": "kv/m/1", "rollups": ["alpha"]}\n{"id": "0x02", "ke')
    assert read_markers(path) == [Marker("0x01", "kv/m/1", ("alpha",))]
    assert read_markers(tmp_path / "none") == []


@pytest.mark.parametrize("module", [marker_audit, marker_picture])
def test_audit_imports_nothing_of_the_node(module: object) -> None:
    """What is wrong in the node cannot be wrong here in the same way."""
    tree = ast.parse(Path(module.__file__).read_text())  # type: ignore[attr-defined]  # a module has one
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    assert foreign <= {"scripts.fault_injection.marker_picture"}
