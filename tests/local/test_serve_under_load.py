"""`mangum serve` with many clients at once, and with ends that nobody has asked for: no answer is
lost, and no process and no descriptor is left."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local.serving import PATIENCE_S, Serving, children, descendants, descriptors, is_alive

pytest.importorskip("awslambdaric")
pytest.importorskip("uvicorn")
websockets = pytest.importorskip("websockets.asyncio.client")

pytestmark = pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(),
    reason="processes and descriptors are counted in /proc",
)

CONCURRENCY = 4
CONNECTIONS, REQUESTS = 200, 5
TALKERS, KILLS = 5, 8
SETTLES_S = 10.0
LARGE_BYTES = 4 * 1024 * 1024
TEXT = "Content-Type: text/plain\r\n"
FAILED = '{"message":"Internal Server Error"}'

FUNCTION = """
import http.client, json, os, subprocess, sys, time

host, _, stage = os.environ["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"][7:].partition("/")

def handler(event, context):
    if "connectionId" in event["requestContext"]:
        return talk(event["requestContext"], event.get("body"))
    asked = event.get("queryStringParameters", {})
    if "child" in asked:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if "begun" in asked:
        print("begun", flush=True)
    time.sleep(600 if "child" in asked else float(asked.get("sleep", 0)))
    body = "x" * int(asked.get("size", 0)) or asked.get("id", "") + event.get("body", "")
    return {"statusCode": 200, "body": body}

def talk(context, text):
    if text is not None:
        time.sleep(0.01)
        connection = http.client.HTTPConnection(host)
        connection.request("POST", f"/{stage}/@connections/{context['connectionId']}", text)
        connection.getresponse().read()
        connection.close()
    return {"statusCode": 200}
"""


class Client:
    """A connection on which requests are sent as they are, and answers read one by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def get(self, target: str) -> tuple[int, str]:
        self.send(target)
        return await self.answer()

    def send(self, target: str, headers: str = "", body: str = "") -> None:
        self.writer.write(f"GET /{target} HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}".encode())

    async def answer(self) -> tuple[int, str]:
        """Status and body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(it[15:]) for it in head if it.startswith("content-length:"))
        return int(head[0].split()[1]), (await self.reader.readexactly(length)).decode()

    async def end(self) -> bytes:
        """What came beyond the answers, up to the end of the connection."""
        self.send("", "Connection: close\r\n")
        await self.answer()
        return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def vanish(self) -> None:
        """Close it as a process does that is killed with data unread: by a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(port: int) -> Any:
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        await client.close()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, PATIENCE_S))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("function")
    (folder / "main.py").write_text(FUNCTION, encoding="utf-8")
    return folder


def serve(folder: Path, *options: str) -> Serving:
    settings = ("--concurrency", str(CONCURRENCY), "--warm", str(CONCURRENCY))
    return Serving("main:handler", *settings, *options, folder=folder)


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[tuple[Serving, list[int]]]:
    """With the descriptors that it has when nobody is served."""
    with serve(folder) as serving:
        until(lambda: len(serving.environments()) == CONCURRENCY)
        fill(serving)
        counted: list[list[int]] = []
        while len(counted) < 20 or counted[-20:] != counted[-1:] * 20:  # clients are going yet
            counted.append(count(serving))
            time.sleep(0.01)
        yield serving, counted[-1]
        assert serving.stop() == 0
        assert serving.said == ""
        warnings = [line["text"] for line in serving.lines("warning")]
        assert [it for it in warnings if "ended by itself" not in it] == []


@pytest.fixture
def serving(shared: tuple[Serving, list[int]]) -> Iterator[Serving]:
    """After the test its processes and descriptors must be as many as before."""
    serving, before = shared
    yield serving

    def is_as_before() -> bool:
        if len(serving.environments()) < CONCURRENCY:
            fill(serving)
        return count(serving) == before

    with contextlib.suppress(AssertionError):  # the numbers tell more
        until(is_as_before, SETTLES_S)
    assert count(serving) == before


