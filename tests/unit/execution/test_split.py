"""The one rule with split rollups: what counts, when, and what comes of it. # A8 A9 A16"""

from __future__ import annotations

from dataclasses import replace

from sequencer.types.bundle import HeightWindow, Operation, Reference
from sequencer.types.executed import RollupVerdict, VerdictSource
from sequencer.types.outcome import Status
from sequencer.types.verdict import Verdict
from tests.execution_world import ALPHA, BOB, GAMMA, make_child, make_leg, set_key, transfer
from tests.split_chain import Chain, declare, link, say_no, say_yes, touch
from tests.split_world import DELTA, EPSILON

ALL_MINE = make_leg(ALPHA, transfer(BOB, 2**63))
"""A leg that alpha refuses."""


def test_A8_split_bundle_commits_by_its_certificate() -> None:
    """It waits, shows nothing, and takes effect on the native rollup when the split one says YES."""
    chain = Chain()
    bundle = chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m"))
    first = chain.run(bundle)
    assert (first.results[0].status, first.outcomes, chain.get(ALPHA, "kv/m")) == (Status.PENDING, (), None)
    second = chain.run(say_yes(bundle))
    assert (second.results[0].status, chain.get_reasons(), chain.get(ALPHA, "kv/m")) == (Status.COMMIT, ["COMMIT"], 1)
    decision = second.decisions[0]
    assert (decision.item_id, decision.ordered_height, decision.ordered_index) == (bundle.id, 1, 0)
    assert decision.verdicts == (
        RollupVerdict(ALPHA, Verdict.YES, "", VerdictSource.NATIVE),
        RollupVerdict(DELTA, Verdict.YES, "", VerdictSource.CERTIFICATE),
    )
    assert [leaf.bundle_id for leaf in second.outcomes] == [bundle.id]
    assert chain.executor.pending == ()


def test_A8_certified_no_aborts_everywhere() -> None:
    """The native leg leaves nothing behind."""
    chain = Chain()
    bundle = chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m"))
    chain.run(bundle)
    chain.run(say_no(bundle))
    assert (chain.get_reasons(), chain.get(ALPHA, "kv/m")) == (["NO:delta:TOO_LOW@legs[0].conditions[0]"], None)


def test_A8_native_no_aborts_at_the_position_without_waiting() -> None:
    """What one rollup refuses needs no other's word."""
    chain = Chain()
    block = chain.run(chain.bundle(ALL_MINE, touch(DELTA, "m")))
    assert (block.results[0].status, chain.executor.pending) == (Status.ABORT, ())
    assert block.results[0].reason == "NO:alpha:INSUFFICIENT@legs[0].operations[0]"


def test_A8_lowest_of_the_rollups_that_said_no_by_now_is_named() -> None:
    """Epsilon speaks first; delta would have been lower."""
    chain = Chain()
    bundle = chain.bundle(touch(DELTA, "m"), touch(EPSILON, "m"))
    chain.run(bundle)
    block = chain.run(say_no(bundle, EPSILON), say_no(bundle, DELTA))
    assert chain.get_reasons() == ["NO:epsilon:TOO_LOW@legs[0].conditions[0]"]
    assert [result.reason for result in block.results] == ["", "STALE"]


def test_A9_verdict_counts_only_under_what_came_true() -> None:
    """The follower was voted on in case the first commits; it aborts, so that vote is worth nothing."""
    chain = Chain()
    first, second = chain.bundle(touch(DELTA, "k")), chain.bundle(touch(DELTA, "k"))
    chain.run(first, second)
    chain.run(say_yes(second, links=[link(first)]), say_no(first))
    assert chain.get_reasons() == ["NO:delta:TOO_LOW@legs[0].conditions[0]"]
    chain.run(say_yes(second, links=[link(first, Status.ABORT)]))
    assert chain.get_reasons() == ["COMMIT"]


def test_A9_verdict_under_assumption_decides_as_soon_as_it_comes_true() -> None:
    """Early votes cost no height: both bundles are decided by one item, in log order."""
    chain = Chain()
    first, second = chain.bundle(touch(DELTA, "k")), chain.bundle(touch(DELTA, "k"))
    chain.run(first, second)
    chain.run(say_yes(second, links=[link(first)]), say_yes(first))
    assert [decision.item_id for decision in chain.blocks[-1].decisions] == [first.id, second.id]


