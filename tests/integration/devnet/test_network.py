"""Four validators in four processes order bundles that take effect everywhere or nowhere."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sequencer.node.home import read_home
from tests.integration.devnet.running import Devnet, start_devnet


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """One network for all tests of this file; it must end clean too."""
    with start_devnet(tmp_path_factory.mktemp("devnet"), "--seed", "7", "--full-nodes", "1") as running:
        yield running
        assert running.stop(signal.SIGINT) == 0
        assert running.wait_for_orphans() == []


def test_ready_file_has_the_frozen_fields(devnet: Devnet) -> None:
    """Programs rely on these names."""
    ready = json.loads(devnet.ready_file.read_text())
    assert list(ready) == [
        "rpc",
        "chain_id",
        "genesis",
        "rollups",
        "validators",
        "executors",
        "full_nodes",
        "accounts",
    ]
    assert list(ready["validators"][0]) == ["name", "peer_ids", "p2p", "rpc", "pid", "home"]
    assert list(ready["full_nodes"][0]) == ["name", "peer_ids", "p2p", "rpc", "pid", "home"]
    assert [(rollup["name"], rollup["machine"]) for rollup in ready["rollups"]] == [
        ("alpha", "transfer"),
        ("beta", "amm"),
        ("gamma", "key_value"),
    ]
    assert all(Path(account["key_file"]).is_file() for account in ready["accounts"])


def test_every_node_is_a_process_that_owns_its_sockets(devnet: Devnet) -> None:
    """Validators listen on four ports each, a full node on two, below the range that the system hands out."""
    entries = (*devnet.ready["validators"], *devnet.ready["full_nodes"])
    for node, entry in zip(devnet.nodes, entries, strict=True):
        listening = {c.laddr.port for c in node.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
        told = {int(address.rpartition("/")[2]) for address in entry["p2p"].values()}
        told.add(int(entry["rpc"].rpartition(":")[2]))
        assert listening == told
        assert max(listening) < 32_768
    assert len({node.pid for node in devnet.nodes}) == 5


def test_example_swap_keeps_all_or_nothing(devnet: Devnet) -> None:
    """One exchange commits, the other aborts, both proven."""
    assert devnet.ask("example", "swap")["kept"]


def test_example_message_arrives_once(devnet: Devnet) -> None:
    """The validators deliver it without the client's doing."""
    assert devnet.ask("example", "message")["kept"]


def test_load_over_all_ends_is_clean(devnet: Devnet) -> None:
    """A short run: everything final, every outcome right, nothing partial."""
    result = devnet.ask("load", "--rate", "30", "--seconds", "3", "--bundles", "0.2")
    assert (result["sent"], result["final"], result["unknown"], result["bundles_partial"]) == (90, 90, 0, 0)


def test_full_node_carries_what_its_clients_send(devnet: Devnet) -> None:
    """A transaction handed to it alone becomes final, and it proves so."""
    url = devnet.ready["full_nodes"][0]["rpc"]
    assert devnet.ask("status", "--rpc", url)["role"] == "full"
    words = ("--from", "bob", "--to", "dave", "--amount", "3", "--rpc", url)
    assert devnet.ask("tx", "send", *words)["status"] == "committed"


def test_receipt_of_a_transfer_verifies_against_the_genesis_file(devnet: Devnet, tmp_path: Path) -> None:
    """What the network decided convinces a stranger who has only the genesis."""
    sent = devnet.ask("tx", "send", "--from", "carol", "--to", "dave", "--amount", "3")
    devnet.ask("receipt", sent["id"], "--out", str(tmp_path / "receipt"))
    assert devnet.ask("verify", str(tmp_path / "receipt"), "--genesis", devnet.ready["genesis"])["verified"] == 1


def test_nodes_agree_on_the_commitment_of_a_height(devnet: Devnet) -> None:
    """Each node computed it by itself."""
    urls = [entry["rpc"] for entry in (*devnet.ready["validators"], *devnet.ready["full_nodes"])]
    height = min(devnet.call(url, "seq_status")["height"] for url in urls)
    blocks = [devnet.call(url, "seq_getBlock", height=height) for url in urls]
    assert len({block["commitment"]["digest"] for block in blocks}) == 1


def test_second_process_on_a_home_exits_2(devnet: Devnet) -> None:
    """Two processes with one key would contradict each other."""
    home = devnet.ready["validators"][0]["home"]
    done = devnet.run("node", "--home", home)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert read_home(Path(home)).settings.name == "val0"
