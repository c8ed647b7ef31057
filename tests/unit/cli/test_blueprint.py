"""A devnet on paper is reproducible from its seed and complete in its homes."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from sequencer.cli.cluster import accounts as owners
from sequencer.cli.cluster import blueprint
from sequencer.cli.cluster.blueprint import Wish, build, draw
from sequencer.cli.cluster.rollups import ROLLUPS_DEFAULT, RollupWish, parse_rollups
from sequencer.crypto.signatures import Ed25519Signer
from sequencer.errors import LocalError
from sequencer.execution.machines.amm import make_reserve_key
from sequencer.execution.machines.transfer import make_balance_key
from sequencer.node.home import NodeSettings, compute_peer_ids, read_home
from sequencer.types.genesis import Genesis, RollupKind

WISH = Wish(4, ROLLUPS_DEFAULT, 42, None)


@pytest.fixture
def _fixed_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blueprint, "find_free_ports", lambda count, start: tuple(range(20_000, 20_000 + count)))


@pytest.mark.usefixtures("_fixed_ports")
def test_same_seed_and_ports_give_the_same_chain_id() -> None:
    """A seeded network can be made again."""
    assert draw(WISH).genesis.chain_id == draw(WISH).genesis.chain_id


@pytest.mark.usefixtures("_fixed_ports")
@pytest.mark.parametrize("other", [replace(WISH, seed=43), replace(WISH, seed=None), replace(WISH, retain_heights=50)])
def test_another_wish_gives_another_chain_id(other: Wish) -> None:
    """Seed and parameters are part of what the chain id means; without a seed all is fresh."""
    assert draw(other).genesis.chain_id != draw(WISH).genesis.chain_id


def test_genesis_reads_back_and_funds_every_account() -> None:
    """All accounts pay fees, own several assets where balances exist, and pools hold both assets."""
    drawn = draw(WISH)
    genesis = Genesis.from_bytes(drawn.genesis.to_bytes())
    alpha, beta, gamma = (dict(rollup.state) for rollup in genesis.rollups)
    deposits = dict(genesis.deposits)
    for account in drawn.accounts:
        assert deposits[account.address] > 0
        for asset in owners.ASSETS:
            assert alpha[make_balance_key(asset, account.address)] == beta[make_balance_key(asset, account.address)]
    assert all(beta[make_reserve_key(*pair)] == owners.RESERVE for pair in owners.POOLS)
    assert gamma == {}


def test_devnet_has_accounts_for_people_and_for_load() -> None:
    """Examples know people by name, the load takes at least eight accounts."""
    names = [account.name for account in draw(WISH).accounts]
    assert names[:4] == ["alice", "bob", "carol", "dave"]
    assert sum(name.startswith("load") for name in names) >= 8


def test_homes_hold_the_keys_that_the_genesis_names(tmp_path: Path) -> None:
    """Each home belongs to its validator: vote key, three peer ids, genesis and accounts."""
    drawn = draw(WISH)
    build(drawn, tmp_path, [NodeSettings(f"val{index}", f"127.0.0.1:{9000 + index}") for index in range(4)])
    for validator in drawn.genesis.validators:
        home = read_home(tmp_path / validator.name)
        assert home.keys.vote is not None
        assert Ed25519Signer(home.keys.vote).public_key == validator.public_key
        hosts = {"votes": validator.votes, "data": validator.data, "open": validator.open}
        assert compute_peer_ids(home.keys) == {role: host.peer_id for role, host in hosts.items()}
        assert (home.genesis, home.accounts) == (drawn.genesis, drawn.accounts)


def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Other users of the machine read no key."""
    build(draw(replace(WISH, validators=1)), tmp_path, [NodeSettings("val0", "127.0.0.1:9000")])
    files = [*(tmp_path / "val0" / "keys").iterdir(), tmp_path / "val0" / "accounts.json"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_second_write_to_a_home_is_refused(tmp_path: Path) -> None:
    """Keys of a node are never overwritten."""
    drawn, settings = draw(replace(WISH, validators=1)), [NodeSettings("val0", "127.0.0.1:9000")]
    build(drawn, tmp_path, settings)
    with pytest.raises(LocalError, match="already"):
        build(drawn, tmp_path, settings)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda home: (home / "node.json").unlink(), "node.json is missing"),
        (lambda home: (home / "node.json").write_text("{"), "not the settings"),
        (lambda home: (home / "node.json").write_text('{"name":"val0","rpc":"x","colour":1}'), "colour"),
        (lambda home: (home / "node.json").write_text('{"name":"val0","rpc":"x","durability":"hope"}'), "durability"),
        (lambda home: (home / "node.json").write_text('{"name":"val0","rpc":"a:99999"}'), "node.json: rpc must"),
        (lambda home: (home / "node.json").write_text('{"name":"val0","rpc":"here"}'), "node.json: rpc must"),
        (
            lambda home: (home / "node.json").write_text('{"name":"val0","rpc":"a:1","peer_ids_allowed":["x"]}'),
            "peer_ids_allowed: 'x'",
        ),
        (
            lambda home: (home / "node.json").write_text('{"name":"val0","rpc":"a:1","is_lane_enabled":"no"}'),
            "is_lane_enabled",
        ),
        (
            lambda home: (home / "node.json").write_text('{"name":"val0","rpc":"a:1","behaviour":"lying-executor"}'),
            "behaviour must be empty, or on an executor",
        ),
        (lambda home: (home / "node.json").write_text('{"name":"val0","rpc":"a:1","executes":7}'), "executes must be"),
        (lambda home: (home / "genesis.bin").unlink(), "genesis.bin"),
        (lambda home: (home / "genesis.bin").write_bytes(b"\x90"), "genesis.bin is no genesis"),
        (lambda home: (home / "keys" / "open.key").unlink(), "open.key"),
        (lambda home: (home / "keys" / "vote.key").write_text("xyz"), "vote.key"),
        (lambda home: (home / "accounts.json").write_text("[1]"), "accounts.json"),
    ],
)
def test_damaged_home_is_refused_with_the_file_named(tmp_path: Path, damage: object, text: str) -> None:
    """A person reads which file is missing or wrong."""
    build(draw(replace(WISH, validators=1)), tmp_path, [NodeSettings("val0", "127.0.0.1:9000")])
    assert callable(damage)
    damage(tmp_path / "val0")
    with pytest.raises(Exception, match=text) as refused:
        read_home(tmp_path / "val0")
    assert type(refused.value).__module__ == "sequencer.errors"


