"""The `@connections` calls: what they answer, and what clients get."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

import tests.profiles  # noqa: F401
from mangum.local.connections import MAX_PENDING_BYTES, ending_of
from mangum.local.messages import Answer, Event, Request
from mangum.websockets.gateway import ConnectionGateway
from tests.local.websocket_server import HANG_S, HOST, Fails, Running, serving, wait_until

KEY, SECRET = "AKIDEXAMPLE", "a secret"
REGION = "us-east-1"
LARGE = b"a" * 128 * 1024


@pytest.fixture
def running() -> Iterator[Running]:
    with serving() as api:
        yield api


def error_of(answer: Answer) -> tuple[int, str]:
    """The status and the type of an error, whose body is JSON."""
    assert answer.header("content-type") == "application/json"
    assert list(json.loads(answer.body)) == ["message"]
    return answer.status, answer.header("x-amzn-errortype")


GONE = (410, "GoneException")
FORBIDDEN = (403, "ForbiddenException")
TOO_LARGE = (413, "PayloadTooLargeException")
LIMIT = (429, "LimitExceededException")


# --- POST -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"hello", "ü€😀".encode(), b"", b'{"a": 1}', LARGE])
def test_a_post_is_a_text_frame(running: Running, body: bytes) -> None:
    with running.connect() as client:
        answer = running.post(running.connection_id(), body)
        assert (answer.status, answer.body) == (200, b"")
        assert client.recv(HANG_S) == body.decode()


def test_posts_arrive_in_their_order(running: Running) -> None:
    with running.connect() as client:
        for number in range(50):
            running.post(running.connection_id(), str(number).encode())
        assert [client.recv(HANG_S) for _ in range(50)] == [str(it) for it in range(50)]


def test_bytes_that_are_no_text_are_replaced(running: Running) -> None:
    with running.connect() as client:
        running.post(running.connection_id(), b"a\xffb")
        assert client.recv(HANG_S) == "a\ufffdb"


def test_a_post_over_128_kb_is_refused(running: Running) -> None:
    with running.connect() as client:
        assert error_of(running.post(running.connection_id(), LARGE + b"a")) == TOO_LARGE
        running.post(running.connection_id())
        assert client.recv(HANG_S) == "hello"


def test_a_client_is_gone_until_it_is_let_in_and_after_it_has_left() -> None:
    answers = []
    apis: list[Running] = []

    def function(event: Event) -> Any:
        answers.append(apis[0].post(event["requestContext"]["connectionId"]))
        return {"statusCode": 200}

    with serving(function) as running:
        apis.append(running)
        with running.connect() as client:
            client.send("hello")
            assert client.recv(HANG_S) == "hello"
        running.wait_for("DISCONNECT")
        wait_until(lambda: len(answers) == 3)
        gone = running.connection_id()
        for method in ("POST", "GET", "DELETE"):
            assert error_of(running.manage(method, running.path(gone))) == GONE
    assert [answer.status for answer in answers] == [410, 200, 410]


def test_a_client_that_does_not_read_is_told_of_and_keeps_nobody_waiting() -> None:
    with serving(send_timeout_s=0.05) as running, running.connect() as client:
        connection_id = running.connection_id()
        deaf = running.open_raw()
        deaf_id = running.let_in(2)
        statuses = [200]
        while statuses[-1] == 200:
            statuses.append(running.post(deaf_id, LARGE).status)
            assert len(statuses) < 1000, "whatever is sent is taken"
        assert error_of(running.post(deaf_id)) == LIMIT
        assert running.post(connection_id).status == 200
        assert client.recv(HANG_S) == "hello"
        assert running.manage("DELETE", running.path(deaf_id)).status == 204
        event = running.wait_for("DISCONNECT")
        assert event["requestContext"]["connectionId"] == deaf_id
    deaf.close()  # not before its connection has ended on the other side


def test_what_waits_for_a_client_that_does_not_read_is_limited() -> None:
    with serving(send_timeout_s=0.2) as running:
        deaf = running.open_raw()
        connection_id = running.let_in()
        [connection] = running.api.connections
        request = Request("POST", running.path(connection_id), body=LARGE)

        async def flood() -> list[Answer]:
            posts = [asyncio.ensure_future(running.api.manage(request)) for _ in range(200)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert MAX_PENDING_BYTES - len(LARGE) < connection._pending_bytes <= MAX_PENDING_BYTES
            return await asyncio.gather(*posts)

        statuses = [answer.status for answer in running.run(flood())]
        assert set(statuses) == {200, 429}
        assert connection._pending_bytes == 0
        deaf.close()


# --- GET and DELETE -------------------------------------------------------------------------------


def test_a_get_tells_who_is_connected_since_when(running: Running) -> None:
    with running.connect(user_agent_header="me") as client:
        client.send("hello")
        running.wait_for("MESSAGE")
        answer = running.manage("GET", running.path(running.connection_id()))
        assert answer.status == 200
        body = json.loads(answer.body)
        assert body.pop("identity") == {"userAgent": "me", "sourceIp": HOST}
        connected, active = (
            datetime.fromisoformat(body.pop(name).replace("Z", "+00:00")).timestamp()
            for name in ("connectedAt", "lastActiveAt")
        )
        assert time.time() - HANG_S < connected <= active <= time.time()
        assert body == {}


def test_a_delete_closes_and_tells_the_function(running: Running) -> None:
    with running.connect() as client:
        answer = running.manage("DELETE", running.path(running.connection_id()))
        assert (answer.status, answer.body) == (204, b"")
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(HANG_S)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1000, "")
        context = running.wait_for("DISCONNECT")["requestContext"]
    assert context["disconnectStatusCode"] == 1000
    assert context["disconnectReason"] == "Connection Closed Normally"
    assert len(running.events("DISCONNECT")) == 1


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["{}", "%40connections/{}", "%40connections%2F{}"])
def test_a_path_may_be_percent_encoded(running: Running, spelling: str) -> None:
    with running.connect() as client:
        given_id = running.connection_id().replace("=", "%3D")
        if spelling == "{}":
            path = running.path(given_id)
        else:
            path = f"/prod/{spelling.format(given_id)}"
        assert running.api.is_management(path)
        answer = running.manage("POST", path, b"hello")
        if "%2F" in spelling:  # an encoded slash is no slash
            assert error_of(answer) == FORBIDDEN
        else:
            assert (answer.status, client.recv(HANG_S)) == (200, "hello")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/prod/@connections/{}"),
        ("PATCH", "/prod/@connections/{}"),
        ("get", "/prod/@connections/{}"),
        ("POST", "/dev/@connections/{}"),
        ("POST", "/@connections/{}"),
        ("POST", "/prod/@connections/{}/"),
        ("POST", "/prod/@connections/{}/more"),
        ("POST", "/prod/@connections/"),
        ("POST", "/prod/@connections"),
    ],
)
def test_any_other_method_or_path_is_forbidden(running: Running, method: str, path: str) -> None:
    with running.connect():
        path = path.format(running.connection_id())
        assert running.api.is_management(path)
        assert error_of(running.manage(method, path)) == FORBIDDEN


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("/prod/@connections/x", True),
        ("/prod/%40connections/x", True),
        ("/", False),
        ("/prod", False),
        ("/connections", False),
        ("/prod/@connection/x", False),
        ("/a/b/@connections/x", False),
        ("@connections/x", False),
    ],
)
def test_the_paths_of_the_calls_are_told_from_others(
    running: Running, path: str, is_one: bool
) -> None:
    assert running.api.is_management(path) is is_one


# --- clients of AWS -------------------------------------------------------------------------------


def boto3_client(running: Running, secret: str = SECRET, region: str = REGION) -> Any:
    return boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=running.endpoint,
        region_name=region,
        aws_access_key_id=KEY,
        aws_secret_access_key=secret,
        aws_session_token=None,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=HANG_S),
    )


@pytest.fixture(scope="module")
def verifying() -> Iterator[Running]:
    with serving(verify_signatures=True, credentials={KEY: SECRET}) as api:
        yield api


def test_awss_own_client_is_understood(verifying: Running) -> None:
    calls = boto3_client(verifying)
    with verifying.connect() as client:
        connection_id = verifying.connection_id()
        calls.post_to_connection(ConnectionId=connection_id, Data=b"hello")
        assert client.recv(HANG_S) == "hello"
        found = calls.get_connection(ConnectionId=connection_id)
        assert found["Identity"]["SourceIp"] == HOST
        assert abs(found["ConnectedAt"].timestamp() - time.time()) < HANG_S
        calls.delete_connection(ConnectionId=connection_id)
        with pytest.raises(ConnectionClosed):
            client.recv(HANG_S)
        with pytest.raises(calls.exceptions.GoneException):
            calls.post_to_connection(ConnectionId=connection_id, Data=b"hello")


@pytest.mark.parametrize(
    ("changes", "error_type"),
    [
        ({"secret": "guessed"}, "InvalidSignatureException"),
        ({"region": "eu-west-1"}, "InvalidSignatureException"),
    ],
)
def test_awss_own_client_is_refused_with_a_wrong_signature(
    verifying: Running, changes: dict[str, str], error_type: str
) -> None:
    with verifying.connect(), pytest.raises(ClientError) as caught:
        boto3_client(verifying, **changes).get_connection(ConnectionId=verifying.connection_id())
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert caught.value.response["Error"]["Code"] == error_type


def test_a_call_without_a_signature_is_refused(verifying: Running) -> None:
    with verifying.connect():
        answer = verifying.post(verifying.connection_id())
    assert error_of(answer) == (403, "MissingAuthenticationTokenException")


def test_our_own_client_is_understood(verifying: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    async def call(connection_id: str) -> None:
        gateway = ConnectionGateway(verifying.endpoint, REGION)
        await gateway.post(connection_id, b"hello")
        await gateway.delete(connection_id)
        await gateway.close()

    with verifying.connect() as client:
        asyncio.run(call(verifying.connection_id()))
        assert client.recv(HANG_S) == "hello"
        with pytest.raises(ConnectionClosed):
            client.recv(HANG_S)


# --- whatever happens -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"code": 1005}, (1006, "")),  # what uvicorn says of a connection that is lost
        ({"code": 1006}, (1006, "")),
        ({"code": 1005, "reason": ""}, (1005, "Client-side close frame status not set")),
        ({"code": 1012}, (1001, "Going away")),
        ({"code": 1000, "reason": None}, (1000, "")),
        ({}, (1006, "")),
    ],
)
def test_what_the_server_says_of_an_end_becomes_what_api_gateway_says(
    message: dict[str, Any], told: tuple[int, str]
) -> None:
    assert ending_of({"type": "websocket.disconnect", **message}) == told


ACTS = ("close", "reset", "delete", "post", "send", "fail", "flood", "binary", "large", "end")


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ACTS)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_client_that_was_let_in_is_one_disconnect(acts: list[tuple[int, str]]) -> None:
    def function(event: Event) -> Any:
        if event.get("body") == "fail":
            raise Fails
        return {"statusCode": 200}

    with serving(function) as running, ExitStack() as stack:
        clients = []
        for _ in range(3):
            client = stack.enter_context(running.connect(compression=None))
            clients.append((client, running.connection_id()))
        threads = []
        for number, act in acts:
            client, connection_id = clients[number]
            thread = threading.Thread(target=perform, args=(running, act, client, connection_id))
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(HANG_S)
    ended = [event["requestContext"]["connectionId"] for event in running.events("DISCONNECT")]
    assert sorted(ended) == sorted(connection_id for _, connection_id in clients)
    assert running.api.connections == []


def perform(running: Running, act: str, client: Any, connection_id: str) -> None:
    try:
        if act == "close":
            client.close()
        elif act == "reset":
            linger = struct.pack("ii", 1, 0)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.socket.shutdown(socket.SHUT_RDWR)
        elif act == "delete":
            running.manage("DELETE", running.path(connection_id))
        elif act == "post":
            running.post(connection_id)
        elif act == "end":
            running.run(running.api.close())
        elif act == "flood":
            for _ in range(100):
                client.send("hello")
        else:
            client.send({"binary": b"hello", "large": "a" * 40_000}.get(act, act))
    except (ConnectionClosed, OSError):
        pass  # another one was faster
