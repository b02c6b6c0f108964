"""The compiled half gives what the pure one gives: equal values of equal types, in the same order,
or the same kind of error, whatever it is given."""

from __future__ import annotations

import inspect
import json
import random
from collections.abc import Callable, Iterator
from itertools import cycle, product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mangum._speedups as switch
from mangum._speedups import pure, text
from mangum._speedups.constants import LIMITS
from tests import builders
from tests import profiles as profiles  # chooses how many examples are drawn
from tests.builders import Event
from tests.speedups import nasty
from tests.speedups.agreement import (
    Halves,
    assert_agree,
    difference,
    disagreements,
    exact,
    named,
    outcome,
    read,
    same,
    shown,
    write,
)
from tests.test_properties import EVENTS, JUNK, nested

FILES = Path(__file__).parents[1] / "events"
CONTEXT = object()
EDITIONS = [nasty.config("classic"), nasty.config("2026")]


# --- the names --------------------------------------------------------------------------------


def test_the_specification_has_every_name_of_the_switch() -> None:
    assert switch.__all__ == sorted(switch.__all__)
    homes = {getattr(pure, name).__module__ for name in switch.__all__}
    assert homes == {pure.__name__, text.__name__}


def test_the_compiled_half_has_the_names_of_the_switch_and_no_others(halves: Halves) -> None:
    _, compiled = halves
    public = {name for name, value in vars(compiled).items() if callable(value) and name[0] != "_"}
    assert public == {*switch.__all__}


@pytest.mark.parametrize("name", sorted({*switch.__all__} - {"Exchange"}))
def test_a_function_has_the_same_parameters_in_both_halves(halves: Halves, name: str) -> None:
    ours, theirs = (inspect.signature(getattr(half, name)).parameters.values() for half in halves)
    assert [(it.name, it.kind, it.default) for it in theirs] == [
        (it.name, it.kind, it.default) for it in ours
    ]


# --- each function, by hand -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["decode_path", "encode_path", "split_host", "recognise"])
def test_functions_of_one_value_agree(halves: Halves, name: str) -> None:
    assert disagreements(halves, name, ((value,) for value in nasty.VALUES)) == []


def test_functions_of_text_agree_on_every_byte_and_many_characters(halves: Halves) -> None:
    codes = [*range(0x300), *range(0xD7F0, 0xE010), 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF]
    characters = [chr(code) for code in codes]
    escapes = [f"%{code:02X}" for code in range(256)] + [f"%{it}1" for it in characters]
    for name in ("decode_path", "encode_path", "split_host"):
        calls = ((f"/a{it}b",) for it in characters + escapes)
        assert disagreements(halves, name, calls) == []
    for as_sent in (False, True):
        calls_of_two = (({it: it}, as_sent) for it in characters + escapes)
        assert disagreements(halves, "encode_alb_query_string", calls_of_two) == []
    assert disagreements(halves, "encode_query_string", (({it: it},) for it in characters)) == []


def test_header_names_agree_on_every_byte_at_every_place(halves: Halves) -> None:
    """Names are lower-cased eight bytes at once."""
    names = [
        "x" * before + chr(code) + "Y" * after
        for code in range(256)
        for before, after in ((0, 0), (0, 7), (3, 0), (7, 0), (7, 1), (8, 0), (9, 9))
    ]
    names += ["A" * length for length in range(70)]
    assert disagreements(halves, "encode_headers", (({name: "v"}, None) for name in names)) == []
    responses = (([(name.encode("latin-1"), b"v")], ()) for name in names)
    assert disagreements(halves, "decode_headers", responses) == []


@pytest.mark.parametrize("is_base64", [False, True, 0, 1, None, "x"])
def test_decode_body_agrees(halves: Halves, is_base64: Any) -> None:
    calls = ((body, is_base64) for body in nasty.BASE64)
    assert disagreements(halves, "decode_body", calls) == []


def test_encode_query_string_agrees(halves: Halves) -> None:
    assert disagreements(halves, "encode_query_string", ((it,) for it in nasty.maps())) == []


