"""What modules name of files that no function seems to use: tests, stubs, sources of extensions."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TypeGuard

Modules = Mapping[str, bytes]
"""Sources by their paths, `{"package/module.py": b"…"}`."""

STUBS_READ = (b"attach_stub", b".pyi")
"""What is in modules that read stubs when they run, as those of lazy_loader do."""

_DOTTED = re.compile(r"\.*\w+(\.\w+)*")


def used_tests(modules: Modules) -> set[str]:
    """The packages called `tests` that a module imports which is no test: `{"numpy.ma.tests"}`."""
    return {
        ".".join(parts[: parts.index("tests") + 1])
        for path, source in modules.items()
        if b"tests" in source and "tests" not in path.split("/")
        for parts in _imported(PurePosixPath(path), source)
        if "tests" in parts
    }


def reads_stubs(modules: Modules) -> bool:
    return any(mark in source for source in modules.values() for mark in STUBS_READ)


def names_file(modules: Modules, path: PurePosixPath) -> bool:
    """Whether a module has the file's name in it, or a pattern for files of its kind."""
    marks = (path.name.encode(), f"*{path.suffix}".encode())
    return any(mark in source for source in modules.values() for mark in marks)


def _imported(path: PurePosixPath, source: bytes) -> Iterator[list[str]]:
    """What a module imports, in statements and by a text that may be a module's name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package's own texts
            tree = ast.parse(source)
    except (SyntaxError, ValueError):  # it can't be imported itself
        return
    package = list(path.parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node.level, (node.module or "").split("."), package)
            yield from ([*base, alias.name] for alias in node.names)
        elif isinstance(node, ast.Constant) and _is_dotted(node.value):
            name = node.value.lstrip(".")
            yield _absolute(len(node.value) - len(name), name.split("."), package)


def _is_dotted(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and "." in value and _DOTTED.fullmatch(value) is not None


def _absolute(level: int, names: Iterable[str], package: list[str]) -> list[str]:
    """`from ..core import …` has level 2, and is relative to the package of its module."""
    parents = package[: len(package) - level + 1] if level else []
    return [*parents, *(name for name in names if name)]
