"""Results of functions, read as the source reads them and written for a human."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest

from mangum.cli.answers import read_answer, write_answer, write_json
from mangum.cli.context import Context
from mangum.cli.events import Source
from mangum.local.messages import Answer, BadAnswer
from tests.builders import alb_event, edge_event

REST = Source("rest", "a REST API")
HTTP = Source("http", "an HTTP API", infers_answers=True)
EDGE = Source("edge", "Lambda@Edge")
LATTICE = Source("lattice", "VPC Lattice")
ALB = Source("alb", "an Application Load Balancer")
QUEUE = Source("event", "aws:sqs")
JSON = ("content-type", "application/json")


@pytest.mark.parametrize(
    ("result", "source", "answer"),
    [
        ({"statusCode": 204}, REST, Answer(204, [JSON], b"")),
        ({"statusCode": "200", "headers": None, "body": None}, REST, Answer(200, [JSON], b"")),
        (
            {
                "statusCode": 200,
                "headers": {"Vary": "single", "x-one": "1"},
                "multiValueHeaders": {"vary": ["a", "b"]},
                "body": "λ",
            },
            REST,
            Answer(
                200,
                [("vary", "a"), ("vary", "b"), ("vary", "single"), ("x-one", "1"), JSON],
                "λ".encode(),
            ),
        ),
        (
            {
                "statusCode": 200,
                "headers": {"x-one": 1},
                "cookies": ["a=1", "b=2"],
                "body": "AAE=",
                "isBase64Encoded": True,
            },
            HTTP,
            Answer(
                200,
                [
                    ("x-one", "1"),
                    ("set-cookie", "a=1"),
                    ("set-cookie", "b=2"),
                    ("content-type", "text/plain; charset=utf-8"),
                ],
                b"\0\1",
            ),
        ),
        (
            {"statusCode": 200, "headers": {"set-cookie": ["a=1", "b=2"]}},
            LATTICE,
            Answer(200, [("set-cookie", "a=1"), ("set-cookie", "b=2")], b""),
        ),
        (
            {
                "status": "200",
                "headers": {"vary": [{"key": "Vary", "value": "a"}, {"value": "b"}]},
                "body": "AAE=",
                "bodyEncoding": "base64",
            },
            EDGE,
            Answer(200, [("vary", "a"), ("vary", "b")], b"\0\1"),
        ),
        ({"uri": "/", "method": "GET"}, EDGE, None),
        ("text", HTTP, Answer(200, [JSON], b"text")),
        ({"a": 1}, HTTP, Answer(200, [JSON], b'{"a": 1}')),
        ({"batchItemFailures": []}, QUEUE, None),
        (None, Source("websocket", "a WebSocket API"), None),
        ({"statusCode": 403}, Source("websocket", "a WebSocket API"), Answer(403, [], b"")),
    ],
)
def test_result_is_read_as_its_source_reads_it(
    result: Any, source: Source, answer: Answer | None
) -> None:
    assert read_answer(result, source) == answer


@pytest.mark.parametrize(
    ("result", "source", "fault"),
    [
        (None, REST, "it is not an object but null: return one with a `statusCode`"),
        ({}, REST, "it is an empty object: return one with a `statusCode`"),
        ({"body": ""}, LATTICE, "it has no `statusCode`"),
        ({"statusCode": None}, REST, "its `statusCode` is not a number from 200 to 599"),
        ({"statusCode": True}, REST, "its `statusCode` is not a number from 200 to 599"),
        ({"statusCode": float("inf")}, REST, "its `statusCode` is not a number from 200 to 599"),
        ({"statusCode": 1000}, REST, "its `statusCode` is not a number from 200 to 599"),
        ({"status": "OK"}, EDGE, "its `status` is not a number from 200 to 599"),
        ({"statusCode": 200, "body": {}}, HTTP, "its `body` is not a text but a dict"),
        (
            {"statusCode": 200, "body": "?", "isBase64Encoded": True},
            HTTP,
            "its `body` is not the base64 that it claims to be",
        ),
        ({"statusCode": 200, "headers": ["a"]}, REST, "its headers are not an object of texts"),
        (
            {"status": 200, "headers": {"a": [{}]}},
            EDGE,
            "its headers are not an object of texts",
        ),
    ],
)
def test_result_that_no_client_would_see_has_a_fault(
    result: Any, source: Source, fault: str
) -> None:
    with pytest.raises(BadAnswer) as raised:
        read_answer(result, source)
    assert str(raised.value) == fault


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (alb_event(), "headers"),
        (alb_event(multi_value=True), "multiValueHeaders"),
        (None, "headers"),
        (None, "multiValueHeaders"),
    ],
)
def test_load_balancer_reads_headers_in_the_mode_of_the_event(event: Any, key: str) -> None:
    value: Any = ["a"] if key == "multiValueHeaders" else "a"
    result = {"statusCode": 200, key: {"vary": value}}
    assert read_answer(result, ALB, event) == Answer(200, [("vary", "a")], b"")
    if event:
        with pytest.raises(BadAnswer, match=f"the target group takes `{key}`"):
            read_answer({"statusCode": 200, OTHER[key]: {"vary": []}}, ALB, event)


OTHER = {"headers": "multiValueHeaders", "multiValueHeaders": "headers"}


@pytest.mark.parametrize(("event_type", "fault"), [("viewer-request", "40,960"), (None, "1,048")])
def test_limit_of_lambda_at_edge_is_that_of_the_kind_of_event(event_type: Any, fault: str) -> None:
    result = {"status": "200", "body": "x" * 2_000_000}
    with pytest.raises(BadAnswer, match=f"and {fault}"):
        read_answer(result, EDGE, edge_event(event_type=event_type) if event_type else None)


DUMP = "00000000  00 01 02 41                                      ...A"


@pytest.mark.parametrize(
    ("headers", "body", "shown"),
    [
        ({}, b"", ""),
        ({"content-type": "text/plain"}, "grüße\n".encode(), "grüße"),
        ({"content-type": "application/json"}, b'{"a":1}', '{\n  "a": 1\n}'),
        ({"Content-Type": "application/x+json; a=b"}, b'"\xce\xbb"', '"λ"'),
        ({"content-type": "application/json"}, b"{", "{"),
        ({"content-type": "image/x-a"}, b"\0\1\2A", f"[4 bytes of image/x-a]\n{DUMP}"),
        ({}, b"\0\1\2A", f"[4 bytes of unknown type]\n{DUMP}"),
        ({}, b"\xff", f"[1 byte of unknown type]\n00000000  ff{' ' * 47}."),
        ({}, b"\x1b[31m", f"[5 bytes of unknown type]\n00000000  1b 5b 33 31 6d{' ' * 35}.[31m"),
        (
            {"content-type": "text/html", "content-encoding": "gzip"},
            gzip.compress(b"hello", mtime=0),
            "[25 bytes of gzip]\nhello",
        ),
        ({"content-encoding": "deflate"}, zlib.compress(b"hello"), "[13 bytes of deflate]\nhello"),
        (
            {"content-encoding": "gzip"},
            b"\0\1\2A",
            f"[4 bytes of gzip]\n{DUMP}",
        ),
        (
            {"content-type": "text/html", "content-encoding": "br"},
            b"\0\1\2A",
            f"[4 bytes of br text/html]\n{DUMP}",
        ),
    ],
)
def test_body_is_written_as_what_it_is(headers: dict[str, str], body: bytes, shown: str) -> None:
    written = write_answer(Answer(200, [*headers.items()], body))
    head = "\n".join(["200 OK", *(f"{name}: {value}" for name, value in headers.items())])
    assert written == (f"{head}\n\n{shown}" if shown else head)


def test_long_bytes_are_cut_and_counted() -> None:
    written = write_answer(Answer(200, [], bytes(1100)))
    assert written.split("\n")[2] == "[1,100 bytes of unknown type]"
    assert len(written.split("\n")) == 2 + 1 + 4 + 1
    assert written.endswith("\n… 1,036 more")


@pytest.mark.parametrize(
    ("status", "line"), [(404, "404 Not Found"), (299, "299"), (418, "418 I'm a Teapot")]
)
def test_status_has_its_reason_if_there_is_one(status: int, line: str) -> None:
    assert write_answer(Answer(status, [], b"")) == line


def test_control_characters_of_a_header_are_not_sent_to_the_terminal() -> None:
    written = write_answer(Answer(200, [("x", "a\x1b[31mb")], b""))
    assert written == "200 OK\nx: a�[31mb"


def test_json_that_is_not_unicode_is_escaped() -> None:
    assert write_json(["λ"], indent=None) == '["λ"]'
    assert write_json(["\ud800"], indent=None) == '["\\ud800"]'


def test_context_has_what_lambda_gives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    for name in ("FUNCTION_NAME", "FUNCTION_VERSION", "FUNCTION_MEMORY_SIZE"):
        monkeypatch.delenv(f"AWS_LAMBDA_{name}", raising=False)
    monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
    context = Context("app", timeout_s=3)
    context.log("a line")
    fields = {name: value for name, value in vars(context).items() if not name.startswith("_")}
    request_id = fields.pop("aws_request_id")
    identity = fields.pop("identity")
    assert fields == {
        "function_name": "app",
        "function_version": "$LATEST",
        "invoked_function_arn": "arn:aws:lambda:eu-west-3:123456789012:function:app",
        "memory_limit_in_mb": "128",
        "log_group_name": "/aws/lambda/app",
        "log_stream_name": "stream",
        "client_context": None,
        "tenant_id": None,
    }
    assert len(request_id) == 36
    assert (identity.cognito_identity_id, identity.cognito_identity_pool_id) == (None, None)
    assert 0 < context.get_remaining_time_in_millis() <= 3000
    assert Context("app", timeout_s=0).get_remaining_time_in_millis() == 0
    assert capsys.readouterr() == ("", "a line")
