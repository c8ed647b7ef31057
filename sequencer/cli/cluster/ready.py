"""Tell programs that a devnet is ready: the ready file, and where the newest devnet is found.

The ready file appears by rename when every node answers and height is at least 1. A second copy
lies at a place known to all commands of this user, so `sequencer example swap` needs no URL:
`$XDG_RUNTIME_DIR/sequencer/devnet.json`, or `sequencer-<uid>/devnet.json` in the system's temporary folder.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sequencer.cli.cluster.children import Child
    from sequencer.node.home import Home


def make_ready(directory: Path, homes: Sequence[Home], children: Sequence[Child]) -> dict[str, object]:
    """Return the members of the ready file; validators come first among the homes."""
    from sequencer.cli.cluster.directory import ACCOUNT_FOLDER, GENESIS_FILE

    genesis = homes[0].genesis
    nodes = [(home, _describe(home, child)) for home, child in zip(homes, children, strict=True)]
    return {
        "rpc": children[0].rpc,
        "chain_id": "0x" + genesis.chain_id.hex(),
        "genesis": str(directory / GENESIS_FILE),
        "rollups": [{"name": r.name, "machine": r.machine, "kind": r.kind.value} for r in genesis.rollups],
        "validators": [node for home, node in nodes if home.keys.vote is not None],
        "executors": [{**node, "rollup": home.settings.executes} for home, node in nodes if home.settings.executes],
        "full_nodes": [node for home, node in nodes if home.keys.vote is None and not home.settings.executes],
        "accounts": [
            {
                "name": account.name,
                "address": "0x" + account.address.hex(),
                "key_file": str(directory / ACCOUNT_FOLDER / f"{account.name}.key"),
            }
            for account in homes[0].accounts or ()
        ],
    }


def _describe(home: Home, child: Child) -> dict[str, object]:
    from sequencer.node.home import compute_peer_ids, get_p2p_addresses

    return {
        "name": home.settings.name,
        "peer_ids": compute_peer_ids(home.keys),
        "p2p": get_p2p_addresses(home),
        "rpc": child.rpc,
        "pid": child.pid,
        "home": str(home.path),
    }


def write_ready(path: Path, ready: Mapping[str, object]) -> None:
    """Write the file whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(ready, indent=1) + "\n")
    partial.replace(path)


def get_known_path() -> Path:
    """Return where the newest devnet of this user is described."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "sequencer" if runtime else Path(tempfile.gettempdir()) / f"sequencer-{os.getuid()}"
    return folder / "devnet.json"


def publish(ready: Mapping[str, object]) -> None:
    """Write the copy at the known place; where that folder is not ours nothing is written, and commands need --rpc."""
    path = get_known_path()
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid == os.getuid():
            write_ready(path, ready)


def withdraw(ready: Mapping[str, object]) -> None:
    """Remove the copy if it still describes this devnet."""
    if read_published() == json.loads(json.dumps(ready)):
        get_known_path().unlink(missing_ok=True)


def read_published() -> dict[str, object] | None:
    """Return the newest devnet of this user, or None; one of another user is not looked at."""
    path = get_known_path()
    try:
        if path.stat().st_uid != os.getuid():
            return None
        ready = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return ready if isinstance(ready, dict) else None