@pytest.mark.parametrize("as_sent", [False, True, 0, None, "x"])
def test_encode_alb_query_string_agrees(halves: Halves, as_sent: Any) -> None:
    calls = ((params, as_sent) for params in nasty.maps())
    assert disagreements(halves, "encode_alb_query_string", calls) == []


def test_encode_headers_agrees(halves: Halves) -> None:
    cookies = [None, [], ["a=1"], ["a=1", "b=2"], ["é"]]
    calls = product(nasty.maps(), cookies)
    assert disagreements(halves, "encode_headers", calls) == []
    headers: list[Any] = [None, {}, {"a": "b"}, {"Cookie": "c", "a": "b"}, {"a": 1, "Cookie": "c"}]
    headers += [{"Cookie": "a", "cookie": "b"}, {"a": "\ud800"}]
    assert disagreements(halves, "encode_headers", product(headers, nasty.VALUES)) == []


@pytest.mark.parametrize("split", [False, True])
def test_encode_multi_value_headers_agrees(halves: Halves, split: bool) -> None:
    calls = ((*maps, split) for maps in nasty.pairs_of_maps())
    assert disagreements(halves, "encode_multi_value_headers", calls) == []


def test_encode_edge_headers_agrees(halves: Halves) -> None:
    def calls() -> Iterator[tuple[Any]]:
        for value in nasty.VALUES:
            yield ({"a": value},)
            yield ({"a": [value]},)
            yield ({"a": [{"value": value}], "cookie": [{"value": "b"}]},)
            yield ({"a": [{"key": "A", "value": value}, {"value": "b"}]},)
            yield ({"a": [nasty.Object(value=value)]},)
            yield ({"a": nasty.Listing([{"value": value}]), "A": [{"value": "c"}]},)
        for headers in nasty.maps():
            yield (headers,)
            if isinstance(headers, dict):
                yield ({name: [{"value": "v"}] for name in headers},)
                yield ({name: [{"value": "v"}, {"value": "é"}] for name in headers},)

    assert disagreements(halves, "encode_edge_headers", calls()) == []


def test_copy_headers_agrees(halves: Halves) -> None:
    values = [*nasty.RESPONSE_HEADERS, *nasty.VALUES]
    assert disagreements(halves, "copy_headers", ((it,) for it in values)) == []


def test_copy_headers_agrees_on_an_iterator(halves: Halves) -> None:
    for headers in nasty.RESPONSE_HEADERS:
        if isinstance(headers, (list, tuple)):
            ours, theirs = (outcome(half.copy_headers, iter(headers)) for half in halves)
            assert_agree(ours, theirs)


def test_decode_headers_agrees(halves: Halves) -> None:
    calls = product(nasty.RESPONSE_HEADERS, nasty.EXCLUDES)
    assert disagreements(halves, "decode_headers", calls) == []


@pytest.mark.parametrize("name", ["split_headers", "fold_headers", "group_headers"])
def test_functions_that_group_headers_agree(halves: Halves, name: str) -> None:
    values = [*nasty.TEXT_PAIRS, *nasty.VALUES]
    assert disagreements(halves, name, ((value,) for value in values)) == []


CONTENT_TYPES: list[Any] = [
    "",
    "text/plain",
    "TEXT/PLAIN; a=b",
    "\ttext/plain",
    "text/plain ",
    "application/problem+json",
    "application/a+JSON\t; b",
    "+json",
    "+",
    "json",
    " ",
    ";",
    "text/\0",
    "text/é",
    "\xa0text/plain",
    "text/\u0130",
    "\ud800",
    *("text/" + "x" * length for length in (122, 123, 124, 195)),
    None,
    1,
    b"text/plain",
    nasty.Text("text/plain"),
]
CONTENT_ENCODINGS: list[Any] = ["", "identity", " Identity ", "gzip", "é", None, 1, b"", b"gzip"]


def test_encode_body_agrees(halves: Halves) -> None:
    short = [body for body in nasty.BODIES if not isinstance(body, bytes) or len(body) < 9]
    calls = product(short, CONTENT_TYPES, CONTENT_ENCODINGS, nasty.MIME_TYPES)
    assert disagreements(halves, "encode_body", calls) == []
    calls = product(nasty.BODIES, ["text/plain", "image/png"], ["", "br"], [["text/"], ()])
    assert disagreements(halves, "encode_body", calls) == []


