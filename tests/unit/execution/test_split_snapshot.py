"""A snapshot of a chain on which something is open is believed only as far as it hashes. # R1 R2"""

from __future__ import annotations

from typing import Any, cast

import pytest

from sequencer.codec import decode, encode
from sequencer.errors import StoreError
from sequencer.execution.executor import Executor
from tests.execution_world import ALPHA
from tests.split_chain import Chain, link, say_yes, touch
from tests.split_world import DELTA, EPSILON

FORMAT, DIGEST, DECIDED, NAMESPACES, PENDING, OWN_STATES = range(6)


def make_chain(runs: frozenset[int] = frozenset()) -> Chain:
    """Return a chain with two open bundles, one of them voted on early, and a dep that is waited for."""
    chain = Chain(runs=runs)
    first, second = chain.bundle(touch(DELTA, "k"), touch(ALPHA, "k")), chain.bundle(touch(DELTA, "k"))
    chain.run(first, second, say_yes(second, links=[link(first)]))
    chain.run(chain.bundle(touch(ALPHA, "k"), deps=(second.id,)))
    return chain


def read_whole(chain: Chain) -> list[Any]:
    """Return the elements of the chain's snapshot."""
    return list(cast(tuple[Any, ...], decode(chain.executor.take_snapshot(), "snapshot")))


def restore(chain: Chain, elements: list[Any]) -> Executor:
    """Restore what was changed."""
    return Executor.restore(chain.genesis, encode(tuple(elements)), chain.executor.header, chain.runs)


def test_R2_open_bundles_come_with_the_snapshot() -> None:
    """What a stranger's snapshot says is open is the same, and goes on in the same way."""
    chain = make_chain()
    restored = restore(chain, read_whole(chain))
    assert restored.pending == chain.executor.pending
    assert len(restored.pending) == 3


@pytest.mark.parametrize("field", ["height", "index", "time_ms", "deadline", "status", "places"])
def test_R2_forged_open_bundle_is_refused(field: str) -> None:
    """Every field of an entry is under the pending root, its certificates too."""
    chain = make_chain()
    elements = read_whole(chain)
    place = ["bundle", "message", "height", "index", "time_ms", "deadline", "status", "places"].index(field)
    entry = list(elements[PENDING][0][1])
    if field == "places":
        rollup, horizon, ancestors, known_height, _ = entry[place][0]
        entry[place] = ((rollup, horizon, ancestors, known_height, ()), *entry[place][1:])
    else:
        entry[place] = 2 if field == "status" else entry[place] + 1
    elements[PENDING] = ((elements[PENDING][0][0], tuple(entry), *elements[PENDING][0][2:]),)
    with pytest.raises(StoreError, match="open bundles that are not under their root"):
        restore(chain, elements)


def test_R2_snapshot_without_one_of_the_open_bundles_is_refused() -> None:
    """Who forgot one would decide otherwise than all others."""
    chain = make_chain()
    elements = read_whole(chain)
    elements[PENDING] = (elements[PENDING][0][1:],)
    with pytest.raises(StoreError, match="open bundles that are not under their root"):
        restore(chain, elements)


def test_R2_stale_root_of_a_split_rollup_is_refused() -> None:
    """Its row stands under the exec root as any other, though no state comes with it."""
    chain = make_chain()
    elements = read_whole(chain)
    rows = list(elements[NAMESPACES])
    rows[DELTA] = (*rows[DELTA][:-1], bytes(32))
    elements[NAMESPACES] = tuple(rows)
    with pytest.raises(StoreError, match="not under its root"):
        restore(chain, elements)


def test_R1_executor_goes_on_with_its_own_state_and_a_stranger_without() -> None:
    """No root of the log covers it, so who fetches the snapshot does not take it over."""
    chain = make_chain(frozenset({DELTA}))
    snapshot, header = chain.executor.take_snapshot(), chain.executor.header
    own = Executor.restore(chain.genesis, snapshot, header, frozenset({DELTA}))
    stranger = Executor.restore(chain.genesis, snapshot, header)
    assert own.get_state(DELTA).root == chain.executor.get_state(DELTA).root
    assert (DELTA in stranger.runs, stranger.take_snapshot() == snapshot) == (False, False)
    other = Executor.restore(chain.genesis, snapshot, header, frozenset({EPSILON}))
    assert (other.is_frozen(EPSILON), other.runs) == (True, frozenset({1, 2, 3}))


def test_R1_damaged_own_state_is_refused() -> None:
    """The root beside it tells."""
    chain = make_chain(frozenset({DELTA}))
    elements = read_whole(chain)
    rollup, root, chunks = elements[OWN_STATES][0]
    elements[OWN_STATES] = ((rollup, root, (chunks[0][1:],)),)
    with pytest.raises(StoreError, match="root: is not that of the entries"):
        restore(chain, elements)
