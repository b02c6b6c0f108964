"""The event loop: whatever an application may do on one works, on every way of driving it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import socket
import sys
import threading
import time
import warnings
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from mangum import Mangum
from mangum.exceptions import EventLoopRunning
from mangum.protocols import HTTPCycle, LifespanCycle
from mangum.protocols.loop import get_loop, run
from mangum.types import ASGI, Message, Receive, Scope, Send
from tests.apps import Diary, hello, respond
from tests.builders import decode_result, http_v2_event, lambda_context
from tests.processes import output_of, run_python
from tests.protocols.driving import LoopFactory, http_scope

SHORT_S = 0.001


class Environment:
    """One kind of loop, kept from call to call as in an execution environment."""

    def __init__(self, loop_factory: LoopFactory) -> None:
        self.loop_factory = loop_factory

    def handler(self, app: ASGI, **options: Any) -> Mangum:
        options = {"lifespan": "off", "raise_exceptions": True, **options}
        return Mangum(app, loop_factory=self.loop_factory, **options)

    def call(self, app: ASGI, **options: Any) -> bytes:
        """The body of the application's answer, which must be a 200."""
        answer = decode_result(self.handler(app, **options)(http_v2_event(), lambda_context()))
        assert answer.status == 200
        return answer.body

    def call_function(self, function: Callable[[], Any]) -> Any:
        """What an asynchronous function returns that is called by an application."""
        results: list[Any] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            results.append(await function())
            await respond(send)

        self.call(app)
        return results[0]


@pytest.fixture
def environment(loop_factory: LoopFactory) -> Iterator[Environment]:
    environment = Environment(loop_factory)
    yield environment
    assert environment.call(hello) == b"hello", "the loop does not work any more"
    assert environment.call(_suspending) == b"suspended", "the loop does not work any more"


async def _suspending(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(SHORT_S)
    await respond(send, b"suspended")


def in_thread(function: Callable[[], Any]) -> Any:
    """What the function returns in a thread of its own, where there is no loop yet."""
    results: list[Any] = []

    def target() -> None:
        try:
            results.append(function())
        except BaseException as exc:
            results.append(exc)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


# --- who am I -------------------------------------------------------------------------------------


def test_running_loop_and_current_task_keep_their_identity(environment: Environment) -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for pause in (None, 0, SHORT_S):
            if pause is not None:
                await asyncio.sleep(pause)
            loop = asyncio.get_running_loop()
            assert loop.is_running()
            assert asyncio.get_event_loop() is loop
            seen.append((loop, asyncio.current_task()))
            assert asyncio.current_task() in asyncio.all_tasks()
        await respond(send)

    environment.call(app)
    assert len(set(seen)) == 1
    assert isinstance(seen[0][1], asyncio.Task)


def test_one_loop_serves_all_invocations_and_each_has_a_task_of_its_own(
    environment: Environment,
) -> None:
    async def who() -> Any:
        return asyncio.get_running_loop(), asyncio.current_task()

    async def who_after_a_suspension() -> Any:
        await asyncio.sleep(0)
        return asyncio.get_running_loop(), asyncio.current_task()

    seen = [environment.call_function(it) for it in (who, who_after_a_suspension, who)]
    assert len({loop for loop, _ in seen}) == 1
    assert len({id(task) for _, task in seen}) == 3


def test_nothing_runs_and_no_task_is_current_between_invocations(environment: Environment) -> None:
    environment.call(hello)
    environment.call(_suspending)
    loop = get_loop(environment.loop_factory)
    assert not loop.is_running()
    assert asyncio.current_task(loop) is None
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_driver_leaves_no_task_of_a_request_behind(environment: Environment) -> None:
    environment.call(hello)
    loop = get_loop(environment.loop_factory)
    before = asyncio.all_tasks(loop)
    environment.call(hello)
    environment.call(_suspending)
    assert asyncio.all_tasks(loop) == before


# --- asyncio --------------------------------------------------------------------------------------


def test_sleeps_run_side_by_side(environment: Environment) -> None:
    async def main() -> list[int]:
        order: list[int] = []

        async def sleep(number: int) -> None:
            await asyncio.sleep(number * SHORT_S * 10)
            order.append(number)

        await asyncio.gather(*[sleep(number) for number in (3, 1, 2)])
        return order

    assert environment.call_function(main) == [1, 2, 3]


def test_timeouts_end_what_takes_too_long(environment: Environment) -> None:
    async def main() -> str:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(60), SHORT_S)
        with pytest.raises(TimeoutError):
            with anyio.fail_after(SHORT_S):
                await asyncio.sleep(60)
        if sys.version_info >= (3, 11):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(SHORT_S):
                    await asyncio.sleep(60)
            async with asyncio.timeout(60):
                await asyncio.sleep(0)
        return await asyncio.wait_for(asyncio.sleep(0, "in time"), 60)

    assert environment.call_function(main) == "in time"


