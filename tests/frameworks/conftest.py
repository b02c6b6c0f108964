"""Prints the table of frameworks and features after the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

ASSERTING = ("features", "matrix", "visits")

pytest.register_assert_rewrite(*(f"{__package__}.{module}" for module in ASSERTING))


def pytest_itemcollected(item: pytest.Item) -> None:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if "framework" in parameters:
        item.user_properties.append(("cell", [parameters["framework"], parameters["feature"]]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes = list(_outcomes(terminalreporter))
    if outcomes:
        from .table import render

        terminalreporter.section("frameworks")
        for line in render(outcomes):
            terminalreporter.line(line)


def _outcomes(reporter: pytest.TerminalReporter) -> Iterator[tuple[tuple[str, str], bool]]:
    reports = [report for reports in reporter.stats.values() for report in reports]
    for report in reports:
        if isinstance(report, pytest.TestReport) and (report.when == "call" or report.failed):
            cell = dict(report.user_properties).get("cell")
            if isinstance(cell, list):
                yield (cell[0], cell[1]), report.passed
