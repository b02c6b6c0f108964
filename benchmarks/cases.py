"""Arguments for each hot function, as the benchmarked events bring them along.

A new name in `mangum._speedups` needs a row here; a test says so if it has none.
"""

from __future__ import annotations

import base64
from typing import Any

from benchmarks.apps import BODY, HEADERS, answered, response_with
from benchmarks.events import (
    COOKIES,
    Context,
    alb_event,
    edge_event,
    http_event,
    rest_event,
)
from benchmarks.payloads import NONE, payload
from mangum.options import DEFAULT_TEXT_MIME_TYPES

BINARY = "application/octet-stream"

MANY_HEADERS = [
    *HEADERS,
    (b"vary", b"accept"),
    (b"vary", b"origin"),
    (b"set-cookie", b"b=2; Path=/; HttpOnly"),
    (b"cache-control", b"no-cache"),
]
TEXTS = [(name.decode(), value.decode()) for name, value in HEADERS]
MANY_TEXTS = [(name.decode(), value.decode()) for name, value in MANY_HEADERS]


def _sent(headers: int) -> dict[str, dict[str, Any]]:
    """The events of one request, by their source."""
    request: dict[str, Any] = {"path": "/items/42", "headers": headers, "body": NONE}
    return {
        "v2": http_event(**request),
        "REST": rest_event(**request),
        "ALB": alb_event(**request),
        "Edge": edge_event(**request)["Records"][0]["cf"]["request"],
    }


TEN, THIRTY = _sent(10), _sent(30)
CONTEXT = Context()
CLASSIC: dict[str, Any] = {
    "api_gateway_base_path": "/",
    "text_mime_types": DEFAULT_TEXT_MIME_TYPES,
    "exclude_headers": [],
    "edition": "classic",
    "forwarded_host": None,
    "root_path": None,
    "events_path": None,
}
MODERN = {**CLASSIC, "edition": "2026"}
RESPONSE = response_with(NONE)
EXCHANGE, EXCHANGE_TYPE = object(), object()  # stand for those of the half that is called

