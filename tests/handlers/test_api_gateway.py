"""REST APIs, HTTP APIs with either payload, and function URLs: whole scopes and whole results."""

from __future__ import annotations

from typing import Any

import pytest

from mangum.handlers import HTTPGateway
from tests.apps import result_of, scope_of
from tests.builders import (
    API_HOST,
    CLIENT_IP,
    TRACE_ID,
    URL_HOST,
    USER_AGENT,
    Event,
    function_url_event,
    http_scope,
    http_v1_event,
    http_v2_event,
    replaced,
    rest_event,
)

EDITIONS = ("classic", "2026")
COOKIES = [(b"set-cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2")]
ANSWER = [
    (b"Content-Type", b"text/plain"),
    (b"Vary", b"Accept"),
    (b"vary", b"Origin"),
    *COOKIES,
]
V1_BUILDERS = pytest.mark.parametrize("build", [rest_event, http_v1_event])
V2_BUILDERS = pytest.mark.parametrize("build", [http_v2_event, function_url_event])
every_edition = pytest.mark.parametrize("edition", EDITIONS)


def _headers(host: str, *more: list[bytes]) -> list[list[bytes]]:
    return [
        [b"host", host.encode()],
        [b"user-agent", USER_AGENT.encode()],
        [b"x-amzn-trace-id", TRACE_ID.encode()],
        [b"x-forwarded-for", CLIENT_IP.encode()],
        [b"x-forwarded-port", b"443"],
        [b"x-forwarded-proto", b"https"],
        [b"accept", b"*/*"],
        *more,
    ]


REQUEST: dict[str, Any] = {
    "method": "POST",
    "path": "/a%20b",
    "query": [("q", "1 2"), ("q", "3")],
    "headers": [("X-Many", "a"), ("X-Many", "b")],
    "cookies": ["c=1", "d=2"],
    "body": b"hi",
}
SEEN: dict[str, Any] = {"method": "POST", "path": "/a b", "query_string": b"q=1+2&q=3"}
COOKIE = [b"cookie", b"c=1; d=2"]
LENGTH = [b"content-length", b"2"]
JOINED = [[b"x-many", b"a, b"]]
APART = [[b"x-many", b"a"], [b"x-many", b"b"]]
AS_SENT = [[b"x-many", b"a,b"]]

SCOPES: dict[str, tuple[Event, dict[str, Any], dict[str, Any]]] = {
    "REST API": (
        rest_event(**REQUEST),
        {"headers": _headers(API_HOST, LENGTH, *JOINED, COOKIE), "server": (API_HOST, 443)},
        {
            "headers": _headers(API_HOST, LENGTH, *APART, COOKIE),
            "server": (API_HOST, 443),
            "path": "/prod/a b",
            "root_path": "/prod",
            "raw_path": b"/prod/a%20b",
        },
    ),
    "HTTP API 1.0": (
        http_v1_event(**REQUEST),
        {"headers": _headers(API_HOST, LENGTH, *JOINED, COOKIE), "server": (API_HOST, 443)},
        {
            "headers": _headers(API_HOST, LENGTH, *APART, COOKIE),
            "server": (API_HOST, 443),
            "raw_path": b"/a%20b",
        },
    ),
    "HTTP API 2.0": (
        http_v2_event(**REQUEST),
        {"headers": _headers(API_HOST, LENGTH, *AS_SENT, COOKIE), "server": (API_HOST, 443)},
        {
            "headers": _headers(API_HOST, LENGTH, *AS_SENT, COOKIE),
            "server": (API_HOST, 443),
            "raw_path": b"/a%20b",
        },
    ),
    "function URL": (
        function_url_event(**REQUEST),
        {"headers": _headers(URL_HOST, LENGTH, *AS_SENT, COOKIE), "server": (URL_HOST, 443)},
        {
            "headers": _headers(URL_HOST, LENGTH, *AS_SENT, COOKIE),
            "server": (URL_HOST, 443),
            "raw_path": b"/a%20b",
        },
    ),
}


@pytest.mark.parametrize(("event", "classic", "modern"), SCOPES.values(), ids=SCOPES)
def test_whole_scope(event: Event, classic: dict[str, Any], modern: dict[str, Any]) -> None:
    assert scope_of(event) == http_scope(event, **SEEN, **classic)
    assert scope_of(event, edition="2026") == http_scope(
        event, edition="2026", **{**SEEN, **modern}
    )


