"""Stop, kill and corrupt the executors of a split rollup: is every bundle decided, and right, and the rest unharmed?

    python -m scripts.fault_injection.split_rollup [--folder DIR]

With --folder, `ready.json` and `markers.jsonl` appear there for whoever audits meanwhile (`marker_audit`).
Ends with one line of JSON. Exit status: 0 all claims hold, 1 one is broken, 2 it could not run.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.decisions import compute_percentile
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.split_scene import (
    DECIDE_WITHIN,
    DECIDED_SECONDS_MAX,
    ROLLUPS,
    SPLIT,
    STEP_SECONDS_MAX,
    Scene,
)

WITH_SPLIT = ("alpha", SPLIT)
WITHOUT_SPLIT = ("alpha", "beta")
DECIDE_WITHIN_MAX = 256
BUNDLES_IN_FLIGHT = 200
"""Of each sort, when all executors are killed."""
BUNDLES_QUIET = 60
BUNDLES_SENDING = 5
"""Of those that send an amount from the split rollup to a native one."""
BUNDLES_WITH_TWO = 100
HEIGHTS_STOPPED = 12
"""Heights for which all executors are stopped."""
LATENCY_HEIGHTS_MAX = 8
COMMITTED_SHARE_MIN = 0.95
BACK_SECONDS_MAX = 20.0
"""From the start of the executors until a bundle of their rollup commits."""
LIAR = 1
"""Which executor lies."""


def main() -> int:
    """Run all parts on one devnet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where ready.json and markers.jsonl appear")
    options = parser.parse_args()
    question = "Stop, kill and corrupt the executors of a split rollup: is all decided, right, and the rest unharmed?"
    if options.folder is not None:
        return run(question, partial(hurt, options.folder))
    with tempfile.TemporaryDirectory(prefix="split-rollup-") as name:
        return run(question, partial(hurt, Path(name)))


def hurt(folder: Path, report: Report) -> None:
    """One devnet, one fault after the other."""
    with Cluster("--rollups", ROLLUPS) as cluster:
        folder.mkdir(parents=True, exist_ok=True)
        scene = Scene(cluster, folder, report)
        partial_file = folder / "ready.partial"
        partial_file.write_text(json.dumps(cluster.ready))
        partial_file.rename(folder / "ready.json")
        tell_who_executes(scene)
        without = run_quiet(scene, "honest")
        lie(scene, without)
        stop_all(scene)
        stop_one(scene)
        kill_all(scene)
        run_quiet(scene, "afterwards")
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")
    report.tell(scene.figures)


def tell_who_executes(scene: Scene) -> None:
    """A validator says that it does not execute the rollup; an executor answers for it."""
    cluster, report = scene.cluster, scene.report
    executor = cluster.executor_names[0]
    status = cluster.call(executor, "seq_status")
    report.claim(status["role"] == "executor", f"{executor}: role {status['role']}")
    key = "balance/gold/" + scene.wallet.get_address_hex()
    value = cluster.call(executor, "seq_getState", rollup=SPLIT, key=key)["value"]
    report.claim(value is not None, f"{executor} tells a balance on {SPLIT}: {value}")
    try:
        told = str(cluster.call(cluster.names[0], "seq_getState", rollup=SPLIT, key=key))
    except RuntimeError as error:
        told = str(error)
    report.claim("not_executed" in told, f"{cluster.names[0]}, asked for the same, says not_executed")


def run_quiet(scene: Scene, title: str) -> list[tuple[str, str]]:
    """Send true and false bundles over both sorts of rollups; return what became of each, in the order of sending."""
    third = BUNDLES_QUIET // 3
    markers = [
        *scene.sign(WITH_SPLIT, third, moved=3),
        *scene.sign(WITH_SPLIT, third, false_on=SPLIT),
        *scene.sign(WITH_SPLIT, third, false_on="alpha"),
        *scene.sign(WITH_SPLIT, BUNDLES_SENDING, sent=2),
    ]
    ids = scene.send_and_wait(markers)
    told = [(scene.log.decided[one].outcome, scene.log.decided[one].reason) for one in ids]
    expected = ["COMMIT"] * third + [f"NO:{SPLIT}"] * third + ["NO:alpha"] * third + ["COMMIT"] * BUNDLES_SENDING
    found = [outcome if outcome == "COMMIT" else ":".join(reason.split(":")[:2]) for outcome, reason in told]
    latencies = scene.log.get_latencies(ids)
    text = f"{title}: {scene.log.count(ids)}, decided after {compute_percentile(latencies, 95)} heights (p95)"
    scene.report.claim(found == expected, text)
    return told


