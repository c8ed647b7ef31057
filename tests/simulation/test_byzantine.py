"""Byzantine validators: each behaviour hits correct ones and breaks nothing; more than F break agreement."""

from __future__ import annotations

import pkgutil
import random
from importlib import import_module

import pytest

from sequencer.cli.main import main
from sequencer.simulation import byzantine
from sequencer.simulation.byzantine.registry import AT_ONCE_MAX, BEHAVIOURS, draw_behaviours
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.runner import run_seed
from sequencer.simulation.simulator import Simulation
from sequencer.types.messages import decode_message, encode_message, get_channel
from tests.unit.specs.markdown import get_section, read_document, read_tables

MACHINERY = {"behaviour", "conspiracy", "node", "registry"}
"""Files of the package that are no behaviour."""
TRAITORS = ("equivocating_leader", "conflicting_voter")


def test_behaviours_of_the_table_are_the_files_of_the_package() -> None:
    """One file each, named as on the command line, and its first sentence says what it replaces."""
    files = {module.name for module in pkgutil.iter_modules(byzantine.__path__)} - MACHINERY
    assert files == set(BEHAVIOURS)
    for name in files:
        assert (import_module(f"{byzantine.__name__}.{name}").__doc__ or "").startswith("Replace ")


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_behaviour_hits_correct_validators_and_breaks_nothing(name: str) -> None:
    """One of four shows it, under all faults: safety, liveness and the trace hold, and somebody was really hit."""
    options = SimulationOptions(byzantine=1, behaviours=(name,))
    result = run_seed(1, options)
    assert result.violations == ()
    assert result.fired.get(name, 0) > 0


def test_two_traitors_of_four_break_agreement() -> None:
    """Control: beyond F the same behaviours do break I1 under one of a few seeds, and the checker says so."""
    options = SimulationOptions(validators=4, byzantine=2, behaviours=TRAITORS)
    broken = ({violation.rule for violation in run_seed(seed, options).violations} for seed in range(6))
    assert any("I1" in rules for rules in broken)


@pytest.mark.parametrize("seed", range(2))
def test_two_traitors_of_seven_break_nothing(seed: int) -> None:
    """Within F the very same conspiracy is harmless."""
    result = run_seed(seed, SimulationOptions(validators=7, byzantine=2, behaviours=TRAITORS))
    assert result.violations == ()
    assert all(result.fired[name] for name in TRAITORS)


def test_everything_that_a_behaviour_sends_can_travel() -> None:
    """An adversary sends bytes: each made-up message encodes, and decodes to the same message."""
    for name in BEHAVIOURS:
        simulation = Simulation(1, SimulationOptions(byzantine=1, behaviours=(name,), faults=()))
        simulation.start()
        simulation.advance(6_000_000)
        for message, _ in simulation.conspiracy.marked.values():
            assert decode_message(encode_message(message), get_channel(message)) == message, name


def test_same_seed_with_byzantine_validators_gives_the_same_trace() -> None:
    """Behaviours draw from the seed only."""
    first, second = (run_seed(5, SimulationOptions(validators=7, byzantine=2)) for _ in range(2))
    assert (first.trace_hash, first.fired) == (second.trace_hash, second.fired)


def test_drawn_behaviours_are_few_within_f_and_all_beyond_it() -> None:
    """Two of four act together with everything named; one of four shows one or two."""
    committee = Simulation(1, SimulationOptions()).genesis.committee
    both = draw_behaviours(random.Random(1), committee, frozenset({1, 2}), TRAITORS)
    assert both == {1: TRAITORS, 2: TRAITORS}
    for seed in range(20):
        alone = draw_behaviours(random.Random(seed), committee, frozenset({3}), ())
        assert 1 <= len(alone[3]) <= AT_ONCE_MAX


def test_unknown_behaviour_on_the_command_line_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists the names there are."""
    assert main(["simulate", "--seeds", "0:1", "--byzantine", "1", "--behaviours", "rude_peer"]) == 2
    assert "rude_peer" in (printed := capsys.readouterr().err)
    assert "silent_leader" in printed


def test_specification_lists_every_behaviour() -> None:
    """The table of specs/threats.md and the command line know the same names, in the same order."""
    (table,) = read_tables(get_section(read_document("specs/threats.md"), "Behaviours in the simulator"))
    assert [row[0] for row in table] == list(BEHAVIOURS)
