"""The response side, row by row, for every source and in both editions."""

from __future__ import annotations

import base64
import http
import json
import logging
import sys
from typing import Any

import pytest

from mangum import Mangum
from mangum.types import Receive, Scope, Send
from tests.apps import TEXT, Recorder, chunk, result_of, start
from tests.builders import (
    SOURCES,
    Event,
    alb_event,
    decode_result,
    edge_event,
    function_url_event,
    http_v1_event,
    http_v2_event,
    lambda_context,
    lattice_v1_event,
    lattice_v2_event,
    rest_event,
)

EDITIONS = ("classic", "2026")
every_source = pytest.mark.parametrize("source", SOURCES)
every_edition = pytest.mark.parametrize("edition", EDITIONS)

# --- binary or text ---------------------------------------------------------------------------

OK, BAD = "Zürich".encode(), b"Z\xfcrich"

# content-type, content-encoding, body → whether the body is base64
BINARY: dict[str, tuple[str | None, str | None, bytes, bool]] = {
    "plain text": ("text/plain", None, OK, False),
    "any kind of text": ("text/x-unheard-of", None, OK, False),
    "text with parameters": ("text/html; charset=utf-8", None, OK, False),
    "text with a space before its parameters": ("text/html ; charset=utf-8", None, OK, False),
    "text in upper case": ("TEXT/HTML; Charset=UTF-8", None, OK, False),
    "text that is not UTF-8": ("text/plain; charset=latin-1", None, BAD, True),
    "text of no letters": ("text/plain", None, b"\x00\x01", False),
    "JSON": ("application/json", None, OK, False),
    "JSON in upper case": ("Application/JSON", None, OK, False),
    "JSON that is not UTF-8": ("application/json", None, BAD, True),
    "JSON with a suffix": ("application/problem+json", None, OK, False),
    "JSON with a suffix and parameters": ("application/ld+json; profile=x", None, OK, False),
    "JSON with a suffix in upper case": ("application/HAL+JSON", None, OK, False),
    "JavaScript": ("application/javascript", None, OK, False),
    "XML": ("application/xml", None, OK, False),
    "XML with a suffix": ("image/svg+xml", None, OK, False),
    "XML with a suffix and parameters": ("application/atom+xml;type=feed", None, OK, False),
    "JSON:API": ("application/vnd.api+json", None, OK, False),
    "OpenAPI": ("application/vnd.oai.openapi;version=3.0", None, OK, False),
    "OpenAPI in JSON": ("application/vnd.oai.openapi+json;version=3.0", None, OK, False),
    "an image": ("image/png", None, OK, True),
    "octets": ("application/octet-stream", None, OK, True),
    "an archive": ("application/zip", None, OK, True),
    "text in a parameter": ("application/octet-stream; name=text/plain", None, OK, True),
    "a suffix in a parameter": ("application/octet-stream; name=a+json", None, OK, True),
    "a suffix in the middle": ("application/x+json-seq", None, OK, True),
    "text in the middle": ("application/x-text/plain", None, OK, True),
    "a listed type in the middle": ("x-application/json", None, OK, True),
    "an empty content type": ("", None, OK, True),
    "compressed text": ("text/plain", "gzip", OK, True),
    "compressed by brotli": ("application/json", "br", OK, True),
    "compressed twice": ("text/plain", "deflate, gzip", OK, True),
    "compressed in upper case": ("text/plain", "GZIP", OK, True),
    "no encoding": ("text/plain", "identity", OK, False),
    "no encoding in upper case": ("text/plain", "Identity", OK, False),
    "an encoding of no name": ("text/plain", "", OK, False),
    "an uncompressed image": ("image/png", "identity", OK, True),
}


@every_edition
@pytest.mark.parametrize(("kind", "encoding", "body", "is_base64"), BINARY.values(), ids=BINARY)
@pytest.mark.parametrize("source", ["REST API", "HTTP API 2.0", "ALB", "Lambda@Edge"])
def test_body_is_text_or_base64(
    source: str, kind: str | None, encoding: str | None, body: bytes, is_base64: bool, edition: str
) -> None:
    if source == "HTTP API 2.0" and kind == "" and edition == "classic":
        is_base64 = False  # an empty type is none, and that is JSON there
    given = {b"content-type": kind, b"Content-Encoding": encoding}
    headers = [(name, text.encode()) for name, text in given.items() if text is not None]
    result = result_of(SOURCES[source](), headers=headers, body=body, edition=edition)
    text = base64.b64encode(body).decode() if is_base64 else body.decode()
    assert result["body"] == text
    assert (result.get("isBase64Encoded") or result.get("bodyEncoding") == "base64") is is_base64


