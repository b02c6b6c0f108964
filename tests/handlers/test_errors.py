"""Events hold secrets: no error and no log line of ours repeats a value of one."""

from __future__ import annotations

import copy
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from mangum import Mangum
from mangum.exceptions import MangumError
from tests.apps import Recorder
from tests.builders import (
    SOURCES,
    Event,
    Keys,
    agent_event,
    authorizer_event,
    http_v2_event,
    lambda_context,
    queue_event,
    replaced,
    rest_event,
    schedule_event,
    websocket_event,
)

SECRET = "hunter2-ünter2"
EDITIONS = ("classic", "2026")

REQUEST: dict[str, Any] = {
    "method": "POST",
    "path": "/a",
    "query": [("q", "1")],
    "headers": [("authorization", "x")],
    "cookies": ["a=1", "b=2"],
    "body": b"hi",
}
REQUESTS: dict[str, Event] = {name: build(**REQUEST) for name, build in SOURCES.items()}
OTHERS: dict[str, Event] = {
    "queue": queue_event(),
    "schedule": schedule_event(),
    "agent": agent_event(),
    "websocket": websocket_event(),
    "websocket, connect": websocket_event(event_type="CONNECT"),
    "authorizer, REST": authorizer_event(),
    "authorizer, HTTP": authorizer_event(kind="HTTP 2.0"),
    "authorizer, token": authorizer_event(kind="TOKEN"),
    "unknown": {"password": "x", "nested": {"deep": ["x"]}},
    "unknown source": {"Records": [{"eventSource": "x", "s3": {}}]},
}
EVENTS = {**REQUESTS, **OTHERS}

# what stands in the place of a value: as it is, and in shapes that the field never has
SHAPES: dict[str, Any] = {
    "text": SECRET,
    "surrogate": SECRET + "\ud800",
    "list": [SECRET],
    "list of lists": [[SECRET]],
    "object": {SECRET: SECRET},
    "object in a list": [{"value": [SECRET], SECRET: SECRET}],
    "number": 42.5,
    "bytes": SECRET.encode(),
}


def _places(event: Any, above: Keys = ()) -> Iterator[Keys]:
    """Every place in an event, down to its leaves."""
    items: Any = ()
    if isinstance(event, dict):
        items = event.items()
    elif isinstance(event, list):
        items = enumerate(event)
    for key, value in items:
        yield (*above, key)
        yield from _places(value, (*above, key))


def _with_secrets(event: Any) -> Any:
    """The event with a secret in every text."""
    if isinstance(event, dict):
        return {key: _with_secrets(value) for key, value in event.items()}
    if isinstance(event, list):
        return [_with_secrets(value) for value in event]
    return SECRET if isinstance(event, str) else event


def _told(event: Any, caplog: pytest.LogCaptureFixture, **options: Any) -> str:
    """All that an invocation tells of an event, if it fails, and all that it logs."""
    caplog.clear()
    told = []
    try:
        Mangum(Recorder(body=b""), lifespan="off", **options)(event, lambda_context())
    except MangumError as exc:
        told += [str(exc), repr(exc), repr(exc.args), *traceback.format_exception(exc)]
    for record in caplog.records:
        if record.levelno == logging.INFO:
            continue  # the line of a request that was served: method and path are meant to be there
        told += [record.getMessage(), repr(record.args), record.exc_text or ""]
    return "\n".join(told)


def _assert_silent(text: str) -> None:
    """The secret is absent in each of its spellings."""
    assert "hunter2" not in text, text
    assert "aHVudGVyMi" not in text, text  # as base64


@pytest.mark.parametrize("options", [{}, {"events_path": "/events"}], ids=["plain", "events_path"])
@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("name", EVENTS)
def test_event_with_a_secret_in_every_value_leaks_none(
    name: str, edition: str, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        event = _with_secrets(EVENTS[name])
        _assert_silent(_told(event, caplog, edition=edition, **options))


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", EVENTS)
def test_secret_in_any_one_place_and_any_shape_is_not_told(
    name: str, shape: str, edition: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens, nothing but our own errors is raised, and they tell no value."""
    with caplog.at_level(logging.DEBUG):
        for keys in _places(EVENTS[name]):
            event = replaced(EVENTS[name], keys, copy.deepcopy(SHAPES[shape]))
            _assert_silent(_told(event, caplog, edition=edition))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OTHERS)
def test_secret_in_an_event_for_the_app_is_not_told(
    name: str, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for keys in _places(OTHERS[name]):
            event = replaced(OTHERS[name], keys, copy.deepcopy(SHAPES[shape]))
            _assert_silent(_told(event, caplog, events_path="/events"))


@pytest.mark.parametrize("event", [SECRET, [SECRET], [{SECRET: 1}], SECRET.encode()], ids=type)
def test_event_that_is_no_object_is_not_told(event: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(MangumError) as caught:
        Mangum(Recorder())(event, lambda_context())
    _assert_silent(_told(event, caplog))
    assert type(event).__name__ in str(caught.value)


@pytest.mark.parametrize("status", [404, 500])
def test_refused_event_is_not_told(status: int, caplog: pytest.LogCaptureFixture) -> None:
    handler = Mangum(Recorder(status=status), lifespan="off", events_path="/events")
    with pytest.raises(MangumError) as caught:
        handler(_with_secrets(queue_event()), lambda_context())
    told = "\n".join(traceback.format_exception(caught.value))
    _assert_silent(told + repr(caught.value.args) + caplog.text)


@pytest.mark.parametrize("edition", EDITIONS)
def test_body_that_is_no_base64_is_not_told(edition: Any, caplog: pytest.LogCaptureFixture) -> None:
    event = {**http_v2_event(), "body": "hunter2", "isBase64Encoded": True}
    with caplog.at_level(logging.DEBUG):
        result = Mangum(Recorder(), lifespan="off", edition=edition)(event, lambda_context())
    assert result["statusCode"] == 400
    _assert_silent(caplog.text + repr(result))


@pytest.mark.parametrize("edition", EDITIONS)
def test_line_of_a_request_shows_no_query_header_or_body(
    edition: Any, caplog: pytest.LogCaptureFixture
) -> None:
    event = http_v2_event(
        method="POST", query=[("token", SECRET)], headers=[("x-a", SECRET)], body=SECRET.encode()
    )
    with caplog.at_level(logging.DEBUG):
        Mangum(Recorder(), lifespan="off", edition=edition)(event, lambda_context())
    assert caplog.records
    _assert_silent("".join(record.getMessage() + repr(record.args) for record in caplog.records))


@pytest.mark.parametrize(
    ("keys", "value", "named"),
    [
        (("requestContext", "http", "method"), None, "requestContext.http.method"),
        (("headers",), [], "headers"),
        (("cookies",), "a=1", "cookies"),
        (("rawPath",), 5, "rawPath"),
        (("body",), {"a": 1}, "body"),
        (("requestContext", "http", "sourceIp"), {}, "requestContext.http.sourceIp"),
    ],
)
def test_error_names_the_source_and_the_field(keys: Keys, value: Any, named: str) -> None:
    with pytest.raises(MangumError, match=named) as caught:
        Mangum(Recorder(), lifespan="off")(replaced(http_v2_event(), keys, value), lambda_context())
    assert "HTTP API" in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_error_has_no_hidden_cause_that_tells_more() -> None:
    event = replaced(rest_event(), ("multiValueHeaders",), {"x": {SECRET: SECRET}})
    with pytest.raises(MangumError) as caught:
        Mangum(Recorder(), lifespan="off")(event, lambda_context())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
