"""Whatever arrives, the adapter answers or raises an error of its own; and the application sees
what was sent."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangum import Mangum, handlers
from mangum.exceptions import MangumError
from mangum.handlers import DETECTION
from mangum.types import Edition, Scope
from tests import builders
from tests import profiles as profiles  # chooses how many examples are drawn
from tests.apps import Recorder
from tests.builders import Event, Pairs, lambda_context

EDITIONS: tuple[Edition, ...] = ("classic", "2026")

either_edition = pytest.mark.parametrize("edition", EDITIONS)
with_and_without_events_path = pytest.mark.parametrize("events_path", [None, "/events"])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of malformed events log thousands of errors."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


# --- mutated events ---------------------------------------------------------------------------


def full(build: Callable[..., Event], **fields: Any) -> Event:
    """An event that has every field."""
    return build(
        method="POST",
        path="/caf%C3%A9/a%2Fb",
        query=[("a", "1"), ("a", "2"), ("b", "ü")],
        headers=[("Content-Type", "text/plain"), ("X-Many", "1"), ("X-Many", "2")],
        cookies=["a=1", "b=2"],
        body=b"\x00\xff",
        **fields,
    )


EVENTS: dict[str, Callable[[], Event]] = {
    "REST API": lambda: full(builders.rest_event),
    "HTTP API 1.0": lambda: full(builders.http_v1_event, stage="prod"),
    "HTTP API 2.0": lambda: full(builders.http_v2_event, stage="prod"),
    "function URL": lambda: full(builders.function_url_event),
    "ALB": lambda: full(builders.alb_event),
    "ALB, multi-value": lambda: full(builders.alb_event, multi_value=True),
    "Lambda@Edge": lambda: full(builders.edge_event),
    "VPC Lattice 1": lambda: full(builders.lattice_v1_event),
    "VPC Lattice 2": lambda: full(builders.lattice_v2_event),
    "SQS": lambda: {"Records": [{"eventSource": "aws:sqs", "body": "{}", "messageId": "1"}]},
    "EventBridge": lambda: {"source": "aws.s3", "detail-type": "x", "detail": {"a": [1]}},
}


def nested(levels: int, *, in_list: bool) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value] if in_list else {"a": value}
    return value


JUNK: dict[str, Callable[[], Any]] = {
    "null": lambda: None,
    "true": lambda: True,
    "false": lambda: False,
    "zero": lambda: 0,
    "negative": lambda: -1,
    "float": lambda: 1.5,
    "infinity": lambda: float("inf"),
    "nan": lambda: float("nan"),
    "huge int": lambda: 10**400,
    "int beyond what str() takes": lambda: 10**5000,
    "empty text": lambda: "",
    "text": lambda: "x",
    "long text": lambda: "x" * 5000,
    "long non-ASCII text": lambda: "é" * 5000,
    "lone surrogate": lambda: "a\ud800b",
    "NUL": lambda: "\0",
    "bad escape": lambda: "/%zz%f%ff%",
    "bad base64": lambda: "a",
    "bad base64 of some length": lambda: "a" * 4097,
    "base64 with junk": lambda: "aGk=\n!" * 1000,
    "port list": lambda: "443,80",
    "huge port": lambda: "99999999999",
    "port with a sign": lambda: "-1",
    "port of other digits": lambda: "٣",
    "half an IPv6 address": lambda: "[::1",
    "comma": lambda: ",",
    "question mark": lambda: "?a?b",
    "relative path": lambda: "a/b",
    "version": lambda: "1.0",
    "empty list": list,
    "empty object": dict,
    "list of null": lambda: [None],
    "list of numbers": lambda: [1, 2.5],
    "list of texts": lambda: ["a", "b"],
    "list of lists": lambda: [["a"]],
    "list of objects": lambda: [{"key": "a", "value": "b"}],
    "object of null": lambda: {"a": None},
    "object of objects": lambda: {"a": {"b": {}}},
    "list in five levels": lambda: nested(5, in_list=True),
    "list in thousands of levels": lambda: nested(5000, in_list=True),
    "object in thousands of levels": lambda: nested(5000, in_list=False),
}

EXTRA_KEYS = [
    "body",
    "cf",
    "connectionId",
    "cookies",
    "elb",
    "eventType",
    "headers",
    "http",
    "httpMethod",
    "identity",
    "isBase64Encoded",
    "method",
    "methodArn",
    "multiValueHeaders",
    "multiValueQueryStringParameters",
    "path",
    "queryStringParameters",
    "rawPath",
    "rawQueryString",
    "raw_path",
    "Records",
    "requestContext",
    "serviceArn",
    "stage",
    "type",
    "unheard",
    "version",
]


@dataclass(frozen=True)
class Mutation:
    """Walks down by `steps`, then puts junk there, deletes, or adds a key."""

    steps: tuple[int, ...]
    action: str
    junk: str
    key: str

    def apply(self, event: Any) -> None:
        container: Any = None
        place: Any = None
        value = event
        for step in self.steps:
            if not isinstance(value, (dict, list)) or not value:
                break
            container = value
            place = [*value][step % len(value)] if isinstance(value, dict) else step % len(value)
            value = value[place]
        if self.action == "add" and isinstance(value, dict):
            value[self.key] = JUNK[self.junk]()
        elif container is not None and self.action == "delete":
            del container[place]
        elif container is not None:
            container[place] = JUNK[self.junk]()


mutations = st.lists(
    st.builds(
        Mutation,
        steps=st.lists(st.integers(0, 30), min_size=1, max_size=5).map(tuple),
        action=st.sampled_from(["put", "put", "put", "delete", "add"]),
        junk=st.sampled_from(sorted(JUNK)),
        key=st.sampled_from(EXTRA_KEYS),
    ),
    min_size=1,
    max_size=4,
)

KEYS: dict[str, set[str]] = {
    "APIGateway": {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"},
    "HTTPGateway": {"statusCode", "headers", "cookies", "body", "isBase64Encoded"},
    "ALB": {
        "statusCode",
        "statusDescription",
        "headers",
        "multiValueHeaders",
        "body",
        "isBase64Encoded",
    },
    "LambdaAtEdge": {
        "status",
        "statusDescription",
        "headers",
        "body",
        "bodyEncoding",
        "isBase64Encoded",
    },
    "VPCLattice": {"statusCode", "statusDescription", "headers", "body", "isBase64Encoded"},
    "VPCLatticeV1": {"statusCode", "statusDescription", "headers", "body", "isBase64Encoded"},
}
"""What a source's result may hold; an unknown key is a 502 of the gateway."""

