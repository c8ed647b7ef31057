"""Every reason, revert code, machine and operation that the code knows is stated, and no other."""

from __future__ import annotations

import ast
import re

from sequencer.execution.machines import MACHINES
from sequencer.rpc.errors import Code
from sequencer.types.outcome import Reason
from tests.architecture.source import get_sources
from tests.unit.specs.markdown import Section, get_section, read_document, read_tables, split_sections, strip_code

ATOMICITY = read_document("specs/atomicity.md")
_CODE = re.compile(r"[A-Z]{3,}(?:_[A-Z]+)*\Z")


def find_raised_codes(source: str) -> set[str]:
    """Return the texts in capitals that are the first argument of a call: what `Revert` and its helpers are given."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        if isinstance(node.args[0].value, str) and _CODE.match(node.args[0].value)
    }


def read_codes(section: Section) -> set[str]:
    """Return the codes that the tables of a section list, in whatever column."""
    cells = [strip_code(cell) for table in read_tables(section) for row in table for cell in row[:2]]
    return {cell for cell in cells if _CODE.match(cell)}


def test_reasons_in_objects_equal_the_code() -> None:
    """Every reason is listed, in the order of the code."""
    (rows,) = read_tables(get_section(read_document("specs/objects.md"), "Reason"))
    assert [strip_code(row[0]) for row in rows] == [reason.value for reason in Reason]


def test_revert_codes_in_atomicity_equal_the_code() -> None:
    """Every code by which a condition or operation fails is listed, and no other."""
    raised = {code for path in get_sources("sequencer/execution") for code in find_raised_codes(path.read_text())}
    stated = read_codes(get_section(ATOMICITY, "Conditions")) | read_codes(get_section(ATOMICITY, "Machines"))
    assert stated == raised


def test_planted_code_is_found() -> None:
    """Control: a code that only the code knows is seen."""
    assert find_raised_codes("raise Revert('NEW_CODE', 'a', 'b')\nx = Reason('x')\nf('lower')") == {"NEW_CODE"}


def test_operations_in_atomicity_equal_the_code() -> None:
    """Every operation of every machine is listed with the machine that brings it."""
    (machines, _) = read_tables(next(s for s in split_sections(ATOMICITY) if s.title == "Machines"))
    stated = {strip_code(row[1]) for row in machines}
    assert stated == {operation for operations in MACHINES.values() for operation in operations}


def test_error_codes_in_rpc_equal_the_code() -> None:
    """Every JSON-RPC code is listed with its name."""
    (rows,) = read_tables(get_section(read_document("specs/rpc.md"), "Errors"))
    assert {(int(row[0]), strip_code(row[1])) for row in rows} == {(int(code), code.name) for code in Code}
