"""`MangumWS`: FastAPI applications on events, on a real server, and what nobody else may reach."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mangum import Mangum, MangumWS
from mangum.exceptions import MalformedEvent, MessageRefused, WebSocketError
from mangum.types import Edition
from tests.builders import (
    API_HOST,
    CLIENT_IP,
    SOURCES,
    Event,
    authorizer_event,
    decode_result,
    lambda_context,
    websocket_event,
)
from tests.processes import output_of
from tests.websockets.connections import Connections

fastapi = pytest.importorskip("fastapi")

EVENTS = Path(__file__).parent.parent / "events"
EDITIONS: tuple[Edition, ...] = ("classic", "2026")
ID = "ATfSdcRDvHcCEmA="
HANG_S = 20

either_edition = pytest.mark.parametrize("edition", EDITIONS)


@pytest.fixture
def service() -> Iterator[Connections]:
    with Connections() as service:
        yield service


def event_of(
    event_type: str = "MESSAGE",
    *,
    body: Any = '{"a": 1}',
    connection_id: str = ID,
    route_key: str | None = None,
    **fields: Any,
) -> Event:
    event = websocket_event(event_type=event_type)
    if event_type == "MESSAGE":
        event["body"] = body
    context = {**event["requestContext"], "connectionId": connection_id}
    if route_key is not None:
        context["routeKey"] = route_key
    return {**event, "requestContext": context, **fields}


class Chat:
    """An application whose callbacks note their arguments; `on_…` replaces what they do then."""

    def __init__(
        self,
        endpoint_url: str | None = "http://127.0.0.1:9/prod",
        *,
        edition: Edition = "classic",
        prefix: str = "",
        **options: Any,
    ) -> None:
        self.notes: list[tuple[Any, ...]] = []
        self.app = app = fastapi.FastAPI(redirect_slashes=True)
        self.ws = ws = MangumWS(endpoint_url=endpoint_url)
        self.on_connect: Callable[[str], Any] | None = None
        self.on_message: Callable[[str, Any], Any] | None = None
        self.on_disconnect: Callable[[str], Any] | None = None

        @ws.on_connect
        async def connected(connection_id: str) -> None:
            self.notes.append(("connect", connection_id))
            if self.on_connect is not None:
                await self.on_connect(connection_id)

        @ws.on_message
        async def messaged(connection_id: str, data: Any) -> None:
            self.notes.append(("message", connection_id, data))
            if self.on_message is not None:
                await self.on_message(connection_id, data)

        @ws.on_disconnect
        async def disconnected(connection_id: str) -> None:
            self.notes.append(("disconnect", connection_id))
            if self.on_disconnect is not None:
                await self.on_disconnect(connection_id)

        app.add_api_route("/hello", lambda: "hello")
        app.include_router(ws.router, prefix=prefix)
        ws.mount(app, "/ws")
        self.handler = Mangum(app, custom_handlers=[ws.handler], edition=edition, **options)

    def __call__(self, event: Event) -> Any:
        return self.handler(event, lambda_context())


def raising(error: Exception) -> Callable[..., Any]:
    async def callback(*_: Any) -> None:
        raise error

    return callback


# --- events -------------------------------------------------------------------------------------


def result(status: int, body: Any) -> dict[str, Any]:
    text = json.dumps(body, separators=(",", ":"))
    return {
        "statusCode": status,
        "headers": {"content-length": str(len(text)), "content-type": "application/json"},
        "multiValueHeaders": {},
        "body": text,
        "isBase64Encoded": False,
    }


@either_edition
def test_events_reach_the_callbacks_and_are_answered(edition: Edition) -> None:
    chat = Chat(edition=edition)
    results = [
        chat(event_of("CONNECT")),
        chat(event_of("MESSAGE", body='{"action": "talk", "text": "Zürich"}')),
        chat(event_of("DISCONNECT")),
    ]
    assert chat.notes == [
        ("connect", ID),
        ("message", ID, {"action": "talk", "text": "Zürich"}),
        ("disconnect", ID),
    ]
    assert results == [
        result(200, {"status": "connected"}),
        result(200, {"status": "received"}),
        result(200, {"status": "disconnected"}),
    ]


@pytest.mark.parametrize("route_key", ["$default", "sendmessage", "chat", "connect", "a/b", ""])
def test_messages_of_every_route_reach_on_message(route_key: str) -> None:
    chat = Chat()
    assert chat(event_of(route_key=route_key))["statusCode"] == 200
    assert chat.notes == [("message", ID, {"a": 1})]


@either_edition
@pytest.mark.parametrize(
    "connection_id", ["a/b", "/", "..", "../connect/x", "a%2Fb", "a?b#c", "ü x", "a=", "-_~+"]
)
def test_connection_id_arrives_as_it_is_whatever_is_in_it(
    connection_id: str, edition: Edition
) -> None:
    chat = Chat(edition=edition)
    for event_type in ("CONNECT", "MESSAGE", "DISCONNECT"):
        assert chat(event_of(event_type, connection_id=connection_id))["statusCode"] == 200
    assert chat.notes == [
        ("connect", connection_id),
        ("message", connection_id, {"a": 1}),
        ("disconnect", connection_id),
    ]


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({"body": '{"a": "ü"}'}, {"a": "ü"}),
        ({"body": "eyJhIjogMX0=", "isBase64Encoded": True}, {"a": 1}),
        ({"body": {"a": 1}}, {"a": 1}),
        ({"body": "[1]"}, [1]),
        ({"body": '"text"'}, "text"),
        ({"body": "null"}, None),
        ({"body": "5", "headers": None, "multiValueHeaders": None}, 5),
        ({"body": "6", "headers": {"X-A": None, "X-B": "b"}}, 6),
    ],
    ids=repr,
)
def test_message_is_what_its_json_says(fields: dict[str, Any], data: Any) -> None:
    chat = Chat()
    assert chat(event_of(**fields))["statusCode"] == 200
    assert chat.notes == [("message", ID, data)]


@pytest.mark.parametrize(
    "fields",
    [
        {"body": "not JSON"},
        {"body": "secret{"},
        {"body": ""},
        {"body": None},
        {"body": "//4=", "isBase64Encoded": True},
    ],
    ids=repr,
)
def test_message_that_is_not_json_is_logged_and_answered_with_400(
    fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    chat = Chat()
    with caplog.at_level(logging.WARNING):
        answer = chat(event_of(**fields))
    assert answer == result(400, {"detail": "The message is not JSON."})
    assert chat.notes == []
    assert "not JSON" in caplog.text
    assert "secret" not in caplog.text


def test_message_that_is_nested_too_deep_counts_as_not_json() -> None:
    # in a process of its own: Python 3.11 is not well after so deep a recursion
    shown = output_of(
        """
        import asyncio, logging
        from mangum import MangumWS
        logging.disable()
        print(asyncio.run(MangumWS()._message("a", "[" * 100_000)))
        """
    )
    assert shown == ["False"]


def test_invalid_base64_is_answered_with_400() -> None:
    chat = Chat()
    assert chat(event_of(body="a", isBase64Encoded=True))["statusCode"] == 400
    assert chat.notes == []


@either_edition
def test_recorded_events_reach_the_callbacks(edition: Edition) -> None:
    for path in sorted(EVENTS.glob("apigw-websocket/*.json")):
        chat, event = Chat(edition=edition), json.loads(path.read_text(encoding="utf-8"))
        status = chat(event)["statusCode"]
        (note,) = chat.notes or [("message", event["requestContext"]["connectionId"], "not JSON")]
        assert note[1] == event["requestContext"]["connectionId"]
        assert status == (400 if note[-1] == "not JSON" else 200), path.name


def test_recorded_events_of_other_sources_are_none_of_its() -> None:
    handler, context = MangumWS().handler, lambda_context()
    others = [path for path in EVENTS.rglob("*.json") if path.parent.name != "apigw-websocket"]
    assert len(others) > 100
    for path in others:
        event = json.loads(path.read_text(encoding="utf-8"))
        assert not handler.infer(event, context, Mangum(fastapi.FastAPI()).config), path.name


NOT_ITS: dict[str, Any] = {
    "an authorizer's": authorizer_event(kind="WebSocket"),
    "without an id": event_of(connection_id=""),
    "of an unknown type": {"requestContext": {"connectionId": "a", "eventType": "PING"}},
    "of no type and no route": {"requestContext": {"connectionId": "a"}},
    "without a context": {"requestContext": None},
    "a list": [1],
    "null": None,
}


@pytest.mark.parametrize("event", NOT_ITS.values(), ids=NOT_ITS)
def test_other_events_are_none_of_its(event: Any) -> None:
    assert not MangumWS().handler.infer(event, lambda_context(), Mangum(fastapi.FastAPI()).config)


@either_edition
def test_scope_is_that_of_a_post(edition: Edition) -> None:
    event = event_of(
        "CONNECT",
        headers={"Host": API_HOST, "X-Both": "b"},
        multiValueHeaders={"Host": [API_HOST], "X-Both": ["a", "b"], "X-None": None},
        queryStringParameters={"token": "b"},
        multiValueQueryStringParameters={"token": ["a", "b&"], "ü": [""]},
    )
    context, config = lambda_context(), Mangum(fastapi.FastAPI(), edition=edition).config
    scope = dict(MangumWS().handler(event, context, config).scope)
    arrival = scope.pop("mangum.websocket")
    assert (arrival.kind, arrival.connection_id) == ("connect", ID)
    assert scope == {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "headers": [[b"host", API_HOST.encode()], [b"x-both", b"a"], [b"x-both", b"b"]],
        "path": f"/internal/websocket/connect/{ID}",
        "raw_path": None,
        "root_path": "",
        "scheme": "https",
        "query_string": b"token=a&token=b%26&%C3%BC=",
        "server": (API_HOST, 443),
        "client": (CLIENT_IP, 0),
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "aws.event": event,
        "aws.context": context,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"body": 5},
        {"body": [1]},
        {"body": {"a": {1}}},
        {"headers": [1]},
        {"headers": {"a": 1}},
        {"multiValueHeaders": {"a": 5}},
        {"queryStringParameters": "a=b"},
        {"requestContext": {**event_of()["requestContext"], "routeKey": 5}},
        {"requestContext": {**event_of()["requestContext"], "identity": "secret"}},
        {"requestContext": {**event_of()["requestContext"], "domainName": 5}},
    ],
    ids=lambda fields: repr(fields)[:40],
)
def test_event_of_an_unexpected_shape_is_an_error_without_its_values(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(MalformedEvent) as caught:
        Chat()({**event_of(), **fields})
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_message_without_headers_has_the_host_of_the_api() -> None:
    handler = MangumWS().handler(event_of(), lambda_context(), Mangum(fastapi.FastAPI()).config)
    assert handler.scope["headers"] == [[b"host", API_HOST.encode()]]
    assert handler.scope["path"] == f"/internal/websocket/default/{ID}"


def test_result_has_the_headers_that_are_not_excluded() -> None:
    handler = MangumWS().handler(
        event_of(),
        lambda_context(),
        Mangum(fastapi.FastAPI(), exclude_headers=["X-Secret"]).config,
    )
    headers = [[b"X-A", b"1"], [b"X-A", b"2"], [b"X-B", b"\xfc"], [b"x-secret", b"3"]]
    assert handler({"status": 200, "headers": headers, "body": b"\xff"}) == {
        "statusCode": 200,
        "headers": {"x-b": "ü"},
        "multiValueHeaders": {"x-a": ["1", "2"]},
        "body": "/w==",
        "isBase64Encoded": True,
    }


# --- what callbacks do --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (fastapi.HTTPException(401, "who are you?"), 401),
        (fastapi.HTTPException(403), 403),
        (ValueError("a fault"), 500),
    ],
    ids=repr,
)
def test_client_is_refused_with_the_status_of_what_on_connect_raises(
    error: Exception, status: int
) -> None:
    chat = Chat()
    chat.on_connect = raising(error)
    assert chat(event_of("CONNECT"))["statusCode"] == status


def test_failure_of_on_message_is_answered_with_500_or_raised_by_choice() -> None:
    chat = Chat()
    chat.on_message = raising(ValueError("a fault"))
    assert chat(event_of())["statusCode"] == 500
    chat = Chat(raise_exceptions=True)
    chat.on_message = raising(ValueError("a fault"))
    with pytest.raises(ValueError, match="a fault"):
        chat(event_of())


@pytest.mark.parametrize(
    "error", [fastapi.HTTPException(404), ValueError("a fault")], ids=["HTTPException", "another"]
)
def test_disconnect_is_answered_with_200_whatever_comes_of_it(error: Exception) -> None:
    chat = Chat()
    chat.on_disconnect = raising(error)
    assert chat(event_of("DISCONNECT"))["statusCode"] == 200
    without_routes = Mangum(fastapi.FastAPI(), custom_handlers=[chat.ws.handler])
    assert without_routes(event_of("DISCONNECT"), lambda_context())["statusCode"] == 200


def test_callbacks_are_optional() -> None:
    ws, app = MangumWS("http://127.0.0.1:9"), fastapi.FastAPI()
    app.include_router(ws.router)
    handler = Mangum(app, custom_handlers=[ws.handler])
    for event_type in ("CONNECT", "MESSAGE", "DISCONNECT"):
        assert handler(event_of(event_type), lambda_context())["statusCode"] == 200


def test_callback_may_be_registered_or_replaced_after_the_router_was_included() -> None:
    ws, app, heard = MangumWS("http://127.0.0.1:9"), fastapi.FastAPI(), []
    app.include_router(ws.router)
    handler = Mangum(app, custom_handlers=[ws.handler])

    for number in (1, 2):

        @ws.on_message
        async def hear(connection_id: str, data: Any, number: int = number) -> None:
            heard.append((number, data))

        handler(event_of(), lambda_context())
    assert heard == [(1, {"a": 1}), (2, {"a": 1})]


def test_decorators_return_the_function() -> None:
    async def callback(*_: Any) -> None: ...

    ws = MangumWS()
    assert ws.on_connect(callback) is callback
    assert ws.on_message(callback) is callback
    assert ws.on_disconnect(callback) is callback


def test_dependencies_and_middleware_of_the_application_see_an_event_as_a_request() -> None:
    paths: list[str] = []

    async def note(request: Any, call_next: Any) -> Any:
        paths.append(request.url.path)
        return await call_next(request)

    def check(token: str) -> None:
        if token != "open":
            raise fastapi.HTTPException(401)

    ws, app = MangumWS("http://127.0.0.1:9"), fastapi.FastAPI()
    app.middleware("http")(note)
    app.include_router(ws.router, dependencies=[fastapi.Depends(check)])
    handler = Mangum(app, custom_handlers=[ws.handler])
    statuses = [
        handler(event_of("CONNECT", queryStringParameters=query), lambda_context())["statusCode"]
        for query in ({"token": "open"}, {"token": "sesame"}, None)
    ]
    assert statuses == [200, 401, 422]
    assert paths == [f"/internal/websocket/connect/{ID}"] * 3


def test_prefix_of_the_included_router_does_no_harm() -> None:
    chat = Chat(prefix="/api")
    chat(event_of())
    assert chat.notes == [("message", ID, {"a": 1})]


# --- nobody else --------------------------------------------------------------------------------

PREFIX = "/internal/websocket"

SPELLINGS = [
    f"{PREFIX}/connect/a",
    f"{PREFIX}/sendmessage/a",
    f"{PREFIX}/disconnect/a",
    f"{PREFIX}/sendmessage/a/",
    f"{PREFIX}/default/a",
    f"/{PREFIX}//sendmessage//a",
    f"{PREFIX}/%73endmessage/a",
    f"{PREFIX}/sendmessage%2Fa",
    "/internal%2Fwebsocket/sendmessage/a",
    "/x/../internal/websocket/sendmessage/a",
]


@either_edition
@pytest.mark.parametrize("path", SPELLINGS)
@pytest.mark.parametrize("source", SOURCES)
def test_request_from_outside_finds_no_route(source: str, path: str, edition: Edition) -> None:
    chat = Chat(edition=edition)
    for method in ("POST", "GET", "PUT"):
        event = SOURCES[source](method=method, path=path)
        unknown = SOURCES[source](method=method, path="/unknown")
        assert decode_result(chat(event)) == decode_result(chat(unknown))
        assert decode_result(chat(event)).status == 404
    assert chat.notes == []


def test_client_can_t_pass_for_an_event_by_its_headers_or_query() -> None:
    chat = Chat()
    for source in ("REST API", "HTTP API 2.0", "ALB"):
        event = SOURCES[source](
            method="POST",
            path=SPELLINGS[0],
            headers=[("Sec-WebSocket-Key", "x"), ("mangum.websocket", "connect")],
            query=[("mangum.websocket", "connect"), ("connectionId", "a")],
            body=b'{"requestContext": {"connectionId": "a", "eventType": "CONNECT"}}',
        )
        assert decode_result(chat(event)).status == 404
    assert chat.notes == []


def test_routes_are_not_in_the_schema() -> None:
    chat = Chat()
    assert list(chat.app.openapi()["paths"]) == ["/hello"]


def test_routes_have_the_paths_of_mangum_ws() -> None:
    assert [(route.path, route.methods) for route in MangumWS().router.routes] == [  # type: ignore[attr-defined]
        (f"{PREFIX}/{kind}/{{connection_id}}", {"POST"})
        for kind in ("connect", "disconnect", "sendmessage")
    ]


# --- messages of the application ----------------------------------------------------------------


@contextmanager
def facade_of(url: str) -> Iterator[MangumWS]:
    ws = MangumWS(url)
    try:
        yield ws
    finally:
        asyncio.run(ws.close())


def sent(service: Connections, *connection_ids: str, data: Any = "hi") -> set[str]:
    with facade_of(service.url) as ws:
        return asyncio.run(ws.send({*connection_ids}, data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [("hi", b"hi"), ({"a": "ü"}, json.dumps({"a": "ü"}).encode()), ("", b"")],
    ids=repr,
)
def test_text_and_dict_are_sent(service: Connections, data: Any, expected: bytes) -> None:
    assert sent(service, "a=", "b/", data=data) == set()
    assert sorted(service.posts) == [("a=", expected), ("b/", expected)]


def test_send_returns_the_ids_that_are_gone(service: Connections) -> None:
    service.gone = {"a", "c"}
    assert sent(service, "a", "b", "c") == {"a", "c"}
    assert service.posts == [("b", b"hi")]


def test_send_tries_all_and_raises_what_is_not_gone(service: Connections) -> None:
    service.statuses["a"] = 500
    with pytest.raises(WebSocketError, match="1 of 3"):
        sent(service, "a", "b", "c")
    assert sorted(service.posts) == [("b", b"hi"), ("c", b"hi")]


def test_send_refuses_what_is_too_large(service: Connections) -> None:
    with pytest.raises(MessageRefused):
        sent(service, "a", data={"a": "x" * 128 * 1024})
    assert service.requests == []


def test_sends_run_at_once_and_leave_the_loop_to_others(service: Connections) -> None:
    service.held = {"a", "b", "c"}

    async def main(ws: MangumWS) -> set[str]:
        task = asyncio.create_task(ws.send({"a", "b", "c"}, "hi"))
        while service.most_at_once < 3:  # noqa: ASYNC110 - the service is in another thread
            await asyncio.sleep(0.001)
        service.held = set()
        return await task

    with facade_of(service.url) as ws:
        assert asyncio.run(main(ws)) == set()
    assert len(service.posts) == 3


def test_send_to_connection_says_whether_it_is_there(service: Connections) -> None:
    service.gone, service.statuses = {"gone"}, {"broken": 500}
    with facade_of(service.url) as ws:
        assert asyncio.run(ws.send_to_connection("there", "hi")) is True
        assert asyncio.run(ws.send_to_connection("gone", "hi")) is False
        with pytest.raises(WebSocketError):
            asyncio.run(ws.send_to_connection("broken", "hi"))
    assert service.posts == [("there", b"hi")]


@either_edition
def test_callbacks_send_over_a_connection_that_is_kept(
    service: Connections, edition: Edition
) -> None:
    chat = Chat(service.url, edition=edition)

    async def answer(connection_id: str, data: Any) -> None:
        await chat.ws.send({connection_id}, {"heard": data})

    chat.on_message = answer
    for number in range(3):
        assert chat(event_of(body=str(number)))["statusCode"] == 200
    assert service.texts(ID) == [json.dumps({"heard": number}) for number in range(3)]
    assert service.sockets == 1
    asyncio.run(chat.ws.close())


def test_endpoint_may_end_with_connections(service: Connections) -> None:
    with facade_of(f"{service.url}/@connections") as ws:
        assert asyncio.run(ws.send_to_connection("a", "hi"))
    assert service.posts == [("a", b"hi")]


# --- on a server, without AWS -------------------------------------------------------------------


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of a real server, `127.0.0.1:PORT`."""
    uvicorn = pytest.importorskip("uvicorn")
    pytest.importorskip("websockets")
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, ws="websockets-sansio", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until(lambda: server.started)
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < ends_s, "it does not come"
        time.sleep(0.005)