TYPES: dict[str, tuple[type, ...]] = {
    "statusCode": (int,),
    "status": (int, str),
    "statusDescription": (str,),
    "headers": (dict,),
    "multiValueHeaders": (dict,),
    "cookies": (list,),
    "body": (str,),
    "bodyEncoding": (str,),
    "isBase64Encoded": (bool,),
}

ANSWER_HEADERS = (
    (b"content-type", b"text/plain"),
    (b"set-cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
    (b"vary", b"accept"),
    (b"vary", b"origin"),
)


def check_scope(scope: Scope) -> None:
    """What ASGI says of a scope, as far as servers keep it."""
    assert scope["type"] == "http"
    assert type(scope["method"]) is str
    assert scope["http_version"] in ("1.0", "1.1", "2", "3")
    assert scope["scheme"] in ("http", "https")
    assert scope["path"].encode() is not None
    assert type(scope["root_path"]) is str
    assert type(scope["query_string"]) is bytes
    assert scope["raw_path"] is None or type(scope["raw_path"]) is bytes
    for name, value in scope["headers"]:
        assert type(name) is bytes
        assert type(value) is bytes
        assert name == name.lower()
    host, port = scope["server"]
    assert type(host) is str
    assert type(port) is int
    assert 0 <= port <= 65535
    assert scope["client"] is None or len(scope["client"]) == 2


SECRETS = ("caf%C3%A9", "café", builders.CLIENT_IP, builders.USER_AGENT, builders.TRACE_ID)
"""Values of the events, which no error may tell."""


def check_error(error: MangumError) -> None:
    """It tells no value, and no other error hangs on it that could."""
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    assert [secret for secret in SECRETS if secret in str(error)] == []


def check_call(handler: Mangum, app: Recorder, event: Event) -> None:
    """The adapter answers, in the shape of the source, or raises an error of its own."""
    app.scopes.clear()
    app.bodies.clear()
    try:
        result = handler(event, lambda_context())
    except MangumError as error:
        check_error(error)
        return
    assert json.loads(json.dumps(result)) == result
    for scope in app.scopes:
        check_scope(scope)
    if app.scopes and "aws.event_source" in app.scopes[0]:
        assert result == "done"
        return
    reader = type(handler.infer(event, lambda_context())).__name__
    if reader == "HTTPGateway" and event["version"] == "1.0":
        reader = "APIGateway"
    assert {*result} <= KEYS[reader]
    assert [key for key, value in result.items() if type(value) not in TYPES[key]] == []


def every_place(value: Any, steps: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """The steps to each value of an event."""
    if isinstance(value, (dict, list)):
        for step, inner in enumerate(value.values() if isinstance(value, dict) else value):
            yield (*steps, step)
            yield from every_place(inner, (*steps, step))


@either_edition
@with_and_without_events_path
@pytest.mark.parametrize("source", sorted(EVENTS))
def test_every_value_of_an_event_may_be_junk(
    source: str, edition: Edition, events_path: str | None
) -> None:
    app = Recorder(headers=ANSWER_HEADERS, body=b"done")
    handler = Mangum(app, lifespan="off", edition=edition, events_path=events_path)
    for steps in every_place(EVENTS[source]()):
        for junk in JUNK:
            event = EVENTS[source]()
            Mutation(steps, "put", junk, "").apply(event)
            check_call(handler, app, event)
        event = EVENTS[source]()
        Mutation(steps, "delete", "", "").apply(event)
        check_call(handler, app, event)


@either_edition
@with_and_without_events_path
@pytest.mark.parametrize("source", sorted(EVENTS))
@given(mutations=mutations)
def test_a_mutated_event_is_answered_or_refused_with_our_own_error(
    source: str, edition: Edition, events_path: str | None, mutations: list[Mutation]
) -> None:
    event = EVENTS[source]()
    for mutation in mutations:
        mutation.apply(event)
    app = Recorder(headers=ANSWER_HEADERS, body=b"done")
    handler = Mangum(app, lifespan="off", edition=edition, events_path=events_path)
    check_call(handler, app, event)


# --- arbitrary events -------------------------------------------------------------------------


def vocabulary(value: Any) -> Iterator[str]:
    """The keys of an event, on all levels."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from vocabulary(item)
    elif isinstance(value, list):
        for item in value:
            yield from vocabulary(item)


WORDS = sorted({word for build in EVENTS.values() for word in vocabulary(build())} | {*EXTRA_KEYS})
TEXTS = ["1.0", "2.0", "CONNECT", "GET", "MESSAGE", "REQUEST", "TOKEN", "/", "a\ud800", "%ff"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=8)
    ),
    max_leaves=20,
)


def shaped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects that have just enough of a source to be taken for it."""
    contexts = st.fixed_dictionaries(
        {},
        optional={
            "elb": inner,
            "http": inner | st.fixed_dictionaries({"method": inner}, optional={"path": inner}),
            "serviceArn": inner,
            "connectionId": inner,
            "eventType": st.sampled_from(["CONNECT", "MESSAGE", "x"]),
            "stage": inner,
            "domainName": inner | st.just("a.lambda-url.b"),
            "identity": inner,
            "path": inner,
            "authentication": inner,
        },
    )
    edge = st.fixed_dictionaries({"cf": inner | st.fixed_dictionaries({"request": inner})})
    return st.fixed_dictionaries(
        {},
        optional={
            "version": st.sampled_from(["1.0", "2.0", None]) | inner,
            "httpMethod": st.just("GET") | inner,
            "method": st.just("GET") | inner,
            "path": inner,
            "rawPath": inner,
            "raw_path": inner,
            "rawQueryString": inner,
            "headers": inner,
            "multiValueHeaders": inner,
            "queryStringParameters": inner,
            "multiValueQueryStringParameters": inner,
            "query_string_parameters": inner,
            "cookies": inner,
            "body": inner,
            "isBase64Encoded": inner,
            "type": st.sampled_from(["REQUEST", "TOKEN"]),
            "methodArn": inner,
            "requestContext": contexts | inner,
            "Records": st.lists(edge, max_size=2) | inner,
        },
    )


@either_edition
@with_and_without_events_path
@given(event=json_values | shaped(json_values))
def test_whatever_infer_takes_raises_nothing_but_our_own_errors(
    edition: Edition, events_path: str | None, event: Any
) -> None:
    adapter = Mangum(Recorder(), lifespan="off", edition=edition, events_path=events_path)
    try:
        handler = adapter.infer(event, lambda_context())
        scope, body = handler.scope, handler.body
    except MangumError:
        return
    check_scope(scope)
    assert type(body) is bytes


@given(event=st.dictionaries(st.text(), json_values) | shaped(json_values))
def test_no_source_raises_when_it_is_asked(event: dict[str, Any]) -> None:
    config = Mangum(Recorder()).config
    for name, fits in DETECTION:
        answer = getattr(handlers, name).infer(event, lambda_context(), config)
        assert (type(answer), answer) == (bool, fits(event)), name


# --- what was sent is what the application sees -----------------------------------------------

Grouping = Callable[[Pairs], Any]


def as_sent(pairs: Pairs) -> list[tuple[str, str]]:
    return list(pairs)


def grouped(pairs: Pairs) -> list[tuple[str, str]]:
    """Keys in the order of their first value, with all values of one together."""
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return [(name, value) for name, values in lists.items() for value in values]


def last_of_each(pairs: Pairs) -> list[tuple[str, str]]:
    return list(dict(pairs).items())


def joined(separator: str) -> Grouping:
    def join(pairs: Pairs) -> list[tuple[str, str]]:
        lists: dict[str, list[str]] = {}
        for name, value in pairs:
            lists.setdefault(name, []).append(value)
        return [(name, separator.join(values)) for name, values in lists.items()]

    return join


@dataclass(frozen=True)
class Source:
    """How an event source spells a request, and what of it is lost on the way."""

    build: Callable[..., Event]
    query: Grouping
    classic_headers: Grouping
    headers: Grouping
    prefix: str = ""
    takes_binary: bool = True
    keeps_raw_path: bool = True


def alb_multi_value_event(**fields: Any) -> Event:
    return builders.alb_event(multi_value=True, **fields)


SOURCES = {
    "REST API": Source(builders.rest_event, grouped, joined(", "), grouped, prefix="/prod"),
    "HTTP API 1.0": Source(builders.http_v1_event, grouped, joined(", "), grouped),
    "HTTP API 2.0": Source(
        builders.http_v2_event, as_sent, joined(","), joined(","), keeps_raw_path=False
    ),
    "function URL": Source(builders.function_url_event, as_sent, joined(","), joined(",")),
    "ALB": Source(builders.alb_event, last_of_each, last_of_each, last_of_each),
    "ALB, multi-value": Source(alb_multi_value_event, grouped, grouped, grouped),
    "VPC Lattice 1": Source(builders.lattice_v1_event, last_of_each, joined(", "), joined(", ")),
    "VPC Lattice 2": Source(builders.lattice_v2_event, grouped, grouped, grouped),
    "Lambda@Edge": Source(builders.edge_event, as_sent, grouped, grouped, takes_binary=False),
}

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
segments = st.builds(quote, text, safe=st.sampled_from(["", "+:@~", "!$&'()*+,;=:@"]))
paths = st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
query_pairs = st.lists(
    st.tuples(st.sampled_from(["a", "b", "ü", "a b", "+", "%41", ""]) | text, text), max_size=5
)
header_pairs = st.lists(
    st.tuples(st.sampled_from(["x-one", "X-Two", "Accept", "x-three"]), text), max_size=5
)
cookie_texts = st.lists(
    st.builds(
        "{}={}".format,
        st.sampled_from(["a", "b", "c"]),
        st.text("abc=+%é ", max_size=5).map(str.strip),
    ),
    max_size=3,
)


def lower(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in pairs]


@either_edition
@pytest.mark.parametrize("name", sorted(SOURCES))
@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "PROPFIND"]),
    path=paths,
    query=query_pairs,
    headers=header_pairs,
    cookies=cookie_texts,
    body=st.binary(max_size=20) | text.map(str.encode),
    binary=st.booleans(),
)
def test_the_application_sees_the_request_that_was_sent(
    name: str,
    edition: Edition,
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: list[tuple[str, str]],
    cookies: list[str],
    body: bytes,
    binary: bool,
) -> None:
    source = SOURCES[name]
    fields = {"binary": binary} if source.takes_binary else {}
    event = source.build(
        method=method, path=path, query=query, headers=headers, cookies=cookies, body=body, **fields
    )
    handler = Mangum(Recorder(), edition=edition).infer(event, lambda_context())
    scope = handler.scope

    modern = edition == "2026"
    prefix = source.prefix if modern else ""
    assert scope["method"] == method
    assert (scope["root_path"], scope["path"]) == (prefix, prefix + unquote(path))
    if modern and source.keeps_raw_path:
        assert scope["raw_path"] == (prefix + path).encode()
    elif modern:
        assert unquote(scope["raw_path"].decode()) == unquote(path)
    else:
        assert scope["raw_path"] is None

    seen = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True)
    assert seen == source.query(query)

    group = source.headers if modern else source.classic_headers
    named = {pair[0] for pair in lower(headers)}
    sent = [(key.decode(), value.decode()) for key, value in scope["headers"]]
    assert sorted(pair for pair in sent if pair[0] in named) == sorted(group(lower(headers)))
    assert [value for key, value in sent if key == "cookie"] == (
        ["; ".join(cookies)] if cookies else []
    )
    assert handler.body == body
