"""Counts the instructions of an invocation with callgrind: exact, whatever the machine is doing.

Run as `python -m benchmarks.instructions NAME` it is what callgrind watches: the contender NAME,
called for each row between two calls of `os.getppid`, at which callgrind writes its counter down.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.contenders import ROOT, ContenderFailed, enter, environment
from benchmarks.rows import Row
from benchmarks.worker import Worker

GOALS: dict[Row, int | None] = {
    Row("v2"): 57_000,
    Row("REST"): 78_000,
    Row("ALB"): 64_000,
    Row("v2", lifespan="invocation"): None,
    Row("v2", lifespan="environment"): None,
}
"""What is counted, and the most that the compiled half may take."""

WARM_UP_CALLS = 100
CALLS = 500
MARK = "getppid"  # no other code calls it


def unavailable() -> str | None:
    """Why nothing can be counted here, if so."""
    if shutil.which("valgrind"):
        return None
    return "no instructions are counted: valgrind is not installed (Debian: apt install valgrind)"


def count(contender: str, python: str = sys.executable) -> dict[Row, int]:
    """Instructions per invocation. Raises `ContenderFailed`."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts")
        command = ["valgrind", "--tool=callgrind", f"--dump-before={MARK}"]
        command += [f"--callgrind-out-file={counts}"]
        command += [python, "-m", "benchmarks.instructions", contender]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(contender), capture_output=True, text=True
        )
        if done.returncode:
            raise ContenderFailed(f"{contender} is not counted: {_last_line(done.stderr)}")
        between_marks = [_total(file) for file in sorted(counts.parent.iterdir(), key=_number)]
    # what follows the last mark, what comes before the first, then row, pause, row, ...
    of_rows = between_marks[2::2]
    if len(of_rows) != len(GOALS):
        raise ContenderFailed(f"{contender} is not counted: callgrind did not see `{MARK}`.")
    return {row: total // CALLS for row, total in zip(GOALS, of_rows, strict=True)}


def _number(file: Path) -> int:
    """`counts.7` → 7; `counts`, which is written at the end, comes first."""
    return int(file.suffix[1:] or 0)


def _total(file: Path) -> int:
    found = re.search(r"^totals: (\d+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return int(found[1]) if found else 0


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line[:2] != "=="), "it failed")


def main() -> None:
    contender = sys.argv[1]
    try:
        enter(contender)
    except ContenderFailed as exc:
        sys.exit(str(exc))
    worker = Worker(contender)
    for row in GOALS:
        worker.check(asdict(row))
        worker.time(WARM_UP_CALLS)
        os.getppid()
        worker.time(CALLS)
        os.getppid()


if __name__ == "__main__":
    main()
