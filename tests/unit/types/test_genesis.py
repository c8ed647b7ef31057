"""A genesis comes back from its bytes, and a network that cannot run is refused by its field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sequencer.codec import decode, encode
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.errors import DecodeError, LocalError
from sequencer.types.genesis import EXECUTORS_MAX, Genesis, GenesisExecutor, Rollup, RollupKind
from sequencer.types.parameters import ITEM_BYTES_MAX, Parameters
from tests.unit.core_world import make_genesis

GENESIS = make_genesis((3, 2, 1, 1))
FIRST, SECOND = GENESIS.validators[:2]
ALPHA = GENESIS.rollups[0]
EXECUTORS = tuple(
    GenesisExecutor(f"beta-{index}", Ed25519Signer(bytes([100 + index]) * 32).public_key) for index in range(3)
)
BETA = Rollup(2, "beta", "amm", RollupKind.SPLIT, (("a", 1), ("b", b"x")), EXECUTORS)


def change_validator(**changes: object) -> Genesis:
    return replace(GENESIS, validators=(replace(FIRST, **changes), *GENESIS.validators[1:]))  # type: ignore[arg-type] # any field


def change_rollup(**changes: object) -> Genesis:
    return replace(GENESIS, rollups=(replace(ALPHA, **changes),))  # type: ignore[arg-type] # any field


def change_executors(*executors: GenesisExecutor, **changes: object) -> Genesis:
    return replace(GENESIS, rollups=(ALPHA, replace(BETA, executors=executors, **changes)))  # type: ignore[arg-type] # any field


def change_parameters(**changes: int) -> Genesis:
    return replace(GENESIS, parameters=replace(GENESIS.parameters, **changes))


def test_genesis_comes_back_from_its_bytes() -> None:
    """Encoding loses nothing, split rollups and initial state included."""
    genesis = replace(GENESIS, rollups=(ALPHA, BETA))
    assert Genesis.from_bytes(genesis.to_bytes()) == genesis


@pytest.mark.parametrize(
    ("genesis", "path"),
    [
        pytest.param(replace(GENESIS, scheme="ed25519-openssl"), "genesis.scheme", id="scheme"),
        pytest.param(replace(GENESIS, validators=()), "genesis.validators", id="nobody"),
        pytest.param(change_validator(name=SECOND.name), "genesis.validators.name", id="name twice"),
        pytest.param(change_validator(public_key=SECOND.public_key), "genesis.validators.public_key", id="key twice"),
        pytest.param(change_validator(public_key=bytes(32)), "genesis.validators.v0.public_key", id="small-order key"),
        pytest.param(change_validator(power=0), "genesis.validators[0].power", id="no power"),
        pytest.param(change_validator(power=2**32), "genesis.validators[0].power", id="too much power"),
        pytest.param(change_validator(name="V"), "genesis.validators[0].name", id="upper case"),
        pytest.param(change_validator(name=""), "genesis.validators[0].name", id="no name"),
        pytest.param(replace(GENESIS, rollups=()), "genesis.rollups", id="no rollup"),
        pytest.param(change_rollup(id=0), "genesis.rollups[0].id", id="system namespace"),
        pytest.param(change_rollup(name="a b"), "genesis.rollups[0].name", id="rollup name"),
        pytest.param(change_rollup(state=(("b", 1), ("a", 1))), "genesis.rollups[0].state", id="state unsorted"),
        pytest.param(change_rollup(state=(("a", 1), ("a", 2))), "genesis.rollups[0].state", id="key twice in state"),
        pytest.param(change_rollup(state=(("a", 0),)), "genesis.rollups[0].state[0].value", id="zero in state"),
        pytest.param(change_rollup(state=(("a b", 1),)), "genesis.rollups[0].state[0].key", id="bad state key"),
        pytest.param(replace(GENESIS, rollups=(BETA, ALPHA)), "genesis.rollups", id="rollups unsorted"),
        pytest.param(
            replace(GENESIS, rollups=(ALPHA, replace(BETA, name="alpha"))), "genesis.rollups.name", id="rollup twice"
        ),
        pytest.param(replace(GENESIS, deposits=GENESIS.deposits[::-1]), "genesis.deposits", id="deposits unsorted"),
        pytest.param(replace(GENESIS, deposits=(GENESIS.deposits[0],) * 2), "genesis.deposits", id="deposit twice"),
        pytest.param(change_executors(), "genesis.rollups[1].executors", id="split without executors"),
        pytest.param(
            change_executors(*EXECUTORS, kind=RollupKind.NATIVE),
            "genesis.rollups[1].executors",
            id="native with executors",
        ),
        pytest.param(change_executors(*EXECUTORS[::-1]), "genesis.rollups[1].executors", id="executors unsorted"),
        pytest.param(
            change_executors(*(replace(EXECUTORS[0], name=f"e{i:02}") for i in range(EXECUTORS_MAX + 1))),
            "genesis.rollups[1].executors",
            id="too many executors",
        ),
        pytest.param(
            change_executors(EXECUTORS[0], replace(EXECUTORS[0], name="other")),
            "genesis.rollups.executors.public_key",
            id="executor key twice",
        ),
        pytest.param(
            change_executors(replace(EXECUTORS[0], public_key=FIRST.public_key)),
            "genesis.rollups.executors.public_key",
            id="executor with a validator's key",
        ),
        pytest.param(
            change_executors(replace(EXECUTORS[0], public_key=bytes(32))),
            "genesis.rollups[1].executors.beta-0.public_key",
            id="executor with a small-order key",
        ),
        pytest.param(
            change_parameters(waiting_per_rollup_max=255),
            "genesis.parameters.waiting_per_rollup_max",
            id="waiting below pending",
        ),
        pytest.param(
            change_parameters(waiting_per_rollup_max=65_536),
            "genesis.parameters.waiting_per_rollup_max",
            id="waiting unbounded",
        ),
        pytest.param(change_parameters(lane_window=0), "genesis.parameters.lane_window", id="no window"),
        pytest.param(change_parameters(idle_ms=0), "genesis.parameters.idle_ms", id="no idle time"),
        pytest.param(
            change_parameters(batch_bytes_max=ITEM_BYTES_MAX),
            "genesis.parameters.batch_bytes_max",
            id="batch below item",
        ),
        pytest.param(
            change_parameters(view_timeout_max_ms=99), "genesis.parameters.view_timeout_max_ms", id="cap below base"
        ),
    ],
)
def test_genesis_that_cannot_run_is_refused_by_its_field(genesis: Genesis, path: str) -> None:
    """Reading checks the whole network and names what is wrong."""
    with pytest.raises(DecodeError) as raised:
        Genesis.from_bytes(genesis.to_bytes())
    assert raised.value.path == path


@pytest.mark.parametrize("change", [lambda data: data + b"\x00", lambda data: data[:-1], lambda data: b""])
def test_genesis_of_other_bytes_is_refused(change: Callable[[bytes], bytes]) -> None:
    """Only exactly one encoding is read."""
    with pytest.raises(DecodeError):
        Genesis.from_bytes(change(GENESIS.to_bytes()))


def test_genesis_with_unknown_rollup_kind_is_refused() -> None:
    """A rollup is native or split."""
    array = list(decode(GENESIS.to_bytes(), "genesis"))  # type: ignore[call-overload] # a genesis is an array
    array[4] = ((1, "alpha", "key_value", "other", (), ()),)
    with pytest.raises(DecodeError, match=r"genesis\.rollups\[0\]\.kind"):
        Genesis.from_bytes(encode(tuple(array)))


def test_chain_id_changes_with_every_field() -> None:
    """The chain id names the whole genesis."""
    others = [
        replace(GENESIS, name="other"),
        replace(GENESIS, time_ms=1),
        change_validator(power=4),
        change_rollup(state=(("a", 1),)),
        change_parameters(idle_ms=501),
        replace(GENESIS, deposits=()),
        change_executors(*EXECUTORS),
        change_executors(*EXECUTORS[:1]),
    ]
    assert len({genesis.chain_id for genesis in [GENESIS, *others]}) == 9


@pytest.mark.parametrize(("count", "faults", "threshold"), [(1, 0, 1), (2, 0, 1), (3, 1, 2), (4, 1, 2), (16, 7, 8)])
def test_A9_threshold_of_executors_outvotes_those_that_may_lie(count: int, faults: int, threshold: int) -> None:
    """f_r = (n_r - 1) // 2, and one more signature than that is a certificate."""
    rollup = replace(BETA, executors=(EXECUTORS[0],) * count)
    assert (rollup.executor_faults, rollup.executor_threshold) == (faults, threshold)


