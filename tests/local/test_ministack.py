"""One function under MiniStack and behind our sources: it sees the same scopes and the clients get
the same answers, but for what a table explains."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from mangum.local.messages import Answer, Deployment, Pairs, Request
from mangum.local.sources import SOURCES
from tests.builders import lambda_context
from tests.local.functions.mirror import handler
from tests.local.ministack import Front, Fronts

CONNECTION = {"alb": ("http", 80), "alb-multi": ("http", 80)}
"""What MiniStack takes a request to have come over, TLS if nothing else is said."""

BINARY_TYPES = ("image/*",)
NOT_COMPARED = ("x-amzn-trace-id", "x-answer")
ADDED = ("date", "content-length", "server", "x-amzn-requestid", "x-amz-request-id",
    "apigw-requestid", "x-amzn-trace-id", "connection")  # fmt: skip
"""Headers that servers write themselves, whatever the answer."""


class Case(NamedTuple):
    method: str = "GET"
    target: str = "/"
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


def answering(status: int, headers: Pairs, body: bytes = b"", accept: str = "*/*") -> Case:
    answer = {"status": status, "headers": headers, "body": base64.b64encode(body).decode()}
    return Case(headers=[("accept", accept), ("x-answer", json.dumps(answer))])


def sending(body: bytes, kind: str = "") -> Case:
    headers = [("content-type", kind)] if kind else []
    return Case("POST", "/", [*headers, ("content-length", str(len(body)))], body)


CASES = {
    "root": Case(),
    "path": Case("PUT", "/items/1"),
    "encoded path": Case(target="/a%20b/%CE%BB"),
    "encoded slash": Case(target="/a%2Fb"),
    "slash at the end": Case(target="/a/"),
    "query": Case(target="/?a=1&b=%CE%BB&c=%2B"),
    "repeated key": Case(target="/?a=1&b=2&a=3"),
    "plus in a query": Case(target="/?a=1+2"),
    "empty value": Case(target="/?a=&b"),
    "repeated header": Case(headers=[("x-a", "1"), ("x-a", "2")]),
    "cookies": Case(headers=[("cookie", "a=1; b=2")]),
    "forwarded": Case(headers=[("x-forwarded-for", "198.51.100.1")]),
    "text": sending("grüße".encode(), "text/plain; charset=utf-8"),
    "JSON": sending(b'{"a": 1}', "application/json"),
    "form": sending(b"a=1", "application/x-www-form-urlencoded"),
    "image": sending(b"\x89PNG", "image/png"),
    "bytes": sending(b"\x89PNG"),
    "created": answering(201, [("content-type", "text/html")], "grüße".encode()),
    "nothing": answering(204, []),
    "no type": answering(200, [], b"hello"),
    "failure": answering(503, [("content-type", "text/plain"), ("retry-after", "1")], b"later"),
    "several values": answering(
        200, [("content-type", "text/plain"), ("vary", "a"), ("vary", "b")]
    ),
    "set cookies": answering(
        200, [("content-type", "text/plain"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
    ),
    "picture": answering(200, [("content-type", "image/png")], b"\x89PNG", accept="image/png"),
}


@pytest.fixture(scope="module")
def fronts() -> Iterator[Fronts]:
    stack = Fronts()
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def deployed(fronts: Fronts) -> dict[str, Front]:
    return fronts.deploy_fronts("mirror.handler")


def ours(source: str, front: Front, case: Case) -> Answer:
    """What a client gets of the function behind our source."""
    path, _, query = f"{front.prefix}{case.target}".partition("?")
    scheme, port = CONNECTION.get(source, ("https", 443))
    request = Request(
        case.method,
        path,
        query,
        [("host", front.host), *case.headers],
        case.body,
        server=("127.0.0.1", port),
        scheme=scheme,
    )
    deployment = Deployment(front.prefix[1:] or None, binary_media_types=BINARY_TYPES)
    event = json.loads(json.dumps(SOURCES[source].encode(request, deployment)))
    result = json.dumps(handler(event, lambda_context()))
    return SOURCES[source].decode(result.encode(), request, deployment)


def differences(theirs: Answer, own: Answer, case: Case) -> set[str]:
    """What is not the same: parts of the answer, and of the scope if the answer shows that."""
    found = set()
    if theirs.status != own.status:
        found.add("status")
    found |= {f"answer's {name}" for name in differing(theirs.headers, own.headers, ADDED)}
    if any(name == "x-answer" for name, _ in case.headers):
        return found | ({"body"} if theirs.body != own.body else set())
    if theirs.status != 200:
        return found
    scopes = json.loads(theirs.body), json.loads(own.body)
    keys = scopes[0].keys() - {"headers"}
    found |= {f"scope's {key}" for key in keys if scopes[0][key] != scopes[1][key]}
    return found | {
        f"scope's {name}"
        for name in differing(scopes[0]["headers"], scopes[1]["headers"], NOT_COMPARED)
    }


def differing(theirs: Any, own: Any, ignored: tuple[str, ...]) -> set[str]:
    """The names of headers that do not have the same values."""
    maps: list[dict[str, list[str]]] = [{}, {}]
    for values, pairs in zip(maps, (theirs, own), strict=True):
        for name, value in pairs:
            values.setdefault(name.lower(), []).append(value)
    names = maps[0].keys() | maps[1].keys()
    remapped = {f"x-amzn-remapped-{name}" for name in ADDED}
    return {
        name
        for name in names
        if name not in ignored and name not in remapped and maps[0].get(name) != maps[1].get(name)
    }


# --- the table ----------------------------------------------------------------------------------

SHOWN = tuple(name for name, case in CASES.items() if "x-answer" not in dict(case.headers))
"""The cases whose answer shows the scope."""


class Difference(NamedTuple):
    what: str
    cases: tuple[str, ...]
    why: str


FORWARDED = "MiniStack adds none; AWS was recorded to send it in every event"
STAGE = "AWS was recorded to tell the stage, which MiniStack leaves out of what applications read: "
REST_STAGE = STAGE + "its REST event says `version` 1.0, as those of HTTP APIs do"
HTTP_STAGE = STAGE + "its `rawPath` does not begin with the named stage"
SPLIT_HEADER = "MiniStack joins the values; AWS was recorded to send each"
JOINED_HEADER = "MiniStack joins the values with a comma and a space, AWS with a comma"
DECODED = "MiniStack decodes the path; AWS was recorded to send it as the client did"
REQUOTED = "MiniStack decodes the query and encodes it again; AWS was recorded to send it raw"

DIFFERENCES: dict[str, tuple[Difference, ...]] = {
    "rest": (
        Difference("scope's path", SHOWN, REST_STAGE),
        Difference("scope's raw_path", SHOWN, REST_STAGE),
        Difference("scope's root_path", SHOWN, REST_STAGE),
        Difference("scope's x-forwarded-for", SHOWN, FORWARDED),
        Difference("scope's x-forwarded-port", SHOWN, FORWARDED),
        Difference("scope's x-forwarded-proto", SHOWN, FORWARDED),
        Difference("scope's client", ("forwarded",), "MiniStack takes the client's word for it"),
        Difference(
            "scope's content-length",
            ("text", "JSON", "form", "image", "bytes"),
            "recordings of AWS's REST APIs have no length",
        ),
        Difference("scope's x-a", ("repeated header",), SPLIT_HEADER),
    ),
    "http": (
        Difference("scope's path", SHOWN, HTTP_STAGE),
        Difference("scope's raw_path", SHOWN, HTTP_STAGE),
        Difference("scope's root_path", SHOWN, HTTP_STAGE),
        Difference("scope's x-forwarded-for", SHOWN, FORWARDED),
        Difference("scope's x-forwarded-port", SHOWN, FORWARDED),
        Difference("scope's x-forwarded-proto", SHOWN, FORWARDED),
        Difference(
            "scope's content-length",
            tuple(name for name in SHOWN if not CASES[name].body),
            "AWS was recorded to send a length of 0",
        ),
        Difference("scope's x-a", ("repeated header",), JOINED_HEADER),
        Difference(
            "answer's content-type",
            ("nothing", "no type"),
            "AWS was recorded to add text/plain; MiniStack adds the type of REST APIs",
        ),
    ),
    "url": (
        Difference("scope's host", SHOWN, "ours is the client's, so that links lead back here"),
        Difference("scope's server", SHOWN, "it is the host"),
        Difference("scope's query", ("repeated key", "plus in a query", "empty value"), REQUOTED),
        Difference("scope's raw_path", ("encoded slash",), DECODED),
        Difference("scope's x-a", ("repeated header",), JOINED_HEADER),
        Difference(
            "scope's x-forwarded-for",
            ("forwarded",),
            "MiniStack keeps the first address; AWS documents that the last is its own",
        ),
    ),
    "alb": (
        Difference("scope's raw_path", ("encoded slash",), DECODED),
        Difference(
            "scope's x-a",
            ("repeated header",),
            "MiniStack joins the values; AWS documents that it sends the last",
        ),
    ),
    "alb-multi": (
        Difference(
            "scope's query",
            ("query", "plus in a query"),
            "MiniStack decodes the query in this mode; AWS documents that it does not",
        ),
        Difference("scope's raw_path", ("encoded slash",), DECODED),
        Difference(
            "scope's x-a",
            ("repeated header",),
            "MiniStack joins the values; AWS documents that it sends each",
        ),
        Difference(
            "scope's x-forwarded-for",
            ("forwarded",),
            "AWS was recorded to send each address as a value of its own",
        ),
    ),
}


@pytest.mark.parametrize("source", DIFFERENCES)
def test_every_difference_is_explained(
    fronts: Fronts, deployed: dict[str, Front], source: str
) -> None:
    front = deployed[source]
    found: dict[str, list[str]] = {}
    for name, case in CASES.items():
        headers = [("host", front.host), *case.headers]
        theirs = fronts.ask(front, case.method, case.target, headers, case.body)
        for difference in differences(theirs, ours(source, front, case), case):
            found.setdefault(difference, []).append(name)
    assert found == {what: [*cases] for what, cases, _ in DIFFERENCES[source]}
