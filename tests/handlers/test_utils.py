"""The helpers that mangum 0.22 offers to handlers of one's own: for ordinary input they give what
0.22 gave, and where 0.22 was wrong they follow the rules of the adapter."""

from __future__ import annotations

from typing import Any

import pytest

from mangum.handlers.alb import (
    all_casings,
    case_mutated_headers,
    encode_query_string_for_alb,
    transform_headers,
)
from mangum.handlers.utils import (
    get_server_and_port,
    handle_base64_response_body,
    handle_exclude_headers,
    handle_multi_value_headers,
    maybe_encode_body,
    strip_api_gateway_path,
)
from mangum.types import LambdaConfig

CONFIG = LambdaConfig(api_gateway_base_path="/", text_mime_types=[], exclude_headers=["x-a"])
TYPES = ["text/", "application/json"]


@pytest.mark.parametrize(
    ("body", "is_base64", "expected"),
    [
        ("", False, b""),
        ("hi", False, b"hi"),
        ("Zürich", False, "Zürich".encode()),
        (b"raw", False, b"raw"),
        ("aGk=", True, b"hi"),
        (b"aGk=", True, b"hi"),
        ("", True, b""),
        (None, False, b""),
        (None, True, b""),
    ],
)
def test_maybe_encode_body_gives_what_0_22_gave(
    body: Any, is_base64: bool, expected: bytes
) -> None:
    assert maybe_encode_body(body, is_base64=is_base64) == expected


def test_maybe_encode_body_raises_value_error_for_invalid_base64() -> None:
    with pytest.raises(ValueError, match="base64"):
        maybe_encode_body("a", is_base64=True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ("mangum", 80)),
        ({"host": "example.org"}, ("example.org", 80)),
        ({"host": "example.org:8080"}, ("example.org", 8080)),
        ({"host": "example.org", "x-forwarded-port": "443"}, ("example.org", 443)),
        ({"host": "example.org", "x-forwarded-port": 8443}, ("example.org", 8443)),
        ({"host": "example.org:1", "x-forwarded-port": "2"}, ("example.org", 1)),
        ({"x-forwarded-port": "443"}, ("mangum", 443)),
    ],
)
def test_get_server_and_port_gives_what_0_22_gave(
    headers: dict[str, Any], expected: tuple[str, int]
) -> None:
    assert get_server_and_port(headers) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"host": "[::1]:8080"}, ("::1", 8080)),
        ({"host": "example.org:"}, ("example.org", 80)),
        ({"host": "example.org", "x-forwarded-port": "443,80"}, ("example.org", 443)),
    ],
)
def test_get_server_and_port_takes_hosts_that_0_22_could_not(
    headers: dict[str, Any], expected: tuple[str, int]
) -> None:
    assert get_server_and_port(headers) == expected


@pytest.mark.parametrize(
    ("path", "base", "expected"),
    [
        ("", "/", "/"),
        ("/", "/", "/"),
        ("/a", "/", "/a"),
        ("/a/", "/", "/a/"),
        ("/a%20b", "/", "/a b"),
        ("/a%2Bb+c", "/", "/a+b+c"),
        ("/%C3%A9", "/", "/é"),
        ("/api/a", "/api", "/a"),
        ("/api/a", "api", "/a"),
        ("/api/", "/api", "/"),
        ("/api/a", "", "/api/a"),
        ("/other", "/api", "/other"),
        ("", "/api", "/"),
        ("/api/v1/a", "/api/v1", "/a"),
    ],
)
def test_strip_api_gateway_path_gives_what_0_22_gave(path: str, base: str, expected: str) -> None:
    assert strip_api_gateway_path(path, api_gateway_base_path=base) == expected


@pytest.mark.parametrize(("path", "expected"), [("/api", "/"), ("/apiary", "/apiary")])
def test_strip_api_gateway_path_matches_whole_segments_and_is_never_empty(
    path: str, expected: str
) -> None:
    assert strip_api_gateway_path(path, api_gateway_base_path="/api") == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], ({}, {})),
        ([[b"A", b"1"]], ({"a": "1"}, {})),
        ([[b"A", b"1"], [b"a", b"2"]], ({}, {"a": ["1", "2"]})),
        (
            [[b"A", b"1"], [b"b", b"0"], [b"a", b"2"], [b"A", b"3"]],
            ({"b": "0"}, {"a": ["1", "2", "3"]}),
        ),
        (
            [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2")],
            ({}, {"set-cookie": ["a=1", "b=2"]}),
        ),
    ],
)
def test_handle_multi_value_headers_gives_what_0_22_gave(headers: Any, expected: Any) -> None:
    assert handle_multi_value_headers(headers) == expected