def test_A21_split_bundles_get_the_heights_of_faulty_leaders_and_five_more() -> None:
    """Equal powers of 4 and of 7 have F = 1 and 2."""
    sizes = [make_genesis((1,) * size).item_rules.decide_within_min for size in (4, 7)]
    assert sizes == [6, 7]


def test_genesis_header_binds_the_chain_id() -> None:
    """Two networks have two blocks at height 0, though both are empty."""
    assert GENESIS.header.digest != replace(GENESIS, name="other").header.digest


def test_parameters_may_be_zero_where_that_means_at_once_or_free() -> None:
    """Pace, rank delay and fees may be 0."""
    replace(Parameters(), pace_ms=0, rank_delay_ms=0, fee_base=0, fee_per_rollup_height=0, fee_per_operation=0).verify()


def test_parameters_with_a_pace_that_no_view_outlasts_are_refused() -> None:
    """Every view would be given up before its leader may propose."""
    with pytest.raises(DecodeError, match=r"parameters\.pace_ms: must not be above twice view_timeout_base_ms"):
        replace(Parameters(), pace_ms=2 * Parameters().view_timeout_base_ms + 1).verify()


def test_unknown_rollup_raises() -> None:
    """Asking for a rollup that is not there is the caller's error."""
    with pytest.raises(LocalError, match="9"):
        GENESIS.get_rollup(9)
