"""A devnet that cannot run says why; one whose port was taken meanwhile is drawn again."""

from __future__ import annotations

import argparse
import socket
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sequencer.cli import devnet
from sequencer.cli.cluster.blueprint import Wish
from sequencer.cli.cluster.directory import Running, create, resume
from sequencer.cli.command import CommandError
from sequencer.cli.main import main
from sequencer.cli.signals import Remembered
from sequencer.errors import LocalError
from sequencer.node.home import compute_peer_ids, get_p2p_addresses, read_home
from sequencer.node.identity import find_own_executor, find_own_index, make_network_configuration

RUNNING = Running(0, "os", True, (), ())
PEER_ID = "12D3KooWGXKVpoxHAXg1sRPyz5u3CaD6YZnWRT5Eg3f6zSyxKrjk"
WISH = Wish(2, "alpha", 1, None)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--full-nodes", "-1"], "--full-nodes must be 0..16"),
        (["--full-nodes", "1", "--lane-off", "full0"], "there is no such validator"),
        (["--rollups", "alpha:amm:split=x"], "must be split=N"),
        (["--behave", "gamma-0=lying-executor"], "there is no such executor"),
        (["--rollups", "alpha,gamma:split=3", "--behave", "gamma-3=lying-executor"], "there is no such executor"),
        (["--rollups", "alpha,gamma:split=3", "--behave", "gamma-0=honest"], "--behave gamma-0=honest: must be"),
        (["--rollups", "alpha,gamma:split=3", "--lane-off", "gamma-0"], "there is no such validator"),
        (["--rollups", "alpha:evm"], "no machine is called"),
        (["--validators", "0"], "--validators must be"),
        (["--lane-off", "val9"], "there is no such validator"),
        (["--retain", "0"], "retain_heights"),
    ],
)
def test_wish_that_cannot_be_met_exits_2_with_the_reason(
    words: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is started for a wrong option."""
    assert main(["devnet", "--home", str(tmp_path / "net"), *words]) == 2
    assert text in capsys.readouterr().err


def test_directory_with_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody's files are mixed with a network's, or lost."""
    (tmp_path / "letter.txt").write_text("dear")
    assert main(["devnet", "--home", str(tmp_path)]) == 2
    assert "is not empty and holds no devnet" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]


def make_starts(errors: list[Exception], seen: list[list[str]]) -> Callable[..., None]:
    """Starts that fail with each of `errors` in turn, after having written something."""

    def start(directory: Path, *_: object) -> None:
        seen.append([entry.name for entry in directory.iterdir()])
        (directory / "val0").mkdir()
        (directory / "devnet.json").touch()
        if errors:
            raise errors.pop(0)

    return start


def run_starts(folder: Path, monkeypatch: pytest.MonkeyPatch, port: int | None, *errors: Exception) -> list[list[str]]:
    seen: list[list[str]] = []
    monkeypatch.setattr(devnet, "_run_once", make_starts(list(errors), seen))
    devnet._run_in(folder, argparse.Namespace(port=port), 0.0, Remembered())
    return seen


def test_port_taken_between_choice_and_bind_is_chosen_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new network starts over in an empty directory."""
    taken = ExceptionGroup("nursery", [CommandError("p2p port 20000 is used", "port_busy")])
    assert run_starts(tmp_path, monkeypatch, 0, taken) == [[], []]


@pytest.mark.parametrize(
    ("port", "error"), [(8600, CommandError("busy", "port_busy")), (0, CommandError("no block", "failed"))]
)
def test_other_failures_are_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, error: Exception
) -> None:
    """A port that the user asked for, and any other error, are told at once."""
    with pytest.raises(CommandError):
        run_starts(tmp_path, monkeypatch, port, error)


def test_resumed_network_keeps_its_rpc_ports(tmp_path: Path) -> None:
    """Programs find the nodes where they were."""
    made = create(tmp_path / "net", WISH, RUNNING)
    again = resume(tmp_path / "net", Running(None, "fsync", True, (), ()))
    assert [home.settings.rpc for home in again] == [home.settings.rpc for home in made]
    assert [home.settings.durability for home in again] == ["fsync", "fsync"]


def test_resumed_network_whose_p2p_port_is_taken_names_it(tmp_path: Path) -> None:
    """The genesis names the port, so no other one will do."""
    made = create(tmp_path / "net", WISH, RUNNING)
    port = int(made[1].genesis.validators[1].data.address.rpartition("/")[2])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(CommandError, match=f"val1 needs port {port}"):
        resume(tmp_path / "net", RUNNING)


def test_lane_off_reaches_only_the_named_validator(tmp_path: Path) -> None:
    """The switch is part of that node's settings."""
    made = create(tmp_path / "net", WISH, Running(0, "os", False, ("val1",), (PEER_ID,)))
    assert [home.settings.is_lane_enabled for home in made] == [True, False]
    assert {home.settings.is_gossip_enabled for home in made} == {False}
    assert {home.settings.peer_ids_allowed for home in made} == {(PEER_ID,)}


