"""The mode "session": the application sees one connection, as on a server, whatever the environment
that serves its events."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from typing import Any

import pytest

from mangum import Mangum, backends
from mangum.backends.base import LIFETIME_S, Record, WebSocketBackend
from mangum.exceptions import (
    ConfigurationError,
    ConnectionGone,
    MessageRefused,
    UnexpectedMessage,
    UnknownConnection,
    WebSocketError,
)
from mangum.protocols.loop import get_loop
from mangum.protocols.websockets import WebSocketCycle
from mangum.types import ASGI, Message, Receive, Scope, Send
from mangum.websockets import engine
from mangum.websockets.gateway import MAX_MESSAGE_BYTES
from tests.apps import Diary
from tests.builders import API_HOST, CLIENT_IP, CONNECTION_ID, lambda_context, websocket_event
from tests.processes import output_of
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
    left,
    parked,
    said,
    sending,
    sessions,
    status_of,
    text,
    waiting_tasks,
)

OK = {"statusCode": 200}
CONNECTED = {"type": "websocket.connect"}
NOT_UTF8 = b"\xff\xfe"
BINARY: Message = {"type": "websocket.receive", "bytes": NOT_UTF8}
RAISES: dict[str, Any] = {"raise_exceptions": True}

environments = pytest.mark.parametrize("count", [1, 2, 3], ids=["resumed", "replayed", "of three"])
"""How many environments the events of a client go to in turn."""


def client_of(api: API, app: ASGI, count: int = 1, **options: Any) -> Client:
    return api.client(*(api.serve(app, **options) for _ in range(count)))


def connected(api: API, app: ASGI, count: int = 1, **options: Any) -> Client:
    client = client_of(api, app, count, **options)
    assert status_of(client.connect()) == 200
    return client


# --- the handshake --------------------------------------------------------------------------------


def test_acceptance_answers_200(api: API) -> None:
    app = Script()
    client = client_of(api, app)
    assert client.connect() == OK
    assert client.has_record
    assert app.seen == ["websocket.connect"]


def test_subprotocol_is_in_the_answer(api: API) -> None:
    client = client_of(api, Script(subprotocol="graphql-ws"))
    result = client.connect(headers=[("Sec-WebSocket-Protocol", "chat, graphql-ws")])
    assert result == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "graphql-ws"}}


def test_headers_of_the_acceptance_are_in_the_answer(api: API) -> None:
    client = client_of(
        api, Script(headers=[(b"X-Server", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")])
    )
    assert client.connect() == {
        "statusCode": 200,
        "headers": {"x-server": "1"},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
    }


@pytest.mark.parametrize("asks_first", [True, False])
def test_close_instead_of_acceptance_answers_403(api: API, asks_first: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if asks_first:
            await receive()
        await send(CLOSE)
        later.append(await receive())

    later: list[Any] = []
    client = client_of(api, app)
    assert client.connect() == {"statusCode": 403}
    assert (client.has_record, client.is_deleted) == (False, False)  # it has never been open
    assert later == [left(1006) if asks_first else CONNECTED]
    assert waiting_tasks() == []


def test_denial_is_the_answer(api: API) -> None:
    app = sending(
        {
            "type": "websocket.http.response.start",
            "status": 401,
            "headers": [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")],
        },
        {"type": "websocket.http.response.body", "body": b'{"error":', "more_body": True},
        {"type": "websocket.http.response.body", "body": b' "no"}'},
    )
    client = client_of(api, app)
    assert client.connect() == {
        "statusCode": 401,
        "headers": {"content-type": "application/json", "www-authenticate": "Bearer"},
        "body": '{"error": "no"}',
    }
    assert not client.has_record


@pytest.mark.parametrize("status", [200, 204, 299])
def test_denial_that_would_accept_is_a_403(api: API, status: int) -> None:
    app = sending(
        {"type": "websocket.http.response.start", "status": status, "headers": []},
        {"type": "websocket.http.response.body", "body": b""},
    )
    client = client_of(api, app)
    assert client.connect() == {"statusCode": 403}
    assert not client.has_record


def test_denial_is_offered_in_the_scope(api: API) -> None:
    app = Script()
    client_of(api, app).connect()
    assert app.scopes[0]["extensions"] == {"websocket.http.response": {}}


@pytest.mark.parametrize(
    "app",
    [
        sending(),
        sending(error=RuntimeError("broken")),
        sending(ACCEPT, error=RuntimeError("broken")),
        sending({"type": "websocket.http.response.start", "status": 401, "headers": []}),
        sending(text("too early")),
    ],
    ids=[
        "returns",
        "raises",
        "raises after accepting",
        "begins to deny",
        "sends what it may not",
    ],
)
def test_application_that_does_not_shake_hands_answers_500(
    api: API, app: ASGI, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(api, app)
    assert client.connect() == {"statusCode": 500}
    assert not client.has_record
    assert [it for it in caplog.records if it.levelno >= logging.ERROR] != []
    assert waiting_tasks() == []


@pytest.mark.parametrize("last", [[], [CLOSE]], ids=["returns", "closes"])
def test_application_that_ends_within_the_handshake_refuses_the_client(
    api: API, last: list[Message], caplog: pytest.LogCaptureFixture
) -> None:
    """What it sends cannot be delivered: posting within the handshake is a 410."""
    client = client_of(api, sending(ACCEPT, text("hello"), *last))
    assert client.connect() == {"statusCode": 403}
    assert (client.has_record, client.texts) == (False, [])
    assert "1 message(s) to it are dropped" in caplog.text


def test_application_that_does_not_accept_in_time_answers_500(api: API) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    client = client_of(api, app)
    assert client.connect(remaining_time_ms=50) == {"statusCode": 500}
    assert not client.has_record
    assert waiting_tasks() == []


def test_scope_is_that_of_a_server(api: API) -> None:
    app = Script()
    client = client_of(api, app, websocket_path="ws", root_path="/prod")
    context = lambda_context()
    event = websocket_event(
        event_type="CONNECT",
        query=[("token", "a b"), ("token", "c")],
        headers=[("Sec-WebSocket-Protocol", "chat, graphql-ws"), ("X-Id", "1"), ("X-Id", "2")],
    )
    client.environments[0](event, context)
    (scope,) = app.scopes
    headers = scope.pop("headers")
    assert scope == {
        "type": "websocket",
        "http_version": "1.1",
        "path": "/ws",
        "raw_path": b"/ws",
        "root_path": "/prod",
        "scheme": "wss",
        "query_string": b"token=a+b&token=c",
        "server": (API_HOST, 443),
        "client": (CLIENT_IP, 0),
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "subprotocols": ["chat", "graphql-ws"],
        "extensions": {"websocket.http.response": {}},
        "aws.event": event,
        "aws.context": context,
        "aws.eventType": "AWS_WS_GATEWAY",
        "aws.connection_id": CONNECTION_ID,
        "aws.groups": client.environments[0].groups,
    }
    assert scope["aws.event"] is event
    assert scope["aws.context"] is context
    assert [[name, value] for name, value in headers if name[:5] in (b"sec-w", b"x-id")] == [
        [b"sec-websocket-protocol", b"chat, graphql-ws"],
        [b"x-id", b"1"],
        [b"x-id", b"2"],
    ]


def test_replayed_session_has_the_scope_of_its_handshake(api: API) -> None:
    app = Script()
    client = client_of(api, app, 2, websocket_path="/ws")
    client.connect(
        query=[("token", "ü")], headers=[("Sec-WebSocket-Protocol", "chat"), ("X-Id", "é")]
    )
    client.say("hello")
    first, second = app.scopes
    assert second["aws.event"]["body"] == "hello"
    own = ("aws.event", "aws.context", "aws.groups")
    plain = [{key: value for key, value in it.items() if key not in own} for it in app.scopes]
    for scope in plain:
        scope["headers"] = [[*pair] for pair in scope["headers"]]
    assert plain[0] == plain[1]
    assert first["extensions"] is not second["extensions"]


# --- messages -------------------------------------------------------------------------------------


@environments
def test_greeting_is_kept_until_the_connection_is_open_and_delivered_once(
    api: API, count: int
) -> None:
    client = connected(api, Counter("welcome", "to the room"), count)
    assert client.texts == []
    assert client.say("a") == OK
    assert client.texts == ["welcome", "to the room", "1 a"]
    client.say("b")
    assert client.texts[:3] == ["welcome", "to the room", "1 a"]
    assert len(client.texts) == 4


def test_session_goes_on_with_the_next_event(api: API) -> None:
    client = connected(api, app := Counter())
    for value in "abc":
        assert client.say(value) == OK
    assert client.texts == ["1 a", "2 b", "3 c"]
    assert len(app.scopes) == 1
    assert client.leave(1001, "Going away") == OK
    assert app.seen == [
        "websocket.connect",
        said("a"),
        said("b"),
        said("c"),
        left(1001, "Going away"),
        "end",
    ]
    assert (client.has_record, waiting_tasks()) == (False, [])


def test_session_that_another_environment_has_served_since_is_replayed(api: API) -> None:
    """What the application counts in its session begins anew: it lives in the environment."""
    apps = [Counter("welcome"), Counter("welcome")]
    client = api.client(*(api.serve(app) for app in apps))
    client.connect()
    for value in "abcd":
        assert client.say(value) == OK
    assert client.texts == ["welcome", "1 a", "1 b", "1 c", "1 d"]
    assert [len(app.scopes) for app in apps] == [3, 2]


def test_session_is_resumed_as_long_as_no_other_environment_steps_in(api: API) -> None:
    first, second = api.serve(Counter()), api.serve(Counter())
    client = api.client(first, first, first, second, second, second, first)
    client.connect()
    for value in "abcdef":
        client.say(value)
    assert client.texts == ["1 a", "2 b", "1 c", "2 d", "3 e", "1 f"]


@environments
def test_any_number_of_messages_is_sent_in_order(api: API, count: int) -> None:
    async def answer(message: Message, send: Send) -> None:
        for number in range(int(message["text"])):
            await send(text(str(number)))

    client = connected(api, Script(answer), count)
    for number in (0, 1, 30):
        assert client.say(str(number)) == OK
    assert client.texts == ["0", *(str(number) for number in range(30))]


@environments
def test_application_that_answers_nothing_returns_at_once(api: API, count: int) -> None:
    client = connected(api, app := Script(), count)
    for value in "abc":
        assert client.say(value) == OK
    assert [it for it in app.seen if isinstance(it, dict)] == [said("a"), said("b"), said("c")]
    assert client.texts == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Zürich 🚀 \x00", said("Zürich 🚀 \x00")),
        (None, said("")),
        (b"text", said("text")),
        (NOT_UTF8, BINARY),
    ],
    ids=repr,
)
@environments
def test_body_arrives_as_text_and_as_bytes_where_it_is_none(
    api: API, count: int, body: str | bytes | None, message: Message
) -> None:
    client = connected(api, app := Script(), count)
    assert client.say(body) == OK
    assert [it for it in app.seen if isinstance(it, dict)] == [message]


def test_invalid_base64_is_a_bad_request_and_the_session_goes_on(api: API) -> None:
    client = connected(api, Counter())
    event = {**websocket_event(body="a"), "isBase64Encoded": True}
    assert status_of(client.environments[0](event, lambda_context())) == 400
    assert client.say("b") == OK
    assert client.texts == ["1 b"]


@pytest.mark.parametrize(
    ("message", "binary", "expected"),
    [
        ({"bytes": b"text"}, "error", "text"),
        ({"bytes": NOT_UTF8}, "base64", "//4="),
        ({"bytes": b"text"}, "base64", "text"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("held", [True, False], ids=["in the handshake", "later"])
def test_bytes_are_sent_as_the_text_that_they_are_or_as_base64(
    api: API, message: Any, binary: str, expected: str, held: bool
) -> None:
    class App(Script):
        async def begin(self, send: Send) -> None:
            await super().begin(send)
            if held:
                await send({"type": "websocket.send", **message})

    async def answer(_: Message, send: Send) -> None:
        if not held:
            await send({"type": "websocket.send", **message})

    client = connected(api, App(answer), websocket_binary=binary)
    assert client.say("hello") == OK
    assert client.texts == [expected]


@pytest.mark.parametrize(
    "message",
    [{"bytes": NOT_UTF8}, {"text": "x" * (MAX_MESSAGE_BYTES + 1)}, {"text": "\ud800"}],
    ids=["bytes that are no text", "too long", "a surrogate"],
)
@pytest.mark.parametrize("held", [True, False], ids=["in the handshake", "later"])
def test_message_that_cannot_be_delivered_is_refused_before_anything_is_sent(
    api: API, service: Connections, message: Any, held: bool
) -> None:
    async def attempt(send: Send) -> None:
        with pytest.raises(MessageRefused):
            await send({"type": "websocket.send", **message})
        await send(text("refused"))

    class App(Script):
        async def begin(self, send: Send) -> None:
            await super().begin(send)
            if held:
                await attempt(send)

    async def answer(_: Message, send: Send) -> None:
        if not held:
            await attempt(send)

    client = connected(api, App(answer))
    assert client.say("hello") == OK
    assert (client.texts, len(service.requests)) == (["refused"], 1)


def test_more_than_can_be_kept_in_the_handshake_is_refused(api: API) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await send(text("a" * MAX_MESSAGE_BYTES))
        await send(text("b" * MAX_MESSAGE_BYTES))
        with pytest.raises(MessageRefused, match="before the connection is open"):
            await send(text("c"))
        await receive()

    assert client_of(api, app, **RAISES).connect() == OK


# --- the end --------------------------------------------------------------------------------------


@environments
@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (1001, "Going away", left(1001, "Going away")),
        (4000, None, left(4000)),
        (None, None, left(1005)),
        (0, "", left(1005)),
        (
            None,
            "Client-side close frame status not set",
            left(1005, "Client-side close frame status not set"),
        ),
    ],
)
def test_disconnect_has_the_code_and_the_reason(
    api: API, count: int, code: int | None, reason: str | None, expected: Message
) -> None:
    client = connected(api, app := Script(), count)
    client.say("hello")
    assert client.leave(code, reason) == OK
    assert app.seen[-2:] == [expected, "end"]
    assert not client.has_record
    assert [parked(handler) for handler in client.environments][client.turn % count - 1] == []


@environments
def test_disconnect_before_any_message(api: API, count: int) -> None:
    client = connected(api, app := Counter("welcome"), count)
    assert client.leave(1000) == OK
    assert app.seen[-2:] == [left(1000), "end"]
    assert (client.texts, api.records()) == ([], [])


@environments
def test_what_is_sent_to_a_client_that_has_left_raises(api: API, count: int) -> None:
    raised: list[Any] = []

    class App(Script):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            with pytest.raises(OSError, match="has left") as caught:
                await send(text("bye"))
            raised.append(caught.value)
            await send(CLOSE)
            assert await receive() == left(1000)

    client = connected(api, App(), count, **RAISES)
    assert client.leave(1000) == OK
    assert [type(it) for it in raised] == [ConnectionGone]
    assert (client.texts, client.is_deleted) == ([], False)


@environments
def test_client_that_vanishes_ends_the_session(api: API, service: Connections, count: int) -> None:
    raised: list[BaseException] = []

    async def answer(message: Message, send: Send) -> None:
        with pytest.raises(ConnectionGone) as caught:
            await send(text("hello"))
        raised.append(caught.value)
        with pytest.raises(OSError, match="left"):
            await send(text("again"))

    client = connected(api, app := Script(answer), count)
    service.gone.add(client.connection_id)
    assert client.say("hello") == OK
    assert [isinstance(it, OSError) for it in raised] == [True]
    assert app.seen[-2:] == [left(1006), "end"]
    assert not client.has_record
    assert len(service.requests) == 1
    assert client.leave() == OK


@environments
def test_client_that_vanishes_before_the_greeting_ends_the_session(
    api: API, service: Connections, count: int
) -> None:
    class App(Script):
        async def begin(self, send: Send) -> None:
            await super().begin(send)
            await send(text("welcome"))

    client = connected(api, app := App(), count)
    service.gone.add(client.connection_id)
    assert client.say("hello") == OK
    assert app.seen[-2:] == [left(1006), "end"]
    assert not client.has_record


@environments
@pytest.mark.parametrize("closes", [True, False], ids=["closes", "returns"])
def test_application_that_ends_the_connection_deletes_it(
    api: API, count: int, closes: bool
) -> None:
    async def answer(message: Message, send: Send) -> bool:
        await send(text("bye"))
        if closes:
            await send({**CLOSE, "code": 4000, "reason": "enough"})
        return False

    client = connected(api, app := Script(answer), count)
    assert client.say("hello") == OK
    assert (client.texts, client.is_deleted, client.has_record) == (["bye"], True, False)
    assert app.seen[-1] == "end"
    assert status_of(client.say("too late")) == 410
    assert client.leave(1000) == OK
    assert app.seen.count(said("too late")) == 0
    assert waiting_tasks() == []


def test_application_that_goes_on_after_closing_gets_its_disconnect(api: API) -> None:
    got: list[Any] = []

    class App(Script):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send(ACCEPT)
            await receive()
            await send({**CLOSE, "code": 4000})
            got.extend([await receive(), await receive()])
            with pytest.raises(UnexpectedMessage):
                await send(text("after the end"))

    client = connected(api, App(), **RAISES)
    assert client.say("hello") == OK
    assert got == [left(4000), left(4000)]
    assert client.is_deleted


@environments
def test_exception_of_the_application_ends_the_connection(
    api: API, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(message: Message, send: Send) -> None:
        await send(text("before"))
        raise RuntimeError("broken")

    client = connected(api, Script(answer), count)
    assert client.say("hello") == {"statusCode": 500}
    assert (client.texts, client.is_deleted, client.has_record) == (["before"], True, False)
    errors = [it for it in caplog.records if it.levelno >= logging.ERROR]
    assert ["RuntimeError: broken" in (it.exc_text or "") for it in errors] == [True]


@environments
def test_exception_of_the_application_at_the_disconnect_answers_500(api: API, count: int) -> None:
    class App(Script):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(scope, receive, send)
            raise RuntimeError("broken")

    client = connected(api, App(), count)
    assert client.leave() == {"statusCode": 500}
    assert (client.is_deleted, client.has_record) == (False, False)


@pytest.mark.parametrize("event", ["connect", "say", "leave"])
def test_exception_of_the_application_reaches_lambda_by_choice(api: API, event: str) -> None:
    class App(Script):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            if event == "connect":
                raise RuntimeError("broken")
            await send(ACCEPT)
            await receive()
            raise RuntimeError("broken")

    client = client_of(api, App(), **RAISES)
    if event != "connect":
        client.connect()
    arguments = ("hello",) if event == "say" else ()
    with pytest.raises(RuntimeError, match="broken"):
        getattr(client, event)(*arguments)
    assert not client.has_record
    assert waiting_tasks() == []


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
def test_exit_is_passed_on(api: API, error: BaseException) -> None:
    async def answer(message: Message, send: Send) -> None:
        if message["text"] == "exit":
            raise error
        await send(text("works"))

    client = connected(api, Script(answer))
    with pytest.raises(type(error)):
        client.say("exit")
    other = api.client(*client.environments, connection_id="other")
    assert (other.connect(), other.say("hello")) == (OK, OK)
    assert other.texts == ["works"]


def test_application_that_cancels_itself_is_passed_on(api: API) -> None:
    async def answer(message: Message, send: Send) -> None:
        raise asyncio.CancelledError

    client = connected(api, Script(answer))
    with pytest.raises(asyncio.CancelledError):
        client.say("hello")


def test_message_on_an_unknown_connection_answers_410(
    api: API, caplog: pytest.LogCaptureFixture
) -> None:
    app = Script()
    assert status_of(client_of(api, app).say("hello")) == 410
    assert app.scopes == []
    assert "no record" in caplog.text


def test_disconnect_of_an_unknown_connection_is_answered(api: API) -> None:
    app = Script()
    assert client_of(api, app).leave(1000) == OK
    assert app.scopes == []


def test_session_whose_record_has_gone_is_ended(api: API) -> None:
    """Another environment has seen the client off."""
    apps = [Script(), Script()]
    handlers = [api.serve(app) for app in apps]
    api.client(handlers[0]).connect()
    assert parked(handlers[0]) == [CONNECTION_ID]
    api.client(handlers[1]).leave(1000)
    assert status_of(api.client(handlers[0]).say("hello")) == 410
    assert parked(handlers[0]) == []
    assert apps[0].seen == ["websocket.connect", "end"]


# --- work besides ---------------------------------------------------------------------------------


def ticking(ticks: int, pause_s: float = MOMENT_S) -> Any:
    """Starts a task with each message which sends `ticks` messages."""
    tasks = set()

    async def answer(message: Message, send: Send) -> None:
        async def tick() -> None:
            for number in range(ticks):
                await asyncio.sleep(pause_s)
                await send(text(f"{message['text']}{number}"))

        tasks.add(task := asyncio.ensure_future(tick()))
        task.add_done_callback(tasks.discard)

    return answer


@environments
def test_background_task_is_given_the_time_that_it_needs(api: API, count: int) -> None:
    client = connected(api, Script(ticking(3)), count)
    assert client.say("a") == OK
    assert client.texts == ["a0", "a1", "a2"]
    assert client.say("b") == OK
    assert client.texts[3:] == ["b0", "b1", "b2"]


def test_background_task_has_until_shortly_before_the_deadline(api: API) -> None:
    """What it does then waits for the next event, which it shares the time with."""
    client = connected(api, Script(ticking(10)))
    assert client.say("a", remaining_time_ms=100) == OK
    assert len(client.texts) < 10
    assert client.say("b") == OK
    assert [it for it in client.texts if it[0] == "a"] == [f"a{number}" for number in range(10)]
    assert [it for it in client.texts if it[0] == "b"] == [f"b{number}" for number in range(10)]


def test_work_that_is_cut_off_by_the_deadline_is_logged(
    api: API, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(message: Message, send: Send) -> None:
        await asyncio.to_thread(time.sleep, 0.2)
        await send(text(message["text"]))

    client = connected(api, Script(answer))
    assert client.say("a", remaining_time_ms=100) == OK
    assert client.texts == []
    assert "still at work when the invocation's time was nearly over" in caplog.text
    assert client.say("b") == OK
    assert client.texts == ["a", "b"]


def test_task_that_sleeps_past_the_deadline_is_not_waited_for(
    api: API, caplog: pytest.LogCaptureFixture
) -> None:
    client = connected(api, Script(ticking(1, pause_s=0.2)))
    assert client.say("a", remaining_time_ms=100) == OK
    assert (client.texts, caplog.messages) == ([], [])
    assert client.say("b") == OK
    assert sorted(client.texts) == ["a0", "b0"]


def test_time_that_is_left_is_the_contexts(api: API) -> None:
    """Half a second before the end, or at half time, it is over."""
    client = connected(api, Script(ticking(1, pause_s=0.3)))
    assert client.say("a", remaining_time_ms=400) == OK
    assert client.texts == []
    assert client.say("b", remaining_time_ms=1_500) == OK
    assert sorted(client.texts) == ["a0", "b0"]


@pytest.mark.parametrize("context", [None, {}, "text", object()], ids=repr)
def test_context_that_cannot_tell_the_time_is_no_error(api: API, context: Any) -> None:
    client = connected(api, Counter())
    assert client.environments[0](websocket_event(body="hello"), context) == OK
    assert client.texts == ["1 hello"]


def test_message_that_waits_behind_a_slow_one_is_not_lost(api: API) -> None:
    async def answer(message: Message, send: Send) -> None:
        await asyncio.sleep(0.2)
        await send(text(message["text"]))

    client = connected(api, Script(answer))
    client.say("a", remaining_time_ms=50)
    client.say("b", remaining_time_ms=50)
    assert client.texts == []
    client.say("c")
    assert client.texts == ["a", "b", "c"]


def test_what_is_sent_in_the_handshake_comes_before_what_a_background_task_sends_later(
    api: API,
) -> None:
    """Such a task goes on with the event of another client, before the held messages are out."""
    tasks = set()

    class App(Script):
        async def begin(self, send: Send) -> None:
            async def later() -> None:
                await asyncio.sleep(0.1)
                await send(text("second"))

            await super().begin(send)
            await send(text("first"))
            tasks.add(asyncio.ensure_future(later()))

    handler = api.serve(App())
    one, other = api.client(handler), api.client(handler, connection_id="other")
    assert one.connect(remaining_time_ms=20) == OK
    assert other.connect() == OK
    assert one.say("hello") == OK
    assert one.texts == ["first", "second"]


# --- sessions that wait ---------------------------------------------------------------------------


def test_session_that_has_waited_longest_makes_room(
    api: API, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_PARKED", 3)
    handler = api.serve(Counter("welcome"))
    clients = [api.client(handler, connection_id=f"c{number}") for number in range(5)]
    for client in clients:
        client.connect()
    assert parked(handler) == ["c2", "c3", "c4"]
    assert len(waiting_tasks()) == 3
    clients[2].say("a")
    assert parked(handler) == ["c3", "c4", "c2"]
    clients[0].say("b")  # replayed
    assert parked(handler) == ["c4", "c2", "c0"]
    clients[0].say("c")
    assert clients[0].texts == ["welcome", "1 b", "2 c"]
    assert [client.has_record for client in clients] == [True] * 5


def test_session_that_outlives_its_record_makes_room(api: API) -> None:
    app = Counter()
    handler = api.serve(app)
    for connection_id in ("old", "young"):
        api.client(handler, connection_id=connection_id).connect()
    sessions(handler)["old"].since -= LIFETIME_S
    api.client(handler, connection_id="new").connect()
    assert (parked(handler), app.seen.count("end")) == (["young", "new"], 1)


class Farewell(Script):
    """Says good-bye to a client that it has lost, and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.seen.append("farewell")
            await send(text("farewell"))
            await send(CLOSE)


