"""An offender is proven faulty in simulated networks, and a correct validator never is, whatever crashes. # X1-X7"""

from __future__ import annotations

import pytest

from sequencer.simulation.checkers.evidence import EvidenceChecker
from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.simulator import Simulation
from sequencer.simulation.tokens import TokenScheme
from sequencer.types.evidence import Evidence, Statement, find_contradiction
from sequencer.types.signing import SignatureKind, compute_signing_bytes
from tests.simulation.scenes import Scene


def make_evidence(scene: Scene, signer: int, is_signed: bool = True) -> Evidence:
    """Return X2 against a validator, with its own signatures or with nobody's."""
    key = TokenScheme().make_signer(f"val{signer}")
    statements = []
    for name in (1, 2):
        message = compute_signing_bytes(scene.genesis.chain_id, 0, SignatureKind.FINALIZE, 5, bytes([name]) * 32)
        signature = key.sign(message) if is_signed else bytes(64)
        statements.append(Statement(SignatureKind.FINALIZE, 0, signer, 5, bytes([name]) * 32, signature))
    found = find_contradiction(*statements)
    assert found is not None
    return found


def watch(scene: Scene) -> EvidenceChecker:
    scheme = TokenScheme()
    for index in range(4):
        scheme.make_signer(f"val{index}")
    checker = EvidenceChecker(scene.ledger, scheme.make_verifier())
    scene.observers.add(checker)
    return checker


def test_evidence_checker_accepts_what_is_true() -> None:
    """A faulty validator may be proven faulty, by as many as like; it counts once."""
    scene = Scene()
    scene.ledger.faulty.add(3)
    checker = watch(scene)
    for node in scene.nodes[:2]:
        scene.observers.on_evidence(node, make_evidence(scene, 3))
    assert (scene.rules, checker.count, checker.rules) == ([], 1, ("X2",))


def test_evidence_checker_reports_a_correct_validator_that_is_named() -> None:
    """Control: whoever signed it, a correct validator must never be provable."""
    scene = Scene()
    watch(scene)
    scene.observers.on_evidence(scene.nodes[0], make_evidence(scene, 1))
    assert scene.rules == ["X2"]


def test_evidence_checker_reports_what_a_stranger_cannot_verify() -> None:
    """Control: a signature that nobody made."""
    scene = Scene()
    scene.ledger.faulty.add(3)
    watch(scene)
    scene.observers.on_evidence(scene.nodes[0], make_evidence(scene, 3, is_signed=False))
    assert scene.rules == ["X2"]


@pytest.mark.parametrize(
    ("behaviour", "rule"), [("equivocating_leader", "X4"), ("conflicting_voter", "X1"), ("forking_lane", "X5")]
)
def test_offender_is_proven_faulty_in_one_of_three_seeds(behaviour: str, rule: str) -> None:
    """Each correct half knows only what it was told; together they prove it, and it verifies offline."""
    found: list[str] = []
    for seed in range(3):
        simulation = Simulation(seed, SimulationOptions(byzantine=1, behaviours=(behaviour,)))
        result = simulation.run()
        assert result.violations == ()
        found.extend(simulation.evidence.rules)
    assert rule in found


def test_correct_validators_that_crash_are_never_proven_faulty() -> None:
    """Control of the finding: the same seeds without an offender give no evidence."""
    for seed in range(3):
        result = Simulation(seed, SimulationOptions()).run()
        assert (result.violations, result.evidence) == ((), 0)
