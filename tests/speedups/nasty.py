"""Texts and other values that are awkward on purpose: drawn, and listed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from mangum import options
from mangum._speedups.constants import MIN_SIMD_BASE64_BYTES

NASTY = '\ud800\udfff\0%+&=;:, /?#[]"\\\t\r\n~-_.é€😀\u0130\u202e\x7f\x80\xffaAfF09'
"""Lone surrogates, NUL, what URLs and headers treat specially, non-ASCII, hexadecimal digits."""

texts = st.text(NASTY) | st.text()
escapes = st.lists(
    st.sampled_from(["%", "%2", "%zz", "%25", "%2F", "%ff", "%C3%A9", "%e2%82", "+", "é", "a"])
    | texts,
    max_size=6,
).map("".join)
"""Percent-encoded text, well or badly."""


def without_surrogates(text: str) -> str:
    """What is left of a text when it has been written as UTF-8."""
    return re.sub("[\ud800-\udfff]", "?", text)


# --- values -----------------------------------------------------------------------------------


class Text(str):
    """Subclasses of what events are made of: no exact types, but good values."""

    __slots__ = ()


class Object(dict[Any, Any]):
    pass


class Listing(list[Any]):
    pass


class Data(bytes):
    pass


def nested(levels: int) -> list[Any]:
    value: list[Any] = ["x"]
    for _ in range(levels):
        value = [value]
    return value


TEXTS: list[Any] = [
    "",
    "a",
    "/",
    "a b",
    "a/b",
    "//",
    "/a/b",
    "/a%20b",
    "/a%2Fb%zz%",
    "/%C3%A9%ff%e2%82",
    "/%%41%4",
    "/é",
    "/a\ud800b",
    "\udfff",
    "😀",
    "\u0130",
    "é",
    "\0",
    "a\0b",
    "\t a \x1c",
    "\x85a\xa0",
    "+%2B +",
    "?a#b&c=d;e",
    "a" * 63,
    "A" * 64,
    "a" * 65,
    "Ab" * 100,
    "é" * 64,
    ",",
    "a, b",
    " , b ,",
    "443",
    "0443",
    "65536",
    "99999999999",
    "-1",
    "٣",
    "443,80",
    "http",
    "HTTPS, http",
    "ftp",
    "example.org",
    "example.org:8080",
    "example.org:",
    ":80",
    "[::1]",
    "[::1]:8080",
    "[::1",
    "::1",
    "203.0.113.1, 198.51.100.2:4711",
    "text/plain",
    " TEXT/html ; charset=utf-8",
    "application/problem+json; q=1",
    "application/x;+json",
    "text/" + "x" * 130,
    "HTTP/2",
    "1.0",
    "2.0",
    "$default",
    "prod",
    "x.lambda-url.y",
    "d-1.execute-api.y",
    "gzip",
    " Identity ",
]
NO_TEXTS: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    float("nan"),
    10**400,
    10**5000,  # beyond what str() takes
    b"",
    b"a",
    bytearray(b"a"),
    memoryview(b"a"),
    Text(""),
    Text("/a%20b"),
    [],
    ["a"],
    ["a", "b"],
    ["a", "é"],
    ["a", "\ud800"],
    ["a", None],
    [None],
    [1, 2.5, True],
    [["a"]],
    [b"a"],
    [Text("a")],
    ("a",),
    ("a", "b"),
    (),
    Listing(["a", "b"]),
    nested(5),
    {},
    {"a": "b"},
    {"a": ["b"]},
    Object(a="b"),
    {"a"},
    object(),
]
VALUES = [*TEXTS, *NO_TEXTS]


def maps() -> Iterator[Any]:
    """Headers and parameters: each awkward value once as a value and, where it can be, as a name;
    and what only several of them make up."""
    for value in VALUES:
        yield {"a": value}
        yield {"Host": "b", "X-A": value, "c": "d"}
        yield {"a": [value]}
        yield {"a": ["b", value]}
        if isinstance(value, (str, int, float, bytes, tuple)):
            yield {value: "b"}
            yield {value: ["b", "c"]}
            yield {"a": "b", value: ["c"], "A": "d"}
    for name in ("Host", "X-Forwarded-For", "x-forwarded-port", "X-FORWARDED-PROTO", "cookie"):
        for value in TEXTS:
            yield {name: value}
            yield {name: [value]}
            yield {name: ["a", value], "b": ["c"]}
    yield from (None, {}, [], (), "", "ab", 0, 1, True, ["a"], [("a", "b")], b"a", object())
    yield Object(a="b", c=["d", "e"])
    yield {"A": "1", "a": "2"}
    yield {"A": ["1"], "a": ["2", "3"], "b": ["4"]}
    yield {"b": ["1"], "A": ["2"], "a": []}
    yield {"Cookie": "a=1", "cookie": "b=2"}
    yield {"Cookie": ["a=1", "b=2"], "x": ["1", "2"]}
    for number in (95, 96, 97, 200):
        yield {f"x-{index}": str(index) for index in range(number)}
        yield {f"X-{index}": [str(index), "é"] for index in range(number)}
    for length in (63, 64, 65, 200):
        yield {"N" * length: "v" * length, "n" * (length - 1): "w"}
        yield {"é" * length: "é" * length}
        yield {"a" * length: ["b"], "A" * length: ["c"]}


def pairs_of_maps() -> Iterator[tuple[Any, Any]]:
    """The two maps of one event: `headers` and `multiValueHeaders`."""
    for value in islice(maps(), 0, None, 2):
        yield None, value
        yield value, None
        yield value, {}
        yield {}, value
        yield value, value
        yield {"a": "z"}, value
        yield value, {"a": ["y", "z"]}
        if isinstance(value, dict) and value:
            yield dict.fromkeys(value, "z"), value  # the same names in the same order
            yield dict.fromkeys([*value][::-1], "z"), value
            yield dict.fromkeys([*value, "more"], "z"), value
            yield dict.fromkeys([*value][1:], "z"), value
            yield {str(name).swapcase(): "z" for name in value if name != 10**5000}, value


RESPONSE_HEADERS: list[Any] = [
    (),
    [],
    None,
    1,
    "ab",
    b"ab",
    {"a": "b"},
    [(b"a", b"b")],
    [[b"a", b"b"]],
    ((b"a", b"b"), [b"c", b"d"]),
    Listing([(b"a", b"b")]),
    [Listing([b"a", b"b"])],
    [(b"A", b"1"), (b"a", b"2"), (b"A", b"3")],
    [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"vary", b"x"), (b"Vary", b"y")],
    [(b"set-cookie", b"a=1")],
    [(b"Content-Type", b"text/plain")],
    [(b"content-type", b""), (b"content-type", b"text/plain")],
    [(b"content-type", b"text/plain"), (b"content-type", b"image/png")],
    [(b"content-type", b"image/png"), (b"a", b"b")],
    [(b"content-type", b" text/plain")],
    [(b"content-type", b"application/a+JSON ; a=b")],
    [(b"content-type", b"text/caf\xe9")],
    [(b"content-type", b"text/" + b"x" * 130)],
    [(b"content-type", b"text/plain"), (b"content-encoding", b"gzip")],
    [(b"content-type", b"text/plain"), (b"content-encoding", b"")],
    [(b"content-encoding", b" IDENTITY "), (b"content-type", b"text/plain")],
    [(b"content-encoding", b""), (b"content-encoding", b"br"), (b"content-type", b"text/plain")],
    [(b"\xc9", b"\xe9\xff")],
    [(b"a", b"\xe9"), (b"\xe9", b"a"), (b"\xc9", b"b")],
    [(b"", b"")],
    [(b"a\0", b"b")],
    [(b"a", b"b\r\nc: d")],
    [(b"a\n", b"b")],
    [(b"a", b"\r")],
    *[[(b"N" * length, b"v" * length), (b"n" * length, b"w")] for length in (63, 64, 65, 200)],
    [(b"x-%d" % index, b"v") for index in range(300)],
    [(b"a",)],
    [(b"a", b"b", b"c")],
    [()],
    [[]],
    [b"ab"],
    ["ab"],
    [("a", "b")],
    [(b"a", "b")],
    [("a", b"b")],
    [[b"a", None]],
    [(b"a", 1)],
    [(bytearray(b"A"), memoryview(b"b"))],
    [[bytearray(b"A"), bytearray(b"b")]],
    [(Data(b"A"), b"b")],
    [[b"a", Data(b"B")]],
    [(b"a", b"b"), None],
    [(b"a", b"\n"), (b"c", "d")],
    [{b"a": 1, b"b": 2}],
]

TEXT_PAIRS: list[Any] = [
    None,
    1,
    (),
    [],
    "ab",
    [("a", "1")],
    (("a", "1"), ("a", "2")),
    [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("a", "5")],
    [("set-cookie", "a"), ("a", "1"), ("set-cookie", "b")],
    [("Set-Cookie", "a"), ("set-cookie", "b")],
    [("é", "1"), ("é", "2"), ("\ud800", "3")],
    [("a", 1), ("b", None)],
    [("a", 1), ("a", 2)],
    [("a", None), ("a", None)],
    [(1, "a"), (1, "b")],
    [(1, "a"), (True, "b"), (1.0, "c")],
    [([], "a")],
    [["a", "1"], ["a", "2"]],
    [(Text("a"), "1"), ("a", "2")],
    [(Text("set-cookie"), "1")],
    [("a",)],
    [("a", "b", "c")],
    ["ab", "cd"],
    [None],
    Listing([("a", "1"), ("a", "2")]),
    {"ab": "cd"},
]

BODIES: list[Any] = [
    b"",
    b"hi",
    "é".encode(),
    b"\xff",
    b"caf\xe9",
    b"\xed\xa0\x80",  # a lone surrogate
    b"\0",
    b"x" * (MIN_SIMD_BASE64_BYTES - 1),
    b"\xff" * MIN_SIMD_BASE64_BYTES,
    Data(b"hi"),
    bytearray(b"hi"),
    memoryview(b"\xff"),
    "hi",
    "",
    None,
    0,
    1,
    [],
    [b"hi"],
]

BASE64: list[Any] = [
    "aGk=",
    "aGk",
    "aG\nk=",
    " aGk= ",
    "aGk==",
    "-_8=",
    "a",
    "=",
    "é",
    "\ud800",
    "QUJD" * MIN_SIMD_BASE64_BYTES,
    "QUJD" * MIN_SIMD_BASE64_BYTES + "\n",
    "QUJD" * MIN_SIMD_BASE64_BYTES + "a",
    "é" * MIN_SIMD_BASE64_BYTES,
    b"aGk=",
    b"a",
    b"QUJD" * MIN_SIMD_BASE64_BYTES,
    bytearray(b"aGk="),
    *VALUES,
]

EXCLUDES: list[Any] = [
    [],
    (),
    ["a"],
    ["content-type"],
    ("content-type", "a"),
    {"a"},
    ["A", "set-cookie", "vary"],
    ["é", "", "x-1"],
    Listing(["a"]),
    [1, None],
    "a",
    None,
]

MIME_TYPES: list[Any] = [
    options.DEFAULT_TEXT_MIME_TYPES,
    options.MODERN_TEXT_MIME_TYPES,
    [],
    (),
    ["Text/", "+JSON", "+"],
    ["+json"],
    [""],
    ["text/plain; charset=utf-8"],
    ["é", "text/"],
    ["text/", "é"],
    ["text/caf\xc9"],
    ["x" * 200, "text/"],
    ["+" + "x" * 200, "+json"],
    [Text("text/")],
    [None],
    ["text/", None],
    [b"text/"],
    ("text/",),
    Listing(["text/"]),
    "text/",
    None,
]


# --- configurations ---------------------------------------------------------------------------


def config(edition: Any = "classic", **changed: Any) -> dict[str, Any]:
    """The adapter's options, as handlers see them."""
    return {
        "api_gateway_base_path": "/",
        "text_mime_types": options.text_mime_types(edition, None, None),
        "exclude_headers": [],
        "edition": edition,
        "forwarded_host": None,
        "root_path": None,
        "events_path": None,
        **changed,
    }


_CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"api_gateway_base_path": "/a"},
    {"api_gateway_base_path": "prod/"},
    {"api_gateway_base_path": ""},
    {"api_gateway_base_path": None},
    {"api_gateway_base_path": "/é"},
    {"root_path": ""},
    {"root_path": "/"},
    {"root_path": "/a/"},
    {"root_path": "prod"},
    {"api_gateway_base_path": "/prod/a", "root_path": "/é"},
    {"forwarded_host": "X-Forwarded-Host"},
    {"forwarded_host": "host"},
    {"forwarded_host": ""},
    {"exclude_headers": ["vary", "content-type", "set-cookie"]},
    {"text_mime_types": ["TEXT/", "+Xml", "image/svg", "é"]},
    {"text_mime_types": []},
)
BARE = {"api_gateway_base_path": "/", "text_mime_types": ["text/"], "exclude_headers": []}
"""What is always there, also in the configuration of someone else's adapter."""

USUAL = [config(edition, **change) for edition in options.EDITIONS for change in _CHANGES]
CONFIGS: list[dict[str, Any]] = [
    *USUAL,
    config(events_path="/events"),
    BARE,
    {**BARE, "edition": None},
    Object(config()),
    Object(config("2026")),
]


# --- drawn ------------------------------------------------------------------------------------

