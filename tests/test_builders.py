"""The builders: what each source does to a path, a query string, a header, a cookie and a body."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests import builders
from tests.builders import Answer, decode_result

REQUEST: dict[str, Any] = {
    "method": "POST",
    "path": "/%C3%BCber/a%2Fb",
    "query": [("tag", "a b"), ("tag", "ü+1")],
    "headers": [("X-Twice", "1"), ("X-Twice", "2")],
    "cookies": ["a=1", "b=2"],
    "body": b"\xff",
}


def test_rest_sends_the_path_encoded_and_the_query_decoded() -> None:
    event = builders.rest_event(**REQUEST)
    assert event["path"] == "/%C3%BCber/a%2Fb"
    assert event["requestContext"]["path"] == "/prod/%C3%BCber/a%2Fb"
    assert event["queryStringParameters"] == {"tag": "ü+1"}
    assert event["multiValueQueryStringParameters"] == {"tag": ["a b", "ü+1"]}
    assert event["headers"]["X-Twice"] == "2"
    assert event["multiValueHeaders"]["X-Twice"] == ["1", "2"]
    assert event["multiValueHeaders"]["cookie"] == ["a=1; b=2"]


def test_http_v1_has_a_named_stage_in_the_path() -> None:
    event = builders.http_v1_event(**REQUEST, stage="dev")
    assert event["path"] == "/dev/%C3%BCber/a%2Fb"
    assert event["requestContext"]["path"] == "/dev/über/a/b"


def test_http_v2_sends_the_path_decoded_and_the_query_as_it_was() -> None:
    event = builders.http_v2_event(**REQUEST, stage="dev")
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/dev/über/a/b"
    assert event["rawQueryString"] == "tag=a+b&tag=%C3%BC%2B1"
    assert event["queryStringParameters"] == {"tag": "a b,ü+1"}
    assert event["headers"]["x-twice"] == "1,2"
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]


def test_a_function_url_sends_the_path_encoded_and_cookies_twice() -> None:
    event = builders.function_url_event(**REQUEST)
    assert event["rawPath"] == "/%C3%BCber/a%2Fb"
    assert event["requestContext"]["http"]["path"] == "/über/a/b"
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["cookie"] == "a=1; b=2"


def test_alb_sends_the_query_encoded_and_the_last_value_alone() -> None:
    event = builders.alb_event(**REQUEST)
    assert event["path"] == "/%C3%BCber/a%2Fb"
    assert event["queryStringParameters"] == {"tag": "%C3%BC%2B1"}
    assert event["headers"]["x-twice"] == "2"
    assert not {"multiValueHeaders", "multiValueQueryStringParameters"} & event.keys()


def test_alb_with_multi_value_headers_sends_every_value() -> None:
    event = builders.alb_event(**REQUEST, multi_value=True)
    assert event["multiValueQueryStringParameters"] == {"tag": ["a+b", "%C3%BC%2B1"]}
    assert event["multiValueHeaders"]["x-twice"] == ["1", "2"]
    assert not {"headers", "queryStringParameters"} & event.keys()


def test_edge_lists_headers_by_their_lower_case_name() -> None:
    event = builders.edge_event(**REQUEST, event_type="viewer-request")
    cf = event["Records"][0]["cf"]
    assert cf["config"]["eventType"] == "viewer-request"
    assert cf["request"]["uri"] == "/%C3%BCber/a%2Fb"
    assert cf["request"]["querystring"] == "tag=a+b&tag=%C3%BC%2B1"
    assert cf["request"]["headers"]["x-twice"] == [
        {"key": "X-Twice", "value": "1"},
        {"key": "X-Twice", "value": "2"},
    ]
    assert cf["request"]["body"] == {
        "action": "read-only",
        "data": "/w==",
        "encoding": "base64",
        "inputTruncated": False,
    }
    assert "origin" not in cf["request"]


def test_lattice_v1_joins_headers_and_keeps_the_last_query_value() -> None:
    event = builders.lattice_v1_event(**REQUEST)
    assert event["raw_path"] == "/%C3%BCber/a%2Fb"
    assert event["query_string_parameters"] == {"tag": "ü+1"}
    assert event["headers"]["x-twice"] == "1, 2"


def test_lattice_v2_lists_headers_and_query_values() -> None:
    event = builders.lattice_v2_event(**REQUEST)
    assert event["path"] == "/%C3%BCber/a%2Fb"
    assert event["queryStringParameters"] == {"tag": ["a b", "ü+1"]}
    assert event["headers"]["x-twice"] == ["1", "2"]


BODY_BUILDERS = [
    builders.rest_event,
    builders.http_v1_event,
    builders.http_v2_event,
    builders.function_url_event,
    builders.alb_event,
    builders.lattice_v2_event,
]


@pytest.mark.parametrize("build", BODY_BUILDERS)
def test_a_body_is_base64_if_it_is_no_text_or_wanted_so(build: Any) -> None:
    assert (build(body=b"text")["body"], build(body=b"text")["isBase64Encoded"]) == ("text", False)
    for event in (build(body=b"\xff"), build(body=b"\xff", binary=True)):
        assert (event["body"], event["isBase64Encoded"]) == ("/w==", True)
    assert build(body=b"text", binary=True)["body"] == base64.b64encode(b"text").decode()


def test_a_header_of_the_client_takes_the_place_of_the_default() -> None:
    event = builders.rest_event(headers=[("host", "example.org")])
    assert [name for name in event["headers"] if name.lower() == "host"] == ["host"]
    assert event["requestContext"]["domainName"] == "example.org"


ANSWER = Answer(200, [("content-type", "text/plain")], ["a=1", "b=2"], b"\xff")

RESULTS: dict[str, dict[str, Any]] = {
    "REST": {
        "statusCode": 200,
        "headers": {"Content-Type": "text/plain"},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
        "body": "/w==",
        "isBase64Encoded": True,
    },
    "HTTP 2.0": {
        "statusCode": 200,
        "headers": {"content-type": "text/plain"},
        "cookies": ["a=1", "b=2"],
        "body": "/w==",
        "isBase64Encoded": True,
    },
    "ALB": {
        "statusCode": 200,
        "headers": {"content-type": "text/plain", "set-cookie": "a=1", "Set-cookie": "b=2"},
        "body": "/w==",
        "isBase64Encoded": True,
    },
    "ALB multi": {
        "statusCode": 200,
        "multiValueHeaders": {"content-type": ["text/plain"], "set-cookie": ["a=1", "b=2"]},
        "body": "/w==",
        "isBase64Encoded": True,
    },
    "Edge": {
        "status": "200",
        "headers": {
            "content-type": [{"key": "content-type", "value": "text/plain"}],
            "set-cookie": [
                {"key": "set-cookie", "value": "a=1"},
                {"key": "set-cookie", "value": "b=2"},
            ],
        },
        "body": "/w==",
        "bodyEncoding": "base64",
    },
    "Lattice": {
        "statusCode": 200,
        "headers": {"content-type": "text/plain", "set-cookie": ["a=1", "b=2"]},
        "body": "/w==",
        "isBase64Encoded": True,
    },
}


@pytest.mark.parametrize("source", RESULTS)
def test_the_results_of_all_sources_read_the_same(source: str) -> None:
    assert decode_result(RESULTS[source]) == ANSWER


def test_a_header_that_is_repeated_or_absent_is_no_single_value() -> None:
    answer = Answer(200, [("vary", "a"), ("vary", "b"), ("server", "c")])
    assert answer.header("server") == "c"
    for name in ("vary", "date"):
        with pytest.raises(KeyError, match=name):
            answer.header(name)
