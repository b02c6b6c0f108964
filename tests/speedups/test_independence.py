"""What one call leaves behind for another: nothing. Not in what it returned, not in memory, and not
in another thread."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from tests import builders
from tests.builders import Event
from tests.speedups import nasty
from tests.speedups.agreement import exact, read, write

CONTEXT = object()
CONFIGS = [nasty.config("classic"), nasty.config("2026")]

EVENTS: dict[str, Callable[[], Event]] = {
    "REST API": lambda: builders.rest_event(path="/a%20b", query=[("a", "1")], body=b"hi"),
    "REST API, custom path": lambda: builders.rest_event(prefix="/x", headers=[("A", "é")]),
    "HTTP API": lambda: builders.http_v2_event(cookies=["a=1", "b=2"], query=[("a", "1")]),
    "function URL": lambda: builders.function_url_event(path="/a%20b", body=b"\xff"),
    "ALB": lambda: builders.alb_event(headers=[("X-Forwarded-Port", "8080")]),
    "ALB, multi-value": lambda: builders.alb_event(multi_value=True, headers=[("A", "1")] * 2),
}
HANDLERS = {"REST API": "APIGateway", "HTTP API": "HTTPGateway", "ALB, multi-value": "ALB"}
HEADERS = [
    (b"Content-Type", b"text/plain"),
    (b"Set-Cookie", b"a=1"),
    [b"set-cookie", b"b=2"],
    (b"Vary", b"x"),
    (b"vary", b"y"),
]


def answer(half: ModuleType, body: bytes = b"hi", headers: Any = HEADERS) -> Any:
    """An exchange that is complete."""
    exchange = half.Exchange({}, b"")
    exchange.take({"type": "http.response.start", "status": 200, "headers": headers})
    exchange.take({"type": "http.response.body", "body": body})
    assert exchange.stage == 2
    return exchange


def scope_of(half: ModuleType, event: Event, config: Any) -> Any:
    request = read(half, event, CONTEXT, config)
    assert request is not None
    return request[1]


# --- results ----------------------------------------------------------------------------------


def spoil(value: Any) -> None:
    """Change whatever can be changed, all the way down."""
    if isinstance(value, dict):
        for item in value.values():
            spoil(item)
        value.clear()
    elif isinstance(value, (list, tuple)):
        for item in value:
            spoil(item)
        if isinstance(value, list):
            value.append("spoilt")


@pytest.mark.parametrize("source", EVENTS)
def test_a_scope_is_nobody_elses(speedups: ModuleType, source: str) -> None:
    for config in CONFIGS:
        scope = scope_of(speedups, EVENTS[source](), config)
        expected = exact((scope, config))
        spoil(scope)
        scope = scope_of(speedups, EVENTS[source](), config)
        assert exact((scope, config)) == expected


@pytest.mark.parametrize("source", EVENTS)
def test_a_scope_that_is_changed_leaves_its_event_alone(speedups: ModuleType, source: str) -> None:
    for config in CONFIGS:
        event = EVENTS[source]()
        scope = scope_of(speedups, event, config)
        assert scope.pop("aws.event") is event
        assert scope.pop("aws.context") is CONTEXT
        spoil(scope)
        assert exact(event) == exact(EVENTS[source]())


@pytest.mark.parametrize("source", HANDLERS)
def test_a_result_is_nobody_elses(speedups: ModuleType, source: str) -> None:
    name = HANDLERS[source]
    config = CONFIGS[0]
    exchange = answer(speedups)
    result = write(speedups, name, EVENTS[source](), exchange, config)
    expected = exact((result, exchange.headers, config, HEADERS))
    spoil(result)
    result = write(speedups, name, EVENTS[source](), exchange, config)
    assert exact((result, exchange.headers, config, HEADERS)) == expected


PIECES: dict[str, tuple[Any, ...]] = {
    "encode_headers": ({"A": "1", "b": "2"}, ["c=1"]),
    "encode_multi_value_headers": ({"A": "1"}, {"A": ["1", "2"]}, True),
    "encode_edge_headers": ({"a": [{"value": "1"}]},),
    "copy_headers": ([[b"a", b"1"], [b"b", b"2"]],),
    "decode_headers": ([[b"a", b"1"]], ["b"]),
    "split_headers": ([("a", "1"), ("b", "2"), ("a", "3")],),
    "fold_headers": ([("a", "1"), ("set-cookie", "2")],),
    "group_headers": ([("a", "1"), ("b", "2"), ("a", "3")],),
}


@pytest.mark.parametrize("name", PIECES)
def test_pieces_are_nobody_elses(speedups: ModuleType, name: str) -> None:
    function, given = getattr(speedups, name), PIECES[name]
    first = function(*given)
    expected = exact((first, given))
    spoil(first)
    assert exact((function(*given), given)) == expected


def test_an_exchange_keeps_a_copy_of_headers(speedups: ModuleType) -> None:
    header = [b"a", b"1"]
    headers = [header]
    exchange = speedups.Exchange({}, b"")
    exchange.take({"type": "http.response.start", "status": 200, "headers": headers})
    header[1] = b"2"
    headers.append([b"c", b"d"])
    assert exchange.headers == [[b"a", b"1"]]


def test_exchanges_share_nothing(speedups: ModuleType) -> None:
    one, other = speedups.Exchange({}, b""), speedups.Exchange({}, b"")
    one.take({"type": "http.response.start", "status": 404, "headers": [(b"a", b"b")]})
    one.take({"type": "http.response.body", "body": b"1", "more_body": True})
    assert (other.status, other.headers, other.body, other.chunks, other.stage) == (
        500,
        (),
        b"",
        None,
        0,
    )


# --- names that are kept ----------------------------------------------------------------------


def test_more_names_than_are_kept_stay_apart(speedups: ModuleType) -> None:
    names = [f"X-{'n' * (number % 60)}{number}" for number in range(3000)]
    for _ in range(2):
        for name in names:
            pairs, texts = speedups.encode_headers({name: "v"}, None)
            lower = name.lower()
            assert (pairs, texts) == ([[lower.encode(), b"v"]], {lower: "v"})
            assert speedups.decode_headers([(name.encode(), b"v")], ())[0] == [(lower, "v")]


# --- memory -----------------------------------------------------------------------------------

Work = Callable[[ModuleType], Any]


def refused(function: Callable[..., Any], *given: Any) -> None:
    try:
        function(*given)
    except Exception:
        return


def faulty() -> Iterator[Event]:
    """Events that are refused at every step of reading one, and such as take the long way."""
    for field, junk in (
        ("headers", {"A": 1}),
        ("headers", {"a": "1", "A": "2"}),
        ("headers", {"a": "\ud800"}),
        ("headers", {"N" * 65: "v"}),
        ("headers", {f"x-{number}": "v" for number in range(97)}),
        ("headers", "x"),
        ("headers", {"a": {}}),
        ("multiValueHeaders", {"a": ["b", "\ud800"]}),
        ("multiValueHeaders", {"a": [{}]}),
        ("cookies", ["a", 1]),
        ("queryStringParameters", {"a": {}}),
        ("multiValueQueryStringParameters", {"a": ["b", {}]}),
        ("path", "a"),
        ("path", 1),
        ("rawPath", "/é"),
        ("rawPath", 1),
        ("rawQueryString", "é"),
        ("body", "a"),
        ("body", 1),
        ("requestContext", {}),
        ("httpMethod", 1),
    ):
        for build in (builders.rest_event, builders.http_v2_event, builders.alb_event):
            yield {**build(), field: junk, "isBase64Encoded": True}


WELL = [build() for build in EVENTS.values()]
FAULTY = [*faulty()]
BAD_MESSAGES: list[Any] = [
    {"type": "http.response.start", "status": 200, "headers": headers}
    for headers in nasty.RESPONSE_HEADERS
] + [{"type": "http.response.body", "body": 1}, {"type": "x"}, None]


def read_well(half: ModuleType) -> None:
    for event in WELL:
        for config in CONFIGS:
            read(half, event, CONTEXT, config)


def read_badly(half: ModuleType) -> None:
    for event in FAULTY:
        refused(read, half, event, CONTEXT, CONFIGS[1])


def read_scopes_badly(half: ModuleType) -> None:
    for event in FAULTY:
        for function in (half.rest_scope, half.http_scope, half.alb_scope):
            refused(function, event, CONTEXT, CONFIGS[0])


def answer_well(half: ModuleType) -> None:
    for body in (b"hi", b"\xff", b""):
        exchange = answer(half, body)
        for event in WELL:
            for source in ("APIGateway", "HTTPGateway", "ALB"):
                write(half, source, event, exchange, CONFIGS[0])


def answer_badly(half: ModuleType) -> None:
    for message in BAD_MESSAGES:
        exchange = half.Exchange({}, b"")
        refused(exchange.take, message)
        refused(exchange.add, 1, False)
        refused(write, half, "x", {}, exchange, CONFIGS[0])
    refused(half.Exchange, 1)


def write_badly(half: ModuleType) -> None:
    for headers in nasty.RESPONSE_HEADERS:
        response = {"status": 200, "headers": headers, "body": b"hi"}
        refused(half.rest_result, response, ["a"], ["text/", None])
        refused(half.http_result, response, ["a"], ["é"], "application/json")
        refused(half.alb_result, response, None, [])
        refused(half.decode_response, response, (), ["text/"], "")


def pieces_badly(half: ModuleType) -> None:
    for value in nasty.NO_TEXTS:
        for name in ("decode_path", "encode_path", "split_host", "encode_query_string"):
            refused(getattr(half, name), value)
        refused(half.encode_headers, {"a": value}, value)
        refused(half.encode_multi_value_headers, value, {"a": [value]}, True)
        refused(half.encode_edge_headers, {"a": [{"value": value}]})
        refused(half.decode_body, value, True)
        refused(half.encode_body, b"a", value, value, value)
        refused(half.split_headers, [(value, value)])
        refused(half.fold_headers, [(value, value)])
        refused(half.group_headers, [(value, value)])
        refused(half.recognise, value)


WORK: tuple[Work, ...] = (
    read_well,
    read_badly,
    read_scopes_badly,
    answer_well,
    answer_badly,
    write_badly,
    pieces_badly,
)


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_calls_leave_no_memory_behind(speedups: ModuleType, work: Work) -> None:
    def blocks(rounds: int) -> int:
        for _ in range(rounds):
            work(speedups)
        gc.collect()
        return sys.getallocatedblocks()

    blocks(5)  # fills caches and free lists
    before = blocks(1)
    # one block a round would be a leak; a few come and go with the interpreter
    assert blocks(40) - before < 20


def test_calls_leave_no_references_behind(speedups: ModuleType) -> None:
    """On what lives longer than the call: no memory would tell."""
    name, value = "X-Only-Here-Once", "value of a header, long enough to be nobody's"
    raw_name, raw_value = name.encode(), value.encode()
    [[kept, _]], _ = speedups.encode_headers({name: value}, None)  # the name, as it is kept
    [(kept_text, _)], _, _ = speedups.decode_headers([(raw_name, raw_value)], ())
    pair = (raw_name, raw_value)
    header = [raw_name, raw_value]
    cookies = ["a=1", "b=2"]
    event = builders.http_v2_event()
    event["headers"][name] = value
    event["cookies"] = cookies
    rest = builders.rest_event()
    rest["headers"][name] = value
    rest["multiValueHeaders"][name] = [value]
    edge = [{"key": name, "value": value}]
    config = CONFIGS[1]
    watched: list[Any] = [
        *(name, value, raw_name, raw_value, kept, kept_text, pair, header, cookies),
        *(event, rest, event["headers"], event["requestContext"], edge, config, CONTEXT),
        *(config["text_mime_types"], config["exclude_headers"], FAULTY[0]["headers"]),
    ]

    def work() -> None:
        speedups.encode_headers({name: value}, cookies)
        speedups.encode_headers({name: value, "a": 1}, cookies)
        speedups.encode_multi_value_headers({name: value}, {name: [value, value]}, True)
        refused(speedups.encode_multi_value_headers, {name: value}, {name: [value, {}]}, True)
        speedups.encode_edge_headers({name: edge})
        speedups.decode_headers([pair, header], [value])
        refused(speedups.decode_headers, [pair, header, None], [])
        speedups.copy_headers([pair, header])
        refused(speedups.copy_headers, [pair, header, 1])
        for given in (event, rest):
            read(speedups, given, CONTEXT, config)
        exchange = answer(speedups, raw_value, [pair, header])
        for source in ("APIGateway", "HTTPGateway", "ALB"):
            for one in CONFIGS:
                write(speedups, source, event, exchange, one)
        speedups.decode_body(value, False)
        speedups.decode_path(value)
        refused(speedups.decode_body, value, True)

    def counts() -> list[int]:
        gc.collect()
        return [sys.getrefcount(it) for it in watched]

    work()
    before = counts()
    for _ in range(200):
        work()
    assert counts() == before


# --- threads ----------------------------------------------------------------------------------


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads that take turns as often as the interpreter lets them."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_threads")
def test_threads_do_not_disturb_each_other(speedups: ModuleType) -> None:
    """More names than are kept, so that threads take each other's place; and every third event
    takes the long way, which gives way to other threads."""

    def request(thread: int, number: int) -> Event:
        headers = [(f"X-{thread}-{number}-{it}", f"{thread}{it}") for it in range(8)]
        if number % 3 == 0:
            headers.append(("X-É", "1"))
        build = (builders.rest_event, builders.http_v2_event, builders.alb_event)[number % 3]
        return build(path=f"/{thread}/{number}", headers=headers, query=[("a", f"{thread}")])

    def exchange(thread: int, number: int) -> Any:
        headers = [(b"X-%d-%d-%d" % (thread, number, it), b"%d" % thread) for it in range(8)]
        return answer(speedups, b"%d" % thread, headers)

    def result(event: Event, sent: Any) -> Any:
        config = CONFIGS[0]
        request = read(speedups, event, CONTEXT, config)
        return exact((request, write(speedups, "HTTPGateway", event, sent, config)))

    numbers = range(100)
    calls = [[(request(it, n), exchange(it, n)) for n in numbers] for it in range(2)]
    expected = [[result(*call) for call in one] for one in calls]
    seen: list[list[Any]] = [[], []]
    start = threading.Barrier(2)

    def run(thread: int) -> None:
        start.wait()
        for _ in range(5):
            seen[thread] += [result(*call) for call in calls[thread]]

    threads = [threading.Thread(target=run, args=(it,)) for it in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [5 * one for one in expected]
