"""What each function of the hot path makes of one value, and which errors it raises."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

# --- paths and query strings ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ""),
        ("/", "/"),
        ("/a+b", "/a+b"),
        ("/a%2Bb", "/a+b"),
        ("/caf%C3%A9", "/café"),
        ("/caf%c3%a9", "/café"),
        ("/café", "/café"),
        ("/a%2Fb", "/a/b"),
        ("/100%25", "/100%"),
        ("/100%2525", "/100%25"),
        ("/%", "/%"),
        ("/%4", "/%4"),
        ("/%zz", "/%zz"),
        ("/%ff", "/\ufffd"),
        ("/%e2%82", "/\ufffd"),
        ("/%00", "/\0"),
        ("/\ud800", "/?"),
        ("/%%41", "/%A"),
        ("/% 41", "/% 41"),
    ],
)
def test_decode_path(speedups: ModuleType, path: str, expected: str) -> None:
    assert speedups.decode_path(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", b""),
        ("/a/b", b"/a/b"),
        ("/a b", b"/a%20b"),
        ("/a+b@c:d", b"/a+b@c:d"),
        ("/100%", b"/100%25"),
        ("/a?b#c", b"/a%3Fb%23c"),
        ("/café", b"/caf%C3%A9"),
        ("/\ud800", b"/%3F"),
    ],
)
def test_encode_path(speedups: ModuleType, path: str, expected: bytes) -> None:
    assert speedups.encode_path(path) == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (None, b""),
        ({}, b""),
        ({"a": "1"}, b"a=1"),
        ({"a": ["1", "2"], "b": "3"}, b"a=1&a=2&b=3"),
        ({"a": ("1", "2")}, b"a=1&a=2"),
        ({"a": None, "b": []}, b""),
        ({"a": [None, "1"]}, b"a=1"),
        ({"a": ""}, b"a="),
        ({"": "1"}, b"=1"),
        ({"a b": "c+d&e=f"}, b"a+b=c%2Bd%26e%3Df"),
        ({"ü": "€"}, b"%C3%BC=%E2%82%AC"),
        ({"a": 1, "b": 1.5, "c": True}, b"a=1&b=1.5&c=True"),
        ({"a": "~._-"}, b"a=~._-"),
    ],
)
def test_encode_query_string(speedups: ModuleType, params: Any, expected: bytes) -> None:
    assert speedups.encode_query_string(params) == expected


@pytest.mark.parametrize(
    ("params", "classic", "as_sent"),
    [
        (None, b"", b""),
        ({"a": "b%20c"}, b"a=b+c", b"a=b%20c"),
        ({"a": "b+c"}, b"a=b+c", b"a=b+c"),
        ({"a%5B%5D": ["1", "2"]}, b"a%5B%5D=1&a%5B%5D=2", b"a%5B%5D=1&a%5B%5D=2"),
        ({"a[]": "x"}, b"a%5B%5D=x", b"a[]=x"),
        ({"a": "%c3%bc"}, b"a=%C3%BC", b"a=%c3%bc"),
        ({"a": "%FF"}, b"a=%FF", b"a=%FF"),
        ({"a": "100%"}, b"a=100%25", b"a=100%"),
        ({"a": None}, b"", b""),
    ],
)
def test_encode_alb_query_string(
    speedups: ModuleType, params: Any, classic: bytes, as_sent: bytes
) -> None:
    assert speedups.encode_alb_query_string(params, False) == classic
    assert speedups.encode_alb_query_string(params, True) == as_sent


@pytest.mark.parametrize(
    "params", [{"a": {"b": "c"}}, {"a": [["b"]]}, {"a": b"c"}, {"a": [{}]}, {1: "a"}, ["a"], "ab"]
)
def test_parameters_that_no_source_sends_are_errors(speedups: ModuleType, params: Any) -> None:
    for encode in (
        speedups.encode_query_string,
        lambda it: speedups.encode_alb_query_string(it, False),
        lambda it: speedups.encode_alb_query_string(it, True),
    ):
        if isinstance(params, dict) and 1 in params and encode is not speedups.encode_query_string:
            continue  # a key that is a number can't come from JSON; passing it on does no harm
        with pytest.raises((TypeError, AttributeError)):
            encode(params)


# --- request headers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "cookies", "pairs"),
    [
        (None, None, []),
        ({}, [], []),
        ({"Host": "a", "X-Two": "b"}, None, [("host", "a"), ("x-two", "b")]),
        ({"A": "1", "a": "2"}, None, [("a", "1, 2")]),
        ({"A": None, "b": "2"}, None, [("b", "2")]),
        ({"a": 1, "b": 1.5}, None, [("a", "1"), ("b", "1.5")]),
        ({"a": ["1", "2"]}, None, [("a", "1, 2")]),
        ({"a": []}, None, []),
        ({"a": ""}, None, [("a", "")]),
        ({"a": "é"}, None, [("a", "é")]),
        ({"a": "1"}, ["x=1", "y=2"], [("a", "1"), ("cookie", "x=1; y=2")]),
        ({"Cookie": "x=1", "b": "2"}, ["x=1", "y=2"], [("cookie", "x=1; y=2"), ("b", "2")]),
        ({"Cookie": "x=1", "cookie": "y=2"}, None, [("cookie", "x=1; y=2")]),
        (None, ["x=1"], [("cookie", "x=1")]),
    ],
)
def test_encode_headers(speedups: ModuleType, headers: Any, cookies: Any, pairs: Any) -> None:
    expected = [[name.encode(), value.encode()] for name, value in pairs]
    assert speedups.encode_headers(headers, cookies) == (expected, dict(pairs))


def test_a_lone_surrogate_in_a_header_becomes_a_question_mark(speedups: ModuleType) -> None:
    pairs, _ = speedups.encode_headers({"a\ud800": "b\udfff"}, None)
    assert pairs == [[b"a?", b"b?"]]


@pytest.mark.parametrize(
    ("headers", "cookies"),
    [
        ({"a": {}}, None),
        ({"a": [["b"]]}, None),
        ({"a": b"b"}, None),
        ({1: "a"}, None),
        (["a"], None),
        ("a", None),
        ({}, "a=1"),
        ({}, [1]),
        ({}, 1),
        ({}, {"a": {}}.values()),
    ],
)
def test_headers_that_no_source_sends_are_errors(
    speedups: ModuleType, headers: Any, cookies: Any
) -> None:
    with pytest.raises((TypeError, AttributeError)):
        speedups.encode_headers(headers, cookies)


@pytest.mark.parametrize(
    ("headers", "multi", "split", "pairs"),
    [
        (None, None, False, []),
        ({"A": "2"}, {"A": ["1", "2"]}, False, [("a", "1, 2")]),
        ({"A": "2"}, {"A": ["1", "2"]}, True, [("a", "1"), ("a", "2")]),
        ({"A": "1"}, {"B": ["2"]}, True, [("a", "1"), ("b", "2")]),
        (None, {"A": ["1"], "a": ["2"]}, True, [("a", "1"), ("a", "2")]),
        (None, {"Cookie": ["a=1", "b=2"]}, True, [("cookie", "a=1; b=2")]),
        (None, {"Cookie": ["a=1", "b=2"]}, False, [("cookie", "a=1; b=2")]),
        ({"a": "1"}, {"a": None}, True, [("a", "1")]),
        ({"a": "1"}, {"a": []}, True, [("a", "1")]),
        (None, {"a": "1"}, True, [("a", "1")]),
        (None, {"a": [None, "1"]}, True, [("a", "1")]),
        (None, {"a": [1, 2.5]}, True, [("a", "1"), ("a", "2.5")]),
        (None, {"a": ["é"]}, True, [("a", "é")]),
    ],
)
def test_encode_multi_value_headers(
    speedups: ModuleType, headers: Any, multi: Any, split: bool, pairs: Any
) -> None:
    seen, texts = speedups.encode_multi_value_headers(headers, multi, split)
    assert seen == [[name.encode(), value.encode()] for name, value in pairs]
    assert texts == {
        name: ", ".join(value for other, value in pairs if other == name) for name, _ in pairs
    }


@pytest.mark.parametrize(
    ("headers", "multi"),
    [(None, {"a": {}}), (None, {"a": [["b"]]}), (["a"], None), (None, ["a"]), ({1: "a"}, {})],
)
def test_multi_value_headers_that_no_source_sends_are_errors(
    speedups: ModuleType, headers: Any, multi: Any
) -> None:
    with pytest.raises((TypeError, AttributeError)):
        speedups.encode_multi_value_headers(headers, multi, True)


@pytest.mark.parametrize(
    ("headers", "pairs"),
    [
        (None, []),
        ({}, []),
        ({"host": [{"key": "Host", "value": "a"}]}, [("host", "a")]),
        ({"a": [{"value": "1"}, {"value": "2"}]}, [("a", "1"), ("a", "2")]),
        ({"cookie": [{"value": "a=1"}, {"value": "b=2"}]}, [("cookie", "a=1; b=2")]),
        ({"a": None, "b": [], "c": [{"value": None}]}, []),
    ],
)
def test_encode_edge_headers(speedups: ModuleType, headers: Any, pairs: Any) -> None:
    seen, texts = speedups.encode_edge_headers(headers)
    assert seen == [[name.encode(), value.encode()] for name, value in pairs]
    assert texts == {
        name: ", ".join(value for other, value in pairs if other == name) for name, _ in pairs
    }


@pytest.mark.parametrize("headers", [["a"], {"a": "b"}, {"a": ["b"]}, {"a": [{"value": {}}]}])
def test_edge_headers_that_cloudfront_does_not_send_are_errors(
    speedups: ModuleType, headers: Any
) -> None:
    with pytest.raises((TypeError, AttributeError)):
        speedups.encode_edge_headers(headers)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", ("", None)),
        ("example.org", ("example.org", None)),
        ("example.org:8080", ("example.org", 8080)),
        ("example.org:", ("example.org", None)),
        (":80", ("", 80)),
        ("example.org:x", ("example.org", None)),
        ("example.org:-1", ("example.org", None)),
        ("example.org:65535", ("example.org", 65535)),
        ("example.org:65536", ("example.org", None)),
        ("example.org:000080", ("example.org", None)),
        ("example.org:٣", ("example.org", None)),
        ("[::1]", ("::1", None)),
        ("[::1]:8080", ("::1", 8080)),
        ("[::1]8080", ("::1", None)),
        ("[::1", ("::1", None)),
        ("::1", ("::1", None)),
    ],
)
def test_split_host(speedups: ModuleType, host: str, expected: Any) -> None:
    assert speedups.split_host(host) == expected


# --- bodies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "is_base64", "expected"),
    [
        (None, False, b""),
        (None, True, b""),
        ("", True, b""),
        ("hi", False, b"hi"),
        ("é", False, "é".encode()),
        ("\ud800", False, b"?"),
        (b"\xff", False, b"\xff"),
        ("aGk=", True, b"hi"),
        (b"aGk=", True, b"hi"),
        ("aG\nk=", True, b"hi"),
    ],
)
def test_decode_body(speedups: ModuleType, body: Any, is_base64: bool, expected: bytes) -> None:
    assert speedups.decode_body(body, is_base64) == expected


@pytest.mark.parametrize("body", ["a", "aGk", "é", "QUJD" * 1000 + "a"])
def test_base64_without_meaning_is_a_value_error(speedups: ModuleType, body: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        speedups.decode_body(body, True)


@pytest.mark.parametrize("body", [1, ["a"], {"a": "b"}, True])
def test_a_body_that_is_neither_text_nor_bytes_is_an_error(speedups: ModuleType, body: Any) -> None:
    for is_base64 in (True, False):
        with pytest.raises((TypeError, AttributeError)):
            speedups.decode_body(body, is_base64)


TEXT_TYPES = ["text/", "application/json", "+json"]


@pytest.mark.parametrize(
    ("body", "content_type", "content_encoding", "expected"),
    [
        (b"", "image/png", "", ("", False)),
        (b"", "image/png", "gzip", ("", False)),
        (b"hi", "text/plain", "", ("hi", False)),
        (b"hi", "TEXT/HTML; charset=utf-8", "", ("hi", False)),
        (b"{}", "application/json", "", ("{}", False)),
        (b"{}", "application/vnd.me+json; v=1", "", ("{}", False)),
        (b"{}", "application/vnd.me+JSON", "", ("{}", False)),
        (b"hi", "text/plain", "identity", ("hi", False)),
        (b"hi", "text/plain", " Identity ", ("hi", False)),
        (b"hi", "text/plain", "gzip", ("aGk=", True)),
        (b"hi", "text/plain", "br", ("aGk=", True)),
        (b"hi", "image/png", "", ("aGk=", True)),
        (b"hi", "image/png; a=+json", "", ("aGk=", True)),
        (b"hi", "", "", ("aGk=", True)),
        (b"\xff", "text/plain", "", ("/w==", True)),
        ("é".encode(), "text/plain", "", ("é", False)),
    ],
)
def test_encode_body(
    speedups: ModuleType, body: bytes, content_type: str, content_encoding: str, expected: Any
) -> None:
    assert speedups.encode_body(body, content_type, content_encoding, TEXT_TYPES) == expected


# --- response headers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "exclude", "expected"),
    [
        ([], (), ([], "", "")),
        ([[b"A", b"1"], (b"b", b"2")], (), ([("a", "1"), ("b", "2")], "", "")),
        ([[b"a", b"\xe9"]], (), ([("a", "é")], "", "")),
        ([[b"a", b"1"], [b"B", b"2"]], ["b"], ([("a", "1")], "", "")),
        (
            [[b"Content-Type", b"a/b"], [b"content-type", b"c/d"], [b"Content-Encoding", b"br"]],
            (),
            (
                [("content-type", "a/b"), ("content-type", "c/d"), ("content-encoding", "br")],
                "a/b",
                "br",
            ),
        ),
        ([[b"content-type", b"a/b"]], ["content-type"], ([], "a/b", "")),
        ([[b"content-encoding", b"br"]], ["content-encoding"], ([], "", "br")),
    ],
)
def test_decode_headers(speedups: ModuleType, headers: Any, exclude: Any, expected: Any) -> None:
    assert speedups.decode_headers(headers, exclude) == expected


REPEATED = [
    ("a", "1"),
    ("set-cookie", "x"),
    ("b", "2"),
    ("a", "3"),
    ("set-cookie", "y"),
    ("a", "4"),
]


def test_split_headers(speedups: ModuleType) -> None:
    multiple = {"a": ["1", "3", "4"], "set-cookie": ["x", "y"]}
    assert speedups.split_headers(REPEATED) == ({"b": "2"}, multiple)
    assert speedups.split_headers([]) == ({}, {})


def test_fold_headers(speedups: ModuleType) -> None:
    assert speedups.fold_headers(REPEATED) == ({"a": "1,3,4", "b": "2"}, ["x", "y"])
    assert speedups.fold_headers([]) == ({}, [])


def test_group_headers(speedups: ModuleType) -> None:
    grouped = {"a": ["1", "3", "4"], "set-cookie": ["x", "y"], "b": ["2"]}
    assert speedups.group_headers(REPEATED) == grouped
    assert speedups.group_headers([]) == {}


# --- what an application sends ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, []),
        ((), []),
        ([(b"A", b"1"), [b"b", b"2"]], [(b"A", b"1"), [b"b", b"2"]]),
        (((b"a", b"1"),), [(b"a", b"1")]),
        ({(b"a", b"1"): None}, [(b"a", b"1")]),
        ([(bytearray(b"a"), memoryview(b"1"))], [[b"a", b"1"]]),
        ([{b"a": 0, b"b": 0}], [[b"a", b"b"]]),
        ([(b"", b"\xff")], [(b"", b"\xff")]),
    ],
)
def test_copy_headers(speedups: ModuleType, headers: Any, expected: Any) -> None:
    assert speedups.copy_headers(headers) == expected


def test_copy_headers_keeps_tuples_and_copies_lists(speedups: ModuleType) -> None:
    headers = [(b"a", b"1"), [b"b", b"2"]]
    copy = speedups.copy_headers(headers)
    assert copy is not headers
    assert copy[0] is headers[0]
    assert copy[1] is not headers[1]


def test_copy_headers_takes_an_iterator(speedups: ModuleType) -> None:
    assert speedups.copy_headers(iter([(b"a", b"1")])) == [(b"a", b"1")]


@pytest.mark.parametrize(
    "headers",
    [
        1,
        "ab",
        b"ab",
        [b"ab"],
        [("a", "b")],
        [(b"a",)],
        [(b"a", b"b", b"c")],
        [(b"a", None)],
        [None],
    ],
)
def test_headers_that_are_no_pairs_of_bytes_are_type_errors(
    speedups: ModuleType, headers: Any
) -> None:
    with pytest.raises(TypeError, match=r"headers are pairs of bytes"):
        speedups.copy_headers(headers)


@pytest.mark.parametrize("forbidden", [b"\r", b"\n", b"\0", b"a\r\nb: c"])
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_line_break_or_a_zero_byte_in_a_header_is_a_value_error(
    speedups: ModuleType, kind: type, forbidden: bytes
) -> None:
    for header in ([b"a", forbidden], [forbidden, b"a"]):
        with pytest.raises(ValueError, match=r"a line break or a zero byte in a header"):
            speedups.copy_headers([(b"fine", b"fine"), kind(header)])


@pytest.mark.parametrize(
    ("headers", "body", "exclude", "default", "expected"),
    [
        ([], b"", [], "", ([], "", False)),
        ([], b"hi", [], "", ([], "aGk=", True)),
        (
            [(b"Content-Type", b"text/plain")],
            b"hi",
            [],
            "",
            ([("content-type", "text/plain")], "hi", False),
        ),
        ([(b"content-type", b"text/plain")], b"hi", ["content-type"], "", ([], "hi", False)),
        ([], b"hi", [], "text/a", ([("content-type", "text/a")], "hi", False)),
        ([], b"", [], "text/a", ([], "", False)),
        ([], b"hi", ["content-type"], "text/a", ([], "hi", False)),
        (
            [(b"content-type", b"")],
            b"hi",
            [],
            "text/a",
            ([("content-type", ""), ("content-type", "text/a")], "hi", False),
        ),
        (
            [(b"content-type", b"image/png")],
            b"hi",
            [],
            "text/a",
            ([("content-type", "image/png")], "aGk=", True),
        ),
    ],
)
def test_decode_response(
    speedups: ModuleType, headers: Any, body: bytes, exclude: Any, default: str, expected: Any
) -> None:
    response = {"status": 200, "headers": headers, "body": body}
    assert speedups.decode_response(response, exclude, TEXT_TYPES, default) == expected
    if not default:
        assert speedups.decode_response(response, exclude, TEXT_TYPES) == expected
