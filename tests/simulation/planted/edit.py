"""Break a rule by editing the source of one function, as a careless programmer would.

A bug is data: which function, which lines go, which come. So the harness can count its lines,
show it as a diff, and fail loudly when the product no longer has the lines that it changes.
The product's files stay as they are: the edited text is compiled in memory, and the function
gets that code for the time of a context, wherever it is imported.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from functools import cached_property
from types import CodeType, FunctionType


@dataclass(frozen=True, slots=True)
class Edit:
    """Some lines of one function, and what stands there instead."""

    target: str
    """`module:function` or `module:Class.method`, below `sequencer`."""
    old: str
    """Text that occurs exactly once in the function's source."""
    new: str
    """Text in its place; a line break at the end of `old` and nothing here removes a line."""

    def get_function(self) -> FunctionType:
        """The function as the product has it now."""
        module_name, _, path = self.target.partition(":")
        found: object = importlib.import_module(f"sequencer.{module_name}")
        for name in path.split("."):
            found = inspect.getattr_static(found, name)
        if isinstance(found, property):
            found = found.fget
        elif isinstance(found, staticmethod | classmethod):
            found = found.__func__
        elif isinstance(found, cached_property):
            found = found.func
        if not isinstance(found, FunctionType):
            raise TypeError(f"{self.target} is no function")
        return found

    def read_sources(self) -> tuple[str, str]:
        """Return the source as it is and as it would be; raises `ValueError` if `old` is not there once."""
        genuine = textwrap.dedent(inspect.getsource(self.get_function()))
        if genuine.count(self.old) != 1:
            raise ValueError(f"{self.target} has {genuine.count(self.old)} times what is to be edited:\n{self.old}")
        return genuine, genuine.replace(self.old, self.new)

    def count_lines(self) -> int:
        """Return how many lines differ: removed, added or replaced."""
        before, after = (source.splitlines() for source in self.read_sources())
        changes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        return sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in changes if kind != "equal")

    def format_diff(self) -> str:
        """Return the change as people read changes."""
        before, after = (source.splitlines() for source in self.read_sources())
        return "\n".join(unified_diff(before, after, self.target, "planted", n=1, lineterm=""))


def compile_edited(edits: tuple[Edit, ...]) -> CodeType:
    """Return the code of one function after all of `edits`, which are all of it."""
    function, source = edits[0].get_function(), edits[0].read_sources()[0]
    for edit in edits:
        edit.read_sources()  # refuses what is not there once
        source = source.replace(edit.old, edit.new)
    pending = [compile("from __future__ import annotations\n" + source, f"<planted in {edits[0].target}>", "exec")]
    while pending:
        for constant in pending.pop(0).co_consts:
            if isinstance(constant, CodeType):
                if constant.co_name == function.__name__ and constant.co_freevars == function.__code__.co_freevars:
                    return constant
                pending.append(constant)
    raise ValueError(f"{edits[0].target} cannot be compiled alone")


@contextmanager
def planted(edits: tuple[Edit, ...]) -> Iterator[None]:
    """Let the edited functions be in force inside the context."""
    targets = dict.fromkeys(edit.target for edit in edits)
    codes = [compile_edited(tuple(edit for edit in edits if edit.target == target)) for target in targets]
    functions: list[FunctionType] = [
        next(edit for edit in edits if edit.target == target).get_function() for target in targets
    ]
    genuine = [function.__code__ for function in functions]
    try:
        for function, code in zip(functions, codes, strict=True):
            function.__code__ = code
        yield
    finally:
        for function, code in zip(functions, genuine, strict=True):
            function.__code__ = code
