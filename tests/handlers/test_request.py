"""The request side, row by row, for every source and in both editions."""

from __future__ import annotations

from typing import Any

import pytest

from mangum import Mangum
from tests.apps import Recorder, body_of, result_of, scope_of
from tests.builders import (
    CLIENT_IP,
    SOURCES,
    Event,
    Keys,
    decode_result,
    edge_event,
    http_v1_event,
    http_v2_event,
    lambda_context,
    replaced,
    rest_event,
    without,
)

EDITIONS = ("classic", "2026")
every_source = pytest.mark.parametrize("source", SOURCES)
every_edition = pytest.mark.parametrize("edition", EDITIONS)

EDGE: Keys = ("Records", 0, "cf", "request")


def request(source: str, **fields: Any) -> Event:
    """The event of a request at the root of its domain, so that no stage is in its path."""
    return SOURCES[source](**{**({"prefix": ""} if source == "REST API" else {}), **fields})


def values(scope: Any, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


# --- null is the same as absent ---------------------------------------------------------------

V1: tuple[Keys, ...] = (
    ("path",),
    ("headers",),
    ("multiValueHeaders",),
    ("queryStringParameters",),
    ("multiValueQueryStringParameters",),
    ("body",),
    ("isBase64Encoded",),
    ("requestContext", "path"),
    ("requestContext", "stage"),
    ("requestContext", "domainName"),
    ("requestContext", "protocol"),
    ("requestContext", "identity"),
    ("requestContext", "identity", "sourceIp"),
    ("requestContext", "identity", "clientCert"),
)
V2: tuple[Keys, ...] = (
    ("headers",),
    ("cookies",),
    ("rawPath",),
    ("rawQueryString",),
    ("body",),
    ("isBase64Encoded",),
    ("requestContext", "stage"),
    ("requestContext", "domainName"),
    ("requestContext", "authentication"),
    ("requestContext", "http", "protocol"),
    ("requestContext", "http", "sourceIp"),
)
ALB: tuple[Keys, ...] = (
    ("path",),
    ("headers",),
    ("multiValueHeaders",),
    ("queryStringParameters",),
    ("multiValueQueryStringParameters",),
    ("body",),
    ("isBase64Encoded",),
)
NULLABLE: dict[str, tuple[Keys, ...]] = {
    "REST API": V1,
    "HTTP API 1.0": V1,
    "HTTP API 2.0": V2,
    "function URL": V2,
    "ALB": ALB,
    "ALB multi-value": ALB,
    "Lambda@Edge": (
        ("Records", 0, "cf", "config"),
        ("Records", 0, "cf", "config", "eventType"),
        (*EDGE, "uri"),
        (*EDGE, "headers"),
        (*EDGE, "querystring"),
        (*EDGE, "clientIp"),
        (*EDGE, "body"),
        (*EDGE, "body", "data"),
        (*EDGE, "body", "encoding"),
        (*EDGE, "body", "inputTruncated"),
    ),
    "VPC Lattice v1": (
        ("headers",),
        ("query_string_parameters",),
        ("body",),
        ("is_base64_encoded",),
    ),
    "VPC Lattice v2": (
        ("path",),
        ("headers",),
        ("queryStringParameters",),
        ("body",),
        ("isBase64Encoded",),
    ),
}


@every_edition
@pytest.mark.parametrize(
    ("source", "keys"),
    [(source, keys) for source, paths in NULLABLE.items() for keys in paths],
    ids=[f"{source}: {keys[-1]}" for source, paths in NULLABLE.items() for keys in paths],
)
def test_null_is_the_same_as_absent(source: str, keys: Keys, edition: str) -> None:
    event = SOURCES[source](
        method="POST", path="/a", query=[("q", "1")], headers=[("x-a", "1")], body=b"hi"
    )
    null, absent = replaced(event, keys, None), without(event, keys)
    seen = [{**scope_of(event, edition=edition), "aws.event": None} for event in (null, absent)]
    assert seen[0] == seen[1]
    assert body_of(null, edition=edition) == body_of(absent, edition=edition)
    assert result_of(null, edition=edition) == result_of(absent, edition=edition)


HEADER_MAPS: dict[str, tuple[Keys, ...]] = {
    "REST API": (("headers",), ("multiValueHeaders",)),
    "HTTP API 1.0": (("headers",), ("multiValueHeaders",)),
    "HTTP API 2.0": (("headers",),),
    "function URL": (("headers",),),
    "ALB": (("headers",),),
    "ALB multi-value": (("multiValueHeaders",),),
    "Lambda@Edge": ((*EDGE, "headers"),),
    "VPC Lattice v1": (("headers",),),
    "VPC Lattice v2": (("headers",),),
}


@every_edition
@pytest.mark.parametrize(
    ("source", "keys"),
    [(source, keys) for source, maps in HEADER_MAPS.items() for keys in maps],
)
def test_header_whose_value_is_null_is_absent(source: str, keys: Keys, edition: str) -> None:
    event = SOURCES[source]()
    headers = scope_of(event, edition=edition)["headers"]
    event = replaced(event, (*keys, "x-null"), None)
    assert scope_of(event, edition=edition)["headers"] == headers


@every_edition
@pytest.mark.parametrize(
    ("source", "keys", "null"),
    [
        ("REST API", ("multiValueHeaders", "x-some"), ["a", None]),
        ("HTTP API 1.0", ("multiValueHeaders", "x-some"), ["a", None]),
        ("ALB multi-value", ("multiValueHeaders", "x-some"), [None, "a"]),
        ("VPC Lattice v2", ("headers", "x-some"), [None, "a"]),
        ("Lambda@Edge", (*EDGE, "headers", "x-some"), [{"key": "x-some", "value": None}]),
    ],
)
def test_null_among_the_values_of_a_header_is_absent(
    source: str, keys: Keys, null: list[Any], edition: str
) -> None:
    event = replaced(SOURCES[source](), keys, null)
    expected = [] if source == "Lambda@Edge" else [b"a"]
    assert values(scope_of(event, edition=edition), b"x-some") == expected


@every_edition
@pytest.mark.parametrize("source", ["REST API", "HTTP API 1.0", "ALB"])
def test_query_parameter_whose_value_is_null_is_absent(source: str, edition: str) -> None:
    event = {
        **SOURCES[source](),
        "queryStringParameters": {"a": None, "b": "1"},
        "multiValueQueryStringParameters": None,
    }
    assert scope_of(event, edition=edition)["query_string"] == b"b=1"


@every_edition
def test_event_of_the_consoles_test_button_has_no_headers_at_all(edition: str) -> None:
    event = {**rest_event(), "headers": None, "multiValueHeaders": None}
    scope = scope_of(event, edition=edition)
    assert scope["headers"] == []
    assert scope["server"] == ("mangum", 80 if edition == "classic" else 443)


# --- headers ----------------------------------------------------------------------------------


@every_source
@every_edition
def test_header_names_are_lower_case(source: str, edition: str) -> None:
    scope = scope_of(SOURCES[source](headers=[("X-MiXeD", "Value")]), edition=edition)
    assert values(scope, b"x-mixed") == [b"Value"]
    assert all(name == name.lower() for name, _ in scope["headers"])


REPEATED: dict[str, tuple[list[bytes], list[bytes]]] = {
    "REST API": ([b"a, b"], [b"a", b"b"]),
    "HTTP API 1.0": ([b"a, b"], [b"a", b"b"]),
    "HTTP API 2.0": ([b"a,b"], [b"a,b"]),  # joined by API Gateway
    "function URL": ([b"a,b"], [b"a,b"]),
    "ALB": ([b"b"], [b"b"]),  # the load balancer sends the last one
    "ALB multi-value": ([b"a", b"b"], [b"a", b"b"]),
    "Lambda@Edge": ([b"a", b"b"], [b"a", b"b"]),
    "VPC Lattice v1": ([b"a, b"], [b"a, b"]),
    "VPC Lattice v2": ([b"a", b"b"], [b"a", b"b"]),
}


@pytest.mark.parametrize(("source", "expected"), REPEATED.items(), ids=REPEATED)
def test_every_value_of_a_repeated_header_is_kept(
    source: str, expected: tuple[list[bytes], list[bytes]]
) -> None:
    event = SOURCES[source](headers=[("x-many", "a"), ("x-many", "b")])
    assert tuple(values(scope_of(event, edition=it), b"x-many") for it in EDITIONS) == expected


@every_edition
@pytest.mark.parametrize("source", ["REST API", "HTTP API 1.0", "ALB multi-value"])
def test_values_of_a_header_in_two_spellings_are_all_kept(source: str, edition: str) -> None:
    event = SOURCES[source](headers=[("X-Many", "a"), ("x-many", "b")])
    joined = b", ".join(values(scope_of(event, edition=edition), b"x-many"))
    assert joined == b"a, b"


@every_edition
@pytest.mark.parametrize("source", ["REST API", "HTTP API 1.0"])
def test_headers_adds_what_multi_value_headers_lacks(source: str, edition: str) -> None:
    event = {
        **SOURCES[source](),
        "headers": {"x-one": "1", "X-Many": "b"},
        "multiValueHeaders": {"x-many": ["a", "b"]},
    }
    scope = scope_of(event, edition=edition)
    assert values(scope, b"x-one") == [b"1"]
    assert b", ".join(values(scope, b"x-many")) == b"a, b"


@every_edition
@pytest.mark.parametrize(
    "source", ["REST API", "HTTP API 1.0", "ALB multi-value", "Lambda@Edge", "VPC Lattice v2"]
)
def test_several_cookie_headers_join_with_a_semicolon(source: str, edition: str) -> None:
    event = SOURCES[source](headers=[("cookie", "a=1"), ("cookie", "b=2, c")])
    assert values(scope_of(event, edition=edition), b"cookie") == [b"a=1; b=2, c"]


@every_edition
@pytest.mark.parametrize("source", ["REST API", "HTTP API 1.0", "ALB multi-value"])
def test_cookie_headers_in_two_spellings_join_with_a_semicolon(source: str, edition: str) -> None:
    event = SOURCES[source](headers=[("Cookie", "a=1"), ("cookie", "b=2")])
    assert values(scope_of(event, edition=edition), b"cookie") == [b"a=1; b=2"]


@every_source
@every_edition
def test_cookies_are_one_header(source: str, edition: str) -> None:
    event = SOURCES[source](cookies=["a=1", "b=2"])
    assert values(scope_of(event, edition=edition), b"cookie") == [b"a=1; b=2"]


@every_source
@every_edition
def test_header_values_are_encoded_as_utf8(source: str, edition: str) -> None:
    event = SOURCES[source](headers=[("x-city", "Zürich \U0001f680")])
    assert values(scope_of(event, edition=edition), b"x-city") == ["Zürich \U0001f680".encode()]


@every_source
@every_edition
def test_lone_surrogate_in_a_header_becomes_a_question_mark(source: str, edition: str) -> None:
    event = SOURCES[source](headers=[("x-odd", "a\ud800b")])
    assert values(scope_of(event, edition=edition), b"x-odd") == [b"a?b"]


@every_source
@every_edition
def test_headers_are_lists_of_two_bytes(source: str, edition: str) -> None:
    event = SOURCES[source](headers=[("x-many", "a"), ("x-many", "b")])
    headers = scope_of(event, edition=edition)["headers"]
    assert type(headers) is list
    assert all(
        type(pair) is list and [type(part) for part in pair] == [bytes, bytes] for pair in headers
    )


# --- path -------------------------------------------------------------------------------------

# what the client sent: the path, and the raw path where the source sends a decoded one
PATHS: dict[str, tuple[str, bytes]] = {
    "/": ("/", b"/"),
    "/plain/path": ("/plain/path", b"/plain/path"),
    "/a%20b": ("/a b", b"/a%20b"),
    "/a+b": ("/a+b", b"/a+b"),
    "/a%2Bb": ("/a+b", b"/a+b"),
    "/a%2fb": ("/a/b", b"/a/b"),
    "/%C3%A9": ("/é", b"/%C3%A9"),
    "/%c3%a9": ("/é", b"/%C3%A9"),
    "/%F0%9F%9A%80": ("/\U0001f680", b"/%F0%9F%9A%80"),
    "/100%25": ("/100%", b"/100%25"),
    "/100%2525": ("/100%25", b"/100%2525"),
    "/a%3Fb%23c": ("/a?b#c", b"/a%3Fb%23c"),
    "/%FF": ("/\ufffd", b"/%EF%BF%BD"),
    "/doubled//slashes": ("/doubled//slashes", b"/doubled//slashes"),
    "//leading": ("//leading", b"//leading"),
    "/trailing/": ("/trailing/", b"/trailing/"),
    "/@user/(x)!$&'*,;=:~": ("/@user/(x)!$&'*,;=:~", b"/@user/(x)!$&'*,;=:~"),
    "/a/./b/../c": ("/a/./b/../c", b"/a/./b/../c"),
}


@every_source
@pytest.mark.parametrize("sent", PATHS)
def test_path_is_decoded_exactly_once(source: str, sent: str) -> None:
    path, requoted = PATHS[sent]
    event = request(source, path=sent)
    classic, modern = (scope_of(event, edition=edition) for edition in EDITIONS)
    assert (classic["path"], classic["raw_path"]) == (path, None)
    raw_path = requoted if source == "HTTP API 2.0" else sent.encode()
    assert (modern["path"], modern["raw_path"]) == (path, raw_path)


def test_raw_path_is_used_and_not_the_path_of_the_context() -> None:
    event = replaced(http_v2_event(path="/a"), ("requestContext", "http", "path"), "/other")
    assert [scope_of(event, edition=it)["path"] for it in EDITIONS] == ["/a", "/a"]


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("REST API", ("path",)),
        ("HTTP API 1.0", ("path",)),
        ("HTTP API 2.0", ("rawPath",)),
        ("function URL", ("rawPath",)),
        ("ALB", ("path",)),
        ("VPC Lattice v1", ("raw_path",)),
        ("VPC Lattice v2", ("path",)),
    ],
)
@every_edition
def test_empty_path_is_a_slash(source: str, keys: Keys, edition: str) -> None:
    event = replaced(request(source), keys, "")
    scope = scope_of(event, edition=edition)
    assert (scope["path"], scope["raw_path"]) == ("/", None if edition == "classic" else b"/")


