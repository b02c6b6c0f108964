"""The parts of a run: each measures, prints its tables and leaves JSON and plots behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks import functions, instructions, report, results, websockets
from benchmarks.compare import Effort, Timing, measure
from benchmarks.contenders import CONTENDERS, ContenderFailed
from benchmarks.process import processes
from benchmarks.rows import TABLES, Row
from benchmarks.tables import Table

MS = 1_000_000  # in nanoseconds

EFFORTS = {
    "main": {"quick": Effort(15, 15 * MS), "full": Effort(31, 40 * MS)},
    "matrix": {"quick": Effort(3, 2 * MS), "full": Effort(7, 8 * MS)},
}
FUNCTION_TIME_S = {"quick": 0.05, "full": 0.15}
TITLES = {
    "main": "The rows of the main table",
    "matrix": "Every application, source, number of headers, body and lifespan",
}


class Run(NamedTuple):
    """What is asked for, on one Python."""

    python: str
    folder: Path
    pace: str
    words: list[str]

    def wants(self, row: Row) -> bool:
        return all(word.lower() in row.name.lower() for word in self.words)


def compare(run: Run, part: str) -> bool:
    """Measure the rows of a table; `False` if a result is not that of mangum 0.22.0."""
    missing: list[str] = []
    timings: list[Timing] = []
    rows = [row for row in TABLES[part]() if run.wants(row)]
    with processes(CONTENDERS, run.python, missing) as started:
        about = results.about({name: it.about for name, it in started.items()}, pace=run.pace)
        for number, row in enumerate(rows, 1):
            _progress(f"{part} {number}/{len(rows)}: {row.name}")
            timings.append(measure(row, started, EFFORTS[part][run.pace]))
    _progress("")
    _print_lines(missing)
    value = {"about": about, "rows": [results.timing_to_json(timing) for timing in timings]}
    results.save(run.folder, part, value)
    results.write(run.folder, f"{part}-times.svg", report.times_chart(timings, TITLES[part]))
    speedups = report.speedups_chart(timings, "Times faster than mangum 0.22.0")
    results.write(run.folder, f"{part}-speedups.svg", speedups)
    _print_table(report.times_table(timings, TITLES[part]))
    if part == "main":
        _print_table(report.claims_table(timings))
    return all(timing.equal for timing in timings)


def count(run: Run, part: str) -> bool:
    """Count instructions."""
    reason = instructions.unavailable()
    if reason:
        _print_lines([reason])
        return True
    counts = {}
    for contender in CONTENDERS:
        _progress(f"{part}: {contender}")
        try:
            counts[contender] = instructions.count(contender, run.python)
        except ContenderFailed as exc:
            _progress("")
            _print_lines([str(exc)])
    _progress("")
    by_name = {name: {row.name: it for row, it in of.items()} for name, of in counts.items()}
    results.save(run.folder, part, by_name)
    results.write(run.folder, f"{part}.svg", report.instructions_chart(counts))
    _print_table(report.instructions_table(counts))
    return True


def time_functions(run: Run, part: str) -> bool:
    """Run the micro-benchmarks; `False` if they do not get through."""
    _progress(f"{part}: pytest-benchmark")
    try:
        timings = functions.measure(run.python, FUNCTION_TIME_S[run.pace])
    except functions.FunctionsFailed as exc:
        _print_lines([str(exc)])
        return False
    _progress("")
    results.save(run.folder, part, timings)
    for name, chart in functions.charts(timings).items():
        results.write(run.folder, f"{name}.svg", chart)
    for table in functions.tables(timings):
        _print_table(table)
    return True


def start_cold(run: Run, part: str) -> bool:
    """Cold starts in many processes; `False` if a function fails."""
    from benchmarks import coldstart  # which imports mangum
    from mangum.cli.measure import Failed
    from mangum.cli.probe import InterpreterFailed

    try:
        coldstart.run(run.pace == "quick", run.folder, run.python)
    except (ContenderFailed, Failed, InterpreterFailed) as exc:
        _print_lines([f"{part}: {exc}"])
        return False
    return True


def start_packaged(run: Run, part: str) -> bool:
    """Cold starts from zips and layers; `False` if one can't be made or fails."""
    from benchmarks import packaged  # which imports mangum

    try:
        packaged.run(run.pace == "quick", run.folder, run.python)
    except packaged.FAILURES as exc:
        _print_lines([f"{part}: {exc}"])
        return False
    return True


def send_messages(run: Run, part: str) -> bool:
    """WebSocket messages beside boto3; `False` if something can't be measured."""
    try:
        websockets.run(run.pace == "quick", run.folder, run.python)
    except websockets.BenchmarkFailed as exc:
        _print_lines([f"{part}: {exc}"])
        return False
    return True


PARTS: dict[str, Callable[[Run, str], bool]] = {
    "main": compare,
    "instructions": count,
    "coldstart": start_cold,
    "packaged": start_packaged,
    "functions": time_functions,
    "websockets": send_messages,
    "matrix": compare,
}
"""Each returns whether all is well."""


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _print_table(table: Table) -> None:
    print(f"\n{table.text()}\n", flush=True)
