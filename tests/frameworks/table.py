"""The table of frameworks and features as text, with its footnotes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from textwrap import wrap

from .features import FEATURES, LAST_VALUE_ONLY
from .matrix import CANNOT, EDITIONS, FRAMEWORKS, REMARKS
from .visits import SOURCES, STAGED_SOURCES

Cell = tuple[str, str]


class Footnotes:
    """Numbers for texts, the same number for the same text."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, texts: Iterable[str]) -> str:
        numbers = [self.numbers.setdefault(text, len(self.numbers) + 1) for text in texts]
        return f" [{','.join(map(str, numbers))}]" if numbers else ""


def render(outcomes: Iterable[tuple[Cell, bool]]) -> Iterator[str]:
    """`outcomes` says of each test of a cell whether it passed."""
    run: Counter[Cell] = Counter()
    passed: Counter[Cell] = Counter()
    for cell, ok in outcomes:
        run[cell] += 1
        passed[cell] += ok
    notes = Footnotes()
    rows = [["", *FRAMEWORKS]]
    for feature in FEATURES:
        cells = [(framework, feature) for framework in FRAMEWORKS]
        rows.append([feature, *(_text(cell, passed[cell], run[cell], notes) for cell in cells)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
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
    yield from _wrapped(
        f"ok: with the default options and in edition 2026, behind {', '.join(SOURCES)}; "
        f"a stage prefix behind {', '.join(STAGED_SOURCES)}. "
        f"Of a repeated query key, {' and '.join(sorted(LAST_VALUE_ONLY))} send the last value. "
        "A limit is tested as well: the framework must not be able to."
    )
    for text, number in notes.numbers.items():
        yield from _wrapped(f"[{number}] {text}")


def _wrapped(text: str) -> list[str]:
    return wrap(text, 116, subsequent_indent="    ")
