"""The comparison: results are those of mangum 0.22.0 before anything is timed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import results
from benchmarks.compare import Effort, differing, look, measure
from benchmarks.contenders import (
    COMPILED,
    CONTENDERS,
    PURE,
    UPSTREAM,
    ContenderFailed,
    fetch_upstream,
)
from benchmarks.process import Process, processes
from benchmarks.rows import Row, main_rows, matrix_rows
from mangum import _speedups

LITTLE = Effort(rounds=3, round_ns=1000)
BARE_ROWS = [row for row in matrix_rows() if row.app == "bare" and row.headers == 10]


@pytest.fixture(scope="module")
def started() -> Iterator[dict[str, Process]]:
    """The contenders that there are; mangum 0.22.0 comes from the package index once."""
    try:
        fetch_upstream()
    except ContenderFailed as exc:
        pytest.skip(str(exc))
    missing: list[str] = []
    with processes(CONTENDERS, sys.executable, missing) as found:
        # a pure run may find a compiled half beside it
        assert COMPILED in found or not _speedups.COMPILED, missing
        assert {PURE, UPSTREAM} <= {*found}, missing
        yield found


@pytest.mark.parametrize("row", dict.fromkeys([*BARE_ROWS, *main_rows()]), ids=lambda row: row.name)
def test_results_are_those_of_mangum_022(row: Row, started: dict[str, Process]) -> None:
    outlines, notes = look(row, started)
    assert notes == []
    assert {*outlines} == {*started}
    assert differing(row, outlines) == {}


def test_a_result_that_differs_is_found_by_its_place(started: dict[str, Process]) -> None:
    row = Row()
    outlines, _ = look(row, started)
    outlines[PURE] = {**outlines[PURE], "statusCode": 500, "cookies": []}
    assert differing(row, outlines)[PURE] == [
        "statusCode 500 for 200",
        "cookies [] for ['a=1; Path=/']",
    ]


def test_each_contender_is_timed(started: dict[str, Process]) -> None:
    timing = measure(Row(), started, LITTLE)
    assert timing.equal
    assert timing.notes == []
    assert {*timing.times_us} == {*timing.speedups} == {*started}
    assert all(0 < low <= high for _, low, high in timing.times_us.values())
    assert timing.speedups[UPSTREAM] == (1, 1, 1)


def test_what_the_source_refuses_is_not_timed(started: dict[str, Process]) -> None:
    timing = measure(Row("ALB", body="4mb", direction="out"), started, LITTLE)
    assert timing.equal
    assert timing.times_us == {}
    assert timing.notes == [
        "not timed: the source takes 1 MB, ours answers 500, 0.22.0 passes it on"
    ]


def test_a_row_that_a_contender_can_not_serve_says_so(started: dict[str, Process]) -> None:
    timing = measure(Row("nowhere"), started, LITTLE)
    assert timing.times_us == {}
    assert sorted(timing.notes) == sorted(f"{name}: KeyError: 'nowhere'" for name in started)


def test_a_run_leaves_tables_that_can_be_read_again(
    started: dict[str, Process], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timing = measure(Row(), started, LITTLE)
    value = json.loads(json.dumps(results.timing_to_json(timing)))
    assert results.timing_from_json(value) == timing
    results.save(tmp_path, "main", {"rows": [value]})
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert command.main(["--markdown", "--output", str(tmp_path)]) == 0
    assert (
        "| whole invocation, bare app, lifespan off: v2 / REST / ALB |" in capsys.readouterr().out
    )
