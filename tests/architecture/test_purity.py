"""Everything from `replica` down decides without clock, file, socket, thread or chance."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.source import find_imports, get_module, get_package, get_sources
from tests.architecture.test_layers import RANK

ALLOWED_MODULES = frozenset(
    [
        "__future__",
        "abc",
        "array",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "math",
        "operator",
        "re",
        "struct",
        "types",
        "typing",
        "msgpack",
        "nacl",
        "pyrsistent",
        "sequencer",
    ]
)
"""What pure code may import; a module that is not here needs a reason why it cannot see the world."""

FORBIDDEN_BUILTINS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint", "__import__", "hash", "id"})
"""Calls that reach the world, or whose result differs between two processes (`hash`, `id`)."""


def find_impurities(source: str, package: str) -> list[str]:
    """Return one sentence for each import, call or statement of `source` that is not pure."""
    tree = ast.parse(source)
    imports = [
        f"line {found.line} imports {found.module}"
        for found in find_imports(source, package)
        if found.module.split(".")[0] not in ALLOWED_MODULES
    ]
    calls = [
        f"line {node.lineno} calls {node.func.id}()"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_BUILTINS
    ]
    others = [
        f"line {node.lineno} is {type(node).__name__}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Global | ast.AsyncFunctionDef | ast.Await)
    ]
    return imports + calls + others


def is_pure_part(module: str) -> bool:
    """Tell whether the file belongs to `replica` or below it."""
    parts = module.split(".")
    return len(parts) > 1 and RANK[parts[1]] <= RANK["replica"]


def test_everything_from_replica_down_is_pure() -> None:
    """The core's effects are a function of its events."""
    impurities = [
        f"{get_module(path)}: {impurity}"
        for path in get_sources("sequencer")
        if is_pure_part(get_module(path))
        for impurity in find_impurities(path.read_text(), get_package(path))
    ]
    assert impurities == []


@pytest.mark.parametrize(
    "source",
    [
        "import trio",
        "import os.path",
        "from time import monotonic",
        "def f():\n    import random",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import socket",
        "import logging",
        "import threading",
        "import asyncio",
        "import io",
        "data = open('x').read()",
        "print('x')",
        "order = hash('x')",
        "def f():\n    global count\n    count = 1",
        "async def f(): ...",
    ],
)
def test_planted_impurity_is_found(source: str) -> None:
    """Control: the checker sees each kind of contact with the world."""
    assert find_impurities(source, "sequencer.types") != []


def test_part_above_replica_is_not_held_to_purity() -> None:
    """Control: the rule ends where the design ends it."""
    assert [is_pure_part(f"sequencer.{part}.x") for part in ("store", "rpc", "replica", "errors")] == [
        False,
        False,
        True,
        True,
    ]