def test_timeout_may_be_the_first_thing(environment: Environment) -> None:
    """It asks for the current task before the first suspension."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with anyio.move_on_after(SHORT_S) as cancel_scope:
            await anyio.sleep_forever()
        assert cancel_scope.cancelled_caught
        await respond(send)

    assert environment.call(app) == b""


def test_locks_events_and_queues_work(environment: Environment) -> None:
    async def main() -> list[int]:
        lock, event, queue = asyncio.Lock(), asyncio.Event(), asyncio.Queue[int](maxsize=1)
        got: list[int] = []

        async def produce() -> None:
            await event.wait()
            for number in range(3):
                async with lock:
                    await queue.put(number)

        async def consume() -> None:
            got.extend([await queue.get() for _ in range(3)])

        tasks = [asyncio.create_task(produce()), asyncio.create_task(consume())]
        event.set()
        await asyncio.gather(*tasks)
        return got

    assert environment.call_function(main) == [0, 1, 2]


def test_lock_kept_by_the_application_works_in_every_invocation(environment: Environment) -> None:
    locks: list[asyncio.Lock] = []

    async def main() -> bool:
        if not locks:
            locks.append(asyncio.Lock())
        lock = locks[0]

        async def hold() -> None:
            async with lock:
                await asyncio.sleep(0)

        await asyncio.gather(hold(), hold())
        return lock.locked()

    assert [environment.call_function(main) for _ in range(3)] == [False] * 3


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is new in 3.11")
def test_task_group_of_asyncio_works(environment: Environment) -> None:
    assert environment.call_function(_sleep_in_a_group) == [0, 1, 2]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is new in 3.11")
def test_task_group_of_asyncio_ends_its_tasks_when_one_fails(environment: Environment) -> None:
    async def main() -> list[type]:
        failing = asyncio.create_task(_fail_in_a_group())
        (result,) = await asyncio.gather(failing, return_exceptions=True)
        return [type(it) for it in getattr(result, "exceptions", ())]

    assert environment.call_function(main) == [ZeroDivisionError]


async def _sleep_in_a_group() -> list[int]:
    tasks: list[asyncio.Task[int]] = []
    if sys.version_info >= (3, 11):
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(asyncio.sleep(0, number)) for number in range(3)]
    return [task.result() for task in tasks]


async def _fail_in_a_group() -> None:
    if sys.version_info >= (3, 11):
        async with asyncio.TaskGroup() as group:
            group.create_task(_fail())
            group.create_task(asyncio.sleep(60))


async def _fail() -> None:
    await asyncio.sleep(0)
    raise ZeroDivisionError


def test_child_left_behind_gets_its_first_step(environment: Environment) -> None:
    """Although the application never suspends."""
    steps: list[str] = []

    async def child() -> None:
        steps.append("first")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        children.append(asyncio.create_task(child()))
        await respond(send)

    children: list[asyncio.Task[None]] = []
    environment.call(app)
    assert steps == ["first"]
    assert children[0].done()


def test_child_left_behind_goes_on_in_the_next_invocation(environment: Environment) -> None:
    steps: list[str] = []

    async def child() -> None:
        steps.append("first")
        await asyncio.sleep(SHORT_S)
        steps.append("second")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        children.append(asyncio.create_task(child()))
        await respond(send)

    async def wait() -> None:
        await asyncio.wait_for(children[0], 60)

    children: list[asyncio.Task[None]] = []
    environment.call(app)
    assert steps == ["first"]
    environment.call_function(wait)
    assert steps == ["first", "second"]


def test_callback_left_behind_is_called(environment: Environment) -> None:
    called: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asyncio.get_running_loop().call_soon(called.append, "soon")
        await respond(send)

    environment.call(app)
    assert called == ["soon"]


def test_callback_that_fails_is_no_failure_of_the_request(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
        loop.call_soon(lambda: 1 // 0)
        await respond(send, b"answered")

    assert environment.call(app) == b"answered"
    assert [type(it) for it in told] == [ZeroDivisionError]


def test_call_soon_threadsafe_between_invocations_is_served_by_the_next(
    environment: Environment,
) -> None:
    environment.call(hello)
    loop = get_loop(environment.loop_factory)
    called: list[str] = []
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(called.append, "called"))
    thread.start()
    thread.join()
    assert called == []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send)

    environment.call(app)
    environment.call(_suspending)
    assert called == ["called"]


def test_coroutine_sent_from_another_thread_is_run(environment: Environment) -> None:
    async def main() -> Any:
        loop = asyncio.get_running_loop()

        def send_back() -> int:
            future = asyncio.run_coroutine_threadsafe(asyncio.sleep(SHORT_S, 42), loop)
            return future.result(60)

        return await loop.run_in_executor(None, send_back)

    assert environment.call_function(main) == 42


def test_executors_and_threads_work(environment: Environment) -> None:
    async def main() -> bool:
        loop = asyncio.get_running_loop()
        here = threading.get_ident()
        threads = [
            await loop.run_in_executor(None, threading.get_ident),
            await asyncio.to_thread(threading.get_ident),
            await anyio.to_thread.run_sync(threading.get_ident),
            await run_in_threadpool(threading.get_ident),
        ]
        return here not in threads

    assert environment.call_function(main) is True


def test_thread_may_call_back_into_the_loop(environment: Environment) -> None:
    async def main() -> Any:
        task = asyncio.current_task()

        async def who() -> Any:
            await asyncio.sleep(0)
            return asyncio.get_running_loop()

        loop = await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(who))
        number = await anyio.to_thread.run_sync(lambda: anyio.from_thread.run_sync(lambda: 42))
        assert asyncio.current_task() is task
        return loop is asyncio.get_running_loop(), number

    assert environment.call_function(main) == (True, 42)


def test_sockets_work(environment: Environment) -> None:
    async def main() -> bytes:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"hello\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return answer

    assert environment.call_function(main) == b"HELLO\n"


def test_connection_kept_by_the_application_works_in_every_invocation(
    environment: Environment,
) -> None:
    """As that of a database pool or an HTTP client."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_echo_lines, args=(server,))
        thread.start()
        streams: list[Any] = []

        async def main() -> bytes:
            if not streams:
                streams.extend(await asyncio.open_connection(*server.getsockname()))
            reader, writer = streams
            writer.write(b"hello\n")
            line: bytes = await reader.readline()
            return line

        async def close() -> None:
            streams[1].close()
            await streams[1].wait_closed()

        assert [environment.call_function(main) for _ in range(3)] == [b"HELLO\n"] * 3
        environment.call_function(close)
        thread.join()


