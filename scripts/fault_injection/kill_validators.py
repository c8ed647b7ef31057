"""Kill validators with kill -9 under load: does anybody lose or contradict what was said?

    python -m scripts.fault_injection.kill_validators [--rounds 20]

Every validator is first started again with `is_wire_recorded`, so that what it says is written
down by those who hear it. Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial

from scripts.fault_injection.background import BackgroundLoad
from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report, run
from scripts.fault_injection.vote_logs import Said, Transcript, find_contradictions, is_signed
from scripts.fault_injection.wallet import Wallet
from sequencer.types.records import RecordKind

BACK_SECONDS_MAX = 15.0
"""A restarted validator is in step again within this time."""
NEW_HEIGHTS = 3
"""Heights that a restarted validator must have gained with the others: standing still together is not in step."""
FINAL_SECONDS_MAX = 30.0
SILENT_SECONDS = 5.0
"""How long two of four are watched for not deciding anything."""


def main() -> int:
    """Run all parts on one devnet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="single kills")
    options = parser.parse_args()
    question = "Kill validators with kill -9 under load: is anything lost or contradicted?"
    return run(question, lambda report: kill(report, options.rounds))


def kill(report: Report, rounds: int) -> None:
    """Hurt one devnet in every way, then read all that was said."""
    with Cluster() as cluster:
        wallet = Wallet(cluster)
        transcript = Transcript(wallet.genesis)
        for name in cluster.names:
            restart_one(cluster, name)
        kill_one_by_one(cluster, wallet, report, rounds, transcript)
        kill_all(cluster, wallet, report, transcript)
        kill_two(cluster, wallet, report, transcript)
        check_votes(cluster, report, transcript)
        delete_vote_log(cluster, report)
        open_twice(cluster, report)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")


def restart_one(cluster: Cluster, victim: str) -> float:
    """Kill a validator, start it again and return the seconds until it takes part again."""
    others = [name for name in cluster.names if name != victim]
    cluster.kill(victim)
    cluster.change_settings(victim, is_wire_recorded=True)
    cluster.restart(victim)
    height = max(map(cluster.get_height, others)) + NEW_HEIGHTS
    return wait_until(partial(takes_part, cluster, victim, others, height), BACK_SECONDS_MAX, f"{victim} in step")


def takes_part(cluster: Cluster, victim: str, others: Sequence[str], height: int) -> bool:
    """Tell whether a validator signs, has all its peers, and is in step with them at new heights."""
    if not cluster.is_in_step(victim, others):
        return False
    status = cluster.call(victim, "seq_status")
    is_complete: bool = status["role"] == "validator" and status["peers"] == len(others)
    return is_complete and status["height"] >= height


def collect_logs(cluster: Cluster, transcript: Transcript) -> None:
    """Take down what all logs hold now; old segments are removed later."""
    for name in cluster.names:
        transcript.add_log(name, cluster.get_home(name))


def kill_one_by_one(cluster: Cluster, wallet: Wallet, report: Report, rounds: int, transcript: Transcript) -> None:
    """Kill each validator in turn while transfers go in, and wait until it is back in step."""
    seconds: list[float] = []
    first = cluster.get_height(cluster.names[0])
    with BackgroundLoad(cluster, wallet) as load:
        for number in range(rounds):
            victim = cluster.names[number % len(cluster.names)]
            collect_logs(cluster, transcript)
            try:
                seconds.append(restart_one(cluster, victim))
            except TimeoutError:
                report.claim(False, f"round {number}: {victim} was not in step within {BACK_SECONDS_MAX} s")
                report.note(cluster.describe(victim))
    text = f"{rounds} x kill -9 of one validator under load: {len(seconds)} back in step"
    report.claim(len(seconds) == rounds, f"{text}, the slowest after {max(seconds, default=0):.1f} s")
    report.note(
        f"heights {first}..{cluster.get_height(victim)} in {load.seconds:.0f} s, {load.sent} transfers handed in"
    )
    check_acknowledged(cluster, wallet, report)


def check_acknowledged(cluster: Cluster, wallet: Wallet, report: Report) -> None:
    """Every acknowledged transfer becomes final."""
    ids = sorted(wallet.acknowledged)
    deadline = time.monotonic() + FINAL_SECONDS_MAX
    pending = wallet.find_pending(cluster.names[0], ids)
    while pending and time.monotonic() < deadline:
        pending = wallet.find_pending(cluster.names[0], pending)
    report.claim(not pending, f"{len(ids) - len(pending)} of {len(ids)} acknowledged transfers are final")


