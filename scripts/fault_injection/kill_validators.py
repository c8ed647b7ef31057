"""Kill validators with kill -9 under load: does anybody lose or contradict what was said?

    python -m scripts.fault_injection.kill_validators [--rounds 20]

Exit status: 0 all claims hold, 1 one is broken.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from functools import partial

from scripts.fault_injection.background import BackgroundLoad
from scripts.fault_injection.cluster import Cluster, wait_until
from scripts.fault_injection.report import Report
from scripts.fault_injection.vote_logs import Said, find_contradictions, read_log
from scripts.fault_injection.wallet import Wallet

BACK_SECONDS_MAX = 15.0
"""A restarted validator is in step again within this time."""
FINAL_SECONDS_MAX = 30.0


def main() -> int:
    """Run all parts on one devnet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20, help="single kills")
    options = parser.parse_args()
    report = Report("Kill validators with kill -9 under load: is anything lost or contradicted?")
    with Cluster() as cluster:
        wallet = Wallet(cluster)
        said: list[Said] = []
        kill_one_by_one(cluster, wallet, report, options.rounds, said)
        kill_all(cluster, wallet, report, said)
        kill_two(cluster, wallet, report, said)
        check_votes(cluster, report, said)
        delete_vote_log(cluster, report)
        open_twice(cluster, report)
    report.claim(cluster.exit_status == 0, f"the devnet ended with status {cluster.exit_status}")
    return report.end()


def collect(cluster: Cluster, said: list[Said]) -> None:
    """Take down what all logs hold now; old segments are removed later."""
    for name in cluster.names:
        said.extend(read_log(name, cluster.get_home(name)))


def kill_one_by_one(cluster: Cluster, wallet: Wallet, report: Report, rounds: int, said: list[Said]) -> None:
    """Kill each validator in turn while transfers go in, and wait until it is back in step."""
    slowest = 0.0
    with BackgroundLoad(cluster, wallet) as load:
        for number in range(rounds):
            victim = cluster.names[number % len(cluster.names)]
            others = [name for name in cluster.names if name != victim]
            cluster.kill(victim)
            collect(cluster, said)
            cluster.restart(victim)
            try:
                seconds = wait_until(partial(cluster.is_in_step, victim, others), BACK_SECONDS_MAX, "in step")
            except TimeoutError:
                report.claim(False, f"round {number}: {victim} was not in step within {BACK_SECONDS_MAX} s")
                continue
            slowest = max(slowest, seconds)
    report.claim(True, f"{rounds} x kill -9 of one validator under load; slowest back in step after {slowest:.1f} s")
    report.note(f"{load.sent} transfers handed in meanwhile, {len(wallet.acknowledged)} acknowledged at once")
    check_acknowledged(cluster, wallet, report)


def check_acknowledged(cluster: Cluster, wallet: Wallet, report: Report) -> None:
    """Every acknowledged transfer is final at every validator, at one place."""
    ids = sorted(wallet.acknowledged)
    for name in cluster.names:
        try:
            wait_until(partial(wallet.is_all_final, name, ids[-50:]), FINAL_SECONDS_MAX, "final")
        except TimeoutError:
            break
    pending = wallet.find_pending(cluster.names[0], ids)
    report.claim(not pending, f"{len(ids) - len(pending)} of {len(ids)} acknowledged transfers are final")


def kill_all(cluster: Cluster, wallet: Wallet, report: Report, said: list[Said]) -> None:
    """Kill everybody at once, start everybody again: the same commitments, nothing acknowledged lost."""
    with BackgroundLoad(cluster, wallet):
        time.sleep(2)
        height = min(cluster.get_height(name) for name in cluster.names) - 1
        before = {name: cluster.get_commitment(name, height) for name in cluster.names}
        for name in cluster.names:
            cluster.kill(name)
    collect(cluster, said)
    for name in cluster.names:
        cluster.restart(name)
    for name in cluster.names:
        wait_until(partial(cluster.is_answering, name), BACK_SECONDS_MAX, f"{name} answers")
    wait_until(
        lambda: min(cluster.get_height(name) for name in cluster.names) > height + 3, BACK_SECONDS_MAX, "new heights"
    )
    after = {name: cluster.get_commitment(name, height) for name in cluster.names}
    report.claim(before == after and len(set(after.values())) == 1, f"kill -9 of all: same commitment at {height}")
    check_acknowledged(cluster, wallet, report)


def kill_two(cluster: Cluster, wallet: Wallet, report: Report, said: list[Said]) -> None:
    """Kill two of four: nothing new becomes final; started again, what was pending does."""
    living, dead = cluster.names[:2], cluster.names[2:]
    for name in dead:
        cluster.kill(name)
    collect(cluster, said)
    time.sleep(2)
    height = cluster.get_height(living[0])
    items = [wallet.sign_transfer() for _ in range(10)]
    wallet.send(living[0], items)
    time.sleep(5)
    pending = wallet.find_pending(living[0], [item_id for item_id, _ in items])
    grown = cluster.get_height(living[0]) - height
    report.claim(grown == 0 and len(pending) == 10, f"two of four dead: {grown} new heights, {len(pending)}/10 pending")
    for name in dead:
        cluster.restart(name)
    seconds = wait_until(
        lambda: not wallet.find_pending(living[0], [item_id for item_id, _ in items]), FINAL_SECONDS_MAX, "final"
    )
    report.claim(True, f"both started again: what was pending became final after {seconds:.1f} s")


def check_votes(cluster: Cluster, report: Report, said: list[Said]) -> None:
    """No validator's records contradict each other, over all its lives."""
    collect(cluster, said)
    contradictions = find_contradictions(said)
    distinct = len(set(said))
    report.claim(not contradictions, f"{distinct} records of {len(cluster.names)} vote logs, no contradiction")
    for text in contradictions[:5]:
        report.note(text)
    forged = [*said, (said[0][0], said[0][1], said[0][2], "00" * 32)]
    report.claim(bool(find_contradictions(forged)), "control: one forged record is found")


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
    """A second process on one home does not start."""
    command = [sys.executable, "-m", "sequencer", "node", "--home", str(cluster.get_home(cluster.names[0]))]
    second = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    text = second.stderr.strip().splitlines()
    report.claim(second.returncode == 2, f"second process on one home: exit {second.returncode}, {text[-1:]}")


if __name__ == "__main__":
    sys.exit(main())