def _echo_lines(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection, connection.makefile("rwb") as file:
        for line in file:
            file.write(line.upper())
            file.flush()


def test_receive_waits_for_the_end_of_the_answer(environment: Environment) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            while True:
                seen.append(await receive())
                if seen[-1]["type"] == "http.disconnect":
                    break

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await anyio.sleep(SHORT_S)
            await respond(send)

    environment.call(app)
    assert [message["type"] for message in seen] == ["http.request", "http.disconnect"]


# --- AnyIO ----------------------------------------------------------------------------------------


def test_anyio_task_groups_and_streams_work(environment: Environment) -> None:
    async def main() -> list[int]:
        send, receive = anyio.create_memory_object_stream[int](0)
        got: list[int] = []

        async def produce() -> None:
            async with send:
                for number in range(3):
                    await send.send(number)

        async with anyio.create_task_group() as group:
            group.start_soon(produce)
            async with receive:
                got.extend([number async for number in receive])
        return got

    assert environment.call_function(main) == [0, 1, 2]


def test_anyio_task_group_cancels_its_children(environment: Environment) -> None:
    async def main() -> list[str]:
        events: list[str] = []

        async def child() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                events.append("cancelled")

        async with anyio.create_task_group() as group:
            group.start_soon(child)
            await anyio.sleep(SHORT_S)
            group.cancel_scope.cancel()
        events.append("after")
        return events

    assert environment.call_function(main) == ["cancelled", "after"]


def test_anyio_task_group_entered_before_the_first_suspension_works(
    environment: Environment,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
            await respond(send, b"grouped")

    assert environment.call(app) == b"grouped"


# --- context variables ----------------------------------------------------------------------------

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


def test_context_variables_do_not_leak_into_the_next_invocation(environment: Environment) -> None:
    async def main() -> list[str]:
        seen = [VARIABLE.get()]
        VARIABLE.set("first step")
        await asyncio.sleep(0)
        seen.append(VARIABLE.get())
        VARIABLE.set("after a suspension")
        await asyncio.sleep(SHORT_S)
        seen.append(VARIABLE.get())
        return seen

    expected = ["unset", "first step", "after a suspension"]
    assert [environment.call_function(main) for _ in range(2)] == [expected, expected]
    assert VARIABLE.get() == "unset"


def test_context_variables_set_before_the_first_suspension_do_not_leak(
    environment: Environment,
) -> None:
    async def main() -> str:
        before = VARIABLE.get()
        VARIABLE.set("changed")
        return before

    assert [environment.call_function(main) for _ in range(2)] == ["unset", "unset"]
    assert VARIABLE.get() == "unset"


def test_application_sees_the_context_variables_of_the_caller(environment: Environment) -> None:
    async def main() -> list[str]:
        seen = [VARIABLE.get()]
        await asyncio.sleep(0)
        return [*seen, VARIABLE.get()]

    token = VARIABLE.set("by the caller")
    try:
        assert environment.call_function(main) == ["by the caller", "by the caller"]
    finally:
        VARIABLE.reset(token)


def test_threads_see_the_context_variables_of_the_request(environment: Environment) -> None:
    async def main() -> list[str]:
        VARIABLE.set("by the request")
        return [await asyncio.to_thread(VARIABLE.get), await anyio.to_thread.run_sync(VARIABLE.get)]

    assert environment.call_function(main) == ["by the request", "by the request"]


# --- asynchronous generators ----------------------------------------------------------------------


async def _generate(finalized: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
        yield 2
    finally:
        await asyncio.sleep(0)
        finalized.append("finalized")


@pytest.mark.parametrize("suspends", [False, True], ids=["at once", "after a suspension"])
def test_abandoned_generator_is_finalized_on_the_loop(
    environment: Environment, suspends: bool
) -> None:
    finalized: list[str] = []

    async def main() -> int:
        if suspends:
            await asyncio.sleep(0)
        async for number in _generate(finalized):
            return number
        return 0

    assert environment.call_function(main) == 1
    gc.collect()
    environment.call(_suspending)
    assert finalized == ["finalized"]


@pytest.mark.parametrize("app", [hello, _suspending])
def test_hooks_of_generators_are_restored(environment: Environment, app: ASGI) -> None:
    def firstiter(generator: Any) -> None: ...

    def finalizer(generator: Any) -> None: ...

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=firstiter, finalizer=finalizer)
    try:
        environment.call(app)
        with pytest.raises(ZeroDivisionError):
            environment.call_function(_fail_at_once)
        assert sys.get_asyncgen_hooks() == (firstiter, finalizer)
    finally:
        sys.set_asyncgen_hooks(*before)


async def _fail_at_once() -> None:
    raise ZeroDivisionError


# --- exceptions -----------------------------------------------------------------------------------


class Stop(BaseException):
    """What some libraries raise to get past every handler of exceptions."""


@pytest.mark.parametrize("suspends", [False, True], ids=["at once", "after a suspension"])
@pytest.mark.parametrize(
    "error",
    [ValueError("why"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), Stop()],
    ids=lambda error: type(error).__name__,
)
def test_exceptions_reach_the_caller(
    environment: Environment, error: BaseException, suspends: bool
) -> None:
    async def main() -> None:
        if suspends:
            await asyncio.sleep(0)
        raise error

    for _ in range(2):
        with pytest.raises(type(error)) as caught:
            environment.call_function(main)
        assert caught.value.args == error.args


@pytest.mark.parametrize("error", [StopIteration(1), StopAsyncIteration(1)])
def test_stop_iteration_becomes_a_runtime_error(environment: Environment, error: Exception) -> None:
    async def main() -> None:
        raise error

    with pytest.raises((RuntimeError, StopAsyncIteration)):
        environment.call_function(main)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_exit_in_a_child_reaches_the_caller_and_the_request_does_not_go_on(
    environment: Environment, error: BaseException
) -> None:
    events: list[str] = []

    async def main() -> None:
        async def child() -> None:
            await asyncio.sleep(0)
            raise error

        task = asyncio.create_task(child())
        try:
            await asyncio.sleep(60)  # far longer than the exit takes to arrive
            events.append("went on")
        finally:
            assert task.exception() is error
            events.append("cleaned up")

    with pytest.raises(type(error)):
        environment.call_function(main)
    environment.call(_suspending)
    assert events == ["cleaned up"]


def test_self_cancellation_reaches_the_caller(environment: Environment) -> None:
    events: list[str] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(60)
        finally:
            events.append("cancelled")

    with pytest.raises(asyncio.CancelledError):
        environment.call_function(main)
    assert events == ["cancelled"]


def test_self_cancellation_before_the_first_suspension_may_be_caught(
    environment: Environment,
) -> None:
    async def main() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(60)
        if sys.version_info >= (3, 11):
            task.uncancel()
        await asyncio.sleep(0)
        return "caught"

    assert environment.call_function(main) == "caught"


def test_traceback_shows_the_application(environment: Environment) -> None:
    async def main() -> None:
        await _fail()

    with pytest.raises(ZeroDivisionError) as caught:
        environment.call_function(main)
    assert caught.traceback[-1].name == "_fail"


# --- calls inside a running loop ------------------------------------------------------------------

SYNCHRONOUS_CALLS: dict[str, Callable[[], Any]] = {
    "handler()": lambda: Mangum(hello)(http_v2_event(), lambda_context()),
    "handler.startup()": lambda: Mangum(Diary()).startup(),
    "handler.shutdown()": lambda: Mangum(Diary()).shutdown(),
    "HTTPCycle": lambda: HTTPCycle(http_scope(), b"")(hello),
    "LifespanCycle": lambda: LifespanCycle(Diary(), "auto").__enter__(),
}


@pytest.mark.parametrize("call", SYNCHRONOUS_CALLS.values(), ids=SYNCHRONOUS_CALLS)
def test_synchronous_call_inside_a_running_loop_names_the_asynchronous_one(
    call: Callable[[], Any],
) -> None:
    """And warns of no coroutine that was never awaited."""

    async def main() -> None:
        call()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(EventLoopRunning, match=r"await handler\.asgi\(event, context\)"):
            asyncio.run(main())
        gc.collect()


def test_call_inside_an_application_is_a_clear_error(environment: Environment) -> None:
    inner = environment.handler(hello)

    async def main() -> Any:
        with pytest.raises(EventLoopRunning, match=r"await handler\.asgi\(event, context\)"):
            inner(http_v2_event(), lambda_context())
        await asyncio.sleep(0)
        with pytest.raises(EventLoopRunning):
            inner(http_v2_event(), lambda_context())
        return decode_result(await inner.asgi(http_v2_event(), lambda_context())).body

    assert environment.call_function(main) == b"hello"


def test_call_inside_an_application_may_go_by_another_thread(environment: Environment) -> None:
    async def main() -> bytes:
        return await asyncio.to_thread(lambda: Environment(asyncio.new_event_loop).call(hello))

    assert environment.call_function(main) == b"hello"


# --- frameworks -----------------------------------------------------------------------------------


def test_base_http_middleware_works(environment: Environment) -> None:
    events: list[str] = []

    class Notes(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            events.append("in")
            response = await call_next(request)
            events.append("out")
            return response

    async def endpoint(request: Request) -> Response:
        assert await request.body() == b"body"
        return PlainTextResponse("served", background=BackgroundTask(events.append, "background"))

    app = Starlette(
        routes=[Route("/", endpoint, methods=["POST"])],
        middleware=[Middleware(Notes), Middleware(Notes)],
    )
    handler = environment.handler(app)
    for _ in range(2):
        result = handler(http_v2_event(method="POST", body=b"body"), lambda_context())
        assert decode_result(result).body == b"served"
    assert events == ["in", "in", "out", "out", "background"] * 2


def test_base_http_middleware_that_does_not_read_the_body_works(environment: Environment) -> None:
    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(_stream())

    app = Starlette(
        routes=[Route("/", endpoint)],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)],
    )
    assert environment.call(app) == b"012"


async def _stream() -> AsyncIterator[str]:
    for number in range(3):
        yield str(number)
        await asyncio.sleep(SHORT_S)


@pytest.mark.parametrize("edition", ["classic", "2026"])
def test_streaming_response_with_a_background_task_works(
    environment: Environment, edition: Any
) -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(SHORT_S)
        done.append("background")

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(_stream(), background=BackgroundTask(work))

    app = Starlette(routes=[Route("/", endpoint)])
    assert environment.call(app, edition=edition) == b"012"
    assert done == ["background"]


def test_streaming_response_of_a_synchronous_generator_works(environment: Environment) -> None:
    async def endpoint(request: Request) -> Response:
        return StreamingResponse(str(number) for number in range(3))

    assert environment.call(Starlette(routes=[Route("/", endpoint)])) == b"012"


def test_synchronous_routes_of_fastapi_work(environment: Environment) -> None:
    app = FastAPI()
    events: list[str] = []

    def dependency() -> Iterator[int]:
        events.append("enter")
        yield threading.get_ident()
        events.append("exit")

    from fastapi import Depends

    @app.get("/")
    def endpoint(thread: int = Depends(dependency)) -> dict[str, bool]:
        return {"elsewhere": thread != main_thread}

    main_thread = threading.get_ident()
    assert [environment.call(app) for _ in range(3)] == [b'{"elsewhere":true}'] * 3
    assert events == ["enter", "exit"] * 3


def test_lifespan_of_fastapi_works(environment: Environment) -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        events.append("enter")
        await asyncio.to_thread(time.sleep, 0)
        yield
        await asyncio.sleep(SHORT_S)
        events.append("exit")

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def endpoint() -> str:
        events.append("request")
        return "served"

    handler = environment.handler(app, lifespan="auto", lifespan_scope="environment")
    for _ in range(2):
        assert decode_result(handler(http_v2_event(), lambda_context())).body == b'"served"'
    handler.shutdown()
    assert events == ["enter", "request", "request", "exit"]


# --- how the loop is driven -----------------------------------------------------------------------


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")
def test_task_factory_set_by_the_application_is_used_from_then_on() -> None:
    order: list[str] = []

    async def child() -> None:
        order.append("child")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        if sys.version_info >= (3, 12):
            loop.set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(child())
        order.append("parent")
        await task

    environment = Environment(asyncio.new_event_loop)
    in_thread(lambda: [environment.call_function(main) for _ in range(2)])
    assert order == ["child", "parent"] * 2


def test_debug_mode_set_by_the_application_is_used_from_then_on(environment: Environment) -> None:
    async def main() -> bool:
        loop = asyncio.get_running_loop()
        was = loop.get_debug()
        loop.set_debug(True)
        await asyncio.sleep(0)
        return was

    environment.call_function(main)
    assert environment.call_function(main) is True
    get_loop(environment.loop_factory).set_debug(False)


def test_loop_factory_is_asked_once(environment: Environment) -> None:
    made: list[AbstractEventLoop] = []

    def factory() -> AbstractEventLoop:
        made.append(environment.loop_factory())
        return made[-1]

    async def who() -> Any:
        return asyncio.get_running_loop()

    counted = Environment(factory)
    assert [counted.call_function(who), counted.call_function(who)] == made * 2
    assert len(made) == 1


def test_handlers_with_the_same_factory_share_a_loop(environment: Environment) -> None:
    async def who() -> Any:
        return asyncio.get_running_loop()

    other = Environment(environment.loop_factory)
    assert environment.call_function(who) is other.call_function(who)
    assert environment.call_function(who) is not run(who())


def test_closed_loop_is_replaced(environment: Environment) -> None:
    environment.call(_suspending)
    first = get_loop(environment.loop_factory)
    first.close()
    assert environment.call(_suspending) == b"suspended"
    second = get_loop(environment.loop_factory)
    assert second is not first
    assert not second.is_closed()


def test_asyncio_run_elsewhere_changes_nothing(environment: Environment) -> None:
    async def who() -> Any:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    asyncio.run(asyncio.sleep(0))
    first = environment.call_function(who)
    asyncio.run(asyncio.sleep(0))
    assert environment.call_function(who) is first
    asyncio.run(asyncio.sleep(0))
    assert environment.call_function(who) is first


def test_each_thread_has_a_loop_of_its_own(environment: Environment) -> None:
    async def who() -> Any:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    loops = {in_thread(lambda: environment.call_function(who)) for _ in range(1)}
    loops.add(environment.call_function(who))
    assert len(loops) == 2


def test_loop_is_closed_when_its_thread_ends(environment: Environment) -> None:
    loop = in_thread(lambda: (environment.call(_suspending), get_loop(environment.loop_factory))[1])
    gc.collect()
    assert loop.is_closed()


# --- which loop, without a factory ----------------------------------------------------------------


async def _who() -> AbstractEventLoop:
    await asyncio.sleep(0)
    return asyncio.get_running_loop()


def test_current_loop_is_adopted_and_left_open() -> None:
    def work() -> bool:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        adopted = run(_who()) is loop
        again = run(_who()) is loop
        loops.append(loop)
        return adopted and again

    loops: list[AbstractEventLoop] = []
    assert in_thread(work) is True
    gc.collect()
    assert not loops[0].is_closed()
    loops[0].close()


def test_loop_that_was_made_becomes_the_current_one() -> None:
    def work() -> bool:
        return run(_who()) is asyncio.get_event_loop_policy().get_event_loop()

    if sys.version_info < (3, 14):
        assert in_thread(work) is True


def test_adopted_loop_that_is_closed_is_replaced() -> None:
    def work() -> bool:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        run(_who())
        loop.close()
        return run(_who()) is not loop

    assert in_thread(work) is True


def test_closed_current_loop_is_not_adopted() -> None:
    def work() -> bool:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.close()
        return run(_who()) is not loop

    assert in_thread(work) is True


def test_current_loop_that_runs_in_another_thread_is_not_adopted() -> None:
    def work() -> bool:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(60)
        try:
            return run(_who()) is not loop
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    assert in_thread(work) is True


def test_adopted_loop_that_runs_in_another_thread_now_is_left_alone() -> None:
    def work() -> bool:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        run(_who())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(60)
        try:
            return run(_who()) is not loop
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    assert in_thread(work) is True


def test_construction_in_a_thread_provides_a_current_loop() -> None:
    def work() -> bool:
        Mangum(hello)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return asyncio.get_event_loop() is get_loop()

    assert in_thread(work) is True


def test_construction_inside_a_running_loop_changes_nothing() -> None:
    async def main() -> bool:
        loop = asyncio.get_running_loop()
        Mangum(hello)
        return asyncio.get_running_loop() is loop

    assert in_thread(lambda: asyncio.run(main())) is True


# --- whole processes ------------------------------------------------------------------------------

PREAMBLE = """
import asyncio, sys, threading
from mangum import Mangum
from tests.apps import hello, respond
from tests.builders import http_v2_event, lambda_context

def call(handler):
    return handler(http_v2_event(), lambda_context())["body"]

async def suspending(scope, receive, send):
    await asyncio.sleep(0.001)
    await respond(send, b"suspended")
"""

# Each runs in a new process in which every warning is an error and nothing may be said on stderr.
PROCESSES: dict[str, tuple[str, list[str]]] = {
    "no current loop": (
        "print(call(Mangum(hello)), call(Mangum(suspending)))",
        ["hello suspended"],
    ),
    "the current loop was taken away": (
        """
asyncio.set_event_loop(None)
print(call(Mangum(hello)), call(Mangum(suspending)))
""",
        ["hello suspended"],
    ),
    "a current loop": (
        """
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
async def app(scope, receive, send):
    print(asyncio.get_running_loop() is loop)
    await respond(send)
call(Mangum(app, lifespan="off"))
loop.close()
""",
        ["True"],
    ),
    "asyncio.run() before, between and after": (
        """
async def nothing():
    await asyncio.sleep(0)
asyncio.run(nothing())
handler = Mangum(suspending)
asyncio.run(nothing())
print(call(handler))
asyncio.run(nothing())
print(call(handler))
asyncio.run(nothing())
""",
        ["suspended", "suspended"],
    ),
    "a closed loop": (
        """
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
handler = Mangum(suspending)
print(call(handler))
loop.close()
print(call(handler))
""",
        ["suspended", "suspended"],
    ),
    "another thread": (
        """
def work():
    print(call(Mangum(suspending)))
for _ in range(2):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
import gc
gc.collect()
print(call(Mangum(suspending)))
""",
        ["suspended", "suspended", "suspended"],
    ),
    "a daemon thread that lives on": (
        """
done = threading.Event()
def work():
    print(call(Mangum(suspending)), flush=True)
    done.set()
    threading.Event().wait()
threading.Thread(target=work, daemon=True).start()
done.wait()
""",
        ["suspended"],
    ),
    "a handler made here and called there": (
        """
handler = Mangum(suspending)
thread = threading.Thread(target=lambda: print(call(handler)))
thread.start()
thread.join()
print(call(handler))
""",
        ["suspended", "suspended"],
    ),
    "a nested call": (
        """
inner = Mangum(hello)
async def app(scope, receive, send):
    try:
        call(inner)
    except RuntimeError as exc:
        print("await handler.asgi(event, context)" in str(exc))
    await respond(send, b"outer")
print(call(Mangum(app, lifespan="off")))
""",
        ["True", "outer"],
    ),
    "a sleeping task left behind": (
        """
async def app(scope, receive, send):
    tasks.append(asyncio.create_task(asyncio.sleep(1000)))
    await respond(send, b"left")
tasks = []
print(call(Mangum(app, lifespan="off")))
""",
        ["left"],
    ),
    "a task left behind that does not want to end": (
        """
async def stubborn():
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass
async def app(scope, receive, send):
    tasks.append(asyncio.create_task(stubborn()))
    await respond(send, b"left")
tasks = []
print(call(Mangum(app, lifespan="off")))
""",
        ["left"],
    ),
    "an asynchronous generator left behind": (
        """
async def generate():
    try:
        yield 1
    finally:
        await asyncio.sleep(0)
async def app(scope, receive, send):
    kept.append(generate())
    await kept[0].asend(None)
    await respond(send, b"left")
kept = []
print(call(Mangum(app, lifespan="off")))
""",
        ["left"],
    ),
    "a thread of the executor": (
        """
async def app(scope, receive, send):
    await asyncio.get_running_loop().run_in_executor(None, int)
    await respond(send, b"done")
print(call(Mangum(app, lifespan="off")))
""",
        ["done"],
    ),
    "a thread of AnyIO": (
        """
import anyio.to_thread
async def app(scope, receive, send):
    await anyio.to_thread.run_sync(int)
    await respond(send, b"done")
handler = Mangum(app, lifespan="off")
print(call(handler), call(handler))
""",
        ["done done"],
    ),
    "a thread of AnyIO, imported by the first request": (
        """
async def app(scope, receive, send):
    import anyio.to_thread
    await anyio.to_thread.run_sync(int)
    await respond(send, b"done")
handler = Mangum(app, lifespan="off")
print(call(handler), call(handler))
""",
        ["done done"],
    ),
    "a thread of AnyIO in another thread": (
        """
import anyio.to_thread
async def app(scope, receive, send):
    await anyio.to_thread.run_sync(int)
    await respond(send, b"done")
def work():
    handler = Mangum(app, lifespan="off")
    print(call(handler), call(handler))
thread = threading.Thread(target=work)
thread.start()
thread.join()
work()
""",
        ["done done", "done done"],
    ),
    "a thread of AnyIO on a loop that is closed": (
        """
import anyio.to_thread
async def app(scope, receive, send):
    await anyio.to_thread.run_sync(int)
    await respond(send, b"done")
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
handler = Mangum(app, lifespan="off")
print(call(handler))
loop.close()
print(call(handler))
""",
        ["done", "done"],
    ),
    "a synchronous route of FastAPI": (
        """
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def endpoint():
    return "done"
for lifespan_scope in ("invocation", "environment"):
    handler = Mangum(app, lifespan_scope=lifespan_scope)
    print(call(handler), call(handler))
""",
        ['"done" "done"'] * 2,
    ),
}


@pytest.mark.parametrize(("source", "printed"), PROCESSES.values(), ids=PROCESSES)
def test_process_works_and_ends_without_a_warning_or_a_word(
    source: str, printed: list[str]
) -> None:
    assert output_of(f"{PREAMBLE}\n{source}") == printed


WITH_THREADS = [name for name in PROCESSES if "thread of AnyIO" in name or "FastAPI" in name]


@pytest.mark.parametrize("name", WITH_THREADS)
def test_process_works_and_ends_without_a_word_where_threads_are_not_kept(name: str) -> None:
    source, printed = PROCESSES[name]
    assert output_of(f"{PREAMBLE}\n{source}", env={"MANGUM_KEEP_THREADS": "0"}) == printed


@pytest.mark.parametrize("pause", ["pass", "await asyncio.sleep(0)"])
def test_exit_ends_the_process_with_its_code_and_without_a_word(pause: str) -> None:
    done = run_python(f"""{PREAMBLE}
async def app(scope, receive, send):
    {pause}
    sys.exit(3)
call(Mangum(app, lifespan="off"))
""")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 3)


