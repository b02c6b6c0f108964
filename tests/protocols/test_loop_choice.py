"""Which loop a call runs on, where several are at hand."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from typing import Any

import pytest

from mangum import Mangum
from mangum.types import Receive, Scope, Send
from tests.apps import Diary, respond
from tests.builders import http_v2_event, lambda_context
from tests.processes import output_of


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


class OneSlot:
    """A factory that can be neither a key nor weakly referred to."""

    __slots__ = ("made",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.made: list[AbstractEventLoop] = []

    def __call__(self) -> AbstractEventLoop:
        self.made.append(asyncio.new_event_loop())
        return self.made[-1]


def test_any_callable_can_make_loops() -> None:
    app, factory = Loops(), OneSlot()
    handler = Mangum(app, lifespan="off", loop_factory=factory)
    _call(handler)
    _call(handler)
    assert app.seen == factory.made * 2
    factory.made[0].close()


class NoFiles:
    """What a Windows loop has for a selector: it waits, but has no map of files."""

    def select(self, timeout: float | None = None) -> list[Any]:
        time.sleep(min(timeout or 0, 0.01))
        return []

    def close(self) -> None: ...


class ProactorLike(asyncio.BaseEventLoop):
    """The loop that is the default on Windows, in miniature."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = NoFiles()

    def _process_events(self, events: list[Any]) -> None: ...

    def _write_to_self(self) -> None: ...


@pytest.mark.usefixtures("no_current_loop")
def test_a_loop_without_a_selector_is_run_as_it_is() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.001)
        await respond(send)

    loop = ProactorLike()
    asyncio.set_event_loop(loop)
    handler = Mangum(app, lifespan="off", raise_exceptions=True)
    assert _call(handler)["statusCode"] == _call(handler)["statusCode"] == 200
    loop.close()


FOREIGN_POLICY = """
    import asyncio, warnings
    warnings.simplefilter("ignore")  # Python 3.14 deprecates policies
    from mangum import Mangum
    from tests.builders import http_v2_event, lambda_context

    class Policy(asyncio.AbstractEventLoopPolicy):
        loop = asyncio.new_event_loop()
        def get_event_loop(self):
            return self.loop

    asyncio.set_event_loop_policy(Policy())
    seen = []
    async def app(scope, receive, send):
        seen.append(asyncio.get_running_loop() is Policy.loop)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    handler = Mangum(app, lifespan="off")
    handler(http_v2_event(), lambda_context())
    handler(http_v2_event(), lambda_context())
    print(seen)
    Policy.loop.close()
"""


def test_a_policy_of_ones_own_says_which_loop_is_current() -> None:
    assert output_of(FOREIGN_POLICY) == ["[True, True]"]
