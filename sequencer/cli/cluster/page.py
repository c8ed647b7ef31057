"""Write the page that a devnet opens with: where it answers, who takes part, what to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sequencer.cli.cluster.accounts import BALANCE_PERSON, PEOPLE

SHOWN_VALIDATORS = 8
PEER_ID_SHOWN = 16
MACHINES_WITH_BALANCES = ("transfer", "amm")


def make_page(
    version: str, ready: Mapping[str, Any], seconds: float, origin: str, directory: str, prefix: str = ""
) -> list[str]:
    """Return the lines of the page for the members of a ready file; `prefix` stands before commands to try."""
    validators, rollups = ready["validators"], ready["rollups"]
    faults = (len(validators) - 1) // 3
    return [
        f"sequencer {version}  devnet  {len(validators)} validators (tolerates {faults} faulty), "
        f"{len(rollups)} rollups, {origin}    ready in {seconds:.1f} s",
        "",
        f"  JSON-RPC    {ready['rpc']}/   (POST; SSE at /events; GET /metrics)",
        f"  Chain id    {ready['chain_id']}",
        f"  Genesis     {ready['genesis']}",
        f"  Logs        {directory}/*/node.log",
        "",
        "  Rollups     " + "   ".join(map(_describe_rollup, rollups)),
        *_make_validator_lines(validators),
        *_make_node_lines("Executors", ready["executors"]),
        *_make_node_lines("Full nodes", ready["full_nodes"]),
        *_make_account_lines(ready["accounts"]),
        "",
        *_make_things_to_try(ready, prefix),
        "",
    ]


def _make_validator_lines(validators: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        f"{v['name']:<6}{v['rpc']:<24}  {v['peer_ids']['votes'][:PEER_ID_SHOWN]}…  {v['p2p']['votes']}  pid {v['pid']}"
        for v in validators[:SHOWN_VALIDATORS]
    ]
    if len(validators) > SHOWN_VALIDATORS:
        lines.append(f"… {len(validators) - SHOWN_VALIDATORS} more (`sequencer validators`)")
    return [f"  {'Validators' if number == 0 else '':<10}  {line}" for number, line in enumerate(lines)]


def _describe_rollup(rollup: Mapping[str, Any]) -> str:
    return f"{rollup['name']} ({rollup['machine']}{', split' if rollup['kind'] == 'split' else ''})"


def _make_node_lines(title: str, nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    width = max((len(node["name"]) for node in nodes), default=0) + 2
    lines = [f"{n['name']:<{max(width, 6)}}{n['rpc']:<24}  {n['p2p']['open']}  pid {n['pid']}" for n in nodes]
    return [f"  {'' if number else title:<10}  {line}" for number, line in enumerate(lines)]


def _make_account_lines(accounts: Sequence[Mapping[str, Any]]) -> list[str]:
    people = [account for account in accounts if account["name"] in PEOPLE]
    names = "   ".join(f"{account['name']} {account['address'][:8]}…{account['address'][-4:]}" for account in people)
    folder = people[0]["key_file"].rpartition("/")[0]
    return [
        f"  Accounts    {names}",
        f"              {BALANCE_PERSON:,} of each asset; keys in {folder}: for play only, never for real funds",
    ]


def _choose_examples(rollups: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the examples that the rollups allow, and how to ask about a bundle if some take time to decide."""
    native = {rollup["name"]: rollup["machine"] for rollup in rollups if rollup["kind"] == "native"}
    split = [rollup["machine"] for rollup in rollups if rollup["kind"] == "split"]
    chosen = []
    if native.get("alpha") in MACHINES_WITH_BALANCES and native.get("beta") in MACHINES_WITH_BALANCES:
        chosen.append(("example swap", "an atomic exchange over two rollups, then one that must abort"))
    if native.get("beta") == "amm" and any(machine in MACHINES_WITH_BALANCES for machine in split):
        chosen.append(("example split_swap", "a swap that is paid on a rollup which its executors run"))
    if split:
        chosen.append(("bundle why ID", "how a bundle was decided, step by step"))
    return chosen


def _make_executor_things(executors: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return how to stop all executors of the first split rollup."""
    if not executors:
        return {}
    rollup = executors[0]["rollup"]
    pids = " ".join(str(node["pid"]) for node in executors if node["rollup"] == rollup)
    return {f"kill -STOP {pids}": f"stop {rollup}'s executors: its bundles time out, the others go on"}


def _make_things_to_try(ready: Mapping[str, Any], prefix: str) -> list[str]:
    things = {
        **{f"{prefix}sequencer {command}": text for command, text in _choose_examples(ready["rollups"])},
        f"{prefix}sequencer status": "height, view, peers, rollups",
        f"{prefix}sequencer load --rate 50 --seconds 10": "traffic, every outcome checked",
        f"kill -9 {ready['validators'][-1]['pid']}": "lose a validator; the others go on",
        **_make_executor_things(ready["executors"]),
    }
    width = max(len(command) for command in things)
    lines = [f"{command:<{width}}   {text}" for command, text in things.items()]
    return [f"  {'Try:' if number == 0 else '':<10}  {line}" for number, line in enumerate(lines)] + [
        "  Ctrl-C stops all of it."
    ]
