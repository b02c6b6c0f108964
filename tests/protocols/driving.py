"""The ways to run an application: by which call, and on which kind of event loop."""

from __future__ import annotations

import asyncio
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any, Protocol

from mangum import Mangum
from mangum.protocols import HTTPCycle, WebSocketCycle
from mangum.types import ASGI, Message, Scope
from tests.builders import Answer, decode_result, lambda_context, rest_event

LoopFactory = Callable[[], AbstractEventLoop]


class Call(Protocol):
    """Has the application answer one request."""

    def __call__(
        self, app: ASGI, *, body: bytes = b"", raise_exceptions: bool = False
    ) -> Answer: ...


def http_scope() -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": "/",
        "query_string": b"",
        "headers": [],
    }


def call_cycle(app: ASGI, *, body: bytes = b"", raise_exceptions: bool = False) -> Answer:
    response = HTTPCycle(http_scope(), body, raise_exceptions=raise_exceptions)(app)
    pairs = [(name.decode(), value.decode()) for name, value in response["headers"]]
    return Answer(response["status"], pairs, body=response["body"])


def call_handler(app: ASGI, *, body: bytes = b"", raise_exceptions: bool = False) -> Answer:
    handler = Mangum(app, lifespan="off", raise_exceptions=raise_exceptions)
    return decode_result(handler(rest_event(body=body), lambda_context()))


def call_asgi(app: ASGI, *, body: bytes = b"", raise_exceptions: bool = False) -> Answer:
    handler = Mangum(app, lifespan="off", raise_exceptions=raise_exceptions)

    async def main() -> Any:
        # what is no Exception must not pass through asyncio.run(), which keeps it to itself
        try:
            return await handler.asgi(rest_event(body=body), lambda_context())
        except BaseException as exc:
            return exc

    result = asyncio.run(main())
    if isinstance(result, BaseException):
        raise result
    return decode_result(result)


CALLS: dict[str, Call] = {
    "HTTPCycle": call_cycle,
    "handler()": call_handler,
    "handler.asgi()": call_asgi,
}


class FarEnd:
    """The client's end of a WebSocket: the messages that it got, and `(code, reason)` when it was
    closed. `error` is raised instead."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.got: list[Any] = []

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.got.append(message)

    async def close(self, code: int, reason: str) -> None:
        await asyncio.sleep(0)
        self.got.append((code, reason))


def run_websocket(cycle: WebSocketCycle, app: ASGI, *messages: str, given_s: float = 5.0) -> None:
    """Call the application, hand it the texts one by one, and end it where it waits then."""

    async def main() -> None:
        until = asyncio.get_running_loop().time() + given_s
        cycle.start(app)
        await cycle.proceed(until)
        for message in messages:
            cycle.deliver({"type": "websocket.receive", "text": message})
            await cycle.proceed(until)
        await cycle.end()

    asyncio.run(main())


def first_step_at_once() -> AbstractEventLoop:
    """A loop of asyncio's own, as the adapter makes it by default."""
    return asyncio.new_event_loop()


def eager_task_factory() -> AbstractEventLoop:
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    else:
        loop.set_task_factory(lambda loop, coroutine: asyncio.Task(coroutine, loop=loop))
    return loop


def debug_mode() -> AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    return loop


LOOPS: list[LoopFactory] = [first_step_at_once, eager_task_factory, debug_mode]

try:
    import uvloop
except ImportError:  # it can't be had everywhere
    pass
else:

    def uvloop_loop() -> AbstractEventLoop:
        return uvloop.new_event_loop()

    LOOPS.append(uvloop_loop)
