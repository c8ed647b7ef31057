"""Faults are data with streams of their own, each kind hits what it says, and the disk damage is real bytes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.errors import LocalError
from sequencer.simulation.cast import Cast
from sequencer.simulation.clock import NodeClock
from sequencer.simulation.crash_points import BOUNDARIES, Boundary, Doom, Survival
from sequencer.simulation.faults.fault import HEAL_US, Fault, fault_from_value, fault_to_value
from sequencer.simulation.faults.plan import ALL_FAULTS, plan_faults
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import run_seed
from sequencer.simulation.scheduler import MILLISECOND, SECOND, Scheduler
from sequencer.simulation.simulator import Simulation
from sequencer.simulation.store import SimulatedStore
from sequencer.types.effects import Broadcast, PersistVote
from sequencer.types.messages import Have
from sequencer.types.records import RecordKind, VoteRecord

CAST = Cast(frozenset(), frozenset({1}))
SINGLE = {
    "gst": Fault("gst", 0, 0, 6 * SECOND, (0, 1, 2, 3), (0, 1, 2, 3), 800_000),
    "one_way_slow": Fault("one_way_slow", 0, 2 * SECOND, 12 * SECOND, (0,), (1,), 900_000),
    "clock_skew": Fault("clock_skew", 0, 2 * SECOND, 9 * SECOND, (2,), (), -10_000),
    "outage": Fault("outage", 0, 3 * SECOND, 25 * SECOND, (3,)),
    "empty_disk": Fault("empty_disk", 0, 12 * SECOND, 14 * SECOND, (2,)),
    "pause": Fault("pause", 0, 4 * SECOND, 9 * SECOND, (1,)),
}


def make_store(records: int) -> SimulatedStore:
    store = SimulatedStore()
    for view in range(1, records + 1):
        store.append_vote(PersistVote(VoteRecord(RecordKind.NOTARIZE, 0, view, bytes([view]) * 32)))
    return store


def test_plan_leaving_out_a_kind_does_not_change_the_others() -> None:
    """Each kind draws from a stream of its own."""
    for seed in range(20):
        plan = plan_faults(seed, 4, CAST, 500, ALL_FAULTS)
        without = plan_faults(seed, 4, CAST, 500, [kind for kind in ALL_FAULTS if kind != "crash"])
        assert without == tuple(fault for fault in plan if fault.kind != "crash")


@pytest.mark.parametrize("size", [2, 4, 5, 10])
def test_plan_hits_existing_nodes_and_ends_before_the_healing(size: int) -> None:
    """Damage beyond the crash model hits fragile validators only."""
    for seed in range(60):
        for fault in plan_faults(seed, size, CAST, 500, ALL_FAULTS):
            assert fault.start_us <= fault.end_us < HEAL_US
            assert set(fault.nodes) | set(fault.targets) <= set(range(size))
            if fault.kind in ("lost_fsync", "vote_log_rot", "bit_rot", "empty_disk"):
                assert fault.nodes == (1,)
            assert fault_from_value(fault_to_value(fault), "fault") == fault


def test_fault_of_wrong_shape_is_refused_by_the_name_of_the_field() -> None:
    """What a replay file holds is checked."""
    value = fault_to_value(SINGLE["pause"])
    with pytest.raises(LocalError, match=r"plan\[0\].start_us"):
        fault_from_value({**value, "start_us": "soon"}, "plan[0]")


@pytest.mark.parametrize("kind", SINGLE)
def test_single_fault_fires_and_the_healed_network_goes_on(kind: str) -> None:
    """One fault alone is felt by correct validators, and nothing is violated."""
    result = run_seed(1, SimulationOptions(plan=(SINGLE[kind],)))
    assert (result.violations, set(result.fired) & set(ALL_FAULTS)) == ((), {kind})


def test_fault_that_hits_nobody_does_not_count_as_fired() -> None:
    """Control: a crash point that is never reached, and a fault of a validator that is not correct."""
    unreached = Fault("crash_point", 0, HEAL_US - 2 * SECOND, HEAL_US - SECOND, (1,), (), len(BOUNDARIES) * 10_000)
    assert "crash_point" not in run_seed(1, SimulationOptions(plan=(unreached,))).fired
    simulation = Simulation(1, SimulationOptions(plan=(SINGLE["pause"],)))
    simulation.ledger.faulty.add(1)
    assert "pause" not in simulation.run().fired


@pytest.mark.parametrize("boundary", range(len(BOUNDARIES)), ids=[boundary.value for boundary in BOUNDARIES])
def test_crash_point_at_every_boundary_kills_and_harms_nobody(boundary: int) -> None:
    """Before and after each write, within the sync, before, within and after sending."""
    plan = tuple(
        Fault("crash_point", node, (3 + 4 * node) * SECOND, (5 + 4 * node) * SECOND, (node,), (), boundary)
        for node in range(4)
    )
    result = run_seed(2, SimulationOptions(plan=plan))
    assert (result.violations, result.fired["crash_point"], result.restarts) == ((), 4, 4)


def test_torn_write_leaves_a_prefix_of_whole_records() -> None:
    """The file ends at any byte; every number of survivors is met, and never more than were written."""
    survivors = set()
    for seed in range(80):
        store = make_store(3)
        votes, _, lost = store.crash(random.Random(seed), Survival.TORN)
        assert [vote.number for vote in votes] == list(range(1, len(votes) + 1))
        assert len(votes) + lost == 3
        survivors.add(len(votes))
    assert survivors == {0, 1, 2}


def test_rot_of_the_vote_log_is_noticed_or_makes_the_validator_faulty() -> None:
    """A bit before the last record makes an observer; in the last record it looks like a torn tail."""
    outcomes = set()
    for seed in range(60):
        store = make_store(4)
        store.sync()
        assert store.rot_vote_log(random.Random(seed))
        reason = store.load().observer_reason
        assert store.has_forgotten is (reason is None)
        assert len(store.vote_log) == (4 if reason else 3)
        outcomes.add(reason is None)
    assert outcomes == {True, False}


def test_lost_fsync_forgets_the_newest_sync_only() -> None:
    """Older records stay; the validator that goes on without the newest may contradict itself."""
    store = make_store(2)
    store.sync()
    store.append_vote(PersistVote(VoteRecord(RecordKind.NULLIFY, 0, 3, bytes(32))))
    store.sync()
    assert store.lose_last_sync() == 1
    assert ([vote.number for vote in store.vote_log], store.has_forgotten) == ([1, 2], True)
    assert len(store.durable.votes) == 2


def test_rotten_record_is_neither_served_nor_loaded_until_it_is_written_again() -> None:
    """What cannot be read is fetched from peers."""
    simulation = Simulation(1, SimulationOptions(faults=()))
    simulation.run()
    store = simulation.nodes[0].store
    newest = max(store.durable.blocks)
    assert store.rot_record(random.Random(3))
    unreadable = [height for height in store.durable.blocks if not store.load_blocks(height, 1)]
    store.drop_unreadable()
    kept = max(store.durable.blocks)
    assert unreadable == [] or kept < newest or unreadable[0] <= store.load().snapshot_header.height  # type: ignore[union-attr] # a snapshot exists at this height


def test_clock_that_runs_fast_reaches_its_timers_early_and_never_goes_back() -> None:
    """Due times follow the rate; the wall clock may jump, the monotonic clock may not."""
    scheduler = Scheduler()
    clock = NodeClock(scheduler, 1_000_000)
    reads = list[str]()
    scheduler.run_until(1 * SECOND)
    clock.set_rate(2_000, lambda: reads.append("rate"))
    clock.set_shift(-5_000, lambda: reads.append("shift"))
    assert reads == []
    due_us = clock.get_due_us(3_000)
    assert due_us == 2 * SECOND
    scheduler.run_until(due_us)
    instant = clock.read()
    assert (instant.mono_ms, instant.wall_ms) == (3_000, 1_000_000 + 2_000 - 5_000)
    assert reads == ["rate", "shift"]
    clock.set_rate(1_000)
    scheduler.run_until(due_us + 10 * MILLISECOND)
    assert clock.read().mono_ms == 3_010


def test_options_with_unknown_fault_are_refused_by_name() -> None:
    """A typing error is not silently a run without faults."""
    with pytest.raises(LocalError, match="flood"):
        replace(SimulationOptions(), faults=("flood",)).verify()


def test_node_that_dies_while_it_sends_writes_nothing_more() -> None:
    """A record that follows the send at which a process died never reaches its disk. # D1"""
    simulation = Simulation(0, SimulationOptions(faults=()))
    simulation.start()
    simulation.advance(SECOND)
    node = simulation.nodes[0]
    held = node.store.unsynced_count, len(node.store.vote_log)
    node.doom = Doom(Boundary.SENDING, 0, node.crash)
    record = VoteRecord(RecordKind.NULLIFY, 0, 1_000, ZERO_DIGEST)
    node._perform((Broadcast(Have((), ())), PersistVote(record)))
    assert (node.is_running, (node.store.unsynced_count, len(node.store.vote_log))) == (False, held)
