"""`python -m benchmarks`: measure, print tables, leave JSON and plots in benchmarks/results/."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks import instructions, report, results, websockets
from benchmarks.contenders import ContenderFailed, fetch_upstream, version_of
from benchmarks.parts import PARTS, Run

QUICK = ("main", "instructions", "coldstart", "functions", "websockets")


def markdown(folder: Path) -> str:
    """The main table, the instructions, the import's cost and WebSocket messages, of the last
    run."""
    parts = []
    main_table = results.load(folder, "main")
    if main_table is not None:
        timings = [results.timing_from_json(row) for row in main_table["rows"]]
        parts.append(report.claims_table(timings, goals=False).markdown())
    counted = results.load(folder, "instructions")
    if counted is not None:
        rows = {row.name: row for row in instructions.GOALS}
        counts = {name: {rows[it]: of[it] for it in of} for name, of in counted.items()}
        parts.append(report.instructions_table(counts, goals=False).markdown())
    started_cold = results.load(folder, "coldstart")
    if started_cold is not None:
        from benchmarks import coldstart  # which imports mangum

        parts.append(coldstart.imports_table(started_cold["imports"]).markdown())
    messages = results.load(folder, websockets.NAME)
    if messages is not None:
        compared = [websockets.row_from_json(row) for row in messages["rows"]]
        parts.append(websockets.table(compared, goals=False).markdown())
    return "\n\n".join(parts) or f"Nothing was measured yet: {folder} is empty."


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="four minutes instead of fifteen")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rows", nargs="+", default=[], help="words that a row's name has")
    parser.add_argument("--python", nargs="+", default=[sys.executable], help="which to run on")
    parser.add_argument("--output", type=Path, default=results.FOLDER, help="where to write to")
    parser.add_argument("--markdown", action="store_true", help="print the last run's main table")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options: Any = parse(arguments)
    if options.markdown:
        print(markdown(options.output))
        return 0
    parts = options.only or (QUICK if options.quick else [*PARTS])
    try:
        fetch_upstream()
    except ContenderFailed as exc:
        sys.exit(str(exc))
    well = True
    for python in options.python:
        folder = options.output
        if len(options.python) > 1:
            folder /= version_of(python)
        run = Run(python, folder, "quick" if options.quick else "full", options.rows)
        for part in parts:
            well &= PARTS[part](run, part)
    print(f"Written to {options.output}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