def test_text_types_agree_on_every_byte(halves: Halves) -> None:
    calls = (
        (b"hi", pattern.replace("?", chr(code)), "", [entry.replace("?", chr(other))])
        for code in range(256)
        for other in {code, code ^ 32}
        for pattern, entry in (("te?t/a", "te?t/"), ("a/b+?x", "+?x"), ("?a", "a"), ("a?", "+a"))
    )
    assert disagreements(halves, "encode_body", calls) == []


DEFAULT_TYPES: list[Any] = ["", "application/json", "image/png", None, nasty.Text("text/plain")]


def responses() -> Iterator[Any]:
    for headers, body in product(nasty.RESPONSE_HEADERS, [b"", b"hi", b"\xff", "hi", None]):
        yield {"status": 200, "headers": headers, "body": body}
    for status in nasty.NO_TEXTS:
        yield {"status": status, "headers": [(b"a", b"b")], "body": b""}
    for body in nasty.BODIES:
        yield {"status": 200, "headers": [(b"content-type", b"text/plain")], "body": body}
    whole = {"status": 200, "headers": [[b"content-type", b"text/plain"]], "body": b"hi"}
    yield nasty.Object(whole)
    for key in whole:
        yield {name: value for name, value in whole.items() if name != key}
    yield from ({}, None, 1, [], "ab")


TYPES_IN_RESULTS: list[Any] = [["text/", "+json"], [], ("text/",), ["é"], [None], None]


@pytest.mark.parametrize("name", ["rest_result", "alb_result"])
def test_results_agree(halves: Halves, name: str) -> None:
    calls = product(responses(), nasty.EXCLUDES, TYPES_IN_RESULTS)
    assert disagreements(halves, name, calls) == []


@pytest.mark.parametrize("name", ["http_result", "decode_response"])
def test_results_with_a_default_type_agree(halves: Halves, name: str) -> None:
    calls = product(responses(), nasty.EXCLUDES[::2], TYPES_IN_RESULTS[::2], DEFAULT_TYPES)
    assert disagreements(halves, name, calls) == []


def test_may_exceed_agrees_around_the_limits(halves: Halves) -> None:
    headers = [(b"a" * 40, b"b" * 60)]
    frame = 6 * (2 * 100 + 8 + 100)
    for body in (b"x" * 29, b"x" * 20 + b"\x01" * 9, b"\n" * 12 + b"\x7f" * 9, b"\xc3\xa9" * 14):
        for size in range(30):
            response = {"headers": headers, "body": body[:size]}
            calls = product(
                [response],
                [*range(frame - 1, frame + 6 * size + 2, 3 if size > 10 else 1), 10**30, 1.5],
                [None, 99, 100, 101, 0, 1.5] if size < 5 else [None],
            )
            assert disagreements(halves, "may_exceed", calls) == []
    calls = product(responses(), [6_291_556, 1000, None, "x"], [None, 10_240, 1, "x"])
    assert disagreements(halves, "may_exceed", calls) == []


# --- JSON -------------------------------------------------------------------------------------

TREES: tuple[Any, ...] = (
    1.5,
    True,
    2**70,
    None,
    "a",
    b"a",
    {},
    [],
    (),
    {"a": [1, 1.5, {"b": (2.5, None, -0.0)}], "c": {"d": 3.5}},
    {"a": {1, 2}},
    [object],
    {1: 2.5},
    [type("Text", (str,), {})("a")],
    [type("Float", (float,), {})(1.5)],
    [type("List", (list,), {})([1.5])],
    {"a": type("Dict", (dict,), {})(b=1.5)},
    float("nan"),
)


def test_find_floats_agrees(halves: Halves) -> None:
    deep = [
        nested(depth, in_list=kind) for depth in (97, 98, 99, 100, 101) for kind in (True, False)
    ]
    calls = [(tree,) for tree in (*TREES, *deep)]
    assert disagreements(halves, "find_floats", calls) == []


