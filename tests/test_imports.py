"""Who may import whom: the table, held against the source of every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.processes import output_of

PACKAGE = Path(__file__).parent.parent / "mangum"
ANYTHING = frozenset({"anything"})


class Row(NamedTuple):
    may: frozenset[str]
    lazily: frozenset[str] = frozenset()  # inside a function only


def row(may: str = "", lazily: str = "") -> Row:
    return Row(frozenset(may.split()), frozenset(lazily.split()))


# A part is a module or package right below `mangum`. What is not named here may not be imported.
PARTS = {
    "__init__": row("adapter", lazily="websockets"),
    "__main__": row("cli"),
    "adapter": row(
        "options exceptions", lazily="_speedups handlers protocols runtime types websockets"
    ),
    "options": row("types exceptions"),
    "handlers": row("_speedups types exceptions"),
    "protocols": row("_speedups types exceptions"),
    "websockets": row("backends aws protocols types exceptions"),
    "backends": row("aws types exceptions"),
    "aws": row("types exceptions"),
    "runtime": Row(ANYTHING),
    "local": Row(ANYTHING),
    "packaging": row("local"),
    "cli": Row(ANYTHING),
    "_speedups": row(),
    "types": row(),
    "exceptions": row(),
}


class Import(NamedTuple):
    module: str
    line: int
    lazy: bool


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every import of ours or of the tests, but not those for type checkers only."""
    package = module if is_package else module.rpartition(".")[0]
    for found in _walk(ast.parse(source), package, lazy=False):
        if found.module.partition(".")[0] in ("mangum", "tests"):
            yield found


def _walk(node: ast.AST, package: str, *, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, lazy)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                parents = package.split(".")
                parents = parents[: len(parents) - child.level + 1]
                base = ".".join([*parents, base] if base else parents)
            for alias in child.names:
                yield Import(f"{base}.{alias.name}", child.lineno, lazy)
        elif isinstance(child, ast.Call) and ast.unparse(child.func).endswith("import_module"):
            if child.args and isinstance(child.args[0], ast.Constant):
                yield Import(str(child.args[0].value), child.lineno, lazy)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for statement in child.orelse:
                yield from _walk(ast.Module([statement], []), package, lazy=lazy)
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, package, lazy=lazy or function)


def part_of(module: str) -> str:
    """`mangum.handlers.alb.ALB` belongs to `handlers`, `mangum.Mangum` to `__init__`."""
    top, _, rest = module.partition(".")
    part = rest.partition(".")[0]
    if top != "mangum":
        return top
    return part if part in PARTS else "__init__"


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _permits(part: str, found: Import) -> bool:
    target = part_of(found.module)
    row = PARTS[part]
    if target == part or (row.may == ANYTHING and target != "tests"):
        return True
    return target in row.may or (found.lazy and target in row.lazily)


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_imports_only_what_its_row_allows(path: Path) -> None:
    part = _part(path)
    assert part in PARTS, f"{part} has no row in the table"
    is_package = path.stem == "__init__"
    module = _name(path).removesuffix(".__init__") if is_package else _name(path)
    source = path.read_text(encoding="utf-8")
    assert [
        f"line {found.line} imports {found.module}"
        for found in imports(source, module, is_package=is_package)
        if not _permits(part, found)
    ] == []


def test_every_row_names_parts_of_the_table() -> None:
    named = frozenset().union(*(row.may | row.lazily for row in PARTS.values()))
    assert named - ANYTHING <= set(PARTS)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import mangum.types", [Import("mangum.types", 1, lazy=False)]),
        ("from mangum import types", [Import("mangum.types", 1, lazy=False)]),
        ("from mangum.types import Scope", [Import("mangum.types.Scope", 1, lazy=False)]),
        ("from . import utils", [Import("mangum.handlers.utils", 1, lazy=False)]),
        ("from ..types import Scope", [Import("mangum.types.Scope", 1, lazy=False)]),
        ("import json, asyncio", []),
        ("def f():\n    import mangum.cli", [Import("mangum.cli", 2, lazy=True)]),
        ("async def f():\n    from mangum import cli", [Import("mangum.cli", 2, lazy=True)]),
        ("class A:\n    import mangum.cli", [Import("mangum.cli", 2, lazy=False)]),
        ("try:\n    import mangum.cli\nfinally: 0", [Import("mangum.cli", 2, lazy=False)]),
        ("x = importlib.import_module('mangum.cli')", [Import("mangum.cli", 1, lazy=False)]),
        ("lambda: import_module('mangum.cli')", [Import("mangum.cli", 1, lazy=True)]),
        ("if TYPE_CHECKING:\n    import mangum.cli", []),
        (
            "if typing.TYPE_CHECKING:\n    import mangum.cli\nelse:\n    import mangum.local",
            [Import("mangum.local", 4, lazy=False)],
        ),
        ("import tests.builders", [Import("tests.builders", 1, lazy=False)]),
    ],
)
def test_imports_are_read_from_the_source(source: str, expected: list[Import]) -> None:
    assert list(imports(source, "mangum.handlers.alb")) == expected


def test_relative_imports_in_a_package_start_at_itself() -> None:
    found = imports("from .alb import ALB", "mangum.handlers", is_package=True)
    assert [it.module for it in found] == ["mangum.handlers.alb.ALB"]


AFTER_ONE_IMPORT = """
import mangum
print(mangum.types.__name__, mangum.handlers.alb.ALB.__name__, mangum.handlers.utils.__name__)
print(mangum.protocols.http.HTTPCycle is mangum.protocols.HTTPCycle, mangum.protocols.lifespan)
print(mangum.handlers.api_gateway.HTTPGateway is mangum.handlers.HTTPGateway)
print([name for name in ("nothing", "handlers.nothing", "protocols.nothing") if has(name)])
"""


def test_import_of_the_package_alone_is_enough_to_reach_what_it_holds() -> None:
    has = """
def has(name):
    import mangum
    package, _, attribute = f"mangum.{name}".rpartition(".")
    return hasattr(__import__("sys").modules[package], attribute)
"""
    shown = output_of(has + AFTER_ONE_IMPORT)
    assert shown[0] == "mangum.types ALB mangum.handlers.utils"
    assert shown[1].startswith("True <module 'mangum.protocols.lifespan'")
    assert shown[2:] == ["True", "[]"]
