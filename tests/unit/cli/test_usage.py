"""What a person gets wrong in an option is refused in one line that names it, before anything is started or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2p.identity import compute_peer_id, encode_base58, is_peer_id
from sequencer.cli.cluster.blueprint import Wish, build, draw
from sequencer.cli.cluster.directory import RPC_PORT_DEFAULT, Running, make_settings
from sequencer.cli.command import CommandError
from sequencer.cli.init import parse_seats
from sequencer.cli.main import main
from sequencer.cli.workload.schedule import Schedule
from sequencer.errors import LocalError
from sequencer.node.home import NodeSettings, read_home
from sequencer.node.identity import find_own_index


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a=127.0.0.1:21500,b=127.0.0.1:21503", "share ports"),
        ("accounts=127.0.0.1:21500", "choose another name"),
        ("a=127.0.0.1:21500,a=127.0.0.1:21510", "distinct"),
        ("a=localhost:21500", "IPv4"),
        ("a=127.0.0.1:65533", "1..65532"),
    ],
)
def test_validators_that_cannot_run_are_refused(text: str, told: str) -> None:
    """A network whose ports or folders collide is never written."""
    with pytest.raises(CommandError, match=told):
        parse_seats(text)


def test_validators_side_by_side_are_taken() -> None:
    """Control: four ports apart on one host, or the same ports on two hosts, is right."""
    assert len(parse_seats("a=127.0.0.1:21500,b=127.0.0.1:21504,c=127.0.0.2:21500")) == 3


@pytest.mark.parametrize("port", [-1, 65_533, 70_000])
def test_devnet_port_without_room_for_all_is_refused(port: int) -> None:
    """Every node's RPC port must be one."""
    with pytest.raises(CommandError, match=r"--port must be 0\.\.65532"):
        make_settings(["val0", "val1", "val2", "val3"], Running(port, "os", True, (), ()))


@pytest.mark.parametrize("peer_id", ["x", "", "0OIl", encode_base58(bytes(38)), "1" * 5_000])
def test_allowed_peer_that_is_no_peer_id_is_refused(peer_id: str) -> None:
    """A misspelt id would silently never be served."""
    with pytest.raises(CommandError, match="is no peer id"):
        make_settings(["val0"], Running(RPC_PORT_DEFAULT, "os", True, (), (peer_id,)))


def test_peer_ids_of_both_kinds_are_known() -> None:
    """Control: identity of an Ed25519 key, and the SHA-256 of a longer one."""
    ids = (compute_peer_id(bytes(32)), encode_base58(b"\x12\x20" + bytes(32)))
    assert [is_peer_id(peer_id) for peer_id in ids] == [True, True]


def test_validator_without_its_vote_key_is_told_which_file_is_missing(tmp_path: Path) -> None:
    """It is not taken for a full node."""
    build(draw(Wish(1, "alpha", None, None)), tmp_path, [NodeSettings("val0", "127.0.0.1:9000")])
    (tmp_path / "val0" / "keys" / "vote.key").unlink()
    with pytest.raises(LocalError, match=r"keys/vote\.key is missing"):
        find_own_index(read_home(tmp_path / "val0"))


@pytest.mark.parametrize("seconds", [0.0, -3.0, float("nan"), float("inf")])
def test_load_without_a_finite_time_is_refused(seconds: float) -> None:
    """What is no number of seconds is named, not rounded."""
    with pytest.raises(LocalError, match="--seconds must be above 0"):
        Schedule(50, seconds, 0.1, 4)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["simulate", "--workers", "0"], "--workers must be at least 1"),
        (["simulate", "--powers", "1,1", "--validators", "4"], "powers: must be 4 numbers"),
        (["node", "--home", "no-such-home"], "no-such-home is no home"),
        (["verify", "no-such-file", "--genesis", "no-such-genesis"], "no-such-genesis cannot be read"),
        (["init", "--home", "/dev/null", "--validators", "a=127.0.0.1:21500"], "/dev/null: File exists"),
    ],
)
def test_wrong_option_is_one_line_and_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the option or the file."""
    status = main(arguments)
    text = capsys.readouterr().err
    assert (status, text.count("\n"), told in text) == (2, 1, True)