def lie(scene: Scene, without: list[tuple[str, str]]) -> None:
    """One executor turns every statement around: outcomes and reasons are as without it."""
    liar = scene.cluster.executor_names[LIAR]
    replace_executor(scene, liar, "lying-executor")
    told = run_quiet(scene, f"{liar} lies")
    scene.report.claim(told == without, f"{liar} lies: {len(told)} outcomes with their reasons as without it")
    published = count_events(scene.cluster, liar, "gossip_verdicts_published")
    scene.report.claim(published > 0, f"{liar} published {published} false votes")
    scene.figures["false_votes"] = published
    replace_executor(scene, liar, "")


def replace_executor(scene: Scene, name: str, behaviour: str) -> None:
    """Kill an executor and start it with another behaviour."""
    scene.cluster.kill(name)
    scene.cluster.change_settings(name, behaviour=behaviour)
    scene.restart([name])


def count_events(cluster: Cluster, name: str, event: str) -> int:
    """Return how often a node counted an event."""
    line = f'sequencer_events_total{{event="{event}"}} '
    found = [text for text in cluster.get_metrics(name) if text.startswith(line)]
    return int(float(found[0].rpartition(" ")[2])) if found else 0


def stop_all(scene: Scene) -> None:
    """SIGSTOP all executors: the network goes on, the split rollup's settled height stands; then both go on."""
    report, log = scene.report, scene.log
    scene.signal_all(signal.SIGSTOP)
    try:
        waiting = scene.sign(WITH_SPLIT, 5, decide_within=DECIDE_WITHIN_MAX)
        scene.wallet.send(waiting)
        ids = [marker.id for marker in waiting]
        wait_until(partial(scene.is_all_open, ids), STEP_SECONDS_MAX, "5 bundles wait")
        height, settled = log.height, scene.get_settled()
        native = scene.send_and_wait(scene.sign(WITHOUT_SPLIT, 20))
        wait_until(lambda: is_above(scene, height + HEIGHTS_STOPPED), STEP_SECONDS_MAX, "new heights")
        grown, moved = log.height - height, scene.get_settled() - settled
        text = f"SIGSTOP of all executors: {grown} heights more, {SPLIT}'s settled height {settled} moved by {moved}"
        report.claim(grown >= HEIGHTS_STOPPED and moved == 0 and scene.is_all_open(ids), text)
        report.claim(log.count(native) == {"COMMIT": 20}, f"20 bundles over native rollups: {log.count(native)}")
    finally:
        scene.signal_all(signal.SIGCONT)
    seconds = wait_until(partial(scene.is_decided, ids), DECIDED_SECONDS_MAX, "what waited is decided")
    report.claim(log.count(ids) == {"COMMIT": 5}, f"SIGCONT: what waited came to {log.count(ids)} in {seconds:.1f} s")
    wait_until(lambda: scene.get_settled() > settled, STEP_SECONDS_MAX, f"{SPLIT} settles")
    report.claim(True, f"and {SPLIT}'s settled height goes on: {scene.get_settled()}")
    scene.figures["resumed_seconds"] = round(seconds, 1)


def is_above(scene: Scene, height: int) -> bool:
    """Tell whether the network has come so far."""
    scene.catch_up()
    return scene.log.height >= height


def stop_one(scene: Scene) -> None:
    """One of three stopped: two signatures are enough, all is decided in time."""
    victim = scene.cluster.executor_names[0]
    scene.cluster.kill(victim, signal.SIGSTOP)
    try:
        ids = scene.send_and_wait(scene.sign(WITH_SPLIT, BUNDLES_WITH_TWO, moved=1))
    finally:
        scene.cluster.kill(victim, signal.SIGCONT)
    latencies = scene.log.get_latencies(ids)
    p95 = compute_percentile(latencies, 95)
    text = f"SIGSTOP of {victim}: {scene.log.count(ids)}, decided after {p95} heights (p95), {latencies[-1]} at most"
    is_right = scene.log.count(ids) == {"COMMIT": BUNDLES_WITH_TWO} and p95 <= LATENCY_HEIGHTS_MAX
    scene.report.claim(is_right, text)
    scene.figures["latency_heights_p95_with_two"] = p95
    in_step = partial(scene.cluster.is_in_step, victim, scene.cluster.names)
    wait_until(in_step, STEP_SECONDS_MAX, f"{victim} in step")


