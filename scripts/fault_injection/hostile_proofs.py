"""Get proofs of every kind from a network, alter each as a liar would, and verify them with no network: all told apart?

    python -m scripts.fault_injection.hostile_proofs

The command line is run where no socket can be opened; as root, in a network namespace without any network.
Exit status: 0 all claims hold, 1 one is broken, 2 it could not run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from scripts.fault_injection.cluster import Cluster, is_running, wait_until
from scripts.fault_injection.hostile_files import ALTERATIONS
from scripts.fault_injection.markers import ASSET, VALID_UNTIL, Marker, MarkerWallet
from scripts.fault_injection.offline import SOCKET_STATUS, make_offline_command
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.verify_receipts import flip
from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import VerificationError
from sequencer.light import FileView, StateProofView, verify_file
from sequencer.sdk.building import Account, BundleBuilder, operation, sign_bundle
from sequencer.types.genesis import Genesis
from sequencer.types.message import compute_message_id

ROLLUPS = "alpha,beta:transfer,gamma:transfer:split=3"
DECIDE_WITHIN = 32
ALONE = 12
"""Bundles on alpha alone, so that some height has several of them."""
LISTED_MIN = 3
ABSENT_KEY = "kv/nobody"
FINAL_SECONDS_MAX = 60.0


def main() -> int:
    """Get the files, stop everything, verify."""
    return run("Prove items, lists, absence, outcomes, values and verdicts: is every lie refused offline?", prove)


def prove(report: Report) -> None:
    """Judge genuine files, then every alteration of one."""
    with tempfile.TemporaryDirectory(prefix="hostile-proofs-") as name:
        folder = Path(name)
        genesis, unlisted = fetch(folder, report)
        for kind in sorted({alteration.kind for alteration in ALTERATIONS}):
            answer, status = verify(folder, kind)
            size = (folder / kind).stat().st_size
            report.claim(answer["valid"] and status == 0, f"genuine {kind}: accepted, exit {status}, {size} bytes")
        tell_lies(folder, report)
        check_control(report)
        ask_for_absent(folder, unlisted, report)
        flip_bytes(folder, genesis, report)


def fetch(folder: Path, report: Report) -> tuple[Genesis, str]:
    """Save one file of each kind from a devnet that is dead on return; return the genesis and an id of no list."""
    with Cluster("--rollups", ROLLUPS) as cluster:
        wallet = MarkerWallet(cluster, folder / "markers.jsonl")
        alone = [wallet.sign(("alpha",), decide_within=0) for _ in range(ALONE)]
        committed = wallet.sign(("alpha", "gamma"), decide_within=DECIDE_WITHIN)
        aborted = wallet.sign(("alpha", "gamma"), decide_within=DECIDE_WITHIN, false_on="gamma")
        wallet.send([*alone, committed, aborted])
        for marker in (*alone, committed, aborted):
            wait_until(partial(is_final, cluster, marker), FINAL_SECONDS_MAX, f"{marker.id} is final")
        height = find_height(cluster, "alpha", "beta")
        save(cluster, folder, "list", "list", rollup="alpha", height=height)
        save(cluster, folder, "absence", "list", rollup="beta", height=height)
        save(cluster, folder, "committed", "outcome", id=committed.id)
        save(cluster, folder, "aborted", "outcome", id=aborted.id)
        save(cluster, folder, "inclusion", "inclusion", id=committed.id)
        save(cluster, folder, "verdict", "verdict", id=committed.id, rollup="gamma")
        save_values(cluster, folder, committed)
        save_message(cluster, wallet.genesis, folder)
        (folder / "genesis.bin").write_bytes(wallet.genesis.to_bytes())
        pids = [cluster.get_pid(name) for name in (*cluster.names, *cluster.executor_names)]
    dead = sum(not is_running(pid) for pid in pids)
    report.claim(dead == len(pids), f"{dead} of {len(pids)} nodes are dead")
    return wallet.genesis, wallet.sign(("alpha",), decide_within=0).id


def is_final(cluster: Cluster, marker: Marker) -> bool:
    """Tell whether a certificate covers the outcome."""
    return bool(cluster.call("val0", "seq_getTransactionReceipt", id=marker.id)["is_final"])


def find_height(cluster: Cluster, listed: str, missing: str) -> int:
    """Return a certified height with several items of one rollup and none of another."""
    status = cluster.call("val0", "seq_status")
    for block in cluster.get_blocks("val0", 1, status["certified_height"] + 1):
        counts = {entry["rollup"]: len(entry["leaves"]) for entry in block["rollups"]}
        if counts.get(listed, 0) >= LISTED_MIN and not counts.get(missing, 0):
            return int(block["height"])
    raise RuntimeError(f"no height has {LISTED_MIN} items of {listed} and none of {missing}")


def save(cluster: Cluster, folder: Path, name: str, kind: str, node: str = "val0", **question: object) -> None:
    """Save a proof with `sequencer proof`, as a person would."""
    options = [word for option, value in question.items() for word in (f"--{option}", str(value))]
    command = [sys.executable, "-m", "sequencer", "proof", kind, *options, "--rpc", cluster.get_url(node)]
    done = subprocess.run(
        [*command, "--out", str(folder / name)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"sequencer proof {kind} for {name}: {done.stderr.strip()}")


def save_values(cluster: Cluster, folder: Path, marker: Marker) -> None:
    """Save what an executor proves of its rollup: the marker's value once it is certified, and the absence of a key."""
    executor = cluster.executor_names[0]

    def is_certified() -> bool:
        try:
            answer = cluster.call(executor, "seq_getProof", kind="state", rollup="gamma", key=marker.key)
        except RuntimeError:
            return False
        return answer["value"] is not None

    wait_until(is_certified, FINAL_SECONDS_MAX, "gamma's executors certified a row with the marker")
    save(cluster, folder, "state", "state", executor, rollup="gamma", key=marker.key)
    save(cluster, folder, "absent key", "state", executor, rollup="gamma", key=ABSENT_KEY)


