"""Tests wait for states, never for time."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.source import get_module, get_sources

SLEEPERS = frozenset({"sleep", "sleep_until"})
"""Functions of `time`, `trio`, `asyncio` and `anyio` that only let time pass."""


def find_sleeps(source: str) -> list[str]:
    """Return one sentence for each call of a function named like one that sleeps."""
    return [
        f"line {node.lineno} calls {ast.unparse(node.func)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and _get_name(node.func) in SLEEPERS
    ]


def _get_name(function: ast.expr) -> str:
    match function:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def test_no_test_sleeps() -> None:
    """A test that sleeps is slow on a fast machine and wrong on a slow one."""
    sleeps = [
        f"{get_module(path)}: {sleep}" for path in get_sources("tests") for sleep in find_sleeps(path.read_text())
    ]
    assert sleeps == []


@pytest.mark.parametrize("module", ["time", "trio", "asyncio"])
def test_planted_sleep_is_found(module: str) -> None:
    """Control: the checker sees the call under its module and by its own name."""
    found = [find_sleeps(f"{module}.sleep(1)"), find_sleeps(f"from {module} import sleep\nsleep(1)")]
    assert all(found)