CASES: dict[str, dict[str, tuple[Any, ...]]] = {
    "Exchange": {
        "made": ({"type": "http"}, b""),
    },
    "alb_result": {
        "33 bytes of JSON": (RESPONSE, [], DEFAULT_TEXT_MIME_TYPES),
    },
    "alb_scope": {
        "10 headers": (TEN["ALB"], CONTEXT, CLASSIC),
        "30 headers": (THIRTY["ALB"], CONTEXT, CLASSIC),
    },
    "copy_headers": {
        "4 headers": (HEADERS,),
        "8 headers": (MANY_HEADERS,),
    },
    "decode_body": {
        "none": (None, False),
        "10 KB of text": (payload("10kb").text, False),
        "1 KB of base64": (base64.b64encode(bytes(768)).decode(), True),
        "4 MB of base64": (payload("4mb").text, True),
    },
    "decode_headers": {
        "4 headers": (HEADERS, ()),
        "8 headers, one excluded": (MANY_HEADERS, ["x-request-id"]),
    },
    "decode_path": {
        "plain": ("/items/42",),
        "encoded": ("/caf%C3%A9/a%20b/100%25",),
    },
    "decode_response": {
        "33 bytes of JSON": (RESPONSE, [], DEFAULT_TEXT_MIME_TYPES),
        "10 KB of text": (response_with("10kb"), [], DEFAULT_TEXT_MIME_TYPES),
        "without content type": (
            {**RESPONSE, "headers": []},
            [],
            DEFAULT_TEXT_MIME_TYPES,
            "text/plain",
        ),
    },
    "encode_alb_query_string": {
        "respelled": (TEN["ALB"]["multiValueQueryStringParameters"], False),
        "as sent": (TEN["ALB"]["multiValueQueryStringParameters"], True),
    },
    "encode_body": {
        "33 bytes of JSON": (BODY, "application/json", "", DEFAULT_TEXT_MIME_TYPES),
        "1 MB of JSON": (payload("1mb").data, "application/json", "", DEFAULT_TEXT_MIME_TYPES),
        "1 KB of binary": (bytes(1024), BINARY, "", DEFAULT_TEXT_MIME_TYPES),
        "4 MB of binary": (payload("4mb").data, BINARY, "", DEFAULT_TEXT_MIME_TYPES),
    },
    "encode_edge_headers": {
        "10 headers": (TEN["Edge"]["headers"],),
        "30 headers": (THIRTY["Edge"]["headers"],),
    },
    "encode_headers": {
        "10 headers, cookies": (TEN["v2"]["headers"], COOKIES),
        "30 headers, cookies": (THIRTY["v2"]["headers"], COOKIES),
    },
    "encode_multi_value_headers": {
        "REST, 10 headers": (TEN["REST"]["headers"], TEN["REST"]["multiValueHeaders"], False),
        "REST, 30 headers": (THIRTY["REST"]["headers"], THIRTY["REST"]["multiValueHeaders"], False),
        "ALB, 10 headers": (None, TEN["ALB"]["multiValueHeaders"], True),
        "ALB, 30 headers": (None, THIRTY["ALB"]["multiValueHeaders"], True),
    },
    "encode_path": {
        "plain": ("/items/42",),
        "to encode": ("/café/a b/100%",),
    },
    "encode_query_string": {
        "three names": (TEN["REST"]["multiValueQueryStringParameters"],),
    },
    "find_floats": {
        "event": (TEN["v2"],),
        "result": ({"statusCode": 200, "headers": {"a": "b"}, "body": "{}"},),
    },
    "fold_headers": {
        "4 headers": (TEXTS,),
        "8 headers, two repeated": (MANY_TEXTS,),
    },
    "group_headers": {
        "4 headers": (TEXTS,),
        "8 headers, two repeated": (MANY_TEXTS,),
    },
    "http_result": {
        "33 bytes of JSON": (RESPONSE, [], DEFAULT_TEXT_MIME_TYPES, "application/json"),
    },
    "http_scope": {
        "10 headers": (TEN["v2"], CONTEXT, CLASSIC),
        "30 headers": (THIRTY["v2"], CONTEXT, CLASSIC),
        "10 headers, 2026": (TEN["v2"], CONTEXT, MODERN),
    },
    "may_exceed": {
        "4 headers": (RESPONSE, 6_291_556, 10_240),
    },
    "read_request": {
        source: (TEN[source], CONTEXT, CLASSIC, EXCHANGE_TYPE) for source in ("v2", "REST", "ALB")
    },
    "recognise": {source: (TEN[source],) for source in ("v2", "REST", "ALB")},
    "rest_result": {
        "33 bytes of JSON": (RESPONSE, [], DEFAULT_TEXT_MIME_TYPES),
    },
    "rest_scope": {
        "10 headers": (TEN["REST"], CONTEXT, CLASSIC),
        "30 headers": (THIRTY["REST"], CONTEXT, CLASSIC),
        "10 headers, 2026": (TEN["REST"], CONTEXT, MODERN),
    },
    "split_headers": {
        "4 headers": (TEXTS,),
        "8 headers, two repeated": (MANY_TEXTS,),
    },
    "split_host": {
        "name": ("example.org",),
        "name and port": ("example.org:8080",),
        "IPv6 and port": ("[2001:db8::1]:8080",),
    },
    "write_result": {
        "v2": (TEN["v2"], EXCHANGE, CLASSIC),
        "REST": (TEN["REST"], EXCHANGE, CLASSIC),
        "ALB": (TEN["ALB"], EXCHANGE, CLASSIC),
    },
}


def arguments(half: Any, function: str, case: str) -> list[Any]:
    """The arguments of a case for a half of the hot path."""
    given = CASES[function][case]
    exchange = answered(half, RESPONSE)
    sources = {id(TEN["v2"]): "HTTPGateway", id(TEN["REST"]): "APIGateway", id(TEN["ALB"]): "ALB"}
    exchange.source = sources.get(id(given[0]))
    stands_for = {id(EXCHANGE): exchange, id(EXCHANGE_TYPE): half.Exchange}
    return [stands_for.get(id(it), it) for it in given]


def without_case(names: list[str]) -> set[str]:
    """The public names of `mangum._speedups` that no case calls, but for the loop's own."""
    return {*names} - {"drive"} - {*CASES}
