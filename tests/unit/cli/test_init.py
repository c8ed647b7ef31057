"""`sequencer init --full-node` writes a home that `sequencer node` can run, or says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sequencer.cli.main import main
from sequencer.node.home import read_home
from sequencer.node.node import find_own_index, make_network_configuration


@pytest.fixture(scope="module")
def genesis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The genesis file of a network of three validators on real hosts."""
    folder = tmp_path_factory.mktemp("network") / "net"
    seats = "a=10.0.0.1:21500,b=10.0.0.2:21500,c=10.0.0.3:21500"
    assert main(["init", "--validators", seats, "--home", str(folder)]) == 0
    return folder / "genesis.bin"


def init(genesis: Path, home: Path, *words: str) -> int:
    return main(["init", "--full-node", "--genesis", str(genesis), "--home", str(home), *words, "--json"])


def test_full_node_follows_every_validator_of_its_genesis(
    genesis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has one key, no vote, and knows whom to dial."""
    assert init(genesis, tmp_path / "full") == 0
    told = json.loads(capsys.readouterr().out)
    home = read_home(tmp_path / "full")
    network = make_network_configuration(home, find_own_index(home))
    assert told["follows"] == [peer.name for peer in network.peers] == ["a", "b", "c"]
    assert network.peers[1].open.address == "/ip4/10.0.0.2/tcp/21502"
    assert (network.votes, network.data, home.accounts) == (None, None, None)
    assert home.settings.rpc == "127.0.0.1:8700"


def test_full_node_follows_whom_it_is_told(genesis: Path, tmp_path: Path) -> None:
    """By name, and at another address where one is given."""
    assert (
        init(genesis, tmp_path / "full", "--peers", "c,a=192.0.2.7:99", "--rpc", "127.0.0.1:1", "--name", "mine") == 0
    )
    home = read_home(tmp_path / "full")
    peers = make_network_configuration(home, None).peers
    assert [(peer.name, peer.open.address) for peer in peers] == [
        ("c", "/ip4/10.0.0.3/tcp/21502"),
        ("a", "/ip4/192.0.2.7/tcp/99"),
    ]
    assert (home.settings.name, home.settings.rpc) == ("mine", "127.0.0.1:1")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--peers", "a,stranger"], "stranger is no validator"),
        (["--peers", "a=nowhere"], "peers: must be NAME or NAME=HOST:PORT"),
        (["--rpc", "here"], "rpc must be HOST:PORT"),
        (["--name", "b"], "is a validator of this network"),
        (["--validators", "a=10.0.0.1:21500"], "takes no --validators"),
    ],
)
def test_full_node_that_cannot_run_is_not_written(
    genesis: Path, tmp_path: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line names the option."""
    assert init(genesis, tmp_path / "full", *words) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "full").exists()


def test_full_node_without_a_genesis_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the only thing that it trusts."""
    assert main(["init", "--full-node", "--home", str(tmp_path / "full")]) == 2
    assert "needs --genesis FILE" in capsys.readouterr().err
    assert init(tmp_path / "none.bin", tmp_path / "full") == 2
    assert "cannot be read" in capsys.readouterr().err


def test_options_of_full_nodes_are_refused_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A forgotten --full-node does not make a new network."""
    assert main(["init", "--home", str(tmp_path / "net"), "--validators", "a=10.0.0.1:21500", "--peers", "a"]) == 2
    assert "belong to --full-node" in capsys.readouterr().err