def test_empty_path_of_lambda_at_edge_is_a_slash_in_2026() -> None:
    event = replaced(edge_event(), (*EDGE, "uri"), "")
    assert [scope_of(event, edition=it)["path"] for it in EDITIONS] == ["", "/"]


# --- base path --------------------------------------------------------------------------------

# (base, sent) → classic path, 2026 path, 2026 root_path
STRIPPED: dict[tuple[str, str], tuple[str, str, str]] = {
    ("/api", "/api"): ("/", "/api", "/api"),
    ("/api", "/api/"): ("/", "/api/", "/api"),
    ("/api", "/api/items"): ("/items", "/api/items", "/api"),
    ("/api", "/api/items/"): ("/items/", "/api/items/", "/api"),
    ("/api", "/api//items"): ("//items", "/api//items", "/api"),
    ("/api", "/api/api/x"): ("/api/x", "/api/api/x", "/api"),
    ("/api", "/api/a%20b"): ("/a b", "/api/a b", "/api"),
    ("/api", "/apiary"): ("/apiary", "/apiary", ""),
    ("/api", "/apiary/api"): ("/apiary/api", "/apiary/api", ""),
    ("/api", "/x/api"): ("/x/api", "/x/api", ""),
    ("/api", "/API/x"): ("/API/x", "/API/x", ""),
    ("/api", "/"): ("/", "/", ""),
    ("api", "/api/items"): ("/items", "/api/items", "/api"),
    ("/api/", "/api/items"): ("/items", "/api/items", "/api"),
    ("/api/", "/api"): ("/", "/api", "/api"),
    ("/api/v1", "/api/v1/items"): ("/items", "/api/v1/items", "/api/v1"),
    ("/api/v1", "/api/v10"): ("/api/v10", "/api/v10", ""),
    ("/api/v1", "/api"): ("/api", "/api", ""),
    ("/", "/items"): ("/items", "/items", ""),
    ("", "/items"): ("/items", "/items", ""),
}


