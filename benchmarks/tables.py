"""Tables, as plain text for a terminal and as Markdown."""

from __future__ import annotations

from typing import NamedTuple


class Table(NamedTuple):
    """Cells are texts; the first column is a label, the others are numbers."""

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str]

    def text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [_align(cells, widths) for cells in [self.header, *self.rows]]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, "", *lines, *_apart(self.notes)])

    def markdown(self) -> str:
        marks = ["---", *["---:"] * (len(self.header) - 1)]
        lines = [f"| {' | '.join(cells)} |" for cells in [self.header, marks, *self.rows]]
        return "\n".join([f"**{self.title}**", "", *lines, *_apart(self.notes)])


def _align(cells: list[str], widths: list[int]) -> str:
    label, *numbers = cells
    aligned = [it.rjust(width) for it, width in zip(numbers, widths[1:], strict=True)]
    return "  ".join([label.ljust(widths[0]), *aligned]).rstrip()


def _apart(notes: list[str]) -> list[str]:
    return ["", *notes] if notes else []