@given(
    tree=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    )
)
def test_drawn_trees_agree(halves: Halves, tree: Any) -> None:
    check(halves, "find_floats", tree)


# --- events -----------------------------------------------------------------------------------

READERS = ("read_request", "rest_scope", "http_scope", "alb_scope")
BUILDERS: dict[str, Callable[..., Event]] = {
    "rest_scope": builders.rest_event,
    "http_scope": builders.http_v2_event,
    "alb_scope": builders.alb_event,
}


def variants() -> Iterator[Event]:
    """Events of the three common sources in all their forms."""
    yield builders.rest_event()
    yield builders.rest_event(path="/a/b%20c", query=[("a", "1"), ("a", "2")], stage="a")
    yield builders.rest_event(path="/prod/a", prefix="")
    yield builders.rest_event(path="/é", prefix="/é", stage="é")
    yield builders.rest_event(path="/x", prefix="/", stage="")
    yield builders.rest_event(cookies=["a=1", "b=2"], headers=[("A", "1"), ("a", "2")])
    yield builders.http_v1_event(stage="prod", path="/a")
    yield builders.http_v2_event()
    yield builders.http_v2_event(path="/a%20b", stage="prod", cookies=["a=1", "b=2"], body=b"\xff")
    yield builders.function_url_event(path="/a%2Fb", query=[("é", "ü")], body=b"hi", binary=True)
    yield builders.alb_event(path="/a", query=[("a", "%20")], headers=[("X-A", "é")])
    yield builders.alb_event(multi_value=True, cookies=["a=1", "b=2"], headers=[("A", "1")] * 2)
    yield from (build() for build in EVENTS.values())


def test_events_of_all_forms_agree_under_every_configuration(halves: Halves) -> None:
    calls = product(variants(), [CONTEXT], nasty.CONFIGS)
    assert disagreements(halves, "read_request", calls) == []
    for name in BUILDERS:
        calls = product(variants(), [CONTEXT], nasty.CONFIGS)
        assert disagreements(halves, name, calls) == []


FIELDS = [
    "body",
    "cookies",
    "headers",
    "httpMethod",
    "isBase64Encoded",
    "multiValueHeaders",
    "multiValueQueryStringParameters",
    "path",
    "queryStringParameters",
    "rawPath",
    "rawQueryString",
    "requestContext",
    "version",
    "requestContext.authentication",
    "requestContext.domainName",
    "requestContext.elb",
    "requestContext.http",
    "requestContext.http.method",
    "requestContext.http.path",
    "requestContext.http.protocol",
    "requestContext.http.sourceIp",
    "requestContext.identity",
    "requestContext.identity.clientCert",
    "requestContext.identity.sourceIp",
    "requestContext.path",
    "requestContext.protocol",
    "requestContext.stage",
]
"""Every field that is read."""

MAPS = (
    "headers",
    "multiValueHeaders",
    "multiValueQueryStringParameters",
    "queryStringParameters",
)


def with_field(event: Event, field: str, value: Any) -> Event | None:
    """A copy of the event with another value in a field; `None` if there is no place for it."""
    *path, last = field.split(".")
    changed = place = {**event}
    for key in path:
        if not isinstance(place.get(key), dict):
            return None
        place[key] = {**place[key]}
        place = place[key]
    place[last] = value
    return changed


