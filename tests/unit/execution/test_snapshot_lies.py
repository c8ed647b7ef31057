"""A stranger's snapshot can lie where no root tells: order, what is left out, the bodies of messages. # R2"""

from __future__ import annotations

from typing import Any, cast

import pytest

from sequencer.codec import decode, encode
from sequencer.errors import StoreError
from sequencer.execution.executor import Executor
from tests.execution_world import ALPHA
from tests.split_chain import Chain, touch
from tests.split_world import DELTA
from tests.unit.execution.test_split_deliveries import Pair, make_blocker

NAMESPACES, PENDING = 3, 4


def read_whole(executor: Executor) -> list[Any]:
    """Return the elements of the executor's snapshot."""
    return list(cast(tuple[Any, ...], decode(executor.take_snapshot(), "snapshot")))


def restore(chain: Chain, elements: list[Any]) -> Executor:
    """Restore what was changed."""
    return Executor.restore(chain.genesis, encode(tuple(elements)), chain.executor.header)


def test_R2_open_bundles_in_another_order_are_refused() -> None:
    """The pending root is over ids; who times out first and what is settled depends on the order of the log."""
    chain = Chain()
    chain.run(chain.bundle(touch(DELTA, "k")), chain.bundle(touch(DELTA, "other")), chain.bundle(touch(DELTA, "k")))
    elements = read_whole(chain.executor)
    elements[PENDING] = (elements[PENDING][0][::-1],)
    with pytest.raises(StoreError, match="log order"):
        restore(chain, elements)


@pytest.mark.parametrize("namespace", [0, ALPHA])
def test_R2_native_rollup_without_its_state_is_refused(namespace: int) -> None:
    """Only a split rollup's row may come alone: its root is right, and nothing could be executed on it."""
    chain = Chain()
    chain.run()
    elements = read_whole(chain.executor)
    rows = list(elements[NAMESPACES])
    root = chain.executor.get_state(namespace).root
    rows[namespace] = (*rows[namespace][:-1], root)
    elements[NAMESPACES] = tuple(rows)
    with pytest.raises(StoreError, match="state"):
        restore(chain, elements)


def test_R2_waiting_delivery_with_another_amount_is_refused() -> None:
    """A message's id binds all of it, so the pending root does."""
    pair = Pair()
    bundle, blocker = pair.bundle(DELTA, ALPHA), make_blocker(pair)
    pair.run(bundle)
    pair.run(blocker, pair.prove(ALPHA, bundle))
    elements = read_whole(pair.validator.executor)
    entry = list(elements[PENDING][0][1])
    message = list(entry[1])
    message[5] += 1
    entry[1] = tuple(message)
    elements[PENDING] = ((elements[PENDING][0][0], tuple(entry)),)
    with pytest.raises(StoreError, match="open bundles that are not under their root"):
        restore(pair.validator, elements)
