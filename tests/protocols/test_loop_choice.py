"""Which loop a call runs on, where several are at hand."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from typing import Any

import pytest

from mangum import Mangum
from mangum.types import Receive, Scope, Send
from tests.apps import Diary, respond
from tests.builders import http_v2_event, lambda_context


class Loops:
    """Notes the loop of each request."""

    def __init__(self) -> None:
        self.seen: list[AbstractEventLoop] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(asyncio.get_running_loop())
        await respond(send)


class Pool(Diary):
    """Opens something on its loop at startup, and notes whether each request runs on that."""

    def __init__(self) -> None:
        super().__init__()
        self.same: list[bool] = []

    async def start(self, scope: Scope, send: Send) -> None:
        scope["state"]["loop"] = asyncio.get_running_loop()
        await super().start(scope, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.same.append(scope["state"]["loop"] is asyncio.get_running_loop())
        await super().serve(scope, receive, send)


@pytest.fixture
def no_current_loop() -> Iterator[None]:
    """Tests here set asyncio's current loop, which is forgotten afterwards."""
    yield
    asyncio.set_event_loop(None)


def _call(handler: Mangum) -> Any:
    return handler(http_v2_event(), lambda_context())


@pytest.mark.usefixtures("no_current_loop")
def test_each_call_runs_on_the_loop_that_is_current_then() -> None:
    app = Loops()
    handler = Mangum(app, lifespan="off")
    loops = []
    for _ in range(3):
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loops.append(loop)
        _call(handler)
    assert app.seen == loops
    for loop in loops:
        loop.close()


@pytest.mark.usefixtures("no_current_loop")
def test_loop_is_kept_where_asyncio_run_leaves_none_current() -> None:
    app = Loops()
    handler = Mangum(app, lifespan="off")
    _call(handler)
    asyncio.run(asyncio.sleep(0))
    _call(handler)
    first, second = app.seen
    assert first is second


def test_application_starts_on_each_loop_that_its_requests_run_on() -> None:
    app = Pool()
    handler = Mangum(app, edition="2026")

    async def main() -> None:
        await handler.asgi(http_v2_event(), lambda_context())
        await handler.asgi(http_v2_event(), lambda_context())

    _call(handler)
    asyncio.run(main())
    _call(handler)
    assert app.same == [True] * 4
    assert app.events.count("lifespan.startup") == 2
    handler.shutdown()


def test_shutdown_on_another_loop_leaves_the_application_running() -> None:
    app = Diary()
    handler = Mangum(app, edition="2026")
    _call(handler)
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            handler.shutdown()
        except Exception as exc:
            errors.append(exc)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert [type(error).__name__ for error in errors] == ["LifespanFailure"]
    assert "lifespan.shutdown" not in app.events
    handler.shutdown()
    assert app.events[-1] == "lifespan.shutdown"


def test_loop_of_a_factory_goes_with_the_last_handler_that_has_it() -> None:
    made: list[weakref.ref[AbstractEventLoop]] = []

    def invoke_once() -> None:
        def factory() -> AbstractEventLoop:
            loop = asyncio.new_event_loop()
            made.append(weakref.ref(loop))
            return loop

        _call(Mangum(Loops(), lifespan="off", loop_factory=factory))

    for _ in range(5):
        invoke_once()
    gc.collect()
    left = [loop for ref in made if (loop := ref()) is not None and not loop.is_closed()]
    assert (len(made), left) == (5, [])


def test_loop_class_that_makes_tasks_its_own_way_is_asked_for_them() -> None:
    class Own(asyncio.SelectorEventLoop):
        made = 0

        def create_task(self, *args: Any, **kwargs: Any) -> Any:
            Own.made += 1
            return super().create_task(*args, **kwargs)

    _call(Mangum(Loops(), lifespan="off", loop_factory=Own))
    assert Own.made >= 1  # one for the request, one for the threads of AnyIO if that is loaded
