"""Which route a message takes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.profiles  # noqa: F401
from mangum.exceptions import ConfigurationError
from mangum.local.selection import DEFAULT, Selection

MESSAGE = {
    "service": "chat",
    "action": "join",
    "number": 7,
    "ready": True,
    "nothing": None,
    "data": {"room": "room1234", "first name": "Ann", "list": ["a", {"b": "c"}]},
}


@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ("$request.body.action", "join"),
        ("${request.body.action}", "join"),
        ("${request.body.service}/${request.body.action}", "chat/join"),
        ("${request.body.action}-${request.body.invalidPath}", "join-"),
        ("$request.body.service:$request.body.action", "chat:join"),
        ("${request.body.action}-beta", "join-beta"),
        ("$request.body.data.room", "room1234"),
        ("$request.body['data']['first name']", "Ann"),
        ("$request.body.data.list[1].b", "c"),
        ("$request.body.data.list", '[a, {"b": "c"}]'),
        ("$request.body.number", "7"),
        ("$request.body.ready", "true"),
        ("action", "action"),
        ("\\$money-${request.body.action}", "$money-join"),
    ],
)
def test_an_expression_yields_the_key_of_a_route(expression: str, key: str) -> None:
    assert Selection(expression, [key]).route(json.dumps(MESSAGE)) == key
    assert Selection(expression, ["another"]).route(json.dumps(MESSAGE)) == DEFAULT


@pytest.mark.parametrize(
    "expression",
    [
        "\\$default",
        "$request.body.nothing",
        "$request.body.action.deeper",
        "$request.body.data.list[2]",
        "$request.body.data[0]",
        "$request.body.data.list.b",
    ],
)
def test_what_is_not_there_is_the_default_route(expression: str) -> None:
    assert Selection(expression, ["join", "a"]).route(json.dumps(MESSAGE)) == DEFAULT


@pytest.mark.parametrize(
    "body", ["join", "", '"join"', "[]", "7", "null", "{", '{"action"', "[" * 100_000]
)
def test_a_message_that_is_no_json_object_takes_the_default_route(body: str) -> None:
    assert Selection("$request.body.action", ["join"]).route(body) == DEFAULT


def test_no_message_takes_the_routes_of_connecting_and_disconnecting() -> None:
    selection = Selection("$request.body.action", ["$connect", "$disconnect", "$default"])
    for action in ("$connect", "$disconnect"):
        assert selection.route(json.dumps({"action": action})) == DEFAULT


@pytest.mark.parametrize(
    "expression",
    [
        "$request.header.x",
        "$context.routeKey",
        "$",
        "${request.body.action",
        "$x",
    ],
)
def test_another_variable_is_refused(expression: str) -> None:
    with pytest.raises(ConfigurationError, match="has a variable other than"):
        Selection(expression)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("ab") | st.text(), inner),
)


@given(JSON | st.text())
def test_every_message_takes_some_route(value: object) -> None:
    selection = Selection("${request.body.a.b}${request.body[0]}", ["a", "b", "1.0"])
    body = value if isinstance(value, str) else json.dumps(value)
    assert selection.route(body) in (DEFAULT, "a", "b", "1.0")
