"""`sequencer verify` takes evidence as bytes or as the JSON that the RPC gives, and opens no socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest

from sequencer.cli.cluster.blueprint import Blueprint, Wish, draw
from sequencer.cli.cluster.rollups import ROLLUPS_DEFAULT
from sequencer.cli.main import main
from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.types.evidence import Statement, encode_evidence, find_contradiction
from sequencer.types.signing import SignatureKind, compute_signing_bytes

DRAWN = draw(Wish(4, ROLLUPS_DEFAULT, 5, None))


def make_evidence(drawn: Blueprint, signer: int = 2, view: int = 9) -> bytes:
    """Return evidence X3 against a validator whose key is used twice."""
    key = drawn.keys[signer].vote
    assert key is not None
    statements = []
    for kind, digest in ((SignatureKind.NULLIFY, ZERO_DIGEST), (SignatureKind.FINALIZE, bytes(31) + b"1")):
        message = compute_signing_bytes(drawn.genesis.chain_id, 0, kind, view, digest)
        statements.append(Statement(kind, 0, signer, view, digest, Ed25519Signer(key).sign(message)))
    found = find_contradiction(*statements)
    assert found is not None
    return encode_evidence(found)


def make_element(data: bytes) -> dict[str, str]:
    return {"rule": "X3", "bytes": "0x" + data.hex()}


@pytest.fixture
def genesis(tmp_path: Path) -> Path:
    path = tmp_path / "genesis.bin"
    path.write_bytes(DRAWN.genesis.to_bytes())
    return path


def verify(path: Path, genesis: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """Run the command; return its status and its JSON lines but the last."""
    status = main(["verify", str(path), "--genesis", str(genesis), "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()[:-1]]


def write(path: Path, form: str, data: bytes) -> Path:
    """Write evidence in one of the forms that are accepted."""
    values: dict[str, object] = {
        "element": make_element(data),
        "list": [make_element(data)],
        "answer": {"jsonrpc": "2.0", "id": 1, "result": [make_element(data)]},
    }
    path.write_bytes(data if form == "bytes" else json.dumps(values[form]).encode())
    return path


@pytest.mark.parametrize("form", ["bytes", "element", "list", "answer"])
def test_evidence_in_any_form_is_valid(
    form: str, tmp_path: Path, genesis: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The offender is named, exit 0, and no socket is opened."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("verify opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    status, answers = verify(write(tmp_path / "evidence", form, make_evidence(DRAWN)), genesis, capsys)
    assert status == 0
    assert [(one["valid"], one["rule"], one["validator"], one["view"]) for one in answers] == [(True, "X3", "val2", 9)]


@pytest.mark.parametrize("form", ["bytes", "element", "list", "answer"])
def test_evidence_with_one_byte_changed_is_refused_with_the_reason(
    form: str, tmp_path: Path, genesis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1: it proves nothing, whatever the JSON around it says."""
    changed = bytearray(make_evidence(DRAWN))
    changed[-1] ^= 1
    status, answers = verify(write(tmp_path / "evidence", form, bytes(changed)), genesis, capsys)
    assert status == 1
    assert "second signature is not one of validator 2" in answers[0]["reason"]


@pytest.mark.parametrize("text", ["[]", "{", '{"bytes": "0x"}', '[{"rule": "X1"}]', '{"result": 1}'])
def test_json_that_holds_no_evidence_is_refused(
    text: str, tmp_path: Path, genesis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty list proves nothing either."""
    path = tmp_path / "evidence.json"
    path.write_text(text)
    status, answers = verify(path, genesis, capsys)
    assert (status, [answer["valid"] for answer in answers]) == (1, [False])


def test_one_false_piece_in_a_list_makes_the_file_fail(
    tmp_path: Path, genesis: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each piece has its own answer, named by its place."""
    other = draw(Wish(4, ROLLUPS_DEFAULT, 6, None))
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps([make_element(make_evidence(DRAWN)), make_element(make_evidence(other))]))
    status, answers = verify(path, genesis, capsys)
    assert (status, [answer["valid"] for answer in answers]) == (1, [True, False])
    assert answers[1]["file"] == f"{path}[1]"
