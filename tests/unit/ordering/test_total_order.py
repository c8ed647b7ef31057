"""The order of batches is a function of the finalized chain and of nothing else. # O2 O3"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.ordering.total_order import compute_batch_order, compute_lane_order
from sequencer.types.block import BlockHeader
from tests.unit.core_world import Group, name_digest

GROUP = Group()
HEADER = GROUP.child(GROUP.root)
SEED = name_digest("seed")
LANES = [GROUP.chain(lane, count) for lane, count in enumerate((3, 0, 1, 2))]


def test_O3_lane_order_is_a_permutation() -> None:
    """Each lane has one place."""
    assert sorted(compute_lane_order(SEED, HEADER)) == [0, 1, 2, 3]


def test_O3_lane_order_is_pinned() -> None:
    """The order is part of the protocol: a change of it splits the network."""
    assert compute_lane_order(bytes(32), replace(HEADER, height=7, parent_digest=bytes(32))) == (0, 1, 3, 2)


@pytest.mark.parametrize("field", ["view", "time_ms", "parent_view"])
def test_O3_what_the_leader_chooses_does_not_change_the_order(field: str) -> None:
    """Only seed, height and parent decide, and all three are fixed before the leader acts."""
    headers = [replace(HEADER, **{field: number}) for number in range(20)]  # type: ignore[arg-type] # numbers
    assert len({compute_lane_order(SEED, header) for header in headers}) == 1


def test_O3_cut_does_not_change_the_order() -> None:
    """The leader's freedom is which tips to include, not where they stand."""
    other = replace(HEADER, cut=HEADER.cut[::-1])
    assert compute_lane_order(SEED, other) == compute_lane_order(SEED, HEADER)


def make_variants(what: str) -> list[tuple[bytes, BlockHeader]]:
    """Return many seeds with headers that differ only in seed, in height, or in the parent."""
    digests = [name_digest(str(number)) for number in range(60)]
    if what == "seed":
        return [(digest, HEADER) for digest in digests]
    if what == "height":
        return [(SEED, replace(HEADER, height=number)) for number in range(60)]
    return [(SEED, replace(HEADER, parent_digest=digest)) for digest in digests]


@pytest.mark.parametrize("what", ["seed", "height", "parent"])
def test_O3_seed_height_and_parent_change_the_order(what: str) -> None:
    """No lane is always first."""
    assert {compute_lane_order(*variant)[0] for variant in make_variants(what)} == {0, 1, 2, 3}


def test_O3_sweep_takes_the_first_of_each_lane_then_the_second() -> None:
    """No lane gets its second batch before every other had its first."""
    order = compute_lane_order(SEED, HEADER)
    expected = [(step, lane) for step in range(3) for lane in order if step < len(LANES[lane])]
    batches = compute_batch_order(SEED, HEADER, LANES)
    assert [(batch.header.position - 1, batch.header.lane) for batch in batches] == expected


def test_O3_every_batch_appears_once() -> None:
    """Nothing is lost or doubled."""
    batches = compute_batch_order(SEED, HEADER, LANES)
    assert sorted(b.digest for b in batches) == sorted(b.digest for lane in LANES for b in lane)


def test_O3_nothing_new_is_the_empty_order() -> None:
    """An empty block has no batches."""
    assert compute_batch_order(SEED, HEADER, [[], [], [], []]) == ()
