"""Every state of the cycles with every message: what is allowed moves on, all else is refused."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import pytest

from mangum.exceptions import (
    ConnectionGone,
    LifespanFailure,
    LifespanUnsupported,
    MangumError,
    UnexpectedMessage,
)
from mangum.protocols import (
    HTTPCycle,
    LifespanCycle,
    LifespanCycleState,
    WebSocketCycle,
    WebSocketCycleState,
)
from mangum.protocols.http import HTTPCycleState
from mangum.protocols.states import HTTP, LIFESPAN, WEBSOCKET
from mangum.types import Receive, Scope, Send
from tests.apps import chunk, sending, start
from tests.protocols.driving import FarEnd, http_scope, run_websocket

RECEIVE = "receive()"

# What the ASGI specification allows; every other message is refused.
HTTP_MOVES: dict[str, dict[str, str]] = {
    "REQUEST": {"http.response.start": "RESPONSE"},
    "RESPONSE": {
        "http.response.body (more_body)": "RESPONSE",
        "http.response.body": "COMPLETE",
    },
    "COMPLETE": {},
}
LIFESPAN_MOVES: dict[str, dict[str, str]] = {
    "CONNECTING": {RECEIVE: "STARTUP"},
    "STARTUP": {"lifespan.startup.complete": "READY", "lifespan.startup.failed": "FAILED"},
    "READY": {RECEIVE: "SHUTDOWN"},
    "SHUTDOWN": {"lifespan.shutdown.complete": "COMPLETE", "lifespan.shutdown.failed": "FAILED"},
    "COMPLETE": {},
    "FAILED": {},
    "UNSUPPORTED": {},
}
ANSWERS = {
    "websocket.accept": "RESPONSE",
    "websocket.close": "CLOSED",
    "websocket.http.response.start": "DENIAL",
}
WEBSOCKET_MOVES: dict[str, dict[str, str]] = {
    "CONNECTING": {RECEIVE: "HANDSHAKE", **ANSWERS},
    "HANDSHAKE": ANSWERS,
    "DENIAL": {
        "websocket.http.response.body (more_body)": "DENIAL",
        "websocket.http.response.body": "CLOSED",
    },
    "RESPONSE": {"websocket.send": "RESPONSE", "websocket.close": "CLOSED"},
    "DISCONNECTING": {"websocket.send": "DISCONNECTING", "websocket.close": "CLOSED"},
    "CLOSED": {},
}

# --- the tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "moves"),
    [
        (HTTP, HTTP_MOVES),
        (LIFESPAN, LIFESPAN_MOVES),
        (WEBSOCKET, WEBSOCKET_MOVES),
    ],
    ids=["http", "lifespan", "websocket"],
)
def test_the_table_is_what_the_specification_allows(table: Any, moves: Any) -> None:
    assert {
        state.name: {name: target.name for name, target in row.items()}
        for state, row in table.items()
    } == moves


@pytest.mark.parametrize(
    ("table", "states"),
    [
        (HTTP, HTTPCycleState),
        (LIFESPAN, LifespanCycleState),
        (WEBSOCKET, WebSocketCycleState),
    ],
)
def test_every_state_has_a_row_in_the_table(table: Any, states: Any) -> None:
    assert list(table) == list(states)


@pytest.mark.parametrize(
    ("table", "elsewhere"),
    [
        (HTTP, set()),
        (LIFESPAN, {LifespanCycleState.UNSUPPORTED}),
        (WEBSOCKET, {WebSocketCycleState.DISCONNECTING}),
    ],
)
def test_every_state_can_be_reached(table: Any, elsewhere: set[Any]) -> None:
    """From the first state; an application shows in more than one way that it has no lifespan, and
    it is the client that disconnects."""
    reached, todo = set(elsewhere), [next(iter(table))]
    while todo:
        state = todo.pop()
        if state not in reached:
            reached.add(state)
            todo += table[state].values()
    assert reached == set(table)


@pytest.mark.parametrize("states", [HTTPCycleState, LifespanCycleState, WebSocketCycleState])
def test_states_are_hashable_and_compare_by_identity(states: Any) -> None:
    assert len(set(states)) == len(list(states))
    assert all(states[state.name] is state for state in states)


# --- http -----------------------------------------------------------------------------------------

HTTP_ROADS: dict[str, list[Any]] = {
    "REQUEST": [],
    "RESPONSE": [start()],
    "COMPLETE": [start(), chunk(b"whole")],
}
HTTP_MESSAGES: dict[str, Any] = {
    "http.response.start": start(),
    "http.response.body (more_body)": chunk(b"part", more_body=True),
    "http.response.body": chunk(b"last"),
}
NO_MESSAGES: dict[str, Any] = {
    "no type": {},
    "type None": {"type": None},
    "a number as type": {"type": 1},
    "a list as type": {"type": ["http.response.start"]},
    "bytes as type": {"type": b"lifespan.startup.complete"},
    "a type in capitals": {"type": "HTTP.RESPONSE.START"},
    "a name of the table's own": {"type": "http.response.body (more_body)"},
    "the name of a move": {"type": RECEIVE},
    "an extension that was not offered": {"type": "http.response.trailers", "headers": []},
    "a message to the application": {"type": "http.disconnect"},
    "a message of another protocol": {"type": "websocket.accept"},
    "None": None,
    "a text": "http.response.start",
    "bytes": b"http.response.start",
    "a number": 1,
    "a list": ["type", "http.response.start"],
    "pairs": (("type", "http.response.start"), ("status", 200)),
    "a set": {"type"},
}


class Attempt:
    """One message sent in a state: the states before and after it, and what it raised."""

    def __init__(self) -> None:
        self.before = self.after = ""
        self.error: MangumError | None = None


def attempt_http(road: Sequence[Any], message: Any) -> Attempt:
    attempt = Attempt()
    cycle = HTTPCycle(http_scope(), b"")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for step in road:
            await send(step)
        attempt.before = cycle.state.name
        try:
            await send(message)
        except MangumError as exc:
            attempt.error = exc
        attempt.after = cycle.state.name

    cycle(app)
    return attempt


def assert_refused(attempt: Attempt, name: str, state: str, allowed: Sequence[str]) -> None:
    """The error tells the message, the state, and all that was allowed."""
    assert attempt.before == state
    assert_error_names(attempt, name, state, *allowed)


def assert_error_names(attempt: Attempt, *parts: str) -> None:
    assert type(attempt.error) is UnexpectedMessage
    text = str(attempt.error)
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize("name", HTTP_MESSAGES)
@pytest.mark.parametrize("state", HTTP_MOVES)
def test_http_message_moves_as_the_table_says(state: str, name: str) -> None:
    attempt = attempt_http(HTTP_ROADS[state], HTTP_MESSAGES[name])
    if name in HTTP_MOVES[state]:
        assert (attempt.before, attempt.error) == (state, None)
        assert attempt.after == HTTP_MOVES[state][name]
    else:
        message_type = HTTP_MESSAGES[name]["type"]
        assert_refused(attempt, message_type, state, list(HTTP_MOVES[state]))
        assert attempt.after == state


@pytest.mark.parametrize("name", NO_MESSAGES)
@pytest.mark.parametrize("state", HTTP_MOVES)
def test_what_is_no_http_message_is_refused_in_every_state(state: str, name: str) -> None:
    message = NO_MESSAGES[name]
    attempt = attempt_http(HTTP_ROADS[state], message)
    said = str(message.get("type")) if isinstance(message, dict) else type(message).__name__
    assert_refused(attempt, said, state, list(HTTP_MOVES[state]))
    assert attempt.after == state


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"type": "http.response.start", "headers": []}, "status"),
        (start(None), "status"),
        (start("OK"), "status"),
        (start([200]), "status"),
        (start(float("nan")), "status"),
        (start(float("inf")), "status"),
        (start(headers=[("content-type", "text/plain")]), "headers"),
        (start(headers=[(b"content-type", "text/plain")]), "headers"),
        (start(headers=[("content-type", b"text/plain")]), "headers"),
        (start(headers=[(b"content-type", None)]), "headers"),
        (start(headers=[(b"content-length", 5)]), "headers"),
        (start(headers=[(b"content-type",)]), "headers"),
        (start(headers=[(b"content-type", b"text/plain", b"utf-8")]), "headers"),
        (start(headers=[b"ab"]), "headers"),
        (start(headers={b"content-type": b"text/plain"}), "headers"),
        (start(headers=b"content-type"), "headers"),
        (start(headers="content-type"), "headers"),
        (start(headers=[None]), "headers"),
        (start(headers=1), "headers"),
        (start(headers=[(b"location", b"/\r\nset-cookie: a=b")]), "header"),
        (start(headers=[(b"x\nset-cookie", b"a=b")]), "header"),
        (start(headers=[(b"x", b"a\0b")]), "header"),
    ],
)
def test_malformed_response_start_is_refused_and_names_the_field(message: Any, field: str) -> None:
    attempt = attempt_http([], message)
    assert_error_names(attempt, "http.response.start", field)
    assert (attempt.before, attempt.after) == ("REQUEST", "REQUEST")


@pytest.mark.parametrize("more_body", [False, True])
@pytest.mark.parametrize("body", ["text", 5, [1, 2], {"a": 1}, (b"a",), object()])
def test_body_that_is_no_bytes_is_refused_and_names_the_field(body: Any, more_body: bool) -> None:
    attempt = attempt_http([start()], chunk(body, more_body=more_body))
    assert_error_names(attempt, "http.response.body", "`body`")
    assert (attempt.before, attempt.after) == ("RESPONSE", "RESPONSE")


@pytest.mark.parametrize("road", HTTP_ROADS.values(), ids=list(HTTP_ROADS))
def test_refused_message_leaves_no_trace_in_the_answer(road: Sequence[Any]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for step in road:
            await send(step)
        refused: list[Any] = [start(None), start(201, [("a", "b")]), chunk("x"), {}, None]
        for bad in refused:
            with suppress(UnexpectedMessage):
                await send(bad)
        for step in HTTP_ROADS["COMPLETE"][len(road) :]:
            await send(step)

    response = HTTPCycle(http_scope(), b"")(app)
    assert [*map(list, response["headers"])] == [[b"content-type", b"text/plain"]]
    assert (response["status"], response["body"]) == (200, b"whole")


@pytest.mark.parametrize(
    ("status", "expected"), [(HTTPStatus.CREATED, 201), ("201", 201), (599, 599)]
)
def test_status_becomes_an_integer(status: Any, expected: int) -> None:
    response = HTTPCycle(http_scope(), b"")(sending([start(status), chunk()]))
    assert (response["status"], type(response["status"])) == (expected, int)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"a", b"1"), (b"b", b"2")],
        [[b"a", b"1"], [b"b", b"2"]],
        ((b"a", b"1"), (b"b", b"2")),
        iter([(b"a", b"1"), (b"b", b"2")]),
        (pair for pair in [(b"a", b"1"), (b"b", b"2")]),
        {b"a": b"1", b"b": b"2"}.items(),
        [(bytearray(b"a"), bytearray(b"1")), (memoryview(b"b"), memoryview(b"2"))],
        [iter((b"a", b"1")), iter((b"b", b"2"))],
    ],
    ids=["tuples", "lists", "tuple", "iterator", "generator", "items", "buffers", "iterators"],
)
def test_headers_may_be_any_iterable_of_pairs(headers: Any) -> None:
    response = HTTPCycle(http_scope(), b"")(sending([start(headers=headers), chunk()]))
    assert [*map(list, response["headers"])] == [[b"a", b"1"], [b"b", b"2"]]
    assert {type(part) for pair in response["headers"] for part in pair} == {bytes}


@pytest.mark.parametrize(
    "message", [{"type": "http.response.start", "status": 204}, start(204, None), start(204, [])]
)
def test_headers_may_be_absent(message: Any) -> None:
    response = HTTPCycle(http_scope(), b"")(sending([message, chunk()]))
    assert response == {"status": 204, "headers": [], "body": b""}


@pytest.mark.parametrize("body", [b"body", bytearray(b"body"), memoryview(b"xbodyx")[1:-1]])
def test_body_may_be_any_buffer(body: Any) -> None:
    for messages in ([chunk(body)], [chunk(body, more_body=True), chunk()]):
        response = HTTPCycle(http_scope(), b"")(sending([start(), *messages]))
        assert (response["body"], type(response["body"])) == (b"body", bytes)


@pytest.mark.parametrize(
    "message", [{"type": "http.response.body"}, {"type": "http.response.body", "body": None}]
)
def test_body_may_be_absent(message: Any) -> None:
    assert HTTPCycle(http_scope(), b"")(sending([start(), message]))["body"] == b""


def test_messages_may_be_any_mapping() -> None:
    app = sending([UserDict(start()), UserDict(chunk(b"whole"))])
    assert HTTPCycle(http_scope(), b"")(app)["body"] == b"whole"


def test_what_the_application_changes_after_sending_changes_nothing() -> None:
    value, body = bytearray(b"text/plain"), bytearray(b"body")
    pair = [b"content-type", value]
    headers: list[Any] = [pair]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(headers=headers))
        value[:] = b"text/html!"
        pair[0] = b"x"
        headers.append((b"y", b"z"))
        message = chunk(body, more_body=True)
        await send(message)
        message["body"] = b"changed"
        body[:] = b"BODY"
        await send(chunk())

    assert HTTPCycle(http_scope(), b"")(app) == {
        "status": 200,
        "headers": [[b"content-type", b"text/plain"]],
        "body": b"body",
    }


def test_single_chunk_passes_through_uncopied() -> None:
    body = b"x" * 1000
    assert HTTPCycle(http_scope(), b"")(sending([start(), chunk(body)]))["body"] is body


# --- lifespan -------------------------------------------------------------------------------------

LIFESPAN_ROADS: dict[str, list[Any]] = {
    "CONNECTING": [],
    "STARTUP": [RECEIVE],
    "READY": [RECEIVE, {"type": "lifespan.startup.complete"}],
    "SHUTDOWN": [RECEIVE, {"type": "lifespan.startup.complete"}, RECEIVE],
    "COMPLETE": [
        RECEIVE,
        {"type": "lifespan.startup.complete"},
        RECEIVE,
        {"type": "lifespan.shutdown.complete"},
    ],
    "FAILED": [RECEIVE, {"type": "lifespan.startup.failed", "message": "no database"}],
    "UNSUPPORTED": [{"type": "http.response.start"}],
}
LIFESPAN_MESSAGES: dict[str, Any] = {
    name: {"type": name, "message": "why"}
    for name in (
        "lifespan.startup.complete",
        "lifespan.startup.failed",
        "lifespan.shutdown.complete",
        "lifespan.shutdown.failed",
    )
}


class LifespanAttempt(Attempt):
    """Besides, what starting and shutting down raised."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: LifespanFailure | None = None


