"""What the sources lose or change on the way of a request to the application, and of its answer to
the client, row by row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, urlencode

from mangum.local.messages import Answer, Pairs, Request

ALL = ("rest", "http", "http-1", "url", "alb", "alb-multi", "lattice", "lattice-1", "edge")
JOINED = {"http": ",", "url": ",", "lattice-1": ", "}
"""Between the values of a repeated header."""

TEXT = ("text/plain", "application/json")  # of those that are drawn
PATH_SAFE = "/!$&'()*+,;=:@~"
HOP_BY_HOP = ("te", "transfer-encoding")


@dataclass(frozen=True)
class Seen:
    """What an application sees of a request."""

    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    client: tuple[str, int]
    server: tuple[str, int]
    scheme: str
    http_version: str

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    def without(self, *names: bytes) -> list[tuple[bytes, bytes]]:
        return [pair for pair in self.headers if pair[0] not in names]


def on_a_server(request: Request) -> Seen:
    """The scope that uvicorn makes of the request."""
    return Seen(
        request.method,
        unquote(request.path),
        request.path.encode("latin-1"),
        request.query.encode("latin-1"),
        [(name.encode(), value.encode("latin-1")) for name, value in request.headers],
        request.body,
        request.client,
        request.server,
        request.scheme,
        request.http_version,
    )


@dataclass(frozen=True)
class Loss:
    what: str
    sources: Iterable[str]
    change: Callable[[Seen, str], Seen]
    example: dict[str, Any] = field(default_factory=dict)
    """Of a request that shows it."""


def _forwarded(seen: Seen, source: str) -> Seen:
    """Their values are tested where events are; here it counts that nothing else is added."""
    hops = [*seen.values(b"x-forwarded-for"), seen.client[0].encode()]
    separate = source == "alb-multi"
    addresses = b", ".join(hops).split(b",") if separate else [b", ".join(hops)]
    pairs = [
        *seen.without(b"x-forwarded-for"),
        *((b"x-forwarded-for", ip.strip()) for ip in addresses),
    ]
    if source == "edge":
        pairs.append((b"cloudfront-forwarded-proto", seen.scheme.encode()))
    else:
        pairs.append((b"x-forwarded-port", str(seen.server[1]).encode()))
        pairs.append((b"x-forwarded-proto", seen.scheme.encode()))
    return replace(seen, headers=pairs)


def _tls(seen: Seen, source: str) -> Seen:
    if seen.scheme != "https":
        return seen
    suite = (b"x-amzn-tls-cipher-suite", b"TLS_AES_128_GCM_SHA256")
    return replace(seen, headers=[*seen.headers, suite, (b"x-amzn-tls-version", b"TLSv1.3")])


def _server(seen: Seen, source: str) -> Seen:
    host = (seen.values(b"host") or [b"mangum"])[-1].decode()
    name, _, port = host.partition(":")
    default = {"https": 443, "http": 80}[seen.scheme] if source == "edge" else seen.server[1]
    return replace(seen, server=(name, int(port or default)))


def _length(seen: Seen, source: str) -> Seen:
    pairs = seen.without(b"content-length")
    if source != "rest" and (seen.body or source != "url"):
        pairs.append((b"content-length", str(len(seen.body)).encode()))
    return replace(seen, headers=pairs)


def _utf8(seen: Seen, source: str) -> Seen:
    return replace(
        seen,
        headers=[(name, value.decode("utf-8", "replace").encode()) for name, value in seen.headers],
    )


def _last(seen: Seen, source: str) -> Seen:
    return replace(seen, headers=[*dict(seen.headers).items()])


def _join(seen: Seen, source: str) -> Seen:
    separator = JOINED[source].encode()
    names = dict.fromkeys(name for name, _ in seen.headers if name != b"cookie")
    cookies = [pair for pair in seen.headers if pair[0] == b"cookie"]
    joined = [(name, separator.join(seen.values(name))) for name in names]
    return replace(seen, headers=joined + cookies)


def _cookie(seen: Seen, source: str) -> Seen:
    cookies = seen.values(b"cookie")
    separator = b", " if source == "lattice-1" else b"; "
    pair = [(b"cookie", separator.join(cookies))] if cookies else []
    return replace(seen, headers=seen.without(b"cookie") + pair)


def _cookie_array(seen: Seen, source: str) -> Seen:
    pieces = [piece.strip() for value in seen.values(b"cookie") for piece in value.split(b";")]
    cookies = b"; ".join(filter(None, pieces))
    if source == "url" and not cookies:  # there is the header beside the array
        return _cookie(seen, source)
    pair = [(b"cookie", cookies)] if cookies else []
    return replace(seen, headers=seen.without(b"cookie") + pair)


def _decoded_path(seen: Seen, source: str) -> Seen:
    return replace(seen, raw_path=quote(seen.path, safe=PATH_SAFE).encode())


def _one_slash(seen: Seen, source: str) -> Seen:
    raw_path = re.sub(rb"^/+", b"/", seen.raw_path)
    return replace(seen, raw_path=raw_path, path=unquote(raw_path.decode()))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _split(query: bytes) -> Pairs:
    pieces = (piece.partition("=") for piece in query.decode().split("&") if piece)
    return [(key, value) for key, _, value in pieces]


def _decoded_query(seen: Seen, source: str) -> Seen:
    pairs = [(unquote_plus(key), unquote_plus(value)) for key, value in _split(seen.query)]
    values = dict(pairs) if source == "lattice-1" else _grouped(pairs)
    return replace(seen, query=urlencode(values, doseq=True).encode())


def _split_query(seen: Seen, source: str) -> Seen:
    pairs = _split(seen.query)
    groups = _grouped(pairs) if source == "alb-multi" else _grouped(dict(pairs).items())
    return replace(
        seen,
        query="&".join(f"{key}={one}" for key, values in groups.items() for one in values).encode(),
    )


def _text_body(seen: Seen, source: str) -> Seen:
    kind = b"".join(seen.values(b"content-type")[:1]).decode()
    if source != "rest" and kind not in TEXT:
        return seen
    return replace(seen, body=seen.body.decode("utf-8", "replace").encode())


BYTES = b"a\xff"
LOSSES = (
    Loss(
        "hop-by-hop headers are the connection's",
        ALL,
        lambda seen, source: replace(
            seen,
            headers=seen.without(
                b"te", b"transfer-encoding", *([] if source.startswith("alb") else [b"connection"])
            ),
        ),
        {"headers": [("te", "trailers")]},
    ),
    Loss("a header that is not UTF-8 gets U+FFFD", ALL, _utf8, {"headers": [("x-a", "a\xff")]}),
    Loss(
        "the length is written anew, or not sent at all",
        ("rest", "http", "http-1", "url"),
        _length,
        {"body": b"a", "headers": [("content-length", "7")]},
    ),
    Loss("forwarding headers are added", ALL, _forwarded),
    Loss("a function URL tells of TLS", ("url",), _tls, {"scheme": "https"}),
    Loss("the server is what the Host header says", ALL, _server, {"headers": [("host", "a:81")]}),
    Loss(
        "the client's port is not told",
        ALL,
        lambda seen, source: replace(seen, client=(seen.client[0], 0)),
    ),
    Loss(
        "of a repeated header the last value is told",
        ("alb",),
        _last,
        {"headers": [("x-a", "1"), ("x-a", "2")]},
    ),
    Loss(
        "cookies are told in an array",
        ("http", "url"),
        _cookie_array,
        {"headers": [("cookie", "a=1;b=2")]},
    ),
    Loss(
        "several headers of cookies are one",
        ("rest", "http-1", "alb-multi", "lattice", "lattice-1", "edge"),
        _cookie,
        {"headers": [("cookie", "a=1"), ("cookie", "b=2")]},
    ),
    Loss(
        "values of a repeated header are joined",
        JOINED,
        _join,
        {"headers": [("x-a", "1"), ("x-a", "2")]},
    ),
    Loss("the path is told decoded", ("http",), _decoded_path, {"path": "/%7Ea"}),
    Loss("slashes at the beginning become one", ("rest",), _one_slash, {"path": "//a"}),
    Loss(
        "the query is told decoded, by its keys",
        ("rest", "http-1", "lattice", "lattice-1"),
        _decoded_query,
        {"query": "a=%7E&b=1&a=3"},
    ),
    Loss(
        "the query is told by its keys", ("alb", "alb-multi"), _split_query, {"query": "a=1&&b&a=2"}
    ),
    Loss(
        "a text that is not UTF-8 gets U+FFFD",
        ("rest", "http", "http-1", "url", "alb", "alb-multi", "lattice", "lattice-1"),
        _text_body,
        {"body": BYTES, "headers": [("content-type", "text/plain")]},
    ),
    Loss(
        "the version of HTTP is not told",
        ("alb", "alb-multi", "lattice", "lattice-1", "edge"),
        lambda seen, source: replace(seen, http_version="1.1"),
        {"http_version": "2"},
    ),
)
"""In the order in which they happen."""


def expected(request: Request, source: str) -> Seen:
    """What an application sees behind the source."""
    seen = on_a_server(request)
    for loss in LOSSES:
        if source in loss.sources:
            seen = loss.change(seen, source)
    return seen


# --- answers ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AnswerLoss:
    what: str
    sources: Iterable[str]
    change: Callable[[Answer, str], Answer]
    example: dict[str, Any]


def _drop(names: Iterable[str]) -> Callable[[Answer, str], Answer]:
    return lambda answer, source: replace(
        answer, headers=[pair for pair in answer.headers if pair[0] not in names]
    )


def _typed(answer: Answer, source: str) -> Answer:
    if answer.header("content-type"):
        return answer
    kind = "text/plain; charset=utf-8" if source.startswith("http") else "application/json"
    untyped = [pair for pair in answer.headers if pair[0] != "content-type"]
    return replace(answer, headers=[*untyped, ("content-type", kind)])


def _remapped(answer: Answer, source: str) -> Answer:
    names = ("content-length", "server", "www-authenticate")
    return replace(
        answer,
        headers=[
            (f"x-amzn-remapped-{name}" if name in names else name, value)
            for name, value in answer.headers
        ],
    )


def _joined(answer: Answer, source: str) -> Answer:
    cookies = [pair for pair in answer.headers if pair[0] == "set-cookie"]
    groups = _grouped(pair for pair in answer.headers if pair[0] != "set-cookie")
    joined = [(name, ",".join(values)) for name, values in groups.items()]
    return replace(answer, headers=joined + cookies)


ANSWER_LOSSES = (
    AnswerLoss(
        "values of a repeated header are joined",
        ("http", "url", "alb", "lattice", "lattice-1"),
        _joined,
        {"headers": [("vary", "a"), ("vary", "b")]},
    ),
    AnswerLoss(
        "CloudFront writes it itself",
        ("edge",),
        _drop(("via", "content-length")),
        {"headers": [("via", "1.1 me")]},
    ),
    AnswerLoss("some names are remapped", ("rest",), _remapped, {"headers": [("server", "me")]}),
    AnswerLoss("a type is added", ("rest", "http", "http-1", "url"), _typed, {"headers": []}),
    AnswerLoss(
        "the length is written anew",
        ALL,
        _drop(("content-length",)),
        {"headers": [("content-length", "9")]},
    ),
)


def expected_answer(answer: Answer, source: str) -> Answer:
    """What a client of the source gets."""
    for loss in ANSWER_LOSSES:
        if source in loss.sources:
            answer = loss.change(answer, source)
    return answer
