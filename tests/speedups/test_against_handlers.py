"""The short cuts of the hot path lead where the handlers do: which source an event is of, what its
request is, and what the result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given

from mangum import handlers
from mangum.exceptions import MangumError
from mangum.handlers import DETECTION
from mangum.types import LambdaHandler, Response
from tests import builders
from tests import profiles as profiles  # chooses how many examples are drawn
from tests.builders import Event
from tests.speedups import nasty
from tests.speedups.agreement import assert_agree, read, write
from tests.speedups.test_agreement import (
    CONTEXT,
    EDITIONS,
    FILES,
    SOURCES,
    copies,
    exchange_of,
    variants,
)

# --- which event is it? -----------------------------------------------------------------------

ABSENT = object()

# What decides, each with its values: absent, empty, of the right and of a wrong type.
MARKS: dict[str, list[Any]] = {
    "Records": [ABSENT, [{"cf": {}}], []],
    "type": [ABSENT, "REQUEST", "x"],
    "methodArn": [ABSENT, "arn"],
    "version": [ABSENT, "1.0", "2.0", "3.0", 2.0],
    "httpMethod": [ABSENT, "GET", "", None],
    "raw_path": [ABSENT, "/"],
    "method": [ABSENT, "GET"],
}
CONTEXT_MARKS: dict[str, list[Any]] = {
    "elb": [ABSENT, {}, None],
    "connectionId": [ABSENT, "a"],
    "eventType": [ABSENT, "CONNECT", "x"],
    "serviceArn": [ABSENT, "a"],
    "serviceNetworkArn": [ABSENT, "a"],
    "http": [ABSENT, {}, {"method": "GET"}, None, "x"],
}


def combinations(marks: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in product(*marks.values()):
        yield {key: value for key, value in zip(marks, values, strict=True) if value is not ABSENT}


def from_the_table(event: dict[str, Any]) -> str | None:
    return next((name for name, fits in DETECTION if fits(event)), None)


COMMON = {"ALB", "APIGateway", "HTTPGateway"}


def test_recognise_agrees_with_the_table_on_every_combination_of_marks(
    speedups: ModuleType,
) -> None:
    contexts: list[Any] = [*combinations(CONTEXT_MARKS)]
    contexts += [nasty.Object(it) for it in contexts[::50]]
    # Each rare mark is held against every context, but not every rare mark against every other.
    rare = ("Records", "type", "methodArn", "raw_path", "method")
    plain = {key: values if key not in rare else [ABSENT] for key, values in MARKS.items()}
    seen = set()
    for marks in combinations(plain):
        for context in contexts:
            event = {**marks, "requestContext": context}
            found = speedups.recognise(event)
            assert found is None or found == from_the_table(event), event
            seen.add(found)
    for marks in combinations(MARKS):
        for context in ABSENT, None, "x", [], {}, {"elb": {}}, {"http": {}}, {"connectionId": "a"}:
            event = {**marks, **({} if context is ABSENT else {"requestContext": context})}
            found = speedups.recognise(event)
            assert found is None or found == from_the_table(event), event
    assert seen == {None, *COMMON}


def test_recognise_names_every_usual_event_of_the_common_sources(speedups: ModuleType) -> None:
    for event in variants():
        expected = from_the_table(event)
        assert speedups.recognise(event) == (expected if expected in COMMON else None)


def test_recognise_agrees_with_the_table_on_recorded_events(speedups: ModuleType) -> None:
    named = 0
    for event in recorded():
        found = speedups.recognise(event)
        assert found is None or found == from_the_table(event)
        named += found is not None
    assert named > 100


@given(event=nasty.events)
def test_recognise_agrees_with_the_table_on_drawn_events(
    speedups: ModuleType, event: Event
) -> None:
    found = speedups.recognise(event)
    assert found is None or found == from_the_table(event)


# --- requests ---------------------------------------------------------------------------------


def recorded() -> Iterator[dict[str, Any]]:
    for path in sorted(FILES.rglob("*.json")):
        event = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(event, dict) and path.parent != FILES:
            yield event


def handler_of(event: Event, config: Any) -> LambdaHandler:
    found = handlers.find(event)
    assert found is not None
    return found(event, CONTEXT, config)


def read_by_handler(event: Event, config: Any) -> Any:
    """The source, scope and body of the handler; `None` where that refuses the event."""
    handler = handler_of(event, config)
    try:
        return type(handler).__name__, handler.scope, handler.body
    except MangumError:
        return None


def check_request(half: ModuleType, event: Event, config: Any) -> bool:
    """What is read is what the handler reads; whether anything is."""
    request = read(half, event, CONTEXT, config)
    if request is None:
        return False
    assert_agree(read_by_handler(event, config), request, event)
    return True


def test_requests_are_those_of_the_handlers(speedups: ModuleType) -> None:
    read = [check_request(speedups, *call) for call in product(variants(), nasty.USUAL)]
    assert sum(read) > len(read) // 2


def test_recorded_requests_are_those_of_the_handlers(speedups: ModuleType) -> None:
    read = [check_request(speedups, *call) for call in product(recorded(), EDITIONS)]
    assert sum(read) > 200


@given(event=nasty.events)
def test_drawn_requests_are_those_of_the_handlers(speedups: ModuleType, event: Event) -> None:
    for config in EDITIONS:
        check_request(speedups, event, config)


def test_usual_requests_need_no_handler(speedups: ModuleType) -> None:
    for build in (
        builders.rest_event,
        builders.http_v2_event,
        builders.function_url_event,
        builders.alb_event,
    ):
        for config in nasty.USUAL:
            assert read(speedups, build(path="/a"), CONTEXT, config) is not None


CERTIFICATE = {"clientCertPem": "a", "subjectDN": "CN=a", "issuerDN": "CN=b"}
TLS_EVENTS = {
    "REST API": ("identity", builders.rest_event()),
    "HTTP API": ("authentication", builders.http_v2_event()),
}


@pytest.mark.parametrize("source", TLS_EVENTS)
def test_a_client_certificate_is_the_handlers_to_read(speedups: ModuleType, source: str) -> None:
    field, event = TLS_EVENTS[source]
    event["requestContext"][field] = {"clientCert": CERTIFICATE}
    classic, modern = EDITIONS
    assert read(speedups, event, CONTEXT, modern) is None
    assert read(speedups, event, CONTEXT, classic) is not None


@pytest.mark.parametrize("build", [builders.alb_event, builders.function_url_event])
def test_headers_of_the_tls_connection_are_the_handlers_to_read(
    speedups: ModuleType, build: Any
) -> None:
    event = build(headers=[("X-Amzn-TLS-Version", "TLSv1.3")])
    classic, modern = EDITIONS
    assert read(speedups, event, CONTEXT, modern) is None
    assert read(speedups, event, CONTEXT, classic) is not None


@pytest.mark.parametrize("junk", ["x", 1, ["a"], True])
@pytest.mark.parametrize("field", ["identity", "authentication"])
def test_whatever_stands_for_a_certificate_raises_nothing(
    speedups: ModuleType, field: str, junk: Any
) -> None:
    for event in (builders.rest_event(), builders.http_v2_event(), builders.alb_event()):
        event["requestContext"][field] = junk
        for config in EDITIONS:
            check_request(speedups, event, config)


# --- results ----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"hi", b"\xff", b"\xed\xa0\x80", "é".encode() * 2000])
def test_results_are_those_of_the_handlers(speedups: ModuleType, body: bytes) -> None:
    written = 0
    for (source, event), headers, config in product(SOURCES, copies(), nasty.USUAL):
        result = write(speedups, source, event, exchange_of(speedups, 201, headers, body), config)
        if result is not None:
            response: Response = {"status": 201, "headers": headers, "body": body}
            assert_agree(handler_of(event, config)(response), result, response)
            written += 1
    assert written > 1000


@pytest.mark.parametrize("size", [1_000_000, 6_300_000])
def test_what_may_be_over_a_limit_is_the_handlers_to_write(speedups: ModuleType, size: int) -> None:
    for source, event in SOURCES:
        for config in EDITIONS:
            exchange = exchange_of(speedups, 200, [], b"\0" * size)
            result = write(speedups, source, event, exchange, config)
            if result is not None:
                response: Response = {"status": 200, "headers": [], "body": b"\0" * size}
                assert_agree(handler_of(event, config)(response), result, response)
    exchange = exchange_of(speedups, 200, [(b"a", b"b" * 11_000)], b"")
    assert write(speedups, "HTTPGateway", SOURCES[1][1], exchange, EDITIONS[0]) is None
    assert write(speedups, "APIGateway", SOURCES[0][1], exchange, EDITIONS[0]) is not None


def test_usual_results_need_no_handler(speedups: ModuleType) -> None:
    headers = [(b"content-type", b"text/plain")]
    for source, event in SOURCES:
        for config in EDITIONS:
            exchange = exchange_of(speedups, 200, headers, b"hi")
            result = write(speedups, source, event, exchange, config)
            needs_handler = source == "ALB" and (
                config["edition"] != "classic" or event.get("multiValueHeaders") is None
            )
            assert (result is None) == needs_handler