def fill(serving: Serving) -> None:
    """Keep as many environments busy at once as there may be."""

    async def ask() -> None:
        async with connected(serving.port) as client:
            assert await client.get("?sleep=0.2") == (200, "")

    async def test() -> None:
        await asyncio.gather(*[ask() for _ in range(CONCURRENCY)])

    run(test())


def count(serving: Serving) -> list[int]:
    """The descriptors of the gateway and of each process that it has started."""
    return [descriptors(serving.pid), *sorted(map(descriptors, children(serving.pid)))]


def until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    ends_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


# --- many at once ---------------------------------------------------------------------------------


def test_whatever_is_asked_gets_one_answer_while_environments_are_killed(serving: Serving) -> None:
    statuses: Counter[int] = Counter()
    failures: list[str] = []

    async def ask(number: int) -> None:
        async with connected(serving.port) as client:
            for turn in range(REQUESTS):
                name = f"{number}-{turn}"
                status, body = await client.get(f"?id={name}&sleep=0.005")
                statuses[status] += 1
                assert (status, body) in ((200, name), (500, FAILED))
            assert await client.end() == b""

    async def talk(number: int, started: asyncio.Event, stop: asyncio.Event) -> None:
        async with websockets.connect(serving.ws_url, compression=None) as socket:
            started.set()
            for turn in itertools.count():
                if stop.is_set():
                    return
                await socket.send(f"{number}-{turn}")
                failures.extend(await replied(socket, f"{number}-{turn}"))

    async def test() -> None:
        stop, started = asyncio.Event(), [asyncio.Event() for _ in range(TALKERS)]
        talkers = [asyncio.create_task(talk(*it, stop)) for it in enumerate(started)]
        await asyncio.gather(*[it.wait() for it in started])
        await asyncio.gather(kill(serving), *map(ask, range(CONNECTIONS)))
        stop.set()
        await asyncio.gather(*talkers)

    run(test())
    assert statuses.total() == CONNECTIONS * REQUESTS
    assert 0 < statuses[500] + len(failures) <= KILLS
    assert len(serving.environments()) <= CONCURRENCY


async def kill(serving: Serving) -> None:
    """Environments that are in the middle of something."""
    chance = random.Random(0)
    for _ in range(KILLS):
        await asyncio.sleep(0.2)
        with contextlib.suppress(ProcessLookupError):  # it was being replaced
            os.kill(chance.choice(serving.environments()), signal.SIGKILL)


async def replied(socket: Any, sent: str) -> list[str]:
    """The failure, if that is the reply. One may come after the reply itself: the function had
    sent it and was killed then."""
    while True:
        text = await socket.recv()
        if text == sent:
            return []
        if text.startswith("{"):
            assert json.loads(text)["message"] == "Internal server error"
            return [text]


def test_a_thousand_requests_follow_each_other_on_one_connection(serving: Serving) -> None:
    async def test() -> None:
        async with connected(serving.port) as client:
            for number in range(1000):
                assert await client.get(f"?id={number}") == (200, f"{number}")

    run(test())


def test_a_thousand_requests_follow_each_other_on_new_connections(serving: Serving) -> None:
    async def test() -> None:
        for number in range(1000):
            async with connected(serving.port) as client:
                assert await client.get(f"?id={number}") == (200, f"{number}")

    run(test())


def test_pipelined_requests_are_answered_in_their_order(serving: Serving) -> None:
    async def test() -> None:
        async with connected(serving.port) as client:
            for number in range(50):
                client.send(
                    f"?id={number}-&sleep={0.05 * (number % 2)}",
                    f"{TEXT}Content-Length: 1\r\n",
                    "a",
                )
            for number in range(50):
                assert await client.answer() == (200, f"{number}-a")
            assert await client.end() == b""

    run(test())


# --- clients that behave badly --------------------------------------------------------------------


