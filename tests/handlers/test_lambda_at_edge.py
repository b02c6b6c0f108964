"""CloudFront's requests, and the answers that it takes from a function."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mangum import Mangum
from tests.apps import TEXT, Recorder, result_of, scope_of
from tests.builders import (
    EDGE_HOST,
    USER_AGENT,
    decode_result,
    edge_event,
    http_scope,
    lambda_context,
    replaced,
    without,
)

EDITIONS = ("classic", "2026")
EVENT_TYPES = ("viewer-request", "origin-request", "origin-response", "viewer-response")
every_edition = pytest.mark.parametrize("edition", EDITIONS)

# Source: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
DISALLOWED = [
    "Connection",
    "Expect",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Trailer",
    "Upgrade",
    "X-Accel-Buffering",
    "X-Accel-Charset",
    "X-Accel-Limit-Rate",
    "X-Accel-Redirect",
    "X-Amz-Cf-Id",
    "X-Amz-Cf-Pop",
    "X-Amzn-Auth",
    "X-Amzn-Cf-Billing",
    "X-Amzn-Cf-Id",
    "X-Amzn-Cf-Xff",
    "X-Amzn-Errortype",
    "X-Amzn-Fle-Profile",
    "X-Amzn-Header-Count",
    "X-Amzn-Header-Order",
    "X-Amzn-Lambda-Integration-Tag",
    "X-Amzn-RequestId",
    "X-Cache",
    "X-Edge-Location",
    "X-Edge-Anything",
    "X-Forwarded-Proto",
    "X-Real-IP",
]
READ_ONLY = {
    "viewer-request": "CDN-Loop, Content-Length, Host, Transfer-Encoding, Via",
    "origin-request": "Accept-Encoding, CDN-Loop, Content-Length, If-Modified-Since, "
    "If-None-Match, If-Range, If-Unmodified-Since, Transfer-Encoding, Via",
    "origin-response": "Transfer-Encoding, Via",
    "viewer-response": "Content-Encoding, Content-Length, Transfer-Encoding, Warning, Via",
}
ALLOWED = [
    "Cache-Control",
    "Content-Type",
    "ETag",
    "Last-Modified",
    "Location",
    "Server",
    "Strict-Transport-Security",
    "Vary",
    "X-Amzn-Trace-Id",
    "X-Edgeless",
    "X-Amz-Cfx",
    "X-Amz-Meta-A",
    "X-Cached",
    "X-Forwarded-For",
]


def test_whole_scope() -> None:
    event = edge_event(
        method="POST",
        path="/a%20b",
        query=[("q", "1 2"), ("q", "3")],
        headers=[("X-Many", "a"), ("X-Many", "b")],
        cookies=["c=1", "d=2"],
        body=b"hi",
    )
    seen: dict[str, Any] = {
        "method": "POST",
        "path": "/a b",
        "query_string": b"q=1+2&q=3",
        "headers": [
            [b"host", EDGE_HOST.encode()],
            [b"user-agent", USER_AGENT.encode()],
            [b"content-length", b"2"],
            [b"x-many", b"a"],
            [b"x-many", b"b"],
            [b"cookie", b"c=1; d=2"],
        ],
    }
    assert scope_of(event) == http_scope(event, server=(EDGE_HOST, 80), **seen)
    assert scope_of(event, edition="2026") == http_scope(
        event, edition="2026", server=(EDGE_HOST, 443), raw_path=b"/a%20b", **seen
    )


def _answer(names: list[str], event_type: str | None, edition: str) -> dict[str, Any]:
    event = edge_event(event_type=event_type or "origin-request")
    if event_type is None:
        event = without(event, ("Records", 0, "cf", "config", "eventType"))
    headers = [*TEXT, *((name.encode(), b"1") for name in names)]
    headers = [pair for pair in headers if pair != (b"Content-Type", b"1")]
    result: dict[str, Any] = result_of(event, headers=headers, edition=edition)["headers"]
    return result


@every_edition
@pytest.mark.parametrize("event_type", [*EVENT_TYPES, None])
def test_headers_that_cloudfront_never_allows_are_left_out(
    event_type: str | None, edition: str
) -> None:
    assert set(_answer(DISALLOWED, event_type, edition)) == {"content-type"}


@every_edition
@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_headers_that_are_read_only_in_the_event_type_are_left_out(
    event_type: str, edition: str
) -> None:
    every = {name.lower() for names in READ_ONLY.values() for name in names.split(", ")}
    forbidden = {name.lower() for name in READ_ONLY[event_type].split(", ")}
    assert set(_answer(sorted(every), event_type, edition)) == every - forbidden | {"content-type"}


@every_edition
@pytest.mark.parametrize("event_type", ["some-other-event", None])
def test_headers_that_are_read_only_in_either_request_are_left_out_of_an_unknown_event_type(
    event_type: str | None, edition: str
) -> None:
    every = {name.lower() for names in READ_ONLY.values() for name in names.split(", ")}
    requests = [READ_ONLY["viewer-request"], READ_ONLY["origin-request"]]
    forbidden = {name.lower() for names in requests for name in names.split(", ")}
    assert set(_answer(sorted(every), event_type, edition)) == every - forbidden | {"content-type"}


@every_edition
@pytest.mark.parametrize("event_type", [*EVENT_TYPES, None])
def test_every_other_header_is_passed_on(event_type: str | None, edition: str) -> None:
    names = {name.lower() for name in ALLOWED}
    assert set(_answer(ALLOWED, event_type, edition)) == names


@every_edition
def test_every_value_of_a_name_is_passed_on(edition: str) -> None:
    headers = [*TEXT, (b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"vary", b"accept")]
    assert result_of(edge_event(), headers=headers, edition=edition)["headers"] == {
        "content-type": [{"key": "content-type", "value": "text/plain"}],
        "set-cookie": [
            {"key": "set-cookie", "value": "a=1"},
            {"key": "set-cookie", "value": "b=2"},
        ],
        "vary": [{"key": "vary", "value": "accept"}],
    }


@pytest.mark.parametrize("event_type", ["viewer-request", "origin-request"])
def test_whole_result(event_type: str) -> None:
    event = edge_event(event_type=event_type)
    headers = {"content-type": [{"key": "content-type", "value": "text/plain"}]}
    assert result_of(event, status=201) == {
        "status": 201,
        "headers": headers,
        "body": "ok",
        "isBase64Encoded": False,
    }
    assert result_of(event, status=201, edition="2026") == {
        "status": "201",
        "statusDescription": "Created",
        "headers": headers,
        "body": "ok",
        "bodyEncoding": "text",
    }


def test_binary_body_says_so_in_the_words_of_the_edition() -> None:
    results = [result_of(edge_event(), headers=(), body=b"\xff", edition=it) for it in EDITIONS]
    assert results[0]["body"] == results[1]["body"] == "/w=="
    assert results[0]["isBase64Encoded"] is True
    assert results[1]["bodyEncoding"] == "base64"


@every_edition
def test_body_that_cloudfront_cut_off_is_refused_and_not_served_in_part(
    edition: Any, caplog: pytest.LogCaptureFixture
) -> None:
    keys = ("Records", 0, "cf", "request", "body", "inputTruncated")
    event = replaced(edge_event(method="POST", body=b"half a"), keys, True)
    app = Recorder()
    with caplog.at_level(logging.ERROR, "mangum"):
        result = Mangum(app, lifespan="off", edition=edition)(event, lambda_context())
    assert (decode_result(result).status, app.scopes) == (413, [])
    assert len(caplog.records) == 1


@every_edition
def test_cloudfronts_word_on_the_scheme_comes_before_a_forwarded_one(edition: str) -> None:
    event = edge_event(
        headers=[("X-Forwarded-Proto", "https"), ("CloudFront-Forwarded-Proto", "http")]
    )
    assert scope_of(event, edition=edition)["scheme"] == "http"