def test_A9_assumption_binds_the_foreign_values_that_ancestors_read() -> None:
    """Epsilon's value of the ancestor is not what the follower's executors had heard: their vote does not count."""
    chain = Chain()
    read = make_leg(DELTA, Operation("set", ("kv/k", Reference(0, "value"))), access=declare(write=["kv/k"]))
    first = chain.bundle(make_leg(EPSILON, Operation("add", ("kv/x", 1)), access=declare(write=["kv/x"])), read)
    second = chain.bundle(touch(DELTA, "k"))
    chain.run(first, second)
    heard, told = say_yes(first, inputs=[(0, "value", 5)]), say_yes(first, inputs=[(0, "value", 7)])
    early = say_yes(second, links=[link(first, assumption=heard.assumption)])
    chain.run(early, say_yes(first, EPSILON, outputs=((0, "value", 7),)), told)
    assert [decision.item_id for decision in chain.blocks[-1].decisions] == [first.id]
    chain.run(say_yes(second, links=[link(first, assumption=told.assumption)]))
    assert chain.get_reasons() == ["COMMIT"]


def test_A9_aborted_item_is_a_link_until_it_is_settled() -> None:
    """The middle one aborts on epsilon at once; the last still rests on the first, through it."""
    chain = Chain()
    first = chain.bundle(touch(DELTA, "a"))
    middle = chain.bundle(touch(DELTA, "a", "b"), touch(EPSILON, "x"))
    last = chain.bundle(touch(DELTA, "b"))
    chain.run(first, middle, say_no(middle, EPSILON), last)
    assert chain.get_reasons() == ["NO:epsilon:TOO_LOW@legs[0].conditions[0]"]
    assert [(entry.id, entry.status) for entry in chain.executor.pending] == [
        (first.id, Status.PENDING),
        (middle.id, Status.ABORT),
        (last.id, Status.PENDING),
    ]
    rests_on = say_yes(middle, links=[link(first)]).assumption
    verdict = say_yes(last, links=[link(middle, Status.ABORT, rests_on)])
    chain.run(verdict)
    assert chain.get_reasons() == []
    chain.run(say_yes(first))
    assert chain.get_reasons() == ["COMMIT", "COMMIT"]
    assert chain.executor.pending == ()


def test_A9_readers_do_not_wait_for_each_other_but_the_next_writer_does() -> None:
    """Who rests on whom follows from what is declared."""
    chain = Chain()
    legs = (touch(DELTA, "a", read=["k"]), touch(DELTA, "b", read=["k"]), touch(DELTA, "k"), touch(DELTA, "c"))
    bundles = [chain.bundle(leg) for leg in legs]
    chain.run(*bundles)
    ancestors = [[found.id for found in chain.get_pending(b).places[0].ancestors] for b in bundles]
    assert ancestors == [[], [], [bundles[0].id, bundles[1].id], []]


def test_A7_leg_without_access_set_rests_on_all_and_all_rest_on_it() -> None:
    """`*` is the whole rollup."""
    chain = Chain()
    legs = (touch(DELTA, "a"), touch(DELTA, "b"), make_leg(DELTA, set_key("kv/z")), touch(DELTA, "q"))
    bundles = [chain.bundle(leg) for leg in legs]
    chain.run(*bundles)
    ancestors = [[found.id for found in chain.get_pending(b).places[0].ancestors] for b in bundles]
    assert ancestors == [[], [], [bundles[0].id, bundles[1].id], [bundles[2].id]]


def test_A8_native_bundle_waits_for_an_undecided_ancestor() -> None:
    """It never times out, and acts in the order of the log; one that conflicts with nothing goes ahead."""
    chain = Chain()
    split = chain.bundle(touch(GAMMA, "k", value=5), touch(DELTA, "m"))
    native, other = chain.bundle(touch(GAMMA, "k", value=2, add=True)), chain.bundle(touch(GAMMA, "other"))
    block = chain.run(split, native, other)
    assert [result.status for result in block.results] == [Status.PENDING, Status.PENDING, Status.COMMIT]
    assert chain.get_pending(native).deadline == chain.get_pending(split).deadline == 11
    assert chain.executor.get_settled_height(GAMMA) == 0
    chain.run(say_yes(split))
    assert (chain.get_reasons(), chain.get(GAMMA, "kv/k")) == (["COMMIT", "COMMIT"], 7)
    assert (chain.executor.get_settled_height(GAMMA), chain.blocks[-1].rows[GAMMA].settled_height) == (2, 2)


def test_A8_native_bundle_acts_as_if_its_ancestor_had_not_been_when_that_times_out() -> None:
    """The deadline of the ancestor decides both, in the same block."""
    chain = Chain()
    split = chain.bundle(touch(GAMMA, "k", value=5), touch(DELTA, "m"))
    chain.run(split, chain.bundle(touch(GAMMA, "k", value=2, add=True)))
    chain.run_until(11)
    assert (chain.get_reasons(), chain.get(GAMMA, "kv/k")) == (["TIMEOUT:delta", "COMMIT"], 2)