@every_source
@pytest.mark.parametrize(("base", "sent"), STRIPPED)
def test_base_path_matches_whole_segments(source: str, base: str, sent: str) -> None:
    classic_path, path, root_path = STRIPPED[base, sent]
    event = request(source, path=sent)
    options = {"api_gateway_base_path": base}
    classic, modern = (scope_of(event, edition=edition, **options) for edition in EDITIONS)
    assert (classic["path"], classic["root_path"], classic["raw_path"]) == (classic_path, "", None)
    raw_path = sent.encode()  # nothing here is spelled in a way that re-quoting changes
    assert (modern["path"], modern["root_path"], modern["raw_path"]) == (
        path,
        root_path,
        raw_path,
    )


@every_source
@every_edition
def test_base_path_of_none_is_no_base_path(source: str, edition: str) -> None:
    event = request(source, path="/items")
    scope = scope_of(event, edition=edition, api_gateway_base_path=None)
    assert (scope["path"], scope["root_path"]) == ("/items", "")


CUSTOM_DOMAIN = [("Host", "shop.example.org")]

# event, base → classic path; 2026 path, root_path, raw_path
STAGES: dict[str, tuple[Event, str, str, tuple[str, str, bytes]]] = {
    "a REST API's stage is in the client's path": (
        rest_event(path="/a%20b"),
        "/",
        "/a b",
        ("/prod/a b", "/prod", b"/prod/a%20b"),
    ),
    "a REST API's stage at its root": (rest_event(), "/", "/", ("/prod/", "/prod", b"/prod/")),
    "a REST API's stage and a base path": (
        rest_event(path="/api/items"),
        "/api",
        "/items",
        ("/prod/api/items", "/prod/api", b"/prod/api/items"),
    ),
    "a REST API's stage and another base path": (
        rest_event(path="/apiary"),
        "/api",
        "/apiary",
        ("/prod/apiary", "/prod", b"/prod/apiary"),
    ),
    "a REST API whose path begins like its stage": (
        rest_event(path="/prod/items"),
        "/",
        "/prod/items",
        ("/prod/prod/items", "/prod", b"/prod/prod/items"),
    ),
    "a REST API with a whole domain to itself": (
        rest_event(path="/items", prefix="", headers=CUSTOM_DOMAIN),
        "/",
        "/items",
        ("/items", "", b"/items"),
    ),
    "a REST API with a whole domain and a path like its stage": (
        rest_event(path="/prod/items", prefix="", headers=CUSTOM_DOMAIN),
        "/",
        "/prod/items",
        ("/prod/items", "", b"/prod/items"),
    ),
    "a REST API mapped below a path of a domain": (
        rest_event(path="/shop/items", prefix="", headers=CUSTOM_DOMAIN),
        "/shop",
        "/items",
        ("/shop/items", "/shop", b"/shop/items"),
    ),
    "a REST API mapped below a path named like its stage": (
        rest_event(path="/prod/items", prefix="", headers=CUSTOM_DOMAIN),
        "/prod",
        "/items",
        ("/prod/items", "/prod", b"/prod/items"),
    ),
    "an HTTP API 1.0 with a stage": (
        http_v1_event(path="/a%20b", stage="dev"),
        "/",
        "/dev/a b",
        ("/dev/a b", "/dev", b"/dev/a%20b"),
    ),
    "an HTTP API 1.0 with a stage as base path": (
        http_v1_event(path="/items", stage="dev"),
        "/dev",
        "/items",
        ("/dev/items", "/dev", b"/dev/items"),
    ),
    "an HTTP API 1.0 with the default stage": (
        http_v1_event(path="/items"),
        "/",
        "/items",
        ("/items", "", b"/items"),
    ),
    "an HTTP API 2.0 with a stage": (
        http_v2_event(path="/a%20b", stage="dev"),
        "/",
        "/dev/a b",
        ("/dev/a b", "/dev", b"/dev/a%20b"),
    ),
    "an HTTP API 2.0 with a stage and nothing behind it": (
        http_v2_event(path="", stage="dev"),
        "/",
        "/dev",
        ("/dev", "/dev", b"/dev"),
    ),
    "an HTTP API 2.0 with a stage as base path": (
        http_v2_event(path="/items", stage="dev"),
        "/dev",
        "/items",
        ("/dev/items", "/dev", b"/dev/items"),
    ),
    "an HTTP API 2.0 with a stage and a base path behind it": (
        http_v2_event(path="/api/items", stage="dev"),
        "/api",
        "/dev/api/items",
        ("/dev/api/items", "/dev/api", b"/dev/api/items"),
    ),
    "an HTTP API 2.0 with a base path that begins with its stage": (
        http_v2_event(path="/api/items", stage="dev"),
        "/dev/api",
        "/items",
        ("/dev/api/items", "/dev/api", b"/dev/api/items"),
    ),
    "an HTTP API 1.0 with a base path that begins with its stage": (
        http_v1_event(path="/api/items", stage="dev"),
        "/dev/api",
        "/items",
        ("/dev/api/items", "/dev/api", b"/dev/api/items"),
    ),
    "an HTTP API 2.0 with a path that begins like its stage": (
        replaced(http_v2_event(path="/developers"), ("requestContext", "stage"), "dev"),
        "/",
        "/developers",
        ("/developers", "", b"/developers"),
    ),
    "an HTTP API 2.0 behind a domain that does not show its stage": (
        replaced(
            http_v2_event(path="/items", stage="dev"),
            ("requestContext", "domainName"),
            "shop.example.org",
        ),
        "/",
        "/dev/items",
        ("/items", "", b"/items"),
    ),
    "an HTTP API 1.0 behind a domain that does not show its stage": (
        replaced(
            http_v1_event(path="/items", stage="dev"),
            ("requestContext", "domainName"),
            "shop.example.org",
        ),
        "/",
        "/dev/items",
        ("/items", "", b"/items"),
    ),
}


