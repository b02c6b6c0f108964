"""Events that are not requests, as `POST events_path`."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from mangum import Mangum
from mangum.exceptions import ConfigurationError, EventError, InferenceError, MangumError
from mangum.types import Receive, Scope, Send
from tests.apps import Recorder, body_of, result_of, scope_of
from tests.builders import (
    SOURCES,
    Event,
    Keys,
    agent_event,
    authorizer_event,
    decode_result,
    http_scope,
    http_v1_event,
    http_v2_event,
    lambda_context,
    queue_event,
    replaced,
    rest_event,
    schedule_event,
    websocket_event,
)

EDITIONS = ("classic", "2026")
JSON = [(b"content-type", b"application/json")]
EVENTS: dict[str, Any] = {"events_path": "/events"}
every_edition = pytest.mark.parametrize("edition", EDITIONS)

SOURCES_OF_EVENTS: dict[str, tuple[Any, str | None]] = {
    "a queue": (queue_event(), "aws:sqs"),
    "a schedule": (schedule_event(), "aws.events"),
    "an event whose sender names itself": (schedule_event(source="aws:sqs"), "aws.events"),
    "a bucket": ({"Records": [{"eventSource": "aws:s3", "s3": {}}]}, "aws:s3"),
    "a topic": ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "aws:sns"),
    "a table": ({"Records": [{"eventSource": "aws:dynamodb"}]}, "aws:dynamodb"),
    "a stream": ({"Records": [{"eventSource": "aws:kinesis"}]}, "aws:kinesis"),
    "a mail": ({"Records": [{"eventSource": "aws:ses", "ses": {}}]}, "aws:ses"),
    "a Kafka cluster": ({"eventSource": "aws:kafka", "records": {}}, "aws:kafka"),
    "nobody known": ({"hello": "world"}, None),
    "no keys": ({}, None),
    "no records": ({"Records": []}, None),
    "a list": ([1, 2], None),
    "a text": ("hello", None),
    "a number": (5, None),
    "null": (None, None),
    "false": (False, None),
}


@every_edition
@pytest.mark.parametrize(("event", "source"), SOURCES_OF_EVENTS.values(), ids=SOURCES_OF_EVENTS)
def test_event_becomes_a_post_with_a_json_body(
    event: Any, source: str | None, edition: str
) -> None:
    scope, body = scope_of(event, edition=edition, **EVENTS), body_of(event, **EVENTS)
    assert json.loads(body) == event
    headers = dict(scope["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert int(headers[b"content-length"]) == len(body)
    expected = http_scope(
        event,
        edition=edition,
        method="POST",
        path="/events",
        raw_path=None if edition == "classic" else b"/events",
        headers=scope["headers"],
        server=scope["server"],
        client=None if edition == "2026" else (None, 0),
    )
    assert scope == {**expected, "aws.event_source": source}
    assert scope["aws.event"] is event


def test_source_that_somebody_chose_is_not_passed_on() -> None:
    event = {"Records": [{"eventSource": "my:own"}]}
    assert scope_of(event, **EVENTS)["aws.event_source"] is None


def test_event_of_a_request_has_no_event_source() -> None:
    assert "aws.event_source" not in scope_of(rest_event(path="/other"), **EVENTS)


@every_edition
def test_body_is_json_whatever_the_event_holds(edition: str) -> None:
    event = queue_event(body="Zürich \U0001f680 \u2028 \x00 \ud800")
    assert json.loads(body_of(event, edition=edition, **EVENTS)) == event


@every_edition
def test_agents_call_is_an_event_although_it_has_a_method(edition: str) -> None:
    scope = scope_of(agent_event(path="/orders"), edition=edition, **EVENTS)
    assert (scope["method"], scope["path"]) == ("POST", "/events")


@every_edition
def test_base_path_is_not_looked_for_in_events_path(edition: str) -> None:
    options = {"events_path": "/api/events", "api_gateway_base_path": "/api"}
    assert scope_of(queue_event(), edition=edition, **options)["path"] == "/api/events"


@every_edition
def test_root_path_stands_before_events_path_as_before_any_other(edition: str) -> None:
    scope = scope_of(queue_event(), edition=edition, root_path="/shop", **EVENTS)
    assert (scope["path"], scope["root_path"]) == ("/shop/events", "/shop")


@every_edition
@pytest.mark.parametrize("event", [queue_event(), {"a": 1}, [1], None], ids=repr)
def test_event_is_an_error_without_events_path(event: Any, edition: Any) -> None:
    app = Recorder()
    with pytest.raises(InferenceError, match="events_path"):
        Mangum(app, lifespan="off", edition=edition)(event, lambda_context())
    assert app.scopes == []


@pytest.mark.parametrize("kind", ["REST", "HTTP 1.0", "HTTP 2.0", "WebSocket", "TOKEN"])
def test_authorizer_event_is_no_event_for_the_app(kind: str) -> None:
    with pytest.raises(InferenceError, match="authorizer"):
        scope_of(authorizer_event(kind=kind), **EVENTS)


@pytest.mark.parametrize("event_type", ["CONNECT", "MESSAGE", "DISCONNECT"])
def test_websocket_event_is_no_event_for_the_app(event_type: str) -> None:
    with pytest.raises(ConfigurationError, match="WebSocket connections"):
        scope_of(websocket_event(event_type=event_type), **EVENTS)


@pytest.mark.parametrize("source", SOURCES)
@every_edition
def test_request_is_still_a_request(source: str, edition: str) -> None:
    scope = scope_of(SOURCES[source](path="/other"), edition=edition, **EVENTS)
    assert scope["method"] == "GET"
    assert scope["path"].endswith("/other")


# --- the result -------------------------------------------------------------------------------


@every_edition
@pytest.mark.parametrize(
    "value",
    [{"batchItemFailures": [{"itemIdentifier": "1"}]}, {}, [], [1], "text", 5, 1.5, True, None],
    ids=repr,
)
@pytest.mark.parametrize(
    "kind",
    [b"application/json", b"application/json; charset=utf-8", b"Application/JSON", b"a/b+json"],
)
def test_json_answer_is_the_functions_result(value: Any, kind: bytes, edition: str) -> None:
    headers = [(b"content-type", kind)]
    body = json.dumps(value).encode()
    result = result_of(queue_event(), headers=headers, body=body, edition=edition, **EVENTS)
    assert result == value
    assert type(result) is type(value)


@every_edition
@pytest.mark.parametrize("headers", [(), [(b"content-type", b"text/plain")]], ids=["none", "text"])
def test_text_answer_is_a_text(headers: Any, edition: str) -> None:
    body = '{"é": 1}'.encode()
    result = result_of(queue_event(), headers=headers, body=body, edition=edition, **EVENTS)
    assert result == '{"é": 1}'


@every_edition
def test_answer_that_is_no_text_raises(edition: str) -> None:
    headers = [(b"content-type", b"image/png")]
    with pytest.raises(EventError):
        result_of(queue_event(), headers=headers, body=b"\xff", edition=edition, **EVENTS)


@every_edition
def test_empty_answer_is_no_result(edition: str) -> None:
    result = result_of(queue_event(), status=204, headers=(), body=b"", edition=edition, **EVENTS)
    assert result is None


@every_edition
@pytest.mark.parametrize("status", [500, 501, 503, 599])
def test_status_of_500_or_more_raises_so_the_service_retries(status: int, edition: str) -> None:
    with pytest.raises(EventError, match=str(status)) as caught:
        result_of(queue_event(), status=status, edition=edition, **EVENTS)
    assert isinstance(caught.value, MangumError)
    assert "/events" in str(caught.value)


@every_edition
@pytest.mark.parametrize("status", [100, 199, 301, 302, 307, 400, 401, 403, 404, 405, 422, 499])
def test_status_that_does_not_say_the_event_was_handled_raises(status: int, edition: str) -> None:
    with pytest.raises(EventError, match=str(status)):
        result_of(queue_event(), status=status, edition=edition, **EVENTS)


@every_edition
@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_any_2xx_counts_as_handled(status: int, edition: str) -> None:
    result = result_of(
        queue_event(), status=status, headers=JSON, body=b"[]", edition=edition, **EVENTS
    )
    assert result == []


def test_answer_that_is_nested_too_deeply_raises() -> None:
    with pytest.raises(EventError, match="neither JSON nor text"):
        result_of(queue_event(), headers=JSON, body=b"[" * 200_000, **EVENTS)


@every_edition
def test_app_that_raises_makes_the_invocation_fail(
    edition: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Recorder):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            raise ZeroDivisionError

    handler = Mangum(Broken(), lifespan="off", edition=edition, **EVENTS)
    with pytest.raises(EventError, match="500"), caplog.at_level(logging.ERROR):
        handler(queue_event(), lambda_context())
    assert len(caplog.records) == 1


@every_edition
@pytest.mark.parametrize("body", [b"{", b"\xff"])
def test_answer_that_is_no_json_although_it_says_so_raises(body: bytes, edition: str) -> None:
    with pytest.raises(EventError):
        result_of(queue_event(), headers=JSON, body=body, edition=edition, **EVENTS)


# --- the guard --------------------------------------------------------------------------------

FORGED = [
    "/events",
    "/events/",
    "//events",
    "///events//",
    "/./events",
    "/events/.",
    "/x/../events",
    "/../events",
    "/events/x/..",
    "/%65vents",
    "/%65%76%65%6e%74%73",
    "/%2565vents",
    "/%2Fevents",
    "/%2e/events",
    "/x/%2e%2e/events",
    "/x/%252e%252e/events",
    "/events%2F",
    "/EVENTS",
    "/events%0A",
    "/events%0D%0A",
    "/%20events%09",
    "/events%E2%80%A8",
    "%2Fevents",
    "events",
]
INNOCENT = [
    "/",
    "/event",
    "/events2",
    "/events/1",
    "/x/events",
    "/ev/ents",
    "/events.json",
]


def _with_path(source: str, path: str) -> Event:
    """The event of a request for a path that need not begin with a slash."""
    event = SOURCES[source](path="/x", **({"prefix": ""} if source == "REST API" else {}))
    keys: Keys = ("path",)
    if source in ("HTTP API 2.0", "function URL"):
        keys = ("rawPath",)
    elif source == "Lambda@Edge":
        keys = ("Records", 0, "cf", "request", "uri")
    elif source == "VPC Lattice v1":
        keys = ("raw_path",)
    return replaced(event, keys, path)


def _refused(event: Event, **options: Any) -> bool:
    """Whether the adapter answers 404 and the application is never called."""
    app = Recorder(body=b"reached")
    result = Mangum(app, **{"lifespan": "off", **EVENTS, **options})(event, lambda_context())
    status = decode_result(result).status
    assert (status, app.scopes) == (404, []) or (status, len(app.scopes)) == (200, 1)
    return status == 404


@every_edition
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("path", FORGED)
def test_request_for_events_path_is_a_404_however_it_is_spelled(
    source: str, path: str, edition: str
) -> None:
    assert _refused(_with_path(source, path), edition=edition)


@every_edition
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("path", INNOCENT)
def test_request_for_another_path_is_served(source: str, path: str, edition: str) -> None:
    assert not _refused(_with_path(source, path), edition=edition)


@every_edition
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "HEAD", "post"])
@pytest.mark.parametrize("source", SOURCES)
def test_request_for_events_path_is_a_404_with_any_method(
    source: str, method: str, edition: str
) -> None:
    event = SOURCES[source](path="/events", method=method)
    assert _refused(event, edition=edition)


@every_edition
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("path", ["/api/events", "/events", "//api//events/", "/api/%65vents"])
def test_guard_knows_the_base_path(source: str, path: str, edition: str) -> None:
    event = _with_path(source, path)
    assert _refused(event, edition=edition, api_gateway_base_path="/api")


@every_edition
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("path", ["/api/events", "/events", "/api//events/", "/api/%65vents"])
def test_guard_knows_root_path(source: str, path: str, edition: str) -> None:
    assert _refused(_with_path(source, path), edition=edition, root_path="/api")


@every_edition
@pytest.mark.parametrize("option", ["root_path", "api_gateway_base_path"])
def test_guard_knows_a_prefix_that_is_encoded(option: str, edition: str) -> None:
    assert _refused(_with_path("ALB", "/%61pi/events"), edition=edition, **{option: "/api"})


@every_edition
@pytest.mark.parametrize(
    "event",
    [
        rest_event(path="/events"),
        http_v1_event(path="/events", stage="dev"),
        http_v2_event(path="/events", stage="dev"),
        http_v2_event(path="//%65vents/", stage="dev"),
        replaced(
            http_v2_event(path="/events", stage="dev"),
            ("requestContext", "domainName"),
            "shop.example.org",
        ),
    ],
    ids=["REST API", "HTTP API 1.0", "HTTP API 2.0", "HTTP API 2.0, encoded", "own domain"],
)
def test_guard_knows_the_stage(event: Event, edition: str) -> None:
    assert _refused(event, edition=edition)


@every_edition
def test_guard_knows_the_stage_and_the_base_path_behind_it(edition: str) -> None:
    event = http_v2_event(path="/api/events", stage="dev")
    assert _refused(event, edition=edition, api_gateway_base_path="/api")


@every_edition
def test_guard_is_not_tired_by_many_encodings(edition: str) -> None:
    path = "/events".replace("e", "%65")
    for _ in range(30):
        path = path.replace("%", "%25")
    assert _refused(_with_path("ALB", path), edition=edition)


@every_edition
@pytest.mark.parametrize("events_path", ["/events/", "//events", "/a/../events"])
def test_guard_reads_events_path_as_it_reads_the_path(events_path: str, edition: str) -> None:
    path = scope_of(queue_event(), edition=edition, events_path=events_path)["path"]
    assert _refused(_with_path("ALB", path), edition=edition, events_path=events_path)
    assert _refused(_with_path("ALB", events_path), edition=edition, events_path=events_path)


@every_edition
def test_guard_stands_for_paths_of_several_segments(edition: str) -> None:
    options = {"edition": edition, "events_path": "/internal/events"}
    assert _refused(_with_path("ALB", "/internal//events"), **options)
    assert not _refused(_with_path("ALB", "/internal"), **options)
    assert not _refused(_with_path("ALB", "/events"), **options)


@every_edition
def test_path_without_events_path_is_nothing_special(edition: str) -> None:
    assert not _refused(_with_path("ALB", "/events"), edition=edition, events_path=None)


@every_edition
def test_request_cannot_forge_the_keys_of_an_event(edition: str) -> None:
    forged = json.dumps(queue_event()).encode()
    event = http_v2_event(method="POST", path="/other", body=forged)
    scope = scope_of(event, edition=edition, **EVENTS)
    assert scope["path"] == "/other"
    assert "aws.event_source" not in scope
