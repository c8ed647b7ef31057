"""Join a network that has forgotten its first blocks, from honest and from rotten disks: who joins, who is named?

    python -m scripts.fault_injection.state_sync [--heights 1050]

A devnet with `--retain 200` runs beyond height 1,000. An empty full node joins by snapshot; a validator that was away
for longer than blocks are kept comes back; then a byte rots in the snapshots of one validator, then of all of them.
Ends with one line of JSON. Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

from scripts.fault_injection.background import BackgroundLoad
from scripts.fault_injection.bit_rot import BitRot
from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.wallet import Wallet
from sequencer.cli.cluster.ports import find_free_ports
from sequencer.crypto.signatures import verify_ed25519
from sequencer.light import StateProofView, verify_file
from sequencer.node.home import compute_peer_ids, read_home
from sequencer.sdk.building import BundleBuilder, operation, sign_bundle

RETAIN = 200
AWAY_HEIGHTS = 320
"""Heights that the validator misses: more than are kept."""
VICTIM, ROTTEN = "val3", "val1"
FIRST = "full0"
"""The full node that follows from the beginning: the control for what is asked of validators."""
VALUES, VALUE_BYTES, VALUES_PER_BUNDLE = 1_200, 1_000, 60
"""State that makes the snapshot large enough for every peer to be asked for a chunk of it."""
BUNDLES_PER_CALL = 5
"""About 300 KB in one request."""
HEIGHT_SECONDS_MAX = 900.0
JOIN_SECONDS_MAX = 90.0
REFUSE_SECONDS = 30.0
"""How long a node that can join nowhere is watched."""
FORGIVE_SECONDS_MAX = 150.0
"""It asks those who served something wrong again after a minute, if nobody else is left."""


def main() -> int:
    """Grow the chain, then join it in every way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heights", type=int, default=1_050, help="height at which the first node joins")
    options = parser.parse_args()
    question = "Join a network that has forgotten its first blocks: who joins, and who is named?"
    return run(question, lambda report: join(report, options.heights))


def join(report: Report, height: int) -> None:
    """One devnet for all parts."""
    figures: dict[str, object] = {"retain": RETAIN}
    with Cluster("--retain", str(RETAIN), "--full-nodes", "1") as cluster:
        wallet = Wallet(cluster)
        fill_state(cluster, wallet, report)
        with BackgroundLoad(cluster, wallet, workers=2, items_per_call=1):
            grow(cluster, report, height, figures)
        join_empty(cluster, wallet, report, figures)
        come_back(cluster, report, figures)
        join_beside_rot(cluster, report, figures)
        refuse_rot(cluster, report, figures)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")
    report.tell(figures)