def test_handle_multi_value_headers_reads_latin_1() -> None:
    assert handle_multi_value_headers([[b"a", b"\xe9"]]) == ({"a": "é"}, {})


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", {}, ("", False)),
        (b"ok", {}, ("b2s=", True)),
        (b"ok", {"content-type": "text/plain"}, ("ok", False)),
        (b"ok", {"content-type": "application/json; charset=utf-8"}, ("ok", False)),
        (b"ok", {"content-type": "image/png"}, ("b2s=", True)),
        (b"\xff", {"content-type": "text/plain"}, ("/w==", True)),
        ("Zürich".encode(), {"content-type": "text/html"}, ("Zürich", False)),
    ],
)
def test_handle_base64_response_body_gives_what_0_22_gave(
    body: bytes, headers: dict[str, str], expected: tuple[str, bool]
) -> None:
    assert handle_base64_response_body(body, headers, TYPES) == expected


def test_handle_base64_response_body_encodes_what_is_compressed() -> None:
    headers = {"content-type": "text/plain", "content-encoding": "gzip"}
    assert handle_base64_response_body(b"ok", headers, TYPES) == ("b2s=", True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {}),
        ({"x-a": "1"}, {}),
        ({"x-a": "1", "b": "2"}, {"b": "2"}),
        ({"x-a": ["1", "2"], "b": ["3"]}, {"b": ["3"]}),
    ],
)
def test_handle_exclude_headers_gives_what_0_22_gave(
    headers: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert handle_exclude_headers(headers, CONFIG) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        ("a", ["a", "A"]),
        ("ab", ["ab", "Ab", "aB", "AB"]),
        ("a-b", ["a-b", "A-b", "a-B", "A-B"]),
        ("aB1", ["ab1", "Ab1", "aB1", "AB1"]),
    ],
)
def test_all_casings_gives_what_0_22_gave(text: str, expected: list[str]) -> None:
    assert list(all_casings(text)) == expected


def test_all_casings_of_set_cookie_are_512() -> None:
    casings = list(all_casings("set-cookie"))
    assert casings[:4] == ["set-cookie", "Set-cookie", "sEt-cookie", "SEt-cookie"]
    assert len(set(casings)) == len(casings) == 512
    assert {casing.lower() for casing in casings} == {"set-cookie"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, {}),
        ({"a": []}, {}),
        ({"a": ["1"]}, {"a": "1"}),
        ({"via": ["1", "2"]}, {"via": "1", "Via": "2"}),
        (
            {"set-cookie": ["a", "b", "c"], "x": ["1"]},
            {"set-cookie": "a", "Set-cookie": "b", "sEt-cookie": "c", "x": "1"},
        ),
    ],
)
def test_case_mutated_headers_gives_what_0_22_gave(
    headers: dict[str, list[str]], expected: dict[str, str]
) -> None:
    assert case_mutated_headers(headers) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, b""),
        ({"q": "1"}, b"q=1"),
        ({"q": ""}, b"q="),
        ({"q": "a%20b"}, b"q=a+b"),
        ({"q": "a+b"}, b"q=a+b"),
        ({"q": ["1", "2"]}, b"q=1&q=2"),
        ({"a%5B%5D": ["%2F", "x"]}, b"a%5B%5D=%2F&a%5B%5D=x"),
        ({"q": "%C3%A9"}, b"q=%C3%A9"),
        ({"q": "/x:y~"}, b"q=%2Fx%3Ay~"),
    ],
)
def test_encode_query_string_for_alb_gives_what_0_22_gave(parameters: Any, expected: bytes) -> None:
    assert encode_query_string_for_alb(parameters) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"headers": {}}, []),
        ({"headers": {"Host": "a", "X-B": "1"}}, [(b"host", b"a"), (b"x-b", b"1")]),
        (
            {"multiValueHeaders": {"Host": ["a"], "X-B": ["1", "2"]}},
            [(b"host", b"a"), (b"x-b", b"1"), (b"x-b", b"2")],
        ),
        ({"multiValueHeaders": {"A": ["1"]}, "headers": {"B": "1"}}, [(b"a", b"1")]),
    ],
)
def test_transform_headers_gives_what_0_22_gave(event: Any, expected: Any) -> None:
    assert transform_headers(event) == expected
