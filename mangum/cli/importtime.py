"""What imports cost, by module, package and group, read from `python -X importtime`.

A module of the standard library is charged to the package that made Python load it, and a package
that a framework or Mangum loads to these: leaving the one out leaves the other out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

PYTHON = "Python"
RUNTIME = "awslambdaric"

GROUPS = {
    "python": "Python and awslambdaric",
    "asyncio": "asyncio",
    "mangum": "Mangum",
    "framework": "framework",
    "packages": "other packages",
    "own": "your modules",
}
"""Who an import is charged to, in the order of the charts, and how that is called there."""

_MEMBERS = {
    "asyncio": "asyncio",
    **dict.fromkeys(
        ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py"), "python"
    ),
    **dict.fromkeys(("mangum", "mangum_ws"), "mangum"),
    **dict.fromkeys(
        (
            "blacksheep",
            "channels",
            "connexion",
            "django",
            "falcon",
            "fastapi",
            "flask",
            "litestar",
            "quart",
            "sanic",
            "starlette",
        ),
        "framework",
    ),
}
"""The packages that stand for a group, wherever they are imported from."""

_ADOPTING = ("framework", "mangum", "python")  # groups that answer for the packages they import

_LINE = re.compile(r"import time:\s*(\d+) \|\s*\d+ \| ( *)(\S+)$")


class Import(NamedTuple):
    """One line of the report."""

    name: str
    self_us: int
    parent: int | None  # the index of the import that caused it


@dataclass(frozen=True)
class Module:
    """An import with whom it is charged to."""

    name: str
    self_ms: float
    package: str
    group: str
    phase: str  # `"init"`, or `"first"` for the first invocation


class Names(NamedTuple):
    """What tells modules apart that Python's report does not."""

    standard_library: Collection[str]
    own: Collection[str]  # top-level names in the function's folder


def parse(report: str) -> list[Import]:
    """The imports of a report, each below the one that caused it; other lines are passed over.

    Each line stands behind those of what it caused, and is indented by two more for each level.
    """
    found = [
        (match[3], int(match[1]), len(match[2]))
        for line in report.splitlines()
        if (match := _LINE.search(line))
    ]
    parents: list[int | None] = [None] * len(found)
    open_: list[int] = []
    for index in reversed(range(len(found))):
        while open_ and found[open_[-1]][2] >= found[index][2]:
            open_.pop()
        parents[index] = open_[-1] if open_ else None
        open_.append(index)
    return [
        Import(name, self_us, parent)
        for (name, self_us, _), parent in zip(found, parents, strict=True)
    ]


def charge(reports: Mapping[str, Sequence[Import]], names: Names) -> list[Module]:
    """Each import of each phase, with its package and group.

    A package whose modules are asked for from several sides belongs to the side that came first.
    """
    modules = [
        Module(it.name, it.self_us / 1000, *charged, phase)
        for phase, imports in reports.items()
        for it, charged in zip(imports, _charge_all(imports, names), strict=True)
    ]
    groups: dict[str, str] = {}
    for it in modules:
        groups.setdefault(it.package, it.group)
    return [replace(it, group=groups[it.package]) for it in modules]


def _charge_all(imports: Sequence[Import], names: Names) -> list[tuple[str, str]]:
    """Package and group of each."""
    runtime = next((i for i, it in enumerate(imports) if _top(it.name) == RUNTIME), 0)
    charged = [(PYTHON, "python")] * len(imports)  # what `site` and the .pth files bring stays so
    for index in reversed(range(runtime, len(imports))):  # a parent stands behind its children
        name, _, parent = imports[index]
        above = charged[parent] if parent is not None else (PYTHON, "python")
        charged[index] = _charge(_top(name), above, names)
    return charged


def _charge(top: str, above: tuple[str, str], names: Names) -> tuple[str, str]:
    """Those of a module by its top-level name, and by `above`, those of what imports it."""
    if top in _MEMBERS:
        return top, _MEMBERS[top]
    if top in names.own:
        return top, "own"
    if top in names.standard_library or top == "__main__":
        return above
    adopted = above[1] in _ADOPTING and above[0] != PYTHON
    return top, above[1] if adopted else "packages"


def smallest(runs: Sequence[Sequence[Module]]) -> list[Module]:
    """The modules of the first run, each with the smallest time that any run had for it."""
    best: dict[tuple[str, str], float] = {}
    for run in runs:
        for it in run:
            key = (it.phase, it.name)
            best[key] = min(it.self_ms, best.get(key, it.self_ms))
    return [replace(it, self_ms=best[it.phase, it.name]) for it in runs[0]]


def by_group(modules: Sequence[Module]) -> dict[str, float]:
    """Milliseconds of each group, those without any left out."""
    total = _sum((it.group, it.self_ms) for it in modules)
    return {group: total[group] for group in GROUPS if group in total}


def by_package(modules: Sequence[Module]) -> dict[str, float]:
    """Milliseconds of each package, the largest first."""
    total = _sum((it.package, it.self_ms) for it in modules)
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def largest(modules: Sequence[Module]) -> list[Module]:
    """The modules with the largest time of their own first."""
    return sorted(modules, key=lambda it: -it.self_ms)


def _sum(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for key, ms in pairs:
        total[key] = total.get(key, 0.0) + ms
    return total


def _top(name: str) -> str:
    return name.partition(".")[0]
