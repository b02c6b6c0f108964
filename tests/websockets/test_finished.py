"""When a message is answered: not before the application has done with it, and not long after.

Each wait stands in a handler of Starlette, which receives in the handler itself, and of Quart and
Channels, which receive in a task of their own and so ask for the next message meanwhile.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

import anyio
import anyio.to_thread
import pytest

from mangum.types import ASGI
from tests import servers
from tests.websockets.framework_apps import PATH, set_up_django
from tests.websockets.harness import API

LONG_S = 0.03
OK = {"statusCode": 200}
AT_WORK = "at work when the invocation's time was nearly over"

Wait = Callable[[], Awaitable[Any]]


class SlowServer:
    """Answers any HTTP request after a while, from a thread of its own."""

    def __init__(self) -> None:
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    def __enter__(self) -> SlowServer:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        self._started.set()
        await self._stopped.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(LONG_S)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsl")
        await writer.drain()
        await asyncio.sleep(LONG_S)
        writer.write(b"owly")
        await writer.drain()
        writer.close()


@functools.cache
def slow_url() -> str:
    server = SlowServer()
    server._thread.daemon = True  # one for all tests
    return server.__enter__().url


# --- at work --------------------------------------------------------------------------------------


async def sleep() -> None:
    await asyncio.sleep(LONG_S)


async def sleep_by_anyio() -> None:
    await anyio.sleep(LONG_S)


async def thread() -> None:
    await asyncio.to_thread(time.sleep, LONG_S)


async def thread_by_anyio() -> None:
    await anyio.to_thread.run_sync(time.sleep, LONG_S)


async def thread_by_asgiref() -> None:
    from asgiref.sync import sync_to_async

    await sync_to_async(time.sleep)(LONG_S)


async def executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, LONG_S)


async def gathered() -> None:
    await asyncio.gather(thread(), thread_by_anyio(), sleep())


async def tasks_waited_for() -> None:
    tasks = [asyncio.ensure_future(it()) for it in (thread, sleep)]
    await asyncio.wait(tasks)


async def limited() -> None:
    await asyncio.wait_for(sleep(), timeout=60)


async def limited_by_anyio() -> None:
    with anyio.fail_after(60):
        await sleep()


async def shielded() -> None:
    await asyncio.shield(asyncio.ensure_future(sleep()))


async def children() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(sleep)
        group.start_soon(thread)


async def children_of_asyncio() -> None:
    group_type: Any = getattr(asyncio, "TaskGroup")  # noqa: B009, mypy looks at Python 3.10 too
    async with group_type() as group:
        group.create_task(sleep())
        group.create_task(thread())


async def generator() -> None:
    async def stream() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(LONG_S / 3)
            yield number

    assert [number async for number in stream()] == [0, 1, 2]


async def memory_stream() -> None:
    """The sending child is at work, the receiving one waits for it."""
    send, receive = anyio.create_memory_object_stream[int](0)

    async def produce() -> None:
        async with send:
            for number in range(3):
                await asyncio.sleep(LONG_S / 3)
                await send.send(number)

    async with anyio.create_task_group() as group, receive:
        group.start_soon(produce)
        assert [number async for number in receive] == [0, 1, 2]


async def queue() -> None:
    numbers: asyncio.Queue[int] = asyncio.Queue()

    async def produce() -> None:
        await asyncio.sleep(LONG_S)
        await numbers.put(1)

    producer = asyncio.ensure_future(produce())
    assert await numbers.get() == 1
    await producer


async def event() -> None:
    happened = asyncio.Event()

    async def happen() -> None:
        await asyncio.to_thread(time.sleep, LONG_S)
        happened.set()

    happening = asyncio.ensure_future(happen())
    await happened.wait()
    await happening


async def streams() -> None:
    host, _, port = slow_url().removeprefix("http://").strip("/").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await reader.read()).endswith(b"slowly")
    writer.close()
    await writer.wait_closed()


async def child_process() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-c", "print('slowly')", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output.split() == [b"slowly"]


async def by_httpx() -> None:
    httpx = pytest.importorskip("httpx")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(slow_url())).text == "slowly"


async def by_several_of_httpx() -> None:
    httpx = pytest.importorskip("httpx")
    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=1)) as client:
        answers = await asyncio.gather(*[client.get(slow_url()) for _ in range(3)])
    assert [answer.text for answer in answers] == ["slowly"] * 3


async def by_aiohttp() -> None:
    aiohttp = pytest.importorskip("aiohttp")
    async with aiohttp.ClientSession() as client, client.get(slow_url()) as answer:
        assert await answer.text() == "slowly"


def postgresql_url() -> str:
    secret = quote(servers.PASSWORD, safe="")
    port = servers.postgresql().port
    return f"postgresql://mangum:{secret}@127.0.0.1:{port}/postgres"


async def by_asyncpg() -> None:
    asyncpg = pytest.importorskip("asyncpg")
    connection = await asyncpg.connect(postgresql_url(), ssl=False)
    await connection.execute(f"select pg_sleep({LONG_S})")
    await connection.close()


async def by_psycopg() -> None:
    psycopg = pytest.importorskip("psycopg")
    async with await psycopg.AsyncConnection.connect(postgresql_url()) as connection:
        await connection.execute(f"select pg_sleep({LONG_S})")


async def by_redis() -> None:
    redis = pytest.importorskip("redis.asyncio")
    async with redis.Redis(port=servers.redis().port) as client:
        assert await client.blpop(["nothing"], timeout=LONG_S) is None


WAITS: dict[str, Wait] = {
    it.__name__: it
    for it in (
        *(sleep, sleep_by_anyio, thread, thread_by_anyio, thread_by_asgiref, executor, gathered),
        *(tasks_waited_for, limited, limited_by_anyio, shielded, children),
        *((children_of_asyncio,) if sys.version_info >= (3, 11) else ()),
        *(generator, memory_stream, queue, event, streams, child_process),
        *(by_httpx, by_several_of_httpx, by_aiohttp, by_asyncpg, by_psycopg, by_redis),
    )
}


# --- at rest --------------------------------------------------------------------------------------

left: list[Any] = []
"""What is started for good: to be ended after the test."""


def leave(coroutine: Any) -> None:
    left.append(asyncio.ensure_future(coroutine))


async def a_queue_that_nobody_fills() -> None:
    leave(asyncio.Queue[int]().get())


async def an_event_that_nobody_sets() -> None:
    leave(anyio.Event().wait())


async def a_condition() -> None:
    condition = asyncio.Condition()

    async def wait() -> None:
        async with condition:
            await condition.wait()

    leave(wait())


async def a_group_of_waiting_children() -> None:
    async def wait() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.Event().wait)
            group.start_soon(asyncio.Event().wait)

    leave(wait())


async def a_gathering() -> None:
    async def wait() -> None:
        await asyncio.gather(asyncio.Event().wait(), asyncio.Queue[int]().get())

    leave(wait())


async def a_receiver_of_a_stream() -> None:
    send, receive = anyio.create_memory_object_stream[int](0)

    async def wait() -> None:
        async with receive, send:
            await receive.receive()

    leave(wait())


async def a_generator_over_a_queue() -> None:
    async def stream() -> AsyncIterator[int]:
        numbers: asyncio.Queue[int] = asyncio.Queue()
        while True:
            yield await numbers.get()

    async def wait() -> None:
        async for _ in stream():
            pass

    leave(wait())


async def a_sleep_beyond_the_time() -> None:
    leave(asyncio.sleep(3600))


async def a_wait_with_a_long_limit() -> None:
    leave(asyncio.wait_for(asyncio.Event().wait(), timeout=3600))


async def an_idle_connection() -> None:
    redis = pytest.importorskip("redis.asyncio")
    client = redis.Redis(port=servers.redis().port)
    await client.ping()
    left.append(client)


RESTS: dict[str, Wait] = {
    it.__name__: it
    for it in (
        *(a_queue_that_nobody_fills, an_event_that_nobody_sets, a_condition),
        *(a_group_of_waiting_children, a_gathering, a_receiver_of_a_stream),
        *(a_generator_over_a_queue, a_sleep_beyond_the_time, a_wait_with_a_long_limit),
        an_idle_connection,
    )
}


async def end_what_is_left() -> None:
    for it in left:
        if isinstance(it, asyncio.Future):
            it.cancel()
        else:
            await it.aclose()
    await asyncio.gather(
        *[it for it in left if isinstance(it, asyncio.Future)], return_exceptions=True
    )
    left.clear()


# --- the applications -----------------------------------------------------------------------------

ALL = {**WAITS, **RESTS, "end": end_what_is_left}


async def answer(name: str, send: Callable[[str], Awaitable[Any]]) -> None:
    await ALL[name]()
    await send("done")


def starlette() -> ASGI:
    pytest.importorskip("starlette")
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket

    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        async for name in websocket.iter_text():
            await answer(name, websocket.send_text)

    return Starlette(routes=[WebSocketRoute(PATH, endpoint)])


def quart() -> ASGI:
    pytest.importorskip("quart")
    from quart import Quart, websocket

    app: Any = Quart("application")

    async def endpoint() -> None:
        await websocket.accept()
        while True:
            await answer(str(await websocket.receive()), websocket.send)

    app.websocket(PATH)(endpoint)
    made: ASGI = app
    return made


def channels() -> ASGI:
    pytest.importorskip("channels")
    set_up_django()
    from channels.generic.websocket import AsyncWebsocketConsumer

    class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]
        async def receive(
            self, text_data: str | None = None, bytes_data: bytes | None = None
        ) -> None:
            assert text_data is not None
            await answer(text_data, lambda text: self.send(text_data=text))

    app: ASGI = Consumer.as_asgi()
    return app


APPS = {"starlette": starlette, "quart": quart, "channels": channels}


@pytest.mark.parametrize("name", [*WAITS, *RESTS])
@pytest.mark.parametrize(
    ("framework", "mode"), [*((it, "session") for it in APPS), ("quart", "message")]
)
def test_the_answer_comes_when_the_application_is_finished(
    api: API, caplog: pytest.LogCaptureFixture, framework: str, name: str, mode: str
) -> None:
    handler = api.serve(APPS[framework](), mode, edition="2026", websocket_path=PATH)
    client = api.client(handler)
    assert client.connect(remaining_time_ms=10_000) == OK
    for number in (1, 2):
        assert client.say(name, remaining_time_ms=10_000) == OK
        assert client.texts == ["done"] * number
    assert AT_WORK not in caplog.text
    assert client.say("end") == OK
    assert client.leave(1001) == OK
