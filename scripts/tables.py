"""Aligned columns of text, and what is told at the end of a run that makes files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol


class Row(Protocol):
    """A file that was made, or could not be."""

    file: str
    problems: list[str]

    def cells(self) -> Sequence[str]: ...


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def conclude(title: str, head: Sequence[str], rows: Sequence[Row], skips: Iterable[str]) -> int:
    """Print the problems, the table, and what was left out. Returns the exit code."""
    for row in rows:
        for problem in row.problems:
            print(f"\n=== {row.file}\n{problem}")
    print(f"\n=== {title}")
    print(*table(head, (row.cells() for row in rows)), sep="\n")
    for line in skips:
        print(f"SKIPPED  {line}")
    failed = [row.file for row in rows if row.problems]
    print(f"FAILED: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0