def test_uvloop_process_ends_without_a_word() -> None:
    pytest.importorskip("uvloop")
    assert output_of(f"""{PREAMBLE}
import uvloop
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
def endpoint():
    return type(loops.pop()).__module__
loops = []
def factory():
    loops.append(uvloop.new_event_loop())
    return loops[-1]
handler = Mangum(app, loop_factory=factory, lifespan_scope="environment")
print(call(handler))
""") == ['"uvloop"']


# --- the worker threads of AnyIO ------------------------------------------------------------------

SYNCHRONOUS = """
from fastapi import FastAPI
app = FastAPI()
threads = []
@app.get("/")
def endpoint():
    threads.append(threading.current_thread())
handler = Mangum(app, lifespan="off")
for _ in range(3):
    call(handler)
"""


def test_worker_thread_serves_every_invocation() -> None:
    """But for the first one, where it is that invocation which imports AnyIO's backend."""
    source = f"{PREAMBLE}\n{SYNCHRONOUS}\nprint(len({{thread.ident for thread in threads[1:]}}))"
    assert output_of(f"{source}\nprint(threads[-1].is_alive())") == ["1", "True"]


def test_worker_thread_serves_the_first_invocation_too_where_anyio_runs_already() -> None:
    source = f"{PREAMBLE}\nimport anyio\nanyio.run(anyio.sleep, 0)\n{SYNCHRONOUS}"
    assert output_of(f"{source}\nprint(len({{thread.ident for thread in threads}}))") == ["1"]