@every_source
@every_edition
@pytest.mark.parametrize("body", [b"", b"text", OK, BAD, b"\xff" * 5000, b"a" * 5000])
@pytest.mark.parametrize("kind", [b"text/plain", b"image/png"])
def test_client_gets_the_very_bytes(source: str, edition: str, body: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind)]
    result = result_of(SOURCES[source](), headers=headers, body=body, edition=edition)
    assert decode_result(result).body == body


@every_source
@every_edition
def test_empty_body_is_an_empty_text(source: str, edition: str) -> None:
    headers = [(b"content-type", b"image/png"), (b"content-encoding", b"gzip")]
    result = result_of(SOURCES[source](), headers=headers, body=b"", edition=edition)
    assert result["body"] == ""
    assert not result.get("isBase64Encoded")
    assert result.get("bodyEncoding", "text") == "text"


@pytest.mark.parametrize("source", [name for name in SOURCES if name[-3:] not in ("2.0", "URL")])
@every_edition
def test_body_without_content_type_is_base64(source: str, edition: str) -> None:
    result = result_of(SOURCES[source](), headers=(), body=b"ok", edition=edition)
    assert result["body"] == "b2s="


@every_edition
def test_entry_of_text_mime_types_matches_as_a_prefix(edition: str) -> None:
    def is_text(kind: bytes) -> bool:
        result = result_of(
            rest_event(),
            headers=[(b"content-type", kind)],
            text_mime_types=["application/vnd.acme"],
            edition=edition,
        )
        return not result["isBase64Encoded"]

    assert is_text(b"application/vnd.acme")
    assert is_text(b"application/vnd.acme.v2; a=b")
    assert is_text(b"Application/Vnd.Acme")
    assert not is_text(b"application/x; application/vnd.acme")
    assert not is_text(b"x-application/vnd.acme")


@every_edition
def test_entry_of_text_mime_types_without_a_slash_matches_anywhere(edition: str) -> None:
    def is_text(kind: bytes, *entries: str) -> bool:
        result = result_of(
            rest_event(),
            headers=[(b"content-type", kind)],
            text_mime_types=[*entries],
            edition=edition,
        )
        return not result["isBase64Encoded"]

    assert is_text(b"application/x-odd", "odd")
    assert is_text(b"Application/X-Odd; a=b", "image/x", "ODD")
    assert is_text(b"application/x-odd; charset=utf-8", "utf-8")
    assert not is_text(b"application/x-odd", "even")


@every_source
@every_edition
def test_text_mime_types_may_be_changed_after_construction(source: str, edition: Any) -> None:
    app = Recorder(headers=[(b"content-type", b"application/x-odd")])
    handler = Mangum(app, lifespan="off", edition=edition)

    def body() -> Any:
        return handler(SOURCES[source](), lambda_context())["body"]

    assert body() == "b2s="
    handler.config["text_mime_types"].append("application/x-odd")
    assert body() == "ok"
    handler.config["text_mime_types"] = []
    assert body() == "b2s="


def test_changing_one_adapters_text_mime_types_changes_no_others() -> None:
    for edition in EDITIONS:
        before = list(Mangum(Recorder(), edition=edition).config["text_mime_types"])  # type: ignore[arg-type]
        Mangum(Recorder(), edition=edition).config["text_mime_types"].append("x/y")  # type: ignore[arg-type]
        assert Mangum(Recorder(), edition=edition).config["text_mime_types"] == before  # type: ignore[arg-type]


# --- header values ----------------------------------------------------------------------------


@every_source
@every_edition
def test_header_values_are_latin_1(source: str, edition: str) -> None:
    headers = [*TEXT, (b"x-a", b"na\xefve"), (b"x-b", "naïve".encode()), (b"x-c", b"\x80\xff")]
    answer = decode_result(result_of(SOURCES[source](), headers=headers, edition=edition))
    assert answer.headers == [
        ("content-type", "text/plain"),
        ("x-a", "na\xefve"),
        ("x-b", "na\xc3\xafve"),
        ("x-c", "\x80\xff"),
    ]


PAIRS = ((b"content-type", b"text/plain"), (b"x-a", b"1"))


