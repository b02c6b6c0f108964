"""The table of frameworks and features as text, with its footnotes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.tables import Cell, Footnotes, aligned, counted, wrapped

from .features import FEATURES, LAST_VALUE_ONLY
from .matrix import CANNOT, EDITIONS, FRAMEWORKS, REMARKS
from .visits import SOURCES, STAGED_SOURCES


def render(outcomes: Iterable[tuple[Cell, bool]]) -> Iterator[str]:
    """`outcomes` says of each test of a cell whether it passed."""
    passed, run = counted(outcomes)
    notes = Footnotes()
    rows = [["", *FRAMEWORKS]]
    for feature in FEATURES:
        cells = [(framework, feature) for framework in FRAMEWORKS]
        rows.append([feature, *(_text(cell, passed[cell], run[cell], notes) for cell in cells)])
    yield from aligned(rows)
    yield from _explanations(notes)


def _text(cell: Cell, passed: int, run: int, notes: Footnotes) -> str:
    if passed < run:
        return f"FAIL {run - passed}/{run}"
    if not run:
        return "-"
    limit, remark = CANNOT.get(cell), REMARKS.get(cell)
    mark = notes.mark(text for text in (limit and limit.reason, remark) if text)
    able = [edition for edition in EDITIONS if not (limit and edition in limit.editions)]
    return ("ok" if len(able) == len(EDITIONS) else able[0] if able else "no") + mark


def _explanations(notes: Footnotes) -> Iterator[str]:
    yield ""
    yield from wrapped(
        f"ok: with the default options and in edition 2026, behind {', '.join(SOURCES)}; "
        f"a stage prefix behind {', '.join(STAGED_SOURCES)}. "
        f"Of a repeated query key, {' and '.join(sorted(LAST_VALUE_ONLY))} send the last value. "
        "A limit is tested as well: the framework must not be able to."
    )
    yield from notes.lines()
