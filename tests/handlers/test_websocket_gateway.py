"""Events of a WebSocket API: what is read from them, and what is answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from mangum import Mangum
from mangum.exceptions import InferenceError, MalformedEvent, RequestError
from mangum.handlers.websocket_gateway import WebSocketGateway
from mangum.types import Scope
from tests.apps import Recorder
from tests.builders import (
    API_HOST,
    CLIENT_IP,
    CONNECTION_ID,
    Event,
    lambda_context,
    replaced,
    websocket_event,
    without,
)

EVENTS = Path(__file__).parent.parent / "events" / "apigw-websocket"
EVENT_TYPES = ("CONNECT", "MESSAGE", "DISCONNECT")
MODES: tuple[Literal["message", "session"], ...] = ("message", "session")

every_type = pytest.mark.parametrize("event_type", EVENT_TYPES)
either_mode = pytest.mark.parametrize("mode", MODES)


def read(event: Event, mode: Any = "session", **options: Any) -> WebSocketGateway:
    """The handler of the event."""
    handler = Mangum(Recorder(), websocket_mode=mode, **options).infer(event, lambda_context())
    assert type(handler) is WebSocketGateway
    return handler


def scope_of(mode: Any = "session", options: Any = None, **fields: Any) -> Scope:
    return read(websocket_event(event_type="CONNECT", **fields), mode, **(options or {})).scope


def connect_with(*headers: tuple[str, str]) -> Event:
    """A CONNECT that has these headers alone."""
    return {
        **websocket_event(event_type="CONNECT"),
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers},
    }


# --- which event is it? ---------------------------------------------------------------------------


@every_type
def test_websocket_event_has_a_handler(event_type: str) -> None:
    handler = read(websocket_event(event_type=event_type))
    assert (handler.event_type, handler.connection_id) == (event_type, CONNECTION_ID)


def test_unknown_websocket_event_type_is_no_websocket_event() -> None:
    event = websocket_event(event_type="PING")
    with pytest.raises(InferenceError, match="unable to infer"):
        Mangum(Recorder()).infer(event, lambda_context())


@pytest.mark.parametrize("connection_id", ["", 1, ["s3cret"], {"s3cret": 1}, None], ids=repr)
def test_connection_id_must_be_a_text(connection_id: Any) -> None:
    event = replaced(websocket_event(), ("requestContext", "connectionId"), connection_id)
    with pytest.raises((MalformedEvent, InferenceError)) as caught:
        print(read(event).connection_id)
    assert "s3cret" not in str(caught.value)


RECORDED: dict[str, dict[str, Any]] = {
    "bref-websocket-connect": {"type": "CONNECT", "id": "xyz-connectionId", "client": "0.0.0.0"},
    "bref-websocket-disconnect": {
        "type": "DISCONNECT",
        "id": "xyz-connectionId",
        "client": "0.0.0.0",
        "disconnect": (1005, ""),
    },
    "datadog-js-api-gateway-wss": {
        "type": "CONNECT",
        "id": "MM0qReAFGjQCE-w=",
        "client": "71.195.30.42",
    },
    "datadog-py-api-gateway-websocket-connect": {
        "type": "CONNECT",
        "id": "Fc2tgfl3mjQCJfA=",
        "client": "38.122.226.210",
    },
    "datadog-py-api-gateway-websocket-default": {
        "type": "MESSAGE",
        "id": "Fc5SzcoYGjQCJlg=",
        "client": "38.122.226.210",
        "text": '"What\'s good in the hood?"',
    },
    "datadog-py-integration-websocket": {
        "type": "MESSAGE",
        "id": "Fc5SzcoYGjQCJlg=",
        "client": "38.122.226.210",
        "text": '"What\'s good in the hood?"',
    },
    "dotnet-values-post-withbody-websocketapi-request": {
        "type": "MESSAGE",
        "id": "amJTNfeGLAMCLCQ=",
        "client": "127.0.0.1",
        "text": '{"firstName":"Smith","lastName": "Agent"}',
    },
    "go-apigw-websocket-request": {
        "type": "CONNECT",
        "id": "TWegAcC4EowCHnA=",
        "client": "192.168.196.186",
    },
    "java-libs-apigw-websocket-event": {
        "type": "CONNECT",
        "id": "abc123=",
        "client": "192.0.2.1",
    },
    "mangum-old-ws-connect": {
        "type": "CONNECT",
        "id": "d4NsecoByQ0CH-Q=",
        "client": "192.168.100.1",
    },
    "mangum-old-ws-disconnect": {
        "type": "DISCONNECT",
        "id": "d4NsecoByQ0CH-Q=",
        "client": "101.164.35.219",
        "disconnect": (1005, ""),
    },
    "mangum-old-ws-message": {
        "type": "MESSAGE",
        "id": "d4NsecoByQ0CH-Q=",
        "client": "192.168.100.1",
        "text": '{"action": "sendmessage", "data": "Hello world"}',
    },
    "mangum-old-ws-message-base64": {
        "type": "MESSAGE",
        "id": "d4NsecoByQ0CH-Q=",
        "client": "192.168.100.1",
        "text": "mangum",
    },
    "mangum-old-ws-message-no-body": {
        "type": "MESSAGE",
        "id": "d4NsecoByQ0CH-Q=",
        "client": "192.168.100.1",
        "text": "",
    },
    "powertools-py-ws-connect": {
        "type": "CONNECT",
        "id": "BFHPhfCWIAMCKlQ=",
        "client": "166.90.225.1",
    },
    "powertools-py-ws-disconnect-1005": {
        "type": "DISCONNECT",
        "id": "BFaT_fALIAMCKug=",
        "client": "166.90.225.1",
        "disconnect": (1005, "Client-side close frame status not set"),
    },
    "powertools-ts-apigw-rest-websocket": {
        "type": "MESSAGE",
        "id": "GgCJcFJGoAMCJ8w=",
        "client": "15.248.3.126",
        "text": "",
    },
    "rust-example-apigw-websocket-request-without-method": {
        "type": "CONNECT",
        "id": "asdfasdf=",
        "client": "10.0.0.13",
    },
    "shape-ws-browser-connect-custom-domain": {
        "type": "CONNECT",
        "id": "TXzPWdnOjoECXXX=",
        "client": "203.0.113.10",
    },
    "zappa-ws-connect-minimal": {"type": "CONNECT"},
}
"""What is known of the events in `tests/events/`; the others lack the event type."""


def recorded_event(name: str) -> Event:
    event: Event = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


@either_mode
@pytest.mark.parametrize("name", RECORDED)
def test_what_is_known_of_recorded_events(name: str, mode: str) -> None:
    known, handler = RECORDED[name], read(recorded_event(name), mode)
    seen: dict[str, Any] = {"type": handler.event_type}
    if "id" in known:
        seen["id"] = handler.connection_id
    if "client" in known:
        seen["client"] = handler.scope["client"][0]
    if handler.event_type == "MESSAGE":
        seen["text"] = handler.message["text"]
    if handler.event_type == "DISCONNECT":
        seen["disconnect"] = handler.disconnection
    assert seen == known


def test_every_recorded_event_is_known() -> None:
    names = {path.stem for path in EVENTS.glob("*.json")}
    without_type = {"chalice-ws-minimal-default", "chalice-ws-minimal-disconnect"}
    assert names - without_type == {*RECORDED}


# --- the scope ------------------------------------------------------------------------------------


def test_scope_of_message_mode_is_that_of_mangum_0_12() -> None:
    handler = read(websocket_event(event_type="CONNECT", query=[("a", "1")]), "message")
    scope = {**handler.scope}
    names = [name for name, _ in scope.pop("headers")]
    assert names[:1] == [b"host"]
    assert scope == {
        "type": "websocket",
        "http_version": "1.1",
        "path": "/",
        "raw_path": None,
        "root_path": "",
        "scheme": "https",
        "query_string": b"a=1",
        "server": (API_HOST, 443),
        "client": (CLIENT_IP, 0),
        "asgi": {"version": "3.0"},
        "subprotocols": [],
        "aws.eventType": "AWS_WS_GATEWAY",
    }


@pytest.mark.parametrize(
    ("proto", "message", "session"),
    [
        ("https", "https", "wss"),
        ("http", "http", "ws"),
        ("wss", "wss", "wss"),
        ("ws", "ws", "ws"),
        ("HTTP, https", "HTTP, https", "ws"),
        (None, "wss", "wss"),
    ],
)
def test_scheme_is_that_of_a_websocket_in_session_mode(
    proto: str | None, message: str, session: str
) -> None:
    headers = [("Host", API_HOST)] + ([("X-Forwarded-Proto", proto)] if proto else [])
    event = connect_with(*headers)
    assert read(event, "message").scope["scheme"] == message
    assert read(event, "session").scope["scheme"] == session


@pytest.mark.parametrize(
    ("headers", "message", "session"),
    [
        ([("Host", "example.org")], ("example.org", 80), ("example.org", 443)),
        ([("Host", "example.org:8443")], ("example.org", 8443), ("example.org", 8443)),
        (
            [("Host", "example.org"), ("X-Forwarded-Port", "444")],
            ("example.org", 444),
            ("example.org", 444),
        ),
        (
            [("Host", "example.org"), ("X-Forwarded-Proto", "http")],
            ("example.org", 80),
            ("example.org", 80),
        ),
        ([], ("mangum", 80), ("mangum", 443)),
    ],
)
def test_server_is_the_host_with_its_port(headers: Any, message: Any, session: Any) -> None:
    event = connect_with(*headers)
    assert read(event, "message").scope["server"] == message
    assert read(event, "session").scope["server"] == session


@pytest.mark.parametrize("identity", [None, {}, {"sourceIp": None}])
def test_client_that_is_unknown_is_none(identity: Any) -> None:
    event = replaced(
        websocket_event(event_type="CONNECT"), ("requestContext", "identity"), identity
    )
    assert read(event, "message").scope["client"] == (None, 0)
    assert read(event, "session").scope["client"] is None


@pytest.mark.parametrize(
    ("offered", "subprotocols"),
    [
        (["chat"], ["chat"]),
        (["graphql-transport-ws, graphql-ws"], ["graphql-transport-ws", "graphql-ws"]),
        (["a ,b", " c "], ["a", "b", "c"]),
        ([""], []),
        ([", ,"], []),
    ],
)
def test_subprotocols_are_those_of_every_header(
    offered: list[str], subprotocols: list[str]
) -> None:
    headers = [("Sec-WebSocket-Protocol", value) for value in offered]
    scope = scope_of(headers=headers)
    assert scope["subprotocols"] == subprotocols
    assert scope_of("message", headers=headers)["subprotocols"] == []


def test_subprotocols_are_not_offered_in_message_mode() -> None:
    """The handshake is over when the application sees it."""
    headers = [("Sec-WebSocket-Protocol", "chat"), ("X-Id", "1")]
    names = [name for name, _ in scope_of("message", headers=headers)["headers"]]
    assert b"x-id" in names
    assert b"sec-websocket-protocol" not in names


@either_mode
def test_repeated_headers_and_query_parameters_are_kept(mode: str) -> None:
    scope = scope_of(
        mode, headers=[("X-Id", "1"), ("X-Id", "2")], query=[("a", "1"), ("a", "2 ü"), ("b", "")]
    )
    assert [value for name, value in scope["headers"] if name == b"x-id"] == [b"1", b"2"]
    assert scope["query_string"] == b"a=1&a=2+%C3%BC&b="


@pytest.mark.parametrize(
    ("path", "expected", "raw"),
    [
        (None, "/", b"/"),
        ("", "/", b"/"),
        ("/", "/", b"/"),
        ("/ws", "/ws", b"/ws"),
        ("ws/chat", "/ws/chat", b"/ws/chat"),
        ("/Zürich", "/Zürich", b"/Z%C3%BCrich"),
        (lambda event: "/" + event["requestContext"]["stage"], "/prod", b"/prod"),
        (lambda event: "chat", "/chat", b"/chat"),
    ],
)
def test_path_is_that_of_the_option_as_no_event_has_one(
    path: Any, expected: str, raw: bytes
) -> None:
    scope = scope_of(options={"websocket_path": path})
    assert (scope["path"], scope["raw_path"]) == (expected, raw)
    scope = scope_of("message", {"websocket_path": path})
    assert (scope["path"], scope["raw_path"]) == (expected, None)


@pytest.mark.parametrize("value", [None, b"/ws", 1, ["/ws"]], ids=repr)
def test_callable_must_return_a_path(value: Any) -> None:
    with pytest.raises(
        MalformedEvent, match=rf"`websocket_path` returned a {type(value).__name__}"
    ):
        scope_of(options={"websocket_path": lambda event: value})


def test_root_path_is_the_option_in_session_mode() -> None:
    assert scope_of(options={"root_path": "/prod"})["root_path"] == "/prod"
    assert scope_of("message", {"root_path": "/prod"})["root_path"] == ""


NULLS: list[tuple[str, ...]] = [
    ("headers",),
    ("multiValueHeaders",),
    ("queryStringParameters",),
    ("multiValueQueryStringParameters",),
    ("requestContext", "identity"),
    ("isBase64Encoded",),
    ("body",),
]


@either_mode
@every_type
@pytest.mark.parametrize("keys", NULLS, ids=lambda keys: ".".join(keys))
def test_null_is_the_same_as_absent(keys: tuple[str, ...], event_type: str, mode: str) -> None:
    event = websocket_event(event_type=event_type, query=[("a", "1")])
    null, absent = read(replaced(event, keys, None), mode), read(without(event, keys), mode)
    assert null.scope == absent.scope
    assert null.body == absent.body


@pytest.mark.parametrize(
    "keys",
    [
        ("headers",),
        ("multiValueHeaders",),
        ("queryStringParameters",),
        ("requestContext", "identity"),
    ],
    ids=lambda keys: ".".join(keys),
)
@pytest.mark.parametrize("value", ["s3cret", ["s3cret"], 1], ids=repr)
def test_malformed_field_is_an_error_that_names_it_and_shows_nothing(
    keys: tuple[str, ...], value: Any
) -> None:
    event = replaced(websocket_event(event_type="CONNECT"), keys, value)
    with pytest.raises(MalformedEvent, match=keys[-1]) as caught:
        print(read(event).scope)
    assert "s3cret" not in str(caught.value)


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text", "data"),
    [
        ("hello", "hello", None),
        ("", "", None),
        (None, "", None),
        ("Zürich 🚀 \x00", "Zürich 🚀 \x00", None),
        (b"hello", "hello", None),
        ("Zürich".encode(), "Zürich", None),
        (b"\xff\xfe", None, b"\xff\xfe"),
    ],
    ids=repr,
)
def test_body_is_the_message(
    body: str | bytes | None, text: str | None, data: bytes | None
) -> None:
    event = websocket_event(body=body)
    assert read(event, "message").message == {
        "type": "websocket.receive",
        "bytes": data,
        "text": text,
    }
    one_key = {"text": text} if data is None else {"bytes": data}
    assert read(event, "session").message == {"type": "websocket.receive", **one_key}


def test_invalid_base64_is_a_bad_request() -> None:
    handler = read({**websocket_event(body="a"), "isBase64Encoded": True})
    with pytest.raises(RequestError) as caught:
        print(handler.message)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (1000, "", (1000, "")),
        (1001, "Going away", (1001, "Going away")),
        (4999, "ü", (4999, "ü")),
        (None, None, (1005, "")),
        (0, None, (1005, "")),
        ("1000", 5, (1005, "")),
    ],
)
def test_disconnect_has_its_code_and_reason_or_none(
    code: Any, reason: Any, expected: tuple[int, str]
) -> None:
    event = websocket_event(event_type="DISCONNECT", code=code, reason=reason)
    assert read(event).disconnection == expected


# --- the result -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"status": 200, "headers": [], "body": b""}, {"statusCode": 200}),
        (
            {"status": 200, "headers": [(b"sec-websocket-protocol", b"chat")], "body": b""},
            {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "chat"}},
        ),
        (
            {
                "status": 401,
                "headers": [(b"content-type", b"text/plain"), (b"x-a", b"1"), (b"x-a", b"2")],
                "body": "nö".encode(),
            },
            {
                "statusCode": 401,
                "headers": {"content-type": "text/plain"},
                "multiValueHeaders": {"x-a": ["1", "2"]},
                "body": "nö",
            },
        ),
        (
            {"status": 403, "headers": [(b"content-type", b"image/png")], "body": b"\xff"},
            {
                "statusCode": 403,
                "headers": {"content-type": "image/png"},
                "body": "/w==",
                "isBase64Encoded": True,
            },
        ),
        (
            {"status": 403, "headers": [(b"X-Secret", b"1"), (b"x-a", b"1")], "body": b""},
            {"statusCode": 403, "headers": {"x-a": "1"}},
        ),
    ],
    ids=["status", "subprotocol", "denial", "bytes", "excluded header"],
)
def test_result_has_what_it_needs_and_no_more(response: Any, expected: Any) -> None:
    handler = read(websocket_event(event_type="CONNECT"), exclude_headers=["x-secret"])
    assert handler(response) == expected
