"""Tables of outcomes as text, with footnotes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

Cell = tuple[str, str]


class Footnotes:
    """Numbers for texts, the same number for the same text."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def mark(self, texts: Iterable[str]) -> str:
        numbers = [self.numbers.setdefault(text, len(self.numbers) + 1) for text in texts]
        return f" [{','.join(map(str, numbers))}]" if numbers else ""

    def lines(self) -> Iterator[str]:
        for text, number in self.numbers.items():
            yield from wrapped(f"[{number}] {text}")


def counted(outcomes: Iterable[tuple[Cell, bool]]) -> tuple[Counter[Cell], Counter[Cell]]:
    """How many tests of each cell have passed, and how many were run."""
    passed: Counter[Cell] = Counter()
    run: Counter[Cell] = Counter()
    for cell, ok in outcomes:
        run[cell] += 1
        passed[cell] += ok
    return passed, run


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def wrapped(text: str) -> list[str]:
    return wrap(text, 116, subsequent_indent="    ")
