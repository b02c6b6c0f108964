"""Answers of results, by the rules of each source, and what it answers by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangum.local.messages import Answer, BadAnswer, Deployment, Request, Trouble
from mangum.local.sources import SOURCES
from tests.local.recorded import RECORDED, Recorded
from tests.profiles import draws

JSON = ("content-type", "application/json")
PLAIN = ("content-type", "text/plain; charset=utf-8")
BROKEN = "\ud800"

every_source = pytest.mark.parametrize("source", SOURCES)


def status_key(source: str) -> str:
    return "status" if source == "edge" else "statusCode"


def raw(result: Any) -> bytes:
    return json.dumps(result).encode()


def decode(source: str, result: Any, accept: str = "", **deployment: Any) -> Answer:
    headers = [("accept", accept)] if accept else []
    data = result if isinstance(result, bytes) else raw(result)
    return SOURCES[source].decode(data, Request("GET", "/", "", headers), Deployment(**deployment))


def refused(source: str, result: Any, **deployment: Any) -> str:
    """Why the source refuses the result."""
    with pytest.raises(BadAnswer) as raised:
        decode(source, result, **deployment)
    assert "s3cret" not in str(raised.value)
    return str(raised.value)


# --- what was recorded --------------------------------------------------------------------------


def answer_to(source: str, result: Any) -> Answer:
    """What the client gets, whether the source takes the result or not."""
    try:
        return decode(source, result)
    except BadAnswer:
        return SOURCES[source].refuse(Trouble.BAD_RESULT)


def values_of(answer: Answer, name: str) -> list[str]:
    return [value for key, value in answer.headers if key.lower() == name.lower()]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda it: f"{it.source}: {it.result}")
def test_client_sees_what_was_recorded(recorded: Recorded) -> None:
    source, result, status, headers, body = recorded
    answer = answer_to(source, result)
    assert answer.status == status
    for name, value in headers.items():
        got = values_of(answer, name)
        assert got == value if isinstance(value, list) else ", ".join(got) == value
    if body is not None:
        shown = answer.body.decode()
        if source in ("http", "url") and isinstance(result, dict) and "statusCode" not in result:
            assert json.loads(shown) == json.loads(body)  # spaces are as the runtime writes them
        else:
            assert shown == body


# --- REST APIs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        ({"statusCode": 200}, Answer(200, [JSON])),
        ({"body": "a"}, Answer(200, [JSON], b"a")),
        ({"statusCode": "201", "headers": None, "multiValueHeaders": None}, Answer(201, [JSON])),
        ({"statusCode": 200, "headers": {"a": True}}, Answer(200, [("a", "true"), JSON])),
        (
            {"statusCode": 200, "headers": {"a": "1"}, "multiValueHeaders": {"A": ["1", "2"]}},
            Answer(200, [("A", "1"), ("A", "2"), JSON]),
        ),
        (
            {"statusCode": 401, "headers": {"www-authenticate": "Basic", "Server": "me"}},
            Answer(
                401,
                [
                    ("x-amzn-Remapped-Www-Authenticate", "Basic"),
                    ("x-amzn-Remapped-Server", "me"),
                    JSON,
                ],
            ),
        ),
        (
            {"statusCode": 200, "headers": {"Content-Type": "text/html"}, "body": "grüße"},
            Answer(200, [("Content-Type", "text/html")], "grüße".encode()),
        ),
    ],
)
def test_rest_api_answers(result: Any, answer: Answer) -> None:
    assert decode("rest", result) == answer


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ({"statusCode": 200, "cookies": ["s3cret"]}, "it has the key `cookies`, which a REST API"),
        ({"statusCode": 200, "statusDescription": "s3cret"}, "the key `statusDescription`"),
        ({"statusCode": 200, "headers": {"a": 1}}, "its header `a` is not a text but a int"),
        ({"statusCode": 200, "headers": {"a": None}}, "its header `a` is not a text but null"),
        (
            {"statusCode": 200, "multiValueHeaders": {"a": "s3cret"}},
            "its header `a` is not a list of texts but a str",
        ),
        (None, "it is not an object but null"),
        ("s3cret", "it is not an object but a str"),
        ([], "it is not an object but a list"),
        ({}, "it is an empty object"),
        (b"{", "it is not JSON"),
        (b"\xff", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
    ],
)
def test_rest_api_refuses(result: Any, fault: str) -> None:
    assert fault in refused("rest", result)


@pytest.mark.parametrize(
    ("types", "accept", "body"),
    [
        ((), "image/png", b"AAE="),
        (("image/png",), "image/png", b"\0\1"),
        (("image/*",), "IMAGE/png;q=1, text/html", b"\0\1"),
        (("image/*",), "text/html, image/png", b"AAE="),
        (("image/*",), "*/*", b"AAE="),
        (("*/*",), "", b"\0\1"),
        (("image/png",), "", b"AAE="),
    ],
)
def test_rest_api_decodes_base64_if_the_client_takes_a_binary_type(
    types: tuple[str, ...], accept: str, body: bytes
) -> None:
    result = {"statusCode": 200, "body": "AAE=", "isBase64Encoded": True}
    assert decode("rest", result, accept, binary_media_types=types).body == body


# --- HTTP APIs and function URLs ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "result", "answer"),
    [
        ("http", {"statusCode": 204}, Answer(204, [PLAIN])),
        ("url", {"statusCode": 204}, Answer(204, [JSON])),
        ("http-1", {"statusCode": 204}, Answer(204, [PLAIN])),
        ("http", None, Answer(200, [JSON], b"null")),
        ("http", {"status": 500}, Answer(200, [JSON], b'{"status": 500}')),
        ("http", b'{"a": ', Answer(200, [JSON], b'{"a": ')),
        ("url", "\u00fc", Answer(200, [JSON], "ü".encode())),
        (
            "http",
            {
                "statusCode": 200,
                "headers": {"a": 1, "set-cookie": "c=3", "content-type": "a/b"},
                "multiValueHeaders": {"b": ["1"]},
                "cookies": ["a=1", "b=2"],
            },
            Answer(
                200,
                [
                    ("a", "1"),
                    ("content-type", "a/b"),
                    ("set-cookie", "a=1"),
                    ("set-cookie", "b=2"),
                    ("set-cookie", "c=3"),
                ],
            ),
        ),
        (
            "http-1",
            {"statusCode": 200, "headers": {"A": "1"}, "multiValueHeaders": {"a": ["2", "1"]}},
            Answer(200, [("a", "2"), ("a", "1"), PLAIN]),
        ),
        (
            "http-1",
            {"statusCode": 200, "headers": {"A": "0"}, "multiValueHeaders": {"a": ["1", "1"]}},
            Answer(200, [("A", "0"), ("A", "1"), ("A", "1"), PLAIN]),
        ),
    ],
)
def test_http_api_and_function_url_answer(source: str, result: Any, answer: Answer) -> None:
    assert decode(source, result) == answer


@pytest.mark.parametrize(
    ("source", "result", "fault"),
    [
        ("http", {"statusCode": None}, "its `statusCode` is not a number from 200 to 599"),
        ("http", {"statusCode": 200, "cookies": "s3cret"}, "its `cookies` are not a list of texts"),
        ("http", {"statusCode": 200, "cookies": [1]}, "its `cookies` are not a list of texts"),
        ("url", {"statusCode": 200, "headers": {"a": ["s3cret"]}}, "its header `a` is not a text"),
        ("http-1", {"body": "s3cret"}, "it has no `statusCode`"),
        ("http-1", "s3cret", "it is not an object but a str"),
    ],
)
def test_http_api_and_function_url_refuse(source: str, result: Any, fault: str) -> None:
    assert fault in refused(source, result)


def test_http_api_takes_10_240_bytes_of_headers() -> None:
    def result(size: int) -> Any:
        return {"statusCode": 200, "headers": {"a": "s" * (size - 1)}}

    for source in ("http", "http-1"):
        assert decode(source, result(10_240)).status == 200
        fault = "it has 10,241 bytes of headers, and 10,240 are allowed"
        assert refused(source, result(10_241)) == fault
    assert decode("url", result(10_241)).status == 200


def test_prelude_of_a_streamed_answer_is_read() -> None:
    prelude = {"statusCode": 201, "headers": {"content-type": "text/html"}, "cookies": ["a=1"]}
    answer = decode("url", prelude)
    assert answer == Answer(201, [("content-type", "text/html"), ("set-cookie", "a=1")])


# --- load balancers, Lattice, Lambda@Edge -------------------------------------------------------


def test_load_balancer_reads_the_map_of_its_mode_alone() -> None:
    result = {
        "statusCode": 200,
        "statusDescription": "200 OK",
        "headers": {"vary": "a", "Set-Cookie": "a=1", "set-cookie": "b=2"},
        "multiValueHeaders": {"vary": ["b", "c"]},
    }
    pairs = [("vary", "a"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    assert decode("alb", result) == Answer(200, pairs)
    assert decode("alb-multi", result) == Answer(200, [("vary", "b"), ("vary", "c")])


@pytest.mark.parametrize(
    ("source", "result", "fault"),
    [
        (
            "alb",
            {"statusCode": 200, "multiValueHeaders": {"a": ["s3cret"]}},
            "it has `multiValueHeaders`, while the target group takes `headers`: return those",
        ),
        (
            "alb-multi",
            {"statusCode": 200, "headers": {"a": "s3cret"}},
            "it has `headers`, while the target group takes `multiValueHeaders`: return those",
        ),
        ("alb", {"headers": {}}, "it has no `statusCode`"),
        (
            "alb",
            {"statusCode": 200, "statusDescription": 200},
            "its `statusDescription` is not a text but a int",
        ),
        ("lattice", {"headers": {}}, "it has no `statusCode`"),
        ("edge", {"body": ""}, "it has no `status`, so CloudFront would go on to the origin"),
        ("edge", {"status": "204", "body": ""}, "it has a `body`, which CloudFront refuses"),
        ("edge", {"status": "200", "bodyEncoding": "s3cret"}, "its `bodyEncoding` is neither"),
        ("edge", {"status": "200", "headers": {"Via": []}}, "the header `Via`, which CloudFront"),
        ("edge", {"status": "200", "headers": {"x-edge-a": []}}, "the header `x-edge-a`, which"),
        (
            "edge",
            {"status": "200", "headers": {"a": {"value": "s3cret"}}},
            "its headers are not an object of texts",
        ),
    ],
)
def test_other_source_refuses(source: str, result: Any, fault: str) -> None:
    assert fault in refused(source, result)


def test_lattice_takes_texts_and_lists() -> None:
    for source in ("lattice", "lattice-1"):
        result = {"statusCode": 200, "headers": {"a": "1", "set-cookie": ["a=1", "b=2"]}}
        pairs = [("a", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
        assert decode(source, result) == Answer(200, pairs)


def test_edge_answer_has_texts_and_lists_of_values() -> None:
    result = {
        "status": "308",
        "statusDescription": "Permanent Redirect",
        "headers": {"location": [{"key": "Location", "value": "/a"}], "vary": [{"value": "b"}]},
        "body": "AAE=",
        "bodyEncoding": "base64",
    }
    assert decode("edge", result) == Answer(308, [("location", "/a"), ("vary", "b")], b"\0\1")


# --- every source -------------------------------------------------------------------------------

Build = Callable[[str], Any]


def with_header(name: str, value: str) -> Build:
    def build(source: str) -> Any:
        listed: Any = {
            "edge": [{"value": value}],
            "alb-multi": [value],
        }.get(source, value)
        key = "multiValueHeaders" if source == "alb-multi" else "headers"
        return {status_key(source): 200, key: {name: listed}}

    return build


@pytest.mark.parametrize(
    ("build", "fault"),
    [
        (lambda source: {status_key(source): 199}, "is not a number from 200 to 599"),
        (lambda source: {status_key(source): 600}, "is not a number from 200 to 599"),
        (lambda source: {status_key(source): 0}, "is not a number from 200 to 599"),
        (lambda source: {status_key(source): True}, "is not a number from 200 to 599"),
        (lambda source: {status_key(source): []}, "is not a number from 200 to 599"),
        (lambda source: {status_key(source): "s3cret"}, "is not a number from 200 to 599"),
        (lambda source: {status_key(source): 200, "body": {}}, "`body` is not a text but a dict"),
        (lambda source: {status_key(source): 200, "body": 7}, "`body` is not a text but a int"),
        (
            lambda source: {status_key(source): 200, "headers": ["s3cret"]},
            "its headers are not an object of texts",
        ),
        (with_header("a b", "s3cret"), "its header 'a b' has characters that no header's name has"),
        (with_header("", "s3cret"), "its header '' has characters"),
        (
            with_header("a", "s3\r\ncret"),
            "its header `a` has a control character, such as a line break",
        ),
        (
            with_header("a", "s3\0cret"),
            "its header `a` has a control character, such as a line break",
        ),
    ],
)
@every_source
def test_result_that_no_client_could_get_is_refused(source: str, build: Build, fault: str) -> None:
    result = build(source)
    if source == "alb-multi" and "headers" in result:
        result = {**result, "multiValueHeaders": result["headers"]}
    assert fault in refused(source, result)


@every_source
def test_base64_that_is_none_is_refused(source: str) -> None:
    result = {status_key(source): 200, "body": "s3cret!", "isBase64Encoded": True}
    if source == "edge":
        del result["isBase64Encoded"]
        result["bodyEncoding"] = "base64"
    fault = refused(source, result, binary_media_types=("*/*",))
    assert fault == "its `body` is not the base64 that it claims to be"


LIMITS = dict.fromkeys(SOURCES, 6_291_556) | {
    "alb": 1_048_576,
    "alb-multi": 1_048_576,
    "edge": 1_048_576,
}


@every_source
def test_result_over_the_limit_is_refused_with_both_sizes(source: str) -> None:
    empty = len(raw({status_key(source): 200, "body": ""}))
    limit = LIMITS[source]
    body = "s" * (limit - empty)
    assert len(decode(source, {status_key(source): 200, "body": body}).body) == limit - empty
    fault = f"it has {limit + 1:,} bytes as JSON, and {limit:,} are allowed"
    assert refused(source, {status_key(source): 200, "body": f"{body}s"}) == fault


@pytest.mark.parametrize(
    "name", ["Connection", "keep-alive", "Transfer-Encoding", "TE", "Upgrade", "Content-Length"]
)
@every_source
def test_headers_of_the_connection_stop_here(source: str, name: str) -> None:
    result = with_header(name, "1")(source)
    if source == "edge" and name != "TE":
        assert refused(source, result).endswith("which CloudFront forbids: leave it out")
    else:
        assert not values_of(decode(source, result), name)


@pytest.mark.parametrize(
    ("value", "sent"),
    [(" a\t", "a"), ("\xe9", "\xe9"), ("λ", "\xce\xbb"), (BROKEN, "?"), ("", "")],
)
@every_source
def test_header_value_goes_out_as_latin_1_or_else_utf_8(source: str, value: str, sent: str) -> None:
    answer = decode(source, with_header("x-a", value)(source))
    assert values_of(answer, "x-a") == [sent]
    answer.header("x-a").encode("latin-1")


@every_source
def test_body_with_a_lone_surrogate_gets_a_question_mark(source: str) -> None:
    assert decode(source, {status_key(source): 200, "body": BROKEN}).body == b"?"


SCALARS = st.sampled_from(
    [None, True, 0, 200, -1, 1e400, 2.5, "", "200", "a", BROKEN, "\n", "AAE="]
)
KEYS = st.sampled_from(
    ["statusCode", "status", "headers", "multiValueHeaders", "cookies", "body", "isBase64Encoded",
     "bodyEncoding", "statusDescription", "x-a", "set-cookie", "value", "", "a b", BROKEN, "\n"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5)
)


@every_source
@draws(share=2)
@given(result=st.dictionaries(KEYS, VALUES) | VALUES, likely=st.booleans())
def test_any_result_is_an_answer_that_can_be_sent_or_refused(
    source: str, result: Any, likely: bool
) -> None:
    if likely and isinstance(result, dict):
        result = {**result, status_key(source): 200}
    outcome = outcome_of(source, result)
    if isinstance(outcome, BadAnswer):
        assert b"\n" not in str(outcome).encode()  # it is for the console
        return
    assert 200 <= outcome.status <= 599
    for name, value in outcome.headers:
        assert name.isascii()
        value.encode("latin-1")


def outcome_of(source: str, result: Any) -> Answer | BadAnswer:
    try:
        return decode(source, result, binary_media_types=("*/*",))
    except BadAnswer as error:
        return error


# --- answers of the source itself ---------------------------------------------------------------

REFUSALS = {
    ("rest", Trouble.NOT_FOUND): (403, b'{"message":"Forbidden"}'),
    ("rest", Trouble.REQUEST_TOO_LARGE): (413, b'{"message":"Request Too Long"}'),
    ("rest", Trouble.FUNCTION_ERROR): (502, b'{"message": "Internal server error"}'),
    ("rest", Trouble.FUNCTION_TIMEOUT): (502, b'{"message": "Internal server error"}'),
    ("rest", Trouble.GATEWAY_TIMEOUT): (504, b'{"message": "Endpoint request timed out"}'),
    ("rest", Trouble.BAD_RESULT): (502, b'{"message": "Internal server error"}'),
    ("http", Trouble.NOT_FOUND): (404, b'{"message":"Not Found"}'),
    ("http", Trouble.REQUEST_TOO_LARGE): (413, b'{"message":"Request Entity Too Large"}'),
    ("http", Trouble.FUNCTION_ERROR): (500, b'{"message":"Internal Server Error"}'),
    ("http", Trouble.FUNCTION_TIMEOUT): (500, b'{"message":"Internal Server Error"}'),
    ("http", Trouble.GATEWAY_TIMEOUT): (503, b'{"message":"Service Unavailable"}'),
    ("http", Trouble.BAD_RESULT): (500, b'{"message":"Internal Server Error"}'),
    ("url", Trouble.FUNCTION_ERROR): (502, b"Internal Server Error"),
    ("url", Trouble.BAD_RESULT): (502, b"Internal Server Error"),
    ("lattice", Trouble.BAD_RESULT): (502, b"Bad Gateway"),
}


@pytest.mark.parametrize(("source", "trouble"), REFUSALS, ids=str)
def test_source_answers_trouble_in_its_own_words(source: str, trouble: Trouble) -> None:
    for name in (source, f"{source}-1"):
        if name in SOURCES:
            answer = SOURCES[name].refuse(trouble)
            assert (answer.status, answer.body) == REFUSALS[source, trouble]


@pytest.mark.parametrize(
    ("trouble", "status", "line"),
    [
        (Trouble.REQUEST_TOO_LARGE, 413, b"<h1>413 Request Entity Too Large</h1>"),
        (Trouble.FUNCTION_ERROR, 502, b"<h1>502 Bad Gateway</h1>"),
        (Trouble.FUNCTION_TIMEOUT, 502, b"<h1>502 Bad Gateway</h1>"),
        (Trouble.GATEWAY_TIMEOUT, 504, b"<h1>504 Gateway Time-out</h1>"),
        (Trouble.BAD_RESULT, 502, b"<h1>502 Bad Gateway</h1>"),
    ],
)
def test_load_balancer_answers_with_a_page(trouble: Trouble, status: int, line: bytes) -> None:
    for source in ("alb", "alb-multi"):
        answer = SOURCES[source].refuse(trouble)
        assert (answer.status, answer.header("server")) == (status, "awselb/2.0")
        assert line in answer.body


def test_cloudfront_tells_an_error_of_the_function_from_a_bad_result() -> None:
    edge = SOURCES["edge"]
    failed, bad = edge.refuse(Trouble.FUNCTION_ERROR), edge.refuse(Trouble.BAD_RESULT)
    assert (failed.status, failed.header("x-cache")) == (
        503,
        "LambdaExecutionError from cloudfront",
    )
    assert (bad.status, bad.header("x-cache")) == (502, "LambdaValidationError from cloudfront")
    assert b"<H1>503 ERROR</H1>" in failed.body


@pytest.mark.parametrize("trouble", Trouble)
@every_source
def test_every_trouble_has_an_answer(source: str, trouble: Trouble) -> None:
    answer = SOURCES[source].refuse(trouble)
    assert answer.status >= 400
    assert answer.header("content-type")
    assert answer.body


def test_only_function_urls_stream_and_none_waits_for_ever() -> None:
    assert [name for name, source in SOURCES.items() if source.streams] == ["url"]
    waits = {name: source.timeout_s for name, source in SOURCES.items()}
    assert waits == {
        "rest": 29.0,
        "http": 30.0,
        "http-1": 30.0,
        "url": None,
        "alb": None,
        "alb-multi": None,
        "lattice": 60.0,
        "lattice-1": 60.0,
        "edge": 30.0,
    }


@every_source
def test_source_knows_its_own_name(source: str) -> None:
    assert SOURCES[source].name == source
    assert SOURCES[source].max_request_bytes >= 1_048_576
