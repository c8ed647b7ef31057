"""Imports go downward only, and parts on one line do not know each other."""

from __future__ import annotations

import pytest

from tests.architecture.source import ROOT, Import, find_imports, get_module, get_package, get_sources

LAYERS = (
    ("__main__",),
    ("cli", "examples"),
    ("node", "simulation", "sdk"),
    ("rpc", "store"),
    ("replica",),
    ("mempool", "lanes", "consensus", "ordering", "execution", "sync", "light"),
    ("state",),
    ("types",),
    ("codec",),
    ("crypto",),
    ("errors",),
)
"""The parts of `sequencer`, highest line first; a part imports only parts on lower lines."""

RANK = {part: len(LAYERS) - depth for depth, line in enumerate(LAYERS) for part in line}
USERS_OF_P2P = ("node",)
"""Parts of `sequencer` that may import `p2p`."""


def find_layer_violations(source: str, module: str, package: str) -> list[str]:
    """Return one sentence for each import of `source` that a border forbids."""
    return [
        f"{module}:{found.line} imports {found.module}"
        for found in find_imports(source, package)
        if not is_allowed(module, found)
    ]


def is_allowed(module: str, found: Import) -> bool:
    """Tell whether the file `module` may import what it names."""
    target = found.module.split(".")
    if target[0] not in ("sequencer", "p2p", "specs", "tests", "scripts"):
        return True
    match module.split(".")[0]:
        case "sequencer":
            return _is_allowed_in_sequencer(module.split("."), target)
        case "p2p":
            return target[0] == "p2p"
        case "specs":
            return target[0] == "specs"
    return True


def _is_allowed_in_sequencer(module: list[str], target: list[str]) -> bool:
    if len(module) == 1:
        return False
    part = module[1]
    if target[0] == "p2p":
        return part in USERS_OF_P2P
    if target[0] != "sequencer":
        return False
    if len(target) == 1 or target[1] not in RANK:
        return len(target) <= 2  # names of the package itself, such as its version
    return target[1] == part or RANK[target[1]] < RANK[part]


def test_every_part_of_sequencer_has_a_line_in_the_table() -> None:
    """A part that the table does not name would be under no rule."""
    parts = {
        get_module(path).split(".")[1] for path in get_sources("sequencer") if path != ROOT / "sequencer/__init__.py"
    }
    assert parts <= set(RANK)


def test_imports_of_all_packages_go_downward() -> None:
    """No file of sequencer, p2p or specs imports upward, sideways or across."""
    violations = [
        violation
        for folder in ("sequencer", "p2p", "specs")
        for path in get_sources(folder)
        for violation in find_layer_violations(path.read_text(), get_module(path), get_package(path))
    ]
    assert violations == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sequencer.types.block", "from sequencer.state.tree import Tree"),
        ("sequencer.types.block", "import sequencer.state"),
        ("sequencer.types.block", "from sequencer import state"),
        ("sequencer.types.block", "from ..state import tree"),
        ("sequencer.lanes.lane", "from sequencer.consensus.view import View"),
        ("sequencer.rpc.queries", "def f():\n    from sequencer.store import blocks"),
        (
            "sequencer.codec",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sequencer.types import vote",
        ),
        ("sequencer.cli.main", "import sequencer.examples.swap"),
        ("sequencer.rpc.queries", "import p2p.network"),
        ("sequencer.replica.replica", "from p2p import network"),
        ("sequencer.node.driver", "from tests.unit import helpers"),
        ("p2p.network", "import sequencer.types"),
        ("specs.ordering", "from sequencer.types import vote"),
        ("specs.ordering", "import p2p"),
    ],
)
def test_planted_import_that_crosses_a_border_is_found(module: str, source: str) -> None:
    """Control: the checker sees each way of writing a forbidden import."""
    assert find_layer_violations(source, module, module.rpartition(".")[0]) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sequencer.cli.main", "from sequencer import __version__"),
        ("sequencer.cli.main", "from sequencer.node.home import open_home"),
        ("sequencer.node.driver", "import p2p.network"),
        ("sequencer.state.tree", "from .bucket import Bucket"),
        ("specs.ordering", "from specs import words"),
    ],
)
def test_import_within_the_borders_is_allowed(module: str, source: str) -> None:
    """Control: the checker does not cry at what is allowed."""
    assert find_layer_violations(source, module, module.rpartition(".")[0]) == []
