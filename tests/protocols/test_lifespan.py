"""The application's lifespan: per invocation or per environment, with whatever it does in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mangum import Mangum
from mangum.exceptions import LifespanFailure, UnexpectedMessage
from mangum.protocols import HTTPCycle, LifespanCycle, LifespanCycleState
from mangum.protocols.loop import run
from mangum.types import LifespanScope, Receive, Scope, Send
from tests.apps import Diary, Recorder, respond
from tests.builders import Answer, decode_result, http_v2_event, lambda_context
from tests.processes import output_of, run_python
from tests.protocols.driving import LoopFactory, http_scope

STARTUP, SHUTDOWN = "lifespan.startup", "lifespan.shutdown"
SERVED = Answer(200, [("content-type", "text/plain")], body=b"served")
EDITIONS = ("classic", "2026")
SCOPES = ("invocation", "environment")

every_edition = pytest.mark.parametrize("edition", EDITIONS)
every_scope = pytest.mark.parametrize("scope", SCOPES)
every_mode = pytest.mark.parametrize("mode", ["auto", "on"])


def call(handler: Mangum) -> Answer:
    return decode_result(handler(http_v2_event(), lambda_context()))


def call_and_shut_down(handler: Mangum) -> None:
    call(handler)
    handler.shutdown()


async def call_async(handler: Mangum) -> Answer:
    return decode_result(await handler.asgi(http_v2_event(), lambda_context()))


def records(caplog: pytest.LogCaptureFixture, level: int) -> list[logging.LogRecord]:
    """What the adapter logged at this level or above."""
    return [it for it in caplog.records if it.name.startswith("mangum") and it.levelno >= level]


# --- what applications do in a lifespan -----------------------------------------------------------


class Failed(Exception):
    """What an application raises."""


class RaisesBeforeReceive(Diary):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.append("asked")
        raise Failed("no lifespan here")


class ReturnsAtOnce(Diary):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.append("asked")


class AnswersAsIfAsked(Diary):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.append("asked")
        await respond(send, b"hello")


class AnswersItsOwnError(Diary):
    """An application of its own with an error handler around it."""

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.append("asked")
        try:
            await respond(send, b"hello")
        except Exception:
            await respond(send, b"sorry", status=500)


class SwallowsTheRefusal(Diary):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.append("asked")
        with suppress(Exception):
            await respond(send, b"hello")
        while True:
            await receive()


class RaisesAfterReceive(Diary):
    async def start(self, scope: Scope, send: Send) -> None:
        raise Failed("no database")


class ReturnsAfterReceive(Diary):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.append((await receive())["type"])


class ReportsStartupFailed(Diary):
    async def start(self, scope: Scope, send: Send) -> None:
        await send({"type": "lifespan.startup.failed", "message": "no database"})


class ReportsStartupFailedAndRaises(Diary):
    """As Starlette does."""

    async def start(self, scope: Scope, send: Send) -> None:
        try:
            raise Failed("no database")
        except Failed:
            await send({"type": "lifespan.startup.failed", "message": "no database"})
            raise


class ReportsStartupFailedAndWaits(Diary):
    async def start(self, scope: Scope, send: Send) -> None:
        with suppress(Exception):
            await send({"type": "lifespan.startup.failed", "message": "no database"})


class SendsNonsense(Diary):
    async def start(self, scope: Scope, send: Send) -> None:
        await send({"type": "no database"})


class ReportsShutdownFailed(Diary):
    async def stop(self, scope: Scope, send: Send) -> None:
        await send({"type": "lifespan.shutdown.failed", "message": "not flushed"})


class SendsNonsenseAtShutdown(Diary):
    async def stop(self, scope: Scope, send: Send) -> None:
        await send({"type": "not flushed"})


class RaisesAtShutdown(Diary):
    async def stop(self, scope: Scope, send: Send) -> None:
        raise Failed("not flushed")


class ReturnsAtShutdown(Diary):
    async def stop(self, scope: Scope, send: Send) -> None:
        pass


class ReturnsOnceStarted(Diary):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.append((await receive())["type"])
        await self.start(scope, send)


class RaisesOnceStarted(ReturnsOnceStarted):
    async def start(self, scope: Scope, send: Send) -> None:
        await super().start(scope, send)
        raise Failed("the background task died")


class AsksForMoreAfterShutdown(Diary):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            self.events.append(message["type"])
            await send({"type": f"{message['type']}.complete"})


class NeverConfirmsTheShutdown(Diary):
    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            self.events.append(message["type"])
            if message["type"] == STARTUP:
                await send({"type": "lifespan.startup.complete"})


class Stop(BaseException):
    """What some libraries raise to get past every handler of exceptions."""


NO_EXCEPTIONS = [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), Stop()]

UNSUPPORTED: list[type[Diary]] = [
    RaisesBeforeReceive,
    ReturnsAtOnce,
    AnswersAsIfAsked,
    AnswersItsOwnError,
    SwallowsTheRefusal,
]
FAILING: list[type[Diary]] = [
    ReportsStartupFailed,
    ReportsStartupFailedAndRaises,
    ReportsStartupFailedAndWaits,
    SendsNonsense,
]
STARTING: list[type[Diary]] = [
    Diary,
    ReturnsAtShutdown,
    AsksForMoreAfterShutdown,
    NeverConfirmsTheShutdown,
]


# --- supported ------------------------------------------------------------------------------------


@every_mode
@every_edition
@pytest.mark.parametrize("make_app", STARTING)
def test_invocation_scope_starts_and_shuts_down_around_each_request(
    make_app: type[Diary], edition: Any, mode: Any
) -> None:
    app = make_app()
    handler = Mangum(app, lifespan=mode, edition=edition, lifespan_scope="invocation")
    assert [call(handler), call(handler)] == [SERVED, SERVED]
    assert app.events == [STARTUP, "request", SHUTDOWN] * 2


@every_mode
@every_edition
@pytest.mark.parametrize("make_app", STARTING)
def test_environment_scope_starts_before_the_first_request_and_shuts_down_by_hand(
    make_app: type[Diary], edition: Any, mode: Any
) -> None:
    app = make_app()
    handler = Mangum(app, lifespan=mode, edition=edition, lifespan_scope="environment")
    assert app.events == []
    assert [call(handler), call(handler)] == [SERVED, SERVED]
    assert app.events == [STARTUP, "request", "request"]
    handler.shutdown()
    assert app.events == [STARTUP, "request", "request", SHUTDOWN]


@pytest.mark.parametrize(
    ("edition", "events"),
    [
        ("classic", [STARTUP, "request", SHUTDOWN] * 2),
        ("2026", [STARTUP, "request", "request"]),
    ],
)
def test_edition_decides_the_scope_of_the_lifespan(edition: Any, events: list[str]) -> None:
    app = Diary()
    handler = Mangum(app, edition=edition)
    call(handler)
    call(handler)
    assert app.events == events
    handler.shutdown()


@every_scope
@every_edition
@pytest.mark.parametrize("make_app", [Diary, *UNSUPPORTED, *FAILING, RaisesAfterReceive])
def test_off_leaves_the_lifespan_out(make_app: type[Diary], edition: Any, scope: Any) -> None:
    app = make_app()
    handler = Mangum(app, lifespan="off", edition=edition, lifespan_scope=scope)
    assert [call(handler), call(handler)] == [SERVED, SERVED]
    handler.shutdown()
    assert app.events == ["request", "request"]


def test_off_gives_no_state() -> None:
    app = Recorder()
    call(Mangum(app, lifespan="off"))
    assert "state" not in app.scopes[0]


def test_lifespan_scope_is_what_the_specification_says() -> None:
    scopes: list[Scope] = []

    class App(Diary):
        async def start(self, scope: Scope, send: Send) -> None:
            scopes.append(dict(scope))
            await super().start(scope, send)

    call(Mangum(App()))
    assert scopes == [
        {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    ]


@every_scope
@every_edition
def test_lifespan_speaks_at_debug_only(
    caplog: pytest.LogCaptureFixture, edition: Any, scope: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    handler = Mangum(Diary(), edition=edition, lifespan_scope=scope)
    call(handler)
    handler.shutdown()
    levels = {it.levelno for it in caplog.records if it.name == "mangum.lifespan"}
    assert levels == {logging.DEBUG}


@every_scope
@every_edition
@pytest.mark.parametrize("make_app", [ReturnsOnceStarted, RaisesOnceStarted])
def test_application_whose_lifespan_ends_once_started_is_served(
    caplog: pytest.LogCaptureFixture, make_app: type[Diary], edition: Any, scope: Any
) -> None:
    app = make_app()
    handler = Mangum(app, edition=edition, lifespan_scope=scope)
    assert call(handler) == SERVED
    handler.shutdown()
    assert app.events == [STARTUP, "request"]
    errors = [make_app] if make_app is RaisesOnceStarted else []
    assert len(records(caplog, logging.WARNING)) == len(errors)


# --- the state ------------------------------------------------------------------------------------


class KeepsState(Diary):
    """Puts something into the state, and changes its copy in each request."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = object()
        self.states: list[dict[str, Any]] = []

    async def start(self, scope: Scope, send: Send) -> None:
        scope["state"]["pool"] = self.pool
        await super().start(scope, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.states.append(dict(scope["state"]))
        scope["state"]["pool"] = None
        scope["state"]["request"] = len(self.states)
        await super().serve(scope, receive, send)


@every_scope
@every_edition
def test_each_request_gets_a_copy_of_the_state(edition: Any, scope: Any) -> None:
    app = KeepsState()
    handler = Mangum(app, edition=edition, lifespan_scope=scope)
    call(handler)
    call(handler)
    handler.shutdown()
    assert app.states == [{"pool": app.pool}, {"pool": app.pool}]


@pytest.mark.parametrize("make_app", UNSUPPORTED)
def test_state_is_empty_without_a_lifespan(make_app: type[Diary]) -> None:
    states: list[Any] = []

    class App(make_app):  # type: ignore[misc,valid-type]
        async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            states.append(scope["state"])
            scope["state"]["changed"] = True
            await respond(send)

    handler = Mangum(App())
    call(handler)
    call(handler)
    assert [state == {"changed": True} for state in states] == [True, True]
    assert states[0] is not states[1]


@every_scope
def test_starlette_sees_what_its_lifespan_yields(scope: Any) -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        events.append("enter")
        yield {"greeting": "hello"}
        await asyncio.sleep(0)
        events.append("exit")

    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse(request.state.greeting)

    app = Starlette(routes=[Route("/", endpoint)], lifespan=lifespan)
    handler = Mangum(app, lifespan_scope=scope)
    assert [call(handler).body, call(handler).body] == [b'"hello"', b'"hello"']
    handler.shutdown()
    assert events == ["enter", "exit"] * (1 if scope == "environment" else 2)


# --- unsupported ----------------------------------------------------------------------------------


@every_scope
@every_edition
@pytest.mark.parametrize("make_app", UNSUPPORTED)
def test_auto_notes_once_that_there_is_no_lifespan_and_remembers_it(
    caplog: pytest.LogCaptureFixture, make_app: type[Diary], edition: Any, scope: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    app = make_app()
    handler = Mangum(app, edition=edition, lifespan_scope=scope)
    assert [call(handler) for _ in range(3)] == [SERVED] * 3
    handler.shutdown()
    assert app.events == ["asked", "request", "request", "request"]
    noted = [it for it in records(caplog, logging.DEBUG) if "unsupported" in it.getMessage()]
    assert [(it.levelno, it.exc_info) for it in noted] == [(logging.DEBUG, None)]
    assert records(caplog, logging.WARNING) == []


@every_scope
@pytest.mark.parametrize("make_app", UNSUPPORTED)
def test_on_without_lifespan_is_logged_and_served_in_the_classic_edition(
    caplog: pytest.LogCaptureFixture, make_app: type[Diary], scope: Any
) -> None:
    handler = Mangum(make_app(), lifespan="on", lifespan_scope=scope)
    assert call(handler) == SERVED
    assert [it.levelno for it in records(caplog, logging.WARNING)] == [logging.ERROR]


@every_scope
@pytest.mark.parametrize("make_app", UNSUPPORTED)
def test_on_without_lifespan_is_raised_in_the_2026_edition(
    make_app: type[Diary], scope: Any
) -> None:
    app = make_app()
    handler = Mangum(app, lifespan="on", edition="2026", lifespan_scope=scope)
    for _ in range(2):
        with pytest.raises(LifespanFailure, match=r"Lifespan is 'on'"):
            call(handler)
    assert app.events == ["asked", "asked"]


# --- failing --------------------------------------------------------------------------------------


@every_scope
@every_mode
@every_edition
@pytest.mark.parametrize("make_app", FAILING)
def test_startup_that_the_application_calls_failed_is_raised_with_its_reason(
    make_app: type[Diary], edition: Any, mode: Any, scope: Any
) -> None:
    app = make_app()
    handler = Mangum(app, lifespan=mode, edition=edition, lifespan_scope=scope)
    for _ in range(2):
        with pytest.raises(LifespanFailure, match="no database"):
            call(handler)
    handler.shutdown()
    assert app.events == [STARTUP, STARTUP]


@every_scope
@pytest.mark.parametrize(
    ("edition", "mode"), [("classic", "auto"), ("classic", "on"), ("2026", "auto")]
)
@pytest.mark.parametrize("make_app", [RaisesAfterReceive, ReturnsAfterReceive])
def test_application_that_ends_while_it_starts_is_served(
    caplog: pytest.LogCaptureFixture, make_app: type[Diary], edition: Any, mode: Any, scope: Any
) -> None:
    app = make_app()
    handler = Mangum(app, lifespan=mode, edition=edition, lifespan_scope=scope)
    assert call(handler) == SERVED
    handler.shutdown()
    assert app.events == [STARTUP, "request"]
    if make_app is RaisesAfterReceive:
        [record] = records(caplog, logging.WARNING)
        assert record.exc_info
        assert type(record.exc_info[1]) is Failed


@every_scope
@pytest.mark.parametrize("make_app", [RaisesAfterReceive, ReturnsAfterReceive])
def test_on_raises_for_an_application_that_ends_while_it_starts_in_the_2026_edition(
    make_app: type[Diary], scope: Any
) -> None:
    handler = Mangum(make_app(), lifespan="on", edition="2026", lifespan_scope=scope)
    with pytest.raises(LifespanFailure) as caught:
        call(handler)
    if make_app is RaisesAfterReceive:
        assert "no database" in str(caught.value)
        assert type(caught.value.__cause__) is Failed


@every_mode
@pytest.mark.parametrize("make_app", [ReportsShutdownFailed, SendsNonsenseAtShutdown])
def test_failed_shutdown_is_raised_in_the_classic_edition(make_app: type[Diary], mode: Any) -> None:
    app = make_app()
    with pytest.raises(LifespanFailure, match="not flushed"):
        call(Mangum(app, lifespan=mode))
    assert app.events == [STARTUP, "request", SHUTDOWN]


@every_mode
@pytest.mark.parametrize("make_app", [ReportsShutdownFailed, SendsNonsenseAtShutdown])
def test_failed_shutdown_is_logged_and_the_answer_stands_in_the_2026_edition(
    caplog: pytest.LogCaptureFixture, make_app: type[Diary], mode: Any
) -> None:
    app = make_app()
    handler = Mangum(app, lifespan=mode, edition="2026", lifespan_scope="invocation")
    assert call(handler) == SERVED
    [record] = records(caplog, logging.WARNING)
    assert record.levelno == logging.ERROR
    assert "not flushed" in record.getMessage()


def test_failed_shutdown_by_hand_is_logged_in_the_2026_edition(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handler = Mangum(ReportsShutdownFailed(), edition="2026")
    assert call(handler) == SERVED
    handler.shutdown()
    assert ["not flushed" in it.getMessage() for it in records(caplog, logging.WARNING)] == [True]


@every_scope
@every_edition
def test_exception_at_shutdown_is_logged_and_the_answer_stands(
    caplog: pytest.LogCaptureFixture, edition: Any, scope: Any
) -> None:
    handler = Mangum(RaisesAtShutdown(), edition=edition, lifespan_scope=scope)
    assert call(handler) == SERVED
    handler.shutdown()
    [record] = records(caplog, logging.WARNING)
    assert record.exc_info
    assert type(record.exc_info[1]) is Failed


@every_scope
@every_edition
@pytest.mark.parametrize("error", NO_EXCEPTIONS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["before receive", "start", "stop"])
def test_what_is_no_exception_is_raised_on(
    step: str, error: BaseException, edition: Any, scope: Any
) -> None:
    class App(Diary):
        async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
            if step == "before receive":
                raise error
            await super().lifespan(scope, receive, send)

        async def start(self, scope: Scope, send: Send) -> None:
            if step == "start":
                raise error
            await super().start(scope, send)

        async def stop(self, scope: Scope, send: Send) -> None:
            raise error

    handler = Mangum(App(), edition=edition, lifespan_scope=scope)
    with pytest.raises(type(error)):
        call_and_shut_down(handler)


@every_scope
@every_edition
def test_shutdown_follows_when_the_request_raises(edition: Any, scope: Any) -> None:
    class App(Diary):
        async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            raise Failed("why")

    app = App()
    handler = Mangum(app, edition=edition, lifespan_scope=scope, raise_exceptions=True)
    with pytest.raises(Failed, match="why"):
        call(handler)
    handler.shutdown()
    assert app.events == [STARTUP, "request", SHUTDOWN]


# --- around the messages --------------------------------------------------------------------------


class WorksAroundShutdown(Diary):
    """Suspends before and after it says that it has shut down."""

    async def stop(self, scope: Scope, send: Send) -> None:
        await asyncio.sleep(0.001)
        await super().stop(scope, send)
        self.events.append("confirmed")
        await asyncio.sleep(0.001)
        await asyncio.get_running_loop().run_in_executor(None, self.events.append, "the end")


@every_scope
@every_edition
def test_code_after_shutdown_complete_is_run_to_its_end(edition: Any, scope: Any) -> None:
    app = WorksAroundShutdown()
    handler = Mangum(app, edition=edition, lifespan_scope=scope)
    call(handler)
    handler.shutdown()
    assert app.events == [STARTUP, "request", SHUTDOWN, "confirmed", "the end"]


@every_scope
def test_code_after_shutdown_complete_is_run_to_its_end_while_another_task_listens(
    scope: Any,
) -> None:
    class App(Diary):
        async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
            self.receive = receive
            await super().lifespan(scope, receive, send)

        async def stop(self, scope: Scope, send: Send) -> None:
            await super().stop(scope, send)
            listener = asyncio.ensure_future(self.receive())
            await asyncio.sleep(0.001)
            listener.cancel()
            self.events.append("the end")

    app = App()
    handler = Mangum(app, lifespan_scope=scope)
    call(handler)
    handler.shutdown()
    assert app.events == [STARTUP, "request", SHUTDOWN, "the end"]


@every_scope
def test_lifespan_may_hold_a_task_group_open(scope: Any) -> None:
    """Which has to be left in the task that entered it."""
    import anyio

    class App(Diary):
        async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(self.tick)
                await super().lifespan(scope, receive, send)
                group.cancel_scope.cancel()

        async def tick(self) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                self.events.append("cancelled")

    app = App()
    handler = Mangum(app, lifespan_scope=scope)
    assert call(handler) == SERVED
    handler.shutdown()
    assert app.events == [STARTUP, "request", SHUTDOWN, "cancelled"]


def test_background_task_of_the_lifespan_goes_on_in_later_requests() -> None:
    class App(Diary):
        async def start(self, scope: Scope, send: Send) -> None:
            self.ticks = 0
            self.task = asyncio.create_task(self.tick())
            await super().start(scope, send)

        async def tick(self) -> None:
            while True:
                self.ticks += 1
                await asyncio.sleep(0)

        async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            before = self.ticks
            for _ in range(3):
                await asyncio.sleep(0)
            await respond(send, b"%d" % (self.ticks > before))

        async def stop(self, scope: Scope, send: Send) -> None:
            self.task.cancel()
            await super().stop(scope, send)

    handler = Mangum(App(), lifespan_scope="environment")
    assert [call(handler).body for _ in range(3)] == [b"1"] * 3
    handler.shutdown()


def test_startup_and_shutdown_may_suspend(loop_factory: LoopFactory) -> None:
    class App(WorksAroundShutdown):
        async def start(self, scope: Scope, send: Send) -> None:
            await asyncio.sleep(0.001)
            await super().start(scope, send)

    scopes: list[LifespanScope] = ["invocation", "environment"]
    for lifespan_scope in scopes:
        app = App()
        handler = Mangum(app, lifespan_scope=lifespan_scope, loop_factory=loop_factory)
        assert call(handler) == SERVED
        handler.shutdown()
        assert app.events == [STARTUP, "request", SHUTDOWN, "confirmed", "the end"]


# --- the environment's lifespan -------------------------------------------------------------------


@every_edition
@every_scope
def test_startup_by_hand_starts_once_for_all_requests(edition: Any, scope: Any) -> None:
    app = Diary()
    handler = Mangum(app, edition=edition, lifespan_scope=scope)
    handler.startup()
    handler.startup()
    assert app.events == [STARTUP]
    assert [call(handler), call(handler)] == [SERVED, SERVED]
    handler.shutdown()
    assert app.events == [STARTUP, "request", "request", SHUTDOWN]


def test_invocation_scope_is_in_force_again_after_shutdown_by_hand() -> None:
    app = Diary()
    handler = Mangum(app, lifespan_scope="invocation")
    handler.startup()
    handler.shutdown()
    call(handler)
    assert app.events == [STARTUP, SHUTDOWN, STARTUP, "request", SHUTDOWN]


def test_shutdown_does_nothing_where_nothing_runs() -> None:
    app = Diary()
    handler = Mangum(app, lifespan_scope="environment")
    handler.shutdown()
    call(handler)
    handler.shutdown()
    handler.shutdown()
    assert app.events == [STARTUP, "request", SHUTDOWN]


def test_request_after_shutdown_starts_anew() -> None:
    app = KeepsState()
    handler = Mangum(app, lifespan_scope="environment")
    for _ in range(2):
        assert call(handler) == SERVED
        handler.shutdown()
    assert app.events == [STARTUP, "request", SHUTDOWN] * 2
    assert app.states == [{"pool": app.pool}] * 2


@pytest.mark.parametrize("make_app", FAILING)
def test_startup_by_hand_raises_what_the_application_reports(make_app: type[Diary]) -> None:
    handler = Mangum(make_app(), lifespan_scope="environment")
    with pytest.raises(LifespanFailure, match="no database"):
        handler.startup()


@every_edition
@pytest.mark.parametrize("failing", [*FAILING, RaisesAfterReceive])
def test_failed_startup_is_tried_again(failing: type[Diary], edition: Any) -> None:
    class App(failing):  # type: ignore[misc,valid-type]
        async def start(self, scope: Scope, send: Send) -> None:
            if len(self.events) == 1:
                await super().start(scope, send)
            else:
                await Diary.start(self, scope, send)

    app = App()
    handler = Mangum(app, edition=edition, lifespan_scope="environment")
    with suppress(LifespanFailure):
        call(handler)
    assert call(handler) == SERVED
    assert call(handler) == SERVED
    handler.shutdown()
    assert [event for event in app.events if event != "request"] == [STARTUP, STARTUP, SHUTDOWN]


class RunsOnce(Diary):
    """As a session manager of the Model Context Protocol: it refuses a second `run()`."""

    started = False

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.started:
            self.events.append("refused")
            raise RuntimeError(".run() can only be called once per instance")
        self.started = True
        await super().lifespan(scope, receive, send)


@every_edition
def test_application_whose_lifespan_runs_only_once_works_in_the_environment_scope(
    caplog: pytest.LogCaptureFixture, edition: Any
) -> None:
    app = RunsOnce()
    handler = Mangum(app, edition=edition, lifespan_scope="environment")
    assert [call(handler) for _ in range(3)] == [SERVED] * 3
    handler.shutdown()
    assert app.events == [STARTUP, "request", "request", "request", SHUTDOWN]
    assert records(caplog, logging.WARNING) == []


def test_concurrent_first_requests_start_once() -> None:
    class App(Diary):
        async def start(self, scope: Scope, send: Send) -> None:
            await asyncio.sleep(0.001)
            self.events.append("started")
            await super().start(scope, send)

    app = App()
    handler = Mangum(app, lifespan_scope="environment")

    async def main() -> None:
        answers = await asyncio.gather(*[call_async(handler) for _ in range(5)])
        assert answers == [SERVED] * 5

    asyncio.run(main())
    assert app.events == [STARTUP, "started", *["request"] * 5]


def test_concurrent_first_requests_try_a_failed_startup_again() -> None:
    class App(Diary):
        async def start(self, scope: Scope, send: Send) -> None:
            await asyncio.sleep(0.001)
            if len(self.events) == 1:
                await send({"type": "lifespan.startup.failed", "message": "no database"})
            await super().start(scope, send)

    app = App()
    handler = Mangum(app, lifespan_scope="environment")

    async def main() -> None:
        calls = [call_async(handler) for _ in range(3)]
        first, *others = await asyncio.gather(*calls, return_exceptions=True)
        assert type(first) is LifespanFailure
        assert others == [SERVED, SERVED]

    asyncio.run(main())
    assert app.events == [STARTUP, STARTUP, "request", "request"]


def test_concurrent_first_requests_all_find_that_there_is_no_lifespan() -> None:
    handler = Mangum(RaisesBeforeReceive(), lifespan_scope="environment")

    async def main() -> None:
        assert await asyncio.gather(*[call_async(handler) for _ in range(3)]) == [SERVED] * 3

    asyncio.run(main())


def test_startup_goes_on_when_the_request_that_began_it_is_cancelled() -> None:
    """Else an application whose lifespan runs only once would never start."""

    class App(RunsOnce):
        async def start(self, scope: Scope, send: Send) -> None:
            await asyncio.sleep(0.01)
            await super().start(scope, send)

    app = App()
    handler = Mangum(app, lifespan_scope="environment")

    async def main() -> None:
        first = asyncio.create_task(call_async(handler))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await call_async(handler) == SERVED

    asyncio.run(main())
    assert app.events == [STARTUP, "request"]


@every_scope
def test_concurrent_requests_of_the_invocation_scope_have_a_lifespan_each(scope: Any) -> None:
    class App(KeepsState):
        async def start(self, scope: Scope, send: Send) -> None:
            scope["state"]["own"] = object()
            await super().start(scope, send)

        async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(0.001)
            await super().serve(scope, receive, send)

    app = App()
    handler = Mangum(app, lifespan_scope=scope)

    async def main() -> None:
        await asyncio.gather(*[call_async(handler) for _ in range(3)])

    asyncio.run(main())
    assert len({state["own"] for state in app.states}) == (3 if scope == "invocation" else 1)


def test_lifespan_whose_loop_is_gone_is_started_anew() -> None:
    app = Diary()
    handler = Mangum(app, lifespan_scope="environment")
    for _ in range(2):
        assert asyncio.run(call_async(handler)) == SERVED
    assert call(handler) == SERVED
    handler.shutdown()
    assert app.events == [*[STARTUP, "request"] * 3, SHUTDOWN]


def test_shutdown_from_another_loop_than_the_one_that_started_does_not_hang() -> None:
    app = Diary()
    handler = Mangum(app, lifespan_scope="environment")
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(call_async(handler)) == SERVED
    with suppress(LifespanFailure):
        handler.shutdown()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert app.events[:2] == [STARTUP, "request"]


# --- the cycle itself -----------------------------------------------------------------------------


def test_cycle_is_a_with_block_as_in_older_versions() -> None:
    app = KeepsState()
    cycle = LifespanCycle(app, "auto")
    states = [cycle.state]
    with cycle:
        states.append(cycle.state)
        assert app.events == [STARTUP]
        scope = {**http_scope(), "state": cycle.lifespan_state.copy()}
        assert HTTPCycle(scope, b"")(app)["body"] == b"served"
    assert app.events == [STARTUP, "request", SHUTDOWN]
    assert app.states == [{"pool": app.pool}]
    assert [state.name for state in [*states, cycle.state]] == ["CONNECTING", "READY", "COMPLETE"]


def test_block_that_raises_is_shut_down_too() -> None:
    app = Diary()
    with pytest.raises(Failed), LifespanCycle(app, "auto"):
        raise Failed("why")
    assert app.events == [STARTUP, SHUTDOWN]


@pytest.mark.parametrize("make_app", FAILING)
def test_block_is_not_entered_if_startup_fails(make_app: type[Diary]) -> None:
    cycle = LifespanCycle(make_app(), "auto")
    with pytest.raises(LifespanFailure, match="no database"), cycle:
        pytest.fail("entered")
    assert cycle.state is LifespanCycleState.FAILED


@every_mode
@pytest.mark.parametrize("make_app", UNSUPPORTED)
def test_block_is_entered_without_a_lifespan(make_app: type[Diary], mode: Any) -> None:
    cycle = LifespanCycle(make_app(), mode)
    with cycle:
        assert cycle.state is LifespanCycleState.UNSUPPORTED


@pytest.mark.parametrize(
    ("make_app", "cause"),
    [(ReportsStartupFailed, LifespanFailure), (SendsNonsense, UnexpectedMessage)],
)
def test_failure_has_what_the_application_was_told_as_its_cause(
    make_app: type[Diary], cause: type[Exception]
) -> None:
    with pytest.raises(LifespanFailure) as caught:
        run(LifespanCycle(make_app(), "auto").startup())
    assert type(caught.value.__cause__) is cause


def test_asking_again_before_the_shutdown_waits_for_it() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        receivers = [asyncio.ensure_future(receive()) for _ in range(2)]
        await asyncio.wait(receivers, return_when=asyncio.FIRST_COMPLETED)
        seen.extend(task.result() for task in receivers if task.done())
        await send({"type": "lifespan.shutdown.complete"})
        for task in receivers:
            task.cancel()

    with LifespanCycle(app, "auto"):
        assert seen == []
    assert seen == [{"type": SHUTDOWN}]


def test_receive_that_was_cancelled_can_be_asked_again() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(receive(), 0.001)
        timed_out.set()
        seen.append(await receive())
        await send({"type": "lifespan.shutdown.complete"})

    timed_out = asyncio.Event()
    with LifespanCycle(app, "auto"):
        run(timed_out.wait())
    assert seen == [{"type": SHUTDOWN}]


# --- SIGTERM --------------------------------------------------------------------------------------

ENVIRONMENT = """
import asyncio, os, signal, sys
from mangum import Mangum
from tests.apps import Diary, respond
from tests.builders import http_v2_event, lambda_context

class App(Diary):
    async def start(self, scope, send):
        print("start", flush=True)
        await super().start(scope, send)

    async def serve(self, scope, receive, send):
        print("request", flush=True)
        await super().serve(scope, receive, send)

    async def stop(self, scope, send):
        await asyncio.sleep(0.001)
        await super().stop(scope, send)
        print("stop", flush=True)

def call(handler):
    return handler(http_v2_event(), lambda_context())["statusCode"]

def terminate():
    os.kill(os.getpid(), signal.SIGTERM)
"""


def environment(source: str) -> tuple[list[str], int, str]:
    """The lines printed, the exit code, and what stands on stderr."""
    done = run_python(f"{ENVIRONMENT}\n{source}")
    return done.stdout.splitlines(), done.returncode, done.stderr


IDLE = """
handler = Mangum(App(), lifespan_scope="environment")
print(call(handler), call(handler), flush=True)
terminate()
print("not reached")
"""
BUSY = """
class Busy(App):
    async def serve(self, scope, receive, send):
        terminate()
        print("signalled", flush=True)
        await asyncio.sleep(0.001)
        terminate()
        await super().serve(scope, receive, send)

handler = Mangum(Busy(), lifespan_scope="environment")
print(call(handler), flush=True)
print("not reached")
"""
STARTING_UP = """
class Starting(App):
    async def start(self, scope, send):
        await super().start(scope, send)

handler = Mangum(Starting(), lifespan_scope="environment")
handler.startup()
terminate()
print("not reached")
"""
TWO = """
handlers = [Mangum(App(), lifespan_scope="environment") for _ in range(2)]
print([call(handler) for handler in handlers], flush=True)
terminate()
print("not reached")
"""
FACTORIES = """
handlers = [
    Mangum(App(), lifespan_scope="environment", loop_factory=asyncio.new_event_loop),
    Mangum(App(), lifespan_scope="environment", loop_factory=lambda: asyncio.new_event_loop()),
    Mangum(App(), lifespan_scope="environment"),
]
print([call(handler) for handler in handlers], flush=True)
terminate()
print("not reached")
"""
FAILS = """
class Fails(App):
    async def stop(self, scope, send):
        await send({"type": "lifespan.shutdown.failed", "message": "not flushed"})

handlers = [Mangum(Fails(), lifespan_scope="environment"), Mangum(App(), edition="2026")]
print([call(handler) for handler in handlers], flush=True)
terminate()
print("not reached")
"""


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        (IDLE, ["start", "request", "request", "200 200", "stop"]),
        (BUSY, ["start", "signalled", "request", "stop"]),
        (STARTING_UP, ["start", "stop"]),
        (TWO, ["start", "request", "start", "request", "[200, 200]", "stop", "stop"]),
        (FACTORIES, [*["start", "request"] * 3, "[200, 200, 200]", *["stop"] * 3]),
    ],
    ids=[
        "idle",
        "in the middle of a request",
        "started by hand",
        "two handlers",
        "on loops of their own",
    ],
)
def test_sigterm_shuts_down_and_ends_the_process_by_the_signal(
    source: str, printed: list[str]
) -> None:
    assert environment(source) == (printed, -15, "")


def test_sigterm_shuts_down_the_others_if_one_fails() -> None:
    printed, code, errors = environment(FAILS)
    assert printed == ["start", "request", "start", "request", "[200, 200]", "stop"]
    assert code == -15
    assert "not flushed" in errors
    assert "Traceback" not in errors


def test_sigterm_shuts_down_the_others_if_one_raises_what_is_no_exception() -> None:
    """The process ends all the same, and not as an application wished that is shut down."""
    printed, code, _ = environment("""
class Exits(App):
    async def stop(self, scope, send):
        sys.exit(3)

handlers = [Mangum(Exits(), lifespan_scope="environment"), Mangum(App(), edition="2026")]
print([call(handler) for handler in handlers], flush=True)
terminate()
print("not reached")
""")
    assert sorted(printed) == sorted(["start", "request"] * 2 + ["[200, 200]", "stop"])
    assert code != 0


def test_sigterm_calls_the_handler_that_was_there_before() -> None:
    printed = environment("""
def previous(number, frame):
    print("previous", number == signal.SIGTERM, flush=True)

signal.signal(signal.SIGTERM, previous)
handler = Mangum(App(), lifespan_scope="environment")
print(call(handler))
terminate()
print(signal.getsignal(signal.SIGTERM) is previous)
print(call(handler))  # still alive, so it serves
terminate()
""")
    once = ["start", "request", "200", "stop", "previous True"]
    assert printed == ([*once, "True", *once], 0, "")


def test_sigterm_handler_that_was_there_before_may_exit() -> None:
    assert environment("""
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
handler = Mangum(App(), lifespan_scope="environment")
print(call(handler))
terminate()
print("not reached")
""") == (["start", "request", "200", "stop"], 7, "")


def test_sigterm_stays_ignored_where_it_was_ignored() -> None:
    assert environment("""
signal.signal(signal.SIGTERM, signal.SIG_IGN)
handler = Mangum(App(), lifespan_scope="environment")
print(call(handler))
terminate()
print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)
""") == (["start", "request", "200", "stop", "True"], 0, "")


def test_sigterm_ends_a_process_that_awaits_the_handler_on_a_loop_of_its_own() -> None:
    assert environment("""
handler = Mangum(App(), lifespan_scope="environment")

async def main():
    print((await handler.asgi(http_v2_event(), lambda_context()))["statusCode"], flush=True)
    terminate()
    await asyncio.sleep(30)
    print("not reached")

asyncio.run(main())
""") == (["start", "request", "200", "stop"], -15, "")


def test_sigterm_ends_a_process_on_a_loop_of_its_own_after_a_startup_by_hand() -> None:
    printed, code, _ = environment("""
handler = Mangum(App(), lifespan_scope="environment")
handler.startup()

async def main():
    print((await handler.asgi(http_v2_event(), lambda_context()))["statusCode"], flush=True)
    terminate()
    await asyncio.sleep(30)
    print("not reached")

asyncio.run(main())
""")
    assert "not reached" not in printed
    assert code == -15


def test_sigterm_is_left_alone_by_the_invocation_scope() -> None:
    assert output_of(
        ENVIRONMENT
        + """
call(Mangum(App(), lifespan_scope="invocation"))
print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    ) == ["start", "request", "stop", "True"]


def test_sigterm_does_not_keep_a_handler_alive() -> None:
    assert output_of(
        ENVIRONMENT
        + """
import gc, weakref
handler = Mangum(App(), lifespan_scope="environment")
call(handler)
handler.shutdown()
gone = weakref.ref(handler)
del handler
gc.collect()
print(gone() is None)
"""
    ) == ["start", "request", "stop", "True"]


def test_handler_of_another_thread_serves_and_leaves_the_signal_to_the_main_one() -> None:
    assert environment("""
import threading

def work():
    handler = Mangum(App(), lifespan_scope="environment")
    print(call(handler), flush=True)

thread = threading.Thread(target=work)
thread.start()
thread.join()
terminate()
print("not reached")
""") == (["start", "request", "200"], -15, "")


def test_sigterm_reaches_a_process_that_waits() -> None:
    """As a Lambda environment does between two invocations."""
    import signal
    import subprocess
    import sys

    from tests.processes import ROOT

    source = ENVIRONMENT + IDLE.replace("terminate()", "sys.stdin.read()")
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", source],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(4)]
        process.send_signal(signal.SIGTERM)
        lines += process.stdout.read().splitlines()
    assert lines == ["start", "request", "request", "200 200", "stop"]
    assert process.returncode == -15


# --- at exit --------------------------------------------------------------------------------------

PARKED: dict[str, str] = {
    "a plain application": "app = App()",
    "cleanup that awaits": """
class Cleans(App):
    async def lifespan(self, scope, receive, send):
        try:
            await super().lifespan(scope, receive, send)
        finally:
            await asyncio.sleep(0)
app = Cleans()
""",
    "cleanup that raises": """
class Raises(App):
    async def lifespan(self, scope, receive, send):
        try:
            await super().lifespan(scope, receive, send)
        finally:
            raise RuntimeError("no loop")
app = Raises()
""",
    "a background task": """
class Ticks(App):
    async def start(self, scope, send):
        self.task = asyncio.create_task(asyncio.sleep(1000))
        await super().start(scope, send)
app = Ticks()
""",
    "a Starlette application": """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

@asynccontextmanager
async def lifespan(app):
    print("start", flush=True)
    try:
        yield
    finally:
        await asyncio.sleep(0)

async def endpoint(request):
    print("request", flush=True)
    return PlainTextResponse("served")

app = Starlette(routes=[Route("/", endpoint)], lifespan=lifespan)
""",
    "an AnyIO task group": """
import anyio
class Groups(App):
    async def lifespan(self, scope, receive, send):
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await super().lifespan(scope, receive, send)
app = Groups()
""",
}


@pytest.mark.parametrize("kept", ["handler", "nothing"])
@pytest.mark.parametrize("source", PARKED.values(), ids=PARKED)
def test_process_with_a_parked_lifespan_exits_without_a_word(source: str, kept: str) -> None:
    assert output_of(
        f"{ENVIRONMENT}\n{source}\n"
        "handler = Mangum(app, lifespan_scope='environment')\n"
        "call(handler)\n" + ("" if kept == "handler" else "del handler, app\n")
    ) == ["start", "request"]