def attempt_lifespan(road: Sequence[Any], message: Any) -> LifespanAttempt:
    attempt = LifespanAttempt()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for step in road:
            if step == RECEIVE:
                await receive()
            else:
                with suppress(MangumError):
                    await send(step)
        attempt.before = cycle.state.name
        try:
            await send(message)
        except MangumError as exc:
            attempt.error = exc
        attempt.after = cycle.state.name

    cycle = LifespanCycle(app, "auto")
    try:
        with cycle:
            pass
    except LifespanFailure as exc:
        attempt.failure = exc
    return attempt


def _sends(moves: dict[str, str]) -> list[str]:
    return [name for name in moves if name != RECEIVE]


@pytest.mark.parametrize("name", LIFESPAN_MESSAGES)
@pytest.mark.parametrize("state", ["STARTUP", "READY", "SHUTDOWN", "COMPLETE", "FAILED"])
def test_lifespan_message_moves_as_the_table_says(state: str, name: str) -> None:
    attempt = attempt_lifespan(LIFESPAN_ROADS[state], LIFESPAN_MESSAGES[name])
    moves = LIFESPAN_MOVES[state]
    if name not in moves:
        assert_refused(attempt, name, state, _sends(moves))
        assert attempt.after == "FAILED"
        assert attempt.failure is not None
    elif moves[name] == "FAILED":
        assert (attempt.before, attempt.after) == (state, "FAILED")
        assert type(attempt.error) is LifespanFailure
        assert "why" in str(attempt.failure)
    else:
        assert (attempt.before, attempt.after) == (state, moves[name])
        assert (attempt.error, attempt.failure) == (None, None)