@pytest.mark.parametrize("name", BUILDERS)
def test_every_field_may_hold_anything(halves: Halves, name: str) -> None:
    maps = [it for it in nasty.maps() if isinstance(it, dict)][::4]
    whole = {"cookies": ["a=1"], "stage": "prod", "body": b"hi", "headers": [("A", "b")]}
    if name != "http_scope":
        whole.pop("stage")
    events = [BUILDERS[name](path="/a", **whole)]
    if name == "rest_scope":
        events.append(builders.rest_event(path="/a", prefix=""))
    if name == "http_scope":
        events.append(builders.function_url_event(path="/a%20b"))
    if name == "alb_scope":
        events.append(builders.alb_event(multi_value=True))
    changed = (
        with_field(event, field, value)
        for event in events
        for field in FIELDS
        for value in (maps if field in MAPS else nasty.VALUES)
    )
    calls = ((event, CONTEXT, config) for event in changed if event for config in EDITIONS)
    assert disagreements(halves, name, calls) == []


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_event_or_no_configuration_agrees(halves: Halves, name: str) -> None:
    well = [builders.rest_event(), builders.http_v2_event(), builders.alb_event()]
    calls = product([*well, *nasty.VALUES], [CONTEXT], EDITIONS)
    assert disagreements(halves, name, calls) == []
    calls = product(well, [CONTEXT], [*EDITIONS, {}, nasty.Object(), {"edition": "2026"}])
    assert disagreements(halves, name, calls) == []
    subclasses: list[Event] = [nasty.Object(builders.rest_event()), builders.http_v2_event()]
    subclasses[1]["requestContext"] = nasty.Object(subclasses[1]["requestContext"])
    assert disagreements(halves, name, product(subclasses, [CONTEXT], nasty.CONFIGS)) == []


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-For", "X-Forwarded-Port"])
@pytest.mark.parametrize("name", BUILDERS)
def test_what_headers_tell_of_the_connection_agrees(halves: Halves, name: str, header: str) -> None:
    hosts = ["", "a", "a:1", "[::1]:1", "é"]
    values = [
        *nasty.TEXTS,
        "http, https",
        "HTTP",
        "https ",
        "1.2.3.4",
        "0",
        "00080",
        "65535",
        "80 ",
    ]

    def calls() -> Iterator[tuple[Any, ...]]:
        for value, host, config in product(values, hosts, EDITIONS):
            headers = {"Host": host, header: value, "X-Forwarded-Proto": value}
            event = BUILDERS[name]()
            event["headers"] = headers
            event["multiValueHeaders"] = None
            yield event, CONTEXT, config
            event = {**event, "multiValueHeaders": {it: [headers[it]] for it in headers}}
            yield event, CONTEXT, config
            event = {**event, "multiValueHeaders": {it: ["x", headers[it]] for it in headers}}
            yield event, CONTEXT, config

    assert disagreements(halves, name, calls()) == []


# --- recorded events --------------------------------------------------------------------------


def recorded() -> dict[str, Any]:
    paths = sorted(path for path in FILES.rglob("*.json") if path.parent != FILES)
    return {
        str(path.relative_to(FILES)): json.loads(path.read_text(encoding="utf-8")) for path in paths
    }


def test_every_recorded_event_agrees(halves: Halves) -> None:
    events = recorded()
    assert len(events) > 400
    served = 0
    for name, event in events.items():
        for config in nasty.CONFIGS:
            ours, theirs = (outcome(read, half, event, CONTEXT, config) for half in halves)
            assert_agree(ours, theirs, name)
            served += not same(ours, ("returned", None))
    assert served > 100 * len(nasty.CONFIGS)


def places(event: Any) -> Iterator[tuple[Any, Any]]:
    """Each container of an event, and each key of it."""
    if isinstance(event, (dict, list)):
        for key in [*event] if isinstance(event, dict) else range(len(event)):
            yield event, key
            yield from places(event[key])


def mutated(
    halves: Halves, event: Any, junk: Callable[[], Iterator[Any]], configs: list[dict[str, Any]]
) -> list[Any]:
    """The places and values for which the halves disagree, one replaced at a time."""
    pure_half, compiled = halves
    found = []
    for container, key in [*places(event)]:
        value = container[key]
        for replacement in junk():
            container[key] = replacement
            for config in configs:
                expected = outcome(read, pure_half, event, CONTEXT, config)
                actual = outcome(read, compiled, event, CONTEXT, config)
                if not same(expected, actual):
                    found.append(
                        (key, shown(replacement), config["edition"], *difference(expected, actual))
                    )
        container[key] = value
    return found


@pytest.mark.parametrize("source", sorted(EVENTS))
def test_every_value_of_an_event_may_be_junk_in_both_halves(halves: Halves, source: str) -> None:
    junk = [make() for make in JUNK.values()]
    assert mutated(halves, EVENTS[source](), lambda: iter(junk), EDITIONS) == []


