"""The replacement held against the original, through awslambdaric's own classes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given

from tests import profiles as profiles  # chooses how many examples are drawn
from tests.runtime import awkward
from tests.runtime.agreement import assert_read_alike, assert_written_alike
from tests.runtime.conftest import Marshallers

CONTENT_TYPES = ("application/json", "application/json; charset=utf-8", "text/plain", "", None)


@given(request=awkward.requests)
def test_whatever_arrives_is_read_as_the_original_reads_it(
    marshallers: Marshallers, request: bytes
) -> None:
    assert_read_alike(marshallers, request)


@given(response=awkward.values)
@example(response=awkward.cyclic_list())
def test_whatever_is_returned_is_written_as_the_original_writes_it(
    marshallers: Marshallers, response: Any
) -> None:
    assert_written_alike(marshallers, response)


@given(event=awkward.plain_values)
def test_what_either_has_written_both_read_alike(marshallers: Marshallers, event: Any) -> None:
    for marshaller in marshallers:
        written, _ = marshaller.marshal_response(event)
        data = written if isinstance(written, bytes) else written.encode("utf-8", "surrogatepass")
        assert_read_alike(marshallers, data)


@pytest.mark.parametrize("number", awkward.NUMBERS, ids=lambda it: it[:25])
@pytest.mark.parametrize("around", ["{}", "[{}]", '{{"a":{}}}', '{{"a":[0,{{"b":{}}}]}}'])
def test_numbers_are_read_alike(marshallers: Marshallers, number: str, around: str) -> None:
    assert_read_alike(marshallers, around.format(number).encode())


@pytest.mark.parametrize("text", awkward.LITERALS, ids=lambda it: ascii(it[:15]))
@pytest.mark.parametrize("encoding", awkward.ENCODINGS)
def test_texts_are_read_alike(marshallers: Marshallers, text: str, encoding: str) -> None:
    assert_read_alike(marshallers, text.encode(encoding, "replace"))


@pytest.mark.parametrize("piece", awkward.PIECES, ids=repr)
def test_damaged_texts_are_read_alike(marshallers: Marshallers, piece: bytes) -> None:
    whole = '{"a": ["ü", -1.5e3, null, "\\u00fc"]}'.encode()
    for at in range(len(whole) + 1):
        for end in (at, at + 1):
            assert_read_alike(marshallers, whole[:at] + piece + whole[end:])


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize("request_body", [b'{"a": 1}', b"", b"\xff", b'"\\ud800"'])
def test_content_types_are_heeded_alike(
    marshallers: Marshallers, content_type: Any, request_body: bytes
) -> None:
    assert_read_alike(marshallers, request_body, content_type)


@pytest.mark.parametrize("request_body", ['{"a": 1}', "\ufeff1", bytearray(b"1"), None, 1, {}])
def test_requests_that_are_not_bytes_are_read_alike(
    marshallers: Marshallers, request_body: Any
) -> None:
    assert_read_alike(marshallers, request_body)


@pytest.mark.parametrize("name", awkward.OBJECTS)
@pytest.mark.parametrize(
    "around",
    [lambda it: it, lambda it: [it], lambda it: {"a": (1, it)}],
    ids=["it", "list", "dict"],
)
def test_objects_are_written_alike(marshallers: Marshallers, name: str, around: Any) -> None:
    assert_written_alike(marshallers, around(awkward.OBJECTS[name]()))


@pytest.mark.parametrize("key", awkward.KEYS, ids=ascii)
def test_keys_are_written_alike(marshallers: Marshallers, key: Any) -> None:
    assert_written_alike(marshallers, {key: 1})
    assert_written_alike(marshallers, [{"a": {key: 1, "b": 2}}])


@pytest.mark.parametrize("pairs", [{1: 1, "1": 2}, {True: 1, "true": 2}, {None: 1, "null": 2}])
def test_keys_that_become_the_same_text_are_written_alike(
    marshallers: Marshallers, pairs: Any
) -> None:
    assert_written_alike(marshallers, pairs)


@pytest.mark.parametrize(
    "value", [*awkward.FLOATS, *awkward.INTEGERS, *awkward.TEXTS, None, True, False], ids=ascii
)
def test_plain_values_are_written_alike(marshallers: Marshallers, value: Any) -> None:
    for response in (value, [value], [value, value], (), {"a": value}, {str(value): [value]}):
        assert_written_alike(marshallers, response)


@pytest.mark.parametrize("depth", [1, 98, 99, 100, 101, 150, 253, 254, 255, 300])
def test_nesting_is_read_and_written_alike(marshallers: Marshallers, depth: int) -> None:
    for value in (
        awkward.nested(depth, lambda it: [it]),
        awkward.nested(depth, lambda it: {"a": it}),
        awkward.nested(depth, lambda it: [2**70, it]),
    ):
        assert_written_alike(marshallers, value)
        assert_read_alike(marshallers, marshallers.original.marshal_response(value)[0].encode())