@pytest.mark.parametrize(("event", "base", "classic_path", "expected"), STAGES.values(), ids=STAGES)
def test_stage_is_named_in_root_path_and_stays_in_the_path(
    event: Event, base: str, classic_path: str, expected: tuple[str, str, bytes]
) -> None:
    classic, modern = (
        scope_of(event, edition=edition, api_gateway_base_path=base) for edition in EDITIONS
    )
    assert (classic["path"], classic["root_path"]) == (classic_path, "")
    assert (modern["path"], modern["root_path"], modern["raw_path"]) == expected


@every_source
@every_edition
@pytest.mark.parametrize("root_path", ["/shop", "shop", "/shop/"])
@pytest.mark.parametrize("sent", ["/items", "/shop/items"])
def test_root_path_is_named_and_is_in_the_path(
    source: str, edition: str, root_path: str, sent: str
) -> None:
    scope = scope_of(request(source, path=sent), edition=edition, root_path=root_path)
    assert (scope["path"], scope["root_path"]) == ("/shop/items", "/shop")
    assert scope["raw_path"] == (None if edition == "classic" else b"/shop/items")


@every_edition
def test_root_path_takes_the_place_of_the_stage(edition: str) -> None:
    event = rest_event(path="/items")  # the client's path is /prod/items
    scope = scope_of(event, edition=edition, root_path="/shop")
    assert (scope["path"], scope["root_path"]) == ("/shop/items", "/shop")


