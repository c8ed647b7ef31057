"""The transactions of a load run are well formed, and each bundle leaves marks that tell on it."""

from __future__ import annotations

import pytest

from sequencer.cli.cluster.blueprint import Blueprint, Wish, draw
from sequencer.cli.cluster.rollups import ROLLUPS_DEFAULT
from sequencer.cli.workload.schedule import Kind, Schedule
from sequencer.cli.workload.traffic import Shipment, Traffic
from sequencer.crypto.signatures import verify_ed25519
from sequencer.errors import LocalError
from sequencer.sdk.building import Account
from sequencer.types.item import SignedBundle, check_item

COUNT = 400


def make_traffic(drawn: Blueprint, ends: int = 4) -> Traffic:
    accounts = {account.name: Account(account.seed, account.name) for account in drawn.accounts}
    return Traffic(drawn.genesis, accounts, {name: [0] * 16 for name in accounts}, ends)


def make_shipments(drawn: Blueprint) -> list[Shipment]:
    traffic = make_traffic(drawn)
    schedule = Schedule(100, COUNT / 100, 0.5, len(traffic.lanes))
    return [traffic.make(schedule.get(number), 7) for number in range(COUNT)]


@pytest.fixture(scope="module")
def drawn() -> Blueprint:
    return draw(Wish(4, ROLLUPS_DEFAULT, 1, None))


def test_every_transaction_passes_the_stateless_checks(drawn: Blueprint) -> None:
    """What the load sends is refused by nobody for its form or its signatures."""
    rules = drawn.genesis.item_rules
    checked = [check_item(shipment.signed.item_bytes, rules, verify_ed25519) for shipment in make_shipments(drawn)]
    assert all(isinstance(item, SignedBundle) for item in checked)


def test_sequences_of_a_lane_are_consecutive_and_ids_distinct(drawn: Blueprint) -> None:
    """No two transactions share payer, channel and sequence."""
    bundles = [shipment.signed.bundle for shipment in make_shipments(drawn)]
    assert len({bundle.id for bundle in bundles}) == COUNT
    slots = sorted((bundle.payer, bundle.channel, bundle.sequence) for bundle in bundles)
    assert len(set(slots)) == COUNT
    assert all(sequence == 0 or (payer, channel, sequence - 1) in slots for payer, channel, sequence in slots)


def test_bundles_reach_two_or_three_rollups_and_plain_ones_one(drawn: Blueprint) -> None:
    """Both sizes occur, and every rollup takes part."""
    shipments = make_shipments(drawn)
    sizes = {kind: {len(s.signed.bundle.rollups) for s in shipments if s.due.kind is kind} for kind in Kind}
    assert sizes[Kind.PLAIN] == {1}
    assert sizes[Kind.BUNDLE] == {2, 3}
    assert {rollup for s in shipments for rollup in s.signed.bundle.rollups} == {1, 2, 3}


def test_marks_are_written_by_their_own_bundle_only(drawn: Blueprint) -> None:
    """A mark in the state tells of exactly one leg."""
    marks = [(mark.rollup, mark.key) for shipment in make_shipments(drawn) for mark in shipment.marks]
    assert len(set(marks)) == len(marks)


def test_false_bundles_carry_one_condition_and_hot_ones_the_hot_signer(drawn: Blueprint) -> None:
    """Each kind differs from a plain bundle in one thing."""
    hot = next(account.address for account in drawn.accounts if account.name == "hot")
    for shipment in make_shipments(drawn):
        bundle, kind = shipment.signed.bundle, shipment.due.kind
        assert sum(len(leg.conditions) for leg in bundle.legs) == (kind is Kind.FALSE)
        assert (hot in bundle.signers) == (kind is Kind.HOT)


def test_lanes_are_spread_evenly_over_the_ends(drawn: Blueprint) -> None:
    """Every RPC end gets its share, and a lane stays with its end."""
    lanes = make_traffic(drawn, 3).lanes
    shares = [sum(lane.end == end for lane in lanes) for end in range(3)]
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("rollups", ["solo", "a:key_value,b:key_value", "one:amm"])
def test_other_sets_of_rollups_are_served_too(rollups: str) -> None:
    """One rollup, or none with balances, still gives well-formed bundles of two legs or more."""
    drawn = draw(Wish(1, rollups, 1, None))
    for shipment in make_shipments(drawn):
        assert isinstance(
            check_item(shipment.signed.item_bytes, drawn.genesis.item_rules, verify_ed25519), SignedBundle
        )
        assert len(shipment.signed.bundle.legs) >= (2 if shipment.due.kind.is_bundle else 1)


def test_network_without_load_accounts_is_refused(drawn: Blueprint) -> None:
    """A person reads why load cannot run here."""
    with pytest.raises(LocalError, match="no accounts for load"):
        Traffic(drawn.genesis, {}, {}, 1)