def kill_all(scene: Scene) -> None:
    """Kill -9 all executors with bundles in flight; then what is new is refused; then they come back."""
    report, log = scene.report, scene.log
    split = scene.sign(WITH_SPLIT, BUNDLES_IN_FLIGHT)
    native = scene.sign(WITHOUT_SPLIT, BUNDLES_IN_FLIGHT)
    mixed = [marker for pair in zip(split, native, strict=True) for marker in pair]
    scene.wallet.send(mixed)
    scene.signal_all(signal.SIGKILL)
    ids, native_ids = [marker.id for marker in split], [marker.id for marker in native]
    wait_until(partial(scene.is_decided, ids + native_ids), DECIDED_SECONDS_MAX, "all in flight are decided")
    counts, latest = log.count(ids), max(log.get_latencies(ids))
    open_ones = counts.get(f"TIMEOUT:{SPLIT}", 0) + counts.get(f"SUSPENDED:{SPLIT}", 0)
    text = f"kill -9 of all executors: {counts} of alpha+{SPLIT}, the last decided {latest} heights after its order"
    is_timely = latest <= DECIDE_WITHIN and open_ones + counts.get("COMMIT", 0) == BUNDLES_IN_FLIGHT
    report.claim(is_timely and counts.get(f"TIMEOUT:{SPLIT}", 0) > 0, text)
    committed = log.count(native_ids).get("COMMIT", 0)
    text = f"{committed} of {BUNDLES_IN_FLIGHT} bundles over alpha+beta committed: {log.count(native_ids)}"
    report.claim(committed >= COMMITTED_SHARE_MIN * BUNDLES_IN_FLIGHT, text)
    scene.figures.update({"timed_out": counts.get(f"TIMEOUT:{SPLIT}", 0), "native_committed": committed})
    refuse_new(scene)
    come_back(scene)


def refuse_new(scene: Scene) -> None:
    """A bundle that touches a suspended rollup is decided where it stands."""
    ids = scene.send_and_wait(scene.sign(WITH_SPLIT, 3))
    text = f"a new bundle of {SPLIT}: {scene.log.count(ids)}, after {max(scene.log.get_latencies(ids))} heights"
    scene.report.claim(scene.log.count(ids) == {f"SUSPENDED:{SPLIT}": 3}, text)
    is_shown = any(row["is_suspended"] for row in get_split_rows(scene.cluster, scene.cluster.names[0]))
    scene.report.claim(is_shown, f"{scene.cluster.names[0]} says in its status that {SPLIT} is suspended")


def get_split_rows(cluster: Cluster, name: str) -> list[dict[str, object]]:
    """Return what a node's status says of split rollups."""
    return [row for row in cluster.call(name, "seq_status")["rollups"] if row["kind"] == "split"]


def come_back(scene: Scene) -> None:
    """The executors start again: a beat lifts the suspension, and a bundle commits soon."""
    started = time.monotonic()
    for name in scene.cluster.executor_names:
        scene.cluster.restart(name)
    committed, tries = False, 0
    while not committed and time.monotonic() - started < BACK_SECONDS_MAX:
        ids = scene.send_and_wait(scene.sign(WITH_SPLIT, 1))
        committed, tries = scene.log.count(ids) == {"COMMIT": 1}, tries + 1
    seconds = time.monotonic() - started
    text = f"all executors started again: the {tries}. bundle of {SPLIT} committed after {seconds:.1f} s"
    scene.report.claim(committed and seconds <= BACK_SECONDS_MAX, text)
    scene.figures["back_seconds"] = round(seconds, 1)
    is_lifted = not any(row["is_suspended"] for row in get_split_rows(scene.cluster, scene.cluster.names[0]))
    text = f"a beat at height {scene.log.beats[-1:]} lifted the suspension"
    scene.report.claim(is_lifted and bool(scene.log.beats), text)


if __name__ == "__main__":
    sys.exit(main())
