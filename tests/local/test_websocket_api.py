"""Clients at a WebSocket API: what the function is told of them, and what they get."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from mangum.exceptions import ConfigurationError
from mangum.local.connections import MAX_IN_FLIGHT
from mangum.local.messages import Answer, Event, Trouble
from mangum.local.services._request import API_ID
from mangum.local.websocket_answers import refuse_handshake
from mangum.local.websocket_api import WebSocketOptions
from mangum.local.websocket_events import connect_event, connection_context, read_handshake
from mangum.types import Message
from tests.local.websocket_server import HANG_S, HOST, Fails, Running, serving, wait_until

ID = re.compile(r"[\w-]{15}=")
FRAME = "a" * 32 * 1024


def closing(client: ClientConnection) -> tuple[int, str]:
    """The code and the reason that the client is closed with."""
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(HANG_S)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def ending(running: Running, number: int = 1) -> tuple[int, str]:
    """The code and the reason of the DISCONNECT with that number."""
    context = running.wait_for("DISCONNECT", number)["requestContext"]
    return context["disconnectStatusCode"], context["disconnectReason"]


def without(event: Event, *names: str) -> dict[str, Any]:
    """The request context, less what is another each time, which is checked."""
    context = dict(event["requestContext"])
    for name in ("extendedRequestId", "requestId", "connectionId", *names):
        assert ID.fullmatch(context.pop(name)), name
    assert re.fullmatch(r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000", context.pop("requestTime"))
    for name in ("connectedAt", "requestTimeEpoch"):
        assert abs(context.pop(name) / 1000 - time.time()) < HANG_S
    return context


# --- the three events -----------------------------------------------------------------------------


def test_a_connection_becomes_the_three_events() -> None:
    with serving(stage="dev", routes=["join"]) as running:
        host = f"{HOST}:{running.port}"
        with running.connect(user_agent_header="me", compression=None) as client:
            client.send('{"action": "join"}')
            running.wait_for("MESSAGE")
            client.close(4001, "bored")
        connected, said = running.wait_for("CONNECT"), running.wait_for("MESSAGE")
        left = running.wait_for("DISCONNECT")
    common = {
        "messageDirection": "IN",
        "stage": "dev",
        "identity": {"userAgent": "me", "sourceIp": HOST},
        "domainName": host,
        "apiId": API_ID,
    }
    assert without(connected) == {**common, "routeKey": "$connect", "eventType": "CONNECT"}
    assert without(said, "messageId") == {**common, "routeKey": "join", "eventType": "MESSAGE"}
    assert without(left) == {
        **common,
        "routeKey": "$disconnect",
        "eventType": "DISCONNECT",
        "disconnectStatusCode": 4001,
        "disconnectReason": "bored",
    }
    for name in ("connectionId", "connectedAt"):
        assert len({it["requestContext"][name] for it in (connected, said, left)}) == 1
    for event in (connected, said, left):
        del event["requestContext"]
    sent = connected.pop("headers")
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", sent.pop("X-Amzn-Trace-Id"))
    assert sent.pop("Sec-WebSocket-Key")
    assert sent == {
        "Host": host,
        "Sec-WebSocket-Version": "13",
        "User-Agent": "me",
        "X-Forwarded-For": HOST,
        "X-Forwarded-Port": str(running.port),
        "X-Forwarded-Proto": "http",
    }
    lists = connected.pop("multiValueHeaders")
    assert {name: lists[name] for name in sent} == {name: [it] for name, it in sent.items()}
    assert connected == {"isBase64Encoded": False}
    assert said == {"body": '{"action": "join"}', "isBase64Encoded": False}
    told = {"Host": host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    assert left == {
        "headers": told,
        "multiValueHeaders": {name: [it] for name, it in told.items()},
        "isBase64Encoded": False,
    }


def test_a_connect_has_the_query_decoded_and_every_value_of_a_header() -> None:
    headers = [("X-Two", "1"), ("X-Two", "2"), ("X-Forwarded-For", "203.0.113.10")]
    with serving() as running:
        query = "?a=1&a=2&empty=&b=%20%C3%BC+x"
        with running.connect(query, additional_headers=headers):
            event = running.wait_for("CONNECT")
    assert event["queryStringParameters"] == {"a": "2", "empty": "", "b": " ü x"}
    lists = {"a": ["1", "2"], "empty": [""], "b": [" ü x"]}
    assert event["multiValueQueryStringParameters"] == lists
    assert event["headers"]["X-Two"] == "2"
    assert event["multiValueHeaders"]["X-Two"] == ["1", "2"]
    assert event["headers"]["X-Forwarded-For"] == f"203.0.113.10, {HOST}"


def test_a_client_that_does_not_name_itself_has_no_user_agent() -> None:
    with serving() as running, running.connect(user_agent_header=None):
        event = running.wait_for("CONNECT")
    assert event["requestContext"]["identity"] == {"sourceIp": HOST}


def test_a_server_need_not_tell_more_than_it_has_to() -> None:
    scope = {"headers": [(b"X-Custom", b"\xc3\xbc")], "query_string": b"a=1", "scheme": "wss"}
    handshake = read_handshake(scope)
    assert (handshake.client, handshake.scheme, handshake.path) == ((HOST, 0), "https", "/")
    context = connection_context(handshake, "prod")
    assert (context["domainName"], context["identity"]) == (f"{HOST}:80", {"sourceIp": HOST})
    assert connect_event(context, handshake)["headers"]["X-Custom"] == "ü"


def test_a_connection_may_be_watched() -> None:
    with serving() as running, running.connect() as client:
        [connection] = running.api.connections
        client.send("hello")
        running.wait_for("MESSAGE")
        running.post(connection.id)
        assert (connection.client, connection.state) == (HOST, "open")
        assert (connection.messages_in, connection.messages_out) == (1, 1)
        assert connection.connected_at <= connection.last_active_at <= time.time()
        client.close()
        running.wait_for("DISCONNECT")
        assert (connection.state, running.api.connections) == ("closed", [])


# --- the handshake --------------------------------------------------------------------------------


def result(status: Any, **fields: Any) -> Any:
    return lambda event: {"statusCode": status, **fields}


@pytest.mark.parametrize("status", [200, 204, 299, "200"])
def test_any_status_of_success_lets_a_client_in(status: Any) -> None:
    with serving(result(status)) as running, running.connect():
        pass


@pytest.mark.parametrize("status", [301, 401, 403, 501])
def test_any_other_status_is_that_of_the_handshake(status: int) -> None:
    headers = {"X-Reason": "none", "Sec-WebSocket-Protocol": "a"}
    with serving(result(status, headers=headers, body="no")) as running:
        with pytest.raises(InvalidStatus) as caught:
            running.connect()
        assert caught.value.response.status_code == status
        assert not caught.value.response.body  # AWS keeps the body and the headers to itself
        assert "x-reason" not in caught.value.response.headers
        assert running.api.connections == []
    assert running.events("DISCONNECT") == []


def fails(trouble: Trouble) -> Any:
    def function(event: Event) -> Any:
        raise Fails(trouble)

    return function


REFUSED = [
    (fails(Trouble.FUNCTION_ERROR), 502, "Internal server error"),
    (fails(Trouble.FUNCTION_TIMEOUT), 502, "Internal server error"),
    (fails(Trouble.GATEWAY_TIMEOUT), 504, "Endpoint request timed out"),
    (lambda event: None, 502, "Internal server error"),
    (lambda event: {}, 502, "Internal server error"),
    (result("2OO"), 502, "Internal server error"),
    (result(True), 502, "Internal server error"),
    (result(101), 502, "Internal server error"),
    (result(600), 502, "Internal server error"),
]


@pytest.mark.parametrize(("function", "status", "words"), REFUSED)
def test_a_function_without_a_result_refuses_the_client(
    function: Any, status: int, words: str
) -> None:
    with serving(function) as running:
        with pytest.raises(InvalidStatus) as caught:
            running.connect()
        context = running.events("CONNECT")[0]["requestContext"]
    response = caught.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert json.loads(response.body or b"") == {
        "message": words,
        "connectionId": context["connectionId"],
        "requestId": context["requestId"],
    }
    assert running.events("DISCONNECT") == []


@pytest.mark.parametrize(
    ("offered", "fields", "chosen"),
    [
        (["a", "b"], {"headers": {"Sec-WebSocket-Protocol": "b"}}, "b"),
        (["a", "b"], {"headers": {"sec-websocket-protocol": "a"}}, "a"),
        (["a"], {"multiValueHeaders": {"Sec-WebSocket-Protocol": ["a"]}}, "a"),
        (["a"], {"headers": {"Sec-WebSocket-Protocol": "c"}}, None),
        (["a"], {"headers": None}, None),
        ([], {"headers": {"Sec-WebSocket-Protocol": "a"}}, None),
    ],
)
def test_the_function_chooses_among_the_subprotocols_that_are_offered(
    offered: list[str], fields: dict[str, Any], chosen: str | None
) -> None:
    with (
        serving(result(200, **fields)) as running,
        running.connect(subprotocols=offered) as client,
    ):
        assert client.subprotocol == chosen


def test_a_server_that_can_not_answer_a_handshake_gives_its_own_refusal() -> None:
    sent = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(refuse_handshake({"type": "websocket"}, send, Answer(401, [])))
    assert sent == [{"type": "websocket.close"}]


# --- messages -------------------------------------------------------------------------------------


def test_what_the_function_returns_for_a_message_is_for_nobody() -> None:
    def function(event: Event) -> Any:
        status = int(event.get("body") or 200)
        return {"statusCode": status, "body": "nobody reads this"}

    with serving(function) as running, running.connect() as client:
        for number, status in enumerate(("200", "301", "401", "501"), 1):
            client.send(status)
            running.wait_for("MESSAGE", number)
        running.post(running.connection_id(), b"the first")
        assert client.recv(HANG_S) == "the first"


def test_an_error_is_told_to_the_client_which_stays() -> None:
    def function(event: Event) -> Any:
        trouble = {"error": Trouble.FUNCTION_ERROR, "slow": Trouble.GATEWAY_TIMEOUT}
        if event.get("body") in trouble:
            raise Fails(trouble[event["body"]])
        return None if event.get("body") == "nothing" else {"statusCode": 200}

    with serving(function) as running, running.connect() as client:
        words = ["Internal server error", "Endpoint request timed out", "Internal server error"]
        for number, body in enumerate(("error", "slow", "nothing"), 1):
            client.send(body)
            context = running.wait_for("MESSAGE", number)["requestContext"]
            assert json.loads(client.recv(HANG_S)) == {
                "message": words[number - 1],
                "connectionId": context["connectionId"],
                "requestId": context["requestId"],
            }


def test_messages_of_one_client_are_with_the_function_at_once() -> None:
    together = threading.Barrier(3)

    def function(event: Event) -> Any:
        if "body" in event:
            together.wait(HANG_S)  # else it breaks, and the client is told of it
        return {"statusCode": 200}

    with serving(function) as running, running.connect() as client:
        for _ in range(3):
            client.send("hello")
        wait_until(lambda: len(running.gateway.answers) == 4)
        assert [answer.body for answer in running.gateway.answers] == [b""] * 4


def test_a_client_that_floods_is_not_read_beyond_a_limit() -> None:
    go_on = threading.Event()

    def function(event: Event) -> Any:
        if "body" in event:
            go_on.wait(HANG_S)
        return {"statusCode": 200}

    more = MAX_IN_FLIGHT + 20
    with serving(function) as running, running.connect() as client, running.connect() as other:
        for number in range(more):
            client.send(str(number))
        running.wait_for("MESSAGE", MAX_IN_FLIGHT)
        running.post(running.connection_id())  # the other one is served meanwhile
        assert other.recv(HANG_S) == "hello"
        assert len(running.events("MESSAGE")) == MAX_IN_FLIGHT
        go_on.set()
        running.wait_for("MESSAGE", more)
    bodies = {event["body"] for event in running.events("MESSAGE")}
    assert bodies == set(map(str, range(more)))


def test_a_flooding_client_can_be_closed() -> None:
    go_on = threading.Event()

    def function(event: Event) -> Any:
        if "body" in event:
            go_on.wait(HANG_S)
        return {"statusCode": 200}

    with serving(function, workers=MAX_IN_FLIGHT + 1) as running, running.connect() as client:
        for _ in range(MAX_IN_FLIGHT + 20):
            client.send("hello")
        running.wait_for("MESSAGE", MAX_IN_FLIGHT)
        assert running.manage("DELETE", running.path(running.connection_id())).status == 204
        assert ending(running) == (1000, "Connection Closed Normally")
        go_on.set()
    assert len(running.events("MESSAGE")) == MAX_IN_FLIGHT


# --- limits ---------------------------------------------------------------------------------------


def test_a_message_has_up_to_128_kb_in_frames_of_up_to_32_kb() -> None:
    with serving() as running, running.connect(compression=None) as client:
        client.send([FRAME] * 4)
        assert running.wait_for("MESSAGE")["body"] == FRAME * 4


@pytest.mark.parametrize("frames", [[f"{FRAME}a"], [FRAME] * 4 + ["a"]])
def test_a_larger_frame_or_message_closes_with_1009(frames: list[str]) -> None:
    with serving() as running, running.connect(compression=None) as client:
        client.send(frames if len(frames) > 1 else frames[0])
        code, reason = closing(client)
        assert (code, "exceeds limit" in reason) == (1009, True)
        assert ending(running) == (code, reason)
    assert running.events("MESSAGE") == []


def test_a_binary_frame_closes_with_1003() -> None:
    with serving() as running, running.connect() as client:
        client.send(b"hello")
        assert closing(client) == (1003, "Binary frames are not supported")
        assert ending(running)[0] == 1003
    assert running.events("MESSAGE") == []


def test_text_that_is_not_utf_8_closes_with_1007() -> None:
    with serving() as running, running.connect(compression=None) as client:
        client.send(b"\xff\xfe", text=True)
        assert closing(client)[0] == 1007
        assert ending(running)[0] == 1007


def test_an_idle_connection_is_closed() -> None:
    with serving(idle_timeout_s=0.05) as running, running.connect() as client:
        assert closing(client) == (1001, "Going away")
        assert ending(running) == (1001, "Going away")


def test_messages_in_either_direction_keep_a_connection_from_being_idle() -> None:
    with serving(idle_timeout_s=HANG_S) as running, running.connect() as client:
        [connection] = running.api.connections
        connection._active_s -= HANG_S / 2
        client.send("hello")
        running.wait_for("MESSAGE")
        assert connection.idle_s < HANG_S / 2
        connection._active_s -= HANG_S / 2
        running.post(connection.id)
        assert connection.idle_s < HANG_S / 2


def test_a_connection_is_closed_at_the_end_of_its_life() -> None:
    with serving(lifetime_s=0.05) as running, running.connect() as client:
        assert closing(client) == (1001, "Going away")
        assert ending(running) == (1001, "Going away")


def test_an_expression_that_is_not_understood_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError):
        WebSocketOptions(selection="$request.header.x")


# --- how it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1000, "", (1000, "")),
        (1001, "", (1001, "")),
        (4001, "bored ü", (4001, "bored ü")),
        (None, "", (1005, "Client-side close frame status not set")),
    ],
)
def test_the_function_is_told_how_a_client_closes(
    code: int | None, reason: str, told: tuple[int, str]
) -> None:
    with serving() as running, running.connect() as client:
        if code is None:
            client.socket.sendall(b"\x88\x80\0\0\0\0")  # a close frame without a code
        else:
            client.close(code, reason)
        assert ending(running) == told
    assert len(running.events("DISCONNECT")) == 1


@pytest.mark.parametrize("resets", [True, False])
def test_a_client_that_vanishes_is_one_disconnect(resets: bool) -> None:
    with serving() as running, running.connect() as client:
        if resets:
            linger = struct.pack("ii", 1, 0)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.socket.shutdown(socket.SHUT_RDWR)
        client.socket.close()
        assert ending(running) == (1006, "")
    assert len(running.events("DISCONNECT")) == 1


def test_a_client_that_leaves_before_it_is_let_in_is_a_disconnect_once_it_was() -> None:
    left = threading.Event()

    def function(event: Event) -> Any:
        left.wait(HANG_S)
        return {"statusCode": 200}

    with serving(function) as running:
        with running.open_raw() as raw:
            running.wait_for("CONNECT")
            linger = struct.pack("ii", 1, 0)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        left.set()
        assert ending(running) == (1006, "")
    assert len(running.events("DISCONNECT")) == 1


def test_at_the_end_clients_are_closed_and_the_function_is_told() -> None:
    with serving() as running, running.connect() as one, running.connect() as other:
        running.run(running.api.close())
        assert closing(one) == closing(other) == (1001, "Going away")
        assert {ending(running, number) for number in (1, 2)} == {(1001, "Going away")}
        with pytest.raises(InvalidStatus) as caught:
            running.connect()
        assert caught.value.response.status_code == 503
    assert len(running.events("CONNECT")) == len(running.events("DISCONNECT")) == 2


def test_at_the_end_a_client_that_is_just_let_in_is_closed_too() -> None:
    go_on = threading.Event()

    def function(event: Event) -> Any:
        go_on.wait(HANG_S)
        return {"statusCode": 200}

    with serving(function) as running:
        codes = []

        def join() -> None:
            with running.connect() as client:
                codes.append(closing(client))

        thread = threading.Thread(target=join)
        thread.start()
        running.wait_for("CONNECT")
        threading.Timer(0.1, go_on.set).start()
        running.run(running.api.close())
        thread.join(HANG_S)
        assert codes == [ending(running)] == [(1001, "Going away")]


def test_a_function_that_hangs_does_not_keep_the_api_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mangum.local.websocket_api.CLOSE_S", 0.1)
    go_on = threading.Event()

    def function(event: Event) -> Any:
        if event["requestContext"]["eventType"] != "CONNECT":
            go_on.wait(HANG_S)
        return {"statusCode": 200}

    with serving(function) as running, running.connect() as client:
        client.send("hello")
        running.wait_for("MESSAGE")
        running.run(running.api.close())
        assert not running.api._tasks
        assert closing(client) == (1001, "Going away")
        go_on.set()
