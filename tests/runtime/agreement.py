"""How two marshallers are held against each other."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tests.runtime.conftest import Marshallers
from tests.runtime.needed import needed

FaultException = needed("awslambdaric.lambda_runtime_exception").FaultException


class Fault(NamedTuple):
    error_type: str
    message: str
    trace: Any


def read(marshaller: Any, *request: Any) -> Any:
    """The event, or the fault that the function's caller is told."""
    try:
        return marshaller.unmarshal_request(*request)
    except FaultException as fault:
        return Fault(fault.exception_type, fault.msg, fault.trace)


def write(marshaller: Any, response: Any) -> Any:
    """The result and its content type, or the fault that the function's caller is told."""
    try:
        return marshaller.marshal_response(response)
    except FaultException as fault:
        return Fault(fault.exception_type, fault.msg, fault.trace)


def assert_read_alike(marshallers: Marshallers, *request: Any) -> None:
    expected = read(marshallers.original, *request)
    # Their texts: 1 == 1.0 == True, and 0.0 == -0.0.
    assert repr(read(marshallers.ours, *request)) == repr(expected)


def assert_written_alike(marshallers: Marshallers, response: Any) -> None:
    """The same fault, the same text, or text that a reader can't tell from it and no longer."""
    expected = write(marshallers.original, response)
    written = write(marshallers.ours, response)
    if written == expected or isinstance(expected, Fault):
        assert (type(written), written) == (type(expected), expected)
        return
    (text, content_type), (expected_text, expected_type) = written, expected
    assert (type(text), content_type) == (bytes, expected_type)
    assert len(text) <= len(expected_text.encode())
    assert repr(_content(text)) == repr(_content(expected_text))


def _content(text: str | bytes) -> Any:
    """All that a JSON reader can see: the pairs of an object in their order and repetition."""
    return json.loads(text, object_pairs_hook=_Object)


class _Object(list[tuple[str, Any]]):
    def __repr__(self) -> str:
        return f"object({super().__repr__()})"