@contextmanager
def client_of(app: Any) -> Iterator[Any]:
    client = pytest.importorskip("websockets.sync.client")
    with serving(app) as address, client.connect(f"ws://{address}/ws") as socket:
        yield socket


def test_local_socket_goes_through_the_same_callbacks() -> None:
    chat = Chat(None)

    async def answer(connection_id: str, data: Any) -> None:
        await chat.ws.send({connection_id, "stranger"}, {"heard": data})

    chat.on_message = answer
    with client_of(chat.app) as socket:
        socket.send('{"a": 1}')
        assert json.loads(socket.recv(HANG_S)) == {"heard": {"a": 1}}
        socket.send("[2]")
        assert json.loads(socket.recv(HANG_S)) == {"heard": [2]}
        (_, connection_id), *_ = chat.notes
        socket.close()
        until(lambda: len(chat.notes) == 4)
        assert chat.notes == [
            ("connect", connection_id),
            ("message", connection_id, {"a": 1}),
            ("message", connection_id, [2]),
            ("disconnect", connection_id),
        ]
        assert connection_id.startswith("local_")
        assert asyncio.run(chat.ws.send({connection_id}, "hi")) == {connection_id}
        assert asyncio.run(chat.ws.send_to_connection(connection_id, "hi")) is False


def test_what_on_connect_sends_arrives_first(caplog: pytest.LogCaptureFixture) -> None:
    chat = Chat(None)

    async def welcome(connection_id: str) -> None:
        assert await chat.ws.send({connection_id}, "one") == set()
        assert await chat.ws.send_to_connection(connection_id, "two")

    async def answer(connection_id: str, data: Any) -> None:
        await chat.ws.send({connection_id}, "three")

    chat.on_connect, chat.on_message = welcome, answer
    with client_of(chat.app) as socket:
        socket.send("1")
        assert [socket.recv(HANG_S) for _ in range(3)] == ["one", "two", "three"]
    assert "On API Gateway the connection is gone" in caplog.text