@every_edition
@pytest.mark.parametrize(
    "iterable",
    [
        lambda: [list(pair) for pair in PAIRS],
        lambda: PAIRS,
        lambda: dict(PAIRS).items(),
        lambda: iter(PAIRS),
        lambda: (list(pair) for pair in PAIRS),
        lambda: [(bytearray(name), memoryview(value)) for name, value in PAIRS],
    ],
    ids=["lists", "tuples", "items of a dict", "iterator", "generator", "buffers"],
)
def test_any_iterable_of_headers_is_accepted(iterable: Any, edition: str) -> None:
    result = result_of(rest_event(), headers=iterable(), edition=edition)
    assert result["headers"] == {"content-type": "text/plain", "x-a": "1"}


@every_source
@every_edition
def test_headers_are_copied_when_the_message_is_sent(source: str, edition: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [[b"content-type", b"text/plain"], [b"x-a", b"1"]]
        await send(start(200, headers))
        headers[1][1] = b"2"
        headers.append([b"x-late", b"1"])
        await send(chunk(b"ok"))

    result = Mangum(app, lifespan="off", edition=edition)(SOURCES[source](), lambda_context())
    assert decode_result(result).headers == [("content-type", "text/plain"), ("x-a", "1")]


@every_source
@every_edition
def test_message_without_headers_is_accepted(source: str, edition: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    result = Mangum(app, lifespan="off", edition=edition)(SOURCES[source](), lambda_context())
    answer = decode_result(result)
    assert (answer.status, answer.headers, answer.cookies, answer.body) == (204, [], [], b"")


# --- exclude_headers --------------------------------------------------------------------------

SECRETIVE = [
    *TEXT,
    (b"X-Secret", b"1"),
    (b"x-secret", b"2"),
    (b"Set-Cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
    (b"x-kept", b"3"),
]


@every_source
@every_edition
@pytest.mark.parametrize("excluded", [["X-Secret", "set-cookie"], ("x-secret", "SET-COOKIE")])
def test_excluded_headers_are_left_out_cookies_included(
    source: str, edition: str, excluded: Any
) -> None:
    result = result_of(
        SOURCES[source](), headers=SECRETIVE, exclude_headers=excluded, edition=edition
    )
    answer = decode_result(result)
    assert answer.headers == [("content-type", "text/plain"), ("x-kept", "3")]
    assert answer.cookies == []
    assert "cookies" not in result


@every_source
@every_edition
def test_excluding_one_header_keeps_the_others(source: str, edition: str) -> None:
    result = result_of(
        SOURCES[source](), headers=SECRETIVE, exclude_headers=["x-secret"], edition=edition
    )
    answer = decode_result(result)
    assert answer.headers == [("content-type", "text/plain"), ("x-kept", "3")]
    assert answer.cookies == ["a=1", "b=2"]


@every_edition
def test_headers_are_excluded_before_any_case_mutation(edition: str) -> None:
    headers = [(b"set-cookie", b"c%d=v" % index) for index in range(600)]
    result = result_of(
        alb_event(), headers=headers, exclude_headers=["set-cookie"], edition=edition
    )
    assert result["headers"] == {}


@every_source
@every_edition
def test_excluded_content_type_still_decides_whether_the_body_is_text(
    source: str, edition: str
) -> None:
    result = result_of(SOURCES[source](), exclude_headers=["content-type"], edition=edition)
    assert decode_result(result).headers == []
    assert result["body"] == "ok"


@every_source
@every_edition
def test_excluded_content_encoding_still_means_base64(source: str, edition: str) -> None:
    headers = [*TEXT, (b"content-encoding", b"gzip")]
    result = result_of(
        SOURCES[source](), headers=headers, exclude_headers=["content-encoding"], edition=edition
    )
    assert result["body"] == "b2s="


# --- status -----------------------------------------------------------------------------------


@every_source
@every_edition
@pytest.mark.parametrize("status", [200, http.HTTPStatus.NOT_FOUND, 599], ids=repr)
def test_status_is_an_int(source: str, edition: str, status: int) -> None:
    result = result_of(SOURCES[source](), status=status, edition=edition)
    if source == "Lambda@Edge" and edition == "2026":
        assert result["status"] == str(int(status))
    else:
        sent = result["status" if source == "Lambda@Edge" else "statusCode"]
        assert (type(sent), sent) == (int, int(status))


RENAMED = {413, 414, 416, 422}  # by RFC 9110; Python follows from 3.13 on

DESCRIBED: dict[str, tuple[Event, str]] = {
    "ALB": (alb_event(), "2026"),
    "VPC Lattice v1": (lattice_v1_event(), "classic"),
    "VPC Lattice v2": (lattice_v2_event(), "2026"),
}


@pytest.mark.parametrize("status", http.HTTPStatus, ids=lambda status: str(int(status)))
def test_reason_phrase_is_that_of_python(status: http.HTTPStatus) -> None:
    if status in RENAMED and sys.version_info < (3, 13):
        return
    for event, edition in DESCRIBED.values():
        result = result_of(event, status=status, edition=edition)
        assert result["statusDescription"] == f"{int(status)} {status.phrase}"
    result = result_of(edge_event(), status=status, edition="2026")
    assert (result["status"], result["statusDescription"]) == (str(int(status)), status.phrase)


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
    ],
)
def test_reason_phrases_that_were_renamed_are_the_current_ones(status: int, phrase: str) -> None:
    result = result_of(alb_event(), status=status, edition="2026")
    assert result["statusDescription"] == f"{status} {phrase}"


@pytest.mark.parametrize("status", [299, 499, 599])
def test_status_without_a_reason_phrase_still_has_a_description(status: int) -> None:
    description = result_of(alb_event(), status=status, edition="2026")["statusDescription"]
    assert description.startswith(f"{status} ")
    assert description != f"{status} "


# --- too large --------------------------------------------------------------------------------

LAMBDA, MIB, KIB_40 = 6_291_556, 1_048_576, 40_960

LIMITS: dict[str, tuple[Event, int]] = {
    "REST API": (rest_event(), LAMBDA),
    "HTTP API 1.0": (http_v1_event(), LAMBDA),
    "HTTP API 2.0": (http_v2_event(), LAMBDA),
    "function URL": (function_url_event(), LAMBDA),
    "VPC Lattice v1": (lattice_v1_event(), LAMBDA),
    "VPC Lattice v2": (lattice_v2_event(), LAMBDA),
    "ALB": (alb_event(), MIB),
    "ALB multi-value": (alb_event(multi_value=True), MIB),
    "Lambda@Edge, origin": (edge_event(), MIB),
    "Lambda@Edge, viewer": (edge_event(event_type="viewer-request"), KIB_40),
}

# AWS_EXECUTION_ENV → whether that runtime's client escapes what is not ASCII
RUNTIMES = {
    None: True,
    "AWS_Lambda_python3.10": True,
    "AWS_Lambda_python3.11": True,
    "AWS_Lambda_python3.12": False,
    "AWS_Lambda_python3.13": False,
    "AWS_Lambda_python3.14": False,
}


def _size(result: Any, *, ascii_only: bool = True) -> int:
    """The bytes that the runtime client writes."""
    return len(json.dumps(result, ensure_ascii=ascii_only).encode())


def _too_large(result: Any, caplog: pytest.LogCaptureFixture) -> str:
    """The one log line of an answer that was too large."""
    answer = decode_result(result)
    assert answer.status == 500
    assert answer.header("content-type").startswith("text/plain")
    assert answer.body
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.name.partition(".")[0] == "mangum"
    return record.getMessage()


@every_edition
@pytest.mark.parametrize(("event", "limit"), LIMITS.values(), ids=LIMITS)
def test_result_at_the_limit_is_served_and_one_byte_more_is_a_500(
    event: Event, limit: int, edition: str, caplog: pytest.LogCaptureFixture
) -> None:
    envelope = _size(result_of(event, body=b"a", edition=edition)) - 1
    at_limit = result_of(event, body=b"a" * (limit - envelope), edition=edition)
    assert (decode_result(at_limit).status, _size(at_limit)) == (200, limit)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    over = result_of(event, body=b"a" * (limit - envelope + 1), edition=edition)
    message = _too_large(over, caplog)
    assert str(limit) in message
    assert str(limit + 1) in message


@every_edition
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "character", ['"', "\\", "\n", "\x00", "\x7f", "é", "\u2028", "\U0001f680"], ids=ascii
)
def test_size_is_that_of_the_json_which_the_runtime_writes(
    character: str,
    runtime: str | None,
    edition: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if runtime is None:
        monkeypatch.delenv("AWS_EXECUTION_ENV", raising=False)
    else:
        monkeypatch.setenv("AWS_EXECUTION_ENV", runtime)
    ascii_only = RUNTIMES[runtime]
    event = alb_event()

    def answer(number: int) -> Any:
        return result_of(event, body=character.encode() * number, edition=edition)

    one, two = (_size(answer(number), ascii_only=ascii_only) for number in (1, 2))
    most = (MIB - one) // (two - one) + 1
    assert decode_result(answer(most)).status == 200
    message = _too_large(answer(most + 1), caplog)
    assert str(one + most * (two - one)) in message


@every_edition
@pytest.mark.parametrize("source", ["ALB", "Lambda@Edge, origin", "Lambda@Edge, viewer"])
def test_base64_counts_as_the_text_that_it_is(
    source: str, edition: str, caplog: pytest.LogCaptureFixture
) -> None:
    event, limit = LIMITS[source]
    headers = [(b"content-type", b"image/png")]

    def answer(number: int) -> Any:
        return result_of(event, headers=headers, body=b"\xff" * number, edition=edition)

    envelope = _size(answer(3)) - 4
    most = (limit - envelope) // 4 * 3
    assert decode_result(answer(most)).status == 200
    assert str(limit) in _too_large(answer(most + 1), caplog)


@every_edition
@pytest.mark.parametrize("event_type", ["viewer-request", "origin-request"])
@pytest.mark.parametrize("value", [b"", b"\xff"])
def test_many_short_headers_count_as_the_json_that_they_are(
    event_type: str, value: bytes, edition: str, caplog: pytest.LogCaptureFixture
) -> None:
    event = edge_event(event_type=event_type)
    limit = KIB_40 if event_type == "viewer-request" else MIB

    def answer(number: int) -> Any:
        headers = [*TEXT, *((b"h%05d" % index, value) for index in range(number))]
        return result_of(event, headers=headers, edition=edition)

    one, two = _size(answer(1)), _size(answer(2))
    most = (limit - one) // (two - one) + 1
    served = answer(most)
    assert (decode_result(served).status, _size(served) <= limit) == (200, True)
    assert str(limit) in _too_large(answer(most + 1), caplog)


@every_edition
@pytest.mark.parametrize(
    "headers",
    [
        lambda number: [(b"x-a", b"v" * number)],
        lambda number: [(b"x-%d" % index, b"v" * number) for index in range(20)],
        lambda number: [(b"set-cookie", b"v" * number) for _ in range(20)],
    ],
    ids=["one header", "several headers", "cookies"],
)
@pytest.mark.parametrize("source", ["HTTP API 1.0", "HTTP API 2.0"])
def test_headers_of_an_http_api_have_a_limit_of_their_own(
    source: str, headers: Any, edition: str, caplog: pytest.LogCaptureFixture
) -> None:
    def filled(total: int) -> list[tuple[bytes, bytes]]:
        pairs: list[tuple[bytes, bytes]] = [*TEXT, *headers(100)]
        missing = total - sum(len(name) + len(value) for name, value in pairs)
        return [*pairs[:-1], (pairs[-1][0], pairs[-1][1] + b"v" * missing)]

    event = SOURCES[source]()
    served = result_of(event, headers=filled(10_240), edition=edition)
    assert decode_result(served).status == 200
    refused = result_of(event, headers=filled(10_241), edition=edition)
    message = _too_large(refused, caplog)
    assert "10240" in message
    assert "10241" in message


@every_edition
@pytest.mark.parametrize("source", sorted(set(SOURCES) - {"HTTP API 1.0", "HTTP API 2.0"}))
def test_headers_of_other_sources_count_with_the_result_alone(source: str, edition: str) -> None:
    headers = [*TEXT, (b"x-long", b"v" * 20_000)]
    result = result_of(SOURCES[source](), headers=headers, edition=edition)
    assert decode_result(result).header("x-long") == "v" * 20_000


@every_edition
@pytest.mark.parametrize("source", ["HTTP API 1.0", "HTTP API 2.0"])
def test_excluded_headers_do_not_count(source: str, edition: str) -> None:
    headers = [*TEXT, (b"x-long", b"v" * 20_000)]
    result = result_of(
        SOURCES[source](), headers=headers, exclude_headers=["X-Long"], edition=edition
    )
    assert decode_result(result).status == 200


@every_edition
@pytest.mark.parametrize("source", ["HTTP API 1.0", "HTTP API 2.0"])
def test_excluded_headers_do_not_count_at_the_limit_either(source: str, edition: str) -> None:
    def status(number: int) -> int:
        headers = [(b"content-type", b"text/plain"), (b"x-a", b"v" * number), (b"x-b", b"v")]
        result = result_of(
            SOURCES[source](), headers=headers, exclude_headers=["x-b"], edition=edition
        )
        return decode_result(result).status

    most = 10_240 - len(b"content-type" + b"text/plain" + b"x-a")
    assert [status(most), status(most + 1)] == [200, 500]


@every_edition
def test_too_large_answer_shows_nothing_of_itself(
    edition: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [*TEXT, (b"set-cookie", b"SECRET"), (b"x-secret", b"SECRET")]
    result = result_of(alb_event(), headers=headers, body=b"SECRET" * MIB, edition=edition)
    message = _too_large(result, caplog)
    assert "SECRET" not in json.dumps(result) + message