def save_message(cluster: Cluster, genesis: Genesis, folder: Path) -> None:
    """Send an amount from alpha to beta, and save the proof that it left; it may have arrived meanwhile."""
    entry = next(entry for entry in cluster.ready["accounts"] if entry["name"] == "alice")
    alice = Account(bytes.fromhex(Path(entry["key_file"]).read_text().strip()))
    source, destination = (genesis.get_rollup_by_name(name).id for name in ("alpha", "beta"))
    sending = operation("send", destination, ASSET, alice.address, 5)
    bundle = BundleBuilder(genesis).add_leg("alpha", alice, [sending]).build(alice, 0, 0, valid_until=VALID_UNTIL)
    signed = sign_bundle(bundle, [alice])
    cluster.call("val0", "seq_sendTransaction", transaction={"item": "0x" + signed.item_bytes.hex()})
    question: dict[str, Any] = {"rollup": "alpha", "id": "0x" + compute_message_id(source, bundle.id, 0, 0).hex()}

    def is_provable() -> bool:
        try:
            cluster.call("val0", "seq_getProof", kind="message", **question)
        except RuntimeError:
            return False
        return True

    wait_until(is_provable, FINAL_SECONDS_MAX, "the message is provable")
    save(cluster, folder, "message", "message", **question)


def verify(folder: Path, name: str, *options: str) -> tuple[dict[str, Any], int]:
    """Run `sequencer verify` without a network; return what it says of the file, and its exit status."""
    words = ("verify", str(folder / name), *options, "--genesis", str(folder / "genesis.bin"), "--json")
    done = subprocess.run(
        [*make_offline_command(), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return json.loads(done.stdout.splitlines()[0]), done.returncode


def tell_lies(folder: Path, report: Report) -> None:
    """Alter each genuine file in every way; each must be refused with its reason."""
    for number, lie in enumerate(ALTERATIONS):
        altered = lie.change((folder / lie.kind).read_bytes())
        (folder / f"lie-{number}").write_bytes(altered)
        answer, status = verify(folder, f"lie-{number}")
        reason = str(answer.get("reason", ""))
        is_refused = not answer["valid"] and status == 1 and lie.reason in reason
        report.claim(is_refused, f"{lie.kind}: {lie.name}: exit {status}, {reason or 'accepted'}")


def ask_for_absent(folder: Path, unlisted: str, report: Report) -> None:
    """An id is absent from a whole list iff the list does not name it."""
    listed = verify(folder, "list")[0]["ids"][0]
    answer, status = verify(folder, "list", "--absent", unlisted)
    report.claim(answer["valid"] and status == 0, f"list: {unlisted[:10]} is absent, exit {status}")
    answer, status = verify(folder, "list", "--absent", listed)
    report.claim(not answer["valid"] and status == 1, f"list: exit {status}, {answer.get('reason')}")


def check_control(report: Report) -> None:
    """A command that needs a node does try to open a socket, and is stopped."""
    command = [*make_offline_command(), "status", "--rpc", "http://127.0.0.1:1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    is_stopped = done.returncode == SOCKET_STATUS
    report.claim(is_stopped, f"control: `status` is stopped at its first socket, exit {done.returncode}")


def flip_bytes(folder: Path, genesis: Genesis, report: Report) -> None:
    """Turn over one bit of every byte of every genuine file; no flip may change what is said of the same question."""
    for kind in sorted({alteration.kind for alteration in ALTERATIONS}):
        data = (folder / kind).read_bytes()
        views = [read_view(flip(data, place, 0x01), genesis) for place in range(len(data))]
        accepted = [view for view in views if view is not None and not is_other_absence(view)]
        report.claim(not accepted, f"{kind}: {len(data)} files with one byte flipped, {len(accepted)} accepted")
        others = [view.key for view in views if view is not None and is_other_absence(view)]
        if others:
            report.note(f"true all the same, and about another key: absence of {', '.join(others)}")


def read_view(data: bytes, genesis: Genesis) -> FileView | None:
    """Return what a file proves, or None if it is refused."""
    try:
        return verify_file(data, genesis, verify_ed25519)
    except VerificationError:
        return None


def is_other_absence(view: FileView) -> TypeGuard[StateProofView]:
    """A changed key whose place in the tree is the same proven bucket is absent too: nothing false is proven."""
    return isinstance(view, StateProofView) and view.value is None and view.key != ABSENT_KEY


if __name__ == "__main__":
    sys.exit(main())
