"""The benchmark of the gateway: its clients count right, and its figures are shown."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import gateway_minute
from benchmarks.gateway import (
    Latency,
    Load,
    Memory,
    compare,
    latency_table,
    load_table,
    other_table,
)
from benchmarks.gateway_contenders import LOGGED, MAIN, MINISTACK, OURS, Ours, Usage
from benchmarks.gateway_load import (
    Connection,
    LoadFailed,
    Offered,
    OpenLoop,
    percentiles,
    times_ms,
)
from benchmarks.spread import Spread
from mangum.local.sources import SOURCES

pytest.importorskip("awslambdaric")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

on_linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


class Answering:
    """A server that gives each request the next of its answers, over and over, piece by piece;
    instead of an empty one it closes the connection."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = answers
        self._count = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(60)
        self.url = "http://{}:{}/".format(*self._listener.getsockname())
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """To be called when its clients are closed."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,)))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            while client.recv(65536):
                with self._lock:
                    answer = self._answers[self._count % len(self._answers)]
                    self._count += 1
                if not answer:
                    return
                for at in range(0, len(answer), 20):
                    client.sendall(answer[at : at + 20])


@pytest.fixture
def serving() -> Iterator[Ours]:
    with closing(Ours()) as ours:
        yield ours


@on_linux
def test_the_function_answers_behind_every_source(serving: Ours) -> None:
    assert serving.urls.keys() == {*SOURCES, LOGGED}
    usage = Usage(serving.pid)
    for name, url in serving.urls.items():
        with closing(Connection(url)) as connection:
            assert connection.get().endswith(b'{"hello":"world","id":"42","n":1}'), name
    assert [it["text"] for it in serving.serving.lines("output")] == ["A line for the log.\n"]
    assert serving.urls[MAIN] == serving.serving.url + "items/42"
    gateway_us, others_us = usage.per_request_us(len(serving.urls))
    assert min(gateway_us, others_us) > 0
    memory_mb, others_mb = usage.memory_mb()
    assert memory_mb > 10
    assert len(others_mb) == usage.counts()[1] == 2  # the guard and an environment


@on_linux
def test_a_minute_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = gateway_minute.run(tmp_path, rate=50, seconds=1)
    assert (figures["total"], figures["lost"], figures["refused"]) == (50, 0, 0)
    assert figures["counts"][0] == figures["counts"][-1]
    assert re.search(r"\nlost +0\n", capsys.readouterr().out)
    assert (tmp_path / "gateway-minute.json").exists()


def test_a_client_reads_answers_that_come_in_pieces() -> None:
    with closing(Answering(GOOD)) as server, closing(Connection(server.url)) as connection:
        assert connection.get() == GOOD
        assert len(times_ms(connection, 3)) == 3


@pytest.mark.parametrize(("answer", "said"), [(BAD, "500"), (b"", "without an answer")])
def test_a_client_wants_good_answers(answer: bytes, said: str) -> None:
    with (
        closing(Answering(answer)) as server,
        closing(Connection(server.url)) as connection,
        pytest.raises(LoadFailed, match=said),
    ):
        connection.get()


def test_an_open_loop_counts_what_is_lost_and_what_is_refused() -> None:
    with closing(Answering(GOOD, BAD, b"", GOOD)) as server:
        offered = OpenLoop(server.url, rate=200, seconds=0.2, connections=4).run()
    assert offered[:3] == (40, 10, 10)
    assert len(offered.times_ms) == 30


def test_latencies_are_compared_source_by_source() -> None:
    ours, theirs = [[1.0] * 99 + [2.0], [1.0] * 100], [[4.0] * 100, [6.0] * 100]
    both, alone = compare({OURS: {"http": ours, "alb": ours}, MINISTACK: {"http": theirs}})
    assert both.percentiles[OURS] == [1.0, 1.0, 1.0]
    assert both.times_less == Spread(5.0, 4.2, 5.8)
    assert alone == Latency("alb", {OURS: [1.0, 1.0, 1.0]}, None)
    assert latency_table([both, alone]).rows == [
        ["http", "1.00", "1.00", "1.00", "5.00", "6.00", "6.00", "5.0 (4.2-5.8)", "3", "yes"],
        ["alb", "1.00", "1.00", "1.00", "-", "-", "-", "-", "3", "yes"],
    ]


def test_a_median_over_the_goal_is_told() -> None:
    assert latency_table([Latency("http", {OURS: [3.0, 4.0, 5.0]}, None)]).rows[0][-1] == "no"


def test_percentiles_are_the_middle_and_the_two_ends_that_hurt() -> None:
    assert percentiles(range(1, 1000)) == [500, 950, 990]


def test_loads_and_what_is_missing_are_shown() -> None:
    load = Load(OURS, 4, Spread(1000, 900, 1100), Spread(600, 590, 610), Spread(500, 490, 510))
    cells = ["ours, 4", "1000 (900-1100)", "600 (590-610)", "500 (490-510)"]
    assert load_table([load], None).rows == [cells]
    assert load_table([], "wrk is missing").text().endswith("wrk is missing")


def test_starts_and_memory_are_shown() -> None:
    shown = other_table({"0": [300.0, 400.0, 500.0]}, [Memory(OURS, 39.4, [26.0, 12.0])])
    assert shown.rows == [
        ["start to the first answer, --warm 0", "400 (320-480) ms"],
        ["memory, ours", "39 MB"],
        ["of its processes, ours", "12, 26 MB"],
    ]


def test_a_minute_is_shown_with_how_it_began_and_ended() -> None:
    offered = Offered(3, 1, 0, [1.0, 2.0])
    rows = gateway_minute.table(
        offered, 1000, (600, 500), [(20, 5), (84, 6), (20, 5)], [37, 39, 38]
    )
    cells = dict(rows.rows)
    assert cells["descriptors"] == "20, up to 84, 20"
    assert cells["processes"] == "5, up to 6, 5"
    assert cells["lost"] == "1"