def test_rollups_are_read_with_their_machines() -> None:
    """A name alone takes the machine that is usual for it."""
    assert parse_rollups("alpha,beta:split=1,shop:amm,x:amm:split=16") == (
        RollupWish("alpha", "transfer"),
        RollupWish("beta", "amm", 1),
        RollupWish("shop", "amm"),
        RollupWish("x", "amm", 16),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Alpha", "name must be"),
        ("", "name must be"),
        ("a,a", "distinct"),
        ("a:amm:x", "name, name:machine or name:machine:split=N"),
        ("a:split=3:amm", "name, name:machine or name:machine:split=N"),
        ("a:amm:split", "split=N with N of 1..16"),
        ("a:amm:split=0", "split=N with N of 1..16"),
        ("a:amm:split=17", "split=N with N of 1..16"),
        ("a:split=16,b:split=16,c:split=1", "at most 32 executors"),
    ],
)
def test_wrong_rollups_are_refused(text: str, reason: str) -> None:
    """A person reads what is wrong with the list."""
    with pytest.raises(LocalError, match=reason):
        parse_rollups(text)


def test_split_rollup_has_executors_with_keys_of_their_own() -> None:
    """The genesis lists them by name; nobody else bears their names or keys."""
    drawn = draw(replace(WISH, rollups="alpha,gamma:key_value:split=3"))
    alpha, gamma = Genesis.from_bytes(drawn.genesis.to_bytes()).rollups
    assert (alpha.kind, alpha.executors) == (RollupKind.NATIVE, ())
    assert (gamma.kind, gamma.executor_threshold) == (RollupKind.SPLIT, 2)
    assert [executor.name for executor in gamma.executors] == ["gamma-0", "gamma-1", "gamma-2"]
    assert gamma.executors == tuple(executor.member for executor in drawn.executors)


def test_name_too_long_for_executors_is_refused() -> None:
    """Their names are the rollup's and a number."""
    with pytest.raises(LocalError, match="too long for the names of its executors"):
        draw(replace(WISH, rollups="a" * 31 + ":transfer:split=3"))


def test_unknown_machine_is_refused() -> None:
    """A machine that is not registered is named with those that are."""
    with pytest.raises(LocalError, match="no machine is called 'evm'"):
        draw(replace(WISH, rollups="a:evm"))


@pytest.mark.parametrize("count", [0, 33])
def test_impossible_number_of_validators_is_refused(count: int) -> None:
    """A network has 1..32 validators on one machine."""
    with pytest.raises(LocalError, match="--validators"):
        draw(replace(WISH, validators=count))