def fill_state(cluster: Cluster, wallet: Wallet, report: Report) -> None:
    """Write enough into gamma for a snapshot of several chunks."""
    payer, bundles = wallet.accounts["carol"], []
    for sequence in range(VALUES // VALUES_PER_BUNDLE):
        numbers = range(sequence * VALUES_PER_BUNDLE, (sequence + 1) * VALUES_PER_BUNDLE)
        values = [
            operation("set", f"kv/{number}", number.to_bytes(2, "big") * (VALUE_BYTES // 2)) for number in numbers[1:]
        ]
        bundle = BundleBuilder(wallet.genesis).add_leg("gamma", payer, values)
        bundles.append(sign_bundle(bundle.build(payer, sequence, 0, valid_until=100_000), [payer]))
    for start in range(0, len(bundles), BUNDLES_PER_CALL):
        items = [
            ("0x" + bundle.id.hex(), "0x" + bundle.item_bytes.hex())
            for bundle in bundles[start : start + BUNDLES_PER_CALL]
        ]
        wallet.send("val0", items)
        ids = [item_id for item_id, _ in items]
        wait_until(partial(wallet.is_all_final, "val0", ids), JOIN_SECONDS_MAX, "the state is filled")
    report.note(f"state filled with {len(bundles)} bundles of {VALUES_PER_BUNDLE - 1} values of {VALUE_BYTES} bytes")


def grow(cluster: Cluster, report: Report, height: int, figures: dict[str, object]) -> None:
    """Let the chain grow; one validator leaves on the way."""
    started = time.monotonic()
    wait_for_height(cluster, "val0", height - AWAY_HEIGHTS)
    figures["away_since"] = cluster.get_height(VICTIM)
    cluster.kill(VICTIM)
    wait_for_height(cluster, "val0", height)
    figures["height"] = cluster.get_height("val0")
    seconds = time.monotonic() - started
    report.note(f"height {figures['height']} after {seconds:.0f} s; {VICTIM} was killed at {figures['away_since']}")
    oldest = {name: int(cluster.call(name, "seq_status")["oldest_height"]) for name in ("val0", "val1", "val2")}
    is_pruned = all(number > height // 2 for number in oldest.values())
    report.claim(is_pruned, f"pruned: the oldest blocks kept are {oldest}")
    figures["oldest_heights"] = oldest


def wait_for_height(cluster: Cluster, name: str, height: int) -> None:
    """Return when the node has reached a height."""
    wait_until(lambda: cluster.get_height(name) >= height, HEIGHT_SECONDS_MAX, f"{name} at height {height}")


def start_joiner(cluster: Cluster, name: str) -> None:
    """Start an empty full node that knows the genesis and nothing else."""
    cluster.add_full_node(name, find_free_ports(1, hash(name))[0])
    wait_until(partial(cluster.is_answering, name), JOIN_SECONDS_MAX, f"{name} answers")


def join_empty(cluster: Cluster, wallet: Wallet, report: Report, figures: dict[str, object]) -> None:
    """An empty full node stands where the validators stand, and asked for no block below its snapshot."""
    name, others = "joiner", [other for other in cluster.names if other != VICTIM]
    start_joiner(cluster, name)
    seconds = wait_until(partial(cluster.is_in_step, name, others), JOIN_SECONDS_MAX, f"{name} in step")
    status = cluster.call(name, "seq_status")
    snapshot = int(status["oldest_height"]) - 1
    figures.update(snapshot_height=snapshot, join_seconds=round(seconds, 1))
    height = min(cluster.get_height(other) for other in (name, *others))
    commitments = {other: cluster.get_commitment(other, height) for other in (name, *others)}
    is_same = len(set(commitments.values())) == 1
    report.claim(
        is_same, f"{name}: in step after {seconds:.1f} s, the commitment of height {height} is that of {others}"
    )
    report.claim(snapshot > RETAIN and status["role"] == "full", f"it stands on the snapshot of height {snapshot}")
    asked = get_lowest_asked(cluster, name)
    is_above = bool(asked) and min(asked.values()) > snapshot
    report.claim(is_above, f"no block at or below it was asked for: lowest by validator {asked}")
    control = get_lowest_asked(cluster, FIRST)
    report.note(f"control: {FIRST}, which followed from the start, asked for {control}")
    is_control_low = bool(control) and min(control.values()) < snapshot
    report.claim(is_control_low, "control: who follows from the start is seen to ask for blocks below it")
    check_state(cluster, wallet, report, name)


def get_lowest_asked(cluster: Cluster, name: str) -> dict[str, int]:
    """Return the lowest height for whose block a full node asked each validator, as these have counted."""
    peer_id = get_peer_id(cluster, name)
    found = {}
    for validator in cluster.names:
        if not cluster.is_answering(validator):
            continue
        with urllib.request.urlopen(f"{cluster.get_url(validator)}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        asked = [line.rpartition(" ")[2] for line in lines if "lowest_height_asked" in line and peer_id in line]
        if asked:
            found[validator] = int(float(asked[0]))
    return found


def get_peer_id(cluster: Cluster, name: str) -> str:
    """Return the peer id of a full node's open host."""
    return compute_peer_ids(read_home(cluster.get_home(name)).keys)["open"]


def check_state(cluster: Cluster, wallet: Wallet, report: Report, name: str) -> None:
    """What was written long before the snapshot is there, and proven by the joiner."""
    question: dict[str, Any] = {"rollup": "gamma", "key": f"kv/{VALUES - 1}"}
    values = [cluster.call(one, "seq_getState", **question)["value"] for one in (name, "val0")]
    report.claim(values[0] == values[1] is not None, "a value of the first heights is the same there as at val0")
    data = bytes.fromhex(cluster.call(name, "seq_getProof", kind="state", **question)["proof"][2:])
    view = verify_file(data, wallet.genesis, verify_ed25519)
    report.claim(isinstance(view, StateProofView), f"its proof verifies offline, {len(data)} bytes")


def come_back(cluster: Cluster, report: Report, figures: dict[str, object]) -> None:
    """A validator that was away for longer than blocks are kept signs again."""
    others = [name for name in cluster.names if name != VICTIM]
    cluster.restart(VICTIM)
    seconds = wait_until(partial(cluster.is_in_step, VICTIM, others), JOIN_SECONDS_MAX, f"{VICTIM} in step")
    status = cluster.call(VICTIM, "seq_status")
    figures["back_seconds"] = round(seconds, 1)
    text = f"{VICTIM}, away since {figures['away_since']}, is in step after {seconds:.1f} s"
    report.claim(
        status["role"] == "validator", f"{text}: role {status['role']}, oldest block {status['oldest_height']}"
    )
    certified = int(status["certified_height"])
    wait_until(lambda: find_signed(cluster, others[0], certified + 1) > 0, JOIN_SECONDS_MAX, "it signs")
    report.claim(True, "and it signs commitments again")


def find_signed(cluster: Cluster, name: str, first: int) -> int:
    """Return a height from `first` on whose certificate bears the victim's signature; 0 if there is none yet."""
    place = cluster.names.index(VICTIM)
    for block in cluster.get_blocks(name, first, cluster.get_height(name) + 1):
        certificate = block.get("certificate")
        if certificate is not None and place in certificate["signers"]:
            return int(block["height"])
    return 0


def join_beside_rot(cluster: Cluster, report: Report, figures: dict[str, object]) -> None:
    """One byte of the snapshots on one validator's disk is altered: the joiner names that one, and joins."""
    name = "beside-rot"
    with BitRot([cluster.get_home(ROTTEN)]) as rot:
        start_joiner(cluster, name)
        seconds = wait_until(partial(cluster.is_in_step, name, cluster.names), JOIN_SECONDS_MAX, f"{name} in step")
        liars = cluster.call(name, "seq_status")["liars"]
    figures["join_beside_rot_seconds"] = round(seconds, 1)
    report.note(f"altered: {rot.describe()}")
    report.claim(True, f"one byte of {ROTTEN}'s snapshots altered: {name} is in step after {seconds:.1f} s")
    report.claim(list(liars) == [ROTTEN], f"and names {liars}")
    banned = find_bans(cluster.get_home(name))
    report.claim(set(banned) == {ROTTEN}, f"and bans it: {banned}")
    clean = cluster.call("joiner", "seq_status")["liars"]
    report.claim(not clean, f"control: the one that joined before names nobody ({clean})")


def refuse_rot(cluster: Cluster, report: Report, figures: dict[str, object]) -> None:
    """The same byte is altered at all validators: the joiner refuses and reports no commitment; put back, it joins."""
    name = "among-rot"
    with BitRot([cluster.get_home(validator) for validator in cluster.names]) as rot:
        start_joiner(cluster, name)
        started, seen = time.monotonic(), []
        while time.monotonic() - started < REFUSE_SECONDS:
            seen.append(cluster.call(name, "seq_status"))
            time.sleep(0.25)
    report.note(f"altered: {rot.describe()}")
    commitments = {(status["height"], status["commitment"]) for status in seen}
    report.claim(commitments == {(0, None)}, f"all altered: for {REFUSE_SECONDS:.0f} s {name} reported {commitments}")
    texts = [status["sync"] for status in seen if status["sync"]]
    liars = sorted({liar for status in seen for liar in status["liars"]})
    report.claim(bool(texts) and liars == cluster.names, f"it says why: {texts[-1] if texts else ''}; names {liars}")
    heights = [cluster.get_height(validator) for validator in cluster.names]
    report.claim(min(heights) > 0, f"the validators go on: heights {heights}")
    figures["refused_seconds"] = REFUSE_SECONDS
    seconds = wait_until(partial(cluster.is_in_step, name, cluster.names), FORGIVE_SECONDS_MAX, f"{name} in step")
    report.claim(True, f"control: the bytes put back, the same node is in step after {seconds:.1f} s")


def find_bans(home: Path) -> dict[str, str]:
    """Return whom a node banned, and why, from its event log."""
    lines = [json.loads(line) for line in (home / "events.jsonl").read_text().splitlines()]
    return {line["peer"]: line["text"] for line in lines if line["event"] == "fault" and "banned" in line["text"]}


if __name__ == "__main__":
    sys.exit(main())
