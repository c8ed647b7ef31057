"""Programs find a devnet by its ready file; people by the page made from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sequencer.cli.cluster import ready
from sequencer.cli.cluster.page import make_page

READY: dict[str, Any] = {
    "rpc": "http://127.0.0.1:8600",
    "chain_id": "0x" + "ab" * 32,
    "genesis": "/x/genesis.bin",
    "rollups": [
        {"name": "alpha", "machine": "transfer", "kind": "native"},
        {"name": "gamma", "machine": "key_value", "kind": "split"},
    ],
    "validators": [
        {
            "name": f"val{index}",
            "peer_ids": {"votes": f"12D3KooWvotes{index}xyz"},
            "p2p": {"votes": "/ip4/127.0.0.1/tcp/21000"},
            "rpc": f"http://127.0.0.1:{8600 + index}",
            "pid": 100 + index,
            "home": f"/x/val{index}",
        }
        for index in range(10)
    ],
    "executors": [
        {
            "name": "gamma-0",
            "peer_ids": {"open": "12D3KooWgamma"},
            "p2p": {"open": "/ip4/127.0.0.1/tcp/22001"},
            "rpc": "http://127.0.0.1:8611",
            "pid": 300,
            "home": "/x/gamma-0",
            "rollup": "gamma",
        }
    ],
    "full_nodes": [
        {
            "name": "full0",
            "peer_ids": {"open": "12D3KooWfull"},
            "p2p": {"open": "/ip4/127.0.0.1/tcp/22000"},
            "rpc": "http://127.0.0.1:8610",
            "pid": 200,
            "home": "/x/full0",
        }
    ],
    "accounts": [{"name": "alice", "address": "0x" + "cd" * 32, "key_file": "/x/accounts/alice.key"}],
}


@pytest.fixture(autouse=True)
def _own_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def test_ready_file_appears_whole(tmp_path: Path) -> None:
    """Nothing but the finished file is left behind."""
    path = tmp_path / "out" / "ready.json"
    path.parent.mkdir()
    ready.write_ready(path, READY)
    assert json.loads(path.read_text()) == READY
    assert list(path.parent.iterdir()) == [path]


def test_published_devnet_is_found_and_withdrawn() -> None:
    """Commands without --rpc find the newest devnet, until it ends."""
    ready.publish(READY)
    assert ready.read_published() == READY
    ready.withdraw(READY)
    assert ready.read_published() is None


def test_older_devnet_does_not_withdraw_a_newer_one() -> None:
    """The one that ends removes only what describes itself."""
    ready.publish({**READY, "rpc": "http://127.0.0.1:9999"})
    ready.withdraw(READY)
    assert ready.read_published() is not None


def test_page_names_what_a_person_needs() -> None:
    """URL, rollups, validators with pids, accounts and a command to try; long lists are cut."""
    page = "\n".join(make_page("0.1.0", READY, 1.94, "seed 42", "/x"))
    for text in (
        "http://127.0.0.1:8600",
        "ready in 1.9 s",
        "seed 42",
        "alpha (transfer)",
        "gamma (key_value, split)",
        "Executors   gamma-0",
        "pid 300",
        "pid 107",
        "Full nodes  full0",
        "pid 200",
        "2 more",
        "alice",
    ):
        assert text in page
    assert "pid 108" not in page


def list_things_to_try(*rollups: tuple[str, str, str]) -> str:
    named = [dict(zip(("name", "machine", "kind"), rollup, strict=True)) for rollup in rollups]
    executors = READY["executors"] if any(rollup[2] == "split" for rollup in rollups) else []
    page = make_page("0.1.0", {**READY, "rollups": named, "executors": executors}, 1.0, "seed 42", "/x")
    return "\n".join(page).partition("Try:")[2]


def test_page_offers_what_its_rollups_allow() -> None:
    """No command is shown that ends in an error on this network."""
    alpha, beta = ("alpha", "transfer", "native"), ("beta", "amm", "native")
    plain = list_things_to_try(alpha, beta)
    split = list_things_to_try(alpha, beta, ("delta", "transfer", "split"))
    neither = list_things_to_try(alpha, ("gamma", "key_value", "split"))
    assert ["example swap" in text for text in (plain, split, neither)] == [True, True, False]
    assert ["example split_swap" in text for text in (plain, split, neither)] == [False, True, False]
    assert ["bundle why" in text for text in (plain, split, neither)] == [False, True, True]
    assert ["kill -STOP 300" in text for text in (plain, split, neither)] == [False, True, True]