@pytest.mark.parametrize("name", NO_MESSAGES)
@pytest.mark.parametrize("state", ["STARTUP", "READY", "SHUTDOWN", "COMPLETE", "FAILED"])
def test_what_is_no_lifespan_message_fails_the_lifespan(state: str, name: str) -> None:
    message = NO_MESSAGES[name]
    attempt = attempt_lifespan(LIFESPAN_ROADS[state], message)
    said = str(message.get("type")) if isinstance(message, dict) else type(message).__name__
    assert_refused(attempt, said, state, _sends(LIFESPAN_MOVES[state]))
    assert attempt.after == "FAILED"
    assert attempt.failure is not None


@pytest.mark.parametrize("message", [*LIFESPAN_MESSAGES.values(), start(), *NO_MESSAGES.values()])
def test_message_before_any_was_asked_for_shows_that_there_is_no_lifespan(message: Any) -> None:
    attempt = attempt_lifespan([], message)
    assert (attempt.before, attempt.after) == ("CONNECTING", "UNSUPPORTED")
    assert type(attempt.error) is LifespanUnsupported
    assert attempt.failure is None


@pytest.mark.parametrize("message", [*LIFESPAN_MESSAGES.values(), start(), *NO_MESSAGES.values()])
def test_application_without_lifespan_stays_so_whatever_it_sends_next(message: Any) -> None:
    """Such as the answer with which it reports that its first message was refused."""
    attempt = attempt_lifespan(LIFESPAN_ROADS["UNSUPPORTED"], message)
    assert (attempt.before, attempt.after) == ("UNSUPPORTED", "UNSUPPORTED")
    assert isinstance(attempt.error, MangumError)
    assert attempt.failure is None