def test_worker_thread_ends_with_the_call_where_threads_are_not_kept() -> None:
    source = f"{PREAMBLE}\n{SYNCHRONOUS}\nfor thread in threads:\n    thread.join()"
    assert output_of(source, env={"MANGUM_KEEP_THREADS": "0"}) == []


def test_worker_thread_serves_every_invocation_on_every_loop(environment: Environment) -> None:
    async def main() -> threading.Thread:
        return await anyio.to_thread.run_sync(threading.current_thread)

    environment.call(hello)
    threads = [environment.call_function(main) for _ in range(3)]
    assert len(set(threads)) == 1
    assert threads[0].is_alive()


def test_worker_threads_are_kept_apart_by_loop(loop_factory: LoopFactory) -> None:
    async def main() -> threading.Thread:
        return await anyio.to_thread.run_sync(threading.current_thread)

    here, there = Environment(lambda: loop_factory()), Environment(lambda: loop_factory())
    threads = [it.call_function(main) for it in (here, there, here, there)]
    assert threads[0] is threads[2]
    assert threads[1] is threads[3]
    assert threads[0] is not threads[1]


def test_worker_threads_end_with_the_thread_whose_loop_they_serve() -> None:
    async def main() -> threading.Thread:
        return await anyio.to_thread.run_sync(threading.current_thread)

    worker = in_thread(lambda: Environment(asyncio.new_event_loop).call_function(main))
    gc.collect()
    worker.join(60)
    assert not worker.is_alive()


