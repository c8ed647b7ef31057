"""`specs/rpc.md` is true: its tables equal the code, its examples run, its client works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import trio

from sequencer.rpc.errors import Code
from sequencer.rpc.limits import RpcLimits
from sequencer.rpc.methods import METHODS
from tests.integration.rpc.chain import make_transfer
from tests.integration.rpc.conftest import Served
from tests.unit.specs.markdown import get_section, read_document, read_fenced, read_tables, split_sections, strip_code

DOCUMENT = read_document("specs/rpc.md")
EXPECTED_ERRORS = {
    "seq_sendTransaction": -32003,
    "seq_sendBundle": -32003,
    "seq_subscribe": -32004,
}
"""Methods whose example shows an error on purpose."""


def get_examples() -> dict[str, Any]:
    """Return method → the request of its curl example."""
    examples = {}
    for section in split_sections(DOCUMENT):
        if section.level == 3 and section.title in METHODS:
            (body,) = re.findall(r"-d '(.*)'$", "\n".join(section.lines), re.MULTILINE)
            examples[section.title] = json.loads(body)
    return examples


def test_every_method_has_a_section_with_an_example_and_no_other() -> None:
    """The document knows the table of methods."""
    examples = get_examples()
    assert examples.keys() == METHODS.keys()
    assert all(request["method"] == name for name, request in examples.items())


def test_error_codes_are_those_of_the_code() -> None:
    """Number and name of each."""
    (table,) = read_tables(get_section(DOCUMENT, "Errors"))
    assert {strip_code(row[1]): int(row[0]) for row in table} == {code.name: int(code) for code in Code}


def test_limits_are_the_defaults() -> None:
    """Each listed limit has the default of the code."""
    (table,) = read_tables(get_section(DOCUMENT, "Limits"))
    listed = {strip_code(row[0]): float(row[1]) for row in table}
    defaults = RpcLimits()
    known = {field.name: float(getattr(defaults, field.name)) for field in fields(defaults)}
    assert listed == {name: known[name] for name in listed}


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_example_gets_the_answer_that_is_written(served: Served, method: str) -> None:
    """As it stands in the document, against a chain with a block."""
    await served.node.submit_items((make_transfer(served.node.genesis, 0).item_bytes,))
    served.node.advance()
    answer = (await served.post(json.dumps(get_examples()[method]).encode())).json()
    assert answer.get("error", {}).get("code") == EXPECTED_ERRORS.get(method)


async def test_client_from_nothing_proves_its_transaction_final(
    served: Served, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """The program in the document imports nothing of this project and ends with a proven COMMIT."""
    (program,) = read_fenced(DOCUMENT, "python client")
    path = tmp_path / "client.py"
    path.write_text(program)
    assert "sequencer" not in program

    async def execute() -> None:
        served.node.advance()
        while not served.node.pending:
            await trio.lowlevel.checkpoint()
        served.node.advance(is_certified=False)
        served.node.advance()

    nursery.start_soon(execute)
    with trio.fail_after(30):
        done = await trio.run_process(
            [sys.executable, str(path), served.url], capture_stdout=True, stderr=subprocess.STDOUT, check=False
        )
    assert done.returncode == 0, done.stdout.decode()
    assert "final at height 2 COMMIT" in done.stdout.decode()
