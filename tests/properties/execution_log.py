"""Run one random log through executor and reference, and assert all that must hold after each block."""

from __future__ import annotations

from collections import Counter
from random import Random

from sequencer.simulation.reference import ReferenceInterpreter
from sequencer.simulation.workload import Mix, Workload, make_marker_key
from sequencer.types.bundle import Bundle
from sequencer.types.executed import ExecutedBlock
from sequencer.types.genesis import Genesis
from sequencer.types.item import CheckedItem, SignedBundle, check_item
from sequencer.types.outcome import Status
from tests.execution_world import ACCOUNTS, GENESIS, POOR, World, sign_token, verify_token

BLOCKS = 10
ITEMS_PER_BLOCK_MAX = 14

Items = list[tuple[bytes, CheckedItem]]


def make_log(seed: int, genesis: Genesis = GENESIS, mix: Mix | None = None) -> list[Items]:
    """Return the checked items of each block of a random log."""
    random = Random(seed)
    workload = Workload(genesis, (*ACCOUNTS, POOR), sign_token, random, mix or Mix())
    log = []
    for height in range(1, BLOCKS + 1):
        items = [workload.make_item(height) for _ in range(random.randrange(ITEMS_PER_BLOCK_MAX))]
        log.append([(item, check_item(item, genesis.item_rules, verify_token)) for item in items])
    return log


def check_log(seed: int) -> Counter[str]:
    """Execute a random log in random slices; returns how often each kind of result occurred."""
    world, reference, random = World(), ReferenceInterpreter(GENESIS), Random(seed)
    seen: Counter[str] = Counter()
    for items in make_log(seed):
        block = world.execute_items(items, slice_size=random.randint(1, 6))
        assert reference.apply(block.header, items) == block.results, f"results differ from the reference, seed {seed}"
        assert_equal_states(world, reference)
        assert_all_or_nothing(world, block, items)
        assert_conserved(world)
        seen.update(result.reason.split("@")[0].split(":")[-1] or "COMMIT" for result in block.results)
    return seen


def assert_equal_states(world: World, reference: ReferenceInterpreter) -> None:
    """Every key of every rollup, every deposit and sequence."""
    snapshot = {row.namespace: get_state(world, row.namespace) for row in world.blocks[-1].rows}
    for rollup, state in reference.states.items():
        assert snapshot[rollup] == state, f"state of rollup {rollup} differs from the reference"
    system = {f"deposit/{payer.hex()}": amount for payer, amount in reference.deposits.items()}
    system.update({f"sequence/{p.hex()}/{channel}": n for (p, channel), n in reference.sequences.items()})
    system["burned"] = reference.burned
    assert snapshot[0] == {key: amount for key, amount in system.items() if amount}, "the system state differs"


def get_state(world: World, namespace: int) -> dict[str, object]:
    """Return a namespace's whole state, read through the tree that the commitment covers."""
    return dict(world.executor._history.newest.get_state(namespace).get_entries())


def assert_all_or_nothing(world: World, block: ExecutedBlock, items: Items) -> None:
    """A bundle's marker stands on all its rollups iff it committed, and on none otherwise. # A8"""
    for result, (_, checked) in zip(block.results, items, strict=True):
        if isinstance(checked, SignedBundle) and result.status is not Status.INADMISSIBLE:
            markers = get_markers(world, checked.bundle)
            assert markers == {1 if result.status is Status.COMMIT else None}, f"partial effect of {result}"


def get_markers(world: World, bundle: Bundle) -> set[object]:
    """Return what the bundle's marker key holds on the rollups it touches."""
    return {world.get(rollup, make_marker_key(bundle)) for rollup in bundle.rollups}


def assert_conserved(world: World) -> None:
    """Every asset on every rollup, and deposits with what was burned, sum to what the genesis gave. # A17"""
    for rollup in GENESIS.rollups:
        assert sum_assets(get_state(world, rollup.id)) == sum_assets(dict(rollup.state)), "an asset was made or lost"
    total = sum(int(str(value)) for key, value in get_state(world, 0).items() if not key.startswith("sequence/"))
    assert total == sum(amount for _, amount in GENESIS.deposits), "deposits and burned fees do not add up"


def sum_assets(state: dict[str, object]) -> Counter[str]:
    """Return the total of each asset over balances and reserves."""
    totals: Counter[str] = Counter()
    for key, value in state.items():
        parts = key.split("/")
        if parts[0] in ("balance", "pool") and isinstance(value, int):
            totals[parts[1] if parts[0] == "balance" else parts[2]] += value
    return totals