def test_every_value_of_a_recorded_event_may_be_junk_in_both_halves(halves: Halves) -> None:
    junk = cycle([make() for make in JUNK.values()])  # some of it at each place, all of it at most
    mutations = 0
    for number, (name, event) in enumerate(recorded().items()):
        if read(pure, event, CONTEXT, EDITIONS[0]) is None:
            continue
        found = mutated(
            halves, event, lambda: (next(junk) for _ in range(2)), [EDITIONS[number % 2]]
        )
        assert found == [], name
        mutations += 2 * len([*places(event)])
    assert mutations > 10_000


def test_every_key_of_an_event_may_be_missing(halves: Halves) -> None:
    for event in variants():
        for container, key in [*places(event)]:
            if isinstance(container, dict):
                before = {**container}
                del container[key]
                calls = product([event], [CONTEXT], EDITIONS)
                assert disagreements(halves, "read_request", calls) == []
                container.clear()
                container.update(before)


# --- answers ----------------------------------------------------------------------------------

START = "http.response.start"
BODY = "http.response.body"


def messages() -> Iterator[Any]:
    """What an application may send, well or badly."""
    for headers in nasty.RESPONSE_HEADERS:
        yield {"type": START, "status": 200, "headers": headers}
    for value in nasty.NO_TEXTS:
        yield {"type": START, "status": value, "headers": []}
        yield {"type": START, "status": 200, "headers": value}
        yield {"type": value}
        yield {"type": BODY, "body": value}
        yield {"type": BODY, "body": b"a", "more_body": value}
        yield value
    for body in nasty.BODIES:
        yield {"type": BODY, "body": body, "more_body": True}
    yield {"type": START, "status": 404}
    yield {"type": START}
    yield {"type": BODY}
    yield {"type": "http.request"}
    yield {}
    yield nasty.Object(type=START, status=200)
    yield nasty.Object(type=BODY, body=b"a")
    yield {"type": nasty.Text(START), "status": 200}
    yield {"type": START, "status": 200, "trailers": True}


def told(exchange: Any) -> Any:
    """All that an exchange holds."""
    return exact({name: getattr(exchange, name) for name in pure.Exchange.__slots__})


def converse(half: ModuleType, sent: list[Any], waiters: Any = None) -> list[Any]:
    """What becomes of an exchange as messages come; somebody waits for its end, or not."""
    exchange = half.Exchange({"type": "http"}, b"request")
    exchange.waiters = waiters
    seen = [told(exchange)]
    for message in sent:
        seen += [outcome(exchange.take, message), exchange.is_over(), told(exchange)]
    return seen


def test_an_exchange_takes_the_same_messages_in_every_stage(halves: Halves) -> None:
    start = {"type": START, "status": 201, "headers": [[b"a", b"b"]]}
    more, last = {"type": BODY, "body": b"1", "more_body": True}, {"type": BODY, "body": b"2"}
    for message in messages():
        for before in ([], [start], [start, more], [start, last], [more]):
            sent = [*before, message, start, last]
            waiters = [None, ()][len(sent) % 2]
            ours, theirs = (converse(half, sent, waiters) for half in halves)
            assert_agree(ours, theirs)