@every_edition
def test_root_path_takes_the_place_of_the_base_path(edition: str) -> None:
    event = request("HTTP API 2.0", path="/api/items")
    options = {"api_gateway_base_path": "/api", "root_path": "/shop"}
    scope = scope_of(event, edition=edition, **options)
    assert (scope["path"], scope["root_path"]) == ("/shop/items", "/shop")


@every_edition
@pytest.mark.parametrize("root_path", ["", "/"])
def test_empty_root_path_is_no_prefix(edition: str, root_path: str) -> None:
    scope = scope_of(rest_event(path="/items"), edition=edition, root_path=root_path)
    assert (scope["path"], scope["root_path"]) == ("/items", "")


@every_edition
def test_root_path_matches_whole_segments(edition: str) -> None:
    scope = scope_of(request("ALB", path="/shopping"), edition=edition, root_path="/shop")
    assert (scope["path"], scope["root_path"]) == ("/shop/shopping", "/shop")


# --- query string -----------------------------------------------------------------------------

QUERY = (("a b", "c&d"), ("a b", "é+"), ("empty", ""))
ENCODED = b"a+b=c%26d&a+b=%C3%A9%2B&empty="


@every_source
@every_edition
def test_query_string_is_the_clients(source: str, edition: str) -> None:
    query_string = scope_of(SOURCES[source](query=QUERY), edition=edition)["query_string"]
    last_alone = source in ("ALB", "VPC Lattice v1")  # all that the source sends
    assert query_string == (b"a+b=%C3%A9%2B&empty=" if last_alone else ENCODED)


