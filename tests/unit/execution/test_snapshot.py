"""Snapshots: an executor continues identically, and believes bytes only as far as they hash. # R1"""

from __future__ import annotations

import pytest

from sequencer.codec import Fields, decode, encode
from sequencer.errors import StoreError
from sequencer.execution.executor import Executor
from tests.execution_world import (
    ALPHA,
    BOB,
    GAMMA,
    GENESIS,
    World,
    make_child,
    make_genesis,
    make_leg,
    set_key,
    transfer,
)

LEG = make_leg(ALPHA, transfer(BOB, 5))


def make_world(blocks: int = 3) -> World:
    world = World()
    for number in range(blocks):
        world.execute(world.make_bundle(LEG), world.make_bundle(make_leg(GAMMA, set_key(f"kv/{number}", b"x"))))
    return world


def restore(world: World, snapshot: bytes) -> Executor:
    return Executor.restore(GENESIS, snapshot, world.executor.header)


def test_restored_executor_takes_the_same_snapshot() -> None:
    """Nothing is lost and nothing added."""
    world = make_world()
    snapshot = world.executor.take_snapshot()
    restored = restore(world, snapshot)
    assert restored.take_snapshot() == snapshot
    assert (restored.commitment, restored.height) == (world.executor.commitment, 3)


def test_restored_executor_continues_with_the_same_commitments() -> None:
    """The dep on a bundle from before the snapshot is still known. # A16"""
    world = make_world()
    first = world.make_bundle(LEG)
    world.execute(first)
    other = World()
    other.executor, other.sequences = restore(world, world.executor.take_snapshot()), dict(world.sequences)
    bundle = world.make_bundle(LEG, deps=(first.id,))
    expected = world.execute(bundle)
    assert other.execute(bundle) == expected
    assert expected.results[0].reason == ""


def test_restored_executor_proves_the_snapshot_height() -> None:
    """Proofs start again at the height of the snapshot."""
    world = make_world()
    restored = restore(world, world.executor.take_snapshot())
    assert restored.prove_state(3, ALPHA, "kv/a") == world.executor.prove_state(3, ALPHA, "kv/a")


def test_snapshot_of_the_genesis_can_be_restored() -> None:
    """Height 0 is a height like any other."""
    world = World()
    assert restore(world, world.executor.take_snapshot()).commitment == world.executor.commitment


def test_snapshot_taken_within_a_block_is_that_of_the_block_before() -> None:
    """Half a block is nobody's state."""
    world = make_world()
    before = world.executor.take_snapshot()
    world.executor.begin(make_child(world.executor.header), [world.check(world.make_bundle(LEG))])
    world.executor.step(1)
    assert world.executor.take_snapshot() == before


def test_every_flipped_byte_is_refused() -> None:
    """Every byte is covered by a digest, a bound or the canonical form."""
    world = make_world(2)
    snapshot = world.executor.take_snapshot()
    for place in range(0, len(snapshot), 7):
        damaged = snapshot[:place] + bytes([snapshot[place] ^ 1]) + snapshot[place + 1 :]
        with pytest.raises(StoreError, match="snapshot of height 2"):
            restore(world, damaged)


def test_snapshot_of_another_block_or_network_is_refused() -> None:
    """The header and the genesis are trusted, the bytes are not."""
    world = make_world()
    snapshot = world.executor.take_snapshot()
    world.execute()
    with pytest.raises(StoreError, match="another block"):
        restore(world, snapshot)
    with pytest.raises(StoreError, match="another block"):
        Executor.restore(make_genesis(name="other"), snapshot, world.blocks[2].header)


@pytest.mark.parametrize("drop", [0, 1])
def test_snapshot_with_a_missing_height_is_refused(drop: int) -> None:
    """The window of outcomes is whole and linked."""
    world = make_world()
    read = Fields(decode(world.executor.take_snapshot(), "snapshot"), "snapshot")
    head = (read.take("format"), read.take("digest"))
    decided = read.array("decided", 4, lambda value, _: value)
    rest = (read.take("namespaces"), read.take("pending"), read.take("own_states"))
    with pytest.raises(StoreError, match="holds 3 commitments"):
        restore(world, encode((*head, decided[:drop] + decided[drop + 1 :], *rest)))


def test_truncated_snapshot_is_refused() -> None:
    """A file cut short is told, not trusted."""
    world = make_world()
    with pytest.raises(StoreError, match="msgpack"):
        restore(world, world.executor.take_snapshot()[:-1])
