"""A request goes through a source's event into the scope, and an answer through a result to the
client: both arrive as they were sent, but for what a table says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangum import Mangum
from mangum.local.messages import Answer, Deployment, Request
from mangum.local.sources import SOURCES
from tests.apps import Recorder
from tests.builders import lambda_context
from tests.local.losses import (
    ALL,
    ANSWER_LOSSES,
    LOSSES,
    AnswerLoss,
    Loss,
    Seen,
    expected,
    expected_answer,
    on_a_server,
)
from tests.profiles import draws

PLAIN = Deployment()
BINARY = Deployment(binary_media_types=("*/*",))

every_source = pytest.mark.parametrize("source", ALL)

SEGMENTS = [
    "a", "", "", ".", "..", "%20", "%2F", "%25", "%3F", "%CE%BB", "%FF", "%", "%zz", "+", "~",
    "%7E", "!$&'()*,;=:@", "a%2", "[]", '"<>|^`{}\\',
]  # fmt: skip
PIECES = [
    "", "a", "a=", "a=1", "a=2", "b=%20", "b=+", "b=%2B", "c=%FF", "=", "=x", "d=a=b", "%61=1",
    "%CE%BB=%CE%BB", "e=%zz", "e=%", "f=a;b", "f=a,b", "g[]=1", "h=?", "h=/", "i=%26",
]  # fmt: skip
NAMES = ["x-a", "x-b", "accept", "user-agent", "connection", "te", "x-forwarded-for"]
VALUES = ["", "a", "b", "a, b", "a,b", "a;q=0.5", '"a"', "\xce\xbb", "\xff", "a\xff", "%20", "a  b"]
COOKIES = ["a=1", "a=1; b=2", "b=3;c=4", ";", "", "a", "a=1;;b=2", "\xce\xbb=1"]
TYPES = ["text/plain", "application/json", "application/octet-stream", "image/png", ""]
HOSTS = ["localhost", "localhost:8000", "127.0.0.1:8000", "example.org"]

bodies = st.sampled_from([b"", b"a", b"{}", "λ".encode(), b"\xff\x00"]) | st.binary(max_size=40)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    body = draw(bodies)
    headers = [("host", host) for host in draw(st.lists(st.sampled_from(HOSTS), max_size=1))]
    pairs = st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES))
    cookies = st.tuples(st.just("cookie"), st.sampled_from(COOKIES))
    headers += draw(st.lists(pairs | cookies, max_size=6))
    kind = draw(st.sampled_from(TYPES))
    if kind:
        headers.append(("content-type", kind))
    if body and draw(st.booleans()):
        headers.append(("content-length", str(len(body))))
    return Request(
        draw(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PATCH", "PROPFIND"])),
        "/" + "/".join(draw(st.lists(st.sampled_from(SEGMENTS), max_size=4))),
        "&".join(draw(st.lists(st.sampled_from(PIECES), max_size=5))),
        headers,
        body,
        client=("203.0.113.9", 50_000),
        server=("127.0.0.1", draw(st.sampled_from([80, 443, 8000]))),
        scheme=draw(st.sampled_from(["http", "https"])),
        http_version=draw(st.sampled_from(["1.0", "1.1", "2"])),
    )


def seen_behind(source: str, request: Request, deployment: Deployment = PLAIN) -> Seen:
    event = json.loads(json.dumps(SOURCES[source].encode(request, deployment)))
    app = Recorder()
    Mangum(app, edition="2026", lifespan="off")(event, lambda_context())
    scope, body = app.scopes[0], app.bodies[0]
    made_up = (b"x-amzn-trace-id", b"via")
    return Seen(
        scope["method"],
        scope["path"],
        scope["raw_path"],
        scope["query_string"],
        [(name, value) for name, value in scope["headers"] if name not in made_up],
        body,
        scope["client"],
        scope["server"],
        scope["scheme"],
        scope["http_version"],
    )


def as_sets(seen: Seen) -> Seen:
    return replace(seen, headers=sorted(seen.headers))


@every_source
@draws(share=1)
@given(request=requests())
def test_application_sees_what_it_would_see_on_a_server(source: str, request: Request) -> None:
    assert as_sets(seen_behind(source, request)) == as_sets(expected(request, source))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.what)
def test_each_loss_is_one(loss: Loss) -> None:
    request = Request("POST", **{"path": "/", "client": ("::1", 1), **loss.example})
    for source in loss.sources:
        before = on_a_server(request)
        for other in LOSSES[: LOSSES.index(loss)]:
            before = other.change(before, source) if source in other.sources else before
        assert loss.change(before, source) != before, source
        assert as_sets(seen_behind(source, request)) == as_sets(expected(request, source))


@draws(share=1)
@given(request=requests())
def test_bodies_of_binary_types_arrive_whole_through_a_rest_api(request: Request) -> None:
    assert seen_behind("rest", request, BINARY).body == request.body


@pytest.mark.parametrize("source", ["rest", "http", "http-1"])
@draws(share=0.5)
@given(request=requests())
def test_path_below_a_stage_is_seen_whole(source: str, request: Request) -> None:
    staged = replace(request, path=f"/prod{request.path}")
    seen = seen_behind(source, staged, Deployment(stage="prod"))
    plain = expected(request, source)
    prefixed = "" if (plain.path, source) == ("/", "rest") else plain.path
    assert seen.path == f"/prod{prefixed or '/'}"
    assert seen.query == plain.query


# --- answers ------------------------------------------------------------------------------------

ANSWER_NAMES = ["x-a", "x-b", "vary", "via", "server", "www-authenticate", "set-cookie", "etag"]
ANSWER_VALUES = ["a", "b", "a, b", "\xe9", "a=1; Path=/; Secure", "Mon, 01 Jan 2029 00:00:00 GMT"]
ANSWER_TYPES = [
    "",
    "text/html; charset=utf-8",
    "application/json",
    "image/png",
    "text/event-stream",
]


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    pairs = st.tuples(st.sampled_from(ANSWER_NAMES), st.sampled_from(ANSWER_VALUES))
    headers = draw(st.lists(pairs, max_size=6))
    kind = draw(st.sampled_from(ANSWER_TYPES))
    status = draw(st.sampled_from([200, 201, 301, 404, 418, 499, 500, 204]))
    body = b"" if status == 204 else draw(bodies)
    if kind:
        headers.append(("content-type", kind))
    if draw(st.booleans()):
        headers.append(("content-length", str(len(body))))
    return Answer(status, headers, body)


def received_from(source: str, answer: Answer, deployment: Deployment = PLAIN) -> Answer:
    """What the client gets for what an application sends."""
    request = Request("GET", "/", headers=[("accept", "*/*")])
    headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
    handler = Mangum(Recorder(answer.status, headers, answer.body), edition="2026", lifespan="off")
    result = handler(SOURCES[source].encode(request, deployment), lambda_context())
    got = SOURCES[source].decode(json.dumps(result).encode(), request, deployment)
    return replace(got, headers=[(name.lower(), value) for name, value in got.headers])


def in_order(answer: Answer) -> Any:
    """Names in any order, and the values of each in theirs."""
    return replace(answer, headers=sorted(answer.headers, key=lambda pair: pair[0]))


@every_source
@draws(share=1)
@given(answer=answers())
def test_client_gets_what_the_application_sent(source: str, answer: Answer) -> None:
    got = received_from(source, answer, BINARY)
    assert in_order(got) == in_order(expected_answer(answer, source))


@pytest.mark.parametrize("loss", ANSWER_LOSSES, ids=lambda loss: loss.what)
def test_each_loss_of_an_answer_is_one(loss: AnswerLoss) -> None:
    answer = Answer(200, **loss.example)
    for source in loss.sources:
        assert expected_answer(answer, source) != answer, source
        got = received_from(source, answer, BINARY)
        assert in_order(got) == in_order(expected_answer(answer, source))


def test_bytes_come_as_base64_from_a_rest_api_without_binary_types() -> None:
    sent = Answer(200, [("content-type", "image/png")], b"\x89PNG")
    assert received_from("rest", sent).body == b"iVBORw=="
    deployment = Deployment(binary_media_types=("image/*",))
    assert received_from("rest", sent, deployment).body == b"iVBORw=="  # the client takes `*/*`