@every_source
@every_edition
def test_missing_query_is_an_empty_query_string(source: str, edition: str) -> None:
    assert scope_of(SOURCES[source](), edition=edition)["query_string"] == b""


@every_edition
@pytest.mark.parametrize("sent", ["a=%41&b=%c3%a9&flag&=&&x=%FF+%20", "a=1#b", "a=b=c", "%"])
@pytest.mark.parametrize("source", ["HTTP API 2.0", "function URL", "Lambda@Edge"])
def test_query_string_that_arrives_as_text_is_passed_on_as_sent(
    source: str, sent: str, edition: str
) -> None:
    keys: Keys = (*EDGE, "querystring") if source == "Lambda@Edge" else ("rawQueryString",)
    event = replaced(SOURCES[source](), keys, sent)
    assert scope_of(event, edition=edition)["query_string"] == sent.encode()


@every_edition
@pytest.mark.parametrize("source", ["REST API", "HTTP API 1.0"])
def test_values_that_arrive_decoded_are_encoded(source: str, edition: str) -> None:
    parameters = {"q": ["100%", "a+b", "%41"], "k/k": ["~.-_"]}
    event = {**SOURCES[source](), "multiValueQueryStringParameters": parameters}
    query_string = scope_of(event, edition=edition)["query_string"]
    assert query_string == b"q=100%25&q=a%2Bb&q=%2541&k%2Fk=~.-_"


@every_edition
@pytest.mark.parametrize("source", ["REST API", "HTTP API 1.0"])
def test_single_values_serve_where_there_are_no_multiple_ones(source: str, edition: str) -> None:
    event = {
        **SOURCES[source](),
        "queryStringParameters": {"q": "1"},
        "multiValueQueryStringParameters": None,
    }
    assert scope_of(event, edition=edition)["query_string"] == b"q=1"


# --- body -------------------------------------------------------------------------------------


@every_source
@every_edition
@pytest.mark.parametrize("binary", [False, True], ids=["text", "base64"])
@pytest.mark.parametrize(
    "body",
    [b"", b"hi", "Zürich".encode(), b'{"a": "\\u0000"}', b"a" * 5000],
    ids=["none", "short", "non-ascii", "json", "long"],
)
def test_body_arrives_as_sent(source: str, edition: str, binary: bool, body: bytes) -> None:
    fields = {} if source == "Lambda@Edge" else {"binary": binary}  # which always sends base64
    event = SOURCES[source](method="POST", body=body, **fields)
    assert body_of(event, edition=edition) == body


@every_source
@pytest.mark.parametrize("size", [1, 3000])
def test_body_that_is_no_text_arrives_as_sent(source: str, size: int) -> None:
    body = b"\xff\x00" * size
    assert body_of(SOURCES[source](method="POST", body=body)) == body


def _body_keys(source: str) -> tuple[Keys, Keys]:
    if source == "Lambda@Edge":
        return (*EDGE, "body", "data"), (*EDGE, "body", "encoding")
    flag = "is_base64_encoded" if source == "VPC Lattice v1" else "isBase64Encoded"
    return ("body",), (flag,)


