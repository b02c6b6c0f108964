"""Finds the handler of a function without importing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

HANDLERS = (
    "main:handler",
    "app:handler",
    "lambda_function:lambda_handler",
    "main:lambda_handler",
    "app:lambda_handler",
    "handler:handler",
    "handler:lambda_handler",
    "index:handler",
    "function:handler",
    "lambda_function:handler",
)
"""Where a handler is looked for if none is named; `lambda_function` is that of Lambda's console."""


def find_handler(folder: Path) -> str | None:
    """The first of the usual handlers that a module in `folder` has, `"main:handler"`."""
    for candidate in HANDLERS:
        module, _, name = candidate.partition(":")
        path = folder / f"{module}.py"
        if not path.is_file():
            path = folder / module / "__init__.py"
        if path.is_file() and name in _names(path, name):
            return candidate
    return None


def _names(path: Path, looked_for: str) -> set[str]:
    """What a module defines; what can't be told is taken for what is looked for."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return {looked_for}
    names: set[str] = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {it.asname or it.name for it in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {
                it.id for target in targets for it in ast.walk(target) if isinstance(it, ast.Name)
            }
    return names | ({looked_for} if "*" in names else set())


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Those that run on import, within `if` and `try` too."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, name, []))
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)
