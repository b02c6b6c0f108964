"""The request side that all services share: pieces of a request as an event holds them.

A request's texts are latin-1, a character for each byte; those of an event are what its JSON shows.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterable
from urllib.parse import quote_from_bytes, unquote_plus

from mangum.cli.context import ACCOUNT_ID
from mangum.local.messages import Deployment, Pairs, Request

API_ID = "abcdefghij"
HOP_BY_HOP = frozenset(
    (
        "connection",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
"""Headers of one connection, which no service passes on."""

TEXT_TYPES = frozenset(("application/javascript", "application/json", "application/xml"))
"""The media types beside `text/*` whose bodies are sent as they are, all others as base64.

Documented for load balancers and VPC Lattice, and what HTTP APIs were seen to do.
"""

_OWN_HEADERS = frozenset(("x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"))
_VISIBLE = bytes(range(0x21, 0x7F))
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class NotRouted(Exception):
    """The path is outside the stage or the base path, so that no function is called."""


def read_text(latin: str) -> str:
    """A header's value. What AWS makes of bytes that are not UTF-8 is not known; they are replaced
    here."""
    return latin.encode("latin-1", "replace").decode("utf-8", "replace")


def ascii_url(latin: str) -> str:
    """A path or a query string, with whatever can't stand in a URL percent-encoded."""
    return quote_from_bytes(latin.encode("latin-1", "replace"), safe=_VISIBLE)


def path_of(request: Request) -> str:
    path = ascii_url(request.path)
    return path if path.startswith("/") else f"/{path}"


def below(path: str, prefix: str) -> str:
    """The path behind a prefix of whole segments, `""` if there is nothing. Raises `NotRouted`."""
    if path == prefix or path.startswith(f"{prefix}/"):
        return path[len(prefix) :]
    raise NotRouted(f"the path does not begin with {prefix}")


def query_pairs(request: Request) -> Pairs:
    """The keys and values of the query string, decoded."""
    return [(_decode(key), _decode(value)) for key, value in raw_query_pairs(request)]


def raw_query_pairs(request: Request) -> Pairs:
    """The keys and values of the query string, as sent."""
    pieces = (piece.partition("=") for piece in ascii_url(request.query).split("&") if piece)
    return [(key, value) for key, _, value in pieces]


def lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def joined(pairs: Iterable[tuple[str, str]], separator: str) -> dict[str, str]:
    return {name: separator.join(values) for name, values in lists(pairs).items()}


def passed_headers(request: Request, dropped: frozenset[str] = HOP_BY_HOP) -> Pairs:
    """The client's headers, and those that a service writes itself; names are in lower case."""
    sent = [(name.lower(), read_text(value)) for name, value in request.headers]
    pairs = [pair for pair in sent if pair[0] not in dropped and pair[0] not in _OWN_HEADERS]
    if not any(name == "x-amzn-trace-id" for name, _ in sent):
        pairs.append(("x-amzn-trace-id", trace_id(request)))
    hops = [value for name, value in sent if name == "x-forwarded-for"]
    return [
        *pairs,
        ("x-forwarded-for", ", ".join([*hops, request.client[0]])),
        ("x-forwarded-port", str(request.server[1])),
        ("x-forwarded-proto", request.scheme),
    ]


def with_length(pairs: Pairs, request: Request) -> Pairs:
    """The headers with the body's length, which they may lack if it came in chunks."""
    rest = [pair for pair in pairs if pair[0] != "content-length"]
    return [*rest, ("content-length", str(len(request.body)))]


def title(name: str) -> str:
    """A header's name as HTTP/1.1 clients write it, `Content-Type`."""
    return "-".join(word.capitalize() for word in name.split("-"))


def host_of(request: Request) -> str:
    """The host that the client names, without a port."""
    host = read_text(request.header("host")).strip() or request.server[0]
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0] or request.server[0]


def user_agent_of(request: Request) -> str:
    return read_text(request.header("user-agent"))


def media_type_of(request: Request) -> str:
    return request.header("content-type").partition(";")[0].strip().lower()


def is_text(request: Request) -> bool:
    """Whether the body's type is one of those that are sent as they are."""
    media_type = media_type_of(request)
    return media_type.startswith("text/") or media_type in TEXT_TYPES


def encode_body(request: Request, as_text: bool) -> tuple[str, bool]:
    """The body as text, and whether that is base64; an empty one never is.

    The type alone decides, so that bytes which are not UTF-8 are lost in a text, as on AWS.
    """
    if as_text or not request.body:
        return request.body.decode("utf-8", "replace"), False
    return base64.b64encode(request.body).decode("ascii"), True


# What AWS makes up


def account_of(deployment: Deployment) -> str:
    parts = deployment.function_arn.split(":")
    return parts[4] if len(parts) > 4 and parts[4] else ACCOUNT_ID


def token(request: Request) -> bytes:
    """16 bytes that are the request's own."""
    return hashlib.sha256(request.request_id.encode("utf-8", "replace")).digest()[:16]


def short_id(request: Request) -> str:
    """An id in the style of HTTP APIs, `JKJaXmPLvHcESHA=`."""
    return base64.urlsafe_b64encode(token(request)[:11]).decode("ascii")


def trace_id(request: Request) -> str:
    return f"Root=1-{int(request.time_s):08x}-{token(request).hex()[:24]}"


def clock_time(request: Request) -> str:
    """`10/Jul/2026:19:19:04 +0000`, in any locale."""
    moment = time.gmtime(request.time_s)
    month = _MONTHS[moment.tm_mon - 1]
    return time.strftime(f"%d/{month}/%Y:%H:%M:%S +0000", moment)


def epoch_ms(request: Request) -> int:
    return int(request.time_s * 1000)


def protocol_of(request: Request) -> str:
    version = request.http_version
    return f"HTTP/{version}" if "." in version else f"HTTP/{version}.0"


def _decode(encoded: str) -> str:
    return unquote_plus(encoded, errors="replace")