header_names = (
    st.sampled_from(
        "Host host HOST Cookie cookie X-Forwarded-For x-forwarded-for X-Forwarded-Port"
        " X-Forwarded-Proto X-Forwarded-Host Accept accept content-type x-amzn-tls-version".split()
    )
    | st.text("abAB-", max_size=3)
    | texts
    | st.integers(60, 70).map("N".__mul__)
)
leaves = texts | st.sampled_from(VALUES) | st.sampled_from(TEXTS)
listings = st.lists(texts, max_size=3) | st.lists(leaves, max_size=3)
header_maps = (
    st.dictionaries(header_names, texts, max_size=6)
    | st.dictionaries(header_names, listings, max_size=6)
    | st.dictionaries(header_names, leaves | listings, max_size=4)
    | st.integers(90, 100).map(lambda number: {f"X-{it}": ["a"] for it in range(number)})
    | st.none()
    | leaves
)
parameter_maps = (
    st.dictionaries(escapes, escapes, max_size=4)
    | st.dictionaries(escapes, st.lists(escapes, max_size=3), max_size=4)
    | st.dictionaries(escapes, leaves | listings, max_size=4)
    | st.none()
    | leaves
)
response_headers = st.lists(
    st.tuples(
        st.sampled_from(
            [b"Content-Type", b"content-type", b"Content-Encoding", b"Set-Cookie", b"set-cookie"]
        )
        | st.text("abAB", max_size=2).map(str.encode)
        | st.binary(max_size=70),
        st.sampled_from([b"text/plain", b"a/b+json;c", b"IMAGE/png", b"gzip", b"identity", b""])
        | st.binary(max_size=8),
    )
    | st.lists(st.binary(max_size=4), min_size=2, max_size=2),
    max_size=8,
)
mime_types = st.lists(
    st.sampled_from(["text/", "TEXT/PLAIN", "+json", "+", "", "image/", "é"]) | texts, max_size=4
)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "elb": st.just({"targetGroupArn": "a"}),
        "http": st.fixed_dictionaries(
            {"method": st.just("GET")},
            optional={
                "sourceIp": st.just("203.0.113.1") | leaves,
                "protocol": st.sampled_from(["HTTP/1.1", "HTTP/2"]) | leaves,
                "path": escapes | leaves,
            },
        )
        | leaves,
        "stage": st.sampled_from(["prod", "$default", "a"]) | leaves,
        "path": escapes.map("/prod/".__add__) | leaves,
        "domainName": st.sampled_from(["x.lambda-url.y", "x.execute-api.y", "x.org"]) | leaves,
        "identity": st.fixed_dictionaries(
            {}, optional={"sourceIp": st.just("203.0.113.1") | leaves, "clientCert": leaves}
        )
        | leaves,
        "authentication": st.fixed_dictionaries({}, optional={"clientCert": leaves}) | leaves,
        "protocol": st.sampled_from(["HTTP/1.1", "HTTP/2"]) | leaves,
    },
)
events = st.fixed_dictionaries(
    {
        "requestContext": contexts
        | contexts.map(lambda it: {**it, "http": {"method": "GET", "sourceIp": "::1"}}),
        "httpMethod": st.just("GET") | leaves,
    },
    optional={
        "version": st.sampled_from(["1.0", "2.0", "2.0"]),
        "path": escapes.map("/".__add__) | leaves,
        "rawPath": escapes.map("/".__add__) | leaves,
        "rawQueryString": escapes | leaves,
        "headers": header_maps,
        "multiValueHeaders": header_maps,
        "queryStringParameters": parameter_maps,
        "multiValueQueryStringParameters": parameter_maps,
        "cookies": listings | leaves,
        "body": st.sampled_from(BASE64) | texts,
        "isBase64Encoded": st.booleans() | leaves,
    },
)
"""Events that one of the three common sources sends, or nearly."""