def test_A10_conditions_see_the_block_of_the_position() -> None:
    """A bundle that is run late is run as of its own height: the second leg would fail by then."""
    chain = Chain()
    split = chain.bundle(touch(GAMMA, "k"), touch(DELTA, "m"))
    window = replace(touch(GAMMA, "k", value=2), conditions=(HeightWindow(1, 1),))
    chain.run(split, chain.bundle(window))
    chain.run()
    chain.run(say_yes(split))
    assert chain.get_reasons() == ["COMMIT", "COMMIT"]


def test_A16_dep_on_an_undecided_bundle_waits_and_follows_it() -> None:
    """COMMIT lets the dependent go on, ABORT takes it along; native bundles wait too."""
    for answer, reasons in ((say_yes, ["COMMIT", "COMMIT"]), (say_no, ["NO:delta:TOO_LOW@legs[0].conditions[0]", ""])):
        chain = Chain()
        split = chain.bundle(touch(DELTA, "m"))
        chain.run(split)
        native = chain.bundle(touch(GAMMA, "free"), deps=(split.id,))
        assert chain.run(native).results[0].status is Status.PENDING
        chain.run(answer(split))
        assert chain.get_reasons() == [reason or f"DEP:{split.id.hex()}" for reason in reasons]


def test_A16_dep_that_does_not_come_in_time_is_the_reason_if_all_say_yes() -> None:
    """Nobody's silence is to blame, so the payer pays in full."""
    chain = Chain()
    slow = chain.bundle(touch(DELTA, "m"), within=50)
    chain.run(slow)
    quick = chain.bundle(touch(EPSILON, "m"), deps=(slow.id,))
    chain.run(quick, say_yes(quick, EPSILON))
    chain.run_until(12)
    assert chain.get_reasons() == [f"DEP:{slow.id.hex()}"]


def test_A16_unknown_dep_aborts_at_the_position() -> None:
    """Only earlier items count, so there is nothing to wait for."""
    chain = Chain()
    block = chain.run(chain.bundle(touch(DELTA, "m"), deps=(bytes(32),)))
    assert block.results[0].reason == f"DEP:{bytes(32).hex()}"


def test_A15_native_leg_uses_the_value_that_the_split_rollup_certified() -> None:
    """It runs when the value is there; the split one states only what is referred to."""
    chain = Chain()
    produce = make_leg(DELTA, Operation("add", ("kv/x", 3)), access=declare(write=["kv/x"]))
    consume = make_leg(GAMMA, Operation("set", ("kv/y", Reference(0, "value"))), access=declare(write=["kv/y"]))
    bundle = chain.bundle(produce, consume)
    chain.run(bundle)
    chain.run(say_yes(bundle, outputs=((0, "value", 3),)))
    assert (chain.get_reasons(), chain.get(GAMMA, "kv/y")) == (["COMMIT"], 3)


def test_A15_split_leg_is_asked_with_the_value_of_the_native_one() -> None:
    """A verdict on another value does not count."""
    chain = Chain()
    produce = make_leg(GAMMA, Operation("add", ("kv/x", 3)), access=declare(write=["kv/x"]))
    consume = make_leg(DELTA, Operation("set", ("kv/y", Reference(0, "value"))), access=declare(write=["kv/y"]))
    bundle = chain.bundle(produce, consume)
    chain.run(bundle)
    block = chain.run(say_yes(bundle, inputs=[(0, "value", 4)]), say_yes(bundle, inputs=[(0, "value", 3)]))
    assert [result.reason for result in block.results] == ["STALE", ""]
    assert chain.get_reasons() == ["COMMIT"]


def test_A9_stale_doubled_and_surplus_certificates_have_no_effect() -> None:
    """Each has its reason; a ninth assumption is one too many only while nobody knows which one counts."""
    chain = Chain()
    first, second = chain.bundle(touch(DELTA, "k")), chain.bundle(touch(DELTA, "k"))
    chain.run(first, second)
    wrong = [say_yes(second, links=[link(first, assumption=bytes([n]) * 32)]) for n in range(9)]
    right = say_yes(second, links=[link(first)])
    block = chain.run(*wrong, wrong[0], say_yes(first, EPSILON), say_yes(first), right, right)
    reasons = [result.reason for result in block.results]
    assert reasons == [""] * 8 + ["PENDING_FULL", "DUPLICATE", "STALE", "", "", "STALE"]
    assert chain.get_reasons() == ["COMMIT", "COMMIT"]