def test_an_exchange_adds_chunks_alike(halves: Halves) -> None:
    for chunks in (
        [(b"a", False)],
        [(b"a", True), (b"b", False)],
        [(b"a", 1), (b"", "x"), (b"b", None)],
        [(b"a", True), ("b", False)],
        [(bytearray(b"a"), False)],
    ):
        seen = []
        for half in halves:
            exchange = half.Exchange({}, b"")
            results = [outcome(exchange.add, *chunk) for chunk in chunks]
            seen.append((results, told(exchange)))
        assert_agree(*seen)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (({}, b""), {}),
        (({}, b"", True), {}),
        (({},), {"body": b"", "raise_exceptions": True}),
        ((), {"scope": None, "body": None}),
        ((), {}),
        (({},), {}),
        (({}, b"", True, 1), {}),
        (({}, b""), {"more": 1}),
    ],
)
def test_an_exchange_is_made_of_the_same_arguments(
    halves: Halves, arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    ours, theirs = (
        outcome(lambda half=half: told(half.Exchange(*arguments, **named))) for half in halves
    )
    assert_agree(ours, theirs)


def test_an_exchange_has_the_same_attributes(halves: Halves) -> None:
    for half in halves:
        exchange = half.Exchange({}, b"")
        public = {name for name in dir(exchange) if name[0] != "_"}
        assert public == {*pure.Exchange.__slots__, "add", "is_over", "take"}
        with pytest.raises(AttributeError):
            exchange.unheard = 1


@pytest.mark.parametrize("arguments", [("a",), ("a", "b", "c", "d")])
def test_an_exchange_lets_a_subclass_choose_what_it_is_made_of(
    halves: Halves, arguments: tuple[str, ...]
) -> None:
    for half in halves:

        class Own(half.Exchange):  # type: ignore[name-defined, misc]
            def __init__(self, *words: str) -> None:
                super().__init__({"words": words}, b"body")

        made = Own(*arguments)
        assert (made.scope, made.request_body, made.status) == ({"words": arguments}, b"body", 500)


def exchange_of(half: ModuleType, status: Any, headers: Any, body: Any) -> Any:
    exchange = half.Exchange({}, b"")
    exchange.status, exchange.headers, exchange.body = status, headers, body
    return exchange


def written(half: ModuleType, source: str, event: Event, answer: Any, config: Any) -> Any:
    return outcome(write, half, source, event, exchange_of(half, *answer), config)


SOURCES: list[tuple[str, Event]] = [
    ("APIGateway", builders.rest_event()),
    ("HTTPGateway", builders.http_v2_event()),
    ("HTTPGateway", builders.function_url_event()),
    ("ALB", builders.alb_event()),
    ("ALB", builders.alb_event(multi_value=True)),
    ("ALB", nasty.Object(builders.alb_event(multi_value=True))),
]


def copies() -> Iterator[Any]:
    """What an exchange may hold as headers: it keeps no others."""
    for headers in nasty.RESPONSE_HEADERS:
        try:
            yield pure.copy_headers(headers)
        except (TypeError, ValueError):
            continue


def test_results_of_exchanges_agree_under_every_configuration(halves: Halves) -> None:
    answers = [
        *((200, headers, body) for headers in copies() for body in (b"", b"hi", b"\xff")),
        *(
            (200, [(b"content-type", b"text/plain")], it)
            for it in nasty.BODIES
            if type(it) is bytes
        ),
        *((status, [], b"") for status in (0, -1, 99, 404, 10**400)),
        (500, (), b""),
    ]
    for (source, event), answer, config in product(SOURCES, answers, nasty.CONFIGS):
        ours, theirs = (written(half, source, event, answer, config) for half in halves)
        assert_agree(ours, theirs, (source, answer, config))


def test_results_near_a_limit_agree(halves: Halves) -> None:
    headers = [(b"a", b"b" * 998)] * 10  # 9,990 bytes
    for (source, event), config in product(SOURCES, EDITIONS):
        for size in (240, 241, 249, 250, 251, 260):
            answer = (200, [*headers, (b"", b"x" * size)], b"")
            ours, theirs = (written(half, source, event, answer, config) for half in halves)
            assert_agree(ours, theirs)
        for limit in {it for limits in LIMITS.values() for it in limits[:1]}:
            for size in range(limit // 6 - 102, limit // 6 - 97):
                answer = (200, [], b"x" * size)
                ours, theirs = (written(half, source, event, answer, config) for half in halves)
                assert_agree(ours, theirs)


# --- drawn ------------------------------------------------------------------------------------


def check(halves: Halves, name: str, *arguments: Any) -> None:
    ours, theirs = (outcome(named(half, name), *arguments) for half in halves)
    assert_agree(ours, theirs)


@given(path=nasty.escapes, host=st.text("[]:0123a,") | nasty.texts)
def test_drawn_texts_agree(halves: Halves, path: str, host: str) -> None:
    check(halves, "decode_path", path)
    check(halves, "encode_path", path)
    check(halves, "split_host", host)


@given(params=nasty.parameter_maps, as_sent=st.booleans())
def test_drawn_parameters_agree(halves: Halves, params: Any, as_sent: bool) -> None:
    check(halves, "encode_query_string", params)
    check(halves, "encode_alb_query_string", params, as_sent)


@given(headers=nasty.header_maps, cookies=nasty.listings | nasty.leaves)
def test_drawn_headers_agree(halves: Halves, headers: Any, cookies: Any) -> None:
    check(halves, "encode_headers", headers, cookies)


@given(
    headers=nasty.header_maps,
    several=nasty.header_maps,
    split=st.booleans(),
    seed=st.integers(0, 9),
)
def test_drawn_headers_of_both_maps_agree(
    halves: Halves, headers: Any, several: Any, split: bool, seed: int
) -> None:
    check(halves, "encode_multi_value_headers", headers, several, split)
    if isinstance(several, dict):
        names = [*several]
        check(halves, "encode_multi_value_headers", dict.fromkeys(names, "z"), several, split)
        random.Random(seed).shuffle(names)
        check(halves, "encode_multi_value_headers", dict.fromkeys(names, "z"), several, split)


@given(
    headers=st.dictionaries(
        nasty.header_names,
        st.lists(st.fixed_dictionaries({"value": nasty.texts | nasty.leaves}), max_size=2)
        | nasty.leaves,
        max_size=5,
    )
)
def test_drawn_edge_headers_agree(halves: Halves, headers: Any) -> None:
    check(halves, "encode_edge_headers", headers)


@given(
    body=st.text("AQz09+/=-_\n é", max_size=12) | st.sampled_from(nasty.BASE64), flag=st.booleans()
)
def test_drawn_request_bodies_agree(halves: Halves, body: Any, flag: bool) -> None:
    check(halves, "decode_body", body, flag)


@given(
    headers=nasty.response_headers,
    body=st.binary(max_size=5) | st.text(max_size=5).map(lambda it: it.encode("utf-8", "replace")),
    exclude=st.lists(st.sampled_from(["a", "ab", "content-type", "set-cookie", "é"]), max_size=3),
    types=nasty.mime_types,
    default=st.sampled_from(["", "application/json"]),
)
def test_drawn_answers_agree(
    halves: Halves, headers: Any, body: bytes, exclude: Any, types: Any, default: str
) -> None:
    response = {"status": 200, "headers": headers, "body": body}
    check(halves, "rest_result", response, exclude, types)
    check(halves, "alb_result", response, exclude, types)
    check(halves, "http_result", response, exclude, types, default)
    check(halves, "decode_response", response, exclude, types, default)
    check(halves, "copy_headers", headers)
    texts, content_type, _ = pure.decode_headers(headers, exclude)
    for name in ("split_headers", "fold_headers", "group_headers"):
        check(halves, name, texts)
    check(halves, "encode_body", body, content_type, "", types)
    for (source, event), config in product(SOURCES, EDITIONS):
        config = {**config, "exclude_headers": exclude, "text_mime_types": types}
        ours, theirs = (
            written(half, source, event, (200, headers, body), config) for half in halves
        )
        assert_agree(ours, theirs)


@given(event=nasty.events, config=st.sampled_from(EDITIONS) | st.sampled_from(nasty.CONFIGS))
def test_drawn_events_agree(halves: Halves, event: Event, config: dict[str, Any]) -> None:
    check(halves, "recognise", event)
    for name in READERS:
        check(halves, name, event, CONTEXT, config)


def test_events_are_not_changed(halves: Halves) -> None:
    for build, config in product(EVENTS.values(), nasty.CONFIGS):
        for half in halves:
            event = build()
            read(half, event, CONTEXT, config)
            assert exact(event) == exact(build())


def test_a_deep_event_agrees(halves: Halves) -> None:
    for in_list, field in product((False, True), ("headers", "queryStringParameters", "body")):
        event = {**builders.rest_event(), field: {"a": nested(5000, in_list=in_list)}}
        assert disagreements(halves, "read_request", product([event], [None], EDITIONS)) == []
