"""The hot path's own encoders against the standard library's, on awkward input."""

from __future__ import annotations

import base64
import sys
from ipaddress import IPv6Address
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangum._speedups.constants import MIN_SIMD_BASE64_BYTES
from tests import profiles as profiles  # chooses how many examples are drawn
from tests.speedups.nasty import escapes, texts, without_surrogates

# --- paths ------------------------------------------------------------------------------------


@given(path=escapes)
def test_decode_path_is_unquote(speedups: ModuleType, path: str) -> None:
    assert speedups.decode_path(path) == unquote(without_surrogates(path))


@given(path=texts)
def test_encode_path_is_quote(speedups: ModuleType, path: str) -> None:
    expected = quote(path, safe="/!$&'()*+,;=:@", errors="replace")
    assert speedups.encode_path(path) == expected.encode()


@given(path=texts)
def test_an_encoded_path_decodes_to_itself(speedups: ModuleType, path: str) -> None:
    encoded = speedups.encode_path(path).decode("ascii")
    assert speedups.decode_path(encoded) == without_surrogates(path)


# --- query strings ----------------------------------------------------------------------------

values = texts | st.lists(texts, max_size=3) | st.lists(texts, max_size=3).map(tuple)
numbers = st.integers() | st.floats() | st.booleans()


def deep_without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return without_surrogates(value)
    return (
        [without_surrogates(item) for item in value] if isinstance(value, (list, tuple)) else value
    )


@given(params=st.dictionaries(texts, values | numbers, max_size=5))
def test_encode_query_string_is_urlencode(speedups: ModuleType, params: dict[str, Any]) -> None:
    pairs = [(without_surrogates(key), deep_without_surrogates(it)) for key, it in params.items()]
    assert speedups.encode_query_string(params) == urlencode(pairs, doseq=True).encode()


encoded_values = escapes | st.lists(escapes, max_size=3)
encoded_params = st.dictionaries(escapes, encoded_values, max_size=4)


def pairs_of(params: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (key, item)
        for key, value in params.items()
        for item in (value if isinstance(value, list) else [value])
    ]


def is_utf8(text: str) -> bool:
    try:
        unquote_to_bytes(text).decode()
    except UnicodeError:
        return False
    return True


utf8_escapes = escapes.filter(is_utf8)


@given(
    params=st.dictionaries(
        utf8_escapes, utf8_escapes | st.lists(utf8_escapes, max_size=3), max_size=4
    )
)
def test_classic_alb_query_strings_are_those_of_mangum_0_22(
    speedups: ModuleType, params: dict[str, Any]
) -> None:
    pairs = pairs_of(params)
    expected = urlencode([(unquote_plus(key), unquote_plus(value)) for key, value in pairs])
    assert speedups.encode_alb_query_string(params, False) == expected.encode()


def bytes_of(text: str) -> bytes:
    return unquote_to_bytes(without_surrogates(text).replace("+", " "))


@given(params=encoded_params)
def test_classic_alb_query_strings_keep_every_byte(
    speedups: ModuleType, params: dict[str, Any]
) -> None:
    query_string = speedups.encode_alb_query_string(params, False).decode("ascii")
    seen = [tuple(pair.split("=")) for pair in query_string.split("&")] if query_string else []
    expected = [(bytes_of(key), bytes_of(value)) for key, value in pairs_of(params)]
    assert [(bytes_of(key), bytes_of(value)) for key, value in seen] == expected


@given(params=encoded_params)
def test_other_alb_query_strings_are_passed_on_as_sent(
    speedups: ModuleType, params: dict[str, Any]
) -> None:
    expected = "&".join(f"{key}={value}" for key, value in pairs_of(params))
    sent = speedups.encode_alb_query_string(params, True)
    assert sent == without_surrogates(expected).encode()


@pytest.mark.parametrize(("as_sent", "expected"), [(False, b"a=%FF%2B"), (True, b"a=%ff%2b")])
def test_an_escape_that_is_not_utf_8_survives(
    speedups: ModuleType, as_sent: bool, expected: bytes
) -> None:
    assert speedups.encode_alb_query_string({"a": "%ff%2b"}, as_sent) == expected


# --- bodies -----------------------------------------------------------------------------------