def test_full_nodes_have_one_key_and_the_same_network(tmp_path: Path) -> None:
    """They come behind the validators, know the accounts as these do, and listen where the ready file says."""
    made = create(tmp_path / "net", WISH, replace(RUNNING, full_nodes=2))
    assert [home.settings.name for home in made] == ["val0", "val1", "full0", "full1"]
    full = made[2]
    assert (full.genesis, full.accounts) == (made[0].genesis, made[0].accounts)
    assert (full.keys.vote, full.keys.votes, full.keys.data) == (None, None, None)
    assert find_own_index(full) is None
    assert make_network_configuration(full, None).open.address == get_p2p_addresses(full)["open"]


def test_executors_have_homes_that_resume(tmp_path: Path) -> None:
    """Keys, ports and rollup stay; who lies is said anew each time; validators always serve them."""
    wish = replace(WISH, rollups="alpha,gamma:key_value:split=3")
    lying = replace(RUNNING, full_nodes=1, behaviours=("gamma-1=lying-executor",))
    made = create(tmp_path / "net", wish, lying)
    again = resume(tmp_path / "net", Running(None, "os", True, (), ()))
    assert [home.settings.name for home in made] == ["val0", "val1", "gamma-0", "gamma-1", "gamma-2", "full0"]
    assert [home.settings.executes for home in made] == ["", "", "gamma", "gamma", "gamma", ""]
    assert [home.settings.behaviour for home in made[2:5]] == ["", "lying-executor", ""]
    assert [home.settings.behaviour for home in again[2:5]] == ["", "", ""]
    assert [replace(home.settings, behaviour="") for home in made] == [home.settings for home in again]
    assert [home.keys for home in again] == [home.keys for home in made]
    peer_ids = tuple(compute_peer_ids(home.keys)["open"] for home in made[2:5])
    assert [home.settings.peer_ids_allowed for home in made] == [peer_ids] * 2 + [()] * 3 + [peer_ids]
    identities = [find_own_executor(home) for home in made]
    assert [(one.rollup, one.index) if one else None for one in identities] == [
        None,
        None,
        (2, 0),
        (2, 1),
        (2, 2),
        None,
    ]
    assert stat.S_IMODE((tmp_path / "net" / "gamma-0" / "keys" / "executor.key").stat().st_mode) == 0o600


def test_home_whose_executor_key_is_not_its_own_is_refused(tmp_path: Path) -> None:
    """Whoever copies a home and changes half of it reads which half is wrong."""
    wish = replace(WISH, rollups="alpha:split=1,gamma:key_value:split=1")
    of_alpha, of_gamma = create(tmp_path / "net", wish, RUNNING)[2:]
    with pytest.raises(LocalError, match="of no executor that the genesis names for gamma"):
        find_own_executor(replace(of_gamma, keys=of_alpha.keys))
    with pytest.raises(LocalError, match="belong together"):
        find_own_executor(replace(of_gamma, keys=replace(of_gamma.keys, executor=None)))
    with pytest.raises(LocalError, match="belong together"):
        find_own_executor(replace(of_gamma, settings=replace(of_gamma.settings, executes="")))


def test_liar_outside_a_devnet_is_refused(tmp_path: Path) -> None:
    """Misbehaving on purpose is for networks that hold nothing of worth."""
    running = replace(RUNNING, behaviours=("gamma-0=lying-executor",))
    home = create(tmp_path / "net", replace(WISH, rollups="gamma:key_value:split=1"), running)[2]
    (home.path / "accounts.json").unlink()
    with pytest.raises(LocalError, match="behaviour lying-executor is for devnets only"):
        read_home(home.path)


def test_resumed_network_keeps_its_full_nodes_and_gets_more(tmp_path: Path) -> None:
    """Whoever asks for fewer still has those that are there; a new one has an address of its own."""
    made = create(tmp_path / "net", WISH, replace(RUNNING, full_nodes=1))
    again = resume(tmp_path / "net", Running(None, "os", True, (), ()))
    assert [home.settings for home in again] == [home.settings for home in made]
    more = resume(tmp_path / "net", Running(0, "os", True, (), (), full_nodes=3))
    assert [home.settings.name for home in more] == ["val0", "val1", "full0", "full1", "full2"]
    assert more[2].keys == made[2].keys
    assert len({get_p2p_addresses(home)["open"] for home in more}) == 5
    assert len({home.settings.rpc for home in more}) == 5
