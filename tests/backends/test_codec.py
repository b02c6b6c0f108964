"""The record of a connection: what is stored comes back, and what older versions stored is read."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangum.backends.codec import (
    HELD,
    decode_message,
    decode_record,
    encode_message_record,
    encode_record,
)
from mangum.exceptions import WebSocketError
from mangum.types import Scope
from tests import profiles  # noqa: F401

SCOPE: Scope = {
    "type": "websocket",
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "scheme": "wss",
    "path": "/ws",
    "raw_path": b"/ws",
    "root_path": "",
    "query_string": b"a=1&b=%C3%BC",
    "headers": [[b"host", b"example.org"], [b"x-a", b"1"], [b"x-a", b"2"]],
    "client": ("203.0.113.10", 0),
    "server": ("example.org", 443),
    "subprotocols": ["chat", "graphql-ws"],
    "aws.eventType": "AWS_WS_GATEWAY",
}

OF_0_12 = {
    "http_version": "1.1",
    "headers": [["host", "example.org"], ["x-a", "1, 2"]],
    "path": "/",
    "raw_path": None,
    "root_path": "",
    "scheme": "https",
    "query_string": "",
    "server": ["example.org", 443],
    "client": ["203.0.113.10", 0],
    "asgi": {"version": "3.0"},
    "aws.eventType": "AWS_WS_GATEWAY",
    "type": "websocket",
    "subprotocols": [],
}
OF_0_9 = {
    "type": "websocket",
    "path": "/",
    "headers": {"host": "example.org", "x-a": "1, 2"},
    "raw_path": None,
    "root_path": "",
    "scheme": "https",
    "query_string": "",
    "server": ["example.org", 443],
    "client": ["203.0.113.10", 0],
    "asgi": {"version": "3.0"},
    "subprotocols": [],
}


def test_stored_scope_comes_back_equal() -> None:
    assert decode_record(encode_record(SCOPE)) == (SCOPE, [])


def test_waiting_messages_come_back_in_order() -> None:
    held = ["welcome", "", "Zürich 🚀 \x00", "welcome"]
    assert decode_record(encode_record(SCOPE, held)) == (SCOPE, held)


def test_record_is_that_of_mangum_0_12() -> None:
    """Which can read it: an upgrade can be taken back."""
    scope = {
        **SCOPE,
        "raw_path": None,
        "query_string": b"",
        "headers": [[b"host", b"example.org"], [b"x-a", b"1, 2"]],
        "scheme": "https",
        "path": "/",
        "asgi": {"version": "3.0"},
        "subprotocols": [],
    }
    assert json.loads(encode_record(scope)) == OF_0_12


def test_what_belongs_to_one_event_is_not_stored() -> None:
    more = {
        "aws.event": object(),
        "aws.context": object(),
        "aws.groups": object(),
        "state": {"pool": object()},
        "extensions": {"websocket.http.response": {}},
        "app": object(),
    }
    assert encode_record({**SCOPE, **more}) == encode_record(SCOPE)


@pytest.mark.parametrize("stored", [OF_0_12, OF_0_9], ids=["0.12", "0.9"])
def test_record_of_an_older_version_is_read(stored: Any) -> None:
    scope, held = decode_record(json.dumps(stored))
    assert scope == {
        **stored,
        "headers": [[b"host", b"example.org"], [b"x-a", b"1, 2"]],
        "query_string": b"",
        "client": ("203.0.113.10", 0),
        "server": ("example.org", 443),
    }
    assert held == []


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "s3cret",
        "[]",
        "null",
        '"s3cret"',
        "1",
        '{"headers": 1, "a": "s3cret"}',
        '{"headers": ["s3cret"]}',
        '{"headers": [["s3cret"]]}',
        '{"headers": [["s3cret", 1]]}',
    ],
)
def test_what_is_no_record_is_an_error_that_shows_nothing(stored: str) -> None:
    with pytest.raises(WebSocketError, match="did not write it") as caught:
        decode_record(stored)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


ANYTHING = st.binary(max_size=20)
TEXT = st.text(max_size=20) | st.sampled_from(["\ud800", "a\udfff", "\x00", '"\\'])


@given(
    headers=st.lists(st.tuples(ANYTHING, ANYTHING).map(list), max_size=5),
    query_string=ANYTHING,
    raw_path=st.none() | ANYTHING,
    path=TEXT,
    client=st.none() | st.tuples(st.none() | TEXT, st.integers(0, 65535)),
    subprotocols=st.lists(TEXT, max_size=3),
    held=st.lists(st.text(), max_size=3),
)
def test_any_scope_comes_back_equal(held: list[str], **fields: Any) -> None:
    scope = {**SCOPE, **fields}
    assert decode_record(encode_record(scope, held)) == (scope, held)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["headers", HELD, "client", "server", "query_string", "raw_path", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=10,
    )
)
def test_any_json_is_a_record_or_an_error_of_ours(value: Any) -> None:
    try:
        scope, held = decode_record(json.dumps(value))
    except WebSocketError:
        return
    assert isinstance(scope, dict)
    assert isinstance(held, list)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "websocket.receive", "text": "Zürich 🚀 \x00"},
        {"type": "websocket.receive", "text": ""},
        {"type": "websocket.receive", "bytes": b"\xff\xfe"},
    ],
    ids=repr,
)
def test_stored_message_comes_back_equal(message: Any) -> None:
    assert decode_message(encode_message_record(message)) == message


@pytest.mark.parametrize("stored", ["", "s3cret", "[]", "{}", '{"bytes": "s3cret!"}'])
def test_what_is_no_message_is_an_error_that_shows_nothing(stored: str) -> None:
    with pytest.raises(WebSocketError) as caught:
        decode_message(stored)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
