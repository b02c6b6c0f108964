"""Events of requests, detail by detail, held against those that AWS was recorded to send."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from mangum.cli.context import ACCOUNT_ID
from mangum.handlers import find
from mangum.local.messages import Deployment, Request
from mangum.local.sources import SOURCES, NotRouted
from tests.apps import scope_of
from tests.builders import Event

EVENTS = Path(__file__).parent.parent / "events"
TIME_S = 1783711144.836
REQUEST_ID = "7c2af7db-31f3-42b5-8a6d-9ffc74e3b9e0"

every_source = pytest.mark.parametrize("source", SOURCES)


def request(
    path: str = "/",
    query: str = "",
    headers: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    **fields: Any,
) -> Request:
    """A request over TLS, at a time that is known."""
    fields = {
        "method": "POST" if body else "GET",
        "client": ("203.0.113.10", 5555),
        "server": ("127.0.0.1", 443),
        "scheme": "https",
        "time_s": TIME_S,
        "request_id": REQUEST_ID,
        **fields,
    }
    sent = [("host", "api.example.org")] if headers is None else headers
    return Request(path=path, query=query, headers=sent, body=body, **fields)


def encode(source: str, sent: Request, **deployment: Any) -> Event:
    event = SOURCES[source].encode(sent, Deployment(**deployment))
    assert json.loads(json.dumps(event)) == event
    return event


def headers_of(event: Event) -> dict[str, list[str]]:
    """Every value of each header, whichever way the source writes them."""
    if "Records" in event:
        sent = event["Records"][0]["cf"]["request"]["headers"]
        return {name: [entry["value"] for entry in entries] for name, entries in sent.items()}
    maps = {**event.get("headers", {}), **event.get("multiValueHeaders", {})}
    return {
        name.lower(): value if isinstance(value, list) else [value] for name, value in maps.items()
    }


# --- shapes -------------------------------------------------------------------------------------

FREE = ("headers", "multiValueHeaders", "queryStringParameters", "query_string_parameters")
"""Maps whose keys the client chooses, and of the values of one the first tells the type."""

RECORDED: dict[str, tuple[str, dict[str, Any]]] = {
    "rest": (
        "apigw-rest-v1/localstack-aws-with-params-encoding.json",
        {"query": "a=1"},
    ),
    "http": (
        "apigw-httpapi-v2/lamby-http-v2-post.json",
        {"headers": [("cookie", "a=1; b=2")], "body": b"a=1"},
    ),
    "http-1": ("apigw-httpapi-v1/lamby-http-v1.json", {"query": "a=1"}),
    "url": (
        "function-url/swift-functionurl-real-world-example.json",
        {"headers": [("cookie", "test")], "query": "test=2"},
    ),
    "alb": (
        "alb/java-container-live-alb-put-single.json",
        {"headers": [("content-type", "application/json")], "body": b"{}"},
    ),
    "alb-multi": ("alb/lamby-alb.json", {"query": "colors[]=blue&colors[]=red"}),
    "lattice": ("vpc-lattice-v2/awsdocs-lattice-v2-binary.json", {"body": b"\xff"}),
    "lattice-1": ("vpc-lattice-v1/awsdocs-lattice-v1-multi.json", {"query": "QS1=value2"}),
    "edge": ("lambda-edge/hono-edge-origin-request-get.json", {}),
}
"""A recorded event of each source (of Lattice and Lambda@Edge those of the documentation), and what
is needed of a request that looks like it."""

BLOTTED = ("apigw-httpapi-v2/lamby-http-v2-post.json", "apigw-httpapi-v1/lamby-http-v1.json")
"""Recordings whose account somebody has blotted out."""


def shape(value: Any, key: str = "") -> Any:
    """The keys and the types in an event, recursively."""
    if isinstance(value, dict) and (key in FREE or key.startswith("multiValue")):
        return {"*": shape(next(iter(value.values())))} if value else {}
    if isinstance(value, dict):
        return {name: shape(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@every_source
def test_event_has_the_shape_of_a_recorded_one(source: str) -> None:
    name, fields = RECORDED[source]
    headers = [*fields.get("headers", []), ("user-agent", "me")]
    sent = request("/stage/a", **{**fields, "headers": headers})
    recorded = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    if name in BLOTTED:
        recorded["requestContext"]["accountId"] = ACCOUNT_ID
    assert shape(encode(source, sent, stage="stage")) == shape(recorded)


@every_source
def test_event_is_recognised_as_one_of_its_source(source: str) -> None:
    handlers = {
        "rest": "APIGateway",
        "http": "HTTPGateway",
        "http-1": "HTTPGateway",
        "url": "HTTPGateway",
        "alb": "ALB",
        "alb-multi": "ALB",
        "lattice": "VPCLattice",
        "lattice-1": "VPCLatticeV1",
        "edge": "LambdaAtEdge",
    }
    handler = find(encode(source, request()))
    assert handler is not None
    assert handler.__name__ == handlers[source]


# --- paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "deployment", "path", "event_path", "context_path"),
    [
        ("rest", {}, "/a%20b", "/a%20b", "/a%20b"),
        ("rest", {"stage": "v1"}, "/v1/a%2Fb", "/a%2Fb", "/v1/a%2Fb"),
        ("rest", {"stage": "v1"}, "/v1", "/", "/v1"),
        ("rest", {"stage": "v1"}, "/v1/", "/", "/v1/"),
        ("rest", {"stage": "v1"}, "/v1//a//b/", "/a//b/", "/v1//a//b/"),
        ("rest", {"stage": "v1"}, "//v1/a", "/a", "/v1/a"),
        ("rest", {"base_path": "/api"}, "/api/a", "/api/a", "/api/a"),
        ("rest", {"base_path": "/api"}, "/api", "/api", "/api"),
        ("http-1", {}, "/a%20b", "/a%20b", "/a b"),
        ("http-1", {"stage": "v1"}, "/v1/a%20b", "/v1/a%20b", "/v1/a b"),
        ("http-1", {"base_path": "/api"}, "/api/a%20b", "/api/a%20b", "/a b"),
        ("http-1", {"base_path": "/api"}, "/api", "/api", "/"),
        ("http-1", {"stage": "$default"}, "/a", "/a", "/a"),
    ],
)
def test_path_of_payload_1_is_encoded(
    source: str, deployment: dict[str, Any], path: str, event_path: str, context_path: str
) -> None:
    event = encode(source, request(path), **deployment)
    assert (event["path"], event["requestContext"]["path"]) == (event_path, context_path)


@pytest.mark.parametrize(
    ("source", "deployment", "path", "raw_path", "http_path"),
    [
        ("http", {}, "/a%20b/%E2%98%95%FF", "/a b/☕\ufffd", "/a b/☕\ufffd"),
        ("http", {"stage": "v1"}, "/v1/a%20b", "/v1/a b", "/v1/a b"),
        ("http", {"stage": "v1"}, "/v1", "/v1", "/v1"),
        ("http", {"base_path": "/api"}, "/api/a%20b", "/a b", "/a b"),
        ("http", {"base_path": "/api"}, "/api", "/", "/"),
        ("http", {"stage": "$default"}, "/a", "/a", "/a"),
        ("url", {}, "/a%20b//c", "/a%20b//c", "/a b//c"),
    ],
)
def test_path_of_payload_2_is_decoded_except_for_function_urls(
    source: str, deployment: dict[str, Any], path: str, raw_path: str, http_path: str
) -> None:
    event = encode(source, request(path), **deployment)
    assert (event["rawPath"], event["requestContext"]["http"]["path"]) == (raw_path, http_path)


@pytest.mark.parametrize("source", ["rest", "http", "http-1"])
@pytest.mark.parametrize("deployment", [{"stage": "v1"}, {"base_path": "/v1"}])
@pytest.mark.parametrize("path", ["/", "/v", "/v12", "/V1", "/a/v1", "/v1%2Fa"])
def test_path_outside_stage_and_base_path_is_not_routed(
    source: str, deployment: dict[str, Any], path: str
) -> None:
    with pytest.raises(NotRouted):
        encode(source, request(path), **deployment)


@pytest.mark.parametrize("source", ["url", "alb", "alb-multi", "lattice", "lattice-1", "edge"])
def test_other_sources_have_neither_stage_nor_base_path(source: str) -> None:
    sent = request("/a")
    assert encode(source, sent, stage="v1") == encode(source, sent, base_path="/b")


@pytest.mark.parametrize(
    ("source", "stage"), [("rest", "prod"), ("http", "$default"), ("http-1", "$default")]
)
def test_domain_of_ones_own_shows_no_stage(source: str, stage: str) -> None:
    context = encode(source, request())["requestContext"]
    names = (context["stage"], context["domainName"], context["domainPrefix"])
    assert names == (stage, "api.example.org", "api")


@pytest.mark.parametrize("source", ["rest", "http", "http-1"])
@pytest.mark.parametrize("edition", ["classic", "2026"])
def test_domain_of_the_api_leads_applications_to_the_stage(source: str, edition: str) -> None:
    event = encode(source, request("/v1/a"), stage="v1", region="eu-west-3")
    context = event["requestContext"]
    assert context["domainName"] == f"{context['apiId']}.execute-api.eu-west-3.amazonaws.com"
    if edition == "2026":
        scope = scope_of(event, edition=edition)
        assert (scope["root_path"], scope["path"]) == ("/v1", "/v1/a")


def test_function_url_has_a_domain_that_says_so() -> None:
    context = encode("url", request(), region="eu-west-3")["requestContext"]
    assert context["domainName"] == f"{context['apiId']}.lambda-url.eu-west-3.on.aws"
    assert len(context["apiId"]) == 32


@pytest.mark.parametrize("path", ["*", "", "a", "http://other.example/a"])
@every_source
def test_target_without_a_slash_gets_one(source: str, path: str) -> None:
    event = encode(source, request(path))
    seen = scope_of(event, edition="2026")["path"]
    assert seen == f"/{path}"


# --- queries ------------------------------------------------------------------------------------

QUERY = "repeat=one&repeat=two&url=https%3A%2F%2Fa%2Fb&plus=a+b&encoded=a%2Bb&empty=&bare&&%FF=1"


def test_query_of_payload_1_is_decoded() -> None:
    for source in ("rest", "http-1"):
        event = encode(source, request(query=QUERY))
        assert event["queryStringParameters"] == {
            "repeat": "two",
            "url": "https://a/b",
            "plus": "a b",
            "encoded": "a+b",
            "empty": "",
            "bare": "",
            "\ufffd": "1",
        }
        assert event["multiValueQueryStringParameters"]["repeat"] == ["one", "two"]
        assert encode(source, request())["multiValueQueryStringParameters"] is None


def test_query_of_payload_2_is_sent_raw_and_joined_by_commas() -> None:
    for source in ("http", "url"):
        event = encode(source, request(query=QUERY))
        assert event["rawQueryString"] == QUERY
        assert event["queryStringParameters"]["repeat"] == "one,two"
        assert event["queryStringParameters"]["plus"] == "a b"
        assert "queryStringParameters" not in encode(source, request())


def test_query_of_a_load_balancer_is_not_decoded() -> None:
    single = encode("alb", request(query=QUERY))["queryStringParameters"]
    assert (single["repeat"], single["plus"], single["%FF"]) == ("two", "a+b", "1")
    multi = encode("alb-multi", request(query=QUERY))["multiValueQueryStringParameters"]
    assert (multi["repeat"], multi["encoded"]) == (["one", "two"], ["a%2Bb"])
    assert encode("alb", request())["queryStringParameters"] == {}


def test_query_of_lattice_has_lists_or_the_last_value() -> None:
    assert encode("lattice", request(query=QUERY))["queryStringParameters"]["repeat"] == [
        "one",
        "two",
    ]
    assert encode("lattice-1", request(query=QUERY))["query_string_parameters"]["repeat"] == "two"


# --- headers ------------------------------------------------------------------------------------


@every_source
def test_host_stays_as_the_client_sent_it(source: str) -> None:
    sent = request(headers=[("host", "localhost:8000")], server=("127.0.0.1", 8000))
    event = encode(source, sent)
    assert headers_of(event)["host"] == ["localhost:8000"]
    assert scope_of(event, edition="2026")["server"] == ("localhost", 8000)


@every_source
def test_forwarded_headers_tell_of_the_connection(source: str) -> None:
    sent = request(
        headers=[
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-port", "70"),
        ],
        server=("127.0.0.1", 8000),
        scheme="http",
    )
    headers = headers_of(encode(source, sent))
    assert ", ".join(headers["x-forwarded-for"]) == "198.51.100.1, 203.0.113.10"
    if source == "edge":
        assert headers["cloudfront-forwarded-proto"] == ["http"]
        return
    assert headers["x-forwarded-port"] == ["8000"]
    assert headers["x-forwarded-proto"] == ["http"]
    assert headers["x-amzn-trace-id"][0].startswith("Root=1-6a5145a8-")


@every_source
def test_trace_of_the_client_is_kept(source: str) -> None:
    if source == "edge":
        return
    headers = headers_of(encode(source, request(headers=[("x-amzn-trace-id", "Root=1-a-b")])))
    assert headers["x-amzn-trace-id"] == ["Root=1-a-b"]


@every_source
def test_header_names_are_written_as_the_source_does(source: str) -> None:
    event = encode(source, request(headers=[("content-type", "text/plain"), ("x-a", "1")]))
    if source == "edge":
        headers = event["Records"][0]["cf"]["request"]["headers"]
        assert headers["content-type"] == [{"key": "Content-Type", "value": "text/plain"}]
        return
    names = set(event.get("headers") or event["multiValueHeaders"])
    titled = {"Content-Type", "X-A", "X-Forwarded-For", "X-Amzn-Trace-Id"}
    expected = titled if source in ("rest", "http-1") else {name.lower() for name in titled}
    assert expected <= names


def test_load_balancer_names_each_address_alone() -> None:
    sent = request(headers=[("x-forwarded-for", "198.51.100.1, 198.51.100.2")])
    headers = encode("alb-multi", sent)["multiValueHeaders"]
    assert headers["x-forwarded-for"] == ["198.51.100.1", "198.51.100.2", "203.0.113.10"]
    headers = encode("alb", sent)["headers"]
    assert headers["x-forwarded-for"] == "198.51.100.1, 198.51.100.2, 203.0.113.10"


def test_cookies_are_an_array_in_payload_2() -> None:
    sent = request(headers=[("cookie", "a=1; b=2"), ("cookie", "c=3")])
    event = encode("http", sent)
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert "cookie" not in event["headers"]
    event = encode("url", sent)
    assert (event["cookies"], event["headers"]["cookie"]) == (
        ["a=1", "b=2", "c=3"],
        "a=1; b=2; c=3",
    )
    assert "cookies" not in encode("http", request())


def test_tls_is_told_by_function_urls_over_tls() -> None:
    assert headers_of(encode("url", request()))["x-amzn-tls-version"] == ["TLSv1.3"]
    assert "x-amzn-tls-version" not in headers_of(encode("url", request(scheme="http")))


# --- bodies -------------------------------------------------------------------------------------

BODY = "grüße".encode()


@pytest.mark.parametrize(
    ("content_type", "is_text"),
    [
        ("text/plain", True),
        ("TEXT/HTML; charset=utf-8", True),
        ("application/json", True),
        ("application/xml;a=b", True),
        ("application/javascript", True),
        ("application/problem+json", False),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=a", False),
        ("image/svg+xml", False),
        ("", False),
    ],
)
@pytest.mark.parametrize(
    "source", ["http", "http-1", "url", "alb", "alb-multi", "lattice", "lattice-1"]
)
def test_type_tells_whether_a_body_is_text(source: str, content_type: str, is_text: bool) -> None:
    headers = [("content-type", content_type)] if content_type else []
    event = encode(source, request(headers=headers, body=BODY))
    is_base64 = bool(event.get("isBase64Encoded") or event.get("is_base64_encoded"))
    assert is_base64 != is_text
    assert (b64decode(event["body"]) if is_base64 else event["body"].encode()) == BODY


@pytest.mark.parametrize("source", ["http", "http-1", "url", "alb", "alb-multi"])
def test_body_with_a_content_encoding_is_base64(source: str) -> None:
    headers = [("content-type", "application/json"), ("content-encoding", "gzip")]
    assert encode(source, request(headers=headers, body=b"\x1f\x8b"))["isBase64Encoded"] is True


@pytest.mark.parametrize(
    ("types", "content_type", "is_base64"),
    [
        ((), "image/png", False),
        (("image/png",), "image/png", True),
        (("image/*",), "IMAGE/png; a=b", True),
        (("image/*",), "text/plain", False),
        (("*/*",), "text/plain", True),
        (("*/*",), "", True),
    ],
)
def test_rest_api_has_base64_for_its_binary_types(
    types: tuple[str, ...], content_type: str, is_base64: bool
) -> None:
    headers = [("content-type", content_type)] if content_type else []
    event = encode("rest", request(headers=headers, body=BODY), binary_media_types=types)
    assert event["isBase64Encoded"] is is_base64


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("rest", {"body": None, "isBase64Encoded": False}),
        ("http", {"isBase64Encoded": False}),
        ("http-1", {"body": None, "isBase64Encoded": False}),
        ("url", {"isBase64Encoded": False}),
        ("alb", {"body": "", "isBase64Encoded": False}),
        ("alb-multi", {"body": "", "isBase64Encoded": False}),
        ("lattice", {}),
        ("lattice-1", {"body": "", "is_base64_encoded": False}),
    ],
)
def test_no_body_is_told_in_the_source_s_own_way(source: str, expected: dict[str, Any]) -> None:
    event = encode(source, request(), binary_media_types=("*/*",))
    told = ("body", "isBase64Encoded", "is_base64_encoded")
    assert {key: event[key] for key in told if key in event} == expected


def test_edge_event_holds_the_first_megabyte_of_a_body() -> None:
    body = encode("edge", request(body=b"a" * 1_048_577))["Records"][0]["cf"]["request"]["body"]
    assert (body["inputTruncated"], len(b64decode(body["data"]))) == (True, 1_048_576)
    body = encode("edge", request(body=b"a"))["Records"][0]["cf"]["request"]["body"]
    assert body == {
        "action": "read-only",
        "data": "YQ==",
        "encoding": "base64",
        "inputTruncated": False,
    }


# --- ids and times ------------------------------------------------------------------------------


def test_times_are_those_of_the_request() -> None:
    for source, clock, epoch in (
        ("rest", "requestTime", "requestTimeEpoch"),
        ("http-1", "requestTime", "requestTimeEpoch"),
        ("http", "time", "timeEpoch"),
        ("url", "time", "timeEpoch"),
    ):
        context = encode(source, request())["requestContext"]
        assert context[clock] == "10/Jul/2026:19:19:04 +0000"
        assert context[epoch] == int(TIME_S * 1000)
    assert encode("lattice", request())["requestContext"]["timeEpoch"][:13] == "1783711144836"


def test_times_are_english_in_every_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        context = encode("rest", request(time_s=0.0))["requestContext"]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert context["requestTime"] == "01/Jan/1970:00:00:00 +0000"


def test_account_is_that_of_the_function() -> None:
    arn = "arn:aws:lambda:eu-west-3:210987654321:function:f"
    for source in ("rest", "http", "http-1"):
        context = encode(source, request(), function_arn=arn)["requestContext"]
        assert context["accountId"] == "210987654321"
    assert encode("url", request(), function_arn=arn)["requestContext"]["accountId"] == "anonymous"
    assert encode("rest", request(), function_arn="f")["requestContext"]["accountId"] == ACCOUNT_ID


@pytest.mark.parametrize("request_id", [REQUEST_ID, "", "no uuid", "λ" * 500, "\ud800"])
@every_source
def test_two_requests_have_two_ids(source: str, request_id: str) -> None:
    one = json.dumps(encode(source, request(request_id=request_id)))
    assert one == json.dumps(encode(source, request(request_id=request_id)))
    if source != "edge":
        assert one != json.dumps(encode(source, request(request_id="another")))


# --- what no well-behaved client sends ----------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": []},
        {"headers": [("host", "")]},
        {"headers": [("host", "[::1]:8000")]},
        {"headers": [("host", ":")]},
        {"headers": [("", ""), ("x", ""), ("x", "\xff"), ("X-UPPER", "\u20ac")]},
        {"headers": [("content-type", ";"), ("content-length", "many")], "body": b"\xff\xfe"},
        {"path": "/%", "query": "%"},
        {"path": "/%FF%zz\xff\x00 ", "query": "\xff=\x00&%=%zz&=&&&"},
        {"path": "//", "query": "?"},
        {"path": "/\u20ac", "query": "\ud800"},
        {"http_version": "1.0", "headers": []},
        {"http_version": "3"},
        {"method": "", "client": ("", 0)},
        {"client": ("::1", 1), "server": ("::1", 8000)},
        {"time_s": 0.0},
    ],
    ids=str,
)
@every_source
def test_odd_request_becomes_an_event_that_is_served(source: str, fields: dict[str, Any]) -> None:
    sent = request(**fields)
    event = encode(source, sent)
    if sent.method:
        assert scope_of(event, edition="2026")["type"] == "http"


def test_domain_without_a_host_is_the_server_s_address() -> None:
    for host, domain in (("", "127.0.0.1"), ("[::1]:8000", "[::1]"), ("a.b:1", "a.b")):
        sent = request(headers=[("host", host)] if host else [])
        assert encode("http", sent)["requestContext"]["domainName"] == domain
