"""`sequencer init --full-node` writes a home that `sequencer node` can run, or says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sequencer.cli.main import main
from sequencer.node.home import compute_peer_ids, read_home
from sequencer.node.identity import find_own_executor, find_own_index, make_network_configuration


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


def test_homes_of_executors_are_written_with_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One directory to carry to each host; the genesis knows their keys, validators always serve their hosts."""
    words = ["--rollups", "alpha,gamma:key_value:split=2", "--executors", "gamma=zoe@10.0.0.9:21000,gamma=yan"]
    seats = ["--validators", "a=10.0.0.1:21500", "--home", str(tmp_path / "net"), "--json"]
    assert main(["init", *words, *seats]) == 0
    told = json.loads(capsys.readouterr().out)
    validator, *executors = (read_home(Path(home)) for home in told["homes"])
    assert [home.settings.name for home in executors] == ["yan", "zoe"]
    assert [home.settings.open for home in executors] == ["127.0.0.1:0", "10.0.0.9:21000"]
    assert [home.settings.rpc for home in executors] == ["127.0.0.1:8700", "127.0.0.1:8701"]
    identities = [find_own_executor(home) for home in executors]
    assert [(one.rollup, one.index) if one else None for one in identities] == [(2, 0), (2, 1)]
    assert {home.accounts for home in executors} == {None}
    assert set(validator.settings.peer_ids_allowed) == {compute_peer_ids(home.keys)["open"] for home in executors}


@pytest.mark.parametrize(
    ("executors", "told"),
    [
        ("gamma=x", "gamma has 2 executors, 1 are named"),
        ("gamma=x,gamma=y,alpha=z", "alpha has 0 executors, 1 are named"),
        ("gamma=x,gamma=x", "names must be distinct"),
        ("gamma=x,gamma=a", "no validator's"),
        ("gamma=x,delta", "must be ROLLUP=NAME"),
        ("gamma=x,gamma=y@there", "'there' is not HOST:PORT"),
        ("gamma=x,gamma=accounts", "must be ROLLUP=NAME"),
    ],
)
def test_executors_that_do_not_fit_the_rollups_are_refused(
    executors: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written, and the wrong part is named."""
    words = ["--rollups", "alpha,gamma:key_value:split=2", "--executors", executors]
    assert main(["init", "--validators", "a=10.0.0.1:21500", "--home", str(tmp_path / "net"), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "net").exists()
