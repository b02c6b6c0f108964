"""VPC Lattice: both versions of its event, and its answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apps import TEXT, result_of, scope_of
from tests.builders import (
    CLIENT_IP,
    LATTICE_HOST,
    USER_AGENT,
    Event,
    http_scope,
    lattice_v1_event,
    lattice_v2_event,
)

EDITIONS = ("classic", "2026")
every_edition = pytest.mark.parametrize("edition", EDITIONS)
both_versions = pytest.mark.parametrize("build", [lattice_v1_event, lattice_v2_event])

REQUEST: dict[str, Any] = {
    "method": "POST",
    "path": "/a%20b",
    "query": [("q", "1 2"), ("q", "3")],
    "headers": [("X-Many", "a"), ("X-Many", "b")],
    "cookies": ["c=1", "d=2"],
    "body": b"hi",
}


@pytest.mark.parametrize(
    ("event", "many", "query_string"),
    [
        (lattice_v1_event(**REQUEST), [[b"x-many", b"a, b"]], b"q=3"),
        (lattice_v2_event(**REQUEST), [[b"x-many", b"a"], [b"x-many", b"b"]], b"q=1+2&q=3"),
    ],
    ids=["v1", "v2"],
)
def test_whole_scope(event: Event, many: list[list[bytes]], query_string: bytes) -> None:
    seen: dict[str, Any] = {
        "method": "POST",
        "path": "/a b",
        "query_string": query_string,
        "headers": [
            [b"host", LATTICE_HOST.encode()],
            [b"user-agent", USER_AGENT.encode()],
            [b"x-forwarded-for", CLIENT_IP.encode()],
            [b"content-length", b"2"],
            *many,
            [b"cookie", b"c=1; d=2"],
        ],
    }
    assert scope_of(event) == http_scope(event, server=(LATTICE_HOST, 80), **seen)
    assert scope_of(event, edition="2026") == http_scope(
        event, edition="2026", server=(LATTICE_HOST, 443), raw_path=b"/a%20b", **seen
    )


@every_edition
@both_versions
@pytest.mark.parametrize(
    ("sent", "path", "query_string"),
    [
        ("/a?q=1&q=%FF", "/a", b"q=1&q=%FF"),
        ("/a%3Fb?q=a?b", "/a?b", b"q=a?b"),
        ("/a?", "/a", b""),
        ("?q=1", "/", b"q=1"),
    ],
)
def test_query_string_may_stand_in_the_path(
    build: Any, sent: str, path: str, query_string: bytes, edition: str
) -> None:
    scope = scope_of(build(path=sent, query=[("other", "2")]), edition=edition)
    assert (scope["path"], scope["query_string"]) == (path, query_string)
    if edition == "2026":
        assert b"?" not in scope["raw_path"]


@every_edition
@both_versions
def test_whole_result(build: Any, edition: str) -> None:
    headers = [*TEXT, (b"Vary", b"Accept"), (b"vary", b"Origin"), (b"set-cookie", b"a=1")]
    assert result_of(build(), status=404, headers=headers, edition=edition) == {
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "headers": {"content-type": "text/plain", "vary": "Accept,Origin", "set-cookie": "a=1"},
        "body": "ok",
        "isBase64Encoded": False,
    }


@every_edition
@both_versions
def test_several_cookies_are_a_list_among_the_headers(build: Any, edition: str) -> None:
    headers = [(b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=2")]
    result = result_of(build(), headers=headers, edition=edition)
    assert result["headers"] == {"set-cookie": ["a=1", "b=2"]}


@every_edition
@both_versions
def test_binary_body_is_base64(build: Any, edition: str) -> None:
    result = result_of(build(), headers=(), body=b"\xff", edition=edition)
    assert (result["body"], result["isBase64Encoded"]) == ("/w==", True)
