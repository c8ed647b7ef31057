"""No peer and no length of time makes a replica grow beyond its bounds. # I11"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sequencer.consensus import block_tree
from sequencer.errors import SequencerError
from sequencer.lanes import held
from sequencer.mempool import agenda
from sequencer.replica import commitments
from sequencer.types import events
from sequencer.types.messages import (
    Batches,
    BlockHeaders,
    GetBatches,
    GetBlocks,
    Have,
    HaveEntry,
    Hello,
    Message,
    Sync,
    SyncBlocks,
)
from sequencer.types.primitives import Tip
from sequencer.types.vote import VoteKind
from tests.unit.core_world import Group, at, make_genesis, name_digest, set_tip
from tests.unit.replica.world import Cluster, make_bundle

GROUP = Group()
SKIPPED = (
    "executor",
    "_accounts",
    "_executor",
    "_ledger",
    "_config",
    "_recovered",
    "_restored_batches",
    "_committee",
    "_signer",
    "_verifier",
)


def count_elements(root: object) -> int:
    """Return how many elements the containers below an object have, at any depth; the executed state is left out."""
    seen: set[int] = set()
    waiting = [root]
    total = 0
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, bytes | str | int | type):
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            total += len(value)
            waiting.extend(value.keys())
            waiting.extend(value.values())
        elif isinstance(value, list | tuple | set | deque):
            total += len(value)
            waiting.extend(value)
        else:
            waiting.extend(get_fields(value))
    return total


def get_fields(value: object) -> Iterator[object]:
    names = list(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        names.extend(getattr(kind, "__slots__", ()))
    return (getattr(value, name) for name in names if name not in SKIPPED and hasattr(value, name))


def make_flood(number: int) -> list[Message]:
    """Return what a Byzantine validator 1 may send as its `number`-th handful."""
    noise = name_digest(f"noise {number}")
    near, far = 1 + number % 40, 2**20 + number
    leading = GROUP.find_view(1, number % 30)
    cut = set_tip(GROUP.root.cut, number % 4, Tip(1 + number % 4, noise))
    header = replace(GROUP.child(GROUP.root, view=leading, cut=cut), time_ms=GROUP.root.time_ms + 1 + number)
    have = Have((HaveEntry(number % 4, 1 + number, noise),), (number, 0, 0, 0))
    return [
        replace(GROUP.vote(1, VoteKind.NOTARIZE, near, noise), is_resend=bool(number % 2)),
        GROUP.vote(1, VoteKind.FINALIZE, near, noise),
        GROUP.vote(1, VoteKind.NULLIFY, far),
        GROUP.propose(header),
        have,
        GROUP.batch(1, 1 + number % 90, noise, (noise,)),
        GROUP.commitment_vote(1, 1 + number % 600, noise),
        GetBatches(number % 4, noise, 1, 3),
        GetBlocks(noise, 64),
        Sync(number, 32),
        Batches(1, (GROUP.batch(1, 1, noise, (noise,)),)),
        BlockHeaders((header,)),
        SyncBlocks((), None),
        Hello(2, GROUP.chain_id, 0, far, 2**60, 0, noise, (), (), have),
    ]


def flood(cluster: Cluster, first: int, last: int) -> int:
    """Send so many handfuls to validator 0 and return how large it is then."""
    for number in range(first, last):
        for message in make_flood(number):
            cluster.handle(0, events.MessageReceived(1, message))
        if number % 50 == 0:
            cluster.run(cluster.now_ms + 100)
    return count_elements(cluster.replicas[0])


def test_I11_flood_by_one_validator_leaves_a_bounded_replica() -> None:
    """Three times the flood leaves hardly more than once."""
    cluster = Cluster(indices=(0, 2, 3))
    once = flood(cluster, 0, 150)
    thrice = flood(cluster, 150, 450)
    assert thrice < once * 1.15, (once, thrice)


def test_I11_the_count_sees_what_grows() -> None:
    """The control: an element more is counted, however deep."""
    replica = Cluster(indices=(0,)).replicas[0]
    before = count_elements(replica)
    replica._lanes._held.holdings[2]._heard[3] = deque([Tip(1, name_digest("x"))])
    assert count_elements(replica) > before


def test_I11_long_run_does_not_grow_once_its_windows_are_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the newest heights nothing is remembered of what was executed; the windows are made short here."""
    monkeypatch.setattr(agenda, "_TICKETS_MIN", 100)
    monkeypatch.setattr(held, "MEMORY_BYTES_MAX", 400_000)
    monkeypatch.setattr(commitments, "REMEMBERED_MAX", 150)
    monkeypatch.setattr(block_tree, "FINALIZED_HEADERS_MAX", 150)
    cluster = Cluster(make_genesis((1,)))
    sizes = []
    for sequence in range(600):
        cluster.submit(0, make_bundle(cluster.genesis, sequence), request=sequence + 1)
        cluster.run(cluster.now_ms + 41)
        cluster.turns.clear()
        if sequence % 195 == 194:
            sizes.append(count_elements(cluster.replicas[0]))
    assert cluster.heights[0] > 560
    assert sizes[-1] < sizes[-2] * 1.05, sizes


def test_flood_is_made_of_messages_that_travel() -> None:
    """The control: most of the flood is accepted without an error, so it reaches the tables."""
    cluster = Cluster(indices=(0,))
    refused = 0
    for message in make_flood(3):
        try:
            cluster.replicas[0]._dispatch(events.MessageReceived(1, message), [], at(0))
        except SequencerError:
            refused += 1
    assert refused <= 2


def test_I11_every_table_of_a_running_replica_is_named_and_within_its_bound() -> None:
    """At every moment of a run with transactions, and for a replica that has only started."""
    cluster = Cluster()
    for sequence in range(8):
        cluster.submit(sequence % 4, make_bundle(cluster.genesis, sequence // 4, payer=sequence % 4))
    for until_ms in range(100, 3_000, 100):
        cluster.run(until_ms)
        for replica in cluster.replicas.values():
            over = {name: pair for name, pair in replica.get_bounds(at(until_ms)).items() if pair[0] > pair[1]}
            assert over == {}
    assert len(cluster.replicas[0].get_bounds(at(3_000))) >= 30
