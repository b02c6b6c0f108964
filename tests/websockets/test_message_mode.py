"""The mode "message": each message is a connection of its own for the application, as it was in
mangum 0.9 and 0.12."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from mangum.exceptions import MessageRefused, UnexpectedMessage, UnknownConnection, WebSocketError
from mangum.types import ASGI, Message, Receive, Scope, Send
from mangum.websockets.gateway import MAX_MESSAGE_BYTES
from tests.apps import Diary
from tests.builders import API_HOST, CLIENT_IP, lambda_context, websocket_event
from tests.websockets.connections import Connections
from tests.websockets.harness import (
    ACCEPT,
    API,
    CLOSE,
    DISCONNECTED,
    MOMENT_S,
    Client,
    Counter,
    Script,
    sending,
    status_of,
    text,
    waiting_tasks,
)

EVENTS = Path(__file__).parent.parent / "events" / "apigw-websocket"
MODE = "message"
NOT_UTF8 = b"\xff\xfe"


def recorded_event(name: str) -> Any:
    return json.loads((EVENTS / f"mangum-old-ws-{name}.json").read_text(encoding="utf-8"))


def said(value: str) -> Message:
    """With both keys, as it was."""
    return {"type": "websocket.receive", "bytes": None, "text": value}


def connected(api: API, app: ASGI, **options: Any) -> Client:
    client = api.client(api.serve(app, MODE, **options))
    assert client.connect() == {"statusCode": 200}
    return client


# --- what mangum 0.12.4 was seen to do ------------------------------------------------------------

BROWSER = (
    b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_5) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/75.0.3770.100 Safari/537.36"
)
SCOPE_OF_0_12: Scope = {
    "type": "websocket",
    "http_version": "1.1",
    "headers": [
        [b"accept-encoding", b"gzip, deflate, br"],
        [b"accept-language", b"en-US,en;q=0.9"],
        [b"cache-control", b"no-cache"],
        [b"host", b"test.execute-api.ap-southeast-1.amazonaws.com"],
        [b"origin", b"https://test.execute-api.ap-southeast-1.amazonaws.com"],
        [b"pragma", b"no-cache"],
        [b"sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"],
        [b"sec-websocket-key", b"bnfeqmh9SSPr5Sg9DvFIBw=="],
        [b"sec-websocket-version", b"13"],
        [b"user-agent", BROWSER],
        [b"x-amzn-trace-id", b"Root=1-5d465cb6-78ddcac1e21f89203d004a89"],
        [b"x-forwarded-for", b"192.168.100.1"],
        [b"x-forwarded-port", b"443"],
        [b"x-forwarded-proto", b"https"],
    ],
    "path": "/",
    "raw_path": None,
    "root_path": "",
    "scheme": "https",
    "query_string": b"",
    "server": ("test.execute-api.ap-southeast-1.amazonaws.com", 443),
    "client": ("192.168.100.1", 0),
    "asgi": {"version": "3.0"},
    "subprotocols": [],
    "aws.eventType": "AWS_WS_GATEWAY",
}
CONNECTED = {"type": "websocket.connect"}
OVER = {"type": DISCONNECTED, "code": 1000}
WHOLE = [
    {"type": "websocket.accept", "subprotocol": None},
    {"type": "websocket.send", "text": "Hello world!"},
    {"type": "websocket.close", "code": 1000},
]
TEXT = '{"action": "sendmessage", "data": "Hello world"}'

RECORDED: dict[str, tuple[str, list[Any], int, list[Any]]] = {
    "closes instead of accepting": ("message", [CLOSE], 403, [CONNECTED]),
    "answers and closes": ("message", WHOLE, 200, [CONNECTED, said(TEXT), OVER]),
    "sends no text": (
        "message",
        [ACCEPT, {"type": "websocket.send", "body": "bWFuZ3Vt="}],
        500,
        [CONNECTED, said(TEXT)],
    ),
    "sends what it may not": (
        "message",
        [{"type": "websocket.oops", "subprotocol": None}],
        500,
        [CONNECTED],
    ),
    "answers a message without a body": (
        "message-no-body",
        WHOLE,
        200,
        [CONNECTED, said(""), OVER],
    ),
    "answers a message in base64": (
        "message-base64",
        WHOLE,
        200,
        [CONNECTED, said("mangum"), OVER],
    ),
}
"""The event, what the application sends between its calls of `receive()`, the status of the answer,
and what the application gets."""


@pytest.mark.parametrize("name", RECORDED)
def test_an_application_sees_and_answers_what_it_did_with_mangum_0_12(api: API, name: str) -> None:
    event, messages, status, expected = RECORDED[name]
    got: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        for message in messages:
            if len(got) < len(expected):
                got.append(await receive())
            await send(message)
            if message["type"] == "websocket.send" and len(got) < len(expected):
                got.append(await receive())

    scopes: list[Scope] = []
    handler = api.serve(app, MODE)
    context = lambda_context()
    assert handler(recorded_event("connect"), context) == {"statusCode": 200}
    assert scopes == []
    sent = recorded_event(event)
    assert handler(sent, context) == {"statusCode": status}
    assert got == expected
    assert scopes == [{**SCOPE_OF_0_12, "aws.event": sent, "aws.context": context}]
    assert scopes[0]["aws.event"] is sent
    assert scopes[0]["aws.context"] is context
    assert handler(recorded_event("disconnect"), context) == {"statusCode": 200}
    assert api.records() == []


def test_query_string_and_repeated_headers_are_kept(api: API) -> None:
    app = Script()
    client = api.client(api.serve(app, MODE))
    client.connect(
        query=[("token", "a b"), ("room", "1"), ("room", "ü")],
        headers=[("X-Id", "1"), ("X-Id", "2")],
    )
    client.say("hello")
    (scope,) = app.scopes
    assert scope["query_string"] == b"token=a+b&room=1&room=%C3%BC"
    assert [value for name, value in scope["headers"] if name == b"x-id"] == [b"1", b"2"]


def test_scope_is_that_of_the_handshake_with_the_event_of_the_message(api: API) -> None:
    app = Script()
    client = connected(api, app)
    client.say("hello")
    (scope,) = app.scopes
    assert [value for name, value in scope["headers"] if name == b"host"] == [API_HOST.encode()]
    assert scope["client"] == (CLIENT_IP, 0)
    assert scope["aws.event"]["body"] == "hello"
    assert "state" not in scope


def test_subprotocols_are_not_offered_when_the_handshake_is_over(api: API) -> None:
    app = Script()
    client = api.client(api.serve(app, MODE))
    client.connect(headers=[("Sec-WebSocket-Protocol", "graphql-ws")])
    client.say("hello")
    (scope,) = app.scopes
    assert scope["subprotocols"] == []
    assert b"sec-websocket-protocol" not in dict(scope["headers"])


@pytest.mark.parametrize("lifespan_scope", ["invocation", "environment"])
def test_state_of_the_lifespan_is_in_the_scope(api: API, lifespan_scope: str) -> None:
    class App(Diary):
        async def start(self, scope: Scope, send: Send) -> None:
            scope["state"]["pool"] = "open"
            await super().start(scope, send)

        async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            self.events.append(scope["state"]["pool"])
            await Script()(scope, receive, send)

    app = App()
    client = connected(api, app, lifespan="auto", lifespan_scope=lifespan_scope)
    client.say("hello")
    assert app.events.count("open") == 1


# --- the events -----------------------------------------------------------------------------------


def test_connect_stores_the_scope_and_does_not_run_the_application(api: API) -> None:
    app = Script()
    client = connected(api, app)
    assert client.has_record
    assert app.scopes == []


def test_disconnect_removes_the_record_and_does_not_run_the_application(api: API) -> None:
    app = Script()
    client = connected(api, app)
    assert client.leave(1001, "Going away") == {"statusCode": 200}
    assert not client.has_record
    assert app.scopes == []


def test_disconnect_of_a_connection_without_a_record_is_answered_too(api: API) -> None:
    assert api.client(api.serve(Script(), MODE)).leave() == {"statusCode": 200}


def test_message_on_an_unknown_connection_is_an_error(api: API) -> None:
    app = Script()
    with pytest.raises(UnknownConnection):
        api.client(api.serve(app, MODE)).say("hello")
    assert issubclass(UnknownConnection, WebSocketError)
    assert app.scopes == []


def test_any_environment_serves_a_connection(api: API) -> None:
    client = api.client(*(api.serve(Counter(), MODE) for _ in range(3)))
    client.connect()
    for number in range(5):
        assert client.say(str(number)) == {"statusCode": 200}
    assert client.texts == ["1 0", "1 1", "1 2", "1 3", "1 4"]


def test_each_message_is_a_connection_of_its_own(api: API) -> None:
    app = Counter()
    client = connected(api, app)
    client.say("a")
    client.say("b")
    connection = ["websocket.connect", "…", OVER, "end"]
    assert [it if it not in (said("a"), said("b")) else "…" for it in app.seen] == connection * 2
    assert waiting_tasks() == []


# --- what the application does --------------------------------------------------------------------


def test_application_that_closes_instead_of_accepting_refuses_the_client(api: API) -> None:
    client = connected(api, sending(CLOSE))
    assert client.say("hello") == {"statusCode": 403}
    assert (client.is_deleted, client.has_record) == (True, False)


def test_application_that_closes_after_accepting_ends_the_connection(api: API) -> None:
    client = connected(api, sending(ACCEPT, text("bye"), {**CLOSE, "code": 4000}))
    assert client.say("hello") == {"statusCode": 200}
    assert (client.texts, client.is_deleted) == (["bye"], True)
    assert client.leave() == {"statusCode": 200}
    assert not client.has_record


@pytest.mark.parametrize("messages", [[], [ACCEPT], [ACCEPT, text("sent")]])
def test_exception_of_the_application_is_logged_once_and_answers_500(
    api: API, messages: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    client = connected(api, sending(*messages, error=RuntimeError("broken")))
    assert client.say("hello") == {"statusCode": 500}
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert ["RuntimeError: broken" in (record.exc_text or "") for record in errors] == [True]
    assert client.texts == ["sent"][: len(messages) - 1 if messages else 0]
    assert client.has_record  # the client may send another one


def test_exception_of_the_application_reaches_lambda_by_choice(api: API) -> None:
    client = connected(api, sending(error=RuntimeError("broken")), raise_exceptions=True)
    with pytest.raises(RuntimeError, match="broken"):
        client.say("hello")


def test_unexpected_message_reaches_lambda_by_choice(api: API) -> None:
    client = connected(api, sending(text("too early")), raise_exceptions=True)
    with pytest.raises(UnexpectedMessage, match=r"'websocket\.send' in state HANDSHAKE"):
        client.say("hello")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_exit_is_passed_on(api: API, error: BaseException) -> None:
    client = connected(api, sending(ACCEPT, error=error))
    with pytest.raises(type(error)):
        client.say("hello")
    client = api.client(api.serve(Counter(), MODE), connection_id="next")
    client.connect()
    assert client.say("works") == {"statusCode": 200}
    assert client.texts == ["1 works"]


def test_application_that_answers_nothing_gets_its_disconnect(api: API) -> None:
    app = Script()
    client = connected(api, app)
    assert client.say("hello") == {"statusCode": 200}
    assert app.seen == ["websocket.connect", said("hello"), OVER, "end"]


def test_application_that_never_asks_for_the_message_is_answered_too(api: API) -> None:
    client = connected(api, sending(ACCEPT, text("hello")))
    assert client.say("unheard") == {"statusCode": 200}
    assert client.texts == ["hello"]


def test_application_that_never_accepts_ends_with_the_invocation(
    api: API, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            await receive()

    client = connected(api, app)
    assert client.say("hello", remaining_time_ms=50) == {"statusCode": 200}
    assert waiting_tasks() == []


def test_everything_that_it_sends_arrives_in_order(api: API) -> None:
    async def answer(message: Message, send: Send) -> None:
        for number in range(20):
            await send(text(str(number)))

    client = connected(api, Script(answer))
    assert client.say("hello") == {"statusCode": 200}
    assert client.texts == [str(number) for number in range(20)]


def test_what_it_sends_after_the_disconnect_arrives_too(api: API) -> None:
    """The client has not left: only this call of the application ends."""
    app = sending(ACCEPT)

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        while (await receive())["type"] != DISCONNECTED:
            pass
        await send(text("late"))

    client = connected(api, late)
    assert client.say("hello") == {"statusCode": 200}
    assert client.texts == ["late"]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_status_of_success_is_success(api: API, service: Connections, status: int) -> None:
    client = connected(api, Counter())
    service.statuses[client.connection_id] = status
    assert client.say("hello") == {"statusCode": 200}


def test_failure_of_the_gateway_is_raised_to_the_application(
    api: API, service: Connections
) -> None:
    raised: list[Exception] = []

    async def answer(message: Message, send: Send) -> None:
        try:
            await send(text("hello"))
        except WebSocketError as exc:
            raised.append(exc)
            raise

    client = connected(api, Script(answer))
    service.statuses[client.connection_id] = 403
    assert client.say("hello") == {"statusCode": 500}
    assert "403 ForbiddenException" in str(raised[0])
    assert client.has_record


def test_client_that_has_gone_is_no_error_and_its_record_is_removed(
    api: API, service: Connections
) -> None:
    client = connected(api, app := Counter())
    service.gone.add(client.connection_id)
    assert client.say("hello") == {"statusCode": 200}
    assert not client.has_record
    assert app.seen[-1] == "end"


# --- text and bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Zürich 🚀 \x00", said("Zürich 🚀 \x00")),
        ("", said("")),
        (None, said("")),
        ("Zürich".encode(), said("Zürich")),
        (b"", said("")),
        (NOT_UTF8, {"type": "websocket.receive", "bytes": NOT_UTF8, "text": None}),
    ],
    ids=repr,
)
def test_body_arrives_as_text_and_as_bytes_where_it_is_none(
    api: API, body: str | bytes | None, message: Message
) -> None:
    app = Script()
    client = connected(api, app)
    assert client.say(body) == {"statusCode": 200}
    assert app.seen[1] == message


def test_invalid_base64_is_a_bad_request(api: API) -> None:
    app = Script()
    client = connected(api, app)
    event = {**websocket_event(body="a"), "isBase64Encoded": True}
    result = client.environments[0](event, lambda_context())
    assert status_of(result) == 400
    assert app.seen == []


@pytest.mark.parametrize(
    ("message", "binary", "expected"),
    [
        ({"bytes": b"text"}, "error", "text"),
        ({"bytes": "Zürich".encode(), "text": None}, "error", "Zürich"),
        ({"bytes": None, "text": "text"}, "error", "text"),
        ({"bytes": b"text"}, "base64", "text"),
        ({"bytes": NOT_UTF8}, "base64", "//4="),
    ],
    ids=repr,
)
def test_bytes_are_sent_as_the_text_that_they_are_or_as_base64(
    api: API, message: Any, binary: str, expected: str
) -> None:
    client = connected(
        api, sending(ACCEPT, {"type": "websocket.send", **message}), websocket_binary=binary
    )
    assert client.say("hello") == {"statusCode": 200}
    assert client.texts == [expected]


@pytest.mark.parametrize(
    "message",
    [{"bytes": NOT_UTF8}, {"text": "x" * (MAX_MESSAGE_BYTES + 1)}, {"text": "ü" * 65537}],
    ids=["bytes that are no text", "too long", "too long as UTF-8"],
)
def test_message_that_cannot_be_delivered_is_refused_before_anything_is_sent(
    api: API, service: Connections, message: Any
) -> None:
    raised: list[Exception] = []

    async def answer(_: Message, send: Send) -> None:
        with pytest.raises(MessageRefused) as caught:
            await send({"type": "websocket.send", **message})
        raised.append(caught.value)
        await send(text("refused"))

    client = connected(api, Script(answer))
    assert client.say("hello") == {"statusCode": 200}
    assert (client.texts, len(service.requests), len(raised)) == (["refused"], 1, 1)


# --- applications that receive in a task of their own ---------------------------------------------


class InnerTask(Script):
    """As Quart does: one task receives, and fills a queue that the handler reads; whichever ends
    first ends the other one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        queue: asyncio.Queue[str] = asyncio.Queue()
        await receive()

        async def take() -> None:
            while (message := await receive())["type"] != DISCONNECTED:
                queue.put_nowait(message["text"])
            self.seen.append("disconnect")

        async def handle() -> None:
            try:
                while True:
                    value = await queue.get()
                    await asyncio.sleep(MOMENT_S)
                    await send(text(value))
                    await asyncio.sleep(MOMENT_S)
                    self.seen.append("answered")
            except asyncio.CancelledError:
                self.seen.append("cancelled")
                raise

        await send(ACCEPT)
        tasks = [asyncio.ensure_future(take()), asyncio.ensure_future(handle())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def test_task_that_receives_sees_the_disconnect_when_the_message_is_dealt_with(api: API) -> None:
    app = InnerTask()
    client = connected(api, app)
    assert client.say("hello") == {"statusCode": 200}
    assert client.texts == ["hello"]
    assert app.seen == ["answered", "disconnect", "cancelled"]
    assert waiting_tasks() == []


def test_work_of_a_task_that_the_application_leaves_behind_is_waited_for(api: API) -> None:
    tasks: set[Any] = set()

    async def answer(message: Message, send: Send) -> None:
        async def later() -> None:
            await asyncio.sleep(MOMENT_S)
            await send(text("later"))

        tasks.add(asyncio.ensure_future(later()))

    client = connected(api, Script(answer))
    assert client.say("hello") == {"statusCode": 200}
    assert client.texts == ["later"]


def test_application_that_is_at_work_too_long_is_ended_in_time(
    api: API, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(message: Message, send: Send) -> None:
        await send(text("begun"))
        await asyncio.Event().wait()

    app = Script(answer)
    client = connected(api, app)
    assert client.say("hello", remaining_time_ms=100) == {"statusCode": 200}
    assert (client.texts, app.seen[-1]) == (["begun"], "end")
    assert "was still at work" in caplog.text
    assert waiting_tasks() == []