def test_function_url_sends_its_raw_path_encoded() -> None:
    event = function_url_event(path="/100%2525")
    assert event["rawPath"] == "/100%2525"
    assert [scope_of(event, edition=it)["path"] for it in EDITIONS] == ["/100%25", "/100%25"]


def test_http_api_sends_its_raw_path_decoded() -> None:
    event = http_v2_event(path="/100%2525")
    assert event["rawPath"] == "/100%25"
    assert [scope_of(event, edition=it)["path"] for it in EDITIONS] == ["/100%25", "/100%25"]


def test_function_url_is_told_by_its_domain() -> None:
    event = http_v2_event(path="/a%2541")
    event = replaced(event, ("requestContext", "domainName"), "x.lambda-url.eu-west-1.on.aws")
    assert scope_of(event)["path"] == "/aA"


@every_edition
@pytest.mark.parametrize("domain", ["lambda.example.org", "lambda-url.example.org", "", None])
def test_any_other_domain_is_an_http_apis(domain: str | None, edition: str) -> None:
    event = replaced(http_v2_event(path="/a%2541"), ("requestContext", "domainName"), domain)
    assert scope_of(event, edition=edition)["path"] == "/a%41"


@every_edition
@V1_BUILDERS
def test_repeated_headers_go_to_multi_value_headers(build: Any, edition: str) -> None:
    assert result_of(build(), headers=ANSWER, edition=edition) == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain"},
        "multiValueHeaders": {
            "vary": ["Accept", "Origin"],
            "set-cookie": ["a=1; Path=/", "b=2"],
        },
        "body": "ok",
        "isBase64Encoded": False,
    }


@every_edition
@V1_BUILDERS
def test_single_cookie_of_a_rest_api_is_a_plain_header(build: Any, edition: str) -> None:
    result = result_of(build(), headers=COOKIES[:1], edition=edition)
    assert result["headers"] == {"set-cookie": "a=1; Path=/"}
    assert not result["multiValueHeaders"]


@every_edition
@pytest.mark.parametrize("headers", [(), ANSWER], ids=["no headers", "many headers"])
@pytest.mark.parametrize("body", [b"", b"ok", b"\xff"])
@V1_BUILDERS
def test_result_of_a_rest_api_has_no_key_that_api_gateway_does_not_know(
    build: Any, body: bytes, headers: Any, edition: str
) -> None:
    known = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
    assert set(result_of(build(), headers=headers, body=body, edition=edition)) <= known


@every_edition
@V2_BUILDERS
def test_set_cookie_goes_to_cookies_and_other_repeated_headers_are_joined(
    build: Any, edition: str
) -> None:
    assert result_of(build(), headers=ANSWER, edition=edition) == {
        "statusCode": 200,
        "headers": {"content-type": "text/plain", "vary": "Accept,Origin"},
        "cookies": ["a=1; Path=/", "b=2"],
        "body": "ok",
        "isBase64Encoded": False,
    }


@every_edition
@V2_BUILDERS
def test_single_cookie_goes_to_cookies_too(build: Any, edition: str) -> None:
    result = result_of(build(), headers=[*ANSWER[:1], *COOKIES[:1]], edition=edition)
    assert result["cookies"] == ["a=1; Path=/"]
    assert result["headers"] == {"content-type": "text/plain"}


@every_edition
@V2_BUILDERS
def test_no_content_type_is_invented_for_an_empty_body(build: Any, edition: str) -> None:
    result = result_of(build(), status=204, headers=(), body=b"", edition=edition)
    assert result == {"statusCode": 204, "body": "", "isBase64Encoded": False}


@every_edition
@V2_BUILDERS
def test_cookie_in_two_values_is_not_joined_with_a_comma(build: Any, edition: str) -> None:
    expires = b"a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT"
    headers = [*ANSWER[:1], (b"set-cookie", expires), (b"set-cookie", b"b=2")]
    result = result_of(build(), headers=headers, edition=edition)
    assert result["cookies"] == [expires.decode(), "b=2"]


@every_edition
def test_payload_1_0_of_an_http_api_has_no_cookies(edition: str) -> None:
    assert "cookies" not in result_of(http_v1_event(), headers=ANSWER, edition=edition)


def test_handler_that_has_only_the_constructor_of_older_ones_serves() -> None:
    class Older(HTTPGateway):
        def __init__(self, event: Any, context: Any, config: Any) -> None:
            self.event, self.context, self.config = event, context, config

    event = http_v2_event(path="/a")
    assert scope_of(event, custom_handlers=[Older]) == scope_of(event)
    assert result_of(event, custom_handlers=[Older]) == result_of(event)
