"""specs/atomicity.md names the conditions, machines, operations and codes that the code has."""

from __future__ import annotations

import re

from sequencer.execution import conditions, evaluation
from sequencer.execution.machines import MACHINES, access, amm, arguments, guards, key_value, sending, transfer
from sequencer.types.outcome import Reason
from tests.architecture.source import ROOT
from tests.unit.specs.markdown import get_section, read_document, read_tables, strip_code

DOCUMENT = read_document("specs/atomicity.md")
_CODE = re.compile(r'(?:Revert|_check_within)\(\s*"([A-Z_]+)"')


def read_rows(title: str, table: int = 0) -> list[list[str]]:
    return [[strip_code(cell) for cell in row] for row in read_tables(get_section(DOCUMENT, title))[table]]


def find_codes(*modules: object) -> set[str]:
    """Return the codes that these modules revert with."""
    sources = ((ROOT / f"{module.__name__.replace('.', '/')}.py").read_text() for module in modules)  # type: ignore[attr-defined] # modules have names
    return {code for source in sources for code in _CODE.findall(source)}


def test_condition_codes_are_those_of_the_code() -> None:
    """What a condition fails with is stated."""
    assert {row[1] for row in read_rows("Conditions")} == find_codes(conditions)


def test_operations_are_those_of_the_machines() -> None:
    """Every operation of every machine has its row; the machines share what they share."""
    stated = {(row[0], row[1]) for row in read_rows("Machines")}
    own = {"key_value": (key_value, guards), "transfer": (transfer, sending), "amm": (amm,)}
    operations = {name: [name for module in modules for name in module.OPERATIONS] for name, modules in own.items()}
    assert stated == {(name, operation) for name, there in operations.items() for operation in there}
    assert set(own) == set(MACHINES)


def test_revert_codes_are_those_of_the_code() -> None:
    """What an operation reverts with is stated."""
    stated = {row[0] for row in read_rows("Machines", 1)}
    assert stated == find_codes(access, arguments, amm, guards, key_value, sending, transfer, evaluation)


def test_admission_reasons_are_reasons_of_the_protocol() -> None:
    """The table of A3 names members of `Reason`, in the order of the checks."""
    stated = [row[1] for row in read_rows("A3 · Who checks what, and when")]
    assert stated == [Reason(reason).value for reason in stated]
    sequence = ["SEQUENCE_USED", "SEQUENCE_GAP", "NOT_YET_VALID", "EXPIRED", "UNFUNDED"]
    assert stated == [*sequence, "PENDING_FULL", "OUTBOX_FULL"]


def test_delivery_reasons_are_reasons_of_the_protocol() -> None:
    """The table of A19 names members of `Reason`, in the order of the checks."""
    stated = [row[1] for row in read_rows("A19 · Messages arrive once")]
    assert stated == [Reason.DELIVERED, Reason.NO_PROOF, Reason.PENDING_FULL]