def kill_all(cluster: Cluster, wallet: Wallet, report: Report, transcript: Transcript) -> None:
    """Kill everybody at once, start everybody again: the same commitments, nothing acknowledged lost."""
    with BackgroundLoad(cluster, wallet):
        time.sleep(2)
        height = min(cluster.get_height(name) for name in cluster.names)
        before = {name: cluster.get_commitment(name, height) for name in cluster.names}
        for name in cluster.names:
            cluster.kill(name)
    collect_logs(cluster, transcript)
    for name in cluster.names:
        cluster.restart(name)
    for name in cluster.names:
        wait_until(partial(cluster.is_answering, name), BACK_SECONDS_MAX, f"{name} answers")
    wait_until(
        lambda: min(cluster.get_height(name) for name in cluster.names) > height + 3, BACK_SECONDS_MAX, "new heights"
    )
    after = {name: cluster.get_commitment(name, height) for name in cluster.names}
    is_same = before == after and len(set(after.values())) == 1
    report.claim(is_same, f"kill -9 of all, restart: the same commitment of height {height} at all {len(after)}")
    check_acknowledged(cluster, wallet, report)


def kill_two(cluster: Cluster, wallet: Wallet, report: Report, transcript: Transcript) -> None:
    """Kill two of four: nothing new becomes final; started again, what was pending does."""
    living, dead = cluster.names[:2], cluster.names[2:]
    for name in dead:
        cluster.kill(name)
    collect_logs(cluster, transcript)
    time.sleep(2)
    height = cluster.get_height(living[0])
    items = [wallet.sign_transfer("alice") for _ in range(10)]  # whose channel no lost load has left a gap in
    wallet.send(living[0], items)
    time.sleep(SILENT_SECONDS)
    pending = wallet.find_pending(living[0], [item_id for item_id, _ in items])
    grown = cluster.get_height(living[0]) - height
    report.claim(grown == 0 and len(pending) == 10, f"two of four dead: {grown} new heights, {len(pending)}/10 pending")
    for name in dead:
        cluster.restart(name)
    seconds = wait_until(
        lambda: not wallet.find_pending(living[0], [item_id for item_id, _ in items]), FINAL_SECONDS_MAX, "final"
    )
    report.claim(True, f"both started again: what was pending became final after {seconds:.1f} s")


def check_votes(cluster: Cluster, report: Report, transcript: Transcript) -> None:
    """What was logged and what was heard contradict nothing, over all lives; the control is found."""
    for name in cluster.names:
        transcript.add_wire(cluster.get_home(name))
    collect_logs(cluster, transcript)  # after the wire: what is said has been logged before
    contradictions = transcript.find_contradictions()
    counts = f"{len(transcript.logged)} records of vote logs, {len(transcript.heard)} statements heard on the wire"
    report.claim(not contradictions and bool(transcript.heard), f"{counts}: {len(contradictions)} contradictions")
    for text in contradictions[:5]:
        report.note(text)
    unsigned = transcript.find_unsigned()
    report.claim(not unsigned, f"every statement heard bears its validator's signature ({len(unsigned)} do not)")
    unlogged = set(transcript.heard) - transcript.logged
    report.claim(not unlogged, f"and stands in its vote log ({len(unlogged)} do not)")
    for said in sorted(unlogged)[:5]:
        report.note(f"{said.validator} {said.kind.name} {said.number} {said.digest[:12]}")
    heard, signature = next((s, mark) for s, mark in transcript.heard.items() if s.kind is RecordKind.NOTARIZE)
    forged = Said(heard.validator, heard.kind, heard.number, "00" * 32)
    is_found = bool(find_contradictions({*transcript.logged, forged}))
    report.claim(is_found and not is_signed(forged, signature, transcript.genesis), "control: a forged vote is found")


def delete_vote_log(cluster: Cluster, report: Report) -> None:
    """A validator without its vote log serves, and signs nothing."""
    victim = cluster.names[3]
    cluster.kill(victim)
    shutil.rmtree(cluster.get_home(victim) / "votes")
    cluster.restart(victim)
    wait_until(lambda: cluster.is_answering(victim), BACK_SECONDS_MAX, f"{victim} answers")
    status = cluster.call(victim, "seq_status")
    report.claim(status["role"] == "observer", f"deleted vote log: role {status['role']}, {status['observer_reason']}")


def open_twice(cluster: Cluster, report: Report) -> None:
    """A second process on one home does not start, even if no port is in its way."""
    victim = cluster.names[0]
    cluster.change_settings(victim, rpc="127.0.0.1:0")
    command = [sys.executable, "-m", "sequencer", "node", "--home", str(cluster.get_home(victim))]
    second = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    text = second.stderr.strip().replace(str(cluster.get_home(victim)), "HOME").splitlines()
    report.claim(second.returncode == 2, f"second process on one home: exit {second.returncode}, {text[-1:]}")


if __name__ == "__main__":
    sys.exit(main())