def test_clients_that_vanish_leave_nothing(serving: Serving) -> None:
    async def vanish(step: int, *, reset: bool) -> None:
        async with connected(serving.port) as client:
            if step == 0:
                client.writer.write(b"GET / HTTP/1.1\r\nHo")
            elif step == 1:
                client.send("", "Content-Length: 1000\r\n", "half of it")
            elif step == 2:
                client.send("?sleep=0.05")
            else:
                client.send(f"?size={LARGE_BYTES}")
                await client.reader.readexactly(1000)
            await client.writer.drain()
            if reset:
                client.vanish()

    async def test() -> None:
        for reset in (False, True):
            await asyncio.gather(*[vanish(it % 4, reset=reset) for it in range(16)])
        async with connected(serving.port) as client:
            assert await client.get("?id=well") == (200, "well")

    run(test())


def test_slow_clients_hold_nobody_up(serving: Serving) -> None:
    """There are as many of them as environments, in the middle of their requests and answers."""

    async def upload(written: asyncio.Event, others: asyncio.Event) -> None:
        async with connected(serving.port) as client:
            client.send("?id=", f"{TEXT}Content-Length: 4\r\n", "ab")
            written.set()
            await others.wait()
            client.writer.write(b"cd")
            assert await client.answer() == (200, "abcd")

    async def download(written: asyncio.Event, others: asyncio.Event) -> None:
        async with connected(serving.port) as client:
            client.send(f"?size={LARGE_BYTES}")
            head = await client.reader.readuntil(b"\r\n\r\n")
            written.set()
            await others.wait()
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await client.reader.readexactly(LARGE_BYTES) == b"x" * LARGE_BYTES

    async def test() -> None:
        others = asyncio.Event()
        steps = [(it, asyncio.Event()) for it in (upload, download) for _ in range(CONCURRENCY)]
        slow = [asyncio.create_task(step(written, others)) for step, written in steps]
        await asyncio.gather(*[written.wait() for _, written in steps])
        async with connected(serving.port) as client:
            for number in range(2 * CONCURRENCY):
                assert await client.get(f"?id={number}") == (200, f"{number}")
        others.set()
        await asyncio.gather(*slow)

    run(test())


# --- the end --------------------------------------------------------------------------------------


def test_a_killed_gateway_takes_everything_with_it(folder: Path) -> None:
    with serve(folder) as serving:
        pids = in_the_middle(serving)
        serving.kill()
        until(lambda: not any(map(is_alive, pids)))


def test_ctrl_c_lets_finish_what_does_and_ends_what_hangs(folder: Path) -> None:
    async def test(serving: Serving) -> None:
        async with connected(serving.port) as client:
            client.send("?id=last&begun=1&sleep=0.5")
            await asyncio.to_thread(until, lambda: begun(serving) == CONCURRENCY)
            serving.interrupt()
            assert await client.answer() == (200, "last")

    with serve(folder) as serving:
        pids = in_the_middle(serving, CONCURRENCY - 1)
        run(test(serving))
        assert serving.wait() == 0
        assert serving.said == ""
        assert not any(map(is_alive, pids))


def test_a_second_ctrl_c_ends_at_once(folder: Path) -> None:
    with serve(folder) as serving:
        pids = in_the_middle(serving)
        serving.interrupt()
        until(lambda: refuses(serving.port))
        assert serving.stop() == 128 + signal.SIGINT
        assert serving.said == ""
        until(lambda: not any(map(is_alive, pids)))


def in_the_middle(serving: Serving, count: int = CONCURRENCY) -> list[int]:
    """All its processes, with functions in requests that do not end, each with one more process
    that it has started. Their clients are gone by then."""

    async def hang() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(count):
                client = await stack.enter_async_context(connected(serving.port))
                client.send("?begun=1&child=1")
            await asyncio.to_thread(until, lambda: begun(serving) == count)

    run(hang())
    until(lambda: len(serving.environments()) == CONCURRENCY)
    pids = descendants(serving.pid)
    assert len(pids) == 1 + CONCURRENCY + count  # one is the guard
    return pids


def begun(serving: Serving) -> int:
    """How many requests of those that print so."""
    return sum(line["text"].count("begun") for line in serving.lines("output"))


def refuses(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0
