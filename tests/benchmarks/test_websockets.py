"""The benchmark of WebSocket messages: its contenders do the same, and its figures are shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.spread import Spread
from benchmarks.websockets import (
    BOTO3,
    CALLS,
    MODES,
    OURS,
    Row,
    Server,
    Worker,
    environment,
    make_certificate,
    row_from_json,
    table,
)


@pytest.fixture(scope="module", params=["http", "https"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("certificate")
    server = Server(make_certificate(sys.executable, folder) if request.param == "https" else ())
    yield server
    server.close()


@pytest.mark.parametrize("contender", [OURS, BOTO3])
@pytest.mark.parametrize("mode", MODES)
def test_the_contenders_make_the_same_calls(
    server: Server, tmp_path: Path, contender: str, mode: str
) -> None:
    worker = Worker(sys.executable, contender, environment(server, tmp_path, mode))
    try:
        assert server.calls_of(lambda: worker.take("connect")) == {"PutItem": 1}
        for count in (1, 2):
            calls = server.calls_of(partial(worker.take, "message", count))
            assert calls == {name: it * count for name, it in CALLS[mode].items()}
        assert server.posted() == "Hello world"
        assert server.calls_of(lambda: worker.take("fan_out", 100)) == {"POST": 100}
    finally:
        worker.close()


def test_a_row_says_how_many_times_less_time_is_taken_and_whether_that_is_enough() -> None:
    ours, boto3, less = Spread(10.0, 9.0, 11.0), Spread(80.0, 70.0, 90.0), Spread(8.0, 7.0, 9.0)
    rows = [Row("a", "ms", ours, boto3, less, goal) for goal in (8, 8.5, None)]
    shown = table(rows).rows
    assert [cells[-2:] for cells in shown] == [["8", "yes"], ["8.5", "no"], ["-", "-"]]
    figures = ["10.0 (9.0-11.0) ms", "80.0 (70.0-90.0) ms", "8.0 (7.0-9.0)"]
    assert shown[0][:-2] == table(rows, goals=False).rows[0] == ["a", *figures]


def test_a_row_comes_back_from_the_results() -> None:
    row = Row("a", "ms", Spread(1.0, 0.5, 2.0), Spread(3.0, 2.0, 4.0), Spread(3.0, 2.5, 3.5), 8)
    assert row_from_json(json.loads(json.dumps(row._asdict()))) == row
