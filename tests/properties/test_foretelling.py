"""Random logs: what is foretold of a bundle is what the next block makes of it. # A8"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sequencer.execution.evaluation import Failure
from sequencer.execution.outlook import Outlook
from sequencer.types.item import CheckedItem, SignedBundle
from sequencer.types.outcome import Status
from tests.execution_world import World
from tests.properties.execution_log import make_log

SEEDS = st.integers(0, 2**32 - 1)


Told = tuple[Status, str, int, tuple[Failure, ...]]
"""Status, reason, fee and failures."""


def list_items(seed: int) -> list[tuple[bytes, CheckedItem]]:
    """Return the items of a random log; each gets a block of its own here."""
    return [one for block in make_log(seed) for one in block]


def foretell(world: World, checked: CheckedItem) -> Told | None:
    """Return what would become of a bundle; None for what is none."""
    if not isinstance(checked, SignedBundle):
        return None
    check = world.executor.check_bundle(checked.bundle)
    return check.status, check.reason, check.fee, check.failures


def execute(world: World, item: tuple[bytes, CheckedItem]) -> Told:
    """Execute one item and return what became of it."""
    result = world.execute_items([item], step_ms=1).results[0]
    failures = world.executor.get_failures(result.item_id) if result.status is Status.ABORT else ()
    return result.status, result.reason, result.fee, failures


def assert_outlook_agrees(world: World, signed: SignedBundle) -> None:
    """Admission and `check_bundle` judge alike what can be taken in at all."""
    check = world.executor.check_bundle(signed.bundle)
    if check.status is not Status.INADMISSIBLE:
        assert Outlook(world.executor).passes(signed.bundle) == (check.status is Status.COMMIT)


@settings(max_examples=12, derandomize=True, deadline=None)
@given(SEEDS)
def test_every_bundle_ends_as_foretold(seed: int) -> None:
    """Status, reason, fee, and each failure with expected and found; admission judges alike."""
    world = World()
    for item in list_items(seed):
        foretold = foretell(world, item[1])
        if isinstance(item[1], SignedBundle):
            assert_outlook_agrees(world, item[1])
        assert foretold in (None, execute(world, item)), f"seed {seed}"


def test_prediction_that_is_a_block_old_can_be_wrong() -> None:
    """Control: the logs do hold bundles whose end depends on the item before."""
    changed = 0
    for seed in range(3):
        world, items = World(), list_items(seed)
        for item, following in pairwise(items):
            early = foretell(world, following[1])
            execute(world, item)
            changed += early != foretell(world, following[1])
    assert changed > 0