sizes = [0, 1, 2, 3, MIN_SIMD_BASE64_BYTES - 1, MIN_SIMD_BASE64_BYTES, 3 * MIN_SIMD_BASE64_BYTES]

with_and_without_pybase64 = pytest.mark.parametrize("pybase64", [True, False])


def hide_pybase64(monkeypatch: pytest.MonkeyPatch, available: bool) -> None:
    """Make the import of pybase64 fail, or not."""
    if available:
        pytest.importorskip("pybase64")
    else:
        monkeypatch.setitem(sys.modules, "pybase64", None)


def outcome(decode: Any, *args: Any) -> Any:
    try:
        return decode(*args)
    except ValueError:
        return ValueError


@with_and_without_pybase64
@pytest.mark.parametrize("size", sizes)
def test_base64_is_that_of_the_library_for_every_size(
    speedups: ModuleType, monkeypatch: pytest.MonkeyPatch, size: int, pybase64: bool
) -> None:
    hide_pybase64(monkeypatch, pybase64)
    body = bytes(range(256)) * 24
    body = body[:size]
    encoded = base64.b64encode(body).decode()
    assert speedups.encode_body(body, "", "", ()) == (encoded, bool(body))
    assert speedups.decode_body(encoded, True) == body
    assert speedups.decode_body(encoded.encode(), True) == body


LONG = "QUJD" * (MIN_SIMD_BASE64_BYTES // 4)


@with_and_without_pybase64
@pytest.mark.parametrize("length", [0, len(LONG)])
@given(junk=st.text("AQz09+/=-_\n \0é\ud800", max_size=12) | texts)
def test_doubtful_base64_is_read_as_the_library_reads_it(
    speedups: ModuleType, pybase64: bool, length: int, junk: str
) -> None:
    body = LONG[:length] + junk
    with pytest.MonkeyPatch.context() as monkeypatch:
        hide_pybase64(monkeypatch, pybase64)
        assert outcome(speedups.decode_body, body, True) == outcome(base64.b64decode, body)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("YQ==", b"a"),
        ("Y\nQ=\r\n=", b"a"),
        (" YQ== ", b"a"),
        ("YQ==YQ==", base64.b64decode("YQ==YQ==")),  # later releases read on after the padding
        ("YR==", b"a"),
        ("-_YQ==", b"a"),
        ("YQ", ValueError),
        ("A", ValueError),
        ("é", ValueError),
    ],
)
@with_and_without_pybase64
@pytest.mark.parametrize("length", [0, len(LONG)])
def test_lenient_base64_does_not_depend_on_the_size_or_on_pybase64(
    speedups: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tail: str,
    expected: Any,
    pybase64: bool,
    length: int,
) -> None:
    hide_pybase64(monkeypatch, pybase64)
    body = LONG[:length] + tail
    before = b"ABC" * (length // 4)
    decoded = outcome(speedups.decode_body, body, True)
    assert decoded == (before + expected if isinstance(expected, bytes) else expected)
    assert decoded == outcome(base64.b64decode, body)


@given(body=st.binary() | texts)
def test_a_body_that_is_no_base64_is_taken_as_utf_8(speedups: ModuleType, body: Any) -> None:
    expected = without_surrogates(body).encode() if isinstance(body, str) else body
    assert speedups.decode_body(body, False) == expected


# --- hosts ------------------------------------------------------------------------------------

ports = st.integers(0, 65535)


@given(address=st.ip_addresses(v=6), port=ports)
def test_split_host_takes_ipv6_addresses(
    speedups: ModuleType, address: IPv6Address, port: int
) -> None:
    assert speedups.split_host(f"[{address}]:{port}") == (str(address), port)
    assert speedups.split_host(f"[{address}]") == (str(address), None)
    assert speedups.split_host(str(address)) == (str(address), None)


@given(name=st.text("abcxyz019-._", min_size=1), port=ports)
def test_split_host_takes_names(speedups: ModuleType, name: str, port: int) -> None:
    assert speedups.split_host(f"{name}:{port}") == (name, port)
    assert speedups.split_host(name) == (name, None)
    assert speedups.split_host(f"{name}:") == (name, None)


@given(host=st.text("[]:0123٣²a-") | texts)
def test_split_host_takes_anything(speedups: ModuleType, host: str) -> None:
    name, port = speedups.split_host(host)
    assert name in host
    assert port is None or 0 <= port <= 65535