def test_several_worker_threads_are_kept(environment: Environment) -> None:
    async def main() -> set[threading.Thread]:
        barrier = threading.Barrier(3)

        def work() -> threading.Thread:
            barrier.wait(60)
            return threading.current_thread()

        threads: set[threading.Thread] = set()

        async def collect() -> None:
            threads.add(await anyio.to_thread.run_sync(work))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(collect)
        return threads

    environment.call(hello)
    first, second = environment.call_function(main), environment.call_function(main)
    assert first == second
    assert len(first) == 3


def test_asyncio_run_of_the_application_has_worker_threads_of_its_own() -> None:
    """And they end with it."""

    async def main() -> threading.Thread:
        return await anyio.to_thread.run_sync(threading.current_thread)

    kept = run(main())
    own = asyncio.run(main())
    own.join(60)
    assert not own.is_alive()
    assert kept is not own


async def _cancelled(scope: Scope, receive: Receive, send: Send) -> None:
    raise asyncio.CancelledError("the pool is gone") from ValueError("cause")


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="before Python 3.11 a task makes a new CancelledError"
)
def test_a_cancellation_by_the_application_says_where_and_why(environment: Environment) -> None:
    with pytest.raises(asyncio.CancelledError) as raised:
        environment.call(_cancelled)
    assert raised.traceback[-1].name == "_cancelled"
    assert (str(raised.value), repr(raised.value.__cause__)) == (
        "the pool is gone",
        "ValueError('cause')",
    )