@every_source
@every_edition
@pytest.mark.parametrize("data", ["a", "abcde", "a" * 4001], ids=["one", "five", "long"])
def test_invalid_base64_is_a_400_and_never_runs_the_app(
    source: str, edition: Any, data: str
) -> None:
    text, flag = _body_keys(source)
    event = SOURCES[source](method="POST", body=b"hi")
    event = replaced(event, flag, "base64" if source == "Lambda@Edge" else True)
    event = replaced(event, text, data)
    app = Recorder()
    result = Mangum(app, lifespan="off", edition=edition)(event, lambda_context())
    answer = decode_result(result)
    assert (answer.status, app.scopes) == (400, [])
    assert answer.header("content-type").startswith("text/plain")


@pytest.mark.parametrize("encoding", ["text", None])
def test_body_of_lambda_at_edge_may_be_text(encoding: str | None) -> None:
    event = replaced(edge_event(body=b"x"), (*EDGE, "body", "data"), "hi")
    assert body_of(replaced(event, (*EDGE, "body", "encoding"), encoding)) == b"hi"


# --- server, scheme, client -------------------------------------------------------------------

SERVERS: dict[str, tuple[str | None, str | None, tuple[str, int | None]]] = {
    # Host, x-forwarded-port: the server, None for the default port
    "a name": ("example.org", None, ("example.org", None)),
    "a name and a forwarded port": ("example.org", "8443", ("example.org", 8443)),
    "a name with a port": ("example.org:8080", None, ("example.org", 8080)),
    "the port of the name comes first": ("example.org:8080", "443", ("example.org", 8080)),
    "several forwarded ports": ("example.org", "443,80", ("example.org", 443)),
    "several forwarded ports with spaces": ("example.org", " 8443 , 80", ("example.org", 8443)),
    "an empty port": ("example.org:", None, ("example.org", None)),
    "a port that is none": ("example.org:http", None, ("example.org", None)),
    "a port that is none and a forwarded one": ("example.org:x", "8443", ("example.org", 8443)),
    "a port out of range": ("example.org:65536", None, ("example.org", None)),
    "a negative port": ("example.org:-1", None, ("example.org", None)),
    "a port in other digits": ("example.org:٨٠", None, ("example.org", None)),
    "an endless port": ("example.org:" + "9" * 5000, None, ("example.org", None)),
    "a forwarded port that is none": ("example.org", "https", ("example.org", None)),
    "an empty forwarded port": ("example.org", "", ("example.org", None)),
    "an IPv6 address": ("[2001:db8::1]", None, ("2001:db8::1", None)),
    "an IPv6 address with a port": ("[2001:db8::1]:8080", None, ("2001:db8::1", 8080)),
    "an IPv6 address with a bad port": ("[2001:db8::1]:x", None, ("2001:db8::1", None)),
    "an IPv6 address and a forwarded port": ("[::1]", "8443", ("::1", 8443)),
    "no name": (None, None, ("mangum", None)),
    "no name and a forwarded port": (None, "8443", ("mangum", 8443)),
    "an empty name": ("", None, ("mangum", None)),
}


@pytest.mark.parametrize("source", ["REST API", "HTTP API 2.0", "ALB", "Lambda@Edge"])
@pytest.mark.parametrize(("host", "forwarded", "server"), SERVERS.values(), ids=SERVERS)
def test_server_is_the_host_and_its_port(
    source: str, host: str | None, forwarded: str | None, server: tuple[str, int | None]
) -> None:
    given = {"host": host, "x-forwarded-port": forwarded}
    headers: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if source == "Lambda@Edge":
        headers = {name: [{"key": name, "value": value}] for name, value in headers.items()}
    event = replaced(SOURCES[source](), HEADER_MAPS[source][0], headers)
    event = event if source != "REST API" else {**event, "multiValueHeaders": None}
    name, port = server
    assert [scope_of(event, edition=it)["server"] for it in EDITIONS] == [
        (name, 80 if port is None else port),
        (name, 443 if port is None else port),
    ]


SCHEMES = {
    "https": "https",
    "http": "http",
    "http, https": "http",
    "https,http": "https",
    " http ,https": "http",
    "HTTP": "http",
    "": "https",
}


@pytest.mark.parametrize("source", [source for source in SOURCES if source != "Lambda@Edge"])
@every_edition
@pytest.mark.parametrize("sent", SCHEMES)
def test_scheme_is_the_first_of_x_forwarded_proto(source: str, edition: str, sent: str) -> None:
    event = SOURCES[source](headers=[("X-Forwarded-Proto", sent)])
    assert scope_of(event, edition=edition)["scheme"] == SCHEMES[sent]


@every_source
@every_edition
def test_scheme_is_https_where_nothing_names_one(source: str, edition: str) -> None:
    event = SOURCES[source]()
    for keys in HEADER_MAPS[source]:
        event = replaced(event, keys, {})
    assert scope_of(event, edition=edition)["scheme"] == "https"


