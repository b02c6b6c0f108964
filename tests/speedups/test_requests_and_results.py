"""The two ends of an invocation, and what they are made of: an event's source, scope and body, the
application's answer, and the result of a source."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from mangum._speedups.constants import AWAITED, COMPLETE, LIMITS, NOT_TAKEN, TAKEN
from tests import builders
from tests.apps import chunk, start
from tests.builders import Event
from tests.speedups.agreement import read, write
from tests.speedups.nasty import config

CONTEXT = object()
CLASSIC, MODERN = config("classic"), config("2026")

# --- which event is it? -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, None),
        ({"httpMethod": "GET"}, None),
        ({"requestContext": None, "httpMethod": "GET"}, None),
        ({"requestContext": {}, "httpMethod": "GET"}, "APIGateway"),
        ({"requestContext": {}, "httpMethod": ""}, None),
        ({"requestContext": {}, "httpMethod": "GET", "version": "1.0"}, "HTTPGateway"),
        ({"requestContext": {"http": {}}, "version": "2.0"}, "HTTPGateway"),
        ({"requestContext": {"http": None}, "version": "2.0", "httpMethod": "GET"}, None),
        ({"requestContext": {"elb": {}}}, "ALB"),
        ({"requestContext": {"elb": None}, "httpMethod": "GET"}, None),
        ({"requestContext": {"elb": {}}, "type": "REQUEST"}, None),
        ({"requestContext": {"elb": {}}, "Records": []}, None),
        ({"requestContext": {"connectionId": "a"}, "httpMethod": "GET"}, None),
        ({"requestContext": {"serviceArn": "a"}, "httpMethod": "GET"}, None),
        ({"requestContext": {"serviceNetworkArn": "a"}, "httpMethod": "GET"}, None),
        ({"requestContext": {}, "raw_path": "/", "httpMethod": "GET"}, None),
    ],
)
def test_recognise(speedups: ModuleType, event: Event, expected: str | None) -> None:
    assert speedups.recognise(event) == expected


# --- requests ---------------------------------------------------------------------------------

REST: Event = {
    "httpMethod": "POST",
    "path": "/caf%C3%A9",
    "headers": {"Host": "example.org", "X-Many": "2"},
    "multiValueHeaders": {"Host": ["example.org"], "X-Many": ["1", "2"]},
    "queryStringParameters": {"a": "2"},
    "multiValueQueryStringParameters": {"a": ["1", "2"]},
    "requestContext": {
        "path": "/prod/caf%C3%A9",
        "stage": "prod",
        "protocol": "HTTP/2.0",
        "identity": {"sourceIp": "203.0.113.1"},
    },
    "body": "aGk=",
    "isBase64Encoded": True,
}
HTTP: Event = {
    "version": "2.0",
    "rawPath": "/prod/café",
    "rawQueryString": "a=1&b",
    "headers": {"Host": "example.org:8443", "x-forwarded-proto": "http"},
    "cookies": ["a=1", "b=2"],
    "requestContext": {
        "http": {"method": "PUT", "sourceIp": "::1", "protocol": "HTTP/1.1"},
        "stage": "prod",
    },
    "body": "hi",
    "isBase64Encoded": False,
}
BALANCED: Event = {
    "httpMethod": "GET",
    "path": "/a%2Fb",
    "queryStringParameters": {"a": "%20"},
    "headers": {"host": "example.org", "x-forwarded-for": "1.2.3.4, 5.6.7.8:90"},
    "requestContext": {"elb": {}},
    "body": "",
    "isBase64Encoded": False,
}


def scope(event: Event, edition: str, **fields: Any) -> dict[str, Any]:
    spec_version = "2.0" if edition == "classic" else "2.5"
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "https",
        "asgi": {"version": "3.0", "spec_version": spec_version},
        "aws.event": event,
        "aws.context": CONTEXT,
        **fields,
    }


def test_rest_scope_of_the_classic_edition(speedups: ModuleType) -> None:
    assert speedups.rest_scope(REST, CONTEXT, CLASSIC) == scope(
        REST,
        "classic",
        method="POST",
        headers=[[b"host", b"example.org"], [b"x-many", b"1, 2"]],
        path="/café",
        raw_path=None,
        root_path="",
        query_string=b"a=1&a=2",
        server=("example.org", 80),
        client=("203.0.113.1", 0),
    )


def test_rest_scope_of_a_new_edition(speedups: ModuleType) -> None:
    assert speedups.rest_scope(REST, CONTEXT, MODERN) == scope(
        REST,
        "2026",
        method="POST",
        http_version="2",
        headers=[[b"host", b"example.org"], [b"x-many", b"1"], [b"x-many", b"2"]],
        path="/prod/café",
        raw_path=b"/prod/caf%C3%A9",
        root_path="/prod",
        query_string=b"a=1&a=2",
        server=("example.org", 443),
        client=("203.0.113.1", 0),
    )


def test_http_scope_of_the_classic_edition(speedups: ModuleType) -> None:
    assert speedups.http_scope(HTTP, CONTEXT, CLASSIC) == scope(
        HTTP,
        "classic",
        method="PUT",
        scheme="http",
        headers=[
            [b"host", b"example.org:8443"],
            [b"x-forwarded-proto", b"http"],
            [b"cookie", b"a=1; b=2"],
        ],
        path="/prod/café",
        raw_path=None,
        root_path="",
        query_string=b"a=1&b",
        server=("example.org", 8443),
        client=("::1", 0),
    )


def test_http_scope_of_a_new_edition(speedups: ModuleType) -> None:
    seen = speedups.http_scope({**HTTP, "cookies": None, "headers": {}}, CONTEXT, MODERN)
    assert seen == scope(
        {**HTTP, "cookies": None, "headers": {}},
        "2026",
        method="PUT",
        headers=[],
        path="/prod/café",
        raw_path=b"/prod/caf%C3%A9",
        root_path="/prod",
        query_string=b"a=1&b",
        server=("mangum", 443),
        client=("::1", 0),
    )


def test_http_scope_of_a_function_url_decodes_the_path(speedups: ModuleType) -> None:
    event = builders.function_url_event(path="/a%2Fb%zz")
    seen = speedups.http_scope(event, CONTEXT, MODERN)
    assert (seen["path"], seen["raw_path"]) == ("/a/b%zz", b"/a%2Fb%zz")


def test_alb_scope_of_either_edition(speedups: ModuleType) -> None:
    headers = [[b"host", b"example.org"], [b"x-forwarded-for", b"1.2.3.4, 5.6.7.8:90"]]
    common = {"method": "GET", "headers": headers, "path": "/a/b", "root_path": ""}
    assert speedups.alb_scope(BALANCED, CONTEXT, CLASSIC) == scope(
        BALANCED,
        "classic",
        **common,
        raw_path=None,
        query_string=b"a=+",
        server=("example.org", 80),
        client=("5.6.7.8", 0),
    )
    assert speedups.alb_scope(BALANCED, CONTEXT, MODERN) == scope(
        BALANCED,
        "2026",
        **common,
        raw_path=b"/a%2Fb",
        query_string=b"a=%20",
        server=("example.org", 443),
        client=("5.6.7.8", 0),
    )


def test_alb_scope_of_multi_value_headers_keeps_pairs_apart(speedups: ModuleType) -> None:
    event = {**BALANCED, "headers": None, "multiValueHeaders": {"A": ["1", "2"], "b": ["3"]}}
    for options in (CLASSIC, MODERN):
        seen = speedups.alb_scope(event, CONTEXT, options)
        assert seen["headers"] == [[b"a", b"1"], [b"a", b"2"], [b"b", b"3"]]


@pytest.mark.parametrize(
    ("name", "event", "field"),
    [
        ("rest_scope", REST, "httpMethod"),
        ("rest_scope", REST, "requestContext"),
        ("http_scope", HTTP, "requestContext"),
        ("alb_scope", BALANCED, "httpMethod"),
    ],
)
def test_a_scope_needs_its_event_whole(
    speedups: ModuleType, name: str, event: Event, field: str
) -> None:
    lacking = {key: value for key, value in event.items() if key != field}
    for broken, error in (
        (lacking, LookupError),
        ({**event, field: 1}, (TypeError, AttributeError)),
    ):
        with pytest.raises(error):
            getattr(speedups, name)(broken, CONTEXT, CLASSIC)


@pytest.mark.parametrize(
    ("options", "path", "root_path"),
    [
        ({"api_gateway_base_path": "/api"}, "/x", ""),
        ({"edition": "2026", "api_gateway_base_path": "api/"}, "/api/x", "/api"),
        ({"root_path": "/api"}, "/api/x", "/api"),
        ({"root_path": "/other"}, "/other/api/x", "/other"),
    ],
)
def test_a_scope_says_what_the_options_make_of_the_path(
    speedups: ModuleType, options: dict[str, Any], path: str, root_path: str
) -> None:
    for name, event in (
        ("rest_scope", builders.rest_event(path="/api/x", prefix="")),
        ("http_scope", builders.http_v2_event(path="/api/x")),
        ("alb_scope", builders.alb_event(path="/api/x")),
    ):
        seen = getattr(speedups, name)(event, CONTEXT, config(**options))
        assert (seen["path"], seen["root_path"]) == (path, root_path)


def test_a_scope_takes_the_forwarded_host(speedups: ModuleType) -> None:
    event = builders.http_v2_event(headers=[("X-Forwarded-Host", "public.org:81, b")])
    seen = speedups.http_scope(event, CONTEXT, config(forwarded_host="X-Forwarded-Host"))
    assert seen["server"] == ("public.org", 81)
    assert [value for name, value in seen["headers"] if name == b"host"] == [b"public.org:81"]


@pytest.mark.parametrize(
    ("event", "source", "body"),
    [(REST, "APIGateway", b"hi"), (HTTP, "HTTPGateway", b"hi"), (BALANCED, "ALB", b"")],
)
def test_read_request_gives_source_scope_and_body(
    speedups: ModuleType, event: Event, source: str, body: bytes
) -> None:
    name = {"APIGateway": "rest_scope", "HTTPGateway": "http_scope", "ALB": "alb_scope"}[source]
    for options in (CLASSIC, MODERN):
        expected = (source, getattr(speedups, name)(event, CONTEXT, options), body)
        assert read(speedups, event, CONTEXT, options) == expected


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "x",
        {},
        builders.http_v1_event(),
        builders.edge_event(),
        builders.lattice_v1_event(),
        builders.lattice_v2_event(),
        {**REST, "body": "a"},
        {**REST, "httpMethod": 1},
        {**REST, "headers": "x", "multiValueHeaders": None},
        {**HTTP, "rawPath": 1},
        {**BALANCED, "queryStringParameters": {"a": {}}},
    ],
)
def test_read_request_leaves_other_events_to_their_handlers(
    speedups: ModuleType, event: Any
) -> None:
    assert read(speedups, event, CONTEXT, CLASSIC) is None
    assert read(speedups, event, CONTEXT, MODERN) is None


def test_read_request_leaves_events_to_their_handlers_where_others_have_a_path(
    speedups: ModuleType,
) -> None:
    for event in (REST, HTTP, BALANCED):
        assert read(speedups, event, CONTEXT, config(events_path="/events")) is None


def test_read_request_begins_an_exchange_of_the_given_type(speedups: ModuleType) -> None:
    class Own(speedups.Exchange):  # type: ignore[name-defined, misc]
        pass

    for raise_exceptions in (False, True):
        sent = speedups.read_request(REST, CONTEXT, CLASSIC, Own, raise_exceptions)
        assert type(sent) is Own
        assert (sent.source, sent.request_body) == ("APIGateway", b"hi")
        assert sent.raise_exceptions is raise_exceptions


# --- answers ----------------------------------------------------------------------------------


def test_an_exchange_begins_with_nothing_sent(speedups: ModuleType) -> None:
    sent = speedups.Exchange({"type": "http"}, b"request")
    assert (sent.scope, sent.request_body, sent.raise_exceptions) == (
        {"type": "http"},
        b"request",
        False,
    )
    assert (sent.stage, sent.status, sent.headers, sent.body) == (0, 500, (), b"")
    assert (sent.chunks, sent.waiters, sent.is_disconnected) == (None, None, False)


def test_an_exchange_takes_an_answer_in_one_piece(speedups: ModuleType) -> None:
    sent = speedups.Exchange({}, b"")
    headers = [(b"a", b"b")]
    assert sent.take(start(201, headers)) == TAKEN
    assert (sent.stage, sent.status, sent.headers) == (1, 201, headers)
    body = b"a body"
    assert sent.take(chunk(body)) == COMPLETE
    assert (sent.stage, sent.is_disconnected) == (2, True)
    assert sent.body is body  # a single chunk is not copied


def test_an_exchange_takes_an_answer_in_pieces(speedups: ModuleType) -> None:
    sent = speedups.Exchange({}, b"")
    assert sent.take(start()) == TAKEN
    for piece in (b"1", b"", b"2"):
        assert sent.take(chunk(piece, more_body=True)) == TAKEN
        assert (sent.stage, sent.body, sent.is_disconnected) == (1, b"", False)
    assert sent.take({"type": "http.response.body"}) == COMPLETE
    assert (sent.stage, sent.body, sent.chunks) == (2, b"12", None)


def test_an_exchange_adds_chunks_without_a_message(speedups: ModuleType) -> None:
    sent = speedups.Exchange({}, b"")
    assert sent.add(b"1", True) == TAKEN
    assert (sent.stage, sent.chunks) == (0, [b"1"])
    assert sent.add(b"2", False) == COMPLETE
    assert (sent.stage, sent.body, sent.chunks) == (2, b"12", None)


def test_an_exchange_is_over_when_nobody_waits_for_its_end(speedups: ModuleType) -> None:
    sent = speedups.Exchange({}, b"")
    sent.waiters = ["waiter"]
    for message, taken in ((start(), TAKEN), (chunk(b"a"), AWAITED)):
        assert sent.is_over() is False
        assert sent.take(message) == taken
    assert sent.is_over() is False
    sent.waiters = None
    assert sent.is_over() is True


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ([], None),
        ([], {}),
        ([], chunk(b"a")),
        ([], start("200")),
        ([], start(True)),
        ([], start(None)),
        ([], start(200, [("a", "b")])),
        ([], start(200, [(b"a", b"\n")])),
        ([start()], start()),
        ([start()], chunk("a")),
        ([start()], chunk(bytearray(b"a"))),
        ([start()], {"type": "http.response.trailers"}),
        ([start(), chunk()], chunk()),
        ([start(), chunk()], start()),
    ],
)
def test_an_exchange_takes_nothing_else_and_keeps_its_state(
    speedups: ModuleType, before: list[Any], message: Any
) -> None:
    sent = speedups.Exchange({}, b"")
    for one in before:
        assert sent.take(one) != NOT_TAKEN
    kept = (sent.stage, sent.status, sent.headers, sent.body, sent.chunks)
    assert sent.take(message) == NOT_TAKEN
    assert (sent.stage, sent.status, sent.headers, sent.body, sent.chunks) == kept


# --- results ----------------------------------------------------------------------------------

RESPONSE = {
    "status": 201,
    "headers": [
        (b"Content-Type", b"text/plain"),
        [b"Set-Cookie", b"a=1"],
        (b"set-cookie", b"b=2"),
        (b"Vary", b"x"),
        (b"vary", b"y"),
        (b"X-Secret", b"s"),
    ],
    "body": b"hi",
}
EXCLUDE, TYPES = ["x-secret"], ["text/", "application/json"]
REST_RESULT = {
    "statusCode": 201,
    "headers": {"content-type": "text/plain"},
    "multiValueHeaders": {"set-cookie": ["a=1", "b=2"], "vary": ["x", "y"]},
    "body": "hi",
    "isBase64Encoded": False,
}
HTTP_RESULT = {
    "statusCode": 201,
    "body": "hi",
    "isBase64Encoded": False,
    "headers": {"content-type": "text/plain", "vary": "x,y"},
    "cookies": ["a=1", "b=2"],
}
ALB_RESULT = {
    "statusCode": 201,
    "body": "hi",
    "isBase64Encoded": False,
    "multiValueHeaders": {
        "content-type": ["text/plain"],
        "set-cookie": ["a=1", "b=2"],
        "vary": ["x", "y"],
    },
}


def test_rest_result(speedups: ModuleType) -> None:
    assert speedups.rest_result(RESPONSE, EXCLUDE, TYPES) == REST_RESULT


def test_http_result(speedups: ModuleType) -> None:
    assert speedups.http_result(RESPONSE, EXCLUDE, TYPES, "") == HTTP_RESULT


def test_alb_result(speedups: ModuleType) -> None:
    assert speedups.alb_result(RESPONSE, EXCLUDE, TYPES) == ALB_RESULT


def test_results_of_an_empty_answer(speedups: ModuleType) -> None:
    empty = {"status": 204, "headers": [], "body": b""}
    common = {"statusCode": 204, "body": "", "isBase64Encoded": False}
    assert speedups.http_result(empty, [], TYPES, "application/json") == common
    assert speedups.alb_result(empty, [], TYPES) == {**common, "multiValueHeaders": {}}
    assert speedups.rest_result(empty, [], TYPES) == {
        **common,
        "headers": {},
        "multiValueHeaders": {},
    }


@pytest.mark.parametrize(
    ("exclude", "headers"),
    [([], {"headers": {"content-type": "application/json"}}), (["content-type"], {})],
)
def test_only_an_http_result_has_a_default_type(
    speedups: ModuleType, exclude: list[str], headers: Any
) -> None:
    response = {"status": 200, "headers": [], "body": b"{}"}
    assert speedups.http_result(response, exclude, TYPES, "application/json") == {
        "statusCode": 200,
        "body": "{}",
        "isBase64Encoded": False,
        **headers,
    }
    for event, name in ((REST, "APIGateway"), ({**BALANCED, "multiValueHeaders": {}}, "ALB")):
        sent = exchange(speedups, response)
        options = {**CLASSIC, "exclude_headers": exclude}
        result = write(speedups, name, event, sent, options)
        assert (result["body"], result["isBase64Encoded"]) == ("e30=", True)


def exchange(half: ModuleType, response: dict[str, Any]) -> Any:
    sent = half.Exchange({}, b"")
    assert sent.take(start(response["status"], response["headers"])) == TAKEN
    assert sent.take(chunk(response["body"])) == COMPLETE
    return sent


@pytest.mark.parametrize(
    ("source", "event", "expected"),
    [
        ("APIGateway", REST, REST_RESULT),
        ("HTTPGateway", HTTP, HTTP_RESULT),
        ("ALB", {**BALANCED, "multiValueHeaders": {"a": ["b"]}}, ALB_RESULT),
    ],
)
def test_write_result_gives_the_result_of_the_source(
    speedups: ModuleType, source: str, event: Event, expected: Any
) -> None:
    sent = exchange(speedups, RESPONSE)
    for options in (CLASSIC, MODERN):
        options = {**options, "exclude_headers": EXCLUDE}
        is_the_handlers = source == "ALB" and options["edition"] != "classic"
        result = write(speedups, source, event, sent, options)
        assert result == (None if is_the_handlers else expected)


def test_write_result_leaves_single_headers_of_load_balancers_to_the_handler(
    speedups: ModuleType,
) -> None:
    assert write(speedups, "ALB", BALANCED, exchange(speedups, RESPONSE), CLASSIC) is None


@pytest.mark.parametrize("source", LIMITS)
def test_write_result_leaves_what_may_be_over_a_limit_to_the_handler(
    speedups: ModuleType, source: str
) -> None:
    event = {**BALANCED, "multiValueHeaders": {}}
    max_bytes, max_header_bytes = LIMITS[source]
    large = exchange(speedups, {**RESPONSE, "body": b"\0" * (max_bytes // 6)})
    assert write(speedups, source, event, large, CLASSIC) is None
    headers = [(b"a", b"b" * 10_240)]
    long = exchange(speedups, {**RESPONSE, "headers": headers})
    result = write(speedups, source, event, long, CLASSIC)
    assert (result is None) == (max_header_bytes is not None)


@pytest.mark.parametrize(
    ("body", "headers", "limits", "expected"),
    [
        (b"", [], (600, None), False),  # 6 times the 100 bytes around it all
        (b"", [], (599, None), True),
        (b"12", [], (604, None), False),  # two for each character
        (b"12", [], (603, None), True),
        (b"1\x7f", [], (608, None), False),  # six for a control character
        (b"1\x7f", [], (607, None), True),
        (b"12345678\x01\x02", [], (628, None), False),  # the first eight make up for the others
        (b"12345678\x01\x02", [], (627, None), True),
        (b"\x0112345678\x02", [], (628, None), True),
        ("é".encode(), [], (606, None), False),  # three for each byte of others
        ("é".encode(), [], (605, None), True),
        (b"", [(b"abc", b"d")], (696, None), False),  # both twice, and 8 around them
        (b"", [(b"abc", b"d")], (695, None), True),
        (b"", [(b"abc", b"d")], (10**9, 4), False),
        (b"", [(b"abc", b"d")], (10**9, 3), True),
    ],
)
def test_may_exceed(
    speedups: ModuleType, body: bytes, headers: Any, limits: Any, expected: bool
) -> None:
    assert speedups.may_exceed({"headers": headers, "body": body}, *limits) is expected
