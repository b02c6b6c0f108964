"""Errors that are made when they are first asked for."""

from __future__ import annotations

import inspect
import pickle

import pytest

from mangum import exceptions
from mangum.exceptions import websocket
from tests.processes import output_of

ERRORS = [
    error
    for _, error in inspect.getmembers(websocket, inspect.isclass)
    if error.__module__ == websocket.__name__
]


def test_those_of_websockets_and_aws_are_found_where_all_are() -> None:
    names = [error.__name__ for error in ERRORS]
    assert [getattr(exceptions, name) for name in names] == ERRORS
    assert set(names) <= set(dir(exceptions))
    assert len(names) == 7


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_they_survive_a_process_boundary(error: type[Exception]) -> None:
    copy = pickle.loads(pickle.dumps(error("gone")))
    assert (type(copy), copy.args) == (error, ("gone",))


def test_an_import_makes_none_of_them() -> None:
    shown = output_of(
        "import mangum.exceptions, sys; before = 'mangum.exceptions.websocket' in sys.modules;"
        "from mangum.exceptions import ConnectionGone; print(before, ConnectionGone.__mro__[1])"
    )
    assert shown == ["False <class 'mangum.exceptions.websocket.WebSocketError'>"]


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'mangum\.exceptions' has no attribute 'Nothing'"):
        _ = exceptions.Nothing