def test_first_reason_of_a_failure_is_the_one_that_counts() -> None:
    attempt = attempt_lifespan(LIFESPAN_ROADS["FAILED"], {"type": "lifespan.startup.complete"})
    assert "no database" in str(attempt.failure)


def test_asking_for_a_message_moves_as_the_table_says() -> None:
    seen: list[tuple[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((cycle.state.name, None))
        seen.append((cycle.state.name, await receive()))
        seen.append((cycle.state.name, None))
        await send({"type": "lifespan.startup.complete"})
        seen.append((cycle.state.name, None))
        seen.append((cycle.state.name, await receive()))
        seen.append((cycle.state.name, None))
        await send({"type": "lifespan.shutdown.complete"})
        seen.append((cycle.state.name, None))

    cycle = LifespanCycle(app, "auto")
    with cycle:
        assert cycle.state is LifespanCycleState.READY
    assert seen == [
        ("CONNECTING", None),
        ("CONNECTING", {"type": "lifespan.startup"}),
        ("STARTUP", None),
        ("READY", None),
        ("READY", {"type": "lifespan.shutdown"}),
        ("SHUTDOWN", None),
        ("COMPLETE", None),
    ]


def test_http_answer_inside_a_lifespan_fails_it() -> None:
    attempt = attempt_lifespan(LIFESPAN_ROADS["STARTUP"], start())
    assert_refused(attempt, "http.response.start", "STARTUP", _sends(LIFESPAN_MOVES["STARTUP"]))
    assert "http.response.start" in str(attempt.failure)


@pytest.mark.parametrize(
    "message",
    [{"type": "lifespan.startup.failed"}, {"type": "lifespan.startup.failed", "message": ""}],
)
def test_failure_without_a_reason_is_a_failure(message: Any) -> None:
    attempt = attempt_lifespan([RECEIVE], message)
    assert attempt.after == "FAILED"
    assert attempt.failure is not None


# --- websocket ------------------------------------------------------------------------------------

LEAVE = "the client leaves"
ACCEPT: dict[str, Any] = {"type": "websocket.accept"}
DENIAL_START: dict[str, Any] = {"type": "websocket.http.response.start", "status": 401}
DENIAL_BODY: dict[str, Any] = {"type": "websocket.http.response.body", "body": b"no"}

WEBSOCKET_ROADS: dict[str, list[Any]] = {
    "CONNECTING": [],
    "HANDSHAKE": [RECEIVE],
    "DENIAL": [RECEIVE, DENIAL_START],
    "RESPONSE": [RECEIVE, ACCEPT],
    "DISCONNECTING": [RECEIVE, ACCEPT, LEAVE, RECEIVE],
    "CLOSED": [RECEIVE, ACCEPT, {"type": "websocket.close"}],
}
WEBSOCKET_MESSAGES: dict[str, Any] = {
    "websocket.accept": ACCEPT,
    "websocket.send": {"type": "websocket.send", "text": "hello"},
    "websocket.close": {"type": "websocket.close", "code": 4000, "reason": "enough"},
    "websocket.http.response.start": DENIAL_START,
    "websocket.http.response.body (more_body)": {**DENIAL_BODY, "more_body": True},
    "websocket.http.response.body": DENIAL_BODY,
}
NO_WEBSOCKET_MESSAGES: dict[str, Any] = {
    **NO_MESSAGES,
    "a name of the table's own": {"type": "websocket.http.response.body (more_body)"},
    "a message to the application": {"type": "websocket.receive", "text": "hello"},
    "a message of another protocol": start(),
}


class WebSocketAttempt(Attempt):
    """Besides, what the client got of it."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Any] = []


def attempt_websocket(road: Sequence[Any], message: Any) -> WebSocketAttempt:
    attempt = WebSocketAttempt()
    client = FarEnd()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for step in road:
            if step == RECEIVE:
                await receive()
            elif step == LEAVE:
                cycle.disconnect(1000)
            else:
                await send(step)
        attempt.before = cycle.state.name
        client.got.clear()
        try:
            await send(message)
        except MangumError as exc:
            attempt.error = exc
        attempt.after = cycle.state.name
        attempt.got = client.got

    cycle = WebSocketCycle({"type": "websocket"}, client)
    run_websocket(cycle, app)
    assert cycle.error is None
    return attempt


@pytest.mark.parametrize("name", WEBSOCKET_MESSAGES)
@pytest.mark.parametrize("state", WEBSOCKET_MOVES)
def test_websocket_message_moves_as_the_table_says(state: str, name: str) -> None:
    message = WEBSOCKET_MESSAGES[name]
    attempt = attempt_websocket(WEBSOCKET_ROADS[state], message)
    moves = WEBSOCKET_MOVES[state]
    assert attempt.before == state
    if name not in moves:
        assert_refused(attempt, message["type"], state, _sends(moves))
        assert (attempt.after, attempt.got) == (state, [])
    elif (state, name) == ("DISCONNECTING", "websocket.send"):
        assert type(attempt.error) is ConnectionGone
        assert (attempt.after, attempt.got) == (state, [])
    else:
        assert (attempt.after, attempt.error) == (moves[name], None)
        told = {"websocket.send": [message], "websocket.close": [(4000, "enough")]}
        assert attempt.got == (told.get(name, []) if state == "RESPONSE" else [])


@pytest.mark.parametrize("name", NO_WEBSOCKET_MESSAGES)
@pytest.mark.parametrize("state", WEBSOCKET_MOVES)
def test_what_is_no_websocket_message_is_refused_in_every_state(state: str, name: str) -> None:
    message = NO_WEBSOCKET_MESSAGES[name]
    attempt = attempt_websocket(WEBSOCKET_ROADS[state], message)
    said = str(message.get("type")) if isinstance(message, dict) else type(message).__name__
    assert_refused(attempt, said, state, _sends(WEBSOCKET_MOVES[state]))
    assert (attempt.after, attempt.got) == (state, [])


@pytest.mark.parametrize(
    ("road", "states"),
    [
        ([RECEIVE, ACCEPT], ["CONNECTING", "HANDSHAKE", "RESPONSE"]),
        ([ACCEPT, RECEIVE], ["CONNECTING", "RESPONSE", "RESPONSE"]),
        (
            [RECEIVE, ACCEPT, LEAVE, RECEIVE, RECEIVE],
            ["CONNECTING", "HANDSHAKE", "RESPONSE", "RESPONSE", "DISCONNECTING", "DISCONNECTING"],
        ),
        (
            [RECEIVE, {"type": "websocket.close"}, RECEIVE, RECEIVE],
            ["CONNECTING", "HANDSHAKE", "CLOSED", "CLOSED", "CLOSED"],
        ),
        (
            [RECEIVE, DENIAL_START, DENIAL_BODY, RECEIVE],
            ["CONNECTING", "HANDSHAKE", "DENIAL", "CLOSED", "CLOSED"],
        ),
    ],
)
def test_asking_for_a_websocket_message_moves_as_the_table_says(
    road: list[Any], states: list[str]
) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(cycle.state.name)
        for step in road:
            if step == RECEIVE:
                await receive()
            elif step == LEAVE:
                cycle.disconnect(1000)
            else:
                await send(step)
            seen.append(cycle.state.name)

    cycle = WebSocketCycle({"type": "websocket"}, FarEnd())
    run_websocket(cycle, app)
    assert (seen, cycle.error) == (states, None)