def test_session_that_makes_room_sends_nothing_while_it_ends(
    api: API, service: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MAX_PARKED", 1)
    app = Farewell()
    handler = api.serve(app)
    for connection_id in ("a", "b"):
        api.client(handler, connection_id=connection_id).connect()
    assert app.seen.count("farewell") == 1
    assert service.requests == []
    assert sorted(api.records()) == ["a", "b"]


def test_session_that_is_out_of_date_sends_nothing_while_it_ends(
    api: API, service: Connections
) -> None:
    first, second = api.serve(app := Farewell()), api.serve(Script())
    client = api.client(first, second, first)
    for event in ("connect", "say", "say"):
        getattr(client, event)(*(["x"] if event == "say" else []))
    assert app.seen.count("farewell") == 1
    assert service.requests == []
    assert client.has_record


def test_shutdown_ends_the_sessions_that_wait(api: API, service: Connections) -> None:
    handler = api.serve(app := Farewell())
    for number in range(3):
        api.client(handler, connection_id=f"c{number}").connect()
    handler.shutdown()
    assert app.seen.count("farewell") == 3
    assert (parked(handler), waiting_tasks(), service.requests) == ([], [], [])
    assert sorted(api.records()) == ["c0", "c1", "c2"]  # they go on elsewhere


def test_clean_up_of_a_session_that_ends_is_not_interrupted(api: API) -> None:
    class App(Script):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await super().__call__(scope, receive, send)
            finally:
                await asyncio.sleep(MOMENT_S)
                self.seen.append("cleaned up")

    handler = api.serve(app := App())
    api.client(handler).connect()
    handler.shutdown()
    assert app.seen == ["websocket.connect", "end", "cleaned up"]


def test_handler_serves_on_after_its_shutdown(api: API) -> None:
    client = connected(api, Counter("welcome"))
    client.environments[0].shutdown()
    assert client.say("a") == OK
    assert client.say("b") == OK
    assert client.texts == ["welcome", "1 a", "2 b"]


def test_session_ends_with_the_application_that_it_belongs_to(api: API) -> None:
    """Tests and reloaders put another one in its place."""
    client = connected(api, Counter("welcome"))
    client.environments[0].app = Counter("other")
    assert client.say("a") == OK
    assert client.texts == ["welcome", "1 a"]


# what is left on a loop that is out of reach is Python's to close
left_behind = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(
    "is_closed", [True, pytest.param(False, marks=left_behind)], ids=["closed", "left behind"]
)
def test_session_is_replayed_on_another_loop(api: API, is_closed: bool) -> None:
    client = connected(api, app := Counter("welcome"))
    client.say("a")
    former = get_loop()
    try:
        if is_closed:
            for task in asyncio.all_tasks(former):
                task._log_destroy_pending = False  # type: ignore[attr-defined]
            former.close()
        asyncio.set_event_loop(asyncio.new_event_loop())
        assert client.say("b") == OK
        assert client.say("c") == OK
        assert client.texts == ["welcome", "1 a", "1 b", "2 c"]
        assert len(app.scopes) == 2
        assert get_loop() is not former
    finally:
        api.close()
        get_loop().close()
        asyncio.set_event_loop(None if is_closed else former)


# --- the lifespan ---------------------------------------------------------------------------------


class Living(Diary):
    """With a lifespan; a session notes what it finds in its state, and counts there."""

    async def start(self, scope: Scope, send: Send) -> None:
        scope["state"]["pool"] = ["open"]
        await super().start(scope, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message, send: Send) -> None:
            pool = scope["state"]["pool"]
            pool.append(message["text"])
            await send(text(",".join(pool)))

        await Script(answer)(scope, receive, send)


@pytest.mark.parametrize(
    "options",
    [{}, {"lifespan_scope": "environment"}, {"edition": "2026"}, {"lifespan": "on"}],
    ids=repr,
)
def test_lifespan_lasts_as_long_as_the_sessions(api: API, options: Any) -> None:
    """Even where each HTTP request has its own: a session outlives its events."""
    app = Living()
    client = connected(api, app, **{"lifespan": "auto", **options})
    client.say("a")
    client.say("b")
    assert client.texts == ["open,a", "open,a,b"]
    client.leave()
    assert app.events == ["lifespan.startup", "request"]
    client.environments[0].shutdown()
    assert app.events == ["lifespan.startup", "request", "lifespan.shutdown"]


def test_sessions_end_before_the_lifespan_does(api: API) -> None:
    class App(Living):
        async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await super().serve(scope, receive, send)
            finally:
                self.events.append("session over")

    client = connected(api, app := App(), lifespan="auto")
    client.environments[0].shutdown()
    assert app.events == ["lifespan.startup", "request", "session over", "lifespan.shutdown"]


def test_application_without_lifespan_has_an_empty_state(api: API) -> None:
    class App(Counter):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            assert scope["type"] == "websocket"
            await super().__call__(scope, receive, send)

    client = connected(api, app := App(), lifespan="auto")
    client.say("a")
    assert client.texts == ["1 a"]
    assert app.scopes[0]["state"] == {}


# --- several at once ------------------------------------------------------------------------------


def test_events_of_many_connections_are_served_at_once_on_one_loop(api: API) -> None:
    async def answer(message: Message, send: Send) -> None:
        await asyncio.sleep(MOMENT_S)
        await send(text(message["text"]))

    handler = api.serve(Script(answer))

    async def converse(connection_id: str) -> None:
        fields: Any = {"connection_id": connection_id}
        context = lambda_context()
        assert await handler.asgi(websocket_event(event_type="CONNECT", **fields), context) == OK
        for number in range(3):
            event = websocket_event(body=f"{connection_id} {number}", **fields)
            assert await handler.asgi(event, context) == OK
        event = websocket_event(event_type="DISCONNECT", code=1000, **fields)
        assert await handler.asgi(event, context) == OK

    async def main() -> None:
        await asyncio.gather(*(converse(f"c{number}") for number in range(20)))
        assert parked(handler) == []
        assert handler._websockets is not None
        await handler._websockets.close()

    asyncio.run(main())
    for number in range(20):
        texts = api.service.texts(f"c{number}")
        assert texts == [f"c{number} 0", f"c{number} 1", f"c{number} 2"]
    assert api.records() == []


@pytest.mark.parametrize("mode", ["message", "session"])
def test_event_is_refused_where_a_loop_runs_and_asgi_serves_it(api: API, mode: str) -> None:
    handler = api.serve(Counter("welcome"), mode)

    async def main() -> None:
        event = websocket_event(event_type="CONNECT")
        with pytest.raises(RuntimeError, match=r"await handler\.asgi"):
            handler(event, lambda_context())
        assert await handler.asgi(event, lambda_context()) == OK
        assert await handler.asgi(websocket_event(), lambda_context()) == OK
        assert handler._websockets is not None
        await handler._websockets.close()

    asyncio.run(main())
    assert api.service.texts(CONNECTION_ID) == ["welcome", "1 hello"]


async def room(scope: Scope, receive: Receive, send: Send) -> None:
    """Passes each message on to everybody in this environment."""
    members: dict[str, Send] = room.members  # type: ignore[attr-defined]
    me = scope["aws.connection_id"]
    await receive()
    await send(ACCEPT)
    members[me] = send
    while (message := await receive())["type"] != DISCONNECTED:
        for member in [*members.values()]:
            await member(text(f"{me}: {message['text']}"))
    del members[me]
    for member in [*members.values()]:
        await member(text(f"{me} left"))


def test_one_session_can_send_to_another(api: API) -> None:
    room.members = {}  # type: ignore[attr-defined]
    handler = api.serve(room)
    a, b = (api.client(handler, connection_id=it) for it in "ab")
    assert (a.connect(), b.connect()) == (OK, OK)
    assert (a.say("hello"), b.say("hi")) == (OK, OK)
    assert b.leave() == OK
    assert a.texts == ["a: hello", "b: hi", "b left"]
    assert b.texts[-1] == "b: hi"


# --- configuration --------------------------------------------------------------------------------


def test_backend_that_knows_no_sessions_says_so(api: API, monkeypatch: pytest.MonkeyPatch) -> None:
    class Simple(WebSocketBackend):
        async def save(self, connection_id: str, *, json_scope: str) -> None: ...

        async def retrieve(self, connection_id: str) -> str:
            raise UnknownConnection("none")

        async def delete(self, connection_id: str) -> None: ...

    monkeypatch.setitem(backends.BACKENDS, "simple", Simple)
    client = client_of(api, Script(), dsn="simple://here")
    with pytest.raises(ConfigurationError, match='websocket_mode="message"'):
        client.connect()


# --- what is left behind --------------------------------------------------------------------------

AT_EXIT = """
import asyncio
import logging
import os
import sys
sys.path.insert(0, "")
from mangum import Mangum
from tests.builders import lambda_context, websocket_event

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
logging.getLogger("asyncio").setLevel(logging.WARNING)

async def app(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    queue = asyncio.Queue()

    async def take():
        while True:
            queue.put_nowait(await receive())

    task = asyncio.ensure_future(take())
    try:
        while True:
            await queue.get()
    finally:
        task.cancel()

handler = Mangum(
    app,
    lifespan="off",
    websocket_mode="session",
    dsn=f"sqlite:///{os.environ['RECORDS']}",
    api_gateway_endpoint_url="http://127.0.0.1:9",
)
for number in range(3):
    event = websocket_event(event_type="CONNECT", connection_id=f"c{number}")
    print(handler(event, lambda_context()))
print(handler(websocket_event(connection_id="c0"), lambda_context()))
"""


@pytest.mark.parametrize("variables", [{}, {"PYTHONASYNCIODEBUG": "1"}], ids=["plain", "debug"])
def test_sessions_that_wait_when_the_process_ends_are_no_fault(
    api: API, variables: dict[str, str]
) -> None:
    shown = output_of(AT_EXIT, env={"RECORDS": str(api.file), **variables})
    assert shown == ["{'statusCode': 200}"] * 4


def in_memory(rows: dict[str, list[Any]]) -> type[WebSocketBackend]:
    """A backend for many connections."""

    class InMemory(WebSocketBackend):
        async def open(self) -> None: ...

        async def save(self, connection_id: str, *, json_scope: str) -> None:
            rows[connection_id] = [json_scope, 0]

        async def retrieve(self, connection_id: str) -> str:
            json_scope: str = rows[connection_id][0]
            return json_scope

        async def delete(self, connection_id: str) -> None:
            rows.pop(connection_id, None)

        async def advance(self, connection_id: str) -> Record:
            row = rows[connection_id]
            row[1] += 1
            return Record(*row)

        async def take(self, connection_id: str) -> Record | None:
            row = rows.pop(connection_id, None)
            return None if row is None else Record(*row)

    return InMemory


def cycles() -> set[int]:
    """Those that somebody holds."""
    gc.collect()
    return {id(it) for it in gc.get_objects() if isinstance(it, WebSocketCycle)}


@pytest.mark.parametrize("mode", ["session", "message"])
def test_many_connections_leave_nothing_behind(
    api: API, service: Connections, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: dict[str, list[Any]] = {}
    monkeypatch.setitem(backends.BACKENDS, "memory", in_memory(rows))
    before = cycles()
    app = Quiet()
    handler = api.serve(app, mode, dsn="memory://records")
    context = lambda_context()
    many, at_once = 10_000, 100
    for first in range(0, many, at_once):
        names = [f"c{number}" for number in range(first, first + at_once)]
        for event_type in ("CONNECT", "MESSAGE", "DISCONNECT"):
            for name in names:
                event = websocket_event(event_type=event_type, connection_id=name)
                assert handler(event, context) == OK
    assert app.heard == many
    assert (parked(handler), rows, waiting_tasks()) == ([], {}, [])
    assert len(service.posts) == many // 1000
    assert service.sockets <= 2
    assert cycles() <= before


class Quiet:
    """Hears every message, and answers some."""

    def __init__(self) -> None:
        self.heard = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        while (await receive())["type"] != DISCONNECTED:
            self.heard += 1
            if self.heard % 1000 == 0:
                await send(text("still here"))


def test_handler_that_serves_requests_only_loads_nothing_of_it(api: API) -> None:
    assert isinstance(Mangum(Script(), dsn=api.dsn, websocket_mode="session"), Mangum)
    shown = output_of(
        f"""
        import sys
        from mangum import Mangum
        from tests.apps import hello
        from tests.builders import lambda_context, rest_event

        handler = Mangum(hello, dsn={api.dsn!r}, websocket_mode="session")
        print(handler(rest_event(), lambda_context())["statusCode"])
        parts = ("mangum.websockets", "mangum.backends", "mangum.aws", "mangum.protocols.web")
        print([name for name in sys.modules if name.startswith(parts)])
        """
    )
    assert shown == ["200", "[]"]


# --- the replay of messages -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3])
def test_session_gets_its_earlier_messages_again_by_choice(api: API, count: int) -> None:
    apps = [Counter("welcome") for _ in range(count)]
    client = api.client(*(api.serve(app, websocket_replay="messages") for app in apps))
    assert client.connect() == OK
    for value in "abcde":
        assert client.say(value) == OK
    assert client.texts == ["welcome", "1 a", "2 b", "3 c", "4 d", "5 e"]
    assert client.leave(1000) == OK
    assert api.records() == []


def test_messages_that_are_kept_are_removed_with_the_connection(api: API) -> None:
    async def answer(message: Message, send: Send) -> bool:
        return bool(message["text"] != "end")

    client = connected(api, Script(answer), 2, websocket_replay="messages")
    for value in ("a", "b"):
        client.say(value)
    assert len(api.records()) == 3
    assert client.say("end") == OK
    assert (api.records(), client.is_deleted) == ([], True)


def test_binary_messages_are_replayed_as_such(api: API) -> None:
    apps = [Script(), Script()]
    client = api.client(*(api.serve(app, websocket_replay="messages") for app in apps))
    client.connect()
    client.say(NOT_UTF8)
    client.say("text")
    assert apps[0].seen[-2:] == [BINARY, said("text")]


def test_more_messages_than_are_kept_end_the_connection_elsewhere(
    api: API, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mangum.websockets import session_mode

    monkeypatch.setattr(session_mode, "MAX_REPLAYED", 2)
    first, second = (api.serve(Counter(), websocket_replay="messages") for _ in range(2))
    client = api.client(first, first, first, first, second)
    client.connect()
    for value in "abc":
        assert client.say(value) == OK
    with pytest.raises(WebSocketError, match="more than 2 messages"):
        client.say("d")
    assert (client.texts, client.is_deleted) == (["1 a", "2 b", "3 c"], True)
    assert not client.has_record


# --- groups ---------------------------------------------------------------------------------------


class Member(Script):
    """Is in the room as long as it is connected, and passes each message on to all."""

    def __init__(self) -> None:
        super().__init__(self.tell)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.groups: Any = scope["aws.groups"]
        await super().__call__(scope, receive, send)

    async def begin(self, send: Send) -> None:
        await self.groups.group_add("room")
        await super().begin(send)

    async def tell(self, message: Message, send: Send) -> None:
        await self.groups.group_send("room", message["text"])


@environments
def test_session_can_send_to_a_group_that_it_has_joined_in_its_handshake(
    api: API, count: int
) -> None:
    handlers = [api.serve(Member()) for _ in range(count)]
    a, b = (api.client(*handlers, connection_id=name) for name in "ab")
    assert (a.connect(), b.connect()) == (OK, OK)
    for value in ("one", "two", "three"):
        assert a.say(value) == OK
    assert b.say("four") == OK
    assert a.texts == b.texts == ["one", "two", "three", "four"]
    assert (a.leave(1000), b.leave(1000)) == (OK, OK)


def test_groups_are_there_for_any_other_event(api: API) -> None:
    handler = api.serve(Member())
    client = api.client(handler)
    client.connect()

    async def tell() -> Any:
        return await handler.groups.group_send("room", "from a schedule")

    assert get_loop().run_until_complete(tell()) == set()
    assert client.texts == ["from a schedule"]


# --- failures and order ---------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["open", "save"])
def test_backend_that_fails_in_the_handshake_leaves_nothing(
    api: API, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: dict[str, list[Any]] = {}
    failures = [WebSocketError("the backend is away")]

    class Failing(in_memory(rows)):  # type: ignore[misc]
        async def open(self) -> None:
            if step == "open" and failures:
                raise failures.pop()

        async def save(self, connection_id: str, *, json_scope: str) -> None:
            if step == "save" and failures:
                raise failures.pop()
            await super().save(connection_id, json_scope=json_scope)

    monkeypatch.setitem(backends.BACKENDS, "failing", Failing)
    client = client_of(api, Counter("welcome"), dsn="failing://here")
    with pytest.raises(WebSocketError, match="is away"):
        client.connect()
    assert (parked(client.environments[0]), rows, waiting_tasks()) == ([], {}, [])
    assert client.connect() == OK
    assert client.say("a") == OK
    assert client.texts == ["welcome", "1 a"]


def test_application_that_refuses_when_it_is_called_again_ends_the_connection(api: API) -> None:
    accepts = iter([True, False])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT if next(accepts) else CLOSE)
        await receive()

    client = client_of(api, app, 2)
    assert client.connect() == OK
    assert client.say("hello") == {"statusCode": 403}
    assert (client.is_deleted, client.has_record) == (True, False)


def test_events_of_one_connection_are_served_one_after_the_other(api: API) -> None:
    async def answer(message: Message, send: Send) -> None:
        await asyncio.sleep(MOMENT_S)
        await send(text(message["text"]))

    handler = api.serve(app := Script(answer))

    async def main() -> None:
        context = lambda_context()
        await handler.asgi(websocket_event(event_type="CONNECT"), context)
        events = [websocket_event(body=str(number)) for number in range(5)]
        events.append(websocket_event(event_type="DISCONNECT", code=1000))
        results = await asyncio.gather(*(handler.asgi(event, context) for event in events))
        assert results == [OK] * 6
        assert handler._websockets is not None
        await handler._websockets.close()

    asyncio.run(main())
    assert api.service.texts(CONNECTION_ID) == ["0", "1", "2", "3", "4"]
    assert app.seen[-2:] == [left(1000), "end"]
    assert len(app.scopes) == 1