def test_A9_second_certificate_of_one_assumption_does_not_count() -> None:
    """The first in the log does, whatever the other says."""
    chain = Chain()
    bundle = chain.bundle(touch(DELTA, "k"), touch(EPSILON, "k"))
    chain.run(bundle)
    block = chain.run(say_yes(bundle), say_no(bundle), say_yes(bundle, EPSILON))
    assert [result.reason for result in block.results] == ["", "DUPLICATE", ""]
    assert chain.get_reasons() == ["COMMIT"]


def test_A8_outcomes_do_not_depend_on_which_rollups_a_node_runs() -> None:
    """Commitments are equal on a validator and on an executor; only the executor has delta's state."""
    chains = (Chain(), Chain(runs=frozenset({DELTA})), Chain(runs=frozenset({DELTA, EPSILON})))
    for chain in chains:
        bundle = chain.bundle(touch(ALPHA, "m"), touch(DELTA, "m"))
        chain.run(bundle)
        chain.run(say_yes(bundle))
        chain.run()
    assert len({chain.executor.commitment for chain in chains}) == 1
    assert chains[1].get(DELTA, "kv/m") == 1
    assert [chain.executor.runs for chain in chains] == [{1, 2, 3}, {1, 2, 3, DELTA}, {1, 2, 3, DELTA, EPSILON}]


def test_A8_bundles_are_decided_alike_when_the_node_restarts_before_each_block() -> None:
    """The pending table of a snapshot is all that the automaton needs."""
    straight, restarted = Chain(), Chain()
    for chain in (straight, restarted):
        first, second = chain.bundle(touch(DELTA, "k"), touch(ALPHA, "k")), chain.bundle(touch(DELTA, "k"))
        third = chain.bundle(touch(ALPHA, "k", value=9), deps=(second.id,))
        for items in ((first, second), (third, say_yes(second, links=[link(first)])), (), (say_yes(first),), ()):
            if chain is restarted:
                chain.restart()
            chain.run(*items)
    assert [block.commitment for block in restarted.blocks] == [block.commitment for block in straight.blocks]
    assert straight.get(ALPHA, "kv/k") == 9


def test_A9_control_of_the_helpers_a_verdict_that_assumes_anything_else_does_not_count() -> None:
    """The tests above would pass with an automaton that believes everything, but for this one."""
    chain = Chain()
    bundle = chain.bundle(touch(DELTA, "m"))
    chain.run(bundle)
    block = chain.run(replace(say_yes(bundle), assumption=bytes(32)))
    assert (block.results[0].reason, chain.get_reasons()) == ("STALE", [])


def test_A8_what_one_item_sets_free_is_done_in_slices() -> None:
    """A certificate that decides many bundles delays nobody for longer than as many items would."""
    chain = Chain()
    first = chain.bundle(touch(DELTA, "k"), touch(GAMMA, "k"))
    followers = [chain.bundle(touch(GAMMA, "k", add=True)) for _ in range(20)]
    chain.run(first, *followers)
    chain.executor.begin(make_child(chain.executor.header), [chain.make_item(say_yes(first))])
    steps = 1
    while not chain.executor.step(4):
        steps += 1
    assert (steps, len(chain.executor.finish().decisions), chain.get(GAMMA, "kv/k")) == (6, 21, 21)


def test_A8_deadlines_of_one_block_are_done_in_slices() -> None:
    """Twenty bundles are due at once."""
    chain = Chain()
    chain.run(*[chain.bundle(touch(DELTA, f"k{number}")) for number in range(20)])
    chain.run_until(10)
    chain.executor.begin(make_child(chain.executor.header), [])
    steps = 1
    while not chain.executor.step(4):
        steps += 1
    assert (steps, len(chain.executor.finish().decisions)) == (6, 20)


def test_A11_past_heights_keep_what_tells_how_far_they_were_settled() -> None:
    """Descriptions of thousands that wait are not kept for 256 heights; what was settled at each is."""
    chain = Chain(runs=frozenset({DELTA}))
    chain.run(chain.bundle(touch(DELTA, "a")))
    chain.run(*[chain.bundle(touch(DELTA, f"b{number}"), touch(ALPHA, f"b{number}")) for number in range(20)])
    chain.run()
    executor = chain.executor
    settled = [executor.read_state(height, DELTA, "kv/a").settled_height for height in range(4)]
    assert settled == [0, 0, 0, 0]
    assert [executor.read_state(height, ALPHA, "kv/a").settled_height for height in range(4)] == [0, 1, 1, 1]
    assert [len(version.pending) for version in executor._history.iterate_back(3)] == [21, 2, 1, 0]
