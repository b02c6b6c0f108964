"""The application's side of a request: what it may do, and what becomes of it if it does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from mangum import Mangum
from mangum.exceptions import UnexpectedMessage
from mangum.types import Message, Receive, Scope, Send
from tests.apps import Diary, chunk, hello, respond, sending, start
from tests.builders import Answer, http_v2_event, lambda_context
from tests.protocols.driving import Call, call_handler

PLAIN = [("content-type", "text/plain")]
ERROR_500 = Answer(
    500, [("content-type", "text/plain; charset=utf-8")], body=b"Internal Server Error"
)
DISCONNECT = {"type": "http.disconnect"}

# What the application sends before it fails.
UNFINISHED: dict[str, list[Message]] = {
    "before answering": [],
    "after the start": [start()],
    "after a chunk": [start(), chunk(b"part", more_body=True)],
    "after an error's start": [start(503)],
}
WHOLE: list[Message] = [start(), chunk(b"whole")]
STAGES = {**UNFINISHED, "after a complete answer": WHOLE}
NO_EXCEPTIONS = [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()]


class Failed(Exception):
    """What an application raises."""


def logged(
    caplog: pytest.LogCaptureFixture, level: int = logging.WARNING
) -> list[logging.LogRecord]:
    """What the adapter logged at this level or above."""
    return [it for it in caplog.records if it.name.startswith("mangum") and it.levelno >= level]


def the_record(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """The only thing worth more than an INFO line."""
    (record,) = logged(caplog)
    assert record.levelno == logging.ERROR
    return record


def traceback_of(record: logging.LogRecord) -> BaseException | None:
    assert record.exc_info
    return record.exc_info[1]


# --- exceptions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
def test_exception_before_a_complete_answer_is_a_500_and_logged_once_with_its_traceback(
    call: Call, caplog: pytest.LogCaptureFixture, sent: Sequence[Message]
) -> None:
    error = Failed("why")
    assert call(sending(sent, error)) == ERROR_500
    assert traceback_of(the_record(caplog)) is error


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
def test_exception_after_a_suspension_is_a_500_and_logged_once_with_its_traceback(
    call: Call, caplog: pytest.LogCaptureFixture, sent: Sequence[Message]
) -> None:
    error = Failed("why")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await asyncio.sleep(0)
            await send(message)
        await asyncio.sleep(0.001)
        raise error

    assert call(app) == ERROR_500
    assert traceback_of(the_record(caplog)) is error


@pytest.mark.parametrize("status", [200, 404, 500])
def test_exception_after_a_complete_answer_leaves_the_answer_and_is_logged(
    call: Call, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    error = Failed("why")
    answer = call(sending([start(status), chunk(b"whole")], error))
    assert answer == Answer(status, PLAIN, body=b"whole")
    assert traceback_of(the_record(caplog)) is error


@pytest.mark.parametrize("sent", UNFINISHED.values(), ids=UNFINISHED)
def test_raise_exceptions_raises_one_before_a_complete_answer(
    call: Call, sent: Sequence[Message]
) -> None:
    error = Failed("why")
    with pytest.raises(Failed) as caught:
        call(sending(sent, error), raise_exceptions=True)
    assert caught.value is error


def test_raise_exceptions_raises_one_after_a_complete_error_answer(call: Call) -> None:
    """As error middleware does: it answers 500, and raises the error once more for the server."""
    error = Failed("why")
    with pytest.raises(Failed) as caught:
        call(sending([start(500), chunk(b"sorry")], error), raise_exceptions=True)
    assert caught.value is error


@pytest.mark.parametrize("status", [200, 302, 404, 499])
def test_raise_exceptions_leaves_a_complete_answer_that_is_no_server_error(
    call: Call, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    error = Failed("why")
    answer = call(sending([start(status), chunk(b"whole")], error), raise_exceptions=True)
    assert answer == Answer(status, PLAIN, body=b"whole")
    assert traceback_of(the_record(caplog)) is error


def test_raise_exceptions_changes_nothing_for_an_application_that_raises_none(call: Call) -> None:
    answer = call(sending([start(500), chunk(b"sorry")]), raise_exceptions=True)
    assert answer == Answer(500, PLAIN, body=b"sorry")


@pytest.mark.parametrize("raise_exceptions", [False, True])
@pytest.mark.parametrize("suspends", [False, True], ids=["at once", "after a suspension"])
@pytest.mark.parametrize("error", NO_EXCEPTIONS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("sent", STAGES.values(), ids=STAGES)
def test_what_is_no_exception_is_raised_on(
    call: Call,
    sent: Sequence[Message],
    error: BaseException,
    suspends: bool,
    raise_exceptions: bool,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent:
            await send(message)
        if suspends:
            await asyncio.sleep(0)
        raise error

    with pytest.raises(type(error)) as caught:
        call(app, raise_exceptions=raise_exceptions)
    assert caught.value.args == error.args


@pytest.mark.parametrize("error", NO_EXCEPTIONS, ids=lambda error: type(error).__name__)
def test_next_request_is_served_after_what_is_no_exception(
    call: Call, error: BaseException
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        raise error

    for _ in range(2):
        with pytest.raises(type(error)):
            call(app)
        assert call(hello).body == b"hello"


# --- answers that never come ----------------------------------------------------------------------


@pytest.mark.parametrize("raise_exceptions", [False, True])
def test_returning_without_an_answer_is_a_500_and_the_log_says_so(
    call: Call, caplog: pytest.LogCaptureFixture, raise_exceptions: bool
) -> None:
    assert call(sending([]), raise_exceptions=raise_exceptions) == ERROR_500
    record = the_record(caplog)
    assert "without sending a response" in record.getMessage()
    assert not record.exc_info


@pytest.mark.parametrize("raise_exceptions", [False, True])
@pytest.mark.parametrize(
    "sent",
    [
        [start()],
        [start(), chunk(b"part", more_body=True)],
        [start(), chunk(b"", more_body=True), chunk(b"part", more_body=True)],
    ],
    ids=["after the start", "after a chunk", "after two chunks"],
)
def test_stopping_in_the_middle_is_a_500_and_the_log_says_so(
    call: Call,
    caplog: pytest.LogCaptureFixture,
    sent: Sequence[Message],
    raise_exceptions: bool,
) -> None:
    assert call(sending(sent), raise_exceptions=raise_exceptions) == ERROR_500
    record = the_record(caplog)
    assert "http.response.body" in record.getMessage()
    assert not record.exc_info


# --- messages out of order ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [[chunk(b"early")], [start(), start(201)], [{"type": "http.response.push"}], [{}]],
    ids=["body first", "two starts", "unknown", "empty"],
)
def test_message_out_of_order_is_an_exception_of_the_application(
    call: Call, caplog: pytest.LogCaptureFixture, sent: Sequence[Message]
) -> None:
    assert call(sending(sent)) == ERROR_500
    assert type(traceback_of(the_record(caplog))) is UnexpectedMessage
    with pytest.raises(UnexpectedMessage):
        call(sending(sent), raise_exceptions=True)


def test_message_after_a_complete_answer_leaves_the_answer(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    answer = call(sending([*WHOLE, chunk(b"more")]), raise_exceptions=True)
    assert answer == Answer(200, PLAIN, body=b"whole")
    assert type(traceback_of(the_record(caplog))) is UnexpectedMessage


def test_application_may_catch_the_refusal_and_go_on(call: Call) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(chunk(b"early"))
        except UnexpectedMessage:
            await respond(send, b"recovered", status=202)

    assert call(app) == Answer(202, PLAIN, body=b"recovered")


# --- the answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        ([chunk(b"one")], b"one"),
        ([chunk(b"one", more_body=True), chunk(b"two")], b"onetwo"),
        ([chunk(b"one", more_body=True), chunk()], b"one"),
        ([chunk(more_body=True), chunk(b"two")], b"two"),
        ([chunk(b"%d," % i, more_body=True) for i in range(5)] + [chunk(b"5")], b"0,1,2,3,4,5"),
        ([{"type": "http.response.body"}], b""),
    ],
)
def test_chunks_are_joined(call: Call, chunks: list[Message], body: bytes) -> None:
    assert call(sending([start(), *chunks])) == Answer(200, PLAIN, body=body)


def test_chunks_may_come_between_suspensions(call: Call) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        await send(start())
        for part in (b"a", b"b"):
            await asyncio.sleep(0.001)
            await send(chunk(part, more_body=True))
        await send(chunk(b"c"))

    assert call(app) == Answer(200, PLAIN, body=b"abc")


def test_answer_may_come_from_another_task(call: Call) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.gather(respond(send, b"from a child"))

    assert call(app).body == b"from a child"


def test_application_may_be_any_callable_that_returns_an_awaitable(call: Call) -> None:
    class App:
        def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
            return hello(scope, receive, send)

    assert call(App()) == Answer(200, PLAIN, body=b"hello")


# --- receive() ------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"body", b"x" * 100_000])
def test_request_comes_as_one_message(call: Call, body: bytes) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(await receive())
        await respond(send)

    call(app, body=body)
    assert seen == [{"type": "http.request", "body": body, "more_body": False}]


def test_request_can_still_be_read_after_the_answer(call: Call) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send)
        seen.extend([await receive(), await receive()])

    call(app, body=b"body")
    assert seen == [{"type": "http.request", "body": b"body", "more_body": False}, DISCONNECT]


def test_receive_after_the_body_waits_until_the_answer_is_complete(call: Call) -> None:
    order: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            order.append((await receive())["type"])

        await receive()
        listener = asyncio.create_task(listen())
        await asyncio.sleep(0.001)
        order.append("start")
        await send(start())
        await asyncio.sleep(0.001)
        order.append("part")
        await send(chunk(b"part", more_body=True))
        await asyncio.sleep(0.001)
        order.append("last")
        await send(chunk())
        await listener

    assert call(app).body == b"part"
    assert order == ["start", "part", "last", "http.disconnect"]


def test_disconnect_comes_as_often_as_it_is_asked_for(call: Call) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await respond(send)
        seen.extend([await receive() for _ in range(5)])
        seen.extend(await asyncio.gather(*[receive() for _ in range(3)]))

    call(app)
    assert seen == [DISCONNECT] * 8


def test_disconnect_messages_are_not_shared(call: Call) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await respond(send)
        (await receive())["type"] = "changed"
        seen.append(await receive())

    call(app)
    assert seen == [DISCONNECT]


def test_every_waiting_receiver_is_told_of_the_disconnect(call: Call) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        receivers = [asyncio.ensure_future(receive()) for _ in range(4)]
        await asyncio.sleep(0.001)
        receivers[1].cancel()
        await asyncio.sleep(0.001)
        assert [receiver.done() for receiver in receivers] == [False, True, False, False]
        receivers[2].cancel()  # its cancellation is still on its way when the answer completes
        await respond(send)
        results = await asyncio.gather(*receivers, return_exceptions=True)
        assert [type(result) for result in results[1:3]] == [asyncio.CancelledError] * 2
        seen.extend([results[0], results[3]])  # type: ignore[list-item]

    assert call(app).status == 200
    assert seen == [DISCONNECT, DISCONNECT]


def test_receive_that_timed_out_can_be_asked_again(call: Call) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(receive(), 0.001)
        await respond(send)
        seen.append(await receive())

    assert call(app).status == 200
    assert seen == [DISCONNECT]


@pytest.mark.parametrize(
    "messages", [[], [start()], WHOLE], ids=["no answer", "half an answer", "an answer"]
)
def test_receiver_left_behind_is_told_of_the_disconnect(
    call: Call, messages: Sequence[Message]
) -> None:
    """Whether or not there was an answer: the request is over when the application returns."""
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def listen() -> None:
            seen.append(await receive())

        await receive()
        task = asyncio.create_task(listen())
        task.add_done_callback(lambda _: None)
        await asyncio.sleep(0)
        for message in messages:
            await send(message)
        listeners.append(task)

    listeners: list[asyncio.Task[None]] = []
    call(app)
    call(_suspending)  # the loop of the process gets a few more rounds
    assert seen == [DISCONNECT]


async def _suspending(scope: Scope, receive: Receive, send: Send) -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    await respond(send)


# --- after the answer -----------------------------------------------------------------------------


def test_work_after_the_answer_is_run_to_its_end(call: Call) -> None:
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"first")
        await asyncio.sleep(0.001)
        done.append("slept")
        await asyncio.get_running_loop().run_in_executor(None, done.append, "in a thread")

    assert call(app) == Answer(200, PLAIN, body=b"first")
    assert done == ["slept", "in a thread"]


# --- the log --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (WHOLE, None),
        (WHOLE, Failed("after")),
        ([start(), chunk(b"a", more_body=True), chunk(b"b")], None),
        ([], None),
        ([], Failed("before")),
        ([start()], Failed("mid")),
    ],
    ids=["answer", "late error", "two chunks", "no answer", "error", "error in the middle"],
)
def test_one_info_line_per_request_at_most(
    call: Call, caplog: pytest.LogCaptureFixture, sent: Sequence[Message], error: Failed | None
) -> None:
    caplog.set_level(logging.INFO)
    call(sending(sent, error))
    assert len([it for it in logged(caplog, logging.INFO) if it.levelno == logging.INFO]) <= 1


def test_info_line_tells_method_path_and_status(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    call(hello)
    assert [it.getMessage() for it in logged(caplog, logging.INFO)] == ["GET / 200"]


@pytest.mark.parametrize("edition", ["classic", "2026"])
def test_one_info_line_per_request_with_a_lifespan(
    caplog: pytest.LogCaptureFixture, edition: Any
) -> None:
    caplog.set_level(logging.INFO)
    handler = Mangum(Diary(), edition=edition)
    for _ in range(2):
        handler(http_v2_event(path="/a"), lambda_context())
    handler.shutdown()
    assert [it.getMessage() for it in logged(caplog, logging.INFO)] == ["GET /a 200"] * 2


def test_successful_request_says_nothing_at_warning(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    call(hello)
    assert logged(caplog) == []


@pytest.mark.parametrize("char", [b"\r", b"\n", b"\0"])
@pytest.mark.parametrize("place", ["name", "value"])
def test_header_that_would_split_the_answer_is_refused(
    char: bytes, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, value = (b"x" + char + b"y", b"z") if place == "name" else (b"x", b"y" + char + b"z")
    answer = call_handler(sending([start(200, [(name, value)]), chunk(b"")]))
    assert answer.status == 500
    assert "line break or a zero byte in a header" in caplog.text