def test_local_message_that_is_not_json_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    chat = Chat(None)
    with client_of(chat.app) as socket:
        socket.send("secret{")
        socket.send('{"a": 1}')
        until(lambda: len(chat.notes) == 2)
    assert chat.notes[1][2] == {"a": 1}
    assert "not JSON" in caplog.text
    assert "secret" not in caplog.text


def test_local_connection_outlives_a_failure_of_on_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chat = Chat(None)
    chat.on_message = raising(ValueError("a fault"))
    with client_of(chat.app) as socket:
        socket.send("1")
        socket.send("2")
        until(lambda: len(chat.notes) == 3)
    assert "a fault" in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [(fastapi.HTTPException(401, "who?"), 401), (ValueError("a fault"), 500)],
    ids=["HTTPException", "another"],
)
def test_local_client_is_refused_as_on_lambda(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    chat = Chat(None)
    chat.on_connect = raising(error)
    exceptions = pytest.importorskip("websockets.exceptions")
    with pytest.raises(exceptions.InvalidStatus) as caught, client_of(chat.app):
        pytest.fail("the client was accepted")
    assert caught.value.response.status_code == status
    assert [note[0] for note in chat.notes] == ["connect"]
    assert ("a fault" in caplog.text) == (status == 500)


def test_local_client_that_sends_binary_is_closed_as_on_api_gateway() -> None:
    chat = Chat(None)
    exceptions = pytest.importorskip("websockets.exceptions")
    with client_of(chat.app) as socket:
        socket.send(b"1")
        with pytest.raises(exceptions.ConnectionClosed):
            socket.recv(HANG_S)
        assert socket.close_code == 1003
        until(lambda: len(chat.notes) == 2)
    assert [note[0] for note in chat.notes] == ["connect", "disconnect"]


def test_routes_answer_nobody_on_a_server() -> None:
    from http.client import HTTPConnection

    chat = Chat(None)
    with serving(chat.app) as address:
        client = HTTPConnection(address)
        for path in [*SPELLINGS, "/unknown"]:
            for method in ("POST", "GET"):
                client.request(method, path, '{"a": 1}', {"mangum.websocket": "connect"})
                answer = client.getresponse()
                assert (answer.status, answer.read()) == (404, b'{"detail":"Not Found"}')
        client.close()
    assert chat.notes == []


def test_nothing_is_mounted_where_api_gateway_serves() -> None:
    chat = Chat()
    assert not chat.ws.is_local
    assert "/ws" not in {getattr(route, "path", None) for route in chat.app.routes}
    assert Chat(None).ws.is_local
    assert MangumWS("").is_local


# --- imports ------------------------------------------------------------------------------------


def test_it_is_loaded_when_it_is_asked_for_and_fastapi_when_routes_are() -> None:
    shown = output_of(
        """
        import sys, mangum
        def loaded(name): return sorted(it for it in sys.modules if it.startswith(name))
        print(loaded("mangum.websockets"))
        ws = mangum.MangumWS("https://example.org/prod")
        ws.handler, ws.mount(None)
        print(loaded("fastapi"), loaded("mangum.aws"), loaded("asyncio"))
        ws.router
        print("fastapi" in sys.modules)
        """
    )
    assert shown == ["[]", "[] [] []", "True"]


def test_routes_without_fastapi_are_an_error_that_says_what_to_install() -> None:
    shown = output_of(
        """
        import sys; sys.modules["fastapi"] = None
        from mangum import MangumWS
        from mangum.exceptions import ConfigurationError
        for ask in (lambda: MangumWS().router, lambda: MangumWS().mount(None)):
            try:
                ask()
            except ConfigurationError as exc:
                print(exc)
        """
    )
    assert shown == [
        "`MangumWS.router` needs FastAPI: pip install fastapi.",
        "`MangumWS.mount` needs FastAPI: pip install fastapi.",
    ]
