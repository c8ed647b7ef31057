"""Read the project's own source: which files there are, and which modules each one names."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Import(NamedTuple):
    """One module that a line of a file names."""

    module: str
    """Absolute dotted name; `from a.b import c` gives both a.b and a.b.c, since c may be a module."""
    line: int


def get_module(path: Path) -> str:
    """Return the dotted name of a source file of the tree."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def get_sources(folder: str) -> list[Path]:
    """Return every Python file below `folder`, sorted; an absent folder has none."""
    return sorted((ROOT / folder).rglob("*.py"))


def find_imports(source: str, package: str) -> Iterator[Import]:
    """Yield every import of `source`, a file of `package`: nested, relative and TYPE_CHECKING ones too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _resolve(node, package)
            yield Import(base, node.lineno)
            yield from (Import(f"{base}.{alias.name}", node.lineno) for alias in node.names)


def _resolve(node: ast.ImportFrom, package: str) -> str:
    if node.level == 0:
        return node.module or ""
    parents = package.split(".")
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def get_package(path: Path) -> str:
    """Return the package that relative imports of this file start from."""
    module = get_module(path)
    return module if path.name == "__init__.py" else module.rpartition(".")[0]


@cache
def get_tracked() -> tuple[str, ...]:
    """Return the paths that git tracks; skips the test where the tree is no git checkout."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode != 0:
        pytest.skip("the tree is no git checkout")
    return tuple(name for name in listing.stdout.decode().split("\0") if name and (ROOT / name).is_file())
