"""The table of frameworks and features as text, with its footnotes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from tests.tables import Cell, Footnotes, aligned, counted, wrapped
from tests.websockets.framework_matrix import (
    BY_NATURE,
    CANNOT,
    FEATURES,
    MODES,
    REMARKS,
    STYLES,
    limit_of,
)

NAME = "websocket frameworks"
CELL = "websocket cell"


class Summary:
    """Prints the table after the run."""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(NAME)
        for line in render(_outcomes(terminalreporter)):
            terminalreporter.line(line)


def _outcomes(reporter: pytest.TerminalReporter) -> Iterator[tuple[Cell, bool]]:
    reports = [report for reports in reporter.stats.values() for report in reports]
    for report in reports:
        if isinstance(report, pytest.TestReport) and (report.when == "call" or report.failed):
            cell = dict(report.user_properties).get(CELL)
            if isinstance(cell, list) and not report.skipped:
                yield (cell[0], cell[1]), report.passed


def render(outcomes: Iterable[tuple[Cell, bool]]) -> Iterator[str]:
    """`outcomes` says of each test of a cell whether it passed."""
    passed, run = counted(outcomes)
    notes = Footnotes()
    rows = [["", *(f"{it}{notes.mark(filter(None, [BY_NATURE.get(it)]))}" for it in FEATURES)]]
    for style in STYLES:
        cells = [(style, feature) for feature in FEATURES]
        rows.append([style, *(_text(cell, passed[cell], run[cell], notes) for cell in cells)])
    yield from aligned(rows)
    yield ""
    yield from wrapped(
        f"ok: in every mode ({', '.join(MODES)}). session: in all but message; message: in that "
        "one alone. A limit is tested as well: the framework must not be able to."
    )
    yield from notes.lines()


def _text(cell: Cell, passed: int, run: int, notes: Footnotes) -> str:
    if passed < run:
        return f"FAIL {run - passed}/{run}"
    if not run:
        return "-"
    reasons = [limit.reason for limit in CANNOT.get(cell, ())]
    able = {mode for mode in MODES if limit_of(*cell, mode) is None}
    word = "ok" if len(able) == len(MODES) else "message" if "message" in able else "session"
    mark = notes.mark([*reasons, *filter(None, [REMARKS.get(cell)])])
    return (word if able else "no") + mark
