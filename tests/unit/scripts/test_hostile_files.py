"""Every lie that the script tells changes a genuine file, and is refused with the reason that it names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripts.fault_injection.hostile_files import ALTERATIONS, Alteration
from sequencer.errors import VerificationError
from sequencer.execution.receipts import join_state_proof
from sequencer.types.outcome import Status
from tests.execution_world import ALPHA, BOB, sign_certificate
from tests.unit.light.proven_world import (
    CASE,
    FILES,
    make_late_receipt,
    make_message_proof,
    make_verdict,
    verify,
)


def prove_key(key: str) -> bytes:
    """Return the proof of one of alpha's keys at the newest height."""
    world = CASE.world
    claim = world.executor.prove_state(world.executor.height, ALPHA, key)
    commitments = world.get_commitments(world.executor.height)
    return join_state_proof(claim, commitments, sign_certificate(commitments[-1]))


GENUINE: dict[str, Callable[[], bytes]] = {
    "list": FILES["list of a rollup"],
    "absence": FILES["absence between"],
    "committed": lambda: make_late_receipt(status=Status.COMMIT, reason=""),
    "aborted": make_late_receipt,
    "inclusion": FILES["inclusion of a bundle"],
    "state": lambda: prove_key(f"balance/USD/{BOB.hex()}"),
    "absent key": lambda: prove_key("kv/nobody"),
    "verdict": make_verdict,
    "message": make_message_proof,
}


@pytest.mark.parametrize("lie", ALTERATIONS, ids=lambda lie: f"{lie.kind}: {lie.name}")
def test_lie_is_refused_with_its_reason(lie: Alteration) -> None:
    """The genuine file is accepted, the altered one is not."""
    genuine = GENUINE[lie.kind]()
    verify(genuine)
    with pytest.raises(VerificationError) as raised:
        verify(lie.change(genuine))
    assert lie.reason in str(raised.value)


def test_every_kind_of_proof_is_lied_about() -> None:
    """No kind of file is left out."""
    assert {lie.kind for lie in ALTERATIONS} == set(GENUINE)