@every_edition
@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ([], "https"),
        ([("CloudFront-Forwarded-Proto", "http")], "http"),
        ([("CloudFront-Forwarded-Proto", "https")], "https"),
    ],
)
def test_scheme_of_lambda_at_edge_is_cloudfronts_word(
    headers: list[tuple[str, str]], scheme: str, edition: str
) -> None:
    assert scope_of(edge_event(headers=headers), edition=edition)["scheme"] == scheme


@every_source
@every_edition
def test_client_is_the_source_ip_and_port_0(source: str, edition: str) -> None:
    assert scope_of(SOURCES[source](), edition=edition)["client"] == (CLIENT_IP, 0)


@pytest.mark.parametrize("source", SOURCES)
@every_edition
def test_client_cannot_choose_its_address(source: str, edition: str) -> None:
    if source == "Lambda@Edge" or "API" in source or source == "function URL":
        forwarded = "192.0.2.66"  # the client's words; the address is told elsewhere
    else:
        forwarded = f"192.0.2.66, 192.0.2.67,{CLIENT_IP}"
    event = SOURCES[source](headers=[("X-Forwarded-For", forwarded)])
    assert scope_of(event, edition=edition)["client"] == (CLIENT_IP, 0)


@every_source
@every_edition
def test_event_and_context_are_the_very_objects_that_lambda_passed(
    source: str, edition: Any
) -> None:
    app, event, context = Recorder(), SOURCES[source](), lambda_context()
    Mangum(app, lifespan="off", edition=edition)(event, context)
    (scope,) = app.scopes
    assert scope["aws.event"] is event
    assert scope["aws.context"] is context


@every_source
@every_edition
def test_event_is_not_changed(source: str, edition: str) -> None:
    fields: dict[str, Any] = {"path": "/a", "query": [("q", "1")], "cookies": ["a=1", "b=2"]}
    event = SOURCES[source](**fields)
    scope_of(event, edition=edition, forwarded_host="user-agent", root_path="/r")
    assert event == SOURCES[source](**fields)


@every_source
@every_edition
def test_state_is_absent_where_no_lifespan_runs(source: str, edition: str) -> None:
    assert "state" not in scope_of(SOURCES[source](), edition=edition)


# --- forwarded_host ---------------------------------------------------------------------------


@every_source
@every_edition
@pytest.mark.parametrize("option", ["x-forwarded-host", "X-Forwarded-Host"])
def test_forwarded_host_names_the_server_and_the_host(
    source: str, edition: str, option: str
) -> None:
    event = SOURCES[source](headers=[("X-Forwarded-Host", "shop.example.org:8443, inner")])
    scope = scope_of(event, edition=edition, forwarded_host=option)
    assert scope["server"] == ("shop.example.org", 8443)
    assert values(scope, b"host") == [b"shop.example.org:8443"]
    assert values(scope, b"x-forwarded-host") == [b"shop.example.org:8443, inner"]


@every_source
@every_edition
def test_forwarded_host_is_no_ones_word_by_default(source: str, edition: str) -> None:
    plain = scope_of(SOURCES[source](), edition=edition)
    event = SOURCES[source](headers=[("X-Forwarded-Host", "evil.example.org")])
    scope = scope_of(event, edition=edition)
    assert (scope["server"], values(scope, b"host")) == (plain["server"], values(plain, b"host"))


@every_source
@every_edition
@pytest.mark.parametrize("headers", [[], [("X-Forwarded-Host", "")]], ids=["absent", "empty"])
def test_forwarded_host_that_is_missing_leaves_the_host(
    source: str, edition: str, headers: list[tuple[str, str]]
) -> None:
    plain = scope_of(SOURCES[source](), edition=edition)
    event = SOURCES[source](headers=headers)
    scope = scope_of(event, edition=edition, forwarded_host="x-forwarded-host")
    assert (scope["server"], values(scope, b"host")) == (plain["server"], values(plain, b"host"))


@every_edition
def test_forwarded_host_stands_where_there_is_no_host(edition: str) -> None:
    event = {**http_v2_event(), "headers": {"x-forwarded-host": "shop.example.org"}}
    scope = scope_of(event, edition=edition, forwarded_host="x-forwarded-host")
    assert values(scope, b"host") == [b"shop.example.org"]
    assert scope["server"][0] == "shop.example.org"


@pytest.mark.parametrize("value", ["", " ", ", evil.example", " , evil.example"])
def test_forwarded_host_that_names_none_leaves_the_host(value: str) -> None:
    event = http_v2_event(headers=[("host", "example.org"), ("x-forwarded-host", value)])
    scope = scope_of(event, forwarded_host="x-forwarded-host")
    assert scope["server"][0] == "example.org"
    assert [b"host", b"example.org"] in scope["headers"]
